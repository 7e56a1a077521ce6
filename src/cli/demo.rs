//! `aurora demo`: a made-up world on the screen, gone when the screen is left.

use std::path::Path;

use jiff::Timestamp;

use crate::client::Client;
use crate::config::{self, Theme};
use crate::demo::{Demo, DemoError, Scene, World};
use crate::tui::{self, ColourMode, Headless, Look, picture};

use super::args::{DemoArgs, Global, When};
use super::exit::{Exit, Failure, Outcome};
use super::{logging, screen};

/// When the world of a picture begins: a picture is the same whenever it is made. It is past: what the engine does now
/// then has the age of something new.
const PICTURED: i64 = 1_795_165_200;

pub(super) async fn run(args: &DemoArgs, global: &Global) -> Outcome {
    if let Some(path) = &args.picture.picture {
        return Box::pin(draw(args, path, global)).await;
    }
    screen::refuse_without_terminal("the demo is there to be looked at")?;
    if args.tour && args.scene == Scene::Busy {
        return Err(Failure::usage("the scene busy has no hosts to run anything on; leave --scene busy or --tour out"));
    }
    let dir = Demo::directory()?;
    // The defaults, and a pick that goes with the world.
    let mut config = config::parse("", None)?;
    config.move_to(dir.path());
    let mut themes = screen::themes(&config, global)?;
    let settings = screen::settings(config.terminal, global, false);
    let beginning = tui::Beginning { ends_engine: true, tour: args.tour, ..tui::Beginning::default() };
    let (verbose, scene, seed) = (global.verbose, args.scene, args.seed);
    let begin = Box::pin(async move {
        let (demo, sink) = Demo::begin_in(dir, World { scene, seed, began: Timestamp::now() }).await?;
        let log = logging::start(demo.dir(), verbose, false, sink)?;
        Ok((demo.handle().clone(), (demo, log)))
    });
    let (ended, begun) = screen::behind(begin, settings, &mut themes, beginning, global).await?;
    let (demo, log) = begun?;
    let removed = demo.end().await;
    drop(log);
    ended?;
    removed?;
    Ok(Exit::Fine)
}

/// Writes one frame of a world that stands still to `path`.
async fn draw(args: &DemoArgs, path: &Path, global: &Global) -> Outcome {
    let DemoArgs { seed, scene, tour, picture: wish } = args;
    let theme = Theme::built_in(global.theme.as_deref().unwrap_or("terminal")).map_err(Failure::usage)?;
    let mode = if global.color == When::Never { ColourMode::None } else { ColourMode::True };
    let began = Timestamp::from_second(PICTURED).map_err(|error| Failure::new(Exit::Failed, error))?;
    let (demo, _logs) = Demo::begin(World { scene: *scene, seed: *seed, began }).await?;
    let client = Client::embedded(demo.handle(), true, global.read_only).await?;
    let look = Look::new(&theme, mode, global.ascii);
    let mut screen = Headless::open(client, look, wish.size, began).await;
    if *tour {
        screen.begin_tour();
    }
    screen.press(&wish.keys.replace("\\r", "\r").replace("\\t", "\t").replace("\\e", "\u{1b}")).await;
    let title = format!("aurora in a terminal of {} columns and {} rows", wish.size.0, wish.size.1);
    let svg = picture(&screen.frame(), &title);
    drop(screen);
    demo.end().await?;
    std::fs::write(path, svg)?;
    Ok(Exit::Fine)
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Engine(error) => error.into(),
            DemoError::Config(error) => error.into(),
            DemoError::Directory(_) => Self::new(Exit::Failed, error),
        }
    }
}
