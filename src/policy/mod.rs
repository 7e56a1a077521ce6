//! What is allowed: pure decisions over requests and identities.

mod roles;
pub mod whitelist;
#[cfg(test)]
mod whitelist_tests;

pub use roles::{may, may_follow, needed};
pub use whitelist::{CommandLine, Denied};
