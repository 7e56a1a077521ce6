//! `aurora run`: a command of the whitelist on a host, or on all with a label.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::client::job_id;
use crate::config::Config;
use crate::model::{
    Course, End, HostName, HostPanel, HostSelector, Job, JobId, JobRow, JobState, LayerKind, LayerState,
    Outcome as JobOutcome, OutputChunk, Pace, Plan, RolloutPhase, RolloutRow, Stream, counted, escaped, rules,
};
use crate::protocol::{BridgeReply, BridgeRequest, Draft, Preview, Reply, Request};

use crate::screen;

use super::args::{Global, RunArgs};
use super::exit::{Exit, Failure, Outcome};
use super::fold::Folded;
use super::follow::{Follow, Heard};
use super::output;
use super::raw_output::RawOutput;
use super::session::{Session, unexpected};

/// What became of a job, as `--json` tells it.
#[derive(Debug, Serialize)]
struct Told<'a> {
    id: JobId,
    host: &'a str,
    command: &'a str,
    state: &'a str,
    exit: Option<i32>,
    signal: Option<i32>,
    /// Of what was to be typed into a pane: `submitted`, `typed-not-confirmed` or `not-typed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    reason: Option<&'a str>,
    layer: Option<&'a str>,
    attempts: usize,
    took_ms: Option<i64>,
    stdout: String,
    stderr: String,
}

/// What a job wrote, joined.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

impl Written {
    pub(super) fn add(&mut self, chunks: &[OutputChunk]) {
        for chunk in chunks {
            let sink = match chunk.stream {
                Stream::Out => &mut self.out,
                Stream::Err => &mut self.err,
            };
            sink.extend_from_slice(&chunk.bytes);
        }
    }
}

/// Runs a command, and waits for its end unless it is detached.
pub(super) async fn run(args: RunArgs, config: &Config, global: &Global) -> Outcome {
    let mut values = BTreeMap::new();
    for (name, value) in args.values {
        if values.contains_key(&name) {
            return Err(Failure::usage(format!("{name} is given twice; give each value once")));
        }
        values.insert(name, value);
    }
    let draft = Draft {
        id: args.id.unwrap_or_else(job_id),
        on: args.on,
        any: args.any,
        command: args.command,
        args: values,
        layer: args.layer,
        lane: args.priority,
        confirm: args.confirm,
        seen: None,
        pace: Pace {
            all_at_once: args.all_at_once,
            settle_ms: u64::try_from(args.settle.as_millis()).unwrap_or(u64::MAX),
            failures_max: args.max_failures,
        },
    };
    let mut session = Session::open_following(config, global).await?;
    let outcome = if args.dry_run {
        dry_run(&mut session, draft, args.json).await
    } else if let (true, Err(failure)) = (args.detach, session.needs_engine()) {
        Err(failure)
    } else {
        start(&mut session, draft, args.detach, args.json).await
    };
    session.close().await;
    outcome
}

async fn dry_run(session: &mut Session, draft: Draft, json: bool) -> Outcome {
    let preview = match session.ask(Request::Bridge(BridgeRequest::DryRun(Box::new(draft.clone())))).await {
        Ok(Reply::Bridge(BridgeReply::Preview(preview))) => preview,
        Ok(reply) => return Err(unexpected(&reply)),
        Err(failure) => return Err(told_refused(&draft, json, failure)?),
    };
    if json {
        output::json(&preview)?;
    } else {
        let unheard = unheard(session, &preview).await?;
        show(&preview, &unheard)?;
    }
    match &preview.refused {
        Some((rule, reason)) => Err(Failure::new(Exit::Denied, format!("{rule}: {reason}"))),
        None => Ok(Exit::Fine),
    }
}

