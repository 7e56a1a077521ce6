//! How ssh is called: the file it reads instead of anybody's own, and its arguments.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::config::SshConfig;
use crate::model::{HostName, is_remote_path};

/// The options of every call. Neither the operator's nor the system's `ssh_config` is read: both may run programs
/// (`ProxyCommand`, `Match exec`, `LocalCommand`, `KnownHostsCommand`). No shared connection: one that stalls would stall
/// every new attempt with it. A jump host is called with the same file, so all of it holds for each hop.
const OPTIONS: [&str; 25] = [
    "BatchMode yes",
    "StrictHostKeyChecking yes",
    "VerifyHostKeyDNS no",
    "UpdateHostKeys no",
    "KnownHostsCommand none",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "ProxyCommand none",
    "PermitLocalCommand no",
    "LocalCommand none",
    "RemoteCommand none",
    "ForwardAgent no",
    "ForwardX11 no",
    "ClearAllForwardings yes",
    "Tunnel no",
    "EnableEscapeCommandline no",
    "EscapeChar none",
    "ControlMaster no",
    "ControlPath none",
    "RequestTTY no",
    "ServerAliveInterval 15",
    "ServerAliveCountMax 3",
    "ConnectTimeout 5",
    "ConnectionAttempts 1",
    // So that ssh says when it is in: what failed before that was never handed over.
    "LogLevel VERBOSE",
];

/// How ssh is called for one host. There is no other way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshCall {
    file: PathBuf,
    text: String,
    before: Vec<OsString>,
    host: String,
    agent: String,
    agent_config: Option<String>,
    known_hosts: Option<PathBuf>,
    looked_up: String,
    hops: bool,
}

impl SshCall {
    /// The calls for `host` along `ssh`; its options are kept in a file in `dir`.
    #[must_use]
    pub fn new(host: &HostName, ssh: &SshConfig, dir: &Path) -> Self {
        let place = &ssh.place;
        let mut before: Vec<OsString> = vec!["-p".into(), ssh.port.to_string().into()];
        if let Some(user) = place.user() {
            before.extend(["-l".into(), user.into()]);
        }
        if !ssh.jump.is_empty() {
            let hops: Vec<String> = ssh.jump.iter().map(ToString::to_string).collect();
            before.extend(["-J".into(), hops.join(",").into()]);
        }
        // How files of host keys call it (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
        let looked_up =
            if ssh.port == 22 { place.host().to_owned() } else { format!("[{}]:{}", place.host(), ssh.port) };
        Self {
            file: dir.join(format!("{host}.conf")),
            text: text(host, ssh),
            before,
            host: place.host().to_owned(),
            agent: ssh.agent.clone(),
            agent_config: ssh.agent_config.clone(),
            known_hosts: ssh.known_hosts.clone(),
            looked_up,
            hops: !ssh.jump.is_empty(),
        }
    }

    /// The host, as ssh is given it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The binary on the host.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// The line for the host's shell that makes the agent there do `what`, which is of fixed words and base64url. It
    /// takes the shell's place, so that a signal for one is one for the other.
    #[must_use]
    pub fn agent_line(&self, what: &str) -> String {
        match &self.agent_config {
            Some(path) => format!("exec {} --config {path} agent {what}", self.agent),
            None => format!("exec {} agent {what}", self.agent),
        }
    }

    /// What the file says.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts the file where it belongs, if it is not there as it should be.
    ///
    /// # Errors
    /// When it cannot be written, or its path would be torn apart on the way to a jump host.
    pub fn prepare(&self) -> io::Result<()> {
        // ssh calls itself for a jump host through a shell, with this path in the line.
        if self.hops && !self.file.to_str().is_some_and(is_remote_path) {
            return Err(io::Error::other(format!(
                "a jump host needs a state directory of letters, digits and / . _ ~ + - only, and this is {}",
                self.file.display()
            )));
        }
        if std::fs::read_to_string(&self.file).is_ok_and(|found| found == self.text) {
            return Ok(());
        }
        let dir = self.file.parent().unwrap_or(Path::new("/"));
        std::fs::DirBuilder::new().recursive(true).create(dir)?;
        let mut fresh = tempfile::NamedTempFile::new_in(dir)?;
        fresh.write_all(self.text.as_bytes())?;
        fresh.persist(&self.file)?;
        Ok(())
    }

    /// The arguments that make the host's shell read `line`.
    ///
    /// Whoever makes a line puts nothing into it but fixed words, paths that were checked, and base64url: the shell on
    /// the far side reads it (ssh joins its arguments with spaces, so quoting would not help).
    #[must_use]
    pub fn arguments(&self, line: &str) -> Vec<OsString> {
        let mut arguments = self.options();
        arguments.extend(["-T".into(), "--".into(), self.host.clone().into(), line.into()]);
        arguments
    }

