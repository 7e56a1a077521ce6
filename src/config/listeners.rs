//! Where to listen: addresses, the TLS of each, and the proxies in front.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::model::ChannelId;

use super::file::{self, ListenFile, TlsFile};
use super::mistake::Mistake;
use super::secret::locate;
use super::{ChannelConfig, Cidr, Config, ConfigError};

/// Certificate and key of a listener, as they were typed.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate chain in PEM form, leaf first.
    pub cert: PathBuf,
    /// Its private key in PEM form.
    pub key: PathBuf,
    /// Where they stand in the file.
    pub span: Range<usize>,
}

impl TlsFiles {
    pub(super) fn typed(typed: &Spanned<TlsFile>) -> Self {
        let TlsFile { cert, key } = typed.get_ref();
        Self { cert: cert.into(), key: key.into(), span: file::span(typed) }
    }

    /// Whether both name the same files.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.cert == other.cert && self.key == other.key
    }
}

/// What stands between the listeners and the world.
#[derive(Debug, Clone)]
pub struct Exposure {
    /// TLS of every listener that carries none of its own.
    pub tls: Option<TlsFiles>,
    /// Whether the trusted proxies stand in front of the listeners.
    pub behind_proxy: bool,
    /// Who is believed about the address of a sender.
    pub trusted_proxies: Vec<Cidr>,
}

impl Exposure {
    pub(super) fn validate(typed: &ListenFile) -> Result<Self, Mistake> {
        let exposure = Self {
            tls: typed.tls.as_ref().map(TlsFiles::typed),
            behind_proxy: typed.behind_proxy.as_ref().is_some_and(|behind| *behind.get_ref()),
            trusted_proxies: typed.trusted_proxies.iter().flatten().map(proxy).collect::<Result<_, _>>()?,
        };
        if let Some(behind) = &typed.behind_proxy
            && exposure.behind_proxy
            && exposure.trusted_proxies.is_empty()
        {
            return Err(Mistake::at(behind, "behind_proxy is true, and no proxy is trusted")
                .help("name them: trusted_proxies = [\"127.0.0.1\"]; who else calls is not believed"));
        }
        Ok(exposure)
    }

    /// The proxies in front, if there are any.
    fn proxies(&self) -> Option<&[Cidr]> {
        (self.behind_proxy && !self.trusted_proxies.is_empty()).then_some(&self.trusted_proxies)
    }

    /// An address to listen on, whose own TLS is `tls`. It leaves loopback only with TLS or behind a named proxy.
    pub(super) fn address(&self, typed: &Spanned<String>, tls: Option<&TlsFiles>) -> Result<SocketAddr, Mistake> {
        let has_tls = tls.or(self.tls.as_ref()).is_some();
        let address: SocketAddr = typed.get_ref().parse().map_err(|_| {
            Mistake::at(typed, format!("{:?} is not an address", typed.get_ref()))
                .help("write address and port, as \"127.0.0.1:9296\"")
        })?;
        if address.ip().to_canonical().is_loopback() || has_tls || self.proxies().is_some() {
            return Ok(address);
        }
        Err(Mistake::at(typed, format!("{address} leaves this machine without TLS")).help(
            "give the listener tls = { cert = \"cert.pem\", key = \"key.pem\" }, or name the TLS proxy before it with \
             behind_proxy = true and trusted_proxies, or listen on a loopback address",
        ))
    }

    /// The TLS of `channel`'s own address.
    fn tls_of<'a>(&'a self, channel: &'a ChannelConfig) -> Option<&'a TlsFiles> {
        channel.tls.as_ref().or(self.tls.as_ref())
    }
}

fn proxy(typed: &Spanned<String>) -> Result<Cidr, Mistake> {
    let range: Cidr = typed.get_ref().parse().map_err(|e: String| Mistake::at(typed, e))?;
    if range.is_everybody() {
        return Err(Mistake::at(typed, format!("{range} is everybody, and each could claim to be another"))
            .help("name the addresses of the proxies"));
    }
    Ok(range)
}

/// An address has one certificate: whoever shares it must name the same.
pub(super) fn refuse_other_tls(
    key: &Spanned<String>,
    channel: &ChannelConfig,
    others: &BTreeMap<ChannelId, ChannelConfig>,
    ingress: SocketAddr,
    exposure: &Exposure,
) -> Result<(), Mistake> {
    let at = |message: String, help: &str| Mistake {
        span: Some(channel.tls.as_ref().map_or_else(|| file::span(key), |tls| tls.span.clone())),
        message,
        help: Some(help.to_owned()),
    };
    let Some(address) = channel.listen else {
        return match &channel.tls {
            None => Ok(()),
            Some(_) => Err(at(
                format!("channel `{}` has a certificate and no address of its own", channel.id),
                "add a `listen`, or set listen.tls for the common address",
            )),
        };
    };
    let own = exposure.tls_of(channel);
    let agrees = |other: Option<&TlsFiles>| match (own, other) {
        (Some(own), Some(other)) => own.is_same(other),
        (None, None) => true,
        _ => false,
    };
    let help = "name the same certificate and key at both, or take another address";
    if address == ingress && !agrees(exposure.tls.as_ref()) {
        return Err(at(format!("channel `{}` and listen.ingress differ in the TLS of {address}", channel.id), help));
    }
    let other = others.values().find(|other| other.listen == Some(address) && !agrees(exposure.tls_of(other)));
    other.map_or(Ok(()), |other| {
        Err(at(format!("channels `{}` and `{}` differ in the TLS of {address}", other.id, channel.id), help))
    })
}

