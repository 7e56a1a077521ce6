//! `aurora job`: commands that were run, or wait.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{Job, JobFilter, JobId, JobRow, JobState, LayerKind, OutputChunk, OutputTotals, age};
use crate::protocol::{BridgeReply, BridgeRequest, JobOutput, Reply, Request};

use super::args::{Global, JobCommand, Listing};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::raw_output::RawOutput;
use super::run_command::{Written, end_text, last_line, state_text, watch};
use super::session::{Session, ask, unexpected};

/// How long a cancel may take where no engine runs, and how often it is looked at.
const TO_STOP: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);

/// A job with what it wrote, as `job show --json` tells it.
#[derive(serde::Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    job: &'a Job,
    stdout: String,
    stderr: String,
}

pub(super) async fn run(command: JobCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        JobCommand::List { host, command, open, listing: Listing { limit, json } } => {
            let filter = JobFilter { host, command, open, rollout: None };
            let request = BridgeRequest::Jobs { filter, before: None, limit };
            match ask(config, global, Request::Bridge(request)).await? {
                Reply::Bridge(BridgeReply::Jobs(rows)) => list(&rows, json.json)?,
                reply => return Err(unexpected(&reply)),
            }
        }
        JobCommand::Show { id, follow, json } => return show(config, global, id, follow, json.json).await,
        JobCommand::Cancel { id } => {
            let mut session = Session::open(config, global).await?;
            let cancelled = cancel(&mut session, id).await;
            session.close().await;
            output::line(&cancelled?)?;
        }
        JobCommand::Resolve { id, ran, not_ran: _, note } => {
            let request = BridgeRequest::Resolve { id, ran, note: Some(note) };
            done(ask(config, global, Request::Bridge(request)).await?)?;
            output::line(&format!("{id} counts as {}", if ran { "run" } else { "not run" }))?;
        }
        JobCommand::Manual { id } => match ask(config, global, Request::Bridge(BridgeRequest::Manual(id))).await? {
            Reply::Bridge(BridgeReply::Manual(lines)) => lines.iter().try_for_each(|line| output::line(line))?,
            reply => return Err(unexpected(&reply)),
        },
    }
    Ok(Exit::Fine)
}

/// Cancels a job and says how far that is. Where no engine runs it waits for the host: nobody would go on with it.
async fn cancel(session: &mut Session, id: JobId) -> Result<String, Failure> {
    done(session.ask(Request::Bridge(BridgeRequest::Cancel(id))).await?)?;
    if !session.is_own() {
        return Ok(format!("{id} is being cancelled; `aurora job show {id}` tells what was left"));
    }
    let until = Instant::now() + TO_STOP;
    while Instant::now() < until {
        match session.ask(Request::Bridge(BridgeRequest::Job(id))).await? {
            Reply::Bridge(BridgeReply::Job(Some(job))) if job.state.outcome().is_some() => return Ok(last_line(&job)),
            Reply::Bridge(BridgeReply::Job(_)) => tokio::time::sleep(PAUSE).await,
            reply => return Err(unexpected(&reply)),
        }
    }
    let why = format!("{id} is not over: nothing says that the cancel has reached the host; start `aurora serve`");
    Err(Failure::new(Exit::Degraded, why))
}

fn done(reply: Reply) -> Result<(), Failure> {
    match reply {
        Reply::Bridge(BridgeReply::Done) => Ok(()),
        reply => Err(unexpected(&reply)),
    }
}

fn list(rows: &[JobRow], json: bool) -> Result<(), Failure> {
    if json {
        return Ok(output::json(&rows)?);
    }
    let now = Timestamp::now();
    let cells = rows.iter().map(|row| {
        let layer = row.layer.map(LayerKind::as_str).unwrap_or_default().to_owned();
        let state = match &row.state {
            JobState::Ended(crate::model::Outcome::Done(end)) => end.to_string(),
            state => state_text(state),
        };
        [
            row.id.to_string(),
            age(row.asked, now),
            row.host.to_string(),
            state,
            layer,
            row.by.to_string(),
            row.title.clone(),
        ]
    });
    Ok(output::table(["ID", "AGE", "HOST", "STATE", "LAYER", "BY", "COMMAND"], cells)?)
}

async fn show(config: &Config, global: &Global, id: JobId, follow: bool, json: bool) -> Outcome {
    let mut session = Session::open_following(config, global).await?;
    let outcome = match session.ask(Request::Bridge(BridgeRequest::Job(id))).await? {
        Reply::Bridge(BridgeReply::Job(Some(job))) if follow && job.state.outcome().is_none() => {
            watch(&mut session, &[job.row()], None, true, json).await
        }
        Reply::Bridge(BridgeReply::Job(Some(job))) => print(&mut session, &job, json).await,
        Reply::Bridge(BridgeReply::Job(None)) => {
            Err(Failure::new(Exit::Failed, format!("no job has the id {id}; `aurora job list` names them")))
        }
        reply => Err(unexpected(&reply)),
    };
    session.close().await;
    outcome
}

async fn print(session: &mut Session, job: &Job, json: bool) -> Outcome {
    let (chunks, totals) = all_output(session, job.id).await?;
    if json {
        let mut wrote = Written::default();
        wrote.add(&chunks);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        output::json(&Shown { job, stdout: text(&wrote.out), stderr: text(&wrote.err) })?;
        return Ok(Exit::Fine);
    }
    output::line(&format!("{}  {}", job.id, job.title()))?;
    output::line(&format!("host      {}", job.plan.host))?;
    output::line(&format!("state     {}", end_text(job)))?;
    output::line(&format!("asked     {} by {}", job.asked, job.by))?;
    if let Some(started) = job.started {
        output::line(&format!("started   {started} by the host's clock"))?;
    }
    if let Some(ended) = job.ended {
        output::line(&format!("ended     {ended}"))?;
    }
    if let Some(layer) = job.layer {
        output::line(&format!("layer     {layer}"))?;
    }
    for attempt in &job.attempts {
        output::line(&format!("attempt   {} over {}: {}", attempt.at, attempt.layer, attempt.what))?;
    }
    if let Some(left) = &job.left {
        output::line(&format!("left      {left}"))?;
    }
    output::line(&format!("hash      {}", job.hash))?;
    output::line(&format!("output    {} and {} bytes, {} left out", totals.out, totals.err, totals.cut))?;
    let mut raw = RawOutput::new();
    raw.print(&chunks)?;
    raw.end()?;
    Ok(Exit::Fine)
}

async fn all_output(session: &mut Session, id: JobId) -> Result<(Vec<OutputChunk>, OutputTotals), Failure> {
    let (mut chunks, mut from) = (Vec::new(), 0);
    loop {
        let part = match session.ask(Request::Bridge(BridgeRequest::JobOutput { id, from })).await? {
            Reply::Bridge(BridgeReply::Output(part)) => part,
            reply => return Err(unexpected(&reply)),
        };
        let JobOutput { chunks: more, next, totals, end } = part;
        let is_all = end || more.is_empty();
        chunks.extend(more);
        from = next;
        if is_all {
            return Ok((chunks, totals));
        }
    }
}
