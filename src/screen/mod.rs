//! Text from outside on its way to a terminal. Pure.

mod text;
mod wrap;

pub use text::{json, line, lines, width};
pub use wrap::wrap;
