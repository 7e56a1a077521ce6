//! What an engine and an agent say about panes. Watching and driving are different words: who watches has none that
//! types.

use serde::{Deserialize, Serialize};

use crate::model::base64_bytes;
use crate::model::{OperatorName, PaneChunk, PaneDriver, PaneFacts, PaneId, PaneSeed};

/// Bytes of one watched pane that may be on their way before the engine says that it has seen them.
pub const PANE_WINDOW: u64 = 256 << 10;

/// From an engine that watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum WatchAsk {
    /// Which panes are there? Told now and at every change, until the connection ends. Comes before everything else
    /// about panes, and again to look at other sessions.
    List {
        /// The tmux server, as `tmux -L NAME`; the user's own when absent.
        socket: Option<String>,
        /// Only this session, by its exact name; all when absent.
        session: Option<String>,
    },
    /// Begin with what the pane shows now ([`PaneSaid::Seed`]), and go on with what it prints.
    Watch {
        /// Which.
        pane: PaneId,
        /// Lines of its history to begin with.
        history: u32,
        /// The place up to which everything was taken before the connection broke. Where the agent still has what came
        /// after it, the first word is a [`PaneSaid::Chunk`] from there, perhaps an empty one, and nothing is lost; otherwise a
        /// [`PaneSaid::Seed`], whose `missed` is 0 where the agent does not know how much that is, and 1 where it only knows
        /// that something is.
        from: Option<u64>,
    },
    /// All bytes below this place were taken: so much more may be sent. A seed is taken by its own place, and no other
    /// comes before that.
    Seen {
        /// Of which pane.
        pane: PaneId,
        /// The place.
        offset: u64,
    },
    /// Whether every byte is wanted, however fast they come: it is recorded. Otherwise a pane that prints more than anybody
    /// can follow is looked at once a second meanwhile ([`PaneSeed::too_fast`]), so that its program takes no longer than
    /// without a watcher. Not wanted at the begin of a watch.
    Whole {
        /// Of which pane.
        pane: PaneId,
        /// Whether they are.
        wanted: bool,
    },
    /// What does it show now? Answered by [`PaneSaid::Captured`], to compare with.
    Capture {
        /// Which.
        pane: PaneId,
    },
    /// No more of it.
    Unwatch {
        /// Which.
        pane: PaneId,
    },
}

/// From an engine that drives: somebody has taken a pane over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DriveAsk {
    /// Take it over. One person has it at a time; the connection that has it keeps it until it ends, gives it back, has
    /// typed nothing for [`DRIVER_IDLE_S`], the pane or its program is replaced, or the same person takes it over on a newer
    /// connection of the same engine.
    Take {
        /// Which.
        pane: PaneId,
        /// Who.
        who: OperatorName,
    },
    /// Type exactly these bytes. Only what is taken over is typed into.
    Keys {
        /// Into which.
        pane: PaneId,
        /// Comes back when they were handed to tmux; one more each time.
        seq: u64,
        /// The bytes, at most 64 KiB.
        #[serde(with = "base64_bytes")]
        bytes: Vec<u8>,
    },
    /// Give it back.
    Release {
        /// Which.
        pane: PaneId,
    },
}

/// Who has taken a pane over and types nothing for so many seconds gives it back.
pub const DRIVER_IDLE_S: u64 = 120;

/// From an agent, about panes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PaneSaid {
    /// These are all panes there are now.
    Panes {
        /// By session, window and number.
        panes: Vec<PaneFacts>,
        /// Why there are none, or not all of what is wanted, in one line: no tmux there, no session of that name. It may
        /// hold text from outside.
        why: Option<String>,
        /// Whether this agent lets panes be taken over.
        may_drive: bool,
    },
    /// A watch begins, or begins again after something was lost.
    Seed(PaneSeed),
    /// What it printed.
    Chunk(PaneChunk),
    /// The answer to [`WatchAsk::Capture`]; its offset is the place up to which the stream was sent when it was made, and
    /// nothing was printed between. Otherwise there is no answer.
    Captured(PaneSeed),
    /// It is not watched any more: it is gone, or cannot be watched.
    Ended {
        /// Which.
        pane: PaneId,
        /// Why, in one line.
        why: String,
    },
    /// It was taken over, by whom.
    Taken {
        /// Which.
        pane: PaneId,
        /// By whom.
        driver: PaneDriver,
    },
    /// It was given back, or taken away.
    Released {
        /// Which.
        pane: PaneId,
        /// Why, in one line.
        why: String,
    },
    /// These keys were handed to tmux.
    Typed {
        /// In which.
        pane: PaneId,
        /// Their number.
        seq: u64,
    },
    /// Something about a pane was refused. Nothing was typed, or only the beginning of long keys: the reason says how much.
    Refused {
        /// Which.
        pane: PaneId,
        /// The rule: `unknown`, `taken`, `not-taken`, `policy`, `mode` (it is in copy-mode, for instance, which would take
        /// keys for orders; a person at the host has to leave it), `dead`, `too-long`, `too-many`, `tmux`.
        rule: String,
        /// In words.
        reason: String,
        /// Which keys, if it was about keys.
        seq: Option<u64>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_watcher_can_say_types() {
        // A new word has to be looked at here: each of these reads, and none carries keys.
        for ask in [
            r#"{"list":{"socket":null,"session":null}}"#,
            r#"{"watch":{"pane":{"server":1,"number":3},"history":0,"from":null}}"#,
            r#"{"seen":{"pane":{"server":1,"number":3},"offset":0}}"#,
            r#"{"whole":{"pane":{"server":1,"number":3},"wanted":true}}"#,
            r#"{"capture":{"pane":{"server":1,"number":3}}}"#,
            r#"{"unwatch":{"pane":{"server":1,"number":3}}}"#,
        ] {
            match serde_json::from_str::<WatchAsk>(ask).expect(ask) {
                WatchAsk::List { .. }
                | WatchAsk::Watch { .. }
                | WatchAsk::Seen { .. }
                | WatchAsk::Whole { .. }
                | WatchAsk::Capture { .. }
                | WatchAsk::Unwatch { .. } => {}
            }
        }
        for keys in [
            r#"{"keys":{"pane":{"server":1,"number":3},"seq":1,"bytes":"aWQK"}}"#,
            r#"{"watch":{"pane":{"server":1,"number":3},"history":0,"keys":"aWQK"}}"#,
        ] {
            assert!(serde_json::from_str::<WatchAsk>(keys).is_err(), "{keys}");
        }
    }
}
