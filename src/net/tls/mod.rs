//! TLS: the one place that names the library and its cryptography, for listeners and for clients.

mod agent;
mod client;
mod listener;
mod probe;
mod provider;

pub use agent::{AgentTls, pinned_to};
pub(super) use client::node_tls;
pub use client::{certificate_pin, client_tls, pinned_tls};
pub use listener::{ListenerTls, follow_files};
pub use probe::{Distrust, HandshakeError, ProbeTls, Shown, probe_tls};
pub use provider::{TlsError, install_provider};
