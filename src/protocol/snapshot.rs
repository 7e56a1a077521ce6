//! The state a screen begins with, and what changes it afterwards.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    ChannelPanel, CheckPanel, ContactId, ConversationRow, DeskChange, Event, LogLine, MessageRow, Rejection,
    StoreTrouble, TaskStatus,
};

use super::{
    BridgeNotice, BridgePanel, ConfigStatus, NodesNotice, NodesPanel, PaneCall, PaneUpdate, Refusal, Reply, RequestId,
};

/// Everything a screen begins with. It comes first, after every reconnect, and when a client fell behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Name of the node.
    pub node: String,
    /// Version of the engine.
    pub version: String,
    /// Where everything durable is kept.
    pub state_dir: String,
    /// When the engine started.
    pub started: Timestamp,
    /// When this snapshot was made.
    pub at: Timestamp,
    /// The configuration in force.
    pub config: ConfigStatus,
    /// Why the store cannot write, while it cannot.
    pub store: Option<StoreTrouble>,
    /// Clients that are attached, this one included.
    pub clients: usize,
    /// The channels, by id.
    pub channels: Vec<ChannelPanel>,
    /// The checks, by id.
    pub checks: Vec<CheckPanel>,
    /// Since when this machine's own connectivity is gone, so that checks over the network say nothing.
    pub isolated: Option<Timestamp>,
    /// The background tasks, by name.
    pub tasks: Vec<TaskStatus>,
    /// The newest messages, newest first.
    pub inbox: Vec<MessageRow>,
    /// The newest events, newest first.
    pub events: Vec<Event>,
    /// The newest refusals, newest first.
    pub rejections: Vec<Rejection>,
    /// The newest log lines, newest first.
    pub logs: Vec<LogLine>,
    /// Dead letters kept.
    pub dead_letters: u64,
    /// Hosts, jobs, approvals and the audit log.
    pub bridge: BridgePanel,
    /// Panes that call a person, by host and number.
    pub calls: Vec<PaneCall>,
    /// The nodes that know each other, and what they share.
    pub nodes: NodesPanel,
    /// The place of the last event that is projected.
    pub up_to: i64,
}

