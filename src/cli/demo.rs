//! `aurora demo`: a made-up world on the screen, gone when the screen is left.

use jiff::Timestamp;

use crate::client::Client;
use crate::demo::{Demo, DemoError, Scene, World};
use crate::tui;

use super::args::Global;
use super::exit::{Exit, Failure, Outcome};
use super::{logging, screen};

/// Themes that need no configuration.
const THEME: &str = "terminal";

pub(super) async fn run(scene: Scene, seed: u64, global: &Global) -> Outcome {
    let look = screen::look(global.theme.as_deref().unwrap_or(THEME), global)?;
    screen::refuse_without_terminal("the demo is there to be looked at")?;
    let (demo, sink) = Demo::begin(World { scene, seed, began: Timestamp::now() }).await?;
    let log = logging::start(demo.dir(), global.verbose, false, sink)?;
    let mut client = Client::embedded(demo.handle(), true, global.read_only).await?;
    let ended = tui::run(&mut client, look, |_: &str| None, None).await;
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
