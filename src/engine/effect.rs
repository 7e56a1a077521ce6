//! What the engine wants done. Data, so that a test can look at it.

use jiff::Timestamp;

use crate::model::{ActId, AuditNote, CheckId, ContactId, EventFilter, Identity, OperatorName, Rejection, TokenId};
use crate::protocol::{BridgeRequest, ClientId, Figures, NodeRequest, Notice, PaneRequest, Request, RequestId, Update};
use crate::store::{ActOrder, PersonOrder};

use super::TurnedAway;
use super::access::Grant;

/// One thing to do. Those with a `client` and an `id` come back as [`super::Input::Answered`].
#[derive(Debug)]
pub enum Effect {
    /// Tell a client that it is in, or why not.
    Admit(ClientId, Result<Identity, TurnedAway>),
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
    /// Add what the store and the task that looks at checks tell of themselves, and answer.
    Figures {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// What the engine knows.
        figures: Box<Figures>,
    },
    /// Do something to conversations and messages.
    Act {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// What is to be done.
        order: ActOrder,
    },
    /// Undo an act.
    Undo {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// Which act.
        act: ActId,
        /// Who undoes it.
        who: OperatorName,
    },
    /// Tell a client which views there are, and count them.
    Views {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// The name of this node.
        node: String,
        /// Who asks, by name.
        who: OperatorName,
    },
    /// Keep a view, or forget it when there is no query.
    KeepView {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// Its name.
        name: String,
        /// Its query.
        query: Option<String>,
    },
    /// Remember that these events were sent to screens.
    Shown {
        /// The first.
        first: i64,
        /// The last.
        last: i64,
        /// When.
        at: Timestamp,
    },
    /// Bring back what is snoozed no longer.
    Wake,
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
    /// Say which contacts are one person.
    Person {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// What is said.
        order: PersonOrder,
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
    /// Ask the bridge.
    Bridge {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// Who that is.
        identity: Identity,
        /// What.
        request: BridgeRequest,
    },
    /// Ask about panes, or order something.
    Pane {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// Who that is.
        identity: Identity,
        /// What.
        request: PaneRequest,
    },
    /// Ask about nodes, or order something.
    Node {
        /// Who asks.
        client: ClientId,
        /// The number of the request.
        id: RequestId,
        /// Who that is.
        identity: Identity,
        /// What.
        request: NodeRequest,
    },
    /// Write this into the audit log.
    Audit(AuditNote),
    /// Something about tokens.
    Token(TokenEffect),
    /// Start a task again.
    RestartTask(String),
    /// Read the configuration again and put it in force.
    Reload(Occasion),
    /// Keep refusals for a look back.
    KeepRejections(Vec<Rejection>),
}

/// Why the configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A client asks, by this request, and wants an answer.
    Client(ClientId, RequestId),
    /// The file has changed, or a signal came.
    Asked,
    /// It was refused before and is tried again.
    Again,
}

/// One thing to do about tokens.
#[derive(Debug)]
pub enum TokenEffect {
    /// Make one.
    Add {
        /// Who asks.
        client: ClientId,
        /// Who that is.
        by: OperatorName,
        /// The number of the request.
        id: RequestId,
        /// Which token.
        grant: Grant,
    },
    /// Let one no longer count.
    Revoke {
        /// Who asks.
        client: ClientId,
        /// Who that is.
        by: OperatorName,
        /// The number of the request.
        id: RequestId,
        /// Which token.
        token: TokenId,
    },
    /// Remember that one was used.
    Used(TokenId, Timestamp),
}
