//! Commands on remote hosts: over which road, once, and what became of them.
//!
//! [`Bridge`] decides and does nothing else: what it is told and the time go in, what it wants done comes out. A job
//! waits in `queue`, is brought to its host by `delivery` as `table` says, over the roads of `host` and `road`.

mod clock;
mod delivery;
mod effect;
mod heard;
mod host;
mod input;
mod layer;
pub mod layers;
mod orders;
pub mod panes;
mod pieces;
pub mod program;
mod queue;
mod road;
mod roads;
mod rollout;
mod rollouts;
#[cfg(test)]
mod rollouts_tests;
mod scene;
mod shim;
mod ssh;
mod state;
mod table;
mod term;
#[cfg(test)]
mod tests;
mod turns;

pub use effect::BridgeEffect;
pub use input::{BridgeInput, Caps, CommandRule, HostSpec, Ticket};
pub use layer::{Asked, Layer, LayerEvent, LayerNews, NotDelivered, Term};
pub use rollouts::waits_for;
pub use shim::SHIM;
pub use ssh::{Ran, SshCall};
pub use state::{Bridge, Totals};
