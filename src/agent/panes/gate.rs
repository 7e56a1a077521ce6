//! When a pane prints more than anybody can follow, and what is to be done about it. Pure.
//!
//! tmux 3.3a takes twice to four times as long for what a program prints as soon as it has to tell a control client of it.
//! What nobody can read is not worth that: of such a pane tmux is asked to tell nothing for a while, then it is looked at,
//! and so on until it is slow enough again. A pane that is recorded is followed in any case.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// More bytes than this [`WITHIN`] so long are a flood: half a MiB a second is about five thousand lines.
const FLOOD: usize = 128 << 10;
const WITHIN: Duration = Duration::from_millis(250);
/// A pane that is looked at is still flooded when it prints more than this within [`LOOK`]; to tmux that is some 10 ms.
const STILL: usize = 64 << 10;
const LOOK: Duration = Duration::from_millis(150);
/// First time between two looks: most floods are over by then. Doubled each time.
const FIRST: Duration = Duration::from_millis(500);
/// Longest time between two looks.
const LONGEST: Duration = Duration::from_secs(1);
/// A pane that nobody had to shut for so long is forgotten.
const CALM: Duration = Duration::from_secs(10);

/// What is to be done with a pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// tmux has to tell nothing of it any more.
    Shut(u32),
    /// tmux has to tell of it again, to see how much that is.
    Look(u32),
    /// It is slow enough, and is followed again.
    Follow(u32),
}

/// How a pane is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Byte by byte.
    Followed,
    /// Not at all.
    Shut,
    /// To see how much it is.
    Looked,
}

/// A pane that has printed lately.
#[derive(Debug)]
struct Pane {
    flow: Flow,
    /// Since when `bytes` are counted; while it is shut, since when it is.
    since: Instant,
    bytes: usize,
    /// How long it is shut when it is shut next, or was last.
    pause: Duration,
    /// When it was shut last.
    shut: Option<Instant>,
}

/// The panes of one control client.
#[derive(Debug, Default)]
pub(super) struct Gate {
    panes: HashMap<u32, Pane>,
    /// tmux knows no such order (before 3.2): everything is followed.
    useless: bool,
}

impl Gate {
    /// A pane has printed so many bytes. One that is recorded is `whole`.
    pub(super) fn printed(&mut self, pane: u32, bytes: usize, whole: bool, now: Instant) -> Option<Step> {
        if self.useless {
            return None;
        }
        let fresh = Pane { flow: Flow::Followed, since: now, bytes: 0, pause: FIRST, shut: None };
        let known = self.panes.entry(pane).or_insert(fresh);
        let most = match known.flow {
            // It was on its way.
            Flow::Shut => return None,
            Flow::Looked => STILL,
            Flow::Followed => {
                if now.saturating_duration_since(known.since) > WITHIN {
                    (known.since, known.bytes) = (now, 0);
                }
                FLOOD
            }
        };
        known.bytes += bytes;
        if whole || known.bytes <= most {
            return None;
        }
        if known.flow == Flow::Looked {
            known.pause = (known.pause * 2).min(LONGEST);
        } else if known.shut.is_none_or(|shut| now.saturating_duration_since(shut) > CALM) {
            known.pause = FIRST;
        }
        (known.flow, known.since, known.shut) = (Flow::Shut, now, Some(now));
        Some(Step::Shut(pane))
    }

    /// tmux tells of a pane again: from here on it is counted.
    pub(super) fn resumed(&mut self, pane: u32, now: Instant) {
        if let Some(known) = self.panes.get_mut(&pane)
            && known.flow != Flow::Followed
        {
            (known.flow, known.since, known.bytes) = (Flow::Looked, now, 0);
        }
    }

    /// tmux does not know what it was asked for. Answers which panes are followed again.
    pub(super) fn give_up(&mut self) -> Vec<Step> {
        self.useless = true;
        let shut = self.panes.drain().filter(|(_, known)| known.flow != Flow::Followed);
        shut.map(|(pane, _)| Step::Follow(pane)).collect()
    }

    /// How a pane is told of.
    pub(super) fn flow(&self, pane: u32) -> Flow {
        self.panes.get(&pane).map_or(Flow::Followed, |known| known.flow)
    }

    /// When there is something to do, if nothing is printed before.
    pub(super) fn due(&self) -> Option<Instant> {
        self.panes.values().filter_map(Pane::due).min()
    }

    /// What is due at `now`.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        for (pane, known) in &mut self.panes {
            if known.due().is_none_or(|due| due > now) {
                continue;
            }
            (known.since, known.bytes) = (now, 0);
            if known.flow == Flow::Shut {
                known.flow = Flow::Looked;
                steps.push(Step::Look(*pane));
            } else {
                known.flow = Flow::Followed;
                steps.push(Step::Follow(*pane));
            }
        }
        self.panes.retain(|_, known| known.flow != Flow::Followed || now.saturating_duration_since(known.since) < CALM);
        steps
    }
}

