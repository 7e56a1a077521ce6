//! What an engine answers.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{
    Acted, ChannelStats, CheckHistory, CheckId, Contact, ConversationList, ConversationPage, Event, FreshToken,
    Identity, Label, Message, MessagePage, MessageRow, Observation, OperatorName, PersonActed, Report, SavedView,
    TokenRow, Trace, Undone,
};

use super::{BridgeReply, Figures, NodeReply, Overall, PaneReply, Snapshot};

/// The answer to a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is done.
    Done,
    /// Everything a screen begins with.
    Snapshot(Box<Snapshot>),
    /// Events.
    Events(Vec<Event>),
    /// One event, when it is known.
    Event(Option<Box<FullEvent>>),
    /// A number.
    Count(u64),
    /// Messages.
    Messages(Vec<MessageRow>),
    /// A part of a list of messages.
    Page(MessagePage),
    /// One message, when it is known.
    Message(Option<Box<Message>>),
    /// Bytes of an attachment, when it is known; none at its end.
    Attachment(Option<Bytes>),
    /// A part of a list of conversations.
    Conversations(ConversationList),
    /// A part of a conversation, when it is known.
    Conversation(Option<Box<ConversationPage>>),
    /// Labels, by name.
    Labels(Vec<Label>),
    /// Operators, by name.
    Operators(Vec<OperatorName>),
    /// The views, those that are always there first.
    Views(Vec<SavedView>),
    /// The way of an event, when it is known.
    Trace(Option<Box<Trace>>),
    /// What became of an act.
    Acted(Acted),
    /// What became of undoing one.
    Undone(Undone),
    /// Contacts.
    Contacts(Vec<Contact>),
    /// One contact, when it is known.
    Contact(Option<Box<Contact>>),
    /// What became of what was said about a person.
    Person(Box<PersonActed>),
    /// The past of a check, when it is known.
    CheckHistory(Option<Box<CheckHistory>>),
    /// What a look found.
    Observation(Box<Observation>),
    /// How aurora is.
    Overall(Overall),
    /// Which of the checks that are enabled are up, as [`crate::model::CheckState::is_up`] says.
    Health(BTreeMap<CheckId, bool>),
    /// Counts, by channel.
    Stats(Vec<ChannelStats>),
    /// The numbers a monitoring system collects.
    Figures(Box<Figures>),
    /// Who the client is.
    Identity(Identity),
    /// Tokens, the oldest first.
    Tokens(Vec<TokenRow>),
    /// A token was made; this is the only time its secret is seen.
    TokenAdded(Box<TokenRow>, FreshToken),
    /// Something about hosts, jobs, approvals or the audit log.
    Bridge(BridgeReply),
    /// Something about panes.
    Pane(PaneReply),
    /// Something about nodes.
    Node(NodeReply),
}

/// One event with everything that came along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullEvent {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// The headers of its delivery, in order, without secrets.
    pub headers: Vec<(String, String)>,
    /// The stored bytes, base64 in JSON.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub body: Vec<u8>,
    /// When it reports about a message: how far that message has come by all reports so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// Bytes; base64 in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(#[serde(serialize_with = "to_base64", deserialize_with = "from_base64")] pub Vec<u8>);

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The client may not.
    #[error("not allowed: {0}")]
    Denied(String),
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
    /// The line broke before the answer came, and asking again could do it twice.
    #[error("the connection broke before the answer came; it may or may not have happened")]
    Unanswered,
    /// The same client has asked for something newer.
    #[error("a newer search took its place")]
    Superseded,
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}
