//! The one place that opens sockets for others: bound HTTP listeners with their limits, and the HTTP client.

mod client;
mod listen;
mod tls;

pub use client::{HttpClient, http_client};
pub use listen::{DoorLimits, Handler, RefusedConnection, bind, serve};
pub use tls::{TlsError, client_tls, install_provider, pinned_tls};
