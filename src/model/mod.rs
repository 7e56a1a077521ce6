//! The nouns: ids, events, messages, contacts, channels, checks, tasks, operators, hosts, jobs. No async, no I/O.

mod act;
mod address;
mod age;
mod approval;
mod argument;
mod argv;
mod assurance;
mod audit;
pub(crate) mod base64_bytes;
mod channel;
mod check;
mod check_history;
mod check_panel;
mod command;
mod conversation;
mod count;
mod course;
mod event;
mod filter;
pub(crate) mod hex_pin;
mod host;
mod id;
mod inbox_query;
mod job;
mod key_overrides;
mod label;
mod log;
mod message;
mod moment;
mod name;
mod nearest;
mod node;
mod operator;
mod pane;
mod panel;
mod person;
mod pinned;
mod prompt;
mod rejection;
mod rollout;
mod secret;
mod shared;
mod sights;
mod ssh;
mod stats;
mod storage;
mod strip;
mod target;
mod task;
mod token;
mod trace;
mod unseen;
mod value;
mod view;

pub use act::{Act, Acted, BadItem, Item, NOTE_MAX, Snooze, UNDO_OFFERED, Undone};
pub use address::{BadAddress, Endpoint, Family, HttpAddress};
pub use age::{age, ago, lasting};
pub use approval::{Approval, ApprovalState, Vote};
pub use argument::{Argument, ArgumentKind, Shape, compile_pattern, is_plain_path, quoted};
pub use argv::{BadWord, Piece, argv_pieces, is_argument_name};
pub use assurance::Assurance;
pub use audit::{AUDIT_BEGINNING, AuditEntry, AuditKind, AuditNote, AuditVerdict};
pub use channel::{BadChannelId, ChannelId, ProviderKind};
pub use check::{BadCheckId, CheckId, CheckKind, Observation, Phase, Step, Verdict};
pub use check_history::{CheckHistory, Failure, HistorySlot};
pub use check_panel::{CheckPanel, CheckState, Soft};
pub use command::{
    BadCommandName, BadPlanHash, Class, CommandName, CommandTemplate, HostSelector, Plan, PlanHash, Risk,
};
pub use conversation::{ConversationList, ConversationPage, ConversationRow, DeskChange, Entry, Note, Place, Repeats};
pub use count::counted;
pub use course::Course;
pub use event::{Event, EventState};
pub use filter::{Assignee, ContactFilter, EventFilter, InboxFilter, MessagePage, Order};
pub use host::{AgentCard, BadHostName, HostName, HostPanel, LayerKind, LayerPanel, LayerState};
pub use id::{
    ActId, ApprovalId, BadId, BootId, ContactId, ConversationId, EngineId, EpochId, EventId, JobId, MessageId,
    SharedId, SpoolId, TokenId,
};
pub use inbox_query::{BadQuery, WORDS_MAX, search_words};
pub use job::{
    Attempt, End, Job, JobFilter, JobOutput, JobRow, JobState, Lane, NOT_TYPED, Outcome, OutputChunk, OutputTotals,
    Stream,
};
pub use key_overrides::KeyOverrides;
pub use label::{BadLabel, Label};
pub use log::{LogLevel, LogLine};
pub use message::{Attachment, Contact, Marks, Message, MessageRow, Parsed, Person, Report, numbered};
pub use moment::{BadMoment, moment};
pub use nearest::nearest;
pub use node::{BadNodeKey, BadNodeName, Invitation, NodeKey, NodeName, NodePanel, NodeState, Trust};
pub use operator::{BadOperatorName, Identity, OperatorName, RecognisedBy, Role};
pub use pane::{BadPaneName, PaneAddress, PaneChunk, PaneDriver, PaneFacts, PaneFeedKind, PaneId, PaneName, PaneSeed};
pub use panel::{ChannelPanel, ChannelState};
pub use person::{PersonAct, PersonActed};
pub use pinned::{KEYS_OVERLAP, PinnedKey, PinnedKeys};
pub use prompt::{BadPanePlace, PanePlace, Prompt, PromptTemplate};
pub use rejection::{Reason, Rejection};
pub use rollout::{Pace, Rollout, RolloutPhase, RolloutRow, Stand, Undoing, stages};
pub use secret::{Secret, names_a_secret};
pub use shared::{BadChainHash, ChainHash, Head, Hlc, Origin, SharedEvent, SharedKind};
pub use sights::{Sight, Sights};
pub use ssh::{BadSshPlace, SshPlace, is_remote_path, is_ssh_user, port_number};
pub use stats::ChannelStats;
pub use storage::{StoreFault, StoreTrouble};
pub use strip::{Slot, Strip};
pub use target::{Expected, HttpTarget, PRESETS, ProcessTarget, Target, TcpStep, TcpTarget, TlsTarget, preset};
pub use task::{TaskState, TaskStatus};
pub use token::{FreshToken, Scope, Token, TokenHash, TokenRow, TokenWish};
pub use trace::{Trace, TraceStep};
pub use unseen::{escaped, is_unseen, seen};
pub use value::{Value, short_bytes, short_duration};
pub use view::{BUILT_IN_VIEWS, BadViewName, Count, SavedView, view_name};
