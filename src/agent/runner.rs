//! `aurora agent runner`: carries out one job in a session of its own, and outlives whoever started it.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{EngineId, JobId, OutputTotals, Plan, Prompt, Stream, rules};
use crate::protocol::Journal;

use super::audit::{self, Noted};
use super::command::{Finished, RunningCommand};
use super::job_dir::JobDir;
use super::journal::{Accepted, Claim, nonce};
use super::output::OutputWriter;
use super::prompt::{self, NotTyped, Typed};
use super::{Lease, Machine, Spool};

/// What a runner is told on its standard input, in one line: which job to carry out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Handover {
    /// The journal.
    pub spool: PathBuf,
    /// Where the kernel tells of this machine.
    pub proc: PathBuf,
    /// The job.
    pub id: JobId,
    /// For which engine.
    pub engine: EngineId,
    /// In which term of it.
    pub epoch: u64,
}

/// The longest line of a handover, in bytes.
const LINE_MAX: u64 = 16 << 10;
/// An end that the disk does not take is tried again after this, …
const AGAIN: Duration = Duration::from_secs(1);
/// … so often: the job counts as running meanwhile, and as unknown after it.
const TRIES: u32 = 600;

/// Waits for a handover on standard input, and carries it out. Whoever closes it without a word needs no runner.
///
/// # Errors
/// When nothing could be run: the job is then as it was.
pub fn wait_and_run() -> io::Result<()> {
    // The end of a connection, a terminal or an agent is none of ours from here on.
    rustix::process::setsid()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut line = String::new();
    io::stdin().lock().take(LINE_MAX).read_line(&mut line)?;
    if line.is_empty() {
        return Ok(());
    }
    let handover: Handover = serde_json::from_str(&line)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(carry_out(&handover))
}

async fn carry_out(handover: &Handover) -> io::Result<()> {
    let spool = Spool::open(&handover.spool, Machine::at(&handover.proc)).map_err(io::Error::other)?;
    let Some(job) = spool.job(handover.id)? else { return Err(io::ErrorKind::NotFound.into()) };
    let Some(accepted) = job.accepted()? else { return Err(io::ErrorKind::NotFound.into()) };
    let order = &accepted.order;
    if Lease::held(&spool)?.is_some_and(|lease| lease.epoch > handover.epoch) {
        return Err(io::Error::other("fenced: another engine drives this host now"));
    }
    if Timestamp::now() > order.not_after {
        spool.claim(&job, &Claim::never("expired", expired(order.not_after)))?;
        return Ok(());
    }
    let signals = super::command::Signals::listen()?;
    let own = spool.machine().process(std::process::id()).ok_or(io::ErrorKind::NotFound)?;
    let claim = Claim::Runner {
        pid: own.pid,
        start: own.start,
        boot: spool.machine().boot_id()?,
        engine: handover.engine,
        epoch: handover.epoch,
        nonce: nonce(),
        at: Timestamp::now(),
    };
    let mut output = OutputWriter::new(&job);
    match spool.claim(&job, &claim) {
        Ok(true) => {}
        // Somebody else runs it.
        Ok(false) => return Ok(()),
        Err(error) => {
            if job.claim()?.as_ref() == Some(&claim) {
                let reason = format!("that it starts could not be written down: {error}");
                spool.finish(&job, &not_run("disk", reason), &[])?;
            }
            return Err(error);
        }
    }
    let result = run(&spool, &job, &accepted, signals, &mut output).await;
    finish(&spool, &job, &result, &mut output).await
}

