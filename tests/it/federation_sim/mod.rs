//! Nodes on a made-up network: virtual time, one seed a run. The nodes are real [`aurora::federation::Membership`]s; what
//! carries their questions loses, delays and cuts, and they are stopped, killed, started and lied to.
//!
//! Used by `members_sim` in these tests, and by `cargo bench --bench federation_sim`.

mod network;
mod node;
mod truth;

pub use network::{Reaching, Setup, World};
