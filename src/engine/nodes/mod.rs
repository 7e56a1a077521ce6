//! The nodes that know each other, in the running engine: who is there, logs kept in step, what is shared, acting through
//! a peer.

mod acting;
mod answerer;
mod desk;
mod fetching;
mod hearsay;
mod incidents;
mod logs;
mod members;
mod panels;
mod publisher;
mod publishing;
mod recall;
mod registry;
mod reloading;
mod remotes;
mod requests;
mod service;
mod votes;
mod ways;

pub(super) use reloading::{Named, NodesReady};
pub(super) use service::{Ground, Nodes};
pub(super) use ways::Ways;
