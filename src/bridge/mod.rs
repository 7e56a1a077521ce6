//! Commands on remote hosts: over which road, once, and what became of them.
//!
//! [`Bridge`] decides and does nothing else: what it is told and the time go in, what it wants done comes out.

mod effect;
mod input;
mod layer;
pub mod layers;
mod shim;
mod ssh;
mod state;

pub use effect::BridgeEffect;
pub use input::{BridgeInput, Caps, CommandRule, HostSpec, Ticket};
pub use layer::{Asked, Layer, LayerEvent, LayerNews, NotDelivered, Term};
pub use shim::SHIM;
pub use ssh::{Ran, SshCall};
pub use state::Bridge;
