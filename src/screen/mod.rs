//! Text from outside on its way to a terminal. Pure.

mod exact;
mod text;
mod wrap;

pub use exact::{chop, exact, lookalikes};
pub use text::{json, line, lines, width};
pub use wrap::wrap;
