//! What is allowed: pure decisions over requests and identities.

mod judge;
pub mod quorum;
mod roles;
pub mod whitelist;
#[cfg(test)]
mod whitelist_tests;

pub use judge::{Verdict, judge};
pub use roles::{may, may_follow, needed};
pub use whitelist::{CommandLine, Denied};
