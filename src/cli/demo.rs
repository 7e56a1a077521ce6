//! `aurora demo`: a made-up world on the screen, gone when the screen is left.

use jiff::Timestamp;

use crate::client::Client;
use crate::config;
use crate::demo::{Demo, DemoError, Scene, World};
use crate::tui;

use super::args::Global;
use super::exit::{Exit, Failure, Outcome};
use super::{logging, screen};

pub(super) async fn run(scene: Scene, seed: u64, global: &Global) -> Outcome {
    screen::refuse_without_terminal("the demo is there to be looked at")?;
    let (demo, sink) = Demo::begin(World { scene, seed, began: Timestamp::now() }).await?;
    let log = logging::start(demo.dir(), global.verbose, false, sink)?;
    // The defaults, and a pick that goes with the world.
    let mut config = config::parse("", None)?;
    config.move_to(demo.dir());
    let mut themes = screen::themes(&config, global)?;
    let mut client = Client::embedded(demo.handle(), true, global.read_only).await?;
    let settings = screen::settings(config.terminal, global, false);
    let ended = tui::run(&mut client, settings, &mut themes, None).await;
    drop(client);
    let removed = demo.end().await;
    drop(log);
    ended?;
    removed?;
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
