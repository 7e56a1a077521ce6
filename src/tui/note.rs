//! A note while it is written.

use tui_textarea::TextArea;

use crate::model::Item;

/// The note and what it is about.
#[derive(Debug)]
pub(super) struct Note {
    pub field: TextArea<'static>,
    pub on: Vec<Item>,
    /// Somebody wanted to leave what has been written; the next time it is thrown away.
    pub leaving: bool,
}

impl Note {
    pub(super) fn new(on: Vec<Item>) -> Self {
        Self { field: TextArea::default(), on, leaving: false }
    }

    /// What was written, without blanks around it.
    pub(super) fn text(&self) -> String {
        self.field.lines().join("\n").trim().to_owned()
    }
}
