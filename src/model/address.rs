//! Addresses that checks look at: a host with a port, and an HTTP URL.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use http::header::HeaderValue;
use http::uri::PathAndQuery;

use super::names_a_secret;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is no `host:port`.
    #[error("{0:?} is not an address like example.org:443 or [2001:db8::1]:443")]
    Endpoint(String),
    /// It is no URL.
    #[error("this is not a URL like https://example.org/health: {0}")]
    Url(String),
    /// It is of another scheme.
    #[error("a URL begins with http:// or https://")]
    Scheme,
    /// It holds a name and a password.
    #[error("credentials in a URL would be shown with it; send them in a header")]
    Credentials,
}

/// Which addresses of a name are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Family {
    /// Whatever the resolver gives first.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// As it is written in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    /// Whether `address` belongs to it.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

impl FromStr for Family {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "any" => Ok(Self::Any),
            "4" | "ipv4" => Ok(Self::V4),
            "6" | "ipv6" => Ok(Self::V6),
            _ => Err(format!("unknown family {text:?}; expected any, ipv4 or ipv6")),
        }
    }
}

/// A host and a port, as in `example.org:443` and `[2001:db8::1]:443`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for Endpoint {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadAddress::Endpoint(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(bad)?;
        Self::new(host, port).ok_or_else(bad)
    }
}

impl Endpoint {
    /// `None` when `host` is neither a name nor an address; one of IPv6 stands in brackets.
    fn new(host: &str, port: u16) -> Option<Self> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= 253
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().ok()?,
            None if is_name(host) => return Some(Self { host: host.to_ascii_lowercase(), port }),
            None => return None,
        };
        Some(Self { host: bare?.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A URL of `http` or `https`, taken apart once. It shows itself without the values of what is named like a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HttpAddress {
    /// Whether it is `https`.
    pub secure: bool,
    /// Where to connect.
    pub endpoint: Endpoint,
    /// The value of the `host` header.
    pub host_header: HeaderValue,
    /// What is asked for.
    pub path: PathAndQuery,
}

impl FromStr for HttpAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |why: &str| BadAddress::Url(why.to_owned());
        let uri: Uri = text.parse().map_err(|error: http::uri::InvalidUri| bad(&error.to_string()))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(BadAddress::Scheme),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(BadAddress::Credentials);
        }
        let after = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let port = match after.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| bad("this is not a port"))?,
            None => default_port(secure),
        };
        let endpoint = Endpoint::new(authority.host(), port).ok_or_else(|| bad("this is not the name of a host"))?;
        let host_header =
            HeaderValue::from_str(authority.as_str()).map_err(|_| bad("this is not the name of a host"))?;
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { secure, endpoint, host_header, path })
    }
}

impl HttpAddress {
    /// Where `location` leads from here; a path alone stays on this host.
    ///
    /// # Errors
    /// When it is not a URL that can be followed.
    pub fn follow(&self, location: &str) -> Result<Self, BadAddress> {
        let location = location.split('#').next().unwrap_or_default();
        let scheme = if self.secure { "https" } else { "http" };
        let is_scheme = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if location.split_once("://").is_some_and(|(before, _)| is_scheme(before)) {
            return location.parse();
        }
        if let Some(rest) = location.strip_prefix("//") {
            return format!("{scheme}://{rest}").parse();
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else if location.starts_with('?') {
            format!("{}{location}", self.path.path())
        } else {
            let directory = self.path.path().rsplit_once('/').map_or("", |(directory, _)| directory);
            format!("{directory}/{location}")
        };
        let path = path.parse().map_err(|error: http::uri::InvalidUri| BadAddress::Url(error.to_string()))?;
        Ok(Self { path, ..self.clone() })
    }

    /// Whether `other` is asked of the same server in the same way; credentials go nowhere else.
    #[must_use]
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.secure == other.secure && self.endpoint == other.endpoint
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl fmt::Debug for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        // Read from text in the first place.
        let host = self.host_header.to_str().unwrap_or_default();
        write!(f, "{scheme}://{host}{}", self.path.path())?;
        for (number, part) in self.path.query().unwrap_or_default().split('&').enumerate() {
            if number == 0 && part.is_empty() {
                break;
            }
            f.write_str(if number == 0 { "?" } else { "&" })?;
            match part.split_once('=') {
                Some((name, _)) if names_a_secret(name) => write!(f, "{name}=***")?,
                _ => f.write_str(part)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> HttpAddress {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn urls_are_taken_apart() {
        let found = url("https://Example.org/health?x=1");
        assert_eq!((found.secure, found.endpoint.to_string().as_str()), (true, "example.org:443"));
        assert_eq!(found.path.as_str(), "/health?x=1");
        let found = url("http://[2001:db8::1]:8080");
        assert_eq!((found.endpoint.host.as_str(), found.path.as_str()), ("2001:db8::1", "/"));
        assert_eq!(found.host_header, "[2001:db8::1]:8080");
        for bad in ["", "example.org", "ftp://example.org", "/x", "http://", "http://a b/", "http://ex:99999/"] {
            assert!(bad.parse::<HttpAddress>().is_err(), "{bad}");
        }
        assert_eq!("http://user:pass@example.org/".parse::<HttpAddress>(), Err(BadAddress::Credentials));
    }

    #[test]
    fn secrets_in_a_query_are_not_shown() {
        let shown = url("https://example.org/a?token=hunter2&page=2&api_key=hunter2").to_string();
        assert_eq!(shown, "https://example.org/a?token=***&page=2&api_key=***");
    }

    #[test]
    fn redirects_lead_somewhere() {
        let from = url("https://example.org:8443/a/b?c=1");
        for (location, to) in [
            ("/x", "https://example.org:8443/x"),
            ("x", "https://example.org:8443/a/x"),
            ("?d=2#part", "https://example.org:8443/a/b?d=2"),
            ("//other.example/x", "https://other.example/x"),
            ("http://other.example", "http://other.example/"),
            ("/login?next=https://example.org/", "https://example.org:8443/login?next=https://example.org/"),
        ] {
            assert_eq!(from.follow(location).expect(location).to_string(), to);
        }
        for bad in ["ftp://x/", "http://a b", "http://u:p@example.org/"] {
            assert!(from.follow(bad).is_err(), "{bad}");
        }
        assert!(from.is_same_origin(&from.follow("/y").expect("a path")));
        assert!(!from.is_same_origin(&url("https://example.org/a")));
    }

    #[test]
    fn endpoints_are_hosts_with_ports() {
        for text in ["example.org:25", "127.0.0.1:1", "[::1]:6379", "db_1:5432"] {
            assert_eq!(text.parse::<Endpoint>().expect(text).to_string(), text);
        }
        for bad in ["", ":1", "example.org", "example.org:0", "example.org:65536", "::1:25", "[x]:1", "a b:1"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }
}
