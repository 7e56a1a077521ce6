//! The addresses providers were told: `listen.public_url` and `channels.<id>.public_url`.

use std::net::SocketAddr;

use http::Uri;
use toml::Spanned;

use super::mistake::Mistake;
use super::{ChannelConfig, Config};

/// Checks an address as it is given to a provider. A query is a delivery's own, and a fragment never arrives.
pub(super) fn public_url(typed: &Spanned<String>) -> Result<String, Mistake> {
    let text = typed.get_ref();
    let wrong = |why: &str| {
        Mistake::at(typed, format!("a public address {why}")).help("write it as \"https://hub.example.org\"")
    };
    let uri: Uri = text.parse().map_err(|_| wrong("is scheme, host and perhaps a path"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(wrong("begins with http:// or https:// and a host"));
    }
    if text.contains(['?', '#']) {
        return Err(wrong("has neither query nor fragment"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(wrong("holds no name and no password"));
    }
    Ok(text.clone())
}

impl Config {
    /// The address the provider of `channel` was told for one of its doors, without a query: the channel's own public
    /// address, else the path below `listen.public_url`, else the address of the listener itself.
    #[must_use]
    pub fn told(&self, channel: &ChannelConfig, address: SocketAddr, path: &str) -> String {
        match (&channel.public_url, &self.public_url) {
            (Some(own), _) => own.clone(),
            (None, Some(public)) => format!("{}{path}", public.trim_end_matches('/')),
            (None, None) => self.url(address, path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    const CHANNEL: &str = "[channels.a]\nprovider = \"twilio\"\nsecrets = [\"env:X\"]\n";

    fn told(listen: &str, channel: &str) -> String {
        let config = parse(&format!("{listen}{CHANNEL}{channel}"), None).expect("a configuration");
        let channel = &config.channels.values().next().expect("a channel");
        let (address, path) = channel.doors(config.ingress).pop().expect("a door");
        config.told(channel, address, &path)
    }

    #[test]
    fn the_nearest_address_counts() {
        let public = "[listen]\npublic_url = \"https://hub.example.org/in/\"\n";
        let own = "public_url = \"https://wa.example.org:8443/x\"";
        assert_eq!(told("", ""), "http://127.0.0.1:9296/whatsapp/webhook");
        assert_eq!(told(public, ""), "https://hub.example.org/in/whatsapp/webhook");
        assert_eq!(told(public, own), "https://wa.example.org:8443/x");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in
            ["", "hub.example.org", "ftp://a.example", "https://", "https://a?b=c", "https://a/#x", "https://u:p@a"]
        {
            let text = format!("[listen]\npublic_url = {bad:?}\n");
            let error = parse(&text, None).expect_err(bad).to_string();
            assert!(error.contains("a public address"), "{error}");
        }
    }
}
