//! How a command goes over several hosts, settled before it begins: what is shown and approved together with its plans.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CheckId, HostName, Pace, Undoing, short_duration};

/// How a command goes over several hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// The hosts of each stage, in order.
    pub stages: Vec<Vec<HostName>>,
    /// How it goes from one to the next.
    pub pace: Pace,
    /// The checks that have to be well before the next one.
    pub checks: Vec<CheckId>,
    /// What undoes it when it goes wrong, if anything does.
    pub undoing: Option<Undoing>,
}

impl Course {
    /// The bytes that are hashed: JSON without spaces, fields in the order of this struct.
    #[must_use]
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// All of it but the words of what undoes it, as labels of at most 9 letters and their texts.
    #[must_use]
    pub fn told(&self) -> Vec<(String, String)> {
        let stage = |(number, hosts): (usize, &Vec<HostName>)| {
            let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
            (format!("stage {number}"), hosts.join(", "))
        };
        let mut told: Vec<(String, String)> = (1..).zip(&self.stages).map(stage).collect();
        let settle = short_duration(Duration::from_millis(self.pace.settle_ms));
        let checks: Vec<String> = self.checks.iter().map(|check| format!(", and {check} is well")).collect();
        told.push(("between".into(), format!("{settle} pass, the hosts that have it are reached{}", checks.concat())));
        told.push(("stops".into(), format!("when it went wrong on {}", self.pace.failures_max.max(1))));
        let first = self.undoing.as_ref().and_then(|undoing| Some((undoing.plans.first()?, undoing.risk)));
        told.push(match first {
            Some((plan, risk)) => {
                let command = &plan.command;
                ("rollback".into(), format!("{command} ({risk} risk), where it ran, when it stops for what went wrong"))
            }
            None => ("rollback".into(), "none: where it ran it stays".into()),
        });
        told
    }
}
