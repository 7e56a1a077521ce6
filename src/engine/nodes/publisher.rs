//! What this node shares: what there is now against what was shared last, so that asking twice shares nothing twice.
//! Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};

use crate::model::{ChannelStats, CheckPanel, CheckState, JobRow, SharedKind, TaskStatus};
use crate::protocol::{BODY_BYTES, BridgeNotice, Notice, Snapshot};

/// Between two entries about the counts of one channel.
const COUNTS: SignedDuration = SignedDuration::from_secs(2);
/// Between two entries about one check or task whose figures alone have changed.
const FIGURES: SignedDuration = SignedDuration::from_mins(1);
/// Longest subject of an entry, in bytes.
const SUBJECT: usize = 256;
/// Jobs that stay shared; the oldest are taken back when there are twice as many.
const JOBS: usize = 50;
/// What an entry says whose subject is there no more.
pub(super) const GONE: &str = "null";

/// An entry that is to be written.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub kind: SharedKind,
    pub subject: String,
    pub body: Box<RawValue>,
}

/// What is wrong with a check, or that nothing is any more.
#[derive(Debug, Serialize)]
struct Incident<'a> {
    state: &'a str,
    since: Timestamp,
    cause: Option<&'a str>,
    /// Whether several nodes look at the same.
    common: bool,
}

type Key = (SharedKind, String);

/// What is known of the newest entry about a subject.
#[derive(Debug, Clone, Copy)]
struct Shared {
    /// Over what makes an entry at once when it is otherwise.
    standing: [u8; 32],
    body: [u8; 32],
    at: Timestamp,
}

/// An entry that waits for its time.
#[derive(Debug)]
struct Waiting {
    standing: [u8; 32],
    body: Box<RawValue>,
}

impl Waiting {
    fn new(kind: SharedKind, body: Box<RawValue>) -> Self {
        Self { standing: standing(kind, &body), body }
    }

    /// What was there is there no more.
    fn gone(key: Key) -> (Key, Self) {
        let waiting = Self::new(key.0, RawValue::NULL.to_owned());
        (key, waiting)
    }
}

/// What is shared, and what waits to be.
#[derive(Debug)]
pub(super) struct Publisher {
    share: BTreeSet<SharedKind>,
    shared: HashMap<Key, Shared>,
    waiting: BTreeMap<Key, Waiting>,
}

impl Publisher {
    /// A publisher of these kinds, which has shared `entries` last: kind, subject, body, time. What is not shared any
    /// more is taken back.
    pub(super) fn new(
        share: BTreeSet<SharedKind>,
        entries: impl IntoIterator<Item = (SharedKind, String, Box<RawValue>, Timestamp)>,
    ) -> Self {
        let mut this = Self { share, shared: HashMap::new(), waiting: BTreeMap::new() };
        for (kind, subject, body, at) in entries {
            if kind.is_state() && kind != SharedKind::Told && !this.shares(kind) {
                this.waiting.extend([Waiting::gone((kind, subject.clone()))]);
            }
            this.note((kind, subject), standing(kind, &body), &body, at);
        }
        this
    }

    fn note(&mut self, key: Key, standing: [u8; 32], body: &RawValue, at: Timestamp) {
        if body.get() == GONE {
            self.shared.remove(&key);
        } else {
            self.shared.insert(key, Shared { standing, body: digest(body.get()), at });
        }
    }

    /// Whether entries of `kind` are shared.
    pub(super) fn shares(&self, kind: SharedKind) -> bool {
        self.share.contains(&kind)
    }

    /// `subject` is so now. What is too long is not shared, and what was shared of it before is taken back: it is so no more.
    fn offer(&mut self, kind: SharedKind, subject: &str, now_is: &impl Serialize) {
        if !self.shares(kind) || subject.len() > SUBJECT {
            return;
        }
        let key = (kind, subject.to_owned());
        // Panels are numbers, words and texts; what cannot be written cannot be shared.
        let Some(body) = to_raw_value(now_is).ok().filter(|body| body.get().len() <= BODY_BYTES) else {
            self.waiting.remove(&key);
            self.waiting.extend(self.shared.contains_key(&key).then(|| Waiting::gone(key)));
            return;
        };
        if self.shared.get(&key).is_some_and(|shared| shared.body == digest(body.get())) {
            self.waiting.remove(&key);
        } else {
            self.waiting.insert(key, Waiting::new(kind, body));
        }
    }

    /// Nothing of `kind` is there but `there`.
    fn only(&mut self, kind: SharedKind, there: &BTreeSet<&str>) {
        let known = self.shared.keys().filter(|(known, subject)| *known == kind && !there.contains(&**subject));
        let keys: Vec<Key> = known.cloned().collect();
        self.waiting.retain(|(known, subject), _| *known != kind || there.contains(&**subject));
        self.waiting.extend(keys.into_iter().map(Waiting::gone));
    }

