//! `aurora serve`: the engine without a screen.

use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::engine::{Doors, Handle, LogSink, Running, Tell, start, tell};
use crate::net;
use crate::server::{socket_path, unix_socket};

use super::args::Global;
use super::exit::{Exit, Failure, Outcome};
use super::load::origin;
use super::{logging, managed};

/// Starts the engine with everything around it. The guard keeps the log open.
pub(super) async fn engine(
    config: &Config,
    global: &Global,
    doors: Doors,
    to_stderr: bool,
) -> Result<(Running, tracing_appender::non_blocking::WorkerGuard), Failure> {
    // A file that may not grow is a fault of the disk like others; the signal's default would end the process.
    let _: tokio::signal::unix::Signal = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    let (sink, logs) = LogSink::new();
    let running = start(config.clone(), doors, Some(logs), Some(origin(global))).await?;
    let guard = logging::start(config, global.verbose, to_stderr, sink)?;
    running.handle.supervise(unix_socket(socket_path(&config.state_dir), running.handle.clone()));
    tracing::info!(node = config.node, state_dir = %config.state_dir.display(), "engine started");
    Ok((running, guard))
}

pub(super) async fn run(config: Config, strict: bool, ingest_only: bool, global: &Global) -> Outcome {
    if strict {
        refuse_taken_ports(&config).await?;
    }
    let doors = if ingest_only { Doors::IngestOnly } else { Doors::Open };
    let (running, _log) = engine(&config, global, doors, true).await?;
    managed::attend(&running).await;
    until_asked_to_stop(&running.handle).await?;
    tell(Tell::Stopping).await;
    stop(running).await;
    Ok(Exit::Fine)
}

/// Waits for SIGTERM or SIGINT. SIGHUP asks for the configuration to be read again.
pub(super) async fn until_asked_to_stop(engine: &Handle) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => engine.reload().await,
        }
    }
}

/// Stops the engine: open requests finish, what is queued is committed.
pub(super) async fn stop(running: Running) {
    tracing::info!("engine stops");
    running.handle.stop();
    running.ended().await;
}

async fn refuse_taken_ports(config: &Config) -> Result<(), Failure> {
    for address in config.listeners().into_keys() {
        net::bind(address)
            .await
            .map_err(|error| Failure::new(Exit::Failed, format!("failed to listen on {address}: {error}")))?;
    }
    Ok(())
}
