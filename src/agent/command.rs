//! A command while it runs: what it writes is kept, and at its deadline or when it is cancelled all of it is stopped.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::model::{End, JobId, Plan, Stream};

use super::Machine;
use super::job_dir::JobDir;
use super::output::{OutputWriter, PIECE_MAX};
use super::surroundings::{environment, program};
use super::tree::Tree;

/// Between TERM and KILL at the deadline.
const GRACE: Duration = Duration::from_secs(5);
/// No cancel waits longer between the two.
const GRACE_MAX: Duration = Duration::from_mins(1);
/// How long after KILL a process may take to go before it counts as left.
const GIVE_UP: Duration = Duration::from_secs(2);
/// How often it is looked whether what is being stopped has gone.
const LOOK: Duration = Duration::from_millis(20);
/// What a command leaves running may hold its output open; so long after its end it is still read.
const DRAIN: Duration = Duration::from_millis(250);
/// What ends below a command is reaped so long after, together with what ends meanwhile.
const REAP: Duration = Duration::from_secs(1);

/// The signals a runner listens for. What comes before that ends it, and nothing has run then.
#[derive(Debug)]
pub(super) struct Signals {
    look: tokio::signal::unix::Signal,
    stop: tokio::signal::unix::Signal,
    child: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            look: signal(SignalKind::user_defined1())?,
            stop: signal(SignalKind::terminate())?,
            child: signal(SignalKind::child())?,
        })
    }
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub end: End,
    /// Why it was stopped, if it was.
    pub cut_short: Option<String>,
    /// Processes that could not be stopped.
    pub left: Vec<u32>,
}

/// A command that runs.
#[derive(Debug)]
pub(super) struct RunningCommand<'a> {
    child: Child,
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
    tree: Tree<'a>,
    signals: Signals,
    deadline: Instant,
    timeout: Duration,
    stopping: Option<Stopping>,
}

#[derive(Debug)]
struct Stopping {
    why: String,
    kill_at: Instant,
}

impl<'a> RunningCommand<'a> {
    /// Runs the program of `plan`: no shell, a clean environment, a process group of its own, no standard input.
    ///
    /// # Errors
    /// In words, when nothing was run.
    pub(super) fn start(machine: &'a Machine, plan: &Plan, id: JobId, signals: Signals) -> Result<Self, String> {
        let here = || std::env::current_dir().map_err(|error| format!("the directory it runs in: {error}"));
        let cwd = plan.cwd.as_ref().map_or_else(here, |cwd| Ok(PathBuf::from(cwd)))?;
        let program = program(&plan.argv, &cwd)?;
        let mut command = Command::new(&program);
        command.args(&plan.argv[1..]).current_dir(&cwd).env_clear().envs(environment(plan, id)).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            let what = if cwd.is_dir() { program.display() } else { cwd.display() };
            format!("failed to start {what}: {error}")
        })?;
        let timeout = Duration::from_millis(plan.timeout_ms);
        // Beyond any clock there is no deadline.
        let now = Instant::now();
        let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_hours(24 * 365));
        let (out, err) = (child.stdout.take(), child.stderr.take());
        Ok(Self { child, out, err, tree: Tree::below_this(machine), signals, deadline, timeout, stopping: None })
    }

    /// Keeps what it writes until it is over.
    pub(super) async fn until_end(&mut self, job: &JobDir, output: &mut OutputWriter<'_>) -> Finished {
        let (mut out_buffer, mut err_buffer) = (vec![0; PIECE_MAX], vec![0; PIECE_MAX]);
        let mut status: Option<io::Result<ExitStatus>> = None;
        let mut drained = None;
        let mut reap_at: Option<Instant> = None;
        // A cancel may have been written down before anybody listened.
        self.look_for_cancel(job);
        loop {
            let wake = match (&self.stopping, drained) {
                (Some(_), _) => Instant::now() + LOOK,
                (None, Some(until)) => until,
                (None, None) => reap_at.map_or(self.deadline, |at| at.min(self.deadline)),
            };
            tokio::select! {
                read = read(&mut self.out, &mut out_buffer) => match read {
                    Ok(count @ 1..) => output.write(Stream::Out, &out_buffer[..count]),
                    _ => self.out = None,
                },
                read = read(&mut self.err, &mut err_buffer) => match read {
                    Ok(count @ 1..) => output.write(Stream::Err, &err_buffer[..count]),
                    _ => self.err = None,
                },
                ended = self.child.wait(), if status.is_none() => {
                    drained = Some(Instant::now() + DRAIN);
                    status = Some(ended);
                }
                _ = self.signals.look.recv() => self.look_for_cancel(job),
                _ = self.signals.stop.recv() => self.stop("its runner was told to stop".to_owned(), GRACE),
                _ = self.signals.child.recv() => reap_at = reap_at.or(Some(Instant::now() + REAP)),
                () = sleep_until(wake) => {}
            }
            let now = Instant::now();
            if reap_at.is_some_and(|at| now >= at) {
                self.tree.reap(self.child.id());
                reap_at = None;
            }
            if status.is_none() && self.stopping.is_none() && now >= self.deadline {
                self.stop(format!("it ran longer than {} ms", self.timeout.as_millis()), GRACE);
            }
            let gone = self.all_gone(now, status.is_some());
            let read_out = (self.out.is_none() && self.err.is_none()) || drained.is_some_and(|until| now >= until);
            if gone
                && read_out
                && let Some(status) = status.take()
            {
                let cut_short = self.stopping.as_ref().map(|stopping| stopping.why.clone());
                let left = match cut_short {
                    Some(_) => self.tree.running().iter().map(|process| process.pid).collect(),
                    // What it leaves running by itself is its own business.
                    None => Vec::new(),
                };
                return Finished { end: end(status), cut_short, left };
            }
        }
    }

    /// Whether nothing more is waited for; goes on with stopping.
    fn all_gone(&mut self, now: Instant, main_ended: bool) -> bool {
        let Some(stopping) = &self.stopping else { return main_ended };
        self.tree.reap(self.child.id());
        if self.tree.running().is_empty() {
            return main_ended;
        }
        if now < stopping.kill_at {
            return false;
        }
        // Again each time: what forks while it is stopped is met at the next look.
        self.tree.signal(Signal::KILL);
        main_ended && now > stopping.kill_at + GIVE_UP
    }

    fn look_for_cancel(&mut self, job: &JobDir) {
        if let Ok(Some(note)) = job.cancelled() {
            self.stop("it was cancelled".to_owned(), Duration::from_millis(note.grace_ms).min(GRACE_MAX));
        }
    }

    fn stop(&mut self, why: String, grace: Duration) {
        if self.stopping.is_some() {
            return;
        }
        self.tree.signal(Signal::TERM);
        // What is stopped does not hear.
        self.tree.signal(Signal::CONT);
        self.stopping = Some(Stopping { why, kill_at: Instant::now() + grace });
    }
}

/// Reads what there is; never ends without a pipe.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> io::Result<usize> {
    match pipe {
        Some(pipe) => pipe.read(buffer).await,
        None => std::future::pending().await,
    }
}

fn end(status: io::Result<ExitStatus>) -> End {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => End::Exit(code),
            (None, Some(signal)) => End::Signal(signal),
            (None, None) => unreachable!("a process that was waited for has exited or was killed"),
        },
        Err(error) => unreachable!("this process alone waits for its child: {error}"),
    }
}
