//! How other nodes are asked, and who may ask here: links, pinned keys, the listener.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::config::{Cidr, Config, ConfigError};
use crate::federation::{
    DoorMemory, DoorSettings, Errands, EventLink, HttpDoor, HttpLink, RefusedQuestion, serve_nodes,
};
use crate::ingress::Swap;
use crate::model::{NodeName, PinnedKeys};
use crate::net::{KnownNodes, ListenerTls, NodeKeys, certificate_pin, node_client};
use crate::store::KnownNode;

use super::super::doors::listener_task;
use super::super::supervisor::TaskSpec;
use super::answerer::Desks;
use super::service::Nodes;

/// A link that was made, and for which address and certificate.
type Made = (String, Option<[u8; 32]>, Arc<dyn EventLink>);

/// How other nodes are asked, and who may ask here.
pub(in super::super) struct Ways {
    me: NodeName,
    keys: Arc<NodeKeys>,
    known: Arc<KnownNodes>,
    /// What nodes are asked that gave no address.
    errands: Arc<Errands>,
    /// Links are kept while their node stays where it is: they hold connections.
    links: Mutex<BTreeMap<NodeName, Made>>,
    pub(super) listening: Swap<Listening>,
    /// What the listener remembers of nodes.
    door: Arc<DoorMemory>,
}

/// How other nodes are listened to.
#[derive(Debug, Clone)]
pub(super) struct Listening {
    pub address: Option<SocketAddr>,
    tls: Option<Arc<ListenerTls>>,
    /// The certificate of the listener.
    certificate: Option<PathBuf>,
    proxies: Vec<Cidr>,
    connections: usize,
    allow_query_token: bool,
}

impl Listening {
    /// What `config` says. A certificate of the same files as `before` is kept.
    ///
    /// # Errors
    /// When the certificate cannot be used.
    pub(super) fn of(config: &Config, before: Option<&Self>) -> Result<Self, Box<ConfigError>> {
        let tls = config.exposure.tls.as_ref().map(|files| {
            let (certificate, key) = (config.locate(&files.cert), config.locate(&files.key));
            match before.and_then(|before| before.tls.as_ref()) {
                Some(same) if same.is_of(&certificate, &key) => Ok(Arc::clone(same)),
                _ => ListenerTls::load(certificate, key)
                    .map(Arc::new)
                    .map_err(|error| config.tls_mistake(files, &error.to_string())),
            }
        });
        Ok(Self {
            address: config.federation.listen,
            tls: tls.transpose()?,
            certificate: config.exposure.tls.as_ref().map(|files| config.locate(&files.cert)),
            proxies: config.proxies().to_vec(),
            connections: config.limits.connections,
            allow_query_token: config.federation.allow_query_token,
        })
    }

    /// Whether a listener for one is as good as one for the other. How many connections it keeps waits for the next start.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let certificate = |this: &Self| this.tls.as_ref().map(Arc::as_ptr);
        certificate(self) == certificate(other)
            && (self.address, &self.proxies, self.allow_query_token)
                == (other.address, &other.proxies, other.allow_query_token)
    }
}

impl Ways {
    /// The ways of `me` by `config`.
    ///
    /// # Errors
    /// When the certificate of the listener cannot be used.
    pub(in super::super) fn new(
        me: NodeName,
        config: &Config,
        keys: Arc<NodeKeys>,
        stop: CancellationToken,
    ) -> Result<Self, Box<ConfigError>> {
        Ok(Self {
            listening: Swap::new(Listening::of(config, None)?),
            door: Arc::new(DoorMemory::new(me.clone(), Timestamp::now())),
            me,
            keys,
            known: Arc::default(),
            errands: Arc::new(Errands::new(stop)),
            links: Mutex::default(),
        })
    }

    /// Whether the listener speaks TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.listening.get().tls.is_some()
    }

    /// What others pin of the listener's certificate, where it has one.
    pub(super) fn pin(&self) -> Option<[u8; 32]> {
        let pin = certificate_pin(self.listening.get().certificate.as_deref()?);
        pin.inspect_err(|error| tracing::error!(%error, "nobody can pin the listener's certificate")).ok()
    }

    /// The link to a node that is reached directly, or that fetches what it is asked.
    pub(super) fn link(&self, node: &KnownNode) -> Option<Arc<dyn EventLink>> {
        let Some(url) = &node.url else {
            // Over a relay it is the relay that is asked.
            return node.via.is_none().then(|| self.errands.link(&node.name));
        };
        self.errands.forget(&node.name);
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, pin, link)) = links.get(&node.name)
            && (known, *pin) == (url, node.pin)
        {
            return Some(Arc::clone(link));
        }
        let http = node_client(url, node.pin)
            .inspect_err(|why| tracing::error!(node = %node.name, why, "a node cannot be asked"))
            .ok()?;
        let (keys, known) = (Arc::clone(&self.keys), Arc::clone(&self.known));
        let link = HttpLink::new(http, url, node.name.clone(), self.me.clone(), keys, known);
        let link: Arc<dyn EventLink> = Arc::new(link);
        links.insert(node.name.clone(), (url.clone(), node.pin, Arc::clone(&link)));
        Some(link)
    }

    /// These nodes may ask here, by these keys. Who is known by the word of another node alone has no door of its own:
    /// what it shares comes over that one.
    pub(super) fn admit(&self, nodes: &[KnownNode]) {
        for node in nodes.iter().filter(|node| !node.is_vouched()) {
            self.known.put(node.name.clone(), PinnedKeys(node.keys.clone()));
        }
    }

    /// `node` may ask here no more.
    pub(super) fn forget(&self, node: &NodeName) {
        self.known.forget(node);
        self.errands.forget(node);
        self.links.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
        self.door.forget(node);
    }

    /// The pinned keys of nodes.
    pub(super) fn pinned(&self) -> &KnownNodes {
        &self.known
    }
}

impl Nodes {
    /// The task that listens for other nodes, where they can reach this one.
    pub(super) fn listening(this: &Arc<Self>) -> Option<TaskSpec> {
        let listening = this.ways.listening.get();
        let address = listening.address?;
        let desks = Arc::new(Desks(Arc::clone(this)));
        let settings = DoorSettings {
            me: this.me.clone(),
            keys: Arc::clone(&this.keys),
            known: Arc::clone(&this.ways.known),
            errands: Arc::clone(&this.ways.errands),
            answerer: Arc::clone(&desks) as _,
            tokens: desks,
            allow_query_token: listening.allow_query_token,
            tls: listening.tls.clone(),
            proxies: listening.proxies.clone(),
            refused: Box::new(|refused| log_refused(&refused)),
        };
        let door = Arc::new(HttpDoor::new(settings, Arc::clone(&this.ways.door)));
        let connections = listening.connections;
        Some(TaskSpec::new(listener_task(address), move |context| {
            let door = Arc::clone(&door);
            async move {
                let stop = context.stop.clone();
                serve_nodes(address, door, connections, stop, || context.running(), |what| context.trouble(what)).await
            }
        }))
    }
}

fn log_refused(refused: &RefusedQuestion) {
    let RefusedQuestion { source, node, proven, why } = refused;
    let node = node.as_ref().map(ToString::to_string).unwrap_or_default();
    if *proven {
        tracing::warn!(%source, node, why, "a question of a node is refused");
    } else {
        // Anybody can cause these.
        tracing::debug!(%source, claimed = node, why, "a question of nobody who is known is refused");
    }
}
