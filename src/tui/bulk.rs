//! What an act on many would do, before it is done.

use jiff::Timestamp;

use crate::model::{Act, Item};

use super::guard::Guard;
use super::listed::Listed;
use super::window::{Placed, Window};

/// Subjects that are named.
const NAMED: usize = 5;

/// The act and what it is about.
#[derive(Debug)]
pub(super) struct Bulk {
    pub act: Act,
    pub on: Vec<Item>,
    subjects: Vec<String>,
    /// Picked, and already as the act would make it.
    already: usize,
    /// Picked, and no longer in the list.
    gone: usize,
    /// Whether the list goes on beyond what was there to be picked.
    more: bool,
    guard: Guard,
}

impl Bulk {
    /// `act` on those of `picked` that are in `list` and not yet as it would make them.
    pub(super) fn new(act: Act, picked: &[Item], list: &Window<Listed>, now: Timestamp) -> Self {
        let here: Vec<&Listed> = list.rows().iter().filter(|row| picked.contains(&row.key())).collect();
        let (already, due): (Vec<&Listed>, Vec<&Listed>) = here.iter().partition(|row| is_so(row, &act));
        Self {
            on: due.iter().map(|row| row.key()).collect(),
            subjects: due.iter().take(NAMED).map(|row| row.subject().to_owned()).collect(),
            already: already.len(),
            gone: picked.len() - here.len(),
            more: !list.is_complete() && here.len() == list.rows().len(),
            act,
            guard: Guard::new(now),
        }
    }

    /// Whether a key at `now` is meant for this.
    pub(super) fn hears(&self, now: Timestamp) -> bool {
        self.guard.hears(now)
    }

    /// What would be done, in a sentence.
    pub(super) fn title(&self) -> String {
        self.act.done(self.on.len() as u64)
    }

    /// What it would be done to and what not; the flag marks what is left out.
    pub(super) fn lines(&self) -> Vec<(String, bool)> {
        let mut lines: Vec<(String, bool)> =
            self.subjects.iter().map(|subject| (format!("  {subject}"), false)).collect();
        if self.on.len() > self.subjects.len() {
            lines.push((format!("  and {} more", self.on.len() - self.subjects.len()), false));
        }
        if self.already > 0 {
            lines.push((format!("left out: {} that are so already", self.already), true));
        }
        if self.gone > 0 {
            lines.push((format!("left out: {} that are no longer in the list", self.gone), true));
        }
        if self.more {
            lines.push(("left out: older ones, which are not here yet".to_owned(), true));
        }
        lines
    }
}

/// Whether `act` would change nothing about `row`.
fn is_so(row: &Listed, act: &Act) -> bool {
    match act {
        Act::Read => !row.is_unread(),
        Act::Unread => row.is_unread(),
        Act::Ack => row.is_acked(),
        Act::Unack => matches!(row, Listed::Message(row) if row.marks.acked.is_none()),
        Act::Label(label) => row.labels().contains(label),
        Act::Assign(who) => row.assignee() == Some(who),
        Act::Unlabel(_) | Act::Unassign | Act::Snooze(_) | Act::Wake | Act::Note(_) => false,
    }
}
