//! Runners, one of them started ahead: an order costs a line in a pipe, not the start of a program.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

use super::runner::Handover;
use super::surroundings::of_runner;

/// The next one is started when a job is over, or has gone on for so long.
const REFILL: Duration = Duration::from_millis(30);
/// What a runner says in the end is cut here, in bytes.
const WORD_MAX: u64 = 4096;

/// Starts runners, and keeps one that waits.
#[derive(Debug)]
pub(super) struct Runners {
    program: PathBuf,
    warm: Mutex<Option<Runner>>,
    /// Whether one is kept waiting: whoever asks a single question has no use for it.
    keeps: AtomicBool,
}

#[derive(Debug)]
struct Runner {
    child: Child,
    stdin: ChildStdin,
    stderr: ChildStderr,
}

impl Runners {
    /// Runners are `program agent runner`.
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program, warm: Mutex::default(), keeps: AtomicBool::new(false) }
    }

    /// Hands `handover` to a runner, and waits until that one ends. What it says then, if anything, went wrong.
    pub(super) async fn carry_out(&self, handover: &Handover) -> io::Result<String> {
        let mut line = serde_json::to_vec(handover)?;
        line.push(b'\n');
        let mut runner = loop {
            let warm = self.warm().take();
            let is_warm = warm.is_some();
            let mut runner = warm.map_or_else(|| self.start(), Ok)?;
            match runner.stdin.write_all(&line).await {
                Ok(()) => break runner,
                // It was ended while it waited; nothing was run.
                Err(_) if is_warm => {}
                Err(error) => return Err(error),
            }
        };
        drop(runner.stdin);
        let ended = async {
            let mut word = Vec::new();
            (&mut runner.stderr).take(WORD_MAX).read_to_end(&mut word).await?;
            runner.child.wait().await?;
            Ok(String::from_utf8_lossy(&word).trim().to_owned())
        };
        tokio::pin!(ended);
        // The next runner does not take the processor from a short job.
        let early = tokio::time::timeout(REFILL, &mut ended).await;
        if self.keeps.load(Ordering::Relaxed) {
            self.keep_warm();
        }
        match early {
            Ok(ended) => ended,
            Err(_) => ended.await,
        }
    }

    /// Keeps a runner waiting from now on.
    pub(super) fn keep_warm(&self) {
        self.keeps.store(true, Ordering::Relaxed);
        let mut warm = self.warm();
        if warm.is_none() {
            // Whoever needs one hears why there is none.
            *warm = self.start().ok();
        }
    }

    fn warm(&self) -> std::sync::MutexGuard<'_, Option<Runner>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> io::Result<Runner> {
        let mut command = Command::new(&self.program);
        command.args(["agent", "runner"]).env_clear().envs(of_runner());
        // None of our own: whoever waits for the end of those would wait for the job.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(stdin), Some(stderr)) = (child.stdin.take(), child.stderr.take()) else {
            unreachable!("both were asked for")
        };
        Ok(Runner { child, stdin, stderr })
    }
}