/// The hosts without a layer that the engine has not asked yet: one that was started for this asks none.
async fn unheard(session: &mut Session, preview: &Preview) -> Result<BTreeSet<HostName>, Failure> {
    if preview.layers.iter().all(|(_, layer)| layer.is_some()) {
        return Ok(BTreeSet::new());
    }
    let panels = match session.ask(Request::Bridge(BridgeRequest::Hosts)).await? {
        Reply::Bridge(BridgeReply::Hosts(panels)) => panels,
        reply => return Err(unexpected(&reply)),
    };
    let is_unheard = |panel: &HostPanel| panel.layers.iter().all(|layer| layer.state == LayerState::Unknown);
    Ok(panels.into_iter().filter(is_unheard).map(|panel| panel.name).collect())
}

/// Prints exactly what would run: every word in quotes, with escapes for what is not seen.
fn show(preview: &Preview, unheard: &BTreeSet<HostName>) -> Result<(), Failure> {
    let layers: BTreeMap<&str, String> = preview
        .layers
        .iter()
        .map(|(host, layer)| {
            let none = if unheard.contains(host) { "nobody has looked yet" } else { "no layer answers now" };
            (host.as_str(), layer.map_or(none.to_owned(), |layer| layer.to_string()))
        })
        .collect();
    for plan in &preview.plans {
        show_plan(plan, Some(layers.get(plan.host.as_str()).map_or("", String::as_str)))?;
    }
    if let Some(rollout) = &preview.rollout {
        show_course(rollout)?;
    }
    if preview.plans.len() != 1 {
        output::line(&format!("hosts    {}", preview.plans.len()))?;
        output::line(&format!("hash     {} over all", preview.hash))?;
    }
    output::line(&format!("risk     {}", preview.risk))?;
    if preview.need > 0 {
        output::line(&format!("needs    {} other people's yes", preview.need))?;
    }
    if let Some(word) = &preview.confirm {
        output::line(&format!("needs    --confirm {word}"))?;
    }
    Ok(())
}

/// Prints one plan; `layer` is what would carry it now, where that is known.
fn show_plan(plan: &Plan, layer: Option<&str>) -> Result<(), Failure> {
    output::line(&format!("host     {}", plan.host))?;
    if let Some(layer) = layer {
        output::line(&format!("layer    {layer}"))?;
    }
    output::line(&format!("command  {}", plan.command))?;
    for (number, word) in plan.argv.iter().enumerate() {
        output::line(&format!("argv {number:<3} {}", exact(word)))?;
    }
    if let Some(prompt) = &plan.keys {
        output::line(&format!("types    {}", exact(&prompt.text)))?;
        output::line(&format!("into     {}", prompt.place))?;
        output::line("then     Enter, by itself")?;
    }
    if let Some(cwd) = &plan.cwd {
        output::line(&format!("cwd      {}", exact(cwd)))?;
    }
    for (name, value) in &plan.env {
        output::line(&format!("env      {name}={}", exact(value)))?;
    }
    if plan.keys.is_none() {
        output::line(&format!("timeout  {} ms", plan.timeout_ms))?;
    }
    output::line(&format!("hash     {}", plan.hash()))?;
    output::line("")?;
    Ok(())
}

/// Prints the stages in which it would go over its hosts, and exactly what would undo it.
fn show_course(course: &Course) -> Result<(), Failure> {
    for (label, text) in course.told() {
        output::line(&format!("{label:<8} {text}"))?;
    }
    output::line("")?;
    course.undoing.iter().flat_map(|undoing| &undoing.plans).try_for_each(|plan| show_plan(plan, None))
}

/// A word between quotes, with escapes for what is not seen.
fn exact(word: &str) -> String {
    format!("\"{}\"", escaped(word))
}