impl Config {
    /// Every address to listen on, and its TLS.
    #[must_use]
    pub fn listeners(&self) -> BTreeMap<SocketAddr, Option<&TlsFiles>> {
        let own = self.channels.values().filter_map(|channel| Some((channel.listen?, self.exposure.tls_of(channel))));
        own.chain([(self.ingress, self.exposure.tls.as_ref())]).collect()
    }

    /// The URL of `path` on the listener at `address`.
    #[must_use]
    pub fn url(&self, address: SocketAddr, path: &str) -> String {
        let scheme = if self.listeners().get(&address).is_some_and(Option::is_some) { "https" } else { "http" };
        format!("{scheme}://{address}{path}")
    }

    /// The proxies that are believed about the address of a sender.
    #[must_use]
    pub fn proxies(&self) -> &[Cidr] {
        self.exposure.proxies().unwrap_or_default()
    }

    /// Where a relative `path` of the file is: beside the file, else in the state directory.
    #[must_use]
    pub fn locate(&self, path: &Path) -> PathBuf {
        locate(path, &self.bases())
    }

    /// A mistake about the certificate or key of a listener, with its place in the file.
    #[must_use]
    pub fn tls_mistake(&self, tls: &TlsFiles, why: &str) -> Box<ConfigError> {
        Box::new(self.mistake_at(Some(tls.span.clone()), format!("tls: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, ConfigError, parse};

    const TLS: &str = "tls = { cert = \"c.pem\", key = \"k.pem\" }\n";

    fn good(text: &str) -> Config {
        parse(text, Some(Path::new("test.toml"))).unwrap_or_else(|error| panic!("{error}"))
    }

    fn mistake(text: &str) -> ConfigError {
        *parse(text, Some(Path::new("test.toml"))).expect_err("a mistake")
    }

    fn channel(id: &str, keys: &str) -> String {
        format!("[channels.{id}]\nprovider = \"github\"\nsecrets = [\"env:X\"]\npath = \"/{id}\"\n{keys}")
    }

    #[test]
    fn leaving_loopback_takes_tls_or_a_named_proxy() {
        let listen = |keys: &str| format!("[listen]\ningress = \"0.0.0.0:9296\"\n{keys}");
        let proxy = "behind_proxy = true\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
        for bad in ["", "behind_proxy = false\n", "trusted_proxies = [\"10.0.0.0/8\"]\n"] {
            let error = mistake(&listen(bad));
            assert_eq!(error.position(), Some((2, 11)), "{error}");
            assert!(error.message.contains("0.0.0.0:9296 leaves this machine without TLS"), "{error}");
            assert!(error.help.as_ref().is_some_and(|help| help.contains("behind_proxy")), "{error}");
        }
        good(&listen(TLS));
        assert_eq!(good(&listen(proxy)).proxies().len(), 1);
        let own = "listen = \"192.0.2.1:9301\"\n";
        assert_eq!(mistake(&channel("a", own)).position(), Some((5, 10)));
        good(&channel("a", &format!("{own}{TLS}")));
        good(&format!("[listen]\n{TLS}{}", channel("a", own)));
        good(&format!("[listen]\n{proxy}{}", channel("a", own)));
        good("[listen]\ningress = \"[::1]:9296\"\n");
    }

    #[test]
    fn behind_a_proxy_means_behind_a_named_one() {
        let error = mistake("[listen]\nbehind_proxy = true\n");
        assert_eq!(error.position(), Some((2, 16)), "{error}");
        let error = mistake("[listen]\nbehind_proxy = true\ntrusted_proxies = [\"10.0.0.0/8\", \"proxy\"]\n");
        assert_eq!(error.position(), Some((3, 34)), "{error}");
        let error = mistake("[listen]\ntrusted_proxies = [\"::/0\"]\n");
        assert_eq!(error.position(), Some((2, 20)), "{error}");
        let idle = good("[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n");
        assert!(idle.proxies().is_empty(), "nobody is believed unless the proxy is said to be there");
    }

    #[test]
    fn every_listener_has_one_tls() {
        let own = "listen = \"127.0.0.1:9301\"\n";
        let config = good(&channel("a", &format!("{own}{TLS}")));
        let urls: Vec<_> = config.listeners().keys().map(|address| config.url(*address, "/x")).collect();
        assert_eq!(urls, ["http://127.0.0.1:9296/x", "https://127.0.0.1:9301/x"]);
        let common = good(&format!("[listen]\n{TLS}{}", channel("a", own)));
        assert!(common.listeners().values().all(Option::is_some), "listen.tls is for all");

        let both = |a: &str, b: &str| channel("a", &format!("{own}{a}")) + &channel("b", &format!("{own}{b}"));
        good(&both(TLS, TLS));
        let error = mistake(&both(TLS, ""));
        assert_eq!(error.position(), Some((7, 11)), "{error}");
        assert!(error.message.contains("`a` and `b` differ in the TLS of 127.0.0.1:9301"), "{error}");
        let error = mistake(&both(TLS, "tls = { cert = \"c.pem\", key = \"other.pem\" }\n"));
        assert_eq!(error.position(), Some((12, 7)), "{error}");
        let error = mistake(&channel("a", &format!("listen = \"127.0.0.1:9296\"\n{TLS}")));
        assert!(error.message.contains("listen.ingress differ"), "{error}");
        let error = mistake(&channel("a", TLS));
        assert_eq!(error.position(), Some((5, 7)), "{error}");
        assert!(error.message.contains("no address of its own"), "{error}");
        let error = mistake("[listen]\ntls = { cert = \"c.pem\" }\n");
        assert!(error.message.contains("key"), "{error}");
    }
}
