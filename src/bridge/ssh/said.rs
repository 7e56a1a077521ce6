//! What ssh says on its standard error, and what its end means. Pure.

/// Of what is said, this many last bytes are kept.
const KEPT: usize = 8192;
/// Longest line that is looked at, in bytes.
const LINE_MAX: usize = 1024;
/// The status with which ssh ends when ssh itself failed. A remote command may end with it too, so alone it says nothing.
const OF_SSH: i32 = 255;
/// What a shell answers when it does not find a program, and when it may not run it.
const NOT_FOUND: i32 = 127;
const NOT_RUN: i32 = 126;

/// How far a connection came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) enum Stage {
    /// ssh was not let in: not a byte of what was asked has reached the host.
    Outside,
    /// ssh was let in, or it is not sure that it was not.
    Inside,
}

/// Why ssh ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge) enum Failure {
    /// The host's key is not the one that is known, or was revoked. Nothing else may be used in its place.
    OtherKey(String),
    /// No key of the host is known.
    NoKey(String),
    /// Anything else, at which step, and what to do.
    Other(String),
}

/// The standard error of one ssh, as it comes. What the host says is not believed: before ssh is let in the host can
/// send a banner, and after that everything may be the command's own.
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Said {
    /// What ssh says when this host has let it in, in lower case. A jump host is another host.
    welcome: Vec<u8>,
    line: Vec<u8>,
    kept: Vec<u8>,
    inside: bool,
}

impl Said {
    /// Of an ssh to `host`.
    pub(in crate::bridge) fn new(host: &str) -> Self {
        let welcome = format!("authenticated to {} (", host.to_ascii_lowercase()).into_bytes();
        Self { welcome, line: Vec::new(), kept: Vec::new(), inside: false }
    }

    /// Takes in what came.
    pub(in crate::bridge) fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                // ssh's own words at this level of its log; a host that sends them makes itself unsure at worst.
                self.inside |= self.line.to_ascii_lowercase().starts_with(&self.welcome);
                self.line.clear();
            } else if self.line.len() < LINE_MAX {
                self.line.push(*byte);
            }
        }
        self.kept.extend_from_slice(bytes);
        let too_much = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..too_much);
    }

    /// How far it came, by what was said and the status of its end.
    pub(in crate::bridge) fn stage(&self, status: Option<i32>) -> Stage {
        let outside = !self.inside && status == Some(OF_SSH) && self.lines().iter().any(|line| ends_outside(line));
        if outside { Stage::Outside } else { Stage::Inside }
    }

    /// What the end with `status` means; `None` is a signal.
    pub(in crate::bridge) fn failure(&self, status: Option<i32>, agent: &str) -> Failure {
        let lines = self.lines();
        let last = lines.last().map_or("", String::as_str);
        if self.inside {
            return Failure::Other(match status {
                Some(NOT_FOUND) => format!(
                    "start: {agent:?} was not found on the host; `aurora host install` brings it, `ssh.agent` says where it is"
                ),
                Some(NOT_RUN) => format!("start: {agent:?} cannot be run on the host: {last}"),
                Some(0) => "the agent ended".to_owned(),
                Some(OF_SSH) | None if last.is_empty() => "the connection broke".to_owned(),
                Some(OF_SSH) | None => format!("the connection broke: {last}"),
                Some(code) if last.is_empty() => format!("start: the host's shell ended with status {code}"),
                Some(code) => format!("start: the host's shell ended with status {code}: {last}"),
            });
        }
        let said = |words: &str| lines.iter().any(|line| line.contains(words));
        // A jump host that fails has the last word itself.
        let verification = lines.iter().rev().take(3).any(|line| line.starts_with("Host key verification failed"));
        if verification && !last.contains(": Permission denied (") {
            if said("REMOTE HOST IDENTIFICATION HAS CHANGED") || said("REVOKED HOST KEY") {
                return Failure::OtherKey("host key: it is not the one that is known".to_owned());
            }
            return Failure::NoKey("host key: none is known that the host proves".to_owned());
        }
        Failure::Other(match last {
            "" => match status {
                Some(code) => format!("connect: ssh ended with status {code}"),
                None => "connect: ssh was ended by a signal".to_owned(),
            },
            _ if last.contains("Permission denied") => format!("authenticate: {last}"),
            _ => format!("connect: {}", last.trim_start_matches("ssh: ")),
        })
    }

    /// What was said, without what ssh says of itself at this level of its log.
    fn lines(&self) -> Vec<String> {
        const OF_ITSELF: [&str; 5] =
            ["Authenticated to ", "Transferred: ", "Bytes per second: ", "Pseudo-terminal ", "Authenticated using "];
        String::from_utf8_lossy(&self.kept)
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !OF_ITSELF.iter().any(|own| line.starts_with(own)))
            .map(str::to_owned)
            .collect()
    }
}

