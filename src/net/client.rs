//! The HTTP client. Everything that speaks HTTP outwards is built here, with its limits.

use std::time::Duration;

/// The client type, so that nobody else has to name the library.
pub type HttpClient = reqwest::Client;

/// A client that gives up: 5 s to connect, 30 s in all; it follows no redirect and uses no proxy.
///
/// # Errors
/// When the system has no resources for it.
pub fn http_client() -> Result<HttpClient, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("aurora/", env!("CARGO_PKG_VERSION")))
        .build()
}