impl Pane {
    fn due(&self) -> Option<Instant> {
        match self.flow {
            Flow::Followed => None,
            Flow::Shut => Some(self.since + self.pause),
            Flow::Looked => Some(self.since + LOOK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const KIB: usize = 1 << 10;

    /// Prints `kib` KiB every millisecond from `from` on for as long as nothing is to be done, at most `most` times.
    fn pour(gate: &mut Gate, pane: u32, kib: usize, from: Instant, most: u32) -> (Option<Step>, Instant) {
        let mut times = (1..=most).map(|ms| from + MS * ms);
        let step = times.find_map(|at| gate.printed(pane, kib * KIB, false, at).map(|step| (step, at)));
        step.map_or((None, from + MS * most), |(step, at)| (Some(step), at))
    }

    #[test]
    fn a_flood_is_shut_looked_at_ever_more_seldom_and_followed_when_it_is_over() {
        let (mut gate, begun) = (Gate::default(), Instant::now());
        let (step, mut at) = pour(&mut gate, 3, 8, begun, 1_000);
        assert_eq!((step, at, gate.flow(3)), (Some(Step::Shut(3)), begun + MS * 17, Flow::Shut));
        for pause in [500, 1_000, 1_000, 1_000] {
            assert_eq!(gate.due(), Some(at + MS * pause));
            assert_eq!(gate.printed(3, 8 * KIB, false, at + MS), None, "it was on its way");
            at += MS * pause;
            assert_eq!(gate.tick(at - MS), []);
            assert_eq!(gate.tick(at), [Step::Look(3)]);
            gate.resumed(3, at);
            let (step, shut) = pour(&mut gate, 3, 8, at, 1_000);
            assert_eq!((step, shut), (Some(Step::Shut(3)), at + MS * 9));
            at = shut;
        }
        at += LONGEST;
        assert_eq!(gate.tick(at), [Step::Look(3)]);
        at += MS * 40;
        gate.resumed(3, at);
        assert_eq!((gate.due(), gate.flow(3)), (Some(at + LOOK), Flow::Looked), "from when tmux tells of it");
        assert_eq!(gate.printed(3, 60 * KIB, false, at + MS), None);
        assert_eq!(gate.tick(at + LOOK), [Step::Follow(3)]);
        assert_eq!((gate.flow(3), gate.due()), (Flow::Followed, None));
        // Who floods again soon is looked at as seldom as before, and later as at first.
        let (step, again) = pour(&mut gate, 3, 8, at + LOOK, 1_000);
        assert_eq!((step, gate.due()), (Some(Step::Shut(3)), Some(again + LONGEST)));
        assert_eq!(gate.tick(again + LONGEST), [Step::Look(3)]);
        assert_eq!(gate.tick(again + LONGEST + LOOK), [Step::Follow(3)]);
        let (step, later) = pour(&mut gate, 3, 8, again + CALM * 2, 1_000);
        assert_eq!((step, gate.due()), (Some(Step::Shut(3)), Some(later + FIRST)));
    }

    #[test]
    fn what_people_can_follow_is_never_shut() {
        let (mut gate, begun) = (Gate::default(), Instant::now());
        // 120x40 whole screens with colours, at 15 a second; a long file in one piece; both for a while.
        for frame in 0..600 {
            assert_eq!(gate.printed(1, 12 * KIB, false, begun + MS * 67 * frame), None);
            assert_eq!(gate.printed(2, 100 * KIB, false, begun + MS * 1_000 * frame), None);
        }
        assert_eq!(gate.due(), None);
        gate.tick(begun + MS * 1_000 * 600 + CALM);
        assert!(gate.panes.is_empty(), "what rests is forgotten");
    }

    #[test]
    fn each_pane_is_for_itself_and_one_that_is_recorded_is_whole() {
        let (mut gate, begun) = (Gate::default(), Instant::now());
        let (step, _) = pour(&mut gate, 1, 64, begun, 10);
        assert_eq!(step, Some(Step::Shut(1)));
        assert_eq!(gate.printed(2, KIB, false, begun), None);
        assert_eq!([1, 2, 3].map(|pane| gate.flow(pane)), [Flow::Shut, Flow::Followed, Flow::Followed]);
        assert_eq!(gate.printed(2, 9_000 * KIB, true, begun), None, "it is recorded");
        // A recording begins in the middle of a flood: it is followed from the next look on.
        let look = begun + MS * 10 + FIRST;
        assert_eq!(gate.tick(look), [Step::Look(1)]);
        gate.resumed(1, look);
        assert_eq!(gate.printed(1, 9_000 * KIB, true, look + MS), None);
        assert_eq!(gate.tick(look + LOOK), [Step::Follow(1)]);
    }

    #[test]
    fn where_tmux_cannot_do_it_everything_is_followed() {
        let (mut gate, begun) = (Gate::default(), Instant::now());
        pour(&mut gate, 1, 64, begun, 10);
        gate.printed(2, KIB, false, begun);
        assert_eq!(gate.give_up(), [Step::Follow(1)]);
        assert_eq!(pour(&mut gate, 1, 64, begun, 1_000).0, None);
        assert_eq!((gate.due(), gate.flow(1)), (None, Flow::Followed));
    }

    #[test]
    fn somebody_elses_word_changes_nothing_of_a_pane_that_is_followed() {
        let (mut gate, begun) = (Gate::default(), Instant::now());
        gate.printed(1, KIB, false, begun);
        gate.resumed(1, begun);
        gate.resumed(7, begun);
        assert_eq!((gate.flow(1), gate.flow(7)), (Flow::Followed, Flow::Followed));
    }
}
