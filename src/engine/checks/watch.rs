//! One check while the engine runs: its plan, its state, and how it is shown.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::config::{CheckConfig, target_line};
use crate::federation::{Judgement, Own};
use crate::health::{Announcement, Beat, Due, Ledger, Tracker};
use crate::model::{CheckPanel, CheckState, Failure, NodeName, Observation, Phase, Sight, Sights, Target, Verdict};
use crate::store::CheckResult;

use super::votes::Votes;

/// A check and the secrets of its target.
#[derive(Debug)]
pub(super) struct Prepared {
    pub config: Arc<CheckConfig>,
    /// Its target with the secrets in it, when it has any.
    pub secret: Option<Target>,
}

impl Prepared {
    /// Whether both are looked at alike. Where a secret stands in the file is no difference, its value is.
    pub(super) fn same(&self, other: &Self) -> bool {
        let bare = |one: &Self| CheckConfig { secret_headers: Vec::new(), ..CheckConfig::clone(&one.config) };
        self.target() == other.target() && bare(self) == bare(other)
    }

    /// What is looked at, with the secrets in it.
    pub(super) fn target(&self) -> &Target {
        self.secret.as_ref().unwrap_or(&self.config.target)
    }
}

/// What is shown of the last result.
#[derive(Debug)]
struct Last {
    verdict: Verdict,
    took: Duration,
    phases: Box<[(Phase, Duration)]>,
}

/// What survives a restart.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    tracker: Tracker,
    last: Option<Timestamp>,
    cause: Option<String>,
    /// How it stood by the word of several nodes, where they have to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    judged: Option<Judgement>,
}

/// Whether it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Idle,
    /// For its turn; it was due then.
    Waiting(Duration),
    /// Since then.
    Looking(Duration),
}

/// One check.
#[derive(Debug)]
pub(super) struct Watch {
    pub plan: Arc<Prepared>,
    /// What limits of looks at once are counted by.
    pub host: Arc<str>,
    /// Whether it says nothing while this machine is cut off.
    pub gated: bool,
    pub beat: Beat,
    pub due: Due,
    pub activity: Activity,
    /// Who waits for the result of the look that is going on.
    pub asked: Vec<oneshot::Sender<Observation>>,
    pub ledger: Ledger,
    tracker: Tracker,
    last: Option<Last>,
    last_at: Option<Timestamp>,
    cause: Option<String>,
    /// How it stands by the word of several nodes, and what each of them sees.
    judged: Option<Judgement>,
    sights: Option<Sights>,
    /// What was last kept.
    kept: (Tracker, Option<Judgement>),
}

/// What the word of other nodes came to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Something is shown otherwise.
    pub is_news: bool,
    /// It stands otherwise, and that is to be told.
    pub told: Option<CheckState>,
    /// To be kept.
    pub state: Option<String>,
}

/// What a result came to.
pub(super) struct Settled {
    pub told: Vec<Announcement>,
    /// To be kept in full.
    pub failure: Option<Failure>,
    /// To be kept: more than a count has changed.
    pub state: Option<String>,
}

impl Watch {
    /// A check as `state` says it was, looked at from `now` on.
    pub(super) fn new(plan: Arc<Prepared>, state: Option<&str>, now: Duration, wall: Timestamp) -> Self {
        let kept: Option<Kept> = state.and_then(|state| serde_json::from_str(state).ok());
        let (tracker, last_at, cause, judged) = match kept {
            Some(kept) => (kept.tracker, kept.last, kept.cause, kept.judged),
            None => (Tracker::new(wall), None, None, None),
        };
        let judged = judged.filter(|_| plan.config.vantage.is_some());
        let beat = Beat::new(&plan.config.id, plan.config.interval);
        Self {
            host: host(plan.target()),
            gated: is_gated(plan.target()),
            due: beat.first(now, None),
            beat,
            activity: Activity::Idle,
            asked: Vec::new(),
            ledger: Ledger::new(plan.config.interval),
            kept: (tracker.clone(), judged.clone()),
            tracker,
            last: None,
            last_at,
            cause,
            judged,
            sights: None,
            plan,
        }
    }

