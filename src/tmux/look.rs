//! What a pane shows, as plain text: enough to see whether something was typed and taken.

use unicode_width::UnicodeWidthChar;

use super::{Server, TmuxError};

/// A pane in one moment. All text comes from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The rows of its screen, the uppermost first.
    pub rows: Vec<String>,
    /// The column and row of the cursor, counted from 0.
    pub cursor: (usize, usize),
    /// What runs in front there.
    pub command: String,
}

impl Look {
    /// All that stands before the cursor, row by row.
    #[must_use]
    pub fn before_cursor(&self) -> String {
        let (column, row) = self.cursor;
        let mut text: String = self.rows.iter().take(row).flat_map(|row| [row, "\n"]).collect();
        let mut width = 0;
        text.extend(self.rows.get(row).into_iter().flat_map(|row| row.chars()).take_while(|c| {
            width += c.width().unwrap_or(0);
            width <= column
        }));
        text
    }
}

impl Server {
    /// Looks at a pane.
    ///
    /// # Errors
    /// When there is no such pane, and when tmux does not answer.
    pub async fn look(&self, pane: u32) -> Result<Look, TmuxError> {
        let target = format!("%{pane}");
        let facts = "#{cursor_x} #{cursor_y} #{s/[^ -~]/?/:pane_current_command}";
        let words = ["display-message", "-p", "-t", &target, facts, ";", "capture-pane", "-p", "-t", &target];
        let answer = self.ask(&words).await?;
        let text = String::from_utf8_lossy(&answer);
        let (facts, screen) = text.split_once('\n').ok_or(TmuxError::Strange("a look without a screen"))?;
        let mut facts = facts.splitn(3, ' ');
        let mut number = || facts.next()?.parse().ok();
        let cursor = number().zip(number()).ok_or(TmuxError::NoPane(pane))?;
        let command = facts.next().unwrap_or_default().to_owned();
        Ok(Look { rows: screen.lines().map(str::to_owned).collect(), cursor, command })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_not_characters() {
        let rows = vec!["one".to_owned(), "日本語 x".to_owned()];
        let look = Look { rows, cursor: (4, 1), command: String::new() };
        assert_eq!(look.before_cursor(), "one\n日本");
        assert_eq!(Look { cursor: (9, 9), ..look }.before_cursor(), "one\n日本語 x\n");
    }
}
