//! The system's `ssh` as a child that carries frames.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{Join, join};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::net::LastWords;

use super::target::SshTarget;

/// Time for ssh to end by itself.
const GRACE: Duration = Duration::from_secs(1);
/// What a shell answers when it does not find a program.
const NOT_FOUND: i32 = 127;

/// Whether ssh may ask a person something: a passphrase, whether a host key is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prompts {
    /// On the terminal, before the screen opens.
    Allowed,
    /// Not behind an open screen.
    Refused,
}

/// What frames go over.
pub(super) type Pipes = Join<ChildStdout, ChildStdin>;

/// A running ssh. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Ssh {
    /// `None` once it is being ended.
    child: Option<Child>,
    said: LastWords,
}

/// What ssh is called with. Only what a line needs: names, keys, jump hosts and the rest are the operator's
/// own `ssh_config`. Forwardings, local commands and another remote command would get in the way. A shared
/// connection is not used, as one that stalls would stall every new attempt with it.
fn arguments(target: &SshTarget, prompts: Prompts) -> Vec<String> {
    let mut arguments: Vec<String> = vec!["-T".to_owned()];
    let mut option = |text: &str| arguments.extend(["-o".to_owned(), text.to_owned()]);
    option("ConnectTimeout=10");
    option("ServerAliveInterval=5");
    option("ServerAliveCountMax=3");
    // A snapshot of 200 messages is some 160 kB and 36 kB compressed: on a line of a few kilobytes a second that
    // is the difference between half a minute and a few seconds.
    option("Compression=yes");
    option("ControlMaster=no");
    option("ControlPath=none");
    option("ClearAllForwardings=yes");
    option("ForwardAgent=no");
    option("ForwardX11=no");
    option("PermitLocalCommand=no");
    option("RemoteCommand=none");
    if prompts == Prompts::Refused {
        option("BatchMode=yes");
    }
    if let Some(port) = target.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(user) = &target.user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    arguments.extend(["--".to_owned(), target.host.clone(), format!("{} attach --stdio", target.remote)]);
    arguments
}

impl Ssh {
    /// Starts ssh to `target`. Prompts go to the terminal, not through the pipes.
    pub(super) fn start(target: &SshTarget, prompts: Prompts) -> io::Result<(Self, Pipes)> {
        let mut child = Command::new("ssh")
            .args(arguments(target, prompts))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three were asked for as pipes")
        };
        Ok((Self { child: Some(child), said: LastWords::listen(stderr) }, join(stdout, stdin)))
    }

    /// Why it ended, or what it said so far when it does not end.
    pub(super) async fn last_words(mut self) -> String {
        let mut status = None;
        if let Some(child) = &mut self.child {
            status = tokio::time::timeout(GRACE, child.wait()).await.ok().and_then(Result::ok);
        }
        // What it said last may still be on its way.
        reason(&self.said.text(GRACE).await, status)
    }
}

/// What ssh said and how it ended, as a reason. A line that ended well has no words of its own: what ssh said
/// before was about something else.
fn reason(said: &str, status: Option<ExitStatus>) -> String {
    let said = said.trim();
    match status {
        Some(status) if status.success() => "the far side has ended".to_owned(),
        Some(status) if status.code() == Some(NOT_FOUND) => {
            format!("{said}\naurora was not found on the far side; `--remote PATH` says where it is")
        }
        Some(status) if said.is_empty() => format!("ssh ended with {status}"),
        None if said.is_empty() => "ssh does not answer".to_owned(),
        _ => said.to_owned(),
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // A child that has been waited for has no id any more, so no other process is hit.
        if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        // Waited for, so that it leaves nothing behind; killed when it does not listen. Without a runtime
        // dropping the child kills it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                    let _ = child.kill().await;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::super::Target;
    use super::*;

    fn target(text: &str) -> SshTarget {
        match Target::parse(text, None) {
            Ok(Target::Ssh(target)) => target,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_host_comes_after_the_options_and_prompts_only_before_the_screen() {
        let first = arguments(&target("ssh://anna@hub:2222"), Prompts::Allowed);
        let end = first.iter().position(|word| word == "--").expect("an end of options");
        assert_eq!(first[end..], ["--", "hub", "aurora attach --stdio"]);
        assert_eq!(first[end - 4..end], ["-p", "2222", "-l", "anna"]);
        assert!(!first.iter().any(|word| word == "BatchMode=yes"));
        let again = arguments(&target("ssh://hub"), Prompts::Refused);
        assert!(again.iter().any(|word| word == "BatchMode=yes"));
        assert!(!again.iter().any(|word| word == "-p" || word == "-l"));
    }

    #[test]
    fn the_reason_is_what_ssh_said_when_it_failed() {
        let ended = |code: i32| Some(ExitStatus::from_raw(code << 8));
        assert_eq!(reason("hub: Permission denied (publickey).\n", ended(255)), "hub: Permission denied (publickey).");
        assert_eq!(reason("Warning: added a key\n", ended(0)), "the far side has ended");
        assert!(reason("sh: aurora: not found", ended(127)).contains("--remote"));
        assert!(reason("", ended(255)).contains("255"));
        assert_eq!(reason("", None), "ssh does not answer");
    }
}
