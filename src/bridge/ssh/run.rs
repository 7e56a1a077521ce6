//! One line on a host, and what came of it; for what a person starts and waits for.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{Failure, SshCall, SshChild};

/// Most that is read of what a line prints, in bytes.
const PRINTED_MAX: u64 = 1 << 20;

/// Time for ssh to say what it would do.
const ASKED: Duration = Duration::from_secs(10);

/// What a line printed, and its status. A status of 0 is the line's own; any other may be ssh's.
#[derive(Debug)]
pub struct Ran {
    /// What it printed, at most 1 MiB.
    pub printed: Vec<u8>,
    /// Why it did not end well, in one line; `None` when it did.
    pub failed: Option<String>,
}

/// What `ssh -G` is asked for: where it goes, who it believes, what it may run or forward.
const TELLING: [&str; 18] = [
    "hostname",
    "user",
    "port",
    "identityfile",
    "identitiesonly",
    "proxyjump",
    "proxycommand",
    "stricthostkeychecking",
    "userknownhostsfile",
    "globalknownhostsfile",
    "knownhostscommand",
    "batchmode",
    "forwardagent",
    "forwardx11",
    "clearallforwardings",
    "permitlocalcommand",
    "controlmaster",
    "serveraliveinterval",
];

impl SshCall {
    /// The options ssh would use, as it says itself (`ssh -G`); it connects to nothing.
    ///
    /// # Errors
    /// When ssh cannot be asked, in words.
    pub async fn effective(&self) -> Result<Vec<String>, String> {
        self.prepare().map_err(|error| format!("failed to write the file that ssh reads: {error}"))?;
        let mut ssh = Command::new("ssh");
        ssh.args(self.explain()).stdin(Stdio::null()).kill_on_drop(true);
        let asked = tokio::time::timeout(ASKED, ssh.output()).await.map_err(|_| "ssh -G does not end".to_owned())?;
        let output = asked.map_err(|error| format!("failed to run ssh: {error}"))?;
        if !output.status.success() {
            return Err(format!("ssh -G: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let tells = |line: &&str| TELLING.contains(&line.split(' ').next().unwrap_or_default());
        Ok(String::from_utf8_lossy(&output.stdout).lines().filter(tells).map(str::to_owned).collect())
    }

    /// Makes the host's shell read `line`, whose input is `input`. As with [`arguments`](Self::arguments), the line
    /// holds nothing that was not checked.
    ///
    /// # Errors
    /// When ssh cannot be started, or does not end within `limit`; in words.
    pub async fn run(&self, line: &str, input: &[u8], limit: Duration) -> Result<Ran, String> {
        let (ssh, (mut stdin, stdout)) = SshChild::start(self, line)?;
        let mut printed = Vec::new();
        let talk = async {
            let say = async {
                // A line that does not want its input says so by its status.
                let _ = stdin.write_all(input).await;
                drop(stdin);
            };
            let mut bounded = stdout.take(PRINTED_MAX);
            let ((), heard) = tokio::join!(say, bounded.read_to_end(&mut printed));
            drop(bounded);
            let end = ssh.ended().await;
            (heard, end)
        };
        let Ok((heard, end)) = tokio::time::timeout(limit, talk).await else {
            return Err(format!("no end within {} s", limit.as_secs()));
        };
        heard.map_err(|error| format!("failed to read what ssh prints: {error}"))?;
        if end.status == Some(0) {
            return Ok(Ran { printed, failed: None });
        }
        let (Failure::OtherKey(why) | Failure::NoKey(why) | Failure::Other(why)) = end.failure(self).await;
        Ok(Ran { printed, failed: Some(why) })
    }
}
