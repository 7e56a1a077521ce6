//! What a client may ask.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    Act, ActId, CheckId, ContactFilter, ContactId, ConversationId, EventFilter, EventId, InboxFilter, Item, MessageId,
    Order, PersonAct, Place, TokenId, TokenWish,
};

use super::{BridgeRequest, NodeRequest, PaneRequest};

/// The number a client gives its request; the reply carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// The number an engine gives a client that is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A question or an order. The engine decides whether the client may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Everything a screen begins with.
    Snapshot,
    /// Events, newest first before `before`, or oldest first after `after`.
    Events {
        /// Which.
        filter: EventFilter,
        /// Only older ones.
        before: Option<i64>,
        /// Only newer ones, oldest first.
        after: Option<i64>,
        /// How many at most.
        limit: usize,
    },
    /// How many events match.
    EventCount(EventFilter),
    /// One event in full.
    Event(EventId),
    /// Project events again.
    Replay(EventFilter),
    /// Messages, newest first. An answer takes a bounded time: it says where the list goes on.
    Inbox {
        /// Which.
        filter: InboxFilter,
        /// Only older ones.
        before: Option<i64>,
        /// How many at most.
        limit: usize,
    },
    /// How many messages match.
    InboxCount(InboxFilter),
    /// Messages nobody has read: VIPs first, among each the longest waiting first.
    Unread {
        /// How many at most.
        limit: usize,
    },
    /// The same as [`Request::Inbox`] for a search box: a newer one of the same client ends the one before, which is answered as superseded.
    Search {
        /// Which.
        filter: InboxFilter,
        /// What comes first.
        order: Order,
        /// Only older ones.
        before: Option<i64>,
        /// How many at most.
        limit: usize,
    },
    /// One message in full.
    Message(MessageId),
    /// A part of a file that came with a message.
    Attachment {
        /// Which message.
        message: MessageId,
        /// Which of its attachments, counted from 1.
        number: u32,
        /// From which byte on.
        offset: u64,
    },
    /// Conversations, unread ones first, each group by its newest message.
    Conversations {
        /// Which. Snoozed ones are left out.
        filter: InboxFilter,
        /// Only those that stand behind this place.
        before: Option<Place>,
        /// How many at most.
        limit: usize,
    },
    /// The newest messages of a conversation, and the notes between them.
    Conversation {
        /// Which.
        id: ConversationId,
        /// Only messages before this place.
        before: Option<i64>,
        /// How many messages at most; 200 are the most.
        limit: usize,
    },
    /// The labels there are, by name.
    Labels,
    /// Who may be given a conversation, by name.
    Operators,
    /// The views there are, and how many unread conversations match each.
    Views,
    /// Give a query a name, for everybody; a view of this name is replaced. 50 are the most.
    SaveView {
        /// The name.
        name: String,
        /// The query, as [`InboxFilter`] reads it.
        query: String,
    },
    /// Forget a view.
    DeleteView(String),
    /// The way of an event, from its delivery to whoever took it.
    Trace(EventId),
    /// Do something to conversations and messages.
    Act {
        /// What the act is called. Whoever asks makes it, so that asking again does it once.
        id: ActId,
        /// To what, 10,000 at most.
        on: Vec<Item>,
        /// What.
        act: Act,
        /// The place of the newest event that whoever asks has heard of. Messages that came later are left as they are,
        /// however late the request arrives; `None` is about everything there is.
        #[serde(default)]
        seen: Option<i64>,
    },
    /// Restore what was before an act, where nobody has changed it since. Within 10 seconds, and 15 more for the line.
    Undo(ActId),
    /// Contacts, the last to write first.
    Contacts {
        /// Which.
        filter: ContactFilter,
        /// How many at most.
        limit: usize,
    },
    /// One contact.
    Contact(ContactId),
    /// Make a contact a VIP or not.
    SetVip {
        /// Whom.
        id: ContactId,
        /// Whether.
        vip: bool,
    },
    /// Say which contacts are one person, or no longer. Nothing of what they wrote changes, and it is undone as an act is.
    Person {
        /// What the act is called by whoever asks: asked again, it is not done again.
        id: ActId,
        /// What is said.
        act: PersonAct,
    },
    /// Stop a background task and start it again.
    RestartTask(String),
    /// Read the configuration again and take it, whole or not at all.
    Reload,
    /// The past of one check.
    CheckHistory {
        /// Which check.
        id: CheckId,
        /// Since when.
        since: Timestamp,
        /// Until when: the present of whoever asks, by which it is cut. Nothing is known beyond the engine's own.
        until: Timestamp,
        /// How many stretches of time it is cut into at most.
        slots: usize,
    },
    /// Look at a check now. The result counts like any other.
    CheckNow(CheckId),
    /// How aurora is, in one word.
    Overall,
    /// Which checks are up.
    Health,
    /// Counts per channel.
    Stats,
    /// The numbers a monitoring system collects.
    Figures,
    /// Who am I, and what may I do?
    WhoAmI,
    /// The tokens of the API.
    Tokens,
    /// Make a token.
    AddToken(TokenWish),
    /// Let a token no longer count.
    RevokeToken(TokenId),
    /// Something about hosts, jobs, approvals or the audit log.
    Bridge(BridgeRequest),
    /// Something about the panes of hosts.
    Pane(PaneRequest),
    /// Something about the nodes that know each other.
    Node(NodeRequest),
}

