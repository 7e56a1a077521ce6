//! Text from outside on its way to a terminal: lines, and the screens of panes. Pure.

mod cast;
mod cell;
mod controls;
mod decode;
mod dump;
mod emulator;
mod exact;
mod glass;
#[cfg(test)]
mod glass_tests;
mod glyph;
mod hide;
mod history;
mod pane_screen;
mod pen;
mod redact;
mod redact_output;
mod sequence;
mod stretch;
mod style;
mod text;
mod wrap;

pub use cast::Cast;
pub use cell::Cell;
pub use emulator::Emulator;
pub use exact::{chop, exact, lookalikes};
pub use glass::{BadPattern, Glass, Line, Lines, Missing, panics_are_caught, pattern};
pub use hide::KnownSecrets;
pub use history::{MAX_BYTES, MAX_LINES};
pub use pane_screen::{InputModes, PaneScreen, Scrolled};
pub use redact::Redactor;
pub use redact_output::OutputRedactor;
pub use stretch::Stretch;
pub use style::{Attributes, Color, Style, plain, styled};
pub use text::{json, line, lines, width};
pub use wrap::{wrap, wrap_below};
