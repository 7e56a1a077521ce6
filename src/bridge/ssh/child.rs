//! One running ssh, with everything it started on this machine.

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::{Failure, Said, SshCall, Stage};

/// What ssh said last may be on its way for so long after its end.
const LAST_SAID: Duration = Duration::from_millis(200);
/// Time for `ssh-keygen` to look into a file.
const LOOK: Duration = Duration::from_secs(5);

/// A running ssh. Dropping it ends it, and what it started for its way to the host; what runs on the host goes on.
#[derive(Debug)]
pub(in crate::bridge) struct SshChild {
    child: Child,
    group: Option<Pid>,
    said: Arc<Mutex<Said>>,
    listening: JoinHandle<()>,
}

/// What ssh is talked with.
pub(in crate::bridge) type Pipes = (ChildStdin, ChildStdout);

impl SshChild {
    /// Starts ssh so that the host's shell reads `line`.
    ///
    /// # Errors
    /// When it cannot be started, in words.
    pub(in crate::bridge) fn start(call: &SshCall, line: &str) -> Result<(Self, Pipes), String> {
        call.prepare().map_err(|error| format!("start: failed to write the file that ssh reads: {error}"))?;
        Self::spawn(call, line).map_err(|error| format!("start: failed to run ssh: {error}"))
    }

    fn spawn(call: &SshCall, line: &str) -> io::Result<(Self, Pipes)> {
        let mut child = Command::new("ssh")
            .args(call.arguments(line))
            // Its words are read.
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("a child without pipes"));
        };
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let said = Arc::new(Mutex::new(Said::new(call.host())));
        let listening = tokio::spawn(listen(stderr, Arc::clone(&said)));
        Ok((Self { child, group, said, listening }, (stdin, stdout)))
    }

    /// Waits for its end: its status, `None` for a signal, and what it said.
    pub(in crate::bridge) async fn ended(mut self) -> SshEnd {
        let status = self.child.wait().await.ok().and_then(|status| status.code());
        // Its id may be another's from now on.
        self.group = None;
        let _ = tokio::time::timeout(LAST_SAID, &mut self.listening).await;
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        SshEnd { status, said }
    }
}

impl Drop for SshChild {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            // It may have ended meanwhile; nobody has waited for it, so its id is still its own.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

async fn listen(mut stderr: ChildStderr, said: Arc<Mutex<Said>>) {
    let mut chunk = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
        said.lock().unwrap_or_else(PoisonError::into_inner).hear(&chunk[..count]);
    }
}

/// How an ssh ended.
#[derive(Debug)]
pub(in crate::bridge) struct SshEnd {
    /// Its status; `None` is a signal.
    pub(in crate::bridge) status: Option<i32>,
    said: Said,
}

impl SshEnd {
    /// How far it came.
    pub(in crate::bridge) fn stage(&self) -> Stage {
        self.said.stage(self.status)
    }

    /// Why. A host whose key is unknown, and of which another key is known, is taken for another host: whoever stands
    /// in between may choose which kind of key is shown.
    pub(in crate::bridge) async fn failure(&self, call: &SshCall) -> Failure {
        match self.said.failure(self.status, call.agent()) {
            Failure::OtherKey(why) => Failure::OtherKey(other_key(&why, call)),
            Failure::NoKey(_) if another_is_known(call).await => {
                Failure::OtherKey(other_key("host key: it is of another kind than the known one", call))
            }
            Failure::NoKey(why) => Failure::NoKey(format!(
                "{why}; compare its fingerprint with the host's own, then add it: ssh-keyscan -p PORT {}",
                call.host()
            )),
            other @ Failure::Other(_) => other,
        }
    }
}

fn other_key(why: &str, call: &SshCall) -> String {
    format!(
        "{why} for {}; somebody may stand in between. If the host was set up anew, replace its line in known_hosts",
        call.looked_up()
    )
}

async fn another_is_known(call: &SshCall) -> bool {
    for arguments in call.known() {
        let mut look = Command::new("ssh-keygen");
        look.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let found = tokio::time::timeout(LOOK, look.status()).await;
        if matches!(found, Ok(Ok(status)) if status.success()) {
            return true;
        }
    }
    false
}