    /// Everything is so now.
    pub(super) fn snapshot(&mut self, snapshot: &Snapshot) {
        self.all_checks(&snapshot.checks);
        self.jobs(snapshot.bridge.jobs.iter().take(JOBS));
        for task in &snapshot.tasks {
            self.task(task);
        }
        self.only(SharedKind::Task, &snapshot.tasks.iter().map(|task| &*task.name).collect());
    }

    /// Something is otherwise now. Answers whether counts may be.
    pub(super) fn notice(&mut self, notice: &Notice) -> bool {
        match notice {
            Notice::Checks(checks) => {
                for check in checks {
                    self.check(check);
                }
            }
            Notice::AllChecks(checks) => self.all_checks(checks),
            Notice::Bridge(BridgeNotice::Jobs(jobs)) => self.jobs(jobs),
            Notice::Task(task) => self.task(task),
            Notice::Arrived { .. } | Notice::Acted(_) | Notice::Vip { .. } => return true,
            _ => {}
        }
        false
    }

    fn all_checks(&mut self, checks: &[CheckPanel]) {
        for check in checks {
            self.check(check);
        }
        let ids = checks.iter().map(|check| check.id.as_str()).collect();
        self.only(SharedKind::Check, &ids);
        // What was wrong with a check that is gone is over.
        self.only(SharedKind::Incident, &ids);
    }

    fn check(&mut self, check: &CheckPanel) {
        // Others hear how it stands and what this node votes, never what it heard of them.
        match &check.sights {
            None => self.offer(SharedKind::Check, check.id.as_str(), check),
            Some(sights) => {
                let shared = CheckPanel { sights: Some(sights.vote()), ..check.clone() };
                self.offer(SharedKind::Check, check.id.as_str(), &shared);
            }
        }
        let state = match check.state {
            _ if !check.enabled => CheckState::Ok,
            // While it flaps its states are not told, and unknown says neither.
            CheckState::Unknown => return,
            _ if check.flapping => return,
            state => state,
        };
        let is_known = self.shared.contains_key(&(SharedKind::Incident, check.id.as_str().to_owned()));
        if state == CheckState::Ok && !is_known {
            self.waiting.remove(&(SharedKind::Incident, check.id.as_str().to_owned()));
            return;
        }
        let cause = check.cause.as_deref().filter(|_| state != CheckState::Ok);
        let common = check.sights.is_some();
        let incident = Incident { state: state.as_str(), since: check.since, cause, common };
        self.offer(SharedKind::Incident, check.id.as_str(), &incident);
    }