impl Request {
    /// What it is called on the wire, as `restart-task`; of the bridge's, as `run`; of the panes', as `take`; of the nodes', as `invite`.
    #[must_use]
    pub fn name(&self) -> String {
        let written = match self {
            Self::Bridge(request) => serde_json::to_value(request),
            Self::Pane(request) => serde_json::to_value(request),
            Self::Node(request) => serde_json::to_value(request),
            request => serde_json::to_value(request),
        };
        match written {
            Ok(serde_json::Value::String(name)) => name,
            Ok(serde_json::Value::Object(fields)) => {
                fields.into_iter().next().map(|(name, _)| name).unwrap_or_default()
            }
            _ => String::new(),
        }
    }

    /// Whether it changes anything. A read-only client is refused these.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Snapshot
            | Self::Events { .. }
            | Self::EventCount(_)
            | Self::Event(_)
            | Self::Inbox { .. }
            | Self::InboxCount(_)
            | Self::Unread { .. }
            | Self::Search { .. }
            | Self::Message(_)
            | Self::Conversations { .. }
            | Self::Conversation { .. }
            | Self::Labels
            | Self::Views
            | Self::Trace(_)
            | Self::Operators
            | Self::Attachment { .. }
            | Self::Contacts { .. }
            | Self::Contact(_)
            | Self::CheckHistory { .. }
            | Self::Overall
            | Self::Health
            | Self::Stats
            | Self::Figures
            | Self::WhoAmI
            | Self::Tokens => false,
            Self::CheckNow(_)
            | Self::Replay(_)
            | Self::Act { .. }
            | Self::Undo(_)
            | Self::SaveView { .. }
            | Self::DeleteView(_)
            | Self::SetVip { .. }
            | Self::Person { .. }
            | Self::RestartTask(_)
            | Self::Reload
            | Self::AddToken(_)
            | Self::RevokeToken(_) => true,
            Self::Bridge(request) => request.writes(),
            Self::Pane(request) => request.writes(),
            Self::Node(request) => request.writes(),
        }
    }

    /// The filter of messages it comes with, if it has one.
    pub fn filter_mut(&mut self) -> Option<&mut InboxFilter> {
        match self {
            Self::Inbox { filter, .. }
            | Self::InboxCount(filter)
            | Self::Search { filter, .. }
            | Self::Conversations { filter, .. } => Some(filter),
            _ => None,
        }
    }

    /// Whether asking twice does no more than asking once, so that it may be asked again after the line broke.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        match self {
            Self::RestartTask(_) | Self::CheckNow(_) | Self::AddToken(_) => false,
            Self::Pane(request) => request.is_idempotent(),
            Self::Node(request) => request.is_idempotent(),
            _ => true,
        }
    }
}
