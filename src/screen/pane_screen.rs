//! What a screen of a pane can do, whoever draws it.

use super::cell::Cell;

/// A row that left the screen at the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrolled {
    /// Text with SGR and no other control.
    pub text: Box<str>,
    /// Whether it continues on the next row.
    pub wrapped: bool,
}

/// What a program has asked of the terminal that sends it keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputModes {
    /// Cursor keys come as `ESC O` (DECCKM, mode 1).
    pub cursor_keys: bool,
    /// The keypad sends sequences of its own (DECKPAM).
    pub keypad: bool,
    /// Pastes come between marks (mode 2004).
    pub paste: bool,
}

impl Default for InputModes {
    /// Before a program has said anything. What was set before a pane was watched is not always told, and nearly every
    /// program that reads lines wants its pastes marked.
    fn default() -> Self {
        Self { cursor_keys: false, keypad: false, paste: true }
    }
}

/// A screen that is fed with what a program prints, and answers nothing: there is no way back to the program.
pub trait PaneScreen {
    /// Takes bytes of the stream, cut anywhere.
    fn feed(&mut self, bytes: &[u8]);

    /// Columns and rows.
    fn size(&self) -> (u16, u16);

    /// The cells of a row, from 0, left to right.
    fn row(&self, row: u16) -> impl Iterator<Item = Cell<'_>>;

    /// Whether a row continues on the next.
    fn is_wrapped(&self, row: u16) -> bool;

    /// Column and row of the cursor, while it is shown.
    fn cursor(&self) -> Option<(u16, u16)>;

    /// Whether the program uses the alternate screen, which has no history.
    fn is_alternate(&self) -> bool;

    /// What its program wants of keys and pastes.
    fn input_modes(&self) -> InputModes;

    /// The rows that left at the top since they were last taken, oldest first.
    fn take_scrolled(&mut self) -> Vec<Scrolled>;

    /// Whether the stream asked for more work than its length allows. What came after that was not looked at.
    fn is_exhausted(&self) -> bool;

    /// Bytes that show the same on an empty screen of the same size.
    fn dump(&self) -> Vec<u8>;
}
