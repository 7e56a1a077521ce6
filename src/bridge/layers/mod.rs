//! The near ends of the roads to a host.

#[cfg(test)]
mod back_tests;
mod child;
pub mod exec;
mod letter_files;
pub mod local;
pub mod manual;
mod pulse;
pub mod socket;
mod stream;
mod talk;
pub mod tmux;
pub mod trigger;

pub use exec::ExecLayer;
pub use stream::StreamLayer;