async fn start(session: &mut Session, draft: Draft, detach: bool, json: bool) -> Outcome {
    let is_one = matches!(draft.on, HostSelector::Host(_)) || draft.any;
    let by_hand = draft.layer == Some(LayerKind::Manual);
    let (jobs, approval) = match session.ask(Request::Bridge(BridgeRequest::Run(Box::new(draft.clone())))).await {
        Ok(Reply::Bridge(BridgeReply::Running { jobs, approval })) => (jobs, approval),
        Ok(reply) => return Err(unexpected(&reply)),
        Err(failure) => return Err(told_refused(&draft, json, failure)?),
    };
    if let Some(approval) = approval {
        if json {
            let why = format!("waits for approval {approval}");
            jobs.iter().try_for_each(|row| output::json_line(&row_told(row, Some(&why))))?;
        }
        let names: Vec<String> = jobs.iter().map(|row| row.id.to_string()).collect();
        let why = format!("waits for approval {approval}: `aurora approval show {approval}`; {}", names.join(", "));
        return Err(Failure::new(Exit::Denied, why));
    }
    if detach {
        for row in &jobs {
            if json {
                output::json_line(&row_told(row, None))?;
            } else {
                output::line(&row.id.to_string())?;
            }
        }
        return Ok(Exit::Fine);
    }
    if by_hand {
        for row in &jobs {
            match session.ask(Request::Bridge(BridgeRequest::Manual(row.id))).await? {
                Reply::Bridge(BridgeReply::Manual(lines)) => {
                    for line in &lines {
                        output::aside(line);
                    }
                }
                reply => return Err(unexpected(&reply)),
            }
        }
    }
    let rollout = jobs.first().and_then(|row| row.rollout).filter(|_| !draft.pace.all_at_once && !by_hand);
    watch(session, &jobs, rollout, is_one, json).await
}

/// Waits for the end of `rows`, and of `rollout` with whatever undoes it. What one job writes is printed as it comes; of
/// several, equal ends are told together.
pub(super) async fn watch(
    session: &mut Session,
    rows: &[JobRow],
    rollout: Option<JobId>,
    is_one: bool,
    json: bool,
) -> Outcome {
    let mut interrupts = Interrupts::new()?;
    let mut follow = Follow::new(session, rows, rollout, is_one && !json);
    let (mut raw, mut written, mut folded) = (RawOutput::new(), BTreeMap::<JobId, Written>::new(), Folded::default());
    let mut worst = Exit::Fine;
    loop {
        if !output::is_read() && follow.open().next().is_some() {
            return Ok(leave(&follow, &mut raw));
        }
        let heard = tokio::select! {
            heard = follow.next() => heard?,
            wish = interrupts.next() => match wish {
                Wish::Explain => {
                    raw.say("it goes on; press ctrl-c again to leave it running, or type `c` and enter to cancel it");
                    continue;
                }
                Wish::Cancel => {
                    follow.cancel();
                    raw.say("asked to cancel it");
                    continue;
                }
                Wish::Detach => return Ok(leave(&follow, &mut raw)),
            },
        };
        match heard {
            Heard::Wrote(_, chunks) if is_one && !json => raw.print(&chunks)?,
            Heard::Waits(id, why) => {
                if is_one && !json {
                    raw.say(&format!("{id} waits: {why}"));
                }
            }
            Heard::Refused(id, refusal) => raw.say(&format!("{id} is not cancelled: {refusal}")),
            Heard::Stage(row) => {
                if !json {
                    raw.say(&stage_line(&row));
                }
                // An engine that was stopped by a person or by what went wrong ends no better than its worst host.
                if row.phase == RolloutPhase::Over && row.stopped.is_some() {
                    worst = worse(worst, Exit::Failed);
                }
            }
            Heard::Wrote(id, chunks) => written.entry(id).or_default().add(&chunks),
            Heard::Ended(job) => {
                worst = worse(worst, exit_of(&job));
                let wrote = written.remove(&job.id).unwrap_or_default();
                if json {
                    output::json_line(&told(&job, &wrote))?;
                } else if is_one {
                    raw.end()?;
                    raw.say(&last_line(&job));
                } else {
                    folded.add(&job, wrote);
                }
            }
            Heard::AllEnded => {
                folded.print()?;
                return Ok(worst);
            }
        }
    }
}

