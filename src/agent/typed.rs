//! Whether what was typed into a pane still stands in the line it was typed in, judged by what the pane shows. Pure.

use crate::tmux::Look;

/// Characters at the end of a text that it is known by.
const TAIL: usize = 24;

/// What a pane says about a text that was typed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It still stands where it was typed.
    Still,
    /// It has left that place.
    Left,
    /// It was never seen there, so nothing follows from what is seen now.
    Unclear,
}

/// A text in the place it was typed in.
#[derive(Debug)]
pub(super) struct TypedText {
    tail: String,
    /// The pane before Enter.
    painted: Look,
    /// Whether the cursor stood behind it.
    at_cursor: bool,
    /// The row with its end, where the cursor stands elsewhere: some programs draw one of their own.
    row: Option<usize>,
}

impl TypedText {
    /// Finds `text` in `painted`, which was `before` when nothing had been typed.
    pub(super) fn find(text: &str, before: &Look, painted: &Look) -> Self {
        let all = plain(text);
        let skip = all.chars().count().saturating_sub(TAIL);
        let tail: String = all.chars().skip(skip).collect();
        let at_cursor = !tail.is_empty() && plain(&painted.before_cursor()).ends_with(&tail);
        let has_end = |row: &String| {
            let row = plain(row);
            // A row of a box may begin in the middle of it.
            !row.is_empty()
                && (row.contains(&tail)
                    || tail.char_indices().any(|(at, _)| row.ends_with(&tail[at..]) && tail.len() - at >= 4))
        };
        let changed = |at: &usize| painted.rows.get(*at) != before.rows.get(*at);
        let row = (0..painted.rows.len()).rev().filter(changed).find(|at| has_end(&painted.rows[*at]));
        Self { tail, painted: painted.clone(), at_cursor, row }
    }

    /// What `now` says.
    pub(super) fn judge(&self, now: &Look) -> Seen {
        if self.at_cursor {
            // A new line in the same place is no text: the program took Enter for one. The text a second time is an echo,
            // and another program in front means that a shell has taken it.
            let stands = plain(&now.before_cursor()).ends_with(&self.tail);
            let echoed = count(now, &self.tail) > count(&self.painted, &self.tail);
            let taken = now.command != self.painted.command;
            return if stands && !echoed && !taken { Seen::Still } else { Seen::Left };
        }
        match self.row {
            None => Seen::Unclear,
            Some(row) if now.rows.get(row) == self.painted.rows.get(row) => Seen::Still,
            Some(_) => Seen::Left,
        }
    }
}

/// A text without what is no part of it on a screen: spaces, ends of rows, and the frames of boxes.
fn plain(text: &str) -> String {
    let is_frame = |c: char| c == '|' || matches!(c, '\u{2500}'..='\u{259f}');
    text.chars().filter(|c| !c.is_whitespace() && !is_frame(*c)).collect()
}

fn count(look: &Look, tail: &str) -> usize {
    plain(&look.rows.concat()).matches(tail).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A screen whose cursor stands at the `_`.
    fn look(rows: &[&str]) -> Look {
        let y = rows.iter().position(|row| row.contains('_')).unwrap_or(0);
        let x = rows[y].chars().position(|c| c == '_').unwrap_or(0);
        let rows = rows.iter().map(|row| row.replace('_', "")).collect();
        Look { rows, cursor: (x, y), command: "python3".to_owned() }
    }

    fn judged(text: &str, before: &[&str], painted: &[&str], now: &[&str]) -> Seen {
        TypedText::find(text, &look(before), &look(painted)).judge(&look(now))
    }

    #[test]
    fn a_repl_that_takes_it_shows_something_behind_it() {
        let (before, painted) = ([">>> _", "", ""], [">>> x = 1_", "", ""]);
        assert_eq!(judged("x = 1", &before, &painted, &[">>> x = 1", ">>> _", ""]), Seen::Left);
        assert_eq!(judged("x = 1", &before, &painted, &[">>> x = 1_", "", ""]), Seen::Still);
        assert_eq!(judged("x = 1", &before, &painted, &[">>> x = 1", "... _", ""]), Seen::Left);
    }

    #[test]
    fn enter_that_only_made_a_new_line_is_seen() {
        let (before, painted) = (["> _", "", ""], ["> do it_", "", ""]);
        assert_eq!(judged("do it", &before, &painted, &["> do it", "_", ""]), Seen::Still);
        let boxed = ["╭────────╮", "│ > do it_ │", "╰────────╯"];
        assert_eq!(
            judged("do it", &["╭────────╮", "│ > _ │", ""], &boxed, &["╭────────╮", "│ > do it │", "│ _ │"]),
            Seen::Still
        );
    }

    #[test]
    fn an_echo_and_another_program_in_front_mean_that_it_was_taken() {
        let (before, painted) = (["_", "", ""], ["hello_", "", ""]);
        assert_eq!(judged("hello", &before, &painted, &["hello", "hello", "_"]), Seen::Left);
        let text = TypedText::find("sleep 9", &look(&["$ _", ""]), &look(&["$ sleep 9_", ""]));
        let mut now = look(&["$ sleep 9", "_"]);
        assert_eq!(text.judge(&now), Seen::Still);
        now.command = "sleep".to_owned();
        assert_eq!(text.judge(&now), Seen::Left);
    }

    #[test]
    fn a_box_without_the_cursor_is_known_by_its_row() {
        let before = ["│ > │", "", "_"];
        let painted = ["│ > explain this │", "", "_"];
        assert_eq!(judged("explain this", &before, &painted, &painted), Seen::Still);
        assert_eq!(judged("explain this", &before, &painted, &["> explain this", "│ > │", "_"]), Seen::Left);
    }

    #[test]
    fn what_was_never_seen_proves_nothing() {
        let before = ["password: _", "", ""];
        assert_eq!(judged("secret", &before, &before, &["password:", "$ _", ""]), Seen::Unclear);
        let pasted = ["> [Pasted text #1 +30 lines]_", "", ""];
        assert_eq!(judged("a\nlong text", &["> _", "", ""], &pasted, &["> _", "", ""]), Seen::Unclear);
    }
}
