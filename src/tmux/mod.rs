//! Talking to a tmux server of this machine: what panes it has, what they show and print, and typing into them.
//!
//! Everything here looks and types; nothing ends, resizes or renames what belongs to the user.

mod control;
mod error;
mod fallback;
mod line;
mod list;
mod look;
mod order;
mod pipe;
mod poll;
mod rebuild;
mod rows;
mod server;
mod shot;
mod typing;

pub use control::{Control, Heard, Taken};
pub use error::{NoKeys, TmuxError};
pub use fallback::{Fallback, Next};
pub use list::{Found, Listing};
pub use look::Look;
pub use pipe::Pipe;
pub use poll::Poll;
pub use server::Server;
pub use shot::Shot;
pub use typing::NotTyped;