/// Lets what is not over go on without anybody who watches.
fn leave(follow: &Follow<'_>, raw: &mut RawOutput) -> Exit {
    let ids: Vec<String> = follow.open().map(|id| id.to_string()).collect();
    raw.say(&format!("left running: {}; `aurora job show ID` tells how it went", ids.join(", ")));
    Exit::Degraded
}

/// How a rollout goes on, in one line.
fn stage_line(row: &RolloutRow) -> String {
    format!("{}: {}", row.title, screen::line(&row.told()))
}

/// The worst of two ends: what is not known is worse than what failed.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Fine => 0,
        Exit::Failed => 1,
        Exit::Denied => 2,
        _ => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// The exit code for the end of a job: 0 when it ended with 0 or a prompt was submitted, 1 when otherwise or not run, 3
/// when nobody knows or a prompt was typed and nothing confirms that it was taken, 5 when it was denied.
fn exit_of(job: &Job) -> Exit {
    match job.state.outcome() {
        Some(JobOutcome::Done(end)) if end.is_good() => Exit::Fine,
        Some(JobOutcome::NotRun { rule, .. }) if rules::is_denial(rule) => Exit::Denied,
        Some(JobOutcome::Done(End::TypedNotConfirmed) | JobOutcome::Unknown { .. }) | None => Exit::Degraded,
        Some(JobOutcome::Done(_) | JobOutcome::NotRun { .. }) => Exit::Failed,
    }
}

/// What became of `job`, in one line.
pub(super) fn last_line(job: &Job) -> String {
    let mut parts = vec![end_text(job)];
    parts.extend(job.layer.map(|layer| format!("over {layer}")));
    parts.extend(took_ms(job).map(|took| format!("{took} ms")));
    if job.attempts.len() > 1 {
        parts.push(format!("{} attempts", job.attempts.len()));
    }
    parts.extend(job.left.clone());
    if job.output.cut > 0 {
        parts.push(format!("{} of output left out", counted(job.output.cut, "byte")));
    }
    format!("{} on {}: {} ({})", job.plan.command, job.plan.host, parts.join(", "), job.id)
}

/// How it ended, in words.
pub(super) fn end_text(job: &Job) -> String {
    match job.state.outcome() {
        Some(JobOutcome::Done(end)) => format!("done, {end}"),
        Some(JobOutcome::NotRun { rule, reason }) => format!("not run, {rule}: {reason}"),
        Some(JobOutcome::Unknown { reason }) => {
            format!(
                "unknown: {reason}; it may have run, look and say so: aurora job resolve {} --ran|--not-ran --note TEXT",
                job.id
            )
        }
        None => state_text(&job.state),
    }
}

/// How far a job is that is not over, with its place in the queue and what it waits for.
pub(super) fn state_text(state: &JobState) -> String {
    match state {
        JobState::Staged { why } => format!("staged: {why}"),
        JobState::Queued { position, why } if !why.is_empty() => format!("queued {position}: {why}"),
        state => state.word().to_owned(),
    }
}

fn took_ms(job: &Job) -> Option<i64> {
    let ended = job.ended?;
    let took = ended.duration_since(job.asked).as_millis();
    i64::try_from(took).ok()
}

fn told<'a>(job: &'a Job, wrote: &Written) -> Told<'a> {
    let (exit, signal, reason) = match job.state.outcome() {
        Some(JobOutcome::Done(End::Exit(code))) => (Some(*code), None, None),
        Some(JobOutcome::Done(End::Signal(number))) => (None, Some(*number), None),
        Some(JobOutcome::NotRun { reason, .. } | JobOutcome::Unknown { reason }) => (None, None, Some(reason.as_str())),
        Some(JobOutcome::Done(End::Told | End::Submitted | End::TypedNotConfirmed)) | None => (None, None, None),
    };
    Told {
        id: job.id,
        host: job.plan.host.as_str(),
        command: job.plan.command.as_str(),
        state: job.state.word(),
        exit,
        signal,
        prompt: job.plan.keys.as_ref().and_then(|_| typed(job.state.outcome()?)),
        reason,
        layer: job.layer.map(LayerKind::as_str),
        attempts: job.attempts.len(),
        took_ms: took_ms(job),
        stdout: String::from_utf8_lossy(&wrote.out).into_owned(),
        stderr: String::from_utf8_lossy(&wrote.err).into_owned(),
    }
}

