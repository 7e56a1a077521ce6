//! One line of the inbox's list: a conversation, or a message that was looked for.

use crate::model::{ContactId, ConversationRow, Item, Label, MessageId, MessageRow, OperatorName, Place};

use super::window::Placed;

/// The line.
#[derive(Debug, Clone)]
pub(super) enum Listed {
    Conversation(Box<ConversationRow>),
    Message(Box<MessageRow>),
}

impl Placed for Listed {
    type Key = Item;
    type Place = Place;

    fn key(&self) -> Item {
        match self {
            Self::Conversation(row) => row.id.into(),
            Self::Message(row) => row.id.into(),
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Conversation(row) => row.place,
            Self::Message(row) => Place { tier: 0, seq: row.seq, n: 0 },
        }
    }

    fn set_place(&mut self, place: Place) {
        if let Self::Conversation(row) = self {
            row.place = place;
        }
    }
}

impl Listed {
    /// The message it shows: of a conversation the newest.
    pub(super) fn message(&self) -> MessageId {
        match self {
            Self::Conversation(row) => row.newest,
            Self::Message(row) => row.id,
        }
    }

    pub(super) fn contact(&self) -> Option<ContactId> {
        match self {
            Self::Conversation(row) => row.contact,
            Self::Message(row) => row.contact,
        }
    }

    pub(super) fn vip(&self) -> bool {
        match self {
            Self::Conversation(row) => row.vip,
            Self::Message(row) => row.vip,
        }
    }

    pub(super) fn set_vip(&mut self, vip: bool) {
        match self {
            Self::Conversation(row) => row.vip = vip,
            Self::Message(row) => row.vip = vip,
        }
    }

    /// What it is about, as it came.
    pub(super) fn subject(&self) -> &str {
        match self {
            Self::Conversation(row) => &row.subject,
            Self::Message(row) => &row.subject,
        }
    }

    pub(super) fn is_unread(&self) -> bool {
        match self {
            Self::Conversation(row) => row.unread > 0,
            Self::Message(row) => row.marks.read.is_none(),
        }
    }

    pub(super) fn is_acked(&self) -> bool {
        match self {
            Self::Conversation(row) => row.acked.is_some(),
            Self::Message(row) => row.marks.acked.is_some(),
        }
    }

    /// Its labels, as far as the list knows them.
    pub(super) fn labels(&self) -> &[Label] {
        match self {
            Self::Conversation(row) => &row.labels,
            Self::Message(_) => &[],
        }
    }

    /// Who is to care for it, as far as the list knows.
    pub(super) fn assignee(&self) -> Option<&OperatorName> {
        match self {
            Self::Conversation(row) => row.assignee.as_ref(),
            Self::Message(_) => None,
        }
    }
}
