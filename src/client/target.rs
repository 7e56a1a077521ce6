//! What can be attached to, as an operator names it.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use crate::model::{is_remote_path, is_ssh_user, port_number};

/// Longest host name.
const HOST_MAX: usize = 253;

/// An engine in another process: on this machine or on another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Its socket on this machine.
    Unix(PathBuf),
    /// On another machine, through the system's `ssh`.
    Ssh(SshTarget),
}

/// An engine behind `ssh`. Nothing in it can be taken for an option or for more than one word, neither by
/// ssh nor by the shell on the far side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// The program on the far side.
    pub(super) remote: String,
}

/// Why something cannot be attached to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is not written as a target is.
    #[error(
        "cannot attach to {text:?}: {why}; for example unix:/var/lib/aurora/aurora.sock, ssh://hub.example.org or \
         ssh://anna@hub.example.org:2222"
    )]
    Form {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `--remote` cannot be used.
    #[error("--remote {text:?}: {why}")]
    Remote {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Target {
    /// Reads `unix:PATH` or `ssh://[user@]host[:port]`; `remote` is where aurora is on the far side of ssh.
    ///
    /// # Errors
    /// When it is neither, or holds what ssh or a shell could take for something else.
    pub fn parse(text: &str, remote: Option<&str>) -> Result<Self, TargetError> {
        let wrong = |why| TargetError::Form { text: text.to_owned(), why };
        if let Some(rest) = text.strip_prefix("ssh://") {
            return ssh(rest, remote.unwrap_or("aurora"), wrong).map(Self::Ssh);
        }
        if let Some(remote) = remote {
            let why = "it says where aurora is on the far side of ssh://, and this target has none";
            return Err(TargetError::Remote { text: remote.to_owned(), why });
        }
        match text.strip_prefix("unix:") {
            Some("") => Err(wrong("it names no path")),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None if text.starts_with("wss:") => Err(wrong("wss:// is not built; ssh:// reaches another machine")),
            None => Err(wrong("expected unix:PATH or ssh://[user@]host[:port]")),
        }
    }
}

fn ssh(rest: &str, remote: &str, wrong: impl Fn(&'static str) -> TargetError) -> Result<SshTarget, TargetError> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err(wrong("ssh:// takes no path; the configuration on the far side says where its state is"));
    }
    let (user, place) = match authority.split_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    if user.is_some_and(|user| !is_ssh_user(user)) {
        return Err(wrong("a user is made of letters, digits and . _ + -, and begins with a letter, digit or _"));
    }
    let (host, port) = if let Some(bracketed) = place.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or_else(|| wrong("`[` is not closed"))?;
        host.parse::<Ipv6Addr>().map_err(|_| wrong("between [ and ] stands an IPv6 address"))?;
        let port = if after.is_empty() { None } else { Some(after.strip_prefix(':').unwrap_or("")) };
        (host, port)
    } else {
        let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
        if !is_alias(host) {
            return Err(wrong("a host is made of letters, digits and . _ -, and begins with a letter, digit or _"));
        }
        (host, port)
    };
    let port =
        port.map(|port| port_number(port).ok_or_else(|| wrong("a port is a number from 1 to 65535"))).transpose()?;
    if !is_remote_path(remote) {
        let why = "the shell on the far side reads it: letters, digits and / . _ ~ + - only";
        return Err(TargetError::Remote { text: remote.to_owned(), why });
    }
    Ok(SshTarget { user: user.map(str::to_owned), host: host.to_owned(), port, remote: remote.to_owned() })
}

/// A host's name, or what the operator's own `ssh_config` calls it.
fn is_alias(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    begins && text.len() <= HOST_MAX && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        let is_address = self.host.contains(':');
        if is_address { write!(f, "[{}]", self.host) } else { f.write_str(&self.host) }?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> SshTarget {
        match Target::parse(text, None) {
            Ok(Target::Ssh(target)) => target,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_what_is_meant() {
        for text in ["ssh://hub", "ssh://anna@hub.example.org:2222", "ssh://[2001:db8::1]:22", "ssh://ops@my_alias-2"] {
            assert_eq!(parsed(text).to_string(), text);
        }
        let target = parsed("ssh://anna@[::1]:2222/");
        assert_eq!((target.user.as_deref(), target.host.as_str(), target.port), (Some("anna"), "::1", Some(2222)));
        assert_eq!(target.remote, "aurora");
        assert_eq!(Target::parse("unix:/run/a b.sock", None), Ok(Target::Unix("/run/a b.sock".into())));
        let elsewhere = Target::parse("ssh://hub", Some("~/.local/bin/aurora")).expect("a path");
        assert!(matches!(elsewhere, Target::Ssh(target) if target.remote == "~/.local/bin/aurora"));
    }

    #[test]
    fn nothing_is_taken_for_an_option_or_a_shell_s_word() {
        let hosts = [
            "",
            "-oProxyCommand=x",
            "-",
            "a b",
            "a\tb",
            "a\nb",
            "a;b",
            "$(id)",
            "`id`",
            "a'b",
            "a\"b",
            "a\\b",
            "a%h",
            "a,b",
            "a|b",
            "a&b",
            "a>b",
            "a*b",
            "é",
            "a\u{202e}b",
            "a\0b",
            ".",
            "[::1",
            "[nonsense]",
            "[-x]",
            "::1",
        ];
        for host in hosts {
            assert!(Target::parse(&format!("ssh://{host}"), None).is_err(), "{host:?}");
            assert!(Target::parse(&format!("ssh://anna@{host}"), None).is_err(), "{host:?}");
        }
        for user in ["", "-l", "a b", "a@b", "a:b", "$USER", "a\nb", ".."] {
            assert!(Target::parse(&format!("ssh://{user}@hub"), None).is_err(), "{user:?}");
        }
        for port in ["", "0", "65536", "+22", "22x", "-1", " 22"] {
            assert!(Target::parse(&format!("ssh://hub:{port}"), None).is_err(), "{port:?}");
            assert!(Target::parse(&format!("ssh://[::1]:{port}"), None).is_err(), "{port:?}");
        }
        assert!(Target::parse("ssh://[::1]22", None).is_err());
        for remote in ["", "-x", "a b", "a;b", "$(id)", "a&&b", "'a'", "a\nb"] {
            assert!(Target::parse("ssh://hub", Some(remote)).is_err(), "{remote:?}");
        }
        let long = "a".repeat(HOST_MAX + 1);
        assert!(Target::parse(&format!("ssh://{long}"), None).is_err());
    }

    #[test]
    fn other_targets_are_refused_with_what_to_do() {
        let refusal = |text| Target::parse(text, None).expect_err("refused").to_string();
        for text in ["hub", "ssh:hub", "ssh:", "http://hub", "unix:", "ssh://hub/var/lib", ""] {
            assert!(refusal(text).contains("ssh://hub.example.org"), "{text}");
        }
        assert!(refusal("wss://hub").contains("not built"));
        assert!(Target::parse("unix:/x", Some("aurora")).is_err(), "there is no far side");
    }
}
