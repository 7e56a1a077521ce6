//! The one place that opens sockets for others: bound HTTP listeners with their limits, the HTTP client, and frames to
//! agents.

mod agent_frames;
mod client;
mod forwarded;
mod limit;
mod listen;
mod tls;

pub use agent_frames::{FrameError, FrameReader, FrameWriter};
pub use client::{HttpClient, http_client};
pub use forwarded::client_address;
pub use limit::{RateLimit, source};
pub use listen::{DoorLimits, Handler, Manner, RefusedConnection, bind, serve, take_over};
pub use tls::{
    Distrust, HandshakeError, ListenerTls, ProbeTls, Shown, TlsError, client_tls, follow_files, install_provider,
    pinned_tls, probe_tls,
};
