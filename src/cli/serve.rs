//! `aurora serve`: the engine without a screen.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Config, ConfigError};
use crate::engine::{Doors, Handle, LogSink, Running, Tell, start, tell};
use crate::net::{self, ListenerTls};
use crate::server::{self, socket_path, unix_socket};

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
    let _: Signal = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    let api = api_settings(config)?;
    let (sink, logs) = LogSink::new();
    let running = start(config.clone(), doors, Some(logs), Some(origin(global))).await?;
    let guard = logging::start(&config.state_dir, global.verbose, to_stderr, sink)?;
    running.handle.supervise(unix_socket(socket_path(&config.state_dir), running.handle.clone()));
    if let Some(settings) = api {
        running.handle.supervise(server::api(settings, running.handle.clone()));
    }
    tracing::info!(node = config.node, state_dir = %config.state_dir.display(), "engine started");
    Ok((running, guard))
}

/// How the API listens, unless it is off. It carries the TLS that is for all listeners.
fn api_settings(config: &Config) -> Result<Option<server::Settings>, Box<ConfigError>> {
    let Some(address) = config.api else { return Ok(None) };
    let tls = config.exposure.tls.as_ref().map(|files| {
        ListenerTls::load(config.locate(&files.cert), config.locate(&files.key))
            .map(Arc::new)
            .map_err(|error| config.tls_mistake(files, &error.to_string()))
    });
    Ok(Some(server::Settings {
        address,
        connections: config.limits.connections,
        per_minute: config.limits.api_per_minute,
        tls: tls.transpose()?,
        proxies: config.proxies().to_vec(),
    }))
}

pub(super) async fn run(config: Config, strict: bool, ingest_only: bool, global: &Global) -> Outcome {
    if strict {
        refuse_taken_ports(&config).await?;
    }
    // Before the doors open: who can reach them may already ask for an end that loses nothing.
    let mut signals = Signals::listen()?;
    let doors = if ingest_only { Doors::IngestOnly } else { Doors::Open };
    let (running, _log) = engine(&config, global, doors, true).await?;
    managed::attend(&running).await;
    signals.until_stop(&running.handle).await;
    tell(Tell::Stopping).await;
    stop(running).await
}

/// The signals that ask for something. What comes before they are listened for ends the process at once.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT.
    pub(super) async fn until_asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for SIGTERM or SIGINT, or until the engine ends by itself. SIGHUP asks for the configuration to be read
    /// again.
    pub(super) async fn until_stop(&mut self, engine: &Handle) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                () = engine.stopped() => return,
                _ = self.hangup.recv() => engine.reload().await,
            }
        }
    }
}

/// Stops the engine: open requests finish, what is queued is committed. An engine that has died is a failure, so
/// that a service manager starts it again.
pub(super) async fn stop(running: Running) -> Outcome {
    tracing::info!("engine stops");
    running.handle.stop();
    running.ended().await.map_err(|died| Failure::new(Exit::Failed, died))?;
    Ok(Exit::Fine)
}

async fn refuse_taken_ports(config: &Config) -> Result<(), Failure> {
    let nodes = config.federation.listen.filter(|_| config.federation.enabled);
    for address in config.listeners().into_keys().chain(config.api).chain(nodes) {
        net::bind(address)
            .await
            .map_err(|error| Failure::new(Exit::Failed, format!("failed to listen on {address}: {error}")))?;
    }
    Ok(())
}