/// Runs the command of a job that is ours, and says how it ended.
async fn run(
    spool: &Spool,
    job: &JobDir,
    accepted: &Accepted,
    signals: super::command::Signals,
    output: &mut OutputWriter<'_>,
) -> Journal {
    let order = &accepted.order;
    // That may have taken long: a disk that hangs, a machine that slept.
    if Timestamp::now() > order.not_after {
        return not_run("expired", expired(order.not_after));
    }
    // Whoever cancels writes that down first, and then looks for somebody to tell.
    if matches!(job.cancelled(), Ok(Some(_))) {
        return not_run(rules::CANCELLED, "it was taken back before it ran");
    }
    let plan: &Plan = &order.plan;
    if let Some(prompt) = &plan.keys {
        return type_prompt(spool, job, accepted, prompt, output).await;
    }
    let mut command = match RunningCommand::start(spool.machine(), plan, job.id(), signals) {
        Ok(command) => command,
        Err(error) => return not_run("spawn", error),
    };
    let started = Timestamp::now();
    audit::note(spool, &Noted::started(order, started));
    let Finished { end, cut_short, left } = command.until_end(job, output).await;
    let (totals, sha256) = match output.end() {
        Ok((totals, sha256, _)) => (totals, sha256),
        Err(_) => (OutputTotals::default(), String::new()),
    };
    Journal::Done { end, started, ended: Timestamp::now(), output: totals, sha256, cut_short, left }
}

/// Types the prompt of a job that is ours, and says what came of it.
async fn type_prompt(
    spool: &Spool,
    job: &JobDir,
    accepted: &Accepted,
    prompt: &Prompt,
    output: &mut OutputWriter<'_>,
) -> Journal {
    let started = Timestamp::now();
    audit::note(spool, &Noted::started(&accepted.order, started));
    let Typed { end, word } = match prompt::type_it(spool, job, &accepted.order, prompt).await {
        Ok(typed) => typed,
        Err(NotTyped { rule, reason }) => return not_run(rule, reason),
    };
    output.write(Stream::Out, format!("{word}\n").as_bytes());
    let (totals, sha256, _) = output.end().unwrap_or_default();
    Journal::Done { end, started, ended: Timestamp::now(), output: totals, sha256, cut_short: None, left: Vec::new() }
}

/// Writes down how it ended, as often as it takes. What it wrote gives way to that.
async fn finish(spool: &Spool, job: &JobDir, result: &Journal, output: &mut OutputWriter<'_>) -> io::Result<()> {
    let mut result = result.clone();
    let mut tries = 0;
    loop {
        let files = output.end().map(|(_, _, files)| files).unwrap_or_default();
        let Err(error) = spool.finish(job, &result, &files) else { break };
        // Somebody may have written it down all the same.
        if matches!(job.result(), Ok(Some(_))) {
            break;
        }
        // A new file is not found only where the directory itself was removed: nobody will ever read there.
        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle) {
            return Err(error);
        }
        tries += 1;
        if tries == TRIES {
            return Err(error);
        }
        if tries == 1 {
            output.give_way();
            if let (Journal::Done { output: totals, sha256, .. }, Ok((now, hash, _))) = (&mut result, output.end()) {
                (*totals, *sha256) = (now, hash);
            }
        } else {
            tokio::time::sleep(AGAIN).await;
        }
    }
    audit::note(spool, &Noted::ended(job.id(), &result, Timestamp::now()));
    Ok(())
}

fn not_run(rule: &str, reason: impl Into<String>) -> Journal {
    Journal::NotRun { rule: rule.into(), reason: reason.into() }
}

/// Why it is too late.
pub(super) fn expired(not_after: Timestamp) -> String {
    format!("it was to be started before {not_after}")
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::{id_at, order};
    use super::*;
    use crate::protocol::JobOrder;

    #[tokio::test(start_paused = true)]
    async fn an_end_that_has_no_directory_any_more_is_not_tried_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::open(&dir.path().join("spool"), Machine::default()).expect("a journal");
        let now = Timestamp::now();
        let order = JobOrder { not_after: now + Duration::from_mins(1), ..order(id_at(now), "a") };
        let job = spool.accept(&order, now).expect("writes").expect("taken");
        std::fs::remove_dir_all(spool.path()).expect("removes");
        let began = tokio::time::Instant::now();
        let mut output = OutputWriter::new(&job);
        let error = finish(&spool, &job, &not_run("spawn", ""), &mut output).await.expect_err("there is no directory");
        assert_eq!((error.kind(), began.elapsed()), (io::ErrorKind::NotFound, Duration::ZERO));
    }
}