/// Tells why `draft` was refused, in the place of what became of it. Without an answer nobody knows whether it runs.
fn told_refused(draft: &Draft, json: bool, failure: Failure) -> Result<Failure, Failure> {
    if json && matches!(failure.exit, Exit::Denied | Exit::Failed) {
        output::json_line(&refused(draft, &draft.on.to_string(), &failure.text))?;
    }
    Ok(failure)
}

/// What became of a prompt, where that is known.
fn typed(outcome: &JobOutcome) -> Option<&'static str> {
    match outcome {
        JobOutcome::Done(End::Submitted) => Some("submitted"),
        JobOutcome::Done(End::TypedNotConfirmed) => Some("typed-not-confirmed"),
        JobOutcome::NotRun { .. } => Some(rules::NOT_TYPED),
        JobOutcome::Done(_) | JobOutcome::Unknown { .. } => None,
    }
}

/// What was refused before there was a job.
fn refused<'a>(draft: &'a Draft, on: &'a str, why: &'a str) -> Told<'a> {
    Told {
        id: draft.id,
        host: on,
        command: draft.command.as_str(),
        state: "not-run",
        exit: None,
        signal: None,
        prompt: None,
        reason: Some(why),
        layer: None,
        attempts: 0,
        took_ms: None,
        stdout: String::new(),
        stderr: String::new(),
    }
}

/// A job that nobody waits for.
fn row_told<'a>(row: &'a JobRow, reason: Option<&'a str>) -> Told<'a> {
    Told {
        id: row.id,
        host: row.host.as_str(),
        command: row.title.split(' ').next().unwrap_or_default(),
        state: row.state.word(),
        exit: None,
        signal: None,
        prompt: None,
        reason,
        layer: row.layer.map(LayerKind::as_str),
        attempts: row.attempts as usize,
        took_ms: None,
        stdout: String::new(),
        stderr: String::new(),
    }
}

/// What whoever sits in front of it wants.
enum Wish {
    Explain,
    Cancel,
    Detach,
}

/// Ctrl-c, and after the first one what is typed.
struct Interrupts {
    interrupt: Signal,
    typed: Option<tokio::sync::mpsc::Receiver<String>>,
}

impl Interrupts {
    fn new() -> Result<Self, Failure> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, typed: None })
    }

    async fn next(&mut self) -> Wish {
        let Some(typed) = &mut self.typed else {
            // Without a signal driver there is nothing to wait for.
            if self.interrupt.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            self.typed = Some(lines());
            return Wish::Explain;
        };
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Detach,
            Some(line) = typed.recv() => match line.trim() {
                "c" | "cancel" => Wish::Cancel,
                _ => Wish::Explain,
            },
        }
    }
}

/// What is typed, line by line; nothing where nobody can type.
fn lines() -> tokio::sync::mpsc::Receiver<String> {
    let (sender, lines) = tokio::sync::mpsc::channel(1);
    if std::io::stdin().is_terminal() {
        // A thread of its own: a read from a terminal ends only with a line.
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_about_what_may_be_are_denials_and_places_in_the_queue_are_told() {
        for rule in
            ["approval.denied", "approval.expired", "whitelist", "whitelist.argument", "policy.confirm", "denied"]
        {
            assert!(rules::is_denial(rule), "{rule}");
        }
        for rule in ["expired", "cancelled", "layer", "approvals", "resolved"] {
            assert!(!rules::is_denial(rule), "{rule}");
        }
        let queued = |why: &str| state_text(&JobState::Queued { position: 2, why: why.to_owned() });
        assert_eq!((queued("no road"), queued("")), ("queued 2: no road".to_owned(), "queued".to_owned()));
    }
}
