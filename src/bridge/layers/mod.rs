//! The near ends of the roads to a host.

mod child;
pub mod exec;
pub mod local;
pub mod manual;
mod pulse;
mod stream;
mod talk;
pub mod tmux;

pub use exec::ExecLayer;
pub use stream::StreamLayer;
