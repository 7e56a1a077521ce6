//! What happens on a managed host: its journal of jobs, the processes that run them, and the desk that every door asks.

mod desk;
mod lease;
mod machine;
mod session;
mod spool;

pub use desk::{AgentError, Desk};
pub use lease::{Fenced, Lease};
pub use machine::Machine;
pub use session::Session;
pub use spool::{Spool, SpoolError};
