//! What is behind the doors: one value, swapped whole when the configuration changes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;

use crate::config::Cidr;
use crate::net::ListenerTls;

use super::{Channel, FailureLimit};

/// The channels behind one address, by path.
pub type Routes = HashMap<String, Route>;

/// A path that leads to a channel.
#[derive(Debug, Clone)]
pub struct Route {
    /// The channel.
    pub channel: Arc<Channel>,
    /// The address its provider was told for this path.
    pub address: Arc<str>,
}

/// The TLS of each address that has it.
pub type Certificates = HashMap<SocketAddr, Arc<ListenerTls>>;

/// What every door looks at, once a request.
#[derive(Debug)]
pub struct Receiving {
    /// What is behind each address.
    pub routes: HashMap<SocketAddr, Routes>,
    /// How often a source may fail.
    pub limit: Arc<FailureLimit>,
    /// Proxies that are believed when they say who called them.
    pub proxies: Vec<Cidr>,
    /// What speaks TLS.
    pub certificates: Certificates,
    /// Cancelled when an address ceases to speak as it does, with TLS or without.
    pub speaking: HashMap<SocketAddr, CancellationToken>,
}

impl Receiving {
    /// Whether `address` speaks TLS.
    #[must_use]
    pub fn has_tls(&self, address: SocketAddr) -> bool {
        self.certificates.contains_key(&address)
    }

    /// Ends the connections of every address that speaks TLS in `newer` and did not, or the other way round.
    pub fn give_way(&self, newer: &Self) {
        for (address, speaking) in &self.speaking {
            if self.has_tls(*address) != newer.has_tls(*address) {
                speaking.cancel();
            }
        }
    }
}

/// A value that many look at and that is replaced as a whole. Whoever looked before goes on with what was.
#[derive(Debug)]
pub struct Swap<T>(RwLock<Arc<T>>);

impl<T> Swap<T> {
    /// Begins with `value`.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// The value now.
    pub fn get(&self) -> Arc<T> {
        // Nothing can panic while the lock is held; a whole value is there in any case.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}
