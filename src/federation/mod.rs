//! Nodes that know each other: membership (pure), the logs they keep in step, and the links between them.

mod chain;
mod feed;
mod feed_fetch;
mod link;
mod sync;
mod sync_log;
mod sync_pace;

pub use chain::{Follows, PageFault, SUBJECT_BYTES, check};
pub use feed::{Feed, SignHead, begins_anew, epoch_after};
pub use feed_fetch::{Fetched, Outcome, fetch};
pub use link::{Answer, Answered, Answerer, EventLink, LinkError};
pub use sync::{Question, Standing, Sync, SyncEffect};
