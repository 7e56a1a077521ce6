//! What the engine wants done. Data, so that a test can look at it.

use crate::model::{CheckId, ContactId, EventFilter, Mark, MessageId, Rejection};
use crate::protocol::{ClientId, Notice, Request, RequestId, Update};

/// One thing to do. Those with a `client` and an `id` come back as [`super::Input::Answered`].
#[derive(Debug)]
pub enum Effect {
    /// Let a client hear something.
    Send(ClientId, Box<Update>),
    /// Let every client that follows hear of a change.
    Publish(Notice),
    /// Forget a client.
    Drop(ClientId),
    /// Answer a question from the store.
    Read {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// The question.
        request: Request,
    },
    /// Put a mark on messages.
    Mark {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// Which messages.
        ids: Vec<MessageId>,
        /// Which mark.
        mark: Mark,
    },
    /// Make a contact a VIP or not.
    SetVip {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// Whom.
        contact: ContactId,
        /// Whether.
        vip: bool,
    },
    /// Project events again.
    Replay {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// Which events.
        filter: EventFilter,
    },
    /// Look at a check now.
    CheckNow {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// Which check.
        check: CheckId,
    },
    /// Start a task again.
    RestartTask(String),
    /// Read the configuration again and put it in force; answer who asked, if somebody did.
    Reload(Option<(ClientId, RequestId)>),
    /// Keep refusals for a look back.
    KeepRejections(Vec<Rejection>),
}
