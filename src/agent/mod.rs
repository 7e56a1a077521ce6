//! What happens on a managed host: its journal of jobs, the processes that run them, and the desk that every door asks.

mod audit;
mod command;
mod desk;
pub mod doors;
mod faults;
mod follow;
mod job_dir;
mod journal;
mod keeping;
mod lease;
mod letter;
mod machine;
mod orders;
mod output;
mod panes;
mod prompt;
mod runner;
mod runners;
mod session;
mod spool;
mod surroundings;
mod tree;
mod typed;
mod watcher;

pub use desk::{AgentError, Desk, Parts};
pub use faults::{FaultPoint, Faults};
pub use job_dir::JobDir;
pub use journal::{Accepted, CancelNote, Claim, RETENTION, Refused};
pub use lease::{Fenced, Lease};
pub use letter::{BadLetter, Letter, MarkedLetter, is_mark};
pub use machine::{Machine, Process};
pub use output::{OutputReader, OutputWriter};
pub use runner::{Handover, wait_and_run};
pub use session::Session;
pub use spool::{Spool, SpoolError};
