//! The nouns: ids, events, messages, contacts, channels, checks, tasks. No async, no I/O.

mod age;
mod assurance;
mod channel;
mod check;
mod event;
mod filter;
mod id;
mod log;
mod message;
mod name;
mod nearest;
mod panel;
mod rejection;
mod secret;
mod storage;
mod task;
mod value;

pub use age::age;
pub use assurance::Assurance;
pub use channel::{BadChannelId, ChannelId, ProviderKind};
pub use check::{BadCheckId, CheckId, CheckKind, Observation, Phase, Step, Verdict};
pub use event::{Event, EventState};
pub use filter::{ContactFilter, EventFilter, InboxFilter};
pub use id::{BadId, ContactId, ConversationId, EventId, MessageId};
pub use log::{LogLevel, LogLine};
pub use message::{Contact, Mark, Marks, Message, MessageRow, Parsed, Person};
pub use nearest::nearest;
pub use panel::{ChannelPanel, ChannelState};
pub use rejection::{Reason, Rejection};
pub use secret::{Secret, names_a_secret};
pub use storage::{StoreFault, StoreTrouble};
pub use task::{TaskState, TaskStatus};
pub use value::{Value, short_bytes, short_duration};
