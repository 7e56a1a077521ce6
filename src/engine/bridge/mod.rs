//! The bridge as a task of the engine: questions to roads, answers to decisions, decisions to store and screen.

mod approvals;
mod audit;
mod gate;
mod layers;
mod live;
mod manual;
mod played;
mod redacting;
mod requests;
mod road;
mod roads;
mod runner;
mod service;
mod staging;
mod submit;
mod telling;
mod waiting;

pub(super) use layers::every_layer;
pub(super) use live::beginning;
pub use played::CommandScript;
pub use roads::{OpenRoad, Opened};
pub use service::{BridgeSet, Bridges};
