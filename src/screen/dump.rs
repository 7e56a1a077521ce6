//! A screen as the bytes that make it again.

use super::emulator::{Charsets, Emulator, Saved, number};
use super::pane_screen::PaneScreen;
use super::style::push;

/// Letters are letters.
const ASCII: &str = "\x1b(B\x1b)B\x0f";

impl Emulator {
    pub(super) fn dump_text(&self) -> String {
        let mut text = String::new();
        let place = |text: &mut String, saved: &Saved| {
            go(text, saved.row, saved.column);
            saved.pen.write_sgr(text);
        };
        if self.saved != Saved::default() {
            // The origin first: it moves the cursor home.
            text.push_str(if self.saved.origin { "\x1b[?6h" } else { "" });
            place(&mut text, &self.saved);
            text.push_str(&charsets(self.saved.charsets));
            push(&mut text, format_args!("\x1b7{ASCII}\x1b[?6l\x1b[0m"));
        }
        if let (false, Some(main)) = (self.is_alternate(), &self.main) {
            place(&mut text, main);
            text.push_str("\x1b[?1049h\x1b[?47l\x1b[0m\x1b[H");
        }
        let inner = self.terminal.dump();
        match (self.is_alternate(), self.main) {
            (true, Some(main)) => {
                let (before, after) = inner.split_once("\x1b[?1047h").unwrap_or((&inner, ""));
                self.push_inner(&mut text, before);
                place(&mut text, &main);
                text.push_str("\x1b[?1049h\x1b[0m");
                self.push_inner(&mut text, after);
            }
            _ => self.push_inner(&mut text, &inner),
        }
        self.pen.write_sgr(&mut text);
        if self.modes.origin {
            self.push_origin(&mut text);
        }
        text.push_str(if self.modes.insert { "\x1b[4h" } else { "" });
        // Both ways: whoever reads this may have known other modes before.
        text.push_str(if self.input_modes().cursor_keys { "\x1b[?1h" } else { "\x1b[?1l" });
        text.push_str(if self.keypad { "\x1b=" } else { "\x1b>" });
        text.push_str(match self.modes.paste {
            Some(true) => "\x1b[?2004h",
            Some(false) => "\x1b[?2004l",
            None => "",
        });
        text.push_str(&self.sequences.dump());
        text
    }

    /// The origin, which moves the cursor home, and the cursor again. Outside of the region it has no name any more.
    fn push_origin(&self, text: &mut String) {
        let (column, row) = self.place();
        let last = self.row(number(row)).last().filter(|_| column == self.dimensions().0);
        let column = last.map_or(column, |cell| cell.column.into());
        text.push_str("\x1b[?6h");
        go(text, row.saturating_sub(self.region.0), column);
        if let Some(cell) = last {
            // Written once more it leaves the cursor behind the last column. It is what is shown, whatever letters mean by
            // now.
            text.push_str(ASCII);
            cell.style.write_sgr(text);
            text.push_str(&cell.to_string());
            self.pen.write_sgr(text);
            text.push_str(&charsets(self.charsets));
        }
    }

    /// What `avt` dumped, in words that this screen reads as `avt` does.
    fn push_inner(&self, text: &mut String, inner: &str) {
        let mut rest = inner;
        let mut last = String::new();
        while let Some(c) = rest.chars().next() {
            if let Some((params, kind, after)) = sequence(rest) {
                match (kind, params.split(';').next().unwrap_or_default()) {
                    // Tabs: all away, one here.
                    ('W', "5") => text.push_str("\x1b[3g"),
                    ('W', _) => text.push_str("\x1bH"),
                    // tmux repeats only ASCII.
                    ('b', count) if !last.is_ascii() => {
                        text.push_str(&last.repeat(count.parse::<u16>().unwrap_or(0).into()));
                    }
                    // For `avt` a cell is bold or faint and one ends the other; here it may be both.
                    ('m', "1" | "2") => push(text, format_args!("\x1b[22;{params}m")),
                    _ => text.push_str(&rest[..rest.len() - after.len()]),
                }
                rest = after;
                continue;
            }
            let (base, marks) = self.clusters.resolve(c);
            last.clear();
            last.push(base);
            last.push_str(marks);
            text.push_str(&last);
            rest = &rest[c.len_utf8()..];
        }
    }
}

/// The parameters and the last character of the sequence that a text begins with, and what comes after it.
fn sequence(text: &str) -> Option<(&str, char, &str)> {
    let rest = text.strip_prefix("\x1b[")?;
    let end = rest.find(|c| ('@'..='~').contains(&c))?;
    Some((&rest[..end], char::from(rest.as_bytes()[end]), &rest[end + 1..]))
}

/// Writes the sequence that goes to a row and a column, both from 0.
fn go(text: &mut String, row: usize, column: usize) {
    push(text, format_args!("\x1b[{};{}H", row + 1, column + 1));
}

fn charsets(charsets: Charsets) -> String {
    let set = |slot: char, on: bool| if on { format!("\x1b{slot}0") } else { String::new() };
    let [g0, g1] = charsets.drawing;
    format!("{}{}{}", set('(', g0), set(')', g1), if charsets.shifted { "\x0e" } else { "" })
}
