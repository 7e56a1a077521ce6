//! The only door to an engine for the TUI and the commands: embedded in this process or over its socket.

mod attached;
mod handle;
mod open;

pub use attached::{AttachError, try_attach};
pub use handle::Client;
