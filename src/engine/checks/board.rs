//! The checks as they are shown: stale ones called so, and no more news than a slow line takes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{CheckId, CheckPanel, CheckState};
use crate::protocol::CheckFigures;

/// Panels that stand otherwise that are sent in one second; the rest of a landslide follows.
const STATES_A_SECOND: usize = 64;
/// Panels with nothing but new figures that are sent in one second. With more checks each one's come less often.
const FIGURES_A_SECOND: usize = 8;
/// A check is stale once this many intervals have passed without a result, but not before [`PATIENCE`].
const MISSED: u32 = 3;
/// Time without a result that is never stale: a retry, a timeout and a busy machine fit in.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Entry {
    panel: CheckPanel,
    /// When its last result came, in ticks of the loop. `None`: none came since the engine started.
    heard: Option<u64>,
}

/// Checks that wait to be sent, the longest waiting first, and how many more may go in this second.
#[derive(Debug)]
struct Waiting {
    order: VecDeque<CheckId>,
    members: BTreeSet<CheckId>,
    room: usize,
    a_second: usize,
}

impl Waiting {
    fn new(a_second: usize) -> Self {
        Self { order: VecDeque::new(), members: BTreeSet::new(), room: a_second, a_second }
    }

    fn push(&mut self, id: &CheckId) {
        if self.members.insert(id.clone()) {
            self.order.push_back(id.clone());
        }
    }

    fn take(&mut self) -> Option<CheckId> {
        self.room = self.room.checked_sub(1)?;
        let id = self.order.pop_front()?;
        self.members.remove(&id);
        Some(id)
    }
}

/// All panels, and which of them are to be sent.
#[derive(Debug)]
pub(in super::super) struct CheckBoard {
    entries: BTreeMap<CheckId, Entry>,
    states: Waiting,
    figures: Waiting,
    /// Seconds the loop has run. Unlike a clock it neither jumps nor runs on while the process is suspended.
    ticks: u64,
}

impl CheckBoard {
    pub(in super::super) fn new(panels: Vec<CheckPanel>, now: Timestamp) -> Self {
        let mut board = Self {
            entries: BTreeMap::new(),
            states: Waiting::new(STATES_A_SECOND),
            figures: Waiting::new(FIGURES_A_SECOND),
            ticks: 0,
        };
        board.replace(panels, now);
        board
    }

    /// Sends so many panels with new figures in one second.
    pub(in super::super) fn send_figures(&mut self, a_second: usize) {
        self.figures = Waiting::new(a_second);
    }

    /// All panels, by id.
    pub(in super::super) fn all(&self) -> Vec<CheckPanel> {
        self.entries.values().map(|entry| self.shown(entry)).collect()
    }

    /// The numbers of those that are enabled, by id.
    pub(in super::super) fn figures(&self) -> Vec<CheckFigures> {
        self.entries
            .values()
            .filter(|entry| entry.panel.enabled)
            .map(|entry| CheckFigures {
                id: entry.panel.id.clone(),
                state: self.state(entry),
                latency: entry.panel.latency,
                uptime_24h: entry.panel.uptime_24h,
            })
            .collect()
    }

    /// Which of those that are enabled are up.
    pub(in super::super) fn health(&self) -> BTreeMap<CheckId, bool> {
        let enabled = self.entries.iter().filter(|(_, entry)| entry.panel.enabled);
        enabled.map(|(id, entry)| (id.clone(), self.state(entry).is_up())).collect()
    }

    /// These are the checks from now on. A result that is kept counts while it is fresh.
    pub(in super::super) fn replace(&mut self, panels: Vec<CheckPanel>, now: Timestamp) {
        let before = std::mem::take(&mut self.entries);
        for panel in panels {
            let age = panel.last.map(|last| now.duration_since(last));
            let fresh = age.and_then(|age| Duration::try_from(age).ok()).is_some_and(|age| age <= limit(&panel));
            let heard = before.get(&panel.id).and_then(|entry| entry.heard).or(fresh.then_some(self.ticks));
            self.entries.insert(panel.id.clone(), Entry { panel, heard });
        }
    }