    /// It is looked at otherwise from `now` on. What is known stays.
    pub(super) fn change(&mut self, plan: Arc<Prepared>, now: Duration) {
        self.host = host(plan.target());
        self.gated = is_gated(plan.target());
        self.beat = Beat::new(&plan.config.id, plan.config.interval);
        self.due = self.beat.first(now, None);
        self.ledger.set_interval(plan.config.interval);
        self.plan = plan;
    }

    /// It is no longer watched; only what is to be written down is of interest.
    pub(super) fn leave(&mut self) {
        self.activity = Activity::Idle;
        self.asked.clear();
    }

    /// A result from before the start. The kept state may not know it, and does not say how long it took.
    pub(super) fn recall(&mut self, result: &CheckResult) {
        if self.last_at <= Some(result.at) {
            self.last_at = Some(result.at);
            self.last = Some(Last { verdict: result.verdict, took: result.took, phases: Box::default() });
        }
    }

    /// Plans the first look at `now`, knowing how old the last result is.
    pub(super) fn plan_first(&mut self, now: Duration, wall: Timestamp) {
        let age = self.last_at.and_then(|last| Duration::try_from(wall.duration_since(last)).ok());
        self.due = self.beat.first(now, age);
    }

    /// Takes in a result.
    pub(super) fn settle(&mut self, observation: &Observation, wall: Timestamp) -> Settled {
        let alert = &self.plan.config.alert;
        let before = (self.tracker.state(alert), self.tracker.is_flapping());
        let told = self.tracker.note(observation.verdict, alert, wall);
        let after = (self.tracker.state(alert), self.tracker.is_flapping());
        self.ledger.note(observation.at, observation.verdict, observation.took);
        self.last_at = Some(observation.at);
        // While a failure is confirmed, a first success does not take its cause away.
        if observation.cause.is_some() || after.0 == CheckState::Ok {
            self.cause.clone_from(&observation.cause);
        }
        let phases = observation.phases.as_slice().into();
        self.last = Some(Last { verdict: observation.verdict, took: observation.took, phases });
        let failed = matches!(observation.verdict, Verdict::Warn | Verdict::Critical);
        let failure = failed.then(|| Failure { state: after.0, observation: observation.clone() });
        let state = if before == after && told.is_empty() { None } else { self.keep() };
        Settled { told, failure, state }
    }

    /// Judges it by what every node sees that has to agree; a check of one node stands as that one sees it.
    pub(super) fn judge(&mut self, me: Option<&NodeName>, votes: &Votes, wall: Timestamp) -> Judged {
        let config = &self.plan.config;
        let (Some(me), Some(vantage), true) = (me, &config.vantage, config.enabled) else {
            let was = (self.judged.take(), self.sights.take());
            return Judged { is_news: was != (None, None), ..Judged::default() };
        };
        let alert = &config.alert;
        let own =
            Own { state: self.tracker.state(alert), since: self.tracker.since(alert), cause: self.cause.as_deref() };
        let sight = |node: &NodeName| Sight {
            node: node.clone(),
            state: if node == me { (!votes.cut_off).then_some(own.state) } else { votes.vote(&config.id, node) },
        };
        let seen: Vec<Sight> = vantage.nodes.iter().map(sight).collect();
        let before = self.judged.as_ref();
        let now_is = Judgement::of(before, own, (vantage.need, &seen), votes.are_in(&config.id), wall);
        let sights = Some(Sights { own: own.state, need: vantage.need, seen });
        let stood = before.map_or(CheckState::Ok, |before| before.state);
        let is_news = before != Some(&now_is) || self.sights != sights;
        let told = (stood != now_is.state && now_is.state != CheckState::Unknown).then_some(now_is.state);
        let is_kept = before.is_some_and(|before| before.stands_as(&now_is));
        (self.judged, self.sights) = (Some(now_is), sights);
        Judged { is_news, told, state: if is_kept { None } else { self.keep() } }
    }

    /// Whether several nodes have to agree on how it stands.
    pub(super) fn is_judged(&self) -> bool {
        self.judged.is_some()
    }

    /// Whether it flaps for this node.
    pub(super) fn is_flapping(&self) -> bool {
        self.tracker.is_flapping()
    }

