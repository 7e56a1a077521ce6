//! The durable half of aurora: `SQLite` in WAL mode with `synchronous=FULL`.
//!
//! One writer thread joins waiting deliveries into one commit (group commit) and answers them only after
//! it. The acknowledged transaction holds the raw event and its keys, nothing more. Messages,
//! conversations and contacts follow from a watermark in batches, the search index from another, so a
//! crash anywhere between loses nothing. A small pool reads beside the writer, and checkpoints run on a
//! connection of their own.

mod act_record;
mod acts;
mod approvals;
mod attachments;
mod audit;
mod blobs;
mod body_guard;
#[cfg(test)]
mod check_tests;
mod checkpoint;
mod checks;
mod commit_times;
mod contacts;
mod conversations;
mod desk;
#[cfg(test)]
mod desk_tests;
mod error;
mod events;
#[cfg(test)]
mod find_tests;
mod guards;
mod health;
mod inbox;
mod job_output;
mod jobs;
mod known;
mod lists;
mod marks;
mod messages;
mod migrate;
mod names;
mod nodes;
mod nodes_append;
mod nodes_apply;
mod nodes_log;
mod nodes_read;
mod nodes_sweep;
#[cfg(test)]
mod nodes_tests;
mod once;
mod open;
mod passages;
mod patience;
mod persons;
#[cfg(test)]
mod persons_tests;
mod project;
mod pulse;
mod queue;
mod read;
mod record;
mod rejections;
mod repeats;
mod reports;
mod rollouts;
mod search;
mod search_index;
mod stats;
mod tally;
#[cfg(test)]
mod tests;
mod tokens;
mod trace;
mod views;
mod wake;
mod walk;
#[cfg(test)]
mod way_tests;
mod writer;

pub use act_record::NotUndone;
pub use acts::ActOrder;
pub use blobs::{Blobs, Claim, NewBlob};
pub use checks::{CheckBatch, CheckCounts, CheckResult, KeptCheck, Span};
pub use commit_times::CommitTimes;
pub use contacts::VipChange;
pub use desk::DeskWork;
pub use error::StoreError;
pub use events::RawEvent;
pub use inbox::ChannelCounts;
pub use jobs::JobBatch;
pub use messages::Unread;
pub use nodes::{KnownNode, Quarantine, Vouched};
pub use nodes_append::{NewShared, Publication};
pub use nodes_apply::{Applied, CheckedPage};
pub use nodes_log::{LogEnd, SharedLog};
pub use nodes_read::{LogSlice, SharedRow, SharedState};
pub use nodes_sweep::KeepShared;
pub use open::{Options, Store};
pub use passages::{Passages, Point};
pub use patience::Patience;
pub use persons::{NotSaid, PersonOrder};
pub use project::{PendingEvent, Projected, Projection};
pub use pulse::Pulse;
pub use record::{NewEvent, OneTime, Recorded, Verdict};
