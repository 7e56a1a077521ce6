//! The HTTP client. Everything that speaks HTTP outwards is built here, with its limits.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

/// The client type, so that nobody else has to name the library.
pub type HttpClient = reqwest::Client;

/// A client that gives up: 5 s to connect, 30 s in all; it follows no redirect and uses no proxy.
/// What it trusts is `tls`, from [`super::client_tls`] or [`super::pinned_tls`].
///
/// # Errors
/// When the system has no resources for it.
pub fn http_client(tls: Arc<ClientConfig>) -> Result<HttpClient, reqwest::Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(Arc::unwrap_or_clone(tls))
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("aurora/", env!("CARGO_PKG_VERSION")))
        .build()
}
