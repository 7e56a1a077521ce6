//! What a message to the screen is worth: whether somebody waits for the frame that shows it.

use crate::model::CheckPanel;
use crate::protocol::{Notice, Snapshot, Update};

use super::app::{App, Msg};
use super::pace::Urgency;

impl App {
    /// How soon what `msg` changes has to be shown. Asked before the message is taken in.
    pub(super) fn urgency(&self, msg: &Msg) -> Urgency {
        match msg {
            Msg::Update(Update::Notice(notice)) => match notice {
                Notice::Checks(changed) => checks(self.snapshot.as_deref(), changed),
                Notice::Channels(_) | Notice::Log(_) | Notice::Clients(_) => Urgency::Figures,
                _ => Urgency::News,
            },
            // What is typed is seen where it is printed.
            Msg::Update(Update::Pane(_)) if self.panes.drive.is_some() => Urgency::Key,
            Msg::Update(_) => Urgency::News,
            Msg::Tick => Urgency::Figures,
            _ => Urgency::Key,
        }
    }
}

/// A check that stands otherwise is news, another figure of it is not.
fn checks(snapshot: Option<&Snapshot>, changed: &[CheckPanel]) -> Urgency {
    let known = snapshot.map(|snapshot| snapshot.checks.as_slice()).unwrap_or_default();
    let same = |check: &CheckPanel| {
        known.iter().any(|known| known.id == check.id && known.state == check.state && known.flapping == check.flapping)
    };
    if changed.iter().all(same) { Urgency::Figures } else { Urgency::News }
}
