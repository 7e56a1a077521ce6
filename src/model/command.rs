//! Commands that may be run on hosts: templates with typed arguments, and what becomes of one with its values.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Argument, BadHostName, Course, HostName, Label, Prompt, PromptTemplate};

super::name::name_id! {
    /// The name of a command: the table name under `[commands.*]`.
    CommandName,
    /// A command name that cannot be used.
    BadCommandName, "command"
}

/// How much harm a command can do, and so what it needs before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Runs at once.
    Low,
    /// Whoever asks types the host's name first.
    High,
    /// Other people have to approve it.
    Critical,
}

impl Risk {
    /// Every risk, least first.
    pub const ALL: [Self; 3] = [Self::Low, Self::High, Self::Critical];

    /// The name used in configuration, on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Risk {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|risk| risk.as_str() == text)
            .ok_or_else(|| format!("unknown risk `{text}`; it is low, high or critical"))
    }
}

/// What a second run would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing more than the first.
    Idempotent,
    /// Harm, perhaps. A clock that is wrong, or a spool nobody can vouch for, keeps it off the trigger layer.
    AtMostOnce,
}

/// Which hosts a command may run on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostSelector {
    /// This one.
    Host(HostName),
    /// All with this label; written `@label`.
    Label(Label),
}

impl fmt::Display for HostSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => write!(f, "{name}"),
            Self::Label(label) => write!(f, "@{label}"),
        }
    }
}

impl HostSelector {
    /// Whether it means the host called `name` with these labels.
    #[must_use]
    pub fn means(&self, name: &HostName, labels: &[Label]) -> bool {
        match self {
            Self::Host(host) => host == name,
            Self::Label(label) => labels.contains(label),
        }
    }
}

impl FromStr for HostSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('@') {
            Some(label) => label.parse().map(Self::Label).map_err(|error: super::BadLabel| error.to_string()),
            None => text.parse().map(Self::Host).map_err(|error: BadHostName| error.to_string()),
        }
    }
}

/// A command of the whitelist. A program and its arguments; no shell ever reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandTemplate {
    /// Its name.
    pub name: CommandName,
    /// What it does, in one line.
    pub about: Option<String>,
    /// Where it may run; on an agent every command runs on that host.
    pub hosts: Vec<HostSelector>,
    /// The program and its arguments. A word may hold `{name}`; the value stays within that word.
    pub argv: Vec<String>,
    /// What is typed into a pane instead; `argv` is empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<PromptTemplate>,
    /// Its arguments, by name.
    pub args: Vec<Argument>,
    /// The directory it runs in; the agent's own when absent.
    pub cwd: Option<String>,
    /// Variables beside the few every command gets.
    pub env: BTreeMap<String, String>,
    /// After this time its processes are killed.
    pub timeout: Duration,
    /// How much harm it can do.
    pub risk: Risk,
    /// What a second run would do.
    pub class: Class,
    /// The weakest layer that may carry it; a road that was blocked on purpose shall not lower the guard.
    pub weakest_layer: Option<super::LayerKind>,
    /// How many of it may run at once, over all hosts.
    pub at_once: Option<u32>,
    /// The command that undoes it, for a rollout that goes wrong.
    pub rollback: Option<CommandName>,
    /// The checks of this engine that have to be well before a rollout goes on to its next stage.
    pub checks: Vec<super::CheckId>,
}

/// Exactly what would run, where. Its hash is what is approved, sent, and compared by the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Where.
    pub host: HostName,
    /// Which command of the whitelist.
    pub command: CommandName,
    /// With which values, by name, defaults included.
    pub args: BTreeMap<String, String>,
    /// What that makes: the program and its arguments.
    pub argv: Vec<String>,
    /// What is typed into a pane instead; `argv` is empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Prompt>,
    /// The directory.
    pub cwd: Option<String>,
    /// Variables beside the few every command gets.
    pub env: BTreeMap<String, String>,
    /// What a second run would do.
    pub class: Class,
    /// Milliseconds after which its processes are killed.
    pub timeout_ms: u64,
}

/// SHA-256 of a plan in its canonical form, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanHash(String);

impl PlanHash {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Text that is no hash of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no hash of a plan; it has 64 digits of 0-9 and a-f")]
pub struct BadPlanHash(String);

impl FromStr for PlanHash {
    type Err = BadPlanHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 64 && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadPlanHash(text.to_owned()))
        }
    }
}