/// Whether ssh ends with this line before it is let in.
fn ends_outside(line: &str) -> bool {
    const BEGINS: [&str; 11] = [
        "ssh: connect to host ",
        "ssh: Could not resolve hostname ",
        "Host key verification failed",
        "kex_exchange_identification: ",
        "Connection timed out during banner exchange",
        "ssh_exchange_identification: ",
        "banner exchange: ",
        "Unable to negotiate with ",
        "Can't open user config file ",
        "hostname contains invalid characters",
        "Bad owner or permissions on ",
    ];
    BEGINS.iter().any(|begin| line.starts_with(begin)) || line.contains(": Permission denied (")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        let mut said = Said::new("Web-1");
        for piece in text.as_bytes().chunks(5) {
            said.hear(piece);
        }
        said
    }

    const CHANGED: &str = "@@@@@@\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n@@@@\r\nHost key for \
                           [127.0.0.1]:2222 has changed and you have requested strict checking.\r\nHost key verification \
                           failed.\r\n";
    const IN: &str = "Authenticated to web-1 ([10.0.0.7]:22) using \"publickey\".\r\n";

    #[test]
    fn what_failed_before_ssh_was_let_in_was_never_sent() {
        for text in [
            "ssh: connect to host 127.0.0.1 port 1: Connection refused\r\n",
            "ssh: connect to host 10.0.0.7 port 22: Connection timed out\r\n",
            "ssh: Could not resolve hostname web-1: Name or service not known\r\n",
            "ops@web-1: Permission denied (publickey).\r\n",
            "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 10.0.0.7 port 22\r\n",
            "Connection timed out during banner exchange\r\nConnection to 10.0.0.7 port 22 timed out\r\n",
            CHANGED,
        ] {
            assert_eq!(said(text).stage(Some(255)), Stage::Outside, "{text}");
        }
    }

    #[test]
    fn whatever_else_happened_is_unsure() {
        let refused = "ssh: connect to host a port 1: Connection refused\n";
        for (text, status) in [
            (IN.to_owned(), Some(255)),
            (format!("{IN}{refused}"), Some(255)),
            (format!("{refused}{IN}"), Some(255)),
            (refused.to_owned(), Some(1)),
            (refused.to_owned(), None),
            (String::new(), Some(255)),
            ("Authenticated to bastion ([10.0.0.1]:22) using \"publickey\".\r\n".to_owned(), Some(255)),
            ("something new\r\n".to_owned(), Some(255)),
            (format!("{IN}{}", "x".repeat(100_000)), Some(255)),
        ] {
            assert_eq!(said(&text).stage(status), Stage::Inside, "{text:.200}");
        }
    }

    #[test]
    fn another_key_is_told_from_none_and_a_host_cannot_claim_it_later() {
        assert!(matches!(said(CHANGED).failure(Some(255), "aurora"), Failure::OtherKey(_)));
        let none = "No ED25519 host key is known for web-1 and you have requested strict checking.\r\nHost key \
                    verification failed.\r\n";
        assert!(matches!(said(none).failure(Some(255), "aurora"), Failure::NoKey(_)));
        let claimed = format!("{IN}{CHANGED}");
        assert!(matches!(said(&claimed).failure(Some(255), "aurora"), Failure::Other(_)));
        let banner = format!("{CHANGED}ops@web-1: Permission denied (publickey).\r\n");
        assert!(matches!(said(&banner).failure(Some(255), "aurora"), Failure::Other(_)), "ssh went on after it");
    }

    #[test]
    fn a_jump_host_that_lets_ssh_in_is_not_the_host() {
        let jump = "Authenticated to bastion ([10.0.0.1]:22) using \"publickey\".\r\n";
        let text = format!("{jump}{CHANGED}");
        assert!(matches!(said(&text).failure(Some(255), "aurora"), Failure::OtherKey(_)));
        assert_eq!(said(&text).stage(Some(255)), Stage::Outside);
        let of_the_jump = format!("{CHANGED}kex_exchange_identification: Connection closed by remote host\r\n");
        assert!(matches!(said(&of_the_jump).failure(Some(255), "aurora"), Failure::OtherKey(_)));
        let through = "Authenticated to web-1 (via proxy) using \"publickey\".\r\n";
        assert_eq!(said(through).stage(Some(255)), Stage::Inside);
    }

    #[test]
    fn a_reason_names_the_step() {
        let why = |text: &str, status| match said(text).failure(status, "aurora") {
            Failure::Other(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            why("ssh: connect to host a port 1: Connection refused\r\n", Some(255)),
            "connect: connect to host a port 1: Connection refused"
        );
        assert_eq!(
            why("ops@a: Permission denied (publickey).\r\n", Some(255)),
            "authenticate: ops@a: Permission denied (publickey)."
        );
        assert!(why(&format!("{IN}sh: 1: aurora: not found\r\n"), Some(127)).contains("aurora host install"));
        assert_eq!(
            why(&format!("{IN}Connection to a closed by remote host.\r\nTransferred: sent 2\r\n"), Some(255)),
            "the connection broke: Connection to a closed by remote host."
        );
        assert_eq!(why("", None), "connect: ssh was ended by a signal");
    }
}
