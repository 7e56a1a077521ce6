//! The seam between nodes: what can be asked of another one, whatever carries it, and who answers it here.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::model::NodeName;
use crate::protocol::{
    Beat, BeatAnswer, Errand, ErrandAnswer, Join, JoinAnswer, Page, PageAsk, PageRefusal, Probe, ProbeAnswer,
    RemoteAct, RemoteActAnswer,
};

/// Time for an answer that is given at once: a heartbeat that takes longer is as good as lost.
pub(super) const ASK_AT_ONCE: Duration = Duration::from_secs(10);
/// Time for an order, which may open a connection to a host there.
pub(super) const ASK_ORDER: Duration = Duration::from_secs(30);
/// Time for a page beside the wait for its first entry. A peer that trickles is given up after it.
pub(super) const ASK_PAGE: Duration = Duration::from_secs(10);

/// What comes back from the other side, or why nothing does.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, LinkError>> + Send + 'a>>;

/// Why nothing usable came back. All of it is one line, and may hold text from outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Nobody answered, or not in time.
    #[error("failed to reach it: {0}")]
    Unreachable(String),
    /// It is there and has no place for the question now: nothing was done.
    #[error("it is asked too much: {0}")]
    Busy(String),
    /// It does not know this node's key, or this node may not ask that there.
    #[error("it refuses: {0}")]
    Refused(String),
    /// What came is not what was asked for: too long, unreadable, of another version, signed by somebody else.
    #[error("its answer cannot be used: {0}")]
    Unusable(String),
}

/// A way to one other node. It keeps nothing: cursors, backoff and budgets are above it.
pub trait EventLink: Send + Sync + 'static {
    /// Entries of a log.
    fn page<'a>(&'a self, ask: &'a PageAsk) -> Answer<'a, Result<Page, PageRefusal>>;

    /// Says that this node is there.
    fn beat<'a>(&'a self, beat: &'a Beat) -> Answer<'a, BeatAnswer>;

    /// Has it look for a third node.
    fn probe<'a>(&'a self, probe: &'a Probe) -> Answer<'a, ProbeAnswer>;

    /// Has something done there.
    fn act<'a>(&'a self, act: &'a RemoteAct) -> Answer<'a, RemoteActAnswer>;

    /// What is asked of this node there, waiting up to so many seconds for the first question: that node cannot call
    /// this one. A link that knows nothing of it refuses.
    fn errands(&self, _wait: u64) -> Answer<'_, Vec<Errand>> {
        Box::pin(async { Err(LinkError::Refused("nothing is fetched this way".to_owned())) })
    }

    /// Answers such a question.
    fn answer<'a>(&'a self, _number: u64, _answer: &'a ErrandAnswer) -> Answer<'a, ()> {
        Box::pin(async { Err(LinkError::Refused("nothing is fetched this way".to_owned())) })
    }
}

/// What becomes of a question of another node. Whose it is has been proven.
pub type Answered<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who answers other nodes here.
pub trait Answerer: Send + Sync + 'static {
    /// Entries of a log: this node's own, or one it relays. Waits up to `ask.wait` seconds for the first.
    fn page(&self, from: NodeName, ask: PageAsk) -> Answered<'_, Result<Page, PageRefusal>>;

    /// A node says that it is there.
    fn beat(&self, from: NodeName, beat: Beat) -> Answered<'_, Result<BeatAnswer, String>>;

    /// A node looks for a third one.
    fn probe(&self, from: NodeName, probe: Probe) -> Answered<'_, ProbeAnswer>;

    /// An operator of another node wants something done.
    fn act(&self, from: NodeName, act: RemoteAct) -> Answered<'_, RemoteActAnswer>;

    /// A node was invited. It has proven that it has the key it names, and the key of the invitation it names.
    fn join(&self, join: Join) -> Answered<'_, Result<JoinAnswer, String>>;
}
