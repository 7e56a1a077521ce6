//! Text from outside on its way to a terminal. Pure.

mod text;

pub use text::{json, line, lines, width};