#[cfg(test)]
impl Snapshot {
    /// An engine two hours after its start, with nothing in it yet, to be made more of in tests.
    pub(crate) fn sample(at: Timestamp) -> Self {
        let started = at - Duration::from_hours(2);
        Self {
            node: "hub-1".into(),
            version: "0".into(),
            state_dir: "/var/lib/aurora".into(),
            started,
            at,
            config: ConfigStatus {
                loaded: started,
                source: "<defaults>".into(),
                theme: "terminal".into(),
                keys: crate::model::KeyOverrides::new(),
                last_change: Vec::new(),
                last_error: None,
            },
            store: None,
            clients: 1,
            channels: Vec::new(),
            checks: Vec::new(),
            isolated: None,
            tasks: Vec::new(),
            inbox: Vec::new(),
            events: Vec::new(),
            rejections: Vec::new(),
            logs: Vec::new(),
            dead_letters: 0,
            bridge: BridgePanel::default(),
            calls: Vec::new(),
            nodes: NodesPanel::default(),
            up_to: 0,
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// Events were projected.
    Arrived {
        /// Their messages, oldest first; in a burst only the newest.
        rows: Vec<MessageRow>,
        /// The conversations they are in, as they stand now, the newest last; in a burst only the newest.
        conversations: Vec<ConversationRow>,
        /// The events, oldest first; in a burst only the newest.
        events: Vec<Event>,
        /// Messages left out of `rows`.
        omitted: u64,
        /// Dead letters kept by now.
        dead_letters: u64,
        /// The place of the last one.
        up_to: i64,
    },
    /// These channels have changed.
    Channels(Vec<ChannelPanel>),
    /// These checks have changed. Those that stand otherwise come at once, new figures alone now and then.
    Checks(Vec<CheckPanel>),
    /// These are all checks now.
    AllChecks(Vec<CheckPanel>),
    /// Own connectivity is gone since then, or back.
    Isolated(Option<Timestamp>),
    /// An operator has done something to conversations or messages, or a snooze has ended.
    Acted(Box<DeskChange>),
    /// The saved views are others now.
    Views,
    /// Hosts, jobs, approvals or the audit log have changed.
    Bridge(BridgeNotice),
    /// These panes call a person now.
    Calls(Vec<PaneCall>),
    /// Nodes, or what they share, have changed.
    Nodes(NodesNotice),
    /// A contact became a VIP or ceased to be one.
    Vip {
        /// Who.
        contact: ContactId,
        /// Whether.
        vip: bool,
    },
    /// A task has changed.
    Task(TaskStatus),
    /// Deliveries were refused.
    Rejected(Vec<Rejection>),
    /// A line was logged.
    Log(LogLine),
    /// So many clients are attached now.
    Clients(usize),
    /// The engine stops.
    Stopping,
}

/// The state of the line to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// To an engine of this process that is being started.
    Starting,
    /// In this process.
    Embedded,
    /// Over a socket.
    Connected {
        /// Time to the engine and back, when it was measured.
        rtt: Option<Duration>,
    },
    /// The line is broken; what is shown is as old as `since`.
    Reconnecting {
        /// When it broke.
        since: Timestamp,
        /// How often it was tried again.
        tries: u32,
        /// What is known of the cause, in one line. It may hold text from outside.
        why: String,
    },
}

/// What a client hears.
#[derive(Debug, Clone)]
pub enum Update {
    /// The state to begin with.
    Snapshot(Box<Snapshot>),
    /// A change to it.
    Notice(Notice),
    /// The answer to a request.
    Reply {
        /// Which request.
        id: RequestId,
        /// The answer.
        reply: Result<Reply, Refusal>,
    },
    /// What is heard of panes. Watches end with the line: after a reconnect they are asked for again.
    Pane(PaneUpdate),
    /// The line has changed.
    Link(Link),
}

/// Entries of each list a snapshot keeps as notices change it.
const KEPT: usize = 200;

impl Snapshot {
    /// Applies a change, as the engine applied it.
    pub fn apply(&mut self, notice: &Notice) {
        match notice {
            Notice::Arrived { rows, events, dead_letters, up_to, .. } => {
                push_all(&mut self.inbox, rows);
                push_all(&mut self.events, events);
                self.dead_letters = *dead_letters;
                self.up_to = *up_to;
            }
            Notice::Channels(changed) => {
                for panel in changed {
                    if let Some(known) = self.channels.iter_mut().find(|known| known.id == panel.id) {
                        known.clone_from(panel);
                    }
                }
            }
            Notice::Checks(changed) => {
                for panel in changed {
                    if let Ok(place) = self.checks.binary_search_by(|known| known.id.cmp(&panel.id)) {
                        self.checks[place].clone_from(panel);
                    }
                }
            }
            Notice::AllChecks(checks) => self.checks.clone_from(checks),
            Notice::Isolated(since) => self.isolated = *since,
            Notice::Acted(change) => {
                for row in &mut self.inbox {
                    if let Some((_, marks)) = change.marks.iter().find(|(seq, _)| *seq == row.seq) {
                        row.marks.clone_from(marks);
                    }
                }
            }
            Notice::Vip { contact, vip } => {
                for row in self.inbox.iter_mut().filter(|row| row.contact == Some(*contact)) {
                    row.vip = *vip;
                }
            }
            Notice::Task(status) => match self.tasks.iter_mut().find(|task| task.name == status.name) {
                Some(task) => task.clone_from(status),
                None => {
                    self.tasks.push(status.clone());
                    self.tasks.sort_by(|a, b| a.name.cmp(&b.name));
                }
            },
            Notice::Rejected(rejections) => push_all(&mut self.rejections, rejections),
            Notice::Log(line) => push_all(&mut self.logs, std::slice::from_ref(line)),
            Notice::Clients(count) => self.clients = *count,
            Notice::Bridge(notice) => self.bridge.apply(notice),
            Notice::Calls(calls) => self.calls.clone_from(calls),
            Notice::Nodes(notice) => self.nodes.apply(notice),
            Notice::Views | Notice::Stopping => {}
        }
    }
}

/// Puts `new`, oldest first, before `list`, newest first.
fn push_all<T: Clone>(list: &mut Vec<T>, new: &[T]) {
    list.splice(0..0, new.iter().rev().cloned());
    list.truncate(KEPT);
}
