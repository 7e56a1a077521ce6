//! The panes of this host's tmux, for the engines that watch and drive them.
//!
//! One [`Owners`] a process, shared by all its connections: it looks at each tmux server somebody asks about, hears each
//! session with a watched pane once, and keeps what the panes print in rings. Connections read from those, each at its
//! own pace.

mod claim;
mod credit;
mod driver;
mod feed;
mod gate;
mod leases;
mod listing;
mod names;
mod notes;
mod owner;
mod pane_feed;
mod refusal;
mod ring;
mod sight;
mod visit;
mod watcher;

pub(super) use claim::{Claim, taken};
pub(super) use notes::Notes;
pub(super) use owner::Owners;
pub(super) use visit::Visit;
