//! `[policy]`: what commands need before they run, and how rollouts go.

use std::time::Duration;

use serde_json::{Value, json};
use toml::Spanned;

use super::command_file::PolicyFile;
use super::mistake::Mistake;
use super::period::{period, period_text};

/// What commands need before they run, and how rollouts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyConfig {
    /// How many other people have to say yes to a critical command; at least 1.
    pub quorum: u32,
    /// How long they have for it.
    pub approval_expires: Duration,
    /// The part of a rollout's hosts that comes after the first one and before the rest, in percent.
    pub canary_percent: u32,
    /// Whether a rollout that fails is undone where it has run.
    pub auto_rollback: bool,
}

/// Times that can be given for an answer.
const EXPIRES: std::ops::RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24 * 30);

impl PolicyConfig {
    pub(super) fn new(typed: &PolicyFile) -> Result<Self, Mistake> {
        let number = |typed: Option<&Spanned<u32>>, within: std::ops::RangeInclusive<u32>, usual| match typed {
            None => Ok(usual),
            Some(number) if within.contains(number.get_ref()) => Ok(*number.get_ref()),
            Some(number) => Err(Mistake::at(number, format!("it is {} to {}", within.start(), within.end()))),
        };
        let approval_expires = match &typed.approval_expires {
            None => Duration::from_hours(1),
            Some(typed) => {
                let expires = period(typed.get_ref()).map_err(|error| Mistake::at(typed, error))?;
                if !EXPIRES.contains(&expires) {
                    return Err(Mistake::at(typed, "people have 1m to 30d for their answer"));
                }
                expires
            }
        };
        Ok(Self {
            quorum: number(typed.require_quorum_for_critical.as_ref(), 1..=16, 2)?,
            approval_expires,
            canary_percent: number(typed.canary_percent.as_ref(), 1..=100, 10)?,
            auto_rollback: typed.auto_rollback_on_failure.unwrap_or(true),
        })
    }

    /// It as `config print` shows it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "require_quorum_for_critical": self.quorum,
            "approval_expires": period_text(self.approval_expires),
            "canary_percent": self.canary_percent,
            "auto_rollback_on_failure": self.auto_rollback,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn mistakes_are_shown_at_their_place() {
        let cases = [
            ("[policy]\nrequire_quorum_for_critical = 0\n", (2, 31), "1 to 16"),
            ("[policy]\napproval_expires = \"1s\"\n", (2, 20), "1m to 30d"),
            ("[policy]\napproval_expires = \"soon\"\n", (2, 20), "length of time"),
            ("[policy]\ncanary_percent = 101\n", (2, 18), "1 to 100"),
            ("[policy]\ndry_rum = true\n", (2, 1), "dry_rum"),
        ];
        for (text, place, words) in cases {
            let error = parse(text, None).expect_err(text);
            assert_eq!(error.position(), Some(place), "{error}");
            assert!(error.message.contains(words), "{error}");
        }
    }
}