    /// Why it stands as it does.
    pub(super) fn cause(&self) -> Option<&str> {
        self.judged.as_ref().and_then(|judged| judged.why.as_deref()).or(self.cause.as_deref())
    }

    /// When to look again sooner than planned: after a failure that is not confirmed yet. A retry that would all but
    /// meet the planned look is none, or one failure would count twice.
    pub(super) fn retry(&self, now: Duration) -> Option<Due> {
        let alert = &self.plan.config.alert;
        let failed = self.last.as_ref().is_some_and(|last| matches!(last.verdict, Verdict::Warn | Verdict::Critical));
        let soft = self.tracker.soft(alert).is_some_and(|soft| soft.state > self.tracker.state(alert));
        let retry = self.plan.config.retry;
        let due = Due { at: now + retry, number: self.due.number.saturating_sub(1) };
        (failed && soft && due.at + retry / 2 <= self.due.at).then_some(due)
    }

    /// What is to be kept when it has changed since it was kept last.
    pub(super) fn changed(&mut self) -> Option<String> {
        if self.kept.0 == self.tracker && self.kept.1 == self.judged { None } else { self.keep() }
    }

    fn keep(&mut self) -> Option<String> {
        let (tracker, judged) = (self.tracker.clone(), self.judged.clone());
        self.kept = (tracker.clone(), judged.clone());
        let kept = Kept { tracker, last: self.last_at, cause: self.cause.clone(), judged };
        serde_json::to_string(&kept).ok()
    }

    /// As it is shown. `next` is the moment of its next look.
    pub(super) fn panel(&self, next: Option<Timestamp>, wall: Timestamp) -> CheckPanel {
        let config = &self.plan.config;
        let figures = self.ledger.figures(wall);
        let known = self.last.as_ref().filter(|last| last.verdict != Verdict::Unknown);
        let [p50, p95, p99] = figures.quantiles;
        let alone = || (self.tracker.state(&config.alert), self.tracker.since(&config.alert));
        let (state, since) = self.judged.as_ref().map_or_else(alone, |judged| (judged.state, judged.since));
        CheckPanel {
            id: config.id.clone(),
            kind: config.target.kind(),
            target: target_line(&config.target),
            state,
            since,
            cause: self.cause().map(str::to_owned),
            soft: self.tracker.soft(&config.alert),
            flapping: self.tracker.is_flapping(),
            last: self.last_at,
            next: next.filter(|_| config.enabled),
            latency: known.map(|last| last.took),
            phases: known.map(|last| last.phases.to_vec()).unwrap_or_default(),
            p50,
            p95,
            p99,
            uptime_24h: figures.uptime,
            strip: self.ledger.strip(wall),
            interval: config.interval,
            enabled: config.enabled,
            sights: self.sights.clone(),
        }
    }
}

/// What limits of looks at once are counted by.
fn host(target: &Target) -> Arc<str> {
    match target {
        Target::Http(target) => target.address.endpoint.host.as_str().into(),
        Target::Tcp(target) => target.endpoint.host.as_str().into(),
        Target::Tls(target) => target.endpoint.host.as_str().into(),
        Target::Process(_) | Target::Disk(_) | Target::Memory | Target::Load => "".into(),
    }
}

/// A target on this machine answers whatever the network does.
fn is_gated(target: &Target) -> bool {
    let host = host(target);
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    target.kind().needs_network() && !loopback && &*host != "localhost"
}

#[cfg(test)]
mod tests {
    use crate::config;

    use super::*;

