//! Is anything wrong? One answer, for the overview, for `aurora status` and for its exit code.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{CheckPanel, CheckState, EventState, Rejection, StoreFault, TaskState, age};

use super::{Need, Snapshot, bridge_problems, node_problems};

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
    /// What it is about, as `check shop`: the same for as long as it lasts, whatever its figures.
    #[serde(skip)]
    pub about: String,
    /// How much it matters.
    pub severity: Severity,
    /// What it is.
    pub what: String,
    /// What to do next.
    pub next: String,
}

/// A problem, what it is about, since when it is one, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it is about.
    pub need: Need,
    /// Since when.
    pub since: Timestamp,
    /// How often it happened, where that is counted.
    pub count: Option<u64>,
    /// The problem.
    pub problem: Problem,
}

impl Trouble {
    pub(super) fn new(need: Need, since: Timestamp, severity: Severity, what: String, next: impl Into<String>) -> Self {
        let problem = Problem { about: need.to_string(), severity, what, next: next.into() };
        Self { need, since, count: None, problem }
    }

    /// What it is, for where its age stands beside it.
    #[must_use]
    pub fn without_age(&self, now: Timestamp) -> String {
        self.problem.what.replacen(&format!(" ({})", age(self.since, now)), "", 1)
    }

    fn often(self, count: u64) -> Self {
        Self { count: (count > 0).then_some(count), ..self }
    }
}

/// How long a check that was started may be unknown before it is told: three looks at the usual pace.
const FIRST_LOOKS: SignedDuration = SignedDuration::from_secs(90);
/// How long refusals stay on the list.
const RECENT: SignedDuration = SignedDuration::from_mins(60);

impl Snapshot {
    /// What is wrong at `now`, worst first; among what is equally bad in the order of [`Snapshot::urgent`].
    #[must_use]
    pub fn problems(&self, now: Timestamp) -> Vec<Problem> {
        self.troubles(now).into_iter().map(|trouble| trouble.problem).collect()
    }

    /// The same, with what each is about.
    #[must_use]
    pub fn troubles(&self, now: Timestamp) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        for task in &self.tasks {
            let need = || Need::Task(task.name.clone());
            if task.state == TaskState::Waiting {
                let cause = task.last_error.as_deref().unwrap_or("it ended");
                let what = format!("{} is not running: {cause}", task.name);
                let next = "it is tried again by itself; `aurora task restart` tries now";
                let trouble = Trouble::new(need(), task.since, Severity::Crit, what, next);
                troubles.push(trouble.often(task.restarts));
            }
            if let Some(trouble) = &task.trouble {
                let next = "it goes on as before; this ends by itself when the cause is gone";
                let what = format!("{}: {trouble}", task.name);
                troubles.push(Trouble::new(need(), task.since, Severity::Warn, what, next));
            }
        }
        if let Some(trouble) = &self.store {
            let (cannot, refused) = match trouble.fault {
                StoreFault::Corrupt => ("read", "deliveries that need what is broken get 503"),
                _ => ("write", "senders get 503"),
            };
            let what = format!(
                "the store cannot {cannot}: {} on {}; {refused}, {}",
                trouble.fault,
                self.state_dir,
                age(trouble.since, now)
            );
            troubles.push(Trouble::new(Need::Store, trouble.since, Severity::Crit, what, trouble.fault.advice()));
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
            troubles.push(Trouble::new(Need::Configuration, fault.at, Severity::Warn, what, next));
        }
        troubles.extend(unhealthy(&self.checks, self.isolated, now));
        troubles.extend(bridge_problems::troubles(&self.bridge, now));
        troubles.extend(node_problems::troubles(&self.nodes, now));
        if self.dead_letters > 0 {
            // Kept for good, but news for a day only.
            let newest = self.events.iter().filter(|event| event.state == EventState::Dead).map(|event| event.received);
            let newest = newest.max();
            let fresh = newest.is_some_and(|newest| now.duration_since(newest) <= SignedDuration::from_hours(24));
            let trouble = Trouble::new(
                Need::DeadLetters,
                newest.unwrap_or(self.started),
                if fresh { Severity::Warn } else { Severity::Info },
                format!("dead letters, verified and kept but not understood: {}", self.dead_letters),
                "aurora events list --dead",
            );
            troubles.push(trouble.often(self.dead_letters));
        }
        troubles.extend(self.refused(now));
        troubles.sort_by_key(|trouble| {
            let severity = trouble.problem.severity;
            (std::cmp::Reverse(severity), trouble.need.rank(severity), trouble.since)
        });
        troubles
    }

    /// Recent refusals, summed by channel and reason.
    fn refused(&self, now: Timestamp) -> Vec<Trouble> {
        let mut sums: Vec<Rejection> = Vec::new();
        for rejection in self.rejections.iter().filter(|rejection| now.duration_since(rejection.last) <= RECENT) {
            match sums.iter_mut().find(|sum| (&sum.channel, &sum.reason) == (&rejection.channel, &rejection.reason)) {
                Some(sum) => {
                    sum.count += rejection.count;
                    sum.first = sum.first.min(rejection.first);
                    sum.last = sum.last.max(rejection.last);
                }
                None => sums.push(rejection.clone()),
            }
        }
        let trouble = |sum: Rejection| {
            let severity = if sum.alarm { Severity::Warn } else { Severity::Info };
            let channel = sum.channel.as_deref().unwrap_or("no channel");
            let what = format!("{} refused on {channel} ({}), last {}", sum.count, sum.reason, age(sum.last, now));
            let need = Need::Refused(sum.channel, sum.reason);
            Trouble::new(need, sum.first, severity, what, "see Activity, refusals").often(sum.count)
        };
        sums.into_iter().map(trouble).collect()
    }
}

