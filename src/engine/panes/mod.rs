//! The panes of hosts as a task of the engine: who watches what, who drives, what calls a person, what is recorded.
//!
//! The task decides and answers; what is printed does not pass through it, nor through the engine's loop: a link feeds a
//! kept screen, and each watch of a client takes from that what its pace allows.

mod asked;
mod desk;
#[cfg(test)]
mod desk_tests;
mod host;
mod leases;
mod lines;
mod marks;
mod marks_file;
mod notes;
mod outlet;
mod recorded;
mod recording;
mod service;
mod telling;
mod watching;

pub(super) use outlet::{PaneOutlet, Taken};
pub(super) use service::Panes;
