//! Nodes that know each other: membership (pure), the logs they keep in step, and the links between them.

mod link;

pub use link::{Answer, Answered, Answerer, EventLink, LinkError};
