//! A command on its way over several hosts: first one, then a part of them, then the rest.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CheckId, Course, HostName, JobId, JobRow, LayerKind, OperatorName, Plan, Risk, counted};

/// How a command goes over several hosts, as whoever asks for it wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// To all hosts at once: no stages, nothing is looked at, nothing is rolled back.
    pub all_at_once: bool,
    /// Milliseconds between the end of a stage and the look at the health of the hosts that have it.
    pub settle_ms: u64,
    /// It stops when it went wrong on so many hosts; 0 counts as 1.
    pub failures_max: u32,
}

impl Pace {
    /// The longest time a stage may settle.
    pub const SETTLE_MAX_MS: u64 = 3_600_000;
}

impl Default for Pace {
    fn default() -> Self {
        Self { all_at_once: false, settle_ms: 10_000, failures_max: 1 }
    }
}

/// What a rollout waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutPhase {
    /// Other people's yes; nothing runs.
    Held,
    /// The hosts of its stage.
    Runs,
    /// Time, in which what it did may show.
    Settles,
    /// A look at the health of the hosts that have it.
    Looks,
    /// No other stage comes: what runs is waited for, and rolled back where that is wanted.
    Stops,
    /// Nothing: every host has its end.
    Over,
}

impl RolloutPhase {
    /// One word for screens and `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Runs => "runs",
            Self::Settles => "settles",
            Self::Looks => "looks",
            Self::Stops => "stops",
            Self::Over => "over",
        }
    }
}

/// A rollout, as screens show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutRow {
    /// Its name: the id of its first job.
    pub id: JobId,
    /// The command and its values.
    pub title: String,
    /// Who asked.
    pub by: OperatorName,
    /// When.
    pub asked: Timestamp,
    /// What it waits for.
    pub phase: RolloutPhase,
    /// The stage that was let go last, counted from 1; 0 before the first.
    pub stage: u32,
    /// How many hosts each stage has.
    pub sizes: Vec<u32>,
    /// Why no other stage came, when it was stopped. It may hold text from outside.
    pub stopped: Option<String>,
    /// The hosts where it is rolled back.
    pub undone: u32,
    /// When it was over.
    pub ended: Option<Timestamp>,
}

impl RolloutRow {
    /// How it is, in one line.
    #[must_use]
    pub fn told(&self) -> String {
        let stages = self.sizes.len();
        let place = self.stage.checked_sub(1).and_then(|stage| self.sizes.get(usize::try_from(stage).ok()?));
        let hosts = counted(place.copied().unwrap_or_default(), "host");
        let stage = format!("stage {} of {stages}, {hosts}", self.stage);
        let undone = match self.undone {
            0 => String::new(),
            count => format!("; rolled back on {}", counted(count, "host")),
        };
        let stopped = self.stopped.as_deref().unwrap_or("it went to its end");
        match self.phase {
            RolloutPhase::Held => format!("{}; waits for approval", counted(stages, "stage")),
            RolloutPhase::Runs => format!("{stage}: on its way"),
            RolloutPhase::Settles => format!("{stage}: done; it is watched for a while"),
            RolloutPhase::Looks => format!("{stage}: done; the health of the hosts is looked at"),
            RolloutPhase::Stops => format!("{stage}: stopped: {stopped}{undone}"),
            RolloutPhase::Over if self.stopped.is_some() => format!("{stage}: stopped: {stopped}{undone}; over"),
            RolloutPhase::Over => format!("{stage}: {stopped}"),
        }
    }
}

/// What undoes a rollout that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undoing {
    /// What runs on each host that has it.
    pub plans: Vec<Plan>,
    /// How much harm that can do.
    pub risk: Risk,
}

/// A rollout in full, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// How it is shown.
    pub row: RolloutRow,
    /// The hosts of each stage.
    pub stages: Vec<Vec<HostName>>,
    /// How it goes.
    pub pace: Pace,
    /// The checks that have to be well before the next stage.
    pub checks: Vec<CheckId>,
    /// What undoes it when it goes wrong; nothing when a person stops it.
    pub undoing: Option<Undoing>,
    /// The only layer that may carry it, when whoever asked has named one.
    pub only: Option<LayerKind>,
}

