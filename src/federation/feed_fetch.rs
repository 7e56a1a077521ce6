//! Fetching a page from another node: asked for, judged, applied.

use jiff::Timestamp;

use crate::model::{EpochId, Head, NodeKey, SharedEvent};
use crate::protocol::{Page, PageRefusal};
use crate::store::{Applied, LogEnd, Store, StoreError};

use super::chain::{self, PageFault};
use super::sync::Question;
use super::{EventLink, LinkError};

/// What became of a question.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// What became of it.
    pub outcome: Outcome,
    /// Bytes of what came, nearly.
    pub bytes: usize,
}

/// What became of a question.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// These entries are applied now.
    Taken {
        /// They, in order.
        events: Vec<SharedEvent>,
        /// Where the log ends now.
        end: LogEnd,
        /// The first and the last entry that are gone for good, when some are.
        gap: Option<(u64, u64)>,
        /// The newest entry there is, as the other side says.
        high: u64,
    },
    /// There is nothing new.
    Nothing {
        /// The life of the log there.
        epoch: EpochId,
        /// Its newest entry there.
        high: u64,
    },
    /// All of it was applied before; the log ends there.
    Known(LogEnd),
    /// There is no page.
    Refused(PageRefusal),
    /// Nobody answered.
    Unreachable(String),
    /// What came is of no use: not what was asked for, or a refusal of the whole question.
    Unusable(String),
    /// What came cannot be true, and who brought it must have known.
    Broken(String),
    /// The origin has signed two different logs.
    Forked(String),
    /// It is of an earlier life than is known.
    Older,
    /// Nothing of that node is taken over.
    Unfollowed,
    /// It could not be kept here.
    Failed(StoreError),
}

impl Fetched {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, bytes: 0 }
    }
}

/// Asks `question` over `link` and applies what comes to `store`. `keys` are those pinned for the origin, `verify` looks
/// at the signature of a head under the key it names; `now` is when it is applied.
pub async fn fetch(
    link: &dyn EventLink,
    store: &Store,
    question: &Question,
    keys: &[NodeKey],
    verify: &(dyn Fn(&Head) -> bool + Sync),
    now: &(dyn Fn() -> Timestamp + Sync),
) -> Fetched {
    let page = match link.page(&question.ask()).await {
        Ok(Ok(page)) => page,
        Ok(Err(refusal)) => return Fetched::of(Outcome::Refused(refusal)),
        Err(LinkError::Unreachable(why) | LinkError::Busy(why)) => return Fetched::of(Outcome::Unreachable(why)),
        Err(error) => return Fetched::of(Outcome::Unusable(error.to_string())),
    };
    let bytes = page.events.iter().map(SharedEvent::weight).sum();
    Fetched { outcome: take(page, store, question, keys, verify, now).await, bytes }
}

async fn take(
    page: Page,
    store: &Store,
    question: &Question,
    keys: &[NodeKey],
    verify: &(dyn Fn(&Head) -> bool + Sync),
    now: &(dyn Fn() -> Timestamp + Sync),
) -> Outcome {
    let (high, epoch) = (page.high, page.origin.epoch);
    let checked = match chain::check(page, &question.follows, &question.peer, keys, verify) {
        Ok(Some(checked)) => checked,
        Ok(None) => return Outcome::Nothing { epoch, high },
        Err(PageFault::Unusable(why)) => return Outcome::Unusable(why),
        Err(PageFault::Broken(why)) => return Outcome::Broken(why),
    };
    match store.apply_shared(checked, now()).await {
        Ok(Applied::Taken { events, end, gap }) => Outcome::Taken { events, end, gap, high },
        Ok(Applied::Known(end) | Applied::Behind(end)) => Outcome::Known(end),
        Ok(Applied::Forked(seq)) => {
            Outcome::Forked(format!("{} has signed two different entries {seq}", question.follows.origin))
        }
        Ok(Applied::Older) => Outcome::Older,
        Ok(Applied::Refused) => Outcome::Unfollowed,
        Err(error) => Outcome::Failed(error),
    }
}