impl Plan {
    /// The command and its values, as `todo action=list`.
    #[must_use]
    pub fn title(&self) -> String {
        let values = self.args.iter().map(|(name, value)| format!(" {name}={value}"));
        std::iter::once(self.command.to_string()).chain(values).collect()
    }

    /// The bytes that are hashed: JSON without spaces, fields in the order of this struct, maps by key.
    #[must_use]
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The hash over all of `plans`: of one it is that plan's.
    #[must_use]
    pub fn hash_of_all(plans: &[Self]) -> PlanHash {
        if let [plan] = plans {
            return plan.hash();
        }
        let mut hash = Sha256::new();
        hash.update(b"aurora plans 1\n");
        for plan in plans {
            hash.update(plan.hash().as_str());
        }
        PlanHash(hex::encode(hash.finalize()))
    }

    /// What is shown and approved: the hash over all of `plans`, over how they go from host to host and over what undoes
    /// them. Without stages it is [`Plan::hash_of_all`].
    #[must_use]
    pub fn hash_with(plans: &[Self], course: Option<&Course>) -> PlanHash {
        let all = Self::hash_of_all(plans);
        let Some(course) = course else { return all };
        let mut hash = Sha256::new();
        hash.update(b"aurora rollout 1\n");
        hash.update(all.as_str());
        hash.update(course.canonical());
        PlanHash(hex::encode(hash.finalize()))
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> PlanHash {
        let mut hash = Sha256::new();
        hash.update(b"aurora plan 1\n");
        hash.update(self.canonical());
        PlanHash(hex::encode(hash.finalize()))
    }
}

#[cfg(test)]
impl Plan {
    /// `command` as these words on `host`, with nothing else, to be made more of in tests.
    pub(crate) fn sample(host: &str, command: &str, argv: &[&str]) -> Self {
        Self {
            host: host.parse().expect("a name"),
            command: command.parse().expect("a name"),
            args: BTreeMap::new(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            keys: None,
            cwd: None,
            env: BTreeMap::new(),
            class: Class::AtMostOnce,
            timeout_ms: 30_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_changes_with_everything_that_would_run() {
        let plan = Plan {
            args: BTreeMap::from([("action".into(), "list".into())]),
            ..Plan::sample("web-1", "todo", &["./todo", "list"])
        };
        let hash = plan.hash();
        assert_eq!(hash, plan.clone().hash());
        let known = "aurora plan 1\n{\"host\":\"web-1\",\"command\":\"todo\",\"args\":{\"action\":\"list\"},\
            \"argv\":[\"./todo\",\"list\"],\"cwd\":null,\"env\":{},\"class\":\"at-most-once\",\"timeout_ms\":30000}";
        assert_eq!(hash.as_str(), hex::encode(Sha256::digest(known)), "journals and approvals know it by this form");
        let typed = |text: &str, session: &str| {
            let place = crate::model::PanePlace { session: Some(session.into()), ..crate::model::PanePlace::default() };
            Plan { argv: Vec::new(), keys: Some(Prompt { text: text.into(), place }), ..plan.clone() }
        };
        assert_ne!(typed("a", "x").hash(), typed("b", "x").hash());
        assert_ne!(typed("a", "x").hash(), typed("a", "y").hash());
        assert_eq!(hash.to_string().parse(), Ok(hash.clone()));
        assert!(hash.as_str()[1..].parse::<PlanHash>().is_err());
        let others = [
            Plan { host: "web-2".parse().expect("name"), ..plan.clone() },
            Plan { argv: vec!["./todo list".into()], ..plan.clone() },
            Plan { cwd: Some("/".into()), ..plan.clone() },
            Plan { env: BTreeMap::from([("A".into(), "b".into())]), ..plan.clone() },
            Plan { class: Class::Idempotent, ..plan.clone() },
            Plan { timeout_ms: 1, ..plan.clone() },
        ];
        let two = [plan.clone(), others[0].clone()];
        assert_eq!(Plan::hash_of_all(&two[..1]), hash);
        assert_ne!(Plan::hash_of_all(&two), Plan::hash_of_all(&[plan.clone(), plan.clone()]));
        for other in others {
            assert_ne!(other.hash(), hash, "{other:?}");
        }
    }
}