    /// Takes in changed panels of checks that are known.
    pub(in super::super) fn changed(&mut self, panels: Vec<CheckPanel>) {
        for panel in panels {
            let Some(entry) = self.entries.get(&panel.id) else { continue };
            let before = self.shown(entry);
            let heard = if panel.last == entry.panel.last { entry.heard } else { Some(self.ticks) };
            let entry = Entry { panel, heard };
            let after = self.shown(&entry);
            if stands(&before) != stands(&after) {
                self.states.push(&after.id);
            } else if before != after {
                self.figures.push(&after.id);
            }
            self.entries.insert(after.id, entry);
        }
    }

    /// Whether panels wait for room, which the next tick makes.
    pub(in super::super) fn waits(&self) -> bool {
        !self.states.order.is_empty() || !self.figures.order.is_empty()
    }

    /// So many seconds have passed.
    pub(in super::super) fn tick(&mut self, seconds: u64) {
        let before = self.ticks;
        self.ticks += seconds;
        for waiting in [&mut self.states, &mut self.figures] {
            waiting.room = waiting.a_second;
        }
        for entry in self.entries.values() {
            if stale(entry, self.ticks) && !stale(entry, before) {
                self.states.push(&entry.panel.id);
            }
        }
    }

    /// The panels that are to be sent now.
    pub(in super::super) fn take_changed(&mut self) -> Vec<CheckPanel> {
        let mut ids = BTreeSet::new();
        while let Some(id) = self.states.take() {
            ids.insert(id);
        }
        while let Some(id) = self.figures.take() {
            ids.insert(id);
        }
        ids.iter().filter_map(|id| self.entries.get(id)).map(|entry| self.shown(entry)).collect()
    }

    fn state(&self, entry: &Entry) -> CheckState {
        if stale(entry, self.ticks) { CheckState::Stale } else { entry.panel.state }
    }

    fn shown(&self, entry: &Entry) -> CheckPanel {
        let mut panel = entry.panel.clone();
        panel.state = self.state(entry);
        if panel.state == CheckState::Stale {
            panel.since = panel.last.unwrap_or(panel.since);
            if let Some(sights) = &mut panel.sights {
                sights.own = CheckState::Stale;
            }
        }
        panel
    }
}

/// How long a result counts.
fn limit(panel: &CheckPanel) -> Duration {
    (panel.interval * MISSED).max(PATIENCE)
}

/// Whether the last result no longer counts.
fn stale(entry: &Entry, ticks: u64) -> bool {
    // Kept from long before the start, it says how things were, not how they are.
    let kept = entry.heard.is_none() && entry.panel.last.is_some();
    entry.panel.enabled && (kept || ticks - entry.heard.unwrap_or(0) > limit(&entry.panel).as_secs())
}

/// What is sent at once when it changes. The words of a cause are not: they hold figures.
fn stands(panel: &CheckPanel) -> impl PartialEq + use<> {
    let soft = panel.soft.map(|soft| soft.state);
    (panel.state, panel.since, panel.cause.is_some(), soft, panel.flapping, panel.enabled, panel.sights.clone())
}

#[cfg(test)]
mod tests {
    use crate::model::{CheckKind, Strip};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn panel(n: usize, state: CheckState, last: Option<i64>) -> CheckPanel {
        CheckPanel {
            id: format!("c{n:03}").parse().expect("an id"),
            kind: CheckKind::Http,
            target: "http://127.0.0.1/".into(),
            state,
            since: at(0),
            cause: None,
            soft: None,
            flapping: false,
            last: last.map(at),
            next: None,
            latency: last.map(|_| Duration::from_millis(3)),
            phases: Vec::new(),
            p50: None,
            p95: None,
            p99: None,
            uptime_24h: None,
            strip: Strip::default(),
            interval: Duration::from_secs(10),
            enabled: true,
            sights: None,
        }
    }

    #[test]
    fn figures_are_sent_in_turn_and_states_at_once() {
        let mut board = CheckBoard::new((0..100).map(|n| panel(n, CheckState::Ok, None)).collect(), at(0));
        board.changed((0..100).map(|n| panel(n, CheckState::Ok, Some(1))).collect());
        assert_eq!(board.take_changed().len(), FIGURES_A_SECOND);
        board.changed(vec![panel(99, CheckState::Critical, Some(1))]);
        let sent = board.take_changed();
        assert_eq!(sent.len(), 1, "there is no room for figures in this second");
        assert_eq!((sent[0].id.as_str(), sent[0].state), ("c099", CheckState::Critical));
        let mut seen = BTreeSet::new();
        for _ in 0..12 {
            board.tick(1);
            seen.extend(board.take_changed().into_iter().map(|panel| panel.id));
        }
        assert_eq!(seen.len(), 92, "everybody's turn comes");
        assert!(board.take_changed().is_empty(), "and nothing is sent twice");
    }