    fn jobs<'a>(&mut self, jobs: impl IntoIterator<Item = &'a JobRow>) {
        for job in jobs {
            self.offer(SharedKind::Job, &job.id.to_string(), job);
        }
    }

    /// Takes back the oldest jobs when there are too many: nobody shows them.
    fn forget_jobs(&mut self) {
        let jobs = self.shared.keys().filter(|(kind, _)| *kind == SharedKind::Job);
        // The id of a job begins with its time.
        let mut ids: Vec<&String> = jobs.map(|(_, subject)| subject).collect();
        if ids.len() > JOBS * 2 {
            ids.sort_unstable();
            let old: Vec<Key> = ids[..ids.len() - JOBS].iter().map(|id| (SharedKind::Job, (*id).clone())).collect();
            self.waiting.extend(old.into_iter().map(Waiting::gone));
        }
    }

    fn task(&mut self, task: &TaskStatus) {
        self.offer(SharedKind::Task, &task.name, task);
    }

    /// These are the counts now.
    pub(super) fn counts(&mut self, counts: &[ChannelStats]) {
        for counts in counts {
            self.offer(SharedKind::Counts, counts.channel.as_str(), counts);
        }
    }

    /// What is to be written now, at most `most` entries. It waits until it [was](Self::written).
    pub(super) fn due(&self, now: Timestamp, most: usize) -> Vec<Draft> {
        let due = self.waiting.iter().filter(|(key, waiting)| self.wait(key, waiting, now).is_zero());
        let draft = |(key, waiting): (&Key, &Waiting)| Draft {
            kind: key.0,
            subject: key.1.clone(),
            body: waiting.body.clone(),
        };
        due.take(most).map(draft).collect()
    }

    /// How long until something is to be written, when something waits.
    pub(super) fn next(&self, now: Timestamp) -> Option<SignedDuration> {
        self.waiting.iter().map(|(key, waiting)| self.wait(key, waiting, now)).min()
    }

    fn wait(&self, key: &Key, waiting: &Waiting, now: Timestamp) -> SignedDuration {
        let Some(shared) = self.shared.get(key) else { return SignedDuration::ZERO };
        let rest = match key.0 {
            _ if waiting.body.get() == GONE => return SignedDuration::ZERO,
            SharedKind::Counts => COUNTS,
            _ if waiting.standing == shared.standing => FIGURES,
            _ => return SignedDuration::ZERO,
        };
        // A clock that was set back must not silence anything for longer.
        let past = now.duration_since(shared.at);
        if past.is_negative() { SignedDuration::ZERO } else { (rest - past).max(SignedDuration::ZERO) }
    }

    /// These entries are written.
    pub(super) fn written(&mut self, drafts: &[Draft], now: Timestamp) {
        for draft in drafts {
            let key = (draft.kind, draft.subject.clone());
            if self.waiting.get(&key).is_some_and(|waiting| waiting.body.get() == draft.body.get()) {
                self.waiting.remove(&key);
            }
            // A message comes once, and there are many.
            if draft.kind != SharedKind::Message {
                self.note(key, standing(draft.kind, &draft.body), &draft.body, now);
            }
        }
        if drafts.iter().any(|draft| draft.kind == SharedKind::Job) {
            self.forget_jobs();
        }
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Of `body` what makes an entry at once when it is otherwise; figures wait.
fn standing(kind: SharedKind, body: &RawValue) -> [u8; 32] {
    let text = body.get();
    let text = match kind {
        SharedKind::Check => serde_json::from_str::<CheckPanel>(text).ok().map(|check| {
            let CheckPanel { kind, target, state, since, flapping, interval, enabled, sights, .. } = check;
            format!("{kind} {target} {state:?} {since} {flapping} {interval:?} {enabled} {sights:?}")
        }),
        SharedKind::Task => serde_json::from_str::<TaskStatus>(text)
            .ok()
            .map(|task| format!("{:?} {} {:?}", task.state, task.restarts, task.error())),
        SharedKind::Incident => serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .map(|incident| format!("{} {}", incident["state"], incident["since"])),
        _ => None,
    }
    .unwrap_or_else(|| text.to_owned());
    digest(&text)
}

#[cfg(test)]
mod tests {
    use crate::model::{Sight, Sights};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("in range")
    }

    fn publisher(kinds: &[SharedKind]) -> Publisher {
        Publisher::new(kinds.iter().copied().collect(), [])
    }

    const USUAL: [SharedKind; 3] = [SharedKind::Check, SharedKind::Counts, SharedKind::Incident];

    /// Writes what is due; answers it as `kind subject`.
    fn write(publisher: &mut Publisher, now: Timestamp) -> Vec<String> {
        let drafts = publisher.due(now, 100);
        publisher.written(&drafts, now);
        drafts.iter().map(|draft| format!("{} {} {}", draft.kind, draft.subject, draft.body.get().len() > 4)).collect()
    }

    #[test]
    fn a_check_is_shared_when_it_stands_otherwise_at_once_and_its_figures_now_and_then() {
        let mut publisher = publisher(&USUAL);
        let mut web = CheckPanel::sample("web", CheckState::Ok, at(0));
        let all = |web: &CheckPanel| Notice::AllChecks(vec![web.clone()]);
        publisher.notice(&all(&web));
        assert_eq!(write(&mut publisher, at(1)), ["check web true"], "nothing is wrong, so there is no incident");
        publisher.notice(&all(&web));
        assert!(write(&mut publisher, at(2)).is_empty() && publisher.next(at(2)).is_none());
        web.last = Some(at(3));
        publisher.notice(&all(&web));
        assert!(write(&mut publisher, at(3)).is_empty());
        assert_eq!(publisher.next(at(3)), Some(SignedDuration::from_secs(58)));
        assert_eq!(write(&mut publisher, at(61)), ["check web true"]);
        (web.state, web.since, web.cause) = (CheckState::Critical, at(62), Some("503".into()));
        publisher.notice(&all(&web));
        assert_eq!(write(&mut publisher, at(62)), ["check web true", "incident web true"]);
        web.cause = Some("504".into());
        publisher.notice(&all(&web));
        assert!(write(&mut publisher, at(63)).is_empty(), "another cause is no other incident");
        (web.state, web.since) = (CheckState::Ok, at(64));
        publisher.notice(&all(&web));
        assert_eq!(write(&mut publisher, at(64)), ["check web true", "incident web true"]);
        publisher.notice(&Notice::AllChecks(Vec::new()));
        assert_eq!(write(&mut publisher, at(65)), ["check web false", "incident web false"], "they are taken back");
        assert!(write(&mut publisher, at(66)).is_empty());
    }

    #[test]
    fn of_what_several_see_the_own_vote_alone_is_shared() {
        let mut publisher = publisher(&USUAL);
        let mut web = CheckPanel::sample("web", CheckState::Ok, at(0));
        let sight = |state| Sight { node: "hub-9".parse().expect("a name"), state };
        let sights = |own, other| Some(Sights { own, need: 2, seen: vec![sight(other)] });
        web.sights = sights(CheckState::Ok, None);
        publisher.notice(&Notice::Checks(vec![web.clone()]));
        let drafts = publisher.due(at(1), 100);
        assert!(!drafts[0].body.get().contains("hub-9"), "{}", drafts[0].body);
        publisher.written(&drafts, at(1));
        web.sights = sights(CheckState::Ok, Some(CheckState::Critical));
        publisher.notice(&Notice::Checks(vec![web.clone()]));
        assert!(write(&mut publisher, at(99)).is_empty(), "what others vote they say themselves");
        web.sights = sights(CheckState::Critical, Some(CheckState::Ok));
        publisher.notice(&Notice::Checks(vec![web]));
        assert_eq!(write(&mut publisher, at(99)), ["check web true"], "its own vote is said at once");
    }

    #[test]
    fn what_fails_to_be_written_waits_and_what_was_written_before_a_restart_is_not_written_again() {
        let mut before = publisher(&USUAL);
        let web = CheckPanel::sample("web", CheckState::Critical, at(0));
        before.notice(&Notice::Checks(vec![web.clone()]));
        assert_eq!(before.due(at(1), 100).len(), 2);
        assert_eq!(before.due(at(2), 100).len(), 2, "nobody said that they are written");
        let rows: Vec<_> =
            before.due(at(2), 100).into_iter().map(|draft| (draft.kind, draft.subject, draft.body, at(2))).collect();
        let mut after = Publisher::new(USUAL.into(), rows.clone());
        after.notice(&Notice::Checks(vec![web]));
        assert!(write(&mut after, at(3)).is_empty());
        let mut less = Publisher::new([SharedKind::Counts].into(), rows);
        assert_eq!(write(&mut less, at(3)), ["check web false", "incident web false"], "it is taken back");
    }

    #[test]
    fn counts_are_coalesced_and_a_clock_that_is_set_back_silences_nothing() {
        let mut publisher = publisher(&USUAL);
        let counts = |messages| {
            let channel = "mail".parse().expect("an id");
            [ChannelStats { channel, messages, unread: 0, vip: 0, processed_today: 0 }]
        };
        let mut written = 0;
        for tenth in 0..100 {
            publisher.counts(&counts(tenth));
            written += write(&mut publisher, at(i64::try_from(tenth / 10).expect("small"))).len();
        }
        assert_eq!(written, 5, "in ten seconds");
        publisher.counts(&counts(999));
        assert_eq!(write(&mut publisher, at(-3_600)).len(), 1);
    }

    #[test]
    fn what_grows_too_long_is_taken_back() {
        let mut publisher = publisher(&[SharedKind::Check]);
        let mut web = CheckPanel::sample("web", CheckState::Ok, at(0));
        publisher.notice(&Notice::Checks(vec![web.clone()]));
        assert_eq!(write(&mut publisher, at(1)), ["check web true"]);
        web.state = CheckState::Warn;
        publisher.notice(&Notice::Checks(vec![web.clone()]));
        (web.state, web.cause) = (CheckState::Critical, Some("x".repeat(BODY_BYTES)));
        publisher.notice(&Notice::Checks(vec![web.clone()]));
        assert_eq!(write(&mut publisher, at(2)), ["check web false"], "nobody goes on showing that all is well");
        publisher.notice(&Notice::Checks(vec![web.clone()]));
        assert!(write(&mut publisher, at(3)).is_empty());
        web.cause = Some("503".into());
        publisher.notice(&Notice::Checks(vec![web]));
        assert_eq!(write(&mut publisher, at(4)), ["check web true"]);
    }

    #[test]
    fn what_flaps_is_unknown_or_too_long_makes_no_incident() {
        let mut publisher = publisher(&[SharedKind::Incident, SharedKind::Task]);
        let mut web = CheckPanel::sample("web", CheckState::Critical, at(0));
        web.flapping = true;
        publisher.notice(&Notice::Checks(vec![web.clone()]));
        web.flapping = false;
        web.state = CheckState::Unknown;
        publisher.notice(&Notice::Checks(vec![web]));
        let task = TaskStatus {
            name: "t".repeat(SUBJECT + 1),
            state: crate::model::TaskState::Running,
            since: at(0),
            restarts: 0,
            last_error: None,
            next_try: None,
            trouble: None,
        };
        publisher.notice(&Notice::Task(task.clone()));
        publisher.notice(&Notice::Task(TaskStatus {
            last_error: Some("x".repeat(BODY_BYTES)),
            name: "t".into(),
            ..task
        }));
        assert!(write(&mut publisher, at(1)).is_empty());
    }
}
