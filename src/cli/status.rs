//! `aurora status`

use jiff::Timestamp;
use serde::Serialize;

use crate::client::{AttachError, Client, Target};
use crate::config::Config;
use crate::model::{ChannelPanel, age};
use crate::protocol::{Problem, Reply, Request, Severity, Snapshot, severity};
use crate::server::socket_path;

use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::session::unexpected;

#[derive(Serialize)]
struct Status {
    status: &'static str,
    node: String,
    version: String,
    started: Timestamp,
    problems: Vec<Problem>,
    channels: Vec<ChannelPanel>,
}

/// What the running engine shows. There is no answer without one.
pub(super) async fn snapshot(config: &Config) -> Result<Box<Snapshot>, Failure> {
    let target = Target::Unix(socket_path(&config.state_dir));
    let client = Client::attach(target, false, true).await;
    let mut client = client.map_err(|error| match error {
        error @ AttachError::Denied(_) => error.into(),
        error => Failure::new(Exit::Down, format!("down: {error}")),
    })?;
    match client.answer(Request::Snapshot).await? {
        Reply::Snapshot(snapshot) => Ok(snapshot),
        reply => Err(unexpected(&reply)),
    }
}

pub(super) async fn run(config: &Config, json: bool) -> Outcome {
    let snapshot = snapshot(config).await?;
    let now = Timestamp::now();
    let problems = snapshot.problems(now);
    let degraded = severity(&problems) > Some(Severity::Info);
    let status = if degraded { "degraded" } else { "ok" };
    if json {
        let Snapshot { node, version, started, channels, .. } = *snapshot;
        output::json(&Status { status, node, version, started, problems, channels })?;
    } else {
        output::line(&format!(
            "{status}  {}  aurora {}  up {}",
            snapshot.node,
            snapshot.version,
            age(snapshot.started, now)
        ))?;
        for problem in &problems {
            output::line(&format!("{:4}  {}  ({})", problem.severity.as_str(), problem.what, problem.next))?;
        }
        output::line("")?;
        let rows = snapshot.channels.into_iter().map(|channel| {
            [
                channel.id.to_string(),
                channel.state.as_str().to_owned(),
                channel.unread_vip.to_string(),
                channel.unread.to_string(),
                channel.events.to_string(),
                channel.last_event.map_or_else(|| "never".to_owned(), |last| age(last, now)),
                channel.rejected.to_string(),
            ]
        });
        output::table(["CHANNEL", "STATE", "VIP", "UNREAD", "EVENTS", "LAST", "REFUSED"], rows)?;
    }
    Ok(if degraded { Exit::Degraded } else { Exit::Fine })
}
