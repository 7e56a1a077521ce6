//! Is anything wrong? One answer, for the overview, for `aurora status` and for its exit code.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{CheckPanel, CheckState, EventState, StoreFault, TaskState, age};

use super::Snapshot;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is broken.
    Info,
    /// Look when there is time.
    Warn,
    /// Look now.
    Crit,
}

impl Severity {
    /// The word shown beside the colour.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Crit => "crit",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// What it is.
    pub what: String,
    /// What to do next.
    pub next: String,
}

/// How long refusals stay on the list.
const RECENT: SignedDuration = SignedDuration::from_mins(60);

impl Snapshot {
    /// What is wrong at `now`, worst first.
    #[must_use]
    pub fn problems(&self, now: Timestamp) -> Vec<Problem> {
        let mut problems = Vec::new();
        for task in &self.tasks {
            if task.state == TaskState::Waiting {
                let cause = task.last_error.as_deref().unwrap_or("it ended");
                problems.push(Problem {
                    severity: Severity::Crit,
                    what: format!("{} is not running: {cause}", task.name),
                    next: "it is tried again by itself; `aurora task restart` tries now".to_owned(),
                });
            }
            if let Some(trouble) = &task.trouble {
                problems.push(Problem {
                    severity: Severity::Warn,
                    what: format!("{}: {trouble}", task.name),
                    next: "it goes on as before; this ends by itself when the cause is gone".to_owned(),
                });
            }
        }
        if let Some(trouble) = &self.store {
            let (cannot, refused) = match trouble.fault {
                StoreFault::Corrupt => ("read", "deliveries that need what is broken get 503"),
                _ => ("write", "senders get 503"),
            };
            problems.push(Problem {
                severity: Severity::Crit,
                what: format!(
                    "the store cannot {cannot}: {} on {}; {refused}, {}",
                    trouble.fault,
                    self.state_dir,
                    age(trouble.since, now)
                ),
                next: trouble.fault.advice().to_owned(),
            });
        }
        if let Some(fault) = &self.config.last_error {
            let (what, next) = match &fault.place {
                Some(place) => (
                    format!("the configuration is not in force: {place}: {}", fault.what),
                    "mend the file, it is read again by itself; what ran before goes on",
                ),
                None => (
                    format!("the configuration was not read again: {}", fault.what),
                    "it is tried again by itself; what ran before goes on",
                ),
            };
            problems.push(Problem { severity: Severity::Warn, what, next: next.to_owned() });
        }
        problems.extend(unhealthy(&self.checks, self.isolated, now));
        if self.dead_letters > 0 {
            // Kept for good, but news for a day only.
            let fresh = self.events.iter().any(|event| {
                event.state == EventState::Dead && now.duration_since(event.received) <= SignedDuration::from_hours(24)
            });
            problems.push(Problem {
                severity: if fresh { Severity::Warn } else { Severity::Info },
                what: format!("dead letters, verified and kept but not understood: {}", self.dead_letters),
                next: "aurora events list --dead".to_owned(),
            });
        }
        problems.extend(self.refused(now));
        problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        problems
    }

    /// Recent refusals, summed by channel and reason.
    fn refused(&self, now: Timestamp) -> Vec<Problem> {
        let mut sums: Vec<(Option<&str>, &str, bool, u64, Timestamp)> = Vec::new();
        for rejection in self.rejections.iter().filter(|rejection| now.duration_since(rejection.last) <= RECENT) {
            let key = (rejection.channel.as_deref(), rejection.reason.as_str());
            match sums.iter_mut().find(|(channel, reason, ..)| (*channel, *reason) == key) {
                Some((_, _, _, count, last)) => {
                    *count += rejection.count;
                    *last = (*last).max(rejection.last);
                }
                None => sums.push((key.0, key.1, rejection.alarm, rejection.count, rejection.last)),
            }
        }
        let problem = |(channel, reason, alarm, count, last): (Option<&str>, &str, bool, u64, Timestamp)| Problem {
            severity: if alarm { Severity::Warn } else { Severity::Info },
            what: format!("{count} refused on {} ({reason}), last {}", channel.unwrap_or("no channel"), age(last, now)),
            next: "see Activity, refusals".to_owned(),
        };
        sums.into_iter().map(problem).collect()
    }
}

