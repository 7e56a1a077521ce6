//! What a client and an engine say to each other about panes.
//!
//! The screen of every watched pane is kept by the engine, with its history. A client that watches one hears a whole
//! screen first, then what is printed, at most so many pieces a second and so many bytes before it says that it has seen
//! them. Where more is printed than it takes, it hears a whole screen again, with the bytes that were left out counted.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::base64_bytes;
use crate::model::{
    HostName, LayerKind, OperatorName, PaneAddress, PaneChunk, PaneDriver, PaneFacts, PaneId, PaneName, PaneSeed,
};

/// A question or an order about panes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaneRequest {
    /// All panes of all hosts, as they are known now. Hosts that are not looked at yet are asked first, for at most 5 s.
    List,
    /// Whether to be told of all panes ([`PaneUpdate::Panes`]), now and at every change. Hosts are looked at while anybody
    /// wants to be told, watches, or has a mark on a pane.
    Follow(bool),
    /// Show this pane, as `watch`; the number is the client's own and not used before.
    Watch {
        /// The number.
        watch: u64,
        /// Which pane.
        pane: PaneAddress,
        /// How much may come.
        pace: PanePace,
    },
    /// The pace of a watch is another now: it is in front, at the back, or the line is slow.
    Pace {
        /// The number.
        watch: u64,
        /// How much may come.
        pace: PanePace,
    },
    /// No more of it.
    Unwatch {
        /// The number.
        watch: u64,
    },
    /// Lines that scrolled out at the top, oldest first. They are numbered from 0 at the begin of an epoch: the time an
    /// engine keeps the pane's screen, which ends a minute after the last who watched.
    History {
        /// Which pane.
        pane: PaneAddress,
        /// Only lines before this one; the newest when absent.
        before: Option<u64>,
        /// How many at most; 1,000 are answered.
        limit: usize,
    },
    /// Lines that match, newest first, in the history and on the screen.
    Search {
        /// Which pane.
        pane: PaneAddress,
        /// A regular expression (syntax of the `regex` crate), at most 256 bytes.
        pattern: String,
        /// Only lines before this one.
        before: Option<u64>,
        /// How many at most; 200 are answered.
        limit: usize,
    },
    /// Take it over: from now on this client's keys go there.
    Take {
        /// Which pane.
        pane: PaneAddress,
    },
    /// Type exactly these bytes into a pane this client has taken over.
    Keys {
        /// Which pane.
        pane: PaneAddress,
        /// The bytes, at most 64 KiB.
        #[serde(with = "base64_bytes")]
        bytes: Vec<u8>,
    },
    /// Give it back.
    Release {
        /// Which pane.
        pane: PaneAddress,
    },
    /// Whether what it shows is written to a file, asciicast v2, in the state directory. A recording ends with the last who
    /// wanted it.
    Record {
        /// Which pane.
        pane: PaneAddress,
        /// Whether this client wants it.
        on: bool,
        /// Whether this is about its going on without any client, until somebody says otherwise; else it is wanted as long
        /// as this client is there.
        stays: bool,
    },
    /// Marks of a pane: be told, and have `n` lead there, when it does this.
    Mark {
        /// Which pane.
        pane: PaneAddress,
        /// When. None of them: no mark.
        mark: PaneMark,
    },
}

impl PaneRequest {
    /// Whether it changes anything on a host, or for others.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::List
            | Self::Follow(_)
            | Self::Watch { .. }
            | Self::Pace { .. }
            | Self::Unwatch { .. }
            | Self::History { .. }
            | Self::Search { .. } => false,
            Self::Take { .. } | Self::Keys { .. } | Self::Release { .. } | Self::Record { .. } | Self::Mark { .. } => {
                true
            }
        }
    }

    /// Whether it may be asked again on another line. What belongs to one line is not: watches, what is told of them, and
    /// who drives end with it, and keys must never be typed twice.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        match self {
            Self::List | Self::History { .. } | Self::Search { .. } | Self::Record { .. } | Self::Mark { .. } => true,
            Self::Follow(_)
            | Self::Watch { .. }
            | Self::Pace { .. }
            | Self::Unwatch { .. }
            | Self::Take { .. }
            | Self::Keys { .. }
            | Self::Release { .. } => false,
        }
    }
}

