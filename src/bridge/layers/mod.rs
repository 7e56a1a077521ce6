//! The near ends of the roads to a host.

mod child;
pub mod local;
mod pulse;
mod stream;
mod talk;

pub use stream::StreamLayer;