    /// The arguments that make ssh print what it would do (`ssh -G`), and connect to nothing.
    #[must_use]
    pub fn explain(&self) -> Vec<OsString> {
        let mut arguments = self.options();
        arguments.extend(["-G".into(), "--".into(), self.host.clone().into()]);
        arguments
    }

    fn options(&self) -> Vec<OsString> {
        let mut arguments = vec!["-F".into(), self.file.clone().into_os_string()];
        arguments.extend(self.before.iter().cloned());
        arguments
    }

    /// The arguments that make `ssh-keygen` say whether a key of this host is known, for each file that counts.
    #[must_use]
    pub fn known(&self) -> Vec<Vec<OsString>> {
        let look = |file: Option<&Path>| {
            let named = file.map(|file| ["-f".into(), file.as_os_str().to_owned()]);
            ["-F".into(), self.looked_up.clone().into()].into_iter().chain(named.into_iter().flatten()).collect()
        };
        match &self.known_hosts {
            Some(file) => vec![look(Some(file))],
            None => vec![look(None), look(Some(Path::new("/etc/ssh/ssh_known_hosts")))],
        }
    }

    /// How files of host keys call it.
    #[must_use]
    pub fn looked_up(&self) -> &str {
        &self.looked_up
    }
}

fn text(host: &HostName, ssh: &SshConfig) -> String {
    let mut text =
        format!("# aurora wrote this for host {host}, from its configuration; changes do not last.\nHost *\n");
    for option in OPTIONS {
        // It cannot fail.
        let _ = writeln!(text, "  {option}");
    }
    // The configuration lets no quote, `%` or `$` into these paths.
    if let Some(identity) = &ssh.identity {
        let _ = writeln!(text, "  IdentityFile \"{}\"\n  IdentitiesOnly yes", identity.display());
    }
    if let Some(known_hosts) = &ssh.known_hosts {
        let _ = writeln!(text, "  UserKnownHostsFile \"{}\"\n  GlobalKnownHostsFile none", known_hosts.display());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn call(ssh: &str, dir: &Path) -> SshCall {
        let config = parse(&format!("[hosts.web-1]\nssh = {{ {ssh} }}\n"), None).expect("a configuration");
        let host = config.hosts.values().next().expect("a host");
        SshCall::new(&host.name, host.ssh.as_ref().expect("ssh"), dir)
    }

    fn words(arguments: &[OsString]) -> Vec<&str> {
        arguments.iter().map(|word| word.to_str().expect("text")).collect()
    }

    #[test]
    fn the_host_comes_after_the_end_of_options() {
        let call = call("target = \"ops@web-1\", port = 2222, jump = [\"b@bastion:22\", \"::1\"]", Path::new("/s"));
        let arguments = call.arguments("exec aurora agent stdio");
        let expected = [
            "-F",
            "/s/web-1.conf",
            "-p",
            "2222",
            "-l",
            "ops",
            "-J",
            "b@bastion:22,::1",
            "-T",
            "--",
            "web-1",
            "exec aurora agent stdio",
        ];
        assert_eq!(words(&arguments), expected);
        assert_eq!(words(&call.known()[0]), ["-F", "[web-1]:2222"]);
        assert_eq!(call.agent_line("stdio"), "exec aurora agent stdio");
    }

    #[test]
    fn the_file_is_strict_and_written_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let call = call("target = \"a\", identity = \"/k/my key\", known_hosts = \"/k/kh\"", &dir.path().join("ssh"));
        for line in [
            "BatchMode yes",
            "StrictHostKeyChecking yes",
            "PermitLocalCommand no",
            "ForwardAgent no",
            "ForwardX11 no",
            "ClearAllForwardings yes",
            "ControlMaster no",
            "IdentityFile \"/k/my key\"",
            "IdentitiesOnly yes",
            "UserKnownHostsFile \"/k/kh\"",
            "ConnectTimeout 5",
        ] {
            assert!(call.text().lines().any(|found| found.trim() == line), "{line}\n{}", call.text());
        }
        call.prepare().expect("writes");
        let path = dir.path().join("ssh/web-1.conf");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), call.text());
        std::fs::write(&path, "Host *\n  ProxyCommand touch /tmp/x\n").expect("writes");
        call.prepare().expect("writes again");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), call.text());
    }

    #[test]
    fn a_path_that_a_shell_would_tear_apart_has_no_jump_hosts() {
        let dir = tempfile::tempdir().expect("a directory");
        let odd = dir.path().join("a b");
        call("target = \"a\"", &odd).prepare().expect("no shell reads it");
        let refused = call("target = \"a\", jump = [\"b\"]", &odd).prepare().expect_err("a shell reads it");
        assert!(refused.to_string().contains("jump host"), "{refused}");
    }
}
