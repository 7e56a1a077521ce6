//! Playing a world: an engine on a directory of its own, and what happens there in time.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::config::ConfigError;
use crate::engine::{Handle, LogSink, Running, Stage, StartError, stage};
use crate::model::ProviderKind;

use super::letter;
use super::nodes::changes;
use super::world::Happening;
use super::{Scene, World};

/// How often the other nodes say something new.
const NODES: Duration = Duration::from_secs(5);

/// Why a world could not be played.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// There is no place for its files.
    #[error("failed to make a temporary directory: {0}")]
    Directory(#[from] std::io::Error),
    /// What is configured in it holds a mistake.
    #[error(transparent)]
    Config(#[from] Box<ConfigError>),
    /// Its engine did not start.
    #[error(transparent)]
    Engine(#[from] StartError),
}

/// A world that is being played. Its directory goes with it.
#[derive(Debug)]
pub struct Demo {
    running: Running,
    /// What happens there.
    happening: JoinHandle<()>,
    dir: TempDir,
}

impl Demo {
    /// Begins to play `world`. Log lines come to its engine through what is answered beside it.
    ///
    /// # Errors
    /// When there is no place for its files, or its engine does not start.
    pub async fn begin(world: World) -> Result<(Self, LogSink), DemoError> {
        Self::begin_in(Self::directory()?, world).await
    }

    /// A place for the files of a world, which are removed with it.
    ///
    /// # Errors
    /// When there is none.
    pub fn directory() -> std::io::Result<TempDir> {
        tempfile::Builder::new().prefix("aurora-demo-").tempdir()
    }

    /// Begins to play `world` with its files in `dir`, as [`Demo::begin`] does.
    ///
    /// # Errors
    /// When a file cannot be written, or its engine does not start.
    pub async fn begin_in(dir: TempDir, world: World) -> Result<(Self, LogSink), DemoError> {
        let mut config = world.config()?;
        config.move_to(dir.path());
        write_secrets(dir.path())?;
        let (sink, logs) = LogSink::new();
        for line in world.logs() {
            sink.put(line);
        }
        let (running, stage) = stage(config, logs, world.scenery()).await?;
        let engine = running.handle.clone();
        let happening = tokio::spawn(async move {
            tokio::join!(happen(world, &stage, &engine), meet(world, &stage, &engine));
        });
        Ok((Self { running, happening, dir }, sink))
    }

    /// The way to its engine.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.running.handle
    }

    /// Where its files are until it ends.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Ends it, and leaves nothing behind.
    ///
    /// # Errors
    /// When the directory cannot be removed.
    pub async fn end(self) -> std::io::Result<()> {
        self.running.handle.stop();
        // Whatever became of either: all of it is thrown away.
        let _ = self.happening.await;
        let _ = self.running.ended().await;
        self.dir.close()
    }
}

/// Lets things happen until the engine stops.
async fn happen(world: World, stage: &Stage, engine: &Handle) {
    for number in 0.. {
        tokio::select! {
            () = engine.stopped() => return,
            () = tokio::time::sleep(world.pause(number)) => {}
        }
        match world.next(number, Timestamp::now()) {
            None => return,
            Some(Happening::Refused(rejection)) => stage.refuse(vec![rejection]).await,
            Some(Happening::Delivered(delivery)) => {
                if let Err(error) = stage.deliver(&delivery).await {
                    tracing::warn!(%error, "what was to come in could not be stored");
                }
            }
        }
    }
}

/// Lets the other nodes live until the engine stops.
async fn meet(world: World, stage: &Stage, engine: &Handle) {
    let Some(mut known) = world.nodes(world.began).filter(|_| world.scene == Scene::Lively) else { return };
    loop {
        tokio::select! {
            () = engine.stopped() => return,
            () = tokio::time::sleep(NODES) => {}
        }
        let Some(now) = world.nodes(Timestamp::now()) else { return };
        for notice in changes(&known, &now) {
            stage.tell_of_nodes(notice).await;
        }
        known = now;
    }
}

/// Channels have secrets, and nobody will ever sign with these.
fn write_secrets(dir: &Path) -> std::io::Result<()> {
    let secrets = dir.join("secrets");
    DirBuilder::new().mode(0o700).create(&secrets)?;
    for provider in ProviderKind::ALL {
        let secret = match provider {
            ProviderKind::Standard => "whsec_bm8gc2VjcmV0IGF0IGFsbCwgYSBkZW1v",
            ProviderKind::Twilio => "00000000000000000000000000000000",
            _ => "no secret at all, a demo",
        };
        let path = secrets.join(letter::channel(provider));
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{secret}")?;
    }
    Ok(())
}
