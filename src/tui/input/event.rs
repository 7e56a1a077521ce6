//! What comes of the bytes a terminal sends.

use crossterm::event::{KeyEvent, MouseEvent};

/// One thing the terminal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// Pasted text, with `\n` for every kind of line break. It is text and never keys.
    Paste(String),
    /// A paste of so many bytes, which is more than [`super::PASTE_MAX`]; none of it is kept, as half a text
    /// may say the opposite of the whole.
    PasteTooLong(usize),
    /// The mouse; columns and rows count from 0.
    Mouse(MouseEvent),
    /// The terminal's window got the focus, or lost it.
    Focus(bool),
    /// An answer to a query.
    Answer(Answer),
    /// While somebody types into a pane: bytes, exactly as the terminal sent them.
    Typed(Vec<u8>),
    /// The key that ends that.
    GiveBack,
}

/// What a terminal answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The colour of text by default: red, green, blue (OSC 10).
    Foreground(u8, u8, u8),
    /// The colour behind everything: red, green, blue (OSC 11).
    Background(u8, u8, u8),
    /// Whether the terminal's colours are dark by its own word (`CSI ? 997 n`).
    Dark(bool),
    /// What kind of terminal it is (DA1). Every terminal answers this, and in order: what was asked before and is
    /// not answered by now will not be.
    Attributes,
    /// Whether it knows a private mode (DECRQM): the mode, and whether it can be set.
    Mode(u16, bool),
    /// The keyboard flags of the kitty protocol that are set.
    Keyboard(u16),
}