/// Checks that are not ok, and the observer itself.
fn unhealthy(checks: &[CheckPanel], isolated: Option<Timestamp>, now: Timestamp) -> Vec<Trouble> {
    let observer = isolated.map(|since| {
        let what =
            format!("observer isolated ({}): no witness answers, checks over the network say nothing", age(since, now));
        let next = "look at this machine's own network, then at `[health] witnesses`";
        Trouble::new(Need::Isolation, since, Severity::Crit, what, next)
    });
    let one = |check: &CheckPanel| {
        let severity = match check.state {
            CheckState::Critical => Severity::Crit,
            CheckState::Warn | CheckState::Stale => Severity::Warn,
            _ if check.flapping => Severity::Warn,
            // It has just been started: what its first looks say is about to be confirmed.
            CheckState::Unknown if check.soft.is_some() && now.duration_since(check.since) < FIRST_LOOKS => {
                return None;
            }
            // Before the first look there is nothing to tell, and isolation is told once for all.
            CheckState::Unknown if check.last.is_some() && !(isolated.is_some() && check.kind.needs_network()) => {
                Severity::Info
            }
            CheckState::Unknown | CheckState::Ok => return None,
        };
        let state = if check.flapping { "flapping" } else { check.state.as_str() };
        let cause = check.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
        // What a cause belongs to when it is not what the state says.
        let soft = check.soft.map(|soft| format!(", {}", soft.told())).unwrap_or_default();
        let what = format!("check {} is {state} ({}){soft}{cause}", check.id, age(check.since, now));
        let next = format!("aurora check run {} --explain", check.id);
        Some(Trouble::new(Need::Check(check.id.clone()), check.since, severity, what, next))
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

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn check(id: &str, state: CheckState) -> CheckPanel {
        CheckPanel {
            cause: (state != CheckState::Ok).then(|| "status == 200: got 503".into()),
            last: Some(at(-5)),
            ..CheckPanel::sample(id, state, at(-720))
        }
    }

    fn problems(checks: &[CheckPanel], isolated: Option<Timestamp>) -> Vec<(Severity, String)> {
        let mut found = unhealthy(checks, isolated, at(0));
        found.sort_by_key(|trouble| std::cmp::Reverse(trouble.problem.severity));
        found.into_iter().map(|trouble| (trouble.problem.severity, trouble.problem.what)).collect()
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
        assert_eq!(found[0].1, "check critical is critical (10m): status == 200: got 503");
        assert!(found.iter().any(|(_, what)| what.starts_with("check f is flapping")), "{found:?}");
    }

    #[test]
    fn what_was_just_started_is_not_told_before_it_can_be_confirmed() {
        let soft = crate::model::Soft { state: CheckState::Warn, count: 1, of: 3 };
        let new = CheckPanel { soft: Some(soft), since: at(-30), ..check("load", CheckState::Unknown) };
        assert_eq!(problems(std::slice::from_ref(&new), None), []);
        let old = CheckPanel { since: at(-120), ..new };
        let told = "check load is unknown (1m), warn seen once, 3 in a row count: status == 200: got 503";
        assert_eq!(problems(&[old], None), [(Severity::Info, told.to_owned())]);
    }

    #[test]
    fn isolation_is_one_problem() {
        let checks: Vec<CheckPanel> = (0..50).map(|n| check(&format!("c{n}"), CheckState::Unknown)).collect();
        let found = problems(&checks, Some(at(-300)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == Severity::Crit && found[0].1.starts_with("observer isolated (4m)"));
    }
}
