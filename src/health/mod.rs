//! Checks: when they are looked at, what their results come to, what is kept of them.

mod flap;
mod gate;
mod histogram;
mod ledger;
pub mod probe;
mod rollup;
mod schedule;
mod state;

pub use flap::Flap;
pub use gate::Gate;
pub use histogram::Histogram;
pub use ledger::{Figures, Ledger};
pub use rollup::Rollup;
pub use schedule::{Beat, Due};
pub use state::{Announcement, Tracker};
