//! What the terminal sends: keys, pasted text, the mouse, and answers to what it was asked.
//!
//! The parser does no I/O and knows no clock: bytes go in, in whatever pieces a line delivers them, and
//! [`Input`]s come out. What it does not know it swallows, so that nothing a terminal sends by itself is ever
//! taken for typed text. The reader gives it what the terminal sends, and says when a lone escape has waited
//! long enough to be the key.

mod answer;
mod driven;
mod event;
mod keys;
mod mouse;
mod parser;
mod patience;
mod reader;

pub use event::{Answer, Input};
pub use parser::{PASTE_MAX, Parser, Pending};

pub(super) use reader::Reader;
