//! `aurora rollout`: commands on their way over several hosts.

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{JobFilter, JobId, JobRow, JobState, Outcome as JobOutcome, Rollout, RolloutRow, Stand, age};
use crate::protocol::{BridgeReply, BridgeRequest, Reply, Request};

use super::args::{Global, Listing, RolloutCommand};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::run_command::state_text;
use super::session::{Session, ask, unexpected};

/// Jobs in one answer.
const JOBS: usize = 500;

/// A rollout with where each host stands, as `rollout show --json` tells it.
#[derive(serde::Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    rollout: &'a Rollout,
    hosts: Vec<Stand<'a>>,
}

pub(super) async fn run(command: RolloutCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        RolloutCommand::List { open, listing: Listing { limit, json } } => {
            match ask(config, global, Request::Bridge(BridgeRequest::Rollouts { open, limit })).await? {
                Reply::Bridge(BridgeReply::Rollouts(rows)) => list(&rows, json.json)?,
                reply => return Err(unexpected(&reply)),
            }
        }
        RolloutCommand::Show { id, json } => {
            let mut session = Session::open(config, global).await?;
            let known = known(&mut session, id).await;
            session.close().await;
            let (rollout, jobs) = known?;
            show(&rollout, &jobs, json.json)?;
        }
    }
    Ok(Exit::Fine)
}

/// A rollout, and all its jobs.
async fn known(session: &mut Session, id: JobId) -> Result<(Rollout, Vec<JobRow>), Failure> {
    let rollout = match session.ask(Request::Bridge(BridgeRequest::Rollout(id))).await? {
        Reply::Bridge(BridgeReply::Rollout(Some(rollout))) => *rollout,
        Reply::Bridge(BridgeReply::Rollout(None)) => {
            let why = format!("no rollout has the id {id}; `aurora rollout list` names them");
            return Err(Failure::new(Exit::Failed, why));
        }
        reply => return Err(unexpected(&reply)),
    };
    let mut jobs: Vec<JobRow> = Vec::new();
    loop {
        let filter = JobFilter { rollout: Some(id), ..JobFilter::default() };
        let request = BridgeRequest::Jobs { filter, before: jobs.last().map(|job| job.id), limit: JOBS };
        match session.ask(Request::Bridge(request)).await? {
            Reply::Bridge(BridgeReply::Jobs(rows)) if rows.is_empty() => return Ok((rollout, jobs)),
            Reply::Bridge(BridgeReply::Jobs(rows)) => jobs.extend(rows),
            reply => return Err(unexpected(&reply)),
        }
    }
}

fn list(rows: &[RolloutRow], json: bool) -> Result<(), Failure> {
    if json {
        return Ok(output::json(&rows)?);
    }
    let now = Timestamp::now();
    let cells = rows.iter().map(|row| {
        let hosts: u32 = row.sizes.iter().sum();
        [row.id.to_string(), age(row.asked, now), hosts.to_string(), row.by.to_string(), row.title.clone(), row.told()]
    });
    Ok(output::table(["ID", "AGE", "HOSTS", "BY", "COMMAND", "STATE"], cells)?)
}

fn show(rollout: &Rollout, jobs: &[JobRow], json: bool) -> Result<(), Failure> {
    let hosts = rollout.stands(jobs);
    if json {
        return Ok(output::json(&Shown { rollout, hosts })?);
    }
    let row = &rollout.row;
    output::line(&format!("{}  {}", row.id, row.title))?;
    output::line(&format!("state     {}", row.told()))?;
    output::line(&format!("asked     {} by {}", row.asked, row.by))?;
    if let Some(ended) = row.ended {
        output::line(&format!("ended     {ended}"))?;
    }
    let cells = hosts.iter().map(|stand| {
        let how = |job: Option<&JobRow>| job.map(|job| in_words(&job.state)).unwrap_or_default();
        let id = stand.job.map(|job| job.id.to_string()).unwrap_or_default();
        [stand.stage.to_string(), stand.host.to_string(), how(stand.job), how(stand.undoing), id]
    });
    Ok(output::table(["STAGE", "HOST", "STATE", "ROLLBACK", "JOB"], cells)?)
}

fn in_words(state: &JobState) -> String {
    match state {
        JobState::Ended(JobOutcome::Done(end)) => end.to_string(),
        JobState::Ended(JobOutcome::NotRun { reason, .. }) => format!("not run: {reason}"),
        state => state_text(state),
    }
}
