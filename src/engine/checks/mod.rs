//! Checks as a task of the engine: looks at the right time, results to state, store and screen.

mod board;
mod clock;
mod history;
mod measure;
mod observe;
mod rehearse;
mod restore;
mod runner;
mod service;
mod turns;
mod votes;
mod watch;
mod writer;

pub(super) use board::CheckBoard;
pub(super) use history::history;
pub use measure::CheckMeasures;
pub use observe::Script;
pub(super) use rehearse::rehearse;
pub use service::{CheckSet, Checks};
pub(super) use votes::Votes;
