//! The words between an engine and whoever looks at it: requests, replies, notices, snapshots and frames.
//!
//! The same types cross a channel inside one process and a socket between two, so an embedded and an
//! attached screen share every line of code.

mod agent;
mod agent_panes;
mod bridge;
mod bridge_problems;
mod bridge_verbs;
mod config_status;
mod federation;
mod figures;
mod frame;
mod node_problems;
mod nodes;
mod order;
mod order_words;
mod panes;
mod problems;
mod reply;
mod request;
mod run;
mod snapshot;
mod urgent;
mod verbs;

pub use crate::model::{JobFilter, JobOutput};
pub use agent::{AGENT_FRAME_MAX, AGENT_VERSION, FromAgent, JobOrder, Journal, ToAgent};
pub use agent_panes::{DRIVER_IDLE_S, DriveAsk, PANE_WINDOW, PaneSaid, WatchAsk};
pub use bridge::{BridgeNotice, BridgePanel, BridgeReply, BridgeRequest};
pub use config_status::{ConfigFault, ConfigStatus};
pub use federation::{
    BODY_BYTES, Beat, BeatAnswer, Errand, ErrandAnswer, ErrandAsk, FEDERATION_VERSION, HOPS_MAX, Join, JoinAnswer,
    KEYS_MAX, PAGE_BYTES, PAGE_EVENTS, Page, PageAsk, PageRefusal, Probe, ProbeAnswer, RemoteAct, RemoteActAnswer,
    SEES_MAX, Seen, WAIT_MAX,
};
pub use figures::{CheckFigures, Figures, LookFigures, Overall, StoreFigures};
pub use frame::{ASK_MAX, CODEC_MAX, FromEngine, ToEngine, VERSION};
pub use nodes::{
    NodeOrder, NodeReply, NodeRequest, NodesNotice, NodesPanel, REMOTE_STATES, RemoteChange, RemoteIncident,
    RemoteNode, SharedLine,
};
pub use order::{Order, Told};
pub use order_words::BadLine;
pub use panes::{
    HostPanes, NoPane, PaneCall, PaneLine, PaneLines, PaneLost, PaneMark, PanePace, PaneReply, PaneRequest, PaneRow,
    PaneUpdate, ProgramDoing, ProgramState,
};
pub use problems::{Problem, Severity, Trouble, severity};
pub use reply::{Bytes, FullEvent, Refusal, Reply};
pub use request::{ClientId, Request, RequestId};
pub use run::{Draft, Preview};
pub use snapshot::{Link, Notice, Snapshot, Update};
pub use urgent::{Need, Urgent};
pub use verbs::{Asking, Takes, VERBS, Verb};
