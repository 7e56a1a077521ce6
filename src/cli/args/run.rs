//! The command line of `aurora run`.

use std::time::Duration;

use clap::Args;

use crate::config::period;
use crate::model::{CommandName, HostSelector, JobId, Lane, LayerKind, Pace};

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(in crate::cli) struct RunArgs {
    /// A host, or `@LABEL` for all with that label
    #[arg(value_name = "HOST|@LABEL", help = "A host, or @LABEL for all with that label")]
    pub on: HostSelector,
    /// Which command
    pub command: CommandName,
    /// Its values
    #[arg(value_name = "NAME=VALUE", value_parser = named_value)]
    pub values: Vec<(String, String)>,
    /// Only over this layer: local, socket, tmux, trigger or exec
    #[arg(long, value_name = "LAYER")]
    pub layer: Option<LayerKind>,
    /// Who goes first: 0 or urgent, 1 or normal, 2 or bulk, 3 or idle
    #[arg(long, value_name = "N", default_value = "normal", value_parser = lane)]
    pub priority: Lane,
    /// Print the job's id and do not wait for its end
    #[arg(long, conflicts_with = "dry_run")]
    pub detach: bool,
    /// Print exactly what would run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Of several hosts only the one with the least load
    #[arg(long)]
    pub any: bool,
    /// What the job is called, a fresh `UUIDv7`: the same id again runs nothing again and answers the same
    #[arg(long, value_name = "ID", value_parser = job_name)]
    pub id: Option<JobId>,
    /// The host or label again; commands of high risk want it
    #[arg(long, value_name = "HOST|@LABEL")]
    pub confirm: Option<String>,
    /// To all hosts at once, in place of one first, then a part of them, then the rest
    #[arg(long, visible_alias = "no-canary")]
    pub all_at_once: bool,
    /// How long a stage is watched before the health of its hosts is looked at: 0s to 1h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = settle)]
    pub settle: Duration,
    /// Stop when it went wrong on so many hosts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_failures: u32,
    /// JSON with stable fields, one object a host
    #[arg(long)]
    pub json: bool,
}

/// How long a stage of a rollout is watched.
fn settle(text: &str) -> Result<Duration, String> {
    let most = Duration::from_millis(Pace::SETTLE_MAX_MS);
    period(text).and_then(|time| if time <= most { Ok(time) } else { Err("it is 1h at most".to_owned()) })
}

/// A value as `name=value`.
fn named_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a value is given as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A lane by its number or name.
fn lane(text: &str) -> Result<Lane, String> {
    let by_number = text.parse::<usize>().ok().and_then(|number| Lane::ALL.get(number).copied());
    let found = by_number.or_else(|| Lane::ALL.into_iter().find(|lane| lane.as_str() == text));
    found.ok_or_else(|| "the lanes are 0 urgent, 1 normal, 2 bulk, 3 idle".to_owned())
}

/// The id of a job, with or without its prefix.
fn job_name(text: &str) -> Result<JobId, String> {
    let bare = || text.parse().map(JobId::from_uuid).map_err(|_| ());
    text.parse().or_else(|error: crate::model::BadId| bare().map_err(|()| error.to_string()))
}