impl Rollout {
    /// How it goes over its hosts.
    #[must_use]
    pub fn course(&self) -> Course {
        let Self { stages, pace, checks, undoing, .. } = self.clone();
        Course { stages, pace, checks, undoing }
    }

    /// Where each host stands, in the order of the stages. `jobs` are those of this rollout, in any order.
    #[must_use]
    pub fn stands<'a>(&'a self, jobs: &'a [JobRow]) -> Vec<Stand<'a>> {
        let hosts = (1..).zip(&self.stages).flat_map(|(stage, hosts)| hosts.iter().map(move |host| (stage, host)));
        let stand = |(stage, host): (u32, &'a HostName)| {
            let undoes = self.row.id.undoing_on(host);
            let of_host = || jobs.iter().filter(move |job| job.host == *host);
            let job = of_host().find(|job| job.id != undoes);
            Stand { stage, host, job, undoing: of_host().find(|job| job.id == undoes) }
        };
        hosts.map(stand).collect()
    }
}

/// Where one host of a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stand<'a> {
    /// Its stage, counted from 1.
    pub stage: u32,
    /// The host.
    pub host: &'a HostName,
    /// What runs there, or waits for its stage.
    pub job: Option<&'a JobRow>,
    /// What undoes it there.
    pub undoing: Option<&'a JobRow>,
}

/// The stages for `hosts`, in their order: the first one alone, then `percent` of all, then the rest. A stage without
/// hosts is none.
#[must_use]
pub fn stages(hosts: &[HostName], percent: u32) -> Vec<Vec<HostName>> {
    let part = (hosts.len() * usize::try_from(percent.min(100)).unwrap_or(100)).div_ceil(100);
    let (first, others) = hosts.split_at(hosts.len().min(1));
    let (some, rest) = others.split_at(part.min(others.len()));
    [first, some, rest].into_iter().filter(|stage| !stage.is_empty()).map(<[HostName]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<HostName> {
        (0..count).map(|n| format!("web-{n:03}").parse().expect("a name")).collect()
    }

    #[test]
    fn one_then_a_part_then_the_rest_and_each_host_once() {
        let sizes = |count, percent| stages(&names(count), percent).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(200, 10), [1, 20, 179]);
        assert_eq!(sizes(30, 10), [1, 3, 26]);
        assert_eq!(sizes(5, 1), [1, 1, 3]);
        assert_eq!(sizes(3, 100), [1, 2]);
        assert_eq!((sizes(2, 10), sizes(1, 10)), (vec![1, 1], vec![1]));
        assert!(sizes(0, 10).is_empty());
        assert_eq!(stages(&names(30), 10).concat(), names(30));
    }

    #[test]
    fn how_it_is_is_said_in_one_line() {
        let row = |phase, stage, stopped: Option<&str>, undone| RolloutRow {
            id: JobId::from_uuid(uuid::Uuid::nil()),
            title: "deploy".into(),
            by: "anna".parse().expect("a name"),
            asked: Timestamp::UNIX_EPOCH,
            phase,
            stage,
            sizes: vec![1, 3, 26],
            stopped: stopped.map(str::to_owned),
            undone,
            ended: None,
        };
        let told = |phase, stage, stopped, undone| row(phase, stage, stopped, undone).told();
        assert_eq!(told(RolloutPhase::Held, 0, None, 0), "3 stages; waits for approval");
        assert_eq!(told(RolloutPhase::Runs, 2, None, 0), "stage 2 of 3, 3 hosts: on its way");
        let stops = told(RolloutPhase::Stops, 1, Some("it failed on web-1"), 1);
        assert_eq!(stops, "stage 1 of 3, 1 host: stopped: it failed on web-1; rolled back on 1 host");
        assert_eq!(told(RolloutPhase::Over, 3, None, 0), "stage 3 of 3, 26 hosts: it went to its end");
    }
}
