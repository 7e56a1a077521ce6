//! The HTTP client. Everything that speaks HTTP outwards is built here, with its limits.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::tls::{node_tls, pinned_tls};

/// The client type, so that nobody else has to name the library.
pub type HttpClient = reqwest::Client;

/// A client that gives up: 5 s to connect, 30 s in all; it follows no redirect and uses no proxy.
/// What it trusts is `tls`, from [`super::client_tls`] or [`super::pinned_tls`].
///
/// # Errors
/// When the system has no resources for it.
pub fn http_client(tls: Arc<ClientConfig>) -> Result<HttpClient, reqwest::Error> {
    careful(tls).timeout(Duration::from_secs(30)).build()
}

/// A client for another node, which listens at `url`. It has no timeout of its own: each question says how long it may
/// take. `pin` is the SHA-256 of the public key in the certificate that is known to be its listener's.
///
/// # Errors
/// Why there is none, in one line.
pub fn node_client(url: &str, pin: Option<[u8; 32]>) -> Result<HttpClient, String> {
    // Without TLS nothing is to be trusted; so a machine without any roots can speak over loopback.
    let tls = if url.starts_with("https:") { node_tls(pin) } else { pinned_tls(None) };
    let client = careful(tls.map_err(|error| error.to_string())?);
    // The other side lets go of a connection that was idle for 10 s; a question must not meet that end.
    client.pool_idle_timeout(Duration::from_secs(8)).build().map_err(|error| error.to_string())
}

fn careful(tls: Arc<ClientConfig>) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(Arc::unwrap_or_clone(tls))
        .connect_timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("aurora/", env!("CARGO_PKG_VERSION")))
}