    fn prepared(url: &str, more: &str) -> Arc<Prepared> {
        let text = format!("[[checks]]\nid = \"web\"\ntype = \"http\"\nurl = \"{url}\"\n{more}");
        let config = config::parse(&text, None).unwrap_or_else(|error| panic!("{error}"));
        Arc::new(Prepared { config: Arc::clone(&config.health.checks[0]), secret: None })
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn seen(second: i64, verdict: Verdict) -> Observation {
        Observation {
            at: at(second),
            took: Duration::from_millis(4),
            verdict,
            cause: (verdict != Verdict::Ok).then(|| "status == 200: got 503".to_owned()),
            phases: Vec::new(),
            values: vec![("status".into(), crate::model::Value::Number(503.0))],
            steps: Vec::new(),
        }
    }

    #[test]
    fn a_restart_neither_forgets_nor_tells_again() {
        let plan = prepared("http://127.0.0.1/", "");
        let mut watch = Watch::new(Arc::clone(&plan), None, NOW, at(0));
        let mut kept = None;
        for (n, verdict) in
            [Verdict::Ok, Verdict::Critical, Verdict::Critical, Verdict::Critical].into_iter().enumerate()
        {
            let settled = watch.settle(&seen(i64::try_from(n).expect("small"), verdict), at(30));
            assert_eq!(settled.failure.is_some(), verdict == Verdict::Critical);
            kept = settled.state.or(kept);
        }
        let mut again = Watch::new(plan, kept.as_deref(), NOW, at(600));
        let panel = again.panel(None, at(600));
        assert_eq!((panel.state, panel.since, panel.last), (CheckState::Critical, at(30), Some(at(3))));
        assert_eq!(panel.cause.as_deref(), Some("status == 200: got 503"));
        assert!(again.settle(&seen(601, Verdict::Critical), at(601)).told.is_empty(), "it was told");
        again.settle(&seen(602, Verdict::Ok), at(602));
        assert!(again.panel(None, at(602)).cause.is_some(), "one success confirms nothing");
        let told = again.settle(&seen(603, Verdict::Ok), at(603)).told;
        assert_eq!(told, [Announcement::State(CheckState::Ok)]);
        assert_eq!(again.panel(None, at(603)).cause, None);
    }

    #[test]
    fn only_failures_that_are_not_confirmed_hurry() {
        let mut watch = Watch::new(prepared("http://127.0.0.1/", "retry = \"5s\"\n"), None, NOW, at(0));
        watch.due = watch.beat.after(NOW);
        let looked = watch.due.at;
        watch.due = watch.beat.after(looked);
        let mut hurry = |verdict, after: u64| {
            watch.settle(&seen(1, verdict), at(1));
            watch.retry(looked + Duration::from_secs(after)).map(|due| due.at.saturating_sub(looked).as_secs())
        };
        assert_eq!(hurry(Verdict::Ok, 0), None);
        assert_eq!((hurry(Verdict::Critical, 0), hurry(Verdict::Critical, 5)), (Some(5), Some(10)));
        assert_eq!(hurry(Verdict::Critical, 10), None, "it is confirmed");
        assert_eq!(hurry(Verdict::Ok, 15), None, "a recovery has time");
    }

    #[test]
    fn a_retry_never_meets_the_planned_look() {
        for (more, after, retried) in [("", 0, false), ("retry = \"10s\"\n", 19, false), ("retry = \"10s\"\n", 9, true)]
        {
            let mut watch = Watch::new(prepared("http://127.0.0.1/", more), None, NOW, at(0));
            let looked = watch.beat.after(NOW).at;
            watch.due = watch.beat.after(looked);
            watch.settle(&seen(1, Verdict::Critical), at(1));
            assert_eq!(watch.retry(looked + Duration::from_secs(after)).is_some(), retried, "{more} {after}");
        }
    }

    #[test]
    fn loopback_needs_no_network() {
        let gated = |url| is_gated(prepared(url, "").target());
        assert!(!gated("http://127.0.0.1:1/") && !gated("http://[::1]:1/") && !gated("http://localhost/"));
        assert!(gated("http://example.org/"));
        assert!(!is_gated(&Target::Memory));
    }

    #[test]
    fn another_plan_keeps_what_is_known() {
        let mut watch = Watch::new(prepared("http://127.0.0.1/", ""), None, NOW, at(0));
        for n in 0..3 {
            watch.settle(&seen(n, Verdict::Critical), at(n));
        }
        watch.change(prepared("http://127.0.0.1/other", "interval = \"10s\"\n"), NOW);
        let panel = watch.panel(None, at(9));
        assert_eq!((panel.state, panel.interval), (CheckState::Critical, Duration::from_secs(10)));
        assert_eq!(panel.uptime_24h, Some(0.0));
        assert!(panel.target.ends_with("/other"));
    }
}
