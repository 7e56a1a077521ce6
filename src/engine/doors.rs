//! Listeners as supervised tasks, one per address, and the routes of every channel behind them.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::{Config, ConfigError, Limits};
use crate::ingress::{
    BodyBudget, Certificates, Channel, Door, FailureLimit, Receiving, Refusals, Route, Routes, Spool, Swap,
};
use crate::model::{ChannelId, Reason};
use crate::net::{self, DoorLimits, Handler, ListenerTls};
use crate::store::Store;

use super::Input;
use super::supervisor::{TaskContext, TaskSpec};

/// The name of the task that listens on `address`.
pub(super) fn listener_task(address: SocketAddr) -> String {
    format!("listener {address}")
}

/// Pause in which equal refusals are counted together before they are shown.
const GATHER: Duration = Duration::from_millis(200);

/// The channels of a configuration, ready to receive.
pub(super) type Channels = HashMap<ChannelId, Arc<Channel>>;

/// Every address that `config` listens on.
pub(super) fn addresses(config: &Config) -> BTreeSet<SocketAddr> {
    config.listeners().into_keys().collect()
}

/// Reads the certificate and key of every listener; one of `running` that has the same files is kept.
///
/// # Errors
/// The first that cannot be used, with its place in the file.
pub fn certificates(config: &Config, running: &Certificates) -> Result<Certificates, Box<ConfigError>> {
    let with_tls = config.listeners().into_iter().filter_map(|(address, files)| Some((address, files?)));
    with_tls
        .map(|(address, files)| {
            let (certificate, key) = (config.locate(&files.cert), config.locate(&files.key));
            match running.get(&address) {
                Some(same) if same.is_of(&certificate, &key) => Ok((address, Arc::clone(same))),
                _ => ListenerTls::load(certificate, key)
                    .map(|tls| (address, Arc::new(tls)))
                    .map_err(|error| config.tls_mistake(files, &error.to_string())),
            }
        })
        .collect()
}

/// What is behind the doors of `config`, after what was behind them `before`. With `limit` the failures counted so
/// far go on counting.
pub(super) fn receiving(
    config: &Config,
    channels: &Channels,
    certificates: Certificates,
    limit: Option<Arc<FailureLimit>>,
    before: Option<&Receiving>,
) -> Receiving {
    let mut routes: HashMap<SocketAddr, Routes> = HashMap::new();
    for channel in channels.values() {
        for (address, path) in channel.config.doors(config.ingress) {
            let told = config.told(&channel.config, address, &path);
            let route = Route { channel: Arc::clone(channel), address: told.into() };
            routes.entry(address).or_default().insert(path, route);
        }
    }
    let limit = limit.unwrap_or_else(|| Arc::new(FailureLimit::new(config.limits.failures_per_minute)));
    let speaking = addresses(config).into_iter().map(|address| {
        let same = before.filter(|before| before.has_tls(address) == certificates.contains_key(&address));
        (address, same.and_then(|same| same.speaking.get(&address).cloned()).unwrap_or_default())
    });
    let speaking = speaking.collect();
    Receiving { routes, limit, proxies: config.proxies().to_vec(), certificates, speaking }
}

/// What the listeners of one engine share.
#[derive(Debug)]
pub(super) struct Ingress {
    pub store: Arc<Store>,
    pub behind: Arc<Swap<Receiving>>,
    pub refusals: Arc<Refusals>,
    pub budget: Arc<BodyBudget>,
    pub spool: Arc<Spool>,
}

impl Ingress {
    /// The listener on `address`.
    pub(super) fn listener(&self, address: SocketAddr, limits: Limits) -> TaskSpec {
        let door = Arc::new(Door {
            address,
            behind: Arc::clone(&self.behind),
            store: Arc::clone(&self.store),
            refusals: Arc::clone(&self.refusals),
            budget: Arc::clone(&self.budget),
            spool: Arc::clone(&self.spool),
        });
        let door_limits = DoorLimits { connections: limits.connections, ..DoorLimits::default() };
        TaskSpec::new(listener_task(address), move |context| listen(address, Arc::clone(&door), door_limits, context))
    }
}

async fn listen(address: SocketAddr, door: Arc<Door>, limits: DoorLimits, context: TaskContext) -> Result<(), String> {
    let listener = tokio::select! {
        listener = net::take_over(address) => listener.map_err(|error| error.to_string())?,
        () = context.stop.cancelled() => return Ok(()),
    };
    context.running();
    let refusals = Arc::clone(&door.refusals);
    let turned_away = Box::new(move |peer: SocketAddr| {
        refusals.note(
            Reason::Connections,
            None,
            peer.ip(),
            "more connections than the listener takes",
            Timestamp::now(),
        );
    });
    // A certificate that cannot be taken over is the task's trouble.
    let following = net::follow_files(|| door.tls(), |trouble| context.trouble(trouble));
    tokio::select! {
        () = net::serve(listener, Arc::clone(&door), limits, turned_away, context.stop.clone()) => Ok(()),
        () = following => unreachable!("files are followed for ever"),
    }
}

/// The task that brings refusals to the engine.
pub(super) fn refusals_task(refusals: Arc<Refusals>, inputs: tokio::sync::mpsc::Sender<Input>) -> TaskSpec {
    TaskSpec::new("refusals", move |context| {
        let (refusals, inputs) = (Arc::clone(&refusals), inputs.clone());
        async move {
            context.running();
            loop {
                tokio::select! {
                    () = context.stop.cancelled() => return Ok(()),
                    () = refusals.arrived() => {}
                }
                tokio::time::sleep(GATHER).await;
                // The engine is gone only when everything ends.
                let _ = inputs.send(Input::Rejected(refusals.take())).await;
            }
        }
    })
}
