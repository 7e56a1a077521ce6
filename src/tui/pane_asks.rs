//! What the screen asks of the engine about panes, and what becomes of the answers and of what it is told.

use crate::model::PaneAddress;
use crate::protocol::{PaneReply, PaneRequest, PaneUpdate, Refusal, Reply, Request, Severity};

use super::action::Action;
use super::app::App;
use super::msg::{Cmd, Purpose};

/// Why something was asked about panes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PanePurpose {
    /// To be told of them.
    Follow,
    /// Something of the watch with this number.
    Watch(u64),
    /// Lines that have scrolled out, to show them.
    History(PaneAddress),
    /// Lines that match, of the search with this number.
    Search(u64),
    /// To type there; which asking for it this is.
    Take(PaneAddress, u64),
    /// So much was typed, by what came of that asking.
    Keys {
        /// Which.
        attempt: u64,
        /// How much.
        bytes: usize,
    },
    /// Nothing is typed there any more.
    Release,
    /// What it shows is to be recorded, or no longer.
    Record(bool),
    /// When it calls, or that it calls nobody any more.
    Mark {
        /// Whether it may call.
        calls: bool,
    },
}

/// Asks about panes.
pub(super) fn ask(purpose: PanePurpose, request: PaneRequest) -> Cmd {
    Cmd::Ask(Purpose::Pane(purpose), Request::Pane(request))
}

impl App {
    /// Takes what is told of panes.
    pub(super) fn pane_heard(&mut self, update: PaneUpdate) -> Vec<Cmd> {
        self.heard = self.now;
        match update {
            PaneUpdate::Panes(hosts) => {
                self.panes.take(&hosts);
                self.open_sought()
            }
            PaneUpdate::Driver { pane, driver, take, why } => self.driver_changed(&pane, driver.as_ref(), take, &why),
            update => {
                let (pane, command) = self.panes.watches.hear(&update, self.now);
                if let Some(pane) = pane {
                    self.pane_fed(&pane);
                }
                command.into_iter().collect()
            }
        }
    }

    /// Takes an answer about panes, or a refusal.
    pub(super) fn pane_replied(&mut self, purpose: PanePurpose, reply: Result<Reply, Refusal>) -> Vec<Cmd> {
        match purpose {
            PanePurpose::Take(pane, attempt) => return self.taken(&pane, attempt, reply),
            PanePurpose::Keys { attempt, bytes } => return self.keys_told(attempt, bytes, reply.err().as_ref()),
            _ => {}
        }
        let reply = match reply {
            Ok(Reply::Pane(reply)) => Ok(reply),
            Ok(_) => return Vec::new(),
            Err(refusal) => Err(refusal.to_string()),
        };
        match (purpose, reply) {
            (PanePurpose::Watch(number), Err(why)) => {
                return self.panes.watches.refused(number, why, self.now).into_iter().collect();
            }
            (PanePurpose::History(pane), Ok(PaneReply::Lines(lines))) => self.take_history(&pane, &lines),
            (PanePurpose::History(pane), Err(why)) => self.no_history(&pane, why),
            (PanePurpose::Search(number), Ok(PaneReply::Lines(lines))) => return self.take_found(number, &lines),
            (PanePurpose::Search(number), Err(why)) => self.not_found(number, why),
            (PanePurpose::Record(true), Ok(PaneReply::Recording(file))) => {
                self.toast(Severity::Info, format!("what it shows is recorded to {file}"));
            }
            (PanePurpose::Record(false), Ok(PaneReply::Recording(file))) => {
                self.toast(
                    Severity::Info,
                    format!("it goes on being recorded, for a `pane watch --record` or by configuration: {file}"),
                );
            }
            (PanePurpose::Record(_), Ok(_)) => self.toast(Severity::Info, "it is not recorded any more"),
            (PanePurpose::Record(_), Err(why)) => self.toast(Severity::Warn, format!("not recorded: {why}")),
            (PanePurpose::Mark { calls: true }, Ok(_)) => {
                let key = self.key_of(Action::Next).map(|key| format!(", and {key} leads here then"));
                let key = key.unwrap_or_default();
                self.toast(Severity::Info, format!("the mark is set: the list of panes says when it calls{key}"));
            }
            (PanePurpose::Mark { .. }, Ok(_)) => self.toast(Severity::Info, "it calls nobody any more"),
            (PanePurpose::Mark { .. }, Err(why)) => self.toast(Severity::Warn, format!("not marked: {why}")),
            (PanePurpose::Follow, Err(why)) => self.toast(Severity::Warn, format!("panes are not told: {why}")),
            _ => {}
        }
        Vec::new()
    }
}
