//! What the engine hears.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::config::Config;
use crate::model::{
    ChannelId, CheckPanel, Identity, LogLine, MessageRow, Rejection, StoreTrouble, TaskStatus, Token, TokenHash,
    TokenId,
};
use crate::protocol::{
    BridgeNotice, ClientId, ConfigFault, NodesNotice, PaneCall, Refusal, Reply, Request, RequestId, Update,
};
use crate::store::{ChannelCounts, DeskWork, Projected};

use super::panes::PaneOutlet;
use super::{Credential, TurnedAway};

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// A client wants in.
    Joined {
        /// Its number.
        client: ClientId,
        /// Where it hears; bounded, so a slow client is a lagging one and never a growing one.
        outbox: mpsc::Sender<Update>,
        /// Where it hears of panes; bounded as well, and nothing that is told there makes it lag.
        panes: PaneOutlet,
        /// Where it hears whether it is in; the driver takes it.
        admission: Option<oneshot::Sender<Result<Identity, TurnedAway>>>,
        /// What it shows to be let in.
        credential: Credential,
        /// Whether it wants a snapshot and notices.
        follow: bool,
        /// Whether it may change nothing.
        read_only: bool,
    },
    /// A client has gone.
    Left(ClientId),
    /// A client fell behind and has missed notices.
    Lagging(ClientId),
    /// A client asks.
    Asked {
        /// Who.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// An effect has an answer for a client.
    Answered {
        /// Who asked.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// The answer.
        reply: Result<Reply, Refusal>,
        /// What it changed for everybody.
        aftermath: Option<Aftermath>,
    },
    /// Events were projected.
    Projected(Projected),
    /// Deliveries were refused.
    Rejected(Vec<Rejection>),
    /// Checks have new results.
    Checks(Vec<CheckPanel>),
    /// These are all checks now.
    AllChecks(Vec<CheckPanel>),
    /// Hosts, jobs, approvals or the audit log have changed.
    Bridge(BridgeNotice),
    /// These panes call a person now.
    Calls(Vec<PaneCall>),
    /// Nodes, or what they share, have changed.
    Nodes(NodesNotice),
    /// Own connectivity is gone since then, or back.
    Isolated(Option<Timestamp>),
    /// A task has changed. A task of the same name that was started later has a larger number.
    Task(u64, TaskStatus),
    /// A task of this number and name has ended for good.
    TaskGone(u64, String),
    /// The configuration is to be read again: its file has changed, or somebody asked.
    Reload,
    /// The configuration was read again.
    Reloaded(Result<Box<Taken>, ConfigFault>),
    /// The store cannot write, or can again.
    Store(Option<StoreTrouble>),
    /// Snoozes have ended, or it failed to bring back what they hid.
    Woken(Option<Box<DeskWork>>),
    /// A line was logged.
    Log(LogLine),
    /// A second has passed.
    Tick,
    /// The engine is to stop.
    Stop,
}

/// A configuration that is in force now.
#[derive(Debug)]
pub struct Taken {
    /// The configuration.
    pub config: Config,
    /// What it changes, a line each.
    pub changes: Vec<String>,
    /// What is stored on channels whose counts the engine does not know, or knows no longer.
    pub counts: HashMap<ChannelId, ChannelCounts>,
    /// The newest messages, where who is a VIP has changed.
    pub inbox: Option<Vec<MessageRow>>,
}

/// What an effect changed for everybody.
#[derive(Debug)]
pub enum Aftermath {
    /// Something was done to conversations, messages or contacts.
    Desk(Box<DeskWork>),
    /// The saved views are others.
    Views,
    /// A token was made.
    TokenAdded(TokenHash, Token),
    /// A token was revoked.
    TokenRevoked(TokenId),
}