/// How much of a pane may come to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanePace {
    /// Shortest time between two pieces, in milliseconds; the first after a rest comes at once. 67 is 15 a second.
    pub every_ms: u32,
    /// Bytes that may be on their way before the client says that it has seen them.
    pub window: u32,
}

impl PanePace {
    /// In front, on a good line.
    pub const LIVE: Self = Self { every_ms: 67, window: 128 << 10 };
    /// In front, on a slow line.
    pub const LITE: Self = Self { every_ms: 1_000, window: 8 << 10 };
}

/// What of a pane calls a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneMark {
    /// It prints something after a rest of 10 s.
    pub activity: bool,
    /// It has printed nothing for so long.
    pub silence: Option<Duration>,
    /// A line it prints matches this regular expression.
    pub pattern: Option<String>,
}

/// A pane that calls a person, until one has looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneCall {
    /// Which pane.
    pub pane: PaneAddress,
    /// What it is called, as far as that is known: `web-1:0.1`. It may hold text from outside.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
    /// Why, one line. It may hold text from outside.
    pub why: String,
}

/// The answer to a [`PaneRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaneReply {
    /// It is done; of keys: they were handed to tmux.
    Done,
    /// It is taken over, by this person and since then, as the host counts.
    Taken(PaneDriver),
    /// Panes, by host.
    Panes(Vec<HostPanes>),
    /// Lines.
    Lines(PaneLines),
    /// It is recorded to this file; where a client wants that no more, for others.
    Recording(String),
}

/// The panes of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPanes {
    /// The host.
    pub host: HostName,
    /// The road they are looked at by, while there is one.
    pub layer: Option<LayerKind>,
    /// Since when the list is as it is told here; while there is no road, since when it is old.
    pub at: Timestamp,
    /// Why it is old, or why there are none, in one line. It may hold text from outside.
    pub why: Option<String>,
    /// Whether they may be taken over there.
    pub may_drive: bool,
    /// The panes, by session, window and number.
    pub panes: Vec<PaneRow>,
}

impl HostPanes {
    /// The address of one of its panes.
    #[must_use]
    pub fn address(&self, row: &PaneRow) -> PaneAddress {
        PaneAddress { host: self.host.clone(), pane: row.facts.id }
    }

    /// Whether nobody knows yet what it has: it is being looked at for the first time, or again.
    #[must_use]
    pub fn is_being_asked(&self) -> bool {
        self.layer.is_none() && self.why.is_none()
    }

    /// How a person names one of its panes. It may hold text from outside.
    #[must_use]
    pub fn name(&self, row: &PaneRow) -> PaneName {
        row.facts.name(&self.host, self.panes.iter().map(|row| &row.facts))
    }

    /// The pane a person means by `name`, on this host.
    ///
    /// # Errors
    /// Why there is none, or more than one.
    pub fn find(&self, name: &PaneName) -> Result<PaneAddress, NoPane> {
        let mut meant = self.panes.iter().filter(|row| row.facts.is_called(name));
        match (meant.next(), meant.next(), &self.layer) {
            (Some(row), None, _) => Ok(self.address(row)),
            (Some(_), Some(_), _) => Err(NoPane::Several(name.clone())),
            // The first word of a host is that it is looked at; its panes come with the second.
            (None, _, None) => Err(NoPane::Unreached { name: name.clone(), why: self.why.clone() }),
            (None, _, Some(_)) => Err(NoPane::None { name: name.clone(), why: self.why.clone() }),
        }
    }
}

/// Why a name means no pane. It may hold text from outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPane {
    /// No pane is called so; and why its host has none, or not all, where it says so.
    #[error("no pane is called {name}{}", because(.why.as_deref()))]
    None {
        /// The name.
        name: PaneName,
        /// Why.
        why: Option<String>,
    },
    /// There is no road to its host, and none of its panes that are known is called so. Without a reason it is still being
    /// looked at.
    #[error("no pane is called {name}{}", because(.why.as_deref()))]
    Unreached {
        /// The name.
        name: PaneName,
        /// Why.
        why: Option<String>,
    },
    /// Panes of several sessions are.
    #[error("{0} is in several sessions; write HOST:SESSION:WINDOW.PANE")]
    Several(PaneName),
}