    #[test]
    fn a_landslide_is_spread_over_seconds() {
        let mut board = CheckBoard::new((0..200).map(|n| panel(n, CheckState::Ok, Some(0))).collect(), at(0));
        board.changed((0..200).map(|n| panel(n, CheckState::Critical, Some(1))).collect());
        let counts: Vec<usize> = (0..4)
            .map(|_| {
                let sent = board.take_changed().len();
                board.tick(1);
                sent
            })
            .collect();
        assert_eq!(counts, [64, 64, 64, 8]);
    }

    #[test]
    fn silence_is_stale_and_a_result_ends_it() {
        let mut board =
            CheckBoard::new(vec![panel(0, CheckState::Ok, None), panel(1, CheckState::Critical, Some(-900))], at(0));
        let states = |board: &CheckBoard| board.all().iter().map(|panel| panel.state).collect::<Vec<_>>();
        assert_eq!(states(&board), [CheckState::Ok, CheckState::Stale], "what is kept says how things were");
        let fresh = CheckBoard::new(vec![panel(0, CheckState::Critical, Some(-9))], at(0));
        assert_eq!(states(&fresh), [CheckState::Critical], "after a short restart it still does");
        board.changed(vec![panel(0, CheckState::Ok, Some(1)), panel(1, CheckState::Critical, Some(1))]);
        assert_eq!(states(&board), [CheckState::Ok, CheckState::Critical]);
        board.take_changed();
        for _ in 0..30 {
            board.tick(1);
        }
        assert!(board.take_changed().is_empty());
        board.tick(1);
        assert_eq!(board.take_changed().len(), 2);
        assert_eq!(states(&board), [CheckState::Stale, CheckState::Stale]);
        assert_eq!(board.all()[0].since, at(1));
        board.changed(vec![panel(0, CheckState::Ok, Some(32))]);
        assert_eq!(board.take_changed()[0].state, CheckState::Ok);
    }

    #[test]
    fn health_and_figures_tell_of_what_is_enabled_as_it_is_shown() {
        let off = CheckPanel { enabled: false, ..panel(3, CheckState::Critical, Some(0)) };
        let panels = [
            panel(0, CheckState::Ok, Some(0)),
            panel(1, CheckState::Critical, Some(0)),
            panel(2, CheckState::Ok, Some(-900)),
            off,
            panel(4, CheckState::Unknown, None),
        ];
        let board = CheckBoard::new(panels.into(), at(0));
        let health: Vec<(String, bool)> = board.health().into_iter().map(|(id, up)| (id.to_string(), up)).collect();
        let expected = [("c000", true), ("c001", false), ("c002", false), ("c004", true)];
        assert_eq!(health, expected.map(|(id, up)| (id.to_owned(), up)));
        let states: Vec<CheckState> = board.figures().into_iter().map(|check| check.state).collect();
        assert_eq!(states, [CheckState::Ok, CheckState::Critical, CheckState::Stale, CheckState::Unknown]);
    }

    #[test]
    fn another_set_of_checks_keeps_what_was_heard() {
        let mut board = CheckBoard::new(vec![panel(0, CheckState::Ok, None), panel(1, CheckState::Ok, None)], at(0));
        board.changed(vec![panel(1, CheckState::Ok, Some(1))]);
        board.replace(vec![panel(1, CheckState::Ok, Some(1)), panel(2, CheckState::Unknown, None)], at(2));
        let ids: Vec<String> = board.all().iter().map(|panel| panel.id.to_string()).collect();
        assert_eq!(ids, ["c001", "c002"]);
        assert_eq!(board.all()[0].state, CheckState::Ok);
        board.changed(vec![panel(0, CheckState::Critical, Some(2))]);
        assert_eq!(board.all().len(), 2, "a late result of a check that is gone changes nothing");
    }
}
