//! What every road to a host has in common: questions go out, and what is heard comes back as news.

use std::pin::Pin;
use std::time::Duration;

use crate::model::{EngineId, HostName, LayerKind};
use crate::protocol::{FromAgent, ToAgent};

/// Who orders, and in which term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The engine.
    pub engine: EngineId,
    /// Its term: one more at every start of an engine, and above every term an agent told of.
    pub epoch: u64,
}

/// Why a question did not reach the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDelivered {
    /// Not a byte of it was handed over, so another road may carry it at once.
    #[error("not sent: {0}")]
    NeverSent(String),
    /// Some of it was handed over. The host is asked before it is sent again.
    #[error("handed over, and then: {0}")]
    Unknown(String),
}

/// A question on its way. It ends when the last byte was handed over, not when an answer came.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<(), NotDelivered>> + Send + 'a>>;

/// One road to one host. It keeps itself open: it connects, greets, reconnects with backoff and says what it hears.
///
/// Whoever makes one gives it a sender of [`LayerNews`]. Dropping it closes the road and ends what it started, on this
/// machine; what runs on the host goes on.
pub trait Layer: Send + Sync + 'static {
    /// Which kind of road it is.
    fn kind(&self) -> LayerKind;

    /// Hands `question` to the host. Answers come as [`LayerEvent::Heard`], in no promised order between questions.
    fn ask(&self, question: ToAgent) -> Asked<'_>;

    /// Tries again now instead of after its backoff: an operator asks, or another road to the same host came back.
    fn nudge(&self);
}

/// What happened on a road.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerEvent {
    /// It is being opened.
    Connecting,
    /// The agent answered a hello ([`FromAgent::Welcome`], heard before this) or a probe over it.
    Alive {
        /// Time to the agent and back.
        rtt: Duration,
    },
    /// The agent said something.
    Heard(Box<FromAgent>),
    /// It is closed. What was asked and not answered is unsure.
    Down {
        /// What failed, at which step, and what to do; one line.
        why: String,
    },
    /// It must not be used, and no weaker road in its place, until a person has looked.
    Barred {
        /// What was seen: a changed host key, a foreign spool.
        why: String,
    },
}

/// What happened on which road of which host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerNews {
    /// The host.
    pub host: HostName,
    /// The road.
    pub kind: LayerKind,
    /// What happened.
    pub event: LayerEvent,
}
