//! The panes of other hosts, from this side: a link to each host's agent, the screens that are kept of what is watched,
//! and how much of them goes to whom.
//!
//! [`link`](self) decides and does nothing else; its task opens roads and carries words. A [`Kept`] screen is fed once,
//! by the link, and looked at by every [`Pacer`]. Whoever watches holds something that can only say what a watcher says.

mod bounds;
mod budget;
mod kept;
mod link;
mod moment;
mod pacer;
mod pending;
#[cfg(test)]
mod rig;
mod task;
mod watched;

pub use kept::{Kept, Screen};
pub use link::{HostList, LinkNews};
pub use moment::Moment;
pub use pacer::{Pacer, Turn};
pub use task::{HostLink, OpenLayer};
