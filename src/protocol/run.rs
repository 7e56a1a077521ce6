//! The wish to run a command, before it was judged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{CommandName, Course, HostName, HostSelector, JobId, Lane, LayerKind, Pace, Plan, PlanHash, Risk};

/// What somebody wants run. Nothing in it is believed: the whitelist makes a plan of it or refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What the job is called; whoever asks makes it, so that asking again runs it once. With several hosts it is the
    /// name of the rollout, and each host's job has an id of its own made from it.
    pub id: JobId,
    /// Where.
    pub on: HostSelector,
    /// Of several hosts only the one with the least load.
    pub any: bool,
    /// Which command.
    pub command: CommandName,
    /// Its values, by name.
    pub args: BTreeMap<String, String>,
    /// Only this layer.
    pub layer: Option<LayerKind>,
    /// Who goes first.
    pub lane: Lane,
    /// The host's name (or `@label`), typed by a person; commands of high risk need it.
    pub confirm: Option<String>,
    /// The plan hash the person has seen; another plan is then refused.
    pub seen: Option<PlanHash>,
    /// How it goes over several hosts.
    #[serde(default)]
    pub pace: Pace,
}

#[cfg(test)]
impl Draft {
    /// The command `todo`, without values, on `on`; to be made more of in tests.
    pub(crate) fn sample(on: &str) -> Self {
        Self {
            id: JobId::from_uuid(uuid::Uuid::now_v7()),
            on: on.parse().expect("a selector"),
            any: false,
            command: "todo".parse().expect("a name"),
            args: BTreeMap::new(),
            layer: None,
            lane: Lane::Normal,
            confirm: None,
            seen: None,
            pace: Pace::default(),
        }
    }
}

/// What would run, and what it needs: the answer to a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Exactly what would run, one plan a host.
    pub plans: Vec<Plan>,
    /// The hash over all of them and over how they go: what is approved.
    pub hash: PlanHash,
    /// The layer that would carry each now, by host.
    pub layers: Vec<(HostName, Option<LayerKind>)>,
    /// How much harm it can do.
    pub risk: Risk,
    /// How many other people have to say yes first.
    pub need: u32,
    /// What has to be typed first.
    pub confirm: Option<String>,
    /// Why it would be refused, if it would: the rule and a sentence.
    pub refused: Option<(String, String)>,
    /// How it would go over several hosts; `None` for one, and to all at once.
    #[serde(default)]
    pub rollout: Option<Course>,
}
