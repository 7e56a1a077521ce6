//! The only door to an engine for the TUI and the commands: embedded in this process, over its socket, or over
//! ssh to the socket on another machine.

mod act;
mod attached;
mod download;
mod handle;
mod line;
mod open;
mod relay;
mod ssh;
mod target;

pub use act::{act_id, job_id};
pub use download::Download;
pub use handle::Client;
pub use line::AttachError;
pub use relay::relay;
pub use target::{SshTarget, Target, TargetError};
