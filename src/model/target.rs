//! What a check looks at.

use std::path::PathBuf;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use regex::bytes::Regex;

use super::{CheckKind, Endpoint, Family, HttpAddress};

/// What a check looks at, with everything that can be prepared once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An HTTP or HTTPS address.
    Http(Box<HttpTarget>),
    /// A TCP port, and what is said on it.
    Tcp(TcpTarget),
    /// The certificate behind a TCP port.
    Tls(TlsTarget),
    /// A process on this machine.
    Process(ProcessTarget),
    /// The file system that holds this path.
    Disk(PathBuf),
    /// Memory of this machine.
    Memory,
    /// Processors and load of this machine.
    Load,
}

impl Target {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> CheckKind {
        match self {
            Self::Http(_) => CheckKind::Http,
            Self::Tcp(_) => CheckKind::Tcp,
            Self::Tls(_) => CheckKind::Tls,
            Self::Process(_) => CheckKind::Process,
            Self::Disk(_) => CheckKind::Disk,
            Self::Memory => CheckKind::Memory,
            Self::Load => CheckKind::Load,
        }
    }

    /// The roots it trusts beside those of the platform, as PEM files.
    #[must_use]
    pub fn roots(&self) -> &[PathBuf] {
        match self {
            Self::Http(target) => &target.roots,
            Self::Tls(target) => &target.roots,
            _ => &[],
        }
    }
}

/// An HTTP request, and how far its answer is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// The method.
    pub method: http::Method,
    /// Where it goes.
    pub address: HttpAddress,
    /// Headers beside `host`, `user-agent`, `accept` and `connection`; one that is there replaces ours.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body; empty is none.
    pub body: Bytes,
    /// Redirects that are followed at most; at none a redirect is an answer like any other.
    pub redirects: u8,
    /// Which addresses are used.
    pub family: Family,
    /// Roots that are trusted beside those of the platform, as PEM files.
    pub roots: Vec<PathBuf>,
}

impl HttpTarget {
    /// A plain GET of `address`.
    #[must_use]
    pub fn get(address: HttpAddress) -> Self {
        Self {
            method: http::Method::GET,
            address,
            headers: Vec::new(),
            body: Bytes::new(),
            redirects: 0,
            family: Family::Any,
            roots: Vec::new(),
        }
    }
}

/// A TCP port, and what is said on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpTarget {
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Which addresses are used.
    pub family: Family,
    /// What is said and heard, in order; empty is only the connection.
    pub script: Vec<TcpStep>,
}

/// One step of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpStep {
    /// Says it as it stands; a line ends with what the protocol wants.
    Send(Vec<u8>),
    /// Reads until it is there.
    Expect(Expected),
}

/// What is waited for.
#[derive(Debug, Clone)]
pub enum Expected {
    /// These bytes.
    Text(Vec<u8>),
    /// Bytes that match.
    Pattern(Regex),
}

impl PartialEq for Expected {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Pattern(a), Self::Pattern(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

impl Eq for Expected {}

/// Names of the conversations that are built in.
pub const PRESETS: [&str; 5] = ["imap", "pop3", "redis", "smtp", "ssh"];

/// A conversation that is built in: what a healthy server of a kind says first, and a polite end.
///
/// RFC 5321 (SMTP), RFC 9051 (IMAP), RFC 1939 (POP3), RFC 4253 (SSH); the `PING` of Redis.
#[must_use]
pub fn preset(name: &str) -> Option<Vec<TcpStep>> {
    let say = |text: &str| TcpStep::Send(text.as_bytes().to_vec());
    let hear = |text: &str| TcpStep::Expect(Expected::Text(text.as_bytes().to_vec()));
    // A greeting may have several lines; only its last one has a space behind the number.
    let greeting = |pattern: &str| Regex::new(pattern).ok().map(|pattern| TcpStep::Expect(Expected::Pattern(pattern)));
    Some(match name {
        "smtp" => vec![greeting(r"(?m)^220 [^\n]*\n")?, say("QUIT\r\n"), hear("221")],
        "imap" => vec![greeting(r"^\* (OK|PREAUTH)[^\n]*\n")?, say("a LOGOUT\r\n"), hear("a OK")],
        "pop3" => vec![greeting(r"^\+OK[^\n]*\n")?, say("QUIT\r\n"), hear("+OK")],
        "redis" => vec![say("PING\r\n"), greeting(r"^(\+PONG|-NOAUTH [^\n]*)\r\n")?],
        "ssh" => vec![greeting(r"(?m)^SSH-2\.0-[^\n]*\n")?],
        _ => return None,
    })
}

/// The certificate behind a TCP port that speaks TLS at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsTarget {
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Which addresses are used.
    pub family: Family,
    /// The name that is asked for and must be in the certificate, when it is not that of the endpoint.
    pub server_name: Option<String>,
    /// Roots that are trusted beside those of the platform, as PEM files.
    pub roots: Vec<PathBuf>,
}

/// Which processes of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProcessTarget {
    /// Those of this name: what the kernel calls them, or the last part of the path they were started with.
    Name(String),
    /// The one whose number is in this file.
    PidFile(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(name: &str, step: usize, text: &str) -> bool {
        match &preset(name).expect("a preset")[step] {
            TcpStep::Expect(Expected::Pattern(pattern)) => pattern.is_match(text.as_bytes()),
            TcpStep::Expect(Expected::Text(expected)) => text.as_bytes().starts_with(expected),
            TcpStep::Send(_) => false,
        }
    }

    #[test]
    fn presets_know_their_greetings() {
        assert!(PRESETS.iter().all(|name| preset(name).is_some()));
        assert!(preset("gopher").is_none());
        assert!(matches("smtp", 0, "220-mail.example\r\n220 ESMTP ready\r\n"));
        assert!(!matches("smtp", 0, "220-mail.example\r\n"), "the greeting goes on");
        assert!(!matches("smtp", 0, "554 no\r\n"));
        assert!(matches("imap", 0, "* OK [CAPABILITY IMAP4rev1] ready\r\n"));
        assert!(matches("pop3", 0, "+OK ready\r\n"));
        assert!(matches("redis", 1, "+PONG\r\n"));
        assert!(matches("redis", 1, "-NOAUTH Authentication required.\r\n"), "it is there and asks for a password");
        assert!(matches("ssh", 0, "SSH-2.0-OpenSSH_9.2\r\n"));
    }
}
