//! Where ssh goes: names that neither ssh nor a shell can take for anything else.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Longest user name and longest host name.
const USER_MAX: usize = 64;
const HOST_MAX: usize = 253;
/// Longest path on the far side.
const REMOTE_MAX: usize = 1024;

/// A machine as ssh reaches it, written `[user@]host[:port]`.
///
/// The host is a name of letters, digits, `.` and `-` that begins with a letter or digit, or an address. Old clients of
/// ssh hand names to a shell (CVE-2017-1000117, CVE-2023-51385), so this is decided here and not left to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshPlace {
    user: Option<String>,
    host: String,
    port: Option<u16>,
}

/// Text that is no place for ssh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no place for ssh: {why}")]
pub struct BadSshPlace {
    text: String,
    why: &'static str,
}

impl SshPlace {
    /// The user, where one is named.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where one is named.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl FromStr for SshPlace {
    type Err = BadSshPlace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| BadSshPlace { text: text.to_owned(), why };
        let (user, place) = match text.split_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        if user.is_some_and(|user| !is_ssh_user(user)) {
            return Err(wrong("a user is made of letters, digits and . _ + -, and begins with a letter, digit or _"));
        }
        let (host, port) = if place.parse::<IpAddr>().is_ok() {
            (place, None)
        } else if let Some(bracketed) = place.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']').ok_or_else(|| wrong("`[` is not closed"))?;
            host.parse::<Ipv6Addr>().map_err(|_| wrong("between [ and ] stands an IPv6 address"))?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').unwrap_or("")) })
        } else {
            let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
            let begins = host.starts_with(|c: char| c.is_ascii_alphanumeric());
            let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            if !begins || host.len() > HOST_MAX || !host.chars().all(safe) {
                return Err(wrong("a host is made of letters, digits, . and -, and begins with a letter or digit"));
            }
            (host, port)
        };
        let port = port
            .map(|port| port_number(port).ok_or_else(|| wrong("a port is a number from 1 to 65535")))
            .transpose()?;
        Ok(Self { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

impl fmt::Display for SshPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// A port as ssh takes one, 1 to 65535. `parse` alone would also take a leading `+`.
#[must_use]
pub fn port_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|port| *port > 0)
}

/// Whether `text` is a user that neither ssh nor a shell takes for anything else.
#[must_use]
pub fn is_ssh_user(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    begins && text.len() <= USER_MAX && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
}

/// Whether `text` is a path on the far side of ssh, whose shell reads it, that stays one word there.
#[must_use]
pub fn is_remote_path(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._~+-".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.len() <= REMOTE_MAX && text.chars().all(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_meant() {
        for text in ["web-1", "ops@web-1.example.org", "ops@web-1:2222", "10.0.0.7", "2001:db8::1", "[2001:db8::1]:22"]
        {
            assert_eq!(text.parse::<SshPlace>().expect(text).to_string(), text);
        }
        let place: SshPlace = "_ops@[::1]:2222".parse().expect("a place");
        assert_eq!((place.user(), place.host(), place.port()), (Some("_ops"), "::1", Some(2222)));
    }

    /// Two hundred names that ssh or a shell would take for something else.
    #[test]
    fn hostile_places_are_refused() {
        let marks = [
            " ", "\t", "\n", "\r", "\0", ";", "&", "|", "<", ">", "(", ")", "$", "`", "\\", "\"", "'", "*", "?", "[",
            "]", "#", "~", "=", "%", "!", "{", "}", ",", "/", "^", "+", "_", "\u{1b}", "\u{7f}", "\u{202e}", "é", "𝕨",
        ];
        let mut bad: Vec<String> = marks
            .iter()
            .flat_map(|m| [format!("{m}web"), format!("we{m}b"), format!("ops@we{m}b"), format!("web{m}")])
            .collect();
        let whole = [
            "",
            "-",
            "--",
            "-oProxyCommand=touch x",
            "-oProxyCommand=touch${IFS}x",
            "-F/tmp/x",
            "-l",
            "ops@-oProxyCommand=x",
            "ops@",
            "@web",
            "ops@@web",
            "ops@a@b",
            "-ops@web",
            "$USER@web",
            "o;ps@web",
            "`id`@web",
            "o ps@web",
            "o\nps@web",
            "%r@web",
            "..@web",
            ".web",
            "$(id)",
            "`id`",
            "%h",
            "we%hb",
            "${HOME}",
            "web;id",
            "web||id",
            "web&&id",
            "web|id",
            "web>x",
            "web\nHost *",
            "web:",
            "web:0",
            "web:65536",
            "web:+22",
            "web:22x",
            "web:-1",
            "web: 22",
            "[::1",
            "[::1]22",
            "[::1]:",
            "[nonsense]",
            "[-x]",
            "[::1%lo]",
            "::1%eth0",
            "ssh://web",
            "//web",
            "web/..",
            "../web",
            "~web",
        ];
        bad.extend(whole.map(str::to_owned));
        bad.extend(["a".repeat(HOST_MAX + 1), format!("{}@web", "a".repeat(USER_MAX + 1))]);
        assert!(bad.len() >= 200, "{}", bad.len());
        for text in bad {
            assert!(text.parse::<SshPlace>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_path_on_the_far_side_stays_one_word() {
        for good in ["aurora", "/usr/local/bin/aurora", "~/.local/bin/aurora-1.0"] {
            assert!(is_remote_path(good), "{good}");
        }
        for bad in ["", "-x", "a b", "a;b", "$(id)", "a&&b", "'a'", "a\nb", "a*", "é"] {
            assert!(!is_remote_path(bad), "{bad:?}");
        }
    }
}
