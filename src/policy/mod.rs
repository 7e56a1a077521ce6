//! What is allowed: pure decisions over requests and identities.

mod roles;

pub use roles::{may, may_follow, needed};