fn because(why: Option<&str>) -> String {
    why.map(|why| format!(": {why}")).unwrap_or_default()
}

/// A pane, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneRow {
    /// What tmux says.
    pub facts: PaneFacts,
    /// What the interactive program in it does, where it is known and the pane is watched.
    pub program: Option<ProgramState>,
    /// When it last printed something, while it is watched.
    pub printed: Option<Timestamp>,
    /// Operators that watch it through this engine.
    pub watchers: Vec<OperatorName>,
    /// The file it is recorded to.
    pub recording: Option<String>,
    /// Its marks.
    pub mark: PaneMark,
    /// Why it calls a person, one line, until one has looked; and since when.
    pub calls: Option<(Timestamp, String)>,
    /// Bytes of it that this engine has lost, and how often its screen was not what tmux shows.
    pub lost: PaneLost,
}

/// What went wrong with a watch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneLost {
    /// Bytes nobody saw.
    pub bytes: u64,
    /// Times some were lost.
    pub gaps: u32,
    /// How many of these times the pane printed more than anybody can follow: how much that was is not known, and not in
    /// `bytes`.
    pub too_fast: u32,
    /// Times the screen was made anew because tmux showed something else.
    pub drift: u32,
}

/// What an interactive program does, judged from what it shows. It is a guess, and says how good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramState {
    /// Which program, as the pattern that knows it is called.
    pub tool: String,
    /// What it does.
    pub doing: ProgramDoing,
    /// What on the screen says so, one line. It is text from outside.
    pub evidence: String,
    /// How sure it is, in percent.
    pub confidence: u8,
    /// Since when.
    pub since: Timestamp,
}

/// What an interactive program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramDoing {
    /// It works.
    Working,
    /// It waits for a next prompt.
    Idle,
    /// It asks something a person decides.
    Asks,
}

impl ProgramDoing {
    /// One word for screens and `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Idle => "idle",
            Self::Asks => "asks",
        }
    }
}

/// Lines of a pane's history or screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneLines {
    /// The pane.
    pub pane: PaneId,
    /// In which epoch these lines have these numbers.
    pub epoch: u64,
    /// The number of the oldest line that is kept.
    pub first: u64,
    /// The number after the last line of the history: the first row of the screen has it.
    pub next: u64,
    /// The lines with their numbers.
    pub lines: Vec<PaneLine>,
    /// Where to go on, as `before` of the next request. `None`: there are no more.
    pub before: Option<u64>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneLine {
    /// Its number.
    pub number: u64,
    /// What to feed an empty line to see it, colours included: no other control than SGR is in it.
    pub text: String,
}

/// What a client hears of panes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaneUpdate {
    /// These hosts' panes are like this now. All hosts at first.
    Panes(Vec<HostPanes>),
    /// A whole screen; its `missed` counts what was left out since the last piece of this watch.
    Seed {
        /// Of which watch.
        watch: u64,
        /// The epoch of the numbers of its lines. With another one they mean other lines than before.
        epoch: u64,
        /// The number of the first row of the screen, as history lines are numbered.
        first_row: u64,
        /// What of the pane has never come to the engine in this epoch.
        lost: PaneLost,
        /// The screen.
        seed: PaneSeed,
    },
    /// What was printed.
    Chunk {
        /// Of which watch.
        watch: u64,
        /// The number of the first row of the screen once it is shown.
        first_row: u64,
        /// The bytes.
        chunk: PaneChunk,
    },
    /// The road to its host is broken (or back, with `None`): what is shown is as old as this.
    Stale {
        /// Of which watch.
        watch: u64,
        /// Since when, and why.
        since: Option<(Timestamp, String)>,
    },
    /// The pane is gone; what is shown is its last.
    Ended {
        /// Of which watch.
        watch: u64,
        /// Why.
        why: String,
    },
    /// Who drives a pane this client watches, or nobody, and why that changed.
    Driver {
        /// Which.
        pane: PaneAddress,
        /// Who.
        driver: Option<PaneDriver>,
        /// When the take-over began that this is about, as the host counts: of who drives, or else of who did last.
        take: Timestamp,
        /// In words.
        why: String,
    },
}