/// Checks that are not ok, and the observer itself.
fn unhealthy(checks: &[CheckPanel], isolated: Option<Timestamp>, now: Timestamp) -> Vec<Problem> {
    let observer = isolated.map(|since| Problem {
        severity: Severity::Crit,
        what: format!(
            "observer isolated ({}): no witness answers, checks over the network say nothing",
            age(since, now)
        ),
        next: "look at this machine's own network, then at `[health] witnesses`".to_owned(),
    });
    let one = |check: &CheckPanel| {
        let severity = match check.state {
            CheckState::Critical => Severity::Crit,
            CheckState::Warn | CheckState::Stale => Severity::Warn,
            _ if check.flapping => Severity::Warn,
            // Before the first look there is nothing to tell, and isolation is told once for all.
            CheckState::Unknown if check.last.is_some() && !(isolated.is_some() && check.kind.needs_network()) => {
                Severity::Info
            }
            CheckState::Unknown | CheckState::Ok => return None,
        };
        let state = if check.flapping { "flapping" } else { check.state.as_str() };
        let cause = check.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
        // What a cause belongs to when it is not what the state says.
        let soft = check.soft.map(|soft| format!(", {} of {} say {}", soft.count, soft.of, soft.state.as_str()));
        let soft = soft.unwrap_or_default();
        Some(Problem {
            severity,
            what: format!("check {} is {state} ({}){soft}{cause}", check.id, age(check.since, now)),
            next: format!("aurora check run {} --explain", check.id),
        })
    };
    observer.into_iter().chain(checks.iter().filter(|check| check.enabled).filter_map(one)).collect()
}

/// The worst of `problems`.
#[must_use]
pub fn severity(problems: &[Problem]) -> Option<Severity> {
    problems.iter().map(|problem| problem.severity).max()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::model::{CheckKind, Strip};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn check(id: &str, state: CheckState) -> CheckPanel {
        CheckPanel {
            id: id.parse().expect("an id"),
            kind: CheckKind::Http,
            target: "http://example.org/".into(),
            state,
            since: at(-720),
            cause: (state != CheckState::Ok).then(|| "status == 200: got 503".into()),
            soft: None,
            flapping: false,
            last: Some(at(-5)),
            next: None,
            latency: None,
            phases: Vec::new(),
            p50: None,
            p95: None,
            p99: None,
            uptime_24h: None,
            strip: Strip::default(),
            interval: Duration::from_secs(30),
            enabled: true,
        }
    }

    fn problems(checks: &[CheckPanel], isolated: Option<Timestamp>) -> Vec<(Severity, String)> {
        let mut found = unhealthy(checks, isolated, at(0));
        found.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        found.into_iter().map(|problem| (problem.severity, problem.what)).collect()
    }

    #[test]
    fn checks_are_problems_as_bad_as_they_stand() {
        let flapping = CheckPanel { flapping: true, ..check("f", CheckState::Ok) };
        let off = CheckPanel { enabled: false, ..check("x", CheckState::Critical) };
        let new = CheckPanel { last: None, cause: None, ..check("n", CheckState::Unknown) };
        let states = [CheckState::Ok, CheckState::Unknown, CheckState::Stale, CheckState::Warn, CheckState::Critical];
        let mut checks: Vec<CheckPanel> = states.into_iter().map(|state| check(state.as_str(), state)).collect();
        checks.extend([flapping, off, new]);
        let found = problems(&checks, None);
        let severities: Vec<Severity> = found.iter().map(|(severity, _)| *severity).collect();
        assert_eq!(severities, [Severity::Crit, Severity::Warn, Severity::Warn, Severity::Warn, Severity::Info]);
        assert_eq!(found[0].1, "check critical is critical (12m): status == 200: got 503");
        assert!(found.iter().any(|(_, what)| what.starts_with("check f is flapping")), "{found:?}");
    }

    #[test]
    fn isolation_is_one_problem() {
        let checks: Vec<CheckPanel> = (0..50).map(|n| check(&format!("c{n}"), CheckState::Unknown)).collect();
        let found = problems(&checks, Some(at(-300)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == Severity::Crit && found[0].1.starts_with("observer isolated (5m)"));
    }
}
