//! What was captured of a pane, as bytes that rebuild it on an empty screen of its size.

use std::io::Write as _;

use super::TmuxError;
use super::rows::{Row, rows, wrapped};

/// What is asked of a pane beside its cells: numbers only, between slashes. A name that tmux does not know is nothing.
pub(super) const STATE: &str = "#{pane_width}/#{pane_height}/#{history_size}/#{cursor_x}/#{cursor_y}/#{cursor_flag}\
    /#{alternate_on}/#{alternate_saved_x}/#{alternate_saved_y}/#{scroll_region_upper}/#{scroll_region_lower}\
    /#{insert_flag}/#{keypad_cursor_flag}/#{keypad_flag}/#{origin_flag}/#{wrap_flag}/#{mouse_standard_flag}\
    /#{mouse_button_flag}/#{mouse_all_flag}/#{mouse_utf8_flag}/#{mouse_sgr_flag}/#{bracket_paste_flag}/#{pane_tabs}";

/// A pane beside its cells, read from what tmux put for [`STATE`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a terminal has as many switches")]
pub(super) struct State {
    pub(super) cols: u16,
    pub(super) rows: u16,
    /// Lines of history there are.
    pub(super) history: u32,
    cursor: (u16, u16),
    cursor_shown: bool,
    alternate: bool,
    saved: (u16, u16),
    region: (u16, u16),
    insert: bool,
    origin: bool,
    wraps: bool,
    /// Modes that are off on an empty screen, with what switches them on.
    modes: Vec<&'static str>,
    tabs: Vec<u16>,
}

impl State {
    pub(super) fn read(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.trim().split('/').collect();
        let &[
            cols,
            rows,
            history,
            x,
            y,
            shown,
            alternate,
            saved_x,
            saved_y,
            upper,
            lower,
            insert,
            cursor_keys,
            keypad,
            origin,
            wraps,
            standard,
            button,
            all,
            utf8,
            sgr,
            bracketed,
            tabs,
        ] = fields.as_slice()
        else {
            return None;
        };
        let number = |text: &str| text.parse::<u16>().ok();
        let modes = [
            (cursor_keys, "\x1b[?1h"),
            (keypad, "\x1b="),
            (standard, "\x1b[?1000h"),
            (button, "\x1b[?1002h"),
            (all, "\x1b[?1003h"),
            (utf8, "\x1b[?1005h"),
            (sgr, "\x1b[?1006h"),
            (bracketed, "\x1b[?2004h"),
        ];
        Some(Self {
            cols: number(cols)?,
            rows: number(rows)?,
            history: history.parse().ok()?,
            cursor: (number(x)?, number(y)?),
            cursor_shown: shown != "0",
            alternate: alternate == "1",
            // Without an alternate screen these are no numbers of ours.
            saved: (number(saved_x).unwrap_or(0), number(saved_y).unwrap_or(0)),
            region: (number(upper)?, number(lower)?),
            insert: insert == "1",
            origin: origin == "1",
            wraps: wraps != "0",
            // That pastes are not marked is said, too: a tmux without the flag says nothing, which is not the same.
            modes: modes
                .into_iter()
                .filter(|(flag, _)| *flag == "1")
                .map(|(_, on)| on)
                .chain((bracketed == "0").then_some("\x1b[?2004l"))
                .collect(),
            tabs: tabs.split(',').filter_map(number).collect(),
        })
    }
}

/// Everything that was captured in one moment.
pub(super) struct Captured<'a> {
    pub(super) state: State,
    /// Lines of history that were asked for.
    pub(super) asked: u32,
    /// History and screen.
    pub(super) rows: &'a [u8],
    /// The screen below the alternate one.
    pub(super) below: &'a [u8],
    /// History and screen with wrapped rows joined.
    pub(super) joined: &'a [u8],
    /// The begin of an escape sequence that is not complete, in octal where it is not plain.
    pub(super) pending: &'a [u8],
}

impl Captured<'_> {
    /// Lines of history in it.
    pub(super) fn history(&self) -> u32 {
        self.asked.min(self.state.history)
    }

    /// The bytes.
    ///
    /// # Errors
    /// When there are other rows than there have to be.
    pub(super) fn rebuilt(&self) -> Result<Vec<u8>, TmuxError> {
        let state = &self.state;
        let lines = rows(self.rows);
        let history = self.history() as usize;
        if lines.len() != history + usize::from(state.rows) {
            return Err(TmuxError::Strange("a screen of another height"));
        }
        let mut joins = joins(&lines, &wrapped(self.rows, self.joined), state.cols);
        let mut out = Drawing::default();
        // A row that is wider here than it is for tmux must not move the others.
        out.put("\x1b[?7l");
        if state.alternate {
            let (above, screen) = lines.split_at(history);
            let below = below(self.below, usize::from(state.rows));
            let screen_joins = joins.split_off(history);
            if let Some(last) = joins.last_mut() {
                *last = false;
            }
            joins.resize(history + below.len(), false);
            out.rows(&[above, &below].concat(), &joins);
            out.put("\x1b[0m\x1b(B");
            out.place(state.saved.0, state.saved.1);
            out.put("\x1b[?1049h\x1b[H");
            out.rows(screen, &screen_joins);
        } else {
            out.rows(&lines, &joins);
        }
        out.put("\x1b[0m\x1b(B");
        out.modes(state, &lines[history..]);
        out.0.extend(unescape(self.pending));
        Ok(out.0)
    }
}

/// Which rows a terminal would wrap into the next when they are written one behind the other: those that tmux has
/// wrapped and that fill their row, up to one column that a wide character had no room in.
fn joins(lines: &[Row], wrapped: &[bool], cols: u16) -> Vec<bool> {
    let cols = usize::from(cols);
    let mut joins: Vec<bool> = (0..lines.len())
        .map(|at| {
            let Some(next) = lines.get(at + 1) else { return false };
            let full = lines[at].width == cols || (lines[at].width + 1 == cols && next.begins_wide);
            wrapped.get(at).is_some_and(|wrapped| *wrapped) && full && next.width > 0
        })
        .collect();
    if let Some(last) = joins.last_mut() {
        *last = false;
    }
    joins
}

/// The screen below the alternate one has the height it had when that was opened.
fn below(capture: &[u8], height: usize) -> Vec<Row> {
    let mut rows = rows(capture);
    let too_many = rows.len().saturating_sub(height);
    rows.drain(..too_many);
    rows.resize_with(height, Row::default);
    rows
}

/// Octal escapes of tmux as the bytes they stand for: `\033` is one byte.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', &[a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ref behind @ ..]) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = behind;
            }
            _ => out.push(first),
        }
    }
    out
}

#[derive(Default)]
struct Drawing(Vec<u8>);

impl Drawing {
    fn put(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Puts the cursor on a column and row, counted from 0.
    fn place(&mut self, x: u16, y: u16) {
        // Writing into memory does not fail.
        let _ = write!(self.0, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1);
    }

    /// Writes rows one below the other; what does not fit scrolls out at the top. New rows are made without colours:
    /// some terminals fill them with the background that is set.
    fn rows(&mut self, rows: &[Row], joins: &[bool]) {
        for (at, row) in rows.iter().enumerate() {
            let goes_on = at > 0 && joins[at - 1];
            if !goes_on {
                if at > 0 {
                    self.put("\x1b[0m\x1b(B\r\n");
                }
                self.0.extend_from_slice(&row.pen);
            }
            if joins[at] && !goes_on {
                self.put("\x1b[?7h");
            }
            self.0.extend_from_slice(&row.bytes);
            if goes_on && !joins[at] {
                self.put("\x1b[?7l");
            }
        }
    }

    fn modes(&mut self, state: &State, screen: &[Row]) {
        let bottom = state.rows.saturating_sub(1);
        if !state.tabs.iter().copied().eq((8..state.cols).step_by(8)) {
            self.put("\x1b[3g");
            for tab in &state.tabs {
                self.place(*tab, 0);
                self.put("\x1bH");
            }
        }
        if state.region != (0, bottom) {
            let _ = write!(self.0, "\x1b[{};{}r", u32::from(state.region.0) + 1, u32::from(state.region.1) + 1);
        }
        if state.origin {
            self.put("\x1b[?6h");
        }
        if state.wraps {
            self.put("\x1b[?7h");
        }
        self.cursor(state, screen);
        if state.insert {
            self.put("\x1b[4h");
        }
        for on in &state.modes {
            self.put(on);
        }
        if !state.cursor_shown {
            self.put("\x1b[?25l");
        }
    }

    fn cursor(&mut self, state: &State, screen: &[Row]) {
        let (x, y) = state.cursor;
        let line = if state.origin { y.saturating_sub(state.region.0) } else { y };
        match screen.get(usize::from(y)) {
            // It stands behind the last column and wraps with the next character. Only writing a whole row gets there.
            Some(row) if x >= state.cols && row.width == usize::from(state.cols) => {
                self.place(0, line);
                self.0.extend_from_slice(&row.pen);
                self.0.extend_from_slice(&row.bytes);
                self.put("\x1b[0m\x1b(B");
            }
            _ => self.place(x.min(state.cols.saturating_sub(1)), line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "10/3/2/4/1/1/0/4294967295/4294967295/0/2/0/0/0/0/1/0/0/0/0/0//8";

    fn captured<'a>(state: &str, rows: &'a [u8], joined: &'a [u8]) -> Captured<'a> {
        let state = State::read(state).expect("a state");
        Captured { state, asked: 10, rows, below: b"", joined, pending: b"" }
    }

    /// What an emulator shows after it: rows with history above, and the cursor.
    fn shown(captured: &Captured<'_>) -> (Vec<String>, (usize, usize)) {
        let bytes = captured.rebuilt().expect("bytes");
        let (cols, rows) = (usize::from(captured.state.cols), usize::from(captured.state.rows));
        let mut terminal = avt::Terminal::with_scrollback(cols, rows, None).expect("a size");
        terminal.feed(String::from_utf8(bytes).expect("utf-8").as_str());
        let rows = terminal.screen().all_lines().map(|line| line.text().trim_end().to_owned()).collect();
        (rows, (terminal.cursor().col, terminal.cursor().row))
    }

    /// The screen after that and `more`.
    fn shown_after(captured: &Captured<'_>, more: &str) -> (Vec<String>, (usize, usize)) {
        let bytes = String::from_utf8(captured.rebuilt().expect("bytes")).expect("utf-8");
        let mut terminal = avt::Terminal::new(10, 3).expect("a size");
        terminal.feed(bytes.as_str());
        terminal.feed(more);
        let rows = terminal.screen().visible_lines().map(|line| line.text().trim_end().to_owned()).collect();
        (rows, (terminal.cursor().col, terminal.cursor().row))
    }

    #[test]
    fn history_scrolls_out_at_the_top_and_the_cursor_is_where_it_was() {
        let rows = b"one\ntwo\n\x1b[31mthree\nfour\n\x1b[39m\n";
        let (shown, cursor) = shown(&captured(PLAIN, rows, rows));
        assert_eq!(shown, ["one", "two", "three", "four", ""]);
        assert_eq!(cursor, (4, 1));
    }

    #[test]
    fn wrapped_rows_are_wrapped_again() {
        let rows = b"one\ntwo\n0123456789\nabc\n\n";
        let joined = b"one\ntwo\n0123456789abc\n\n";
        let captured = captured(PLAIN, rows, joined);
        let bytes = String::from_utf8(captured.rebuilt().expect("bytes")).expect("utf-8");
        assert!(bytes.contains("\x1b[?7h0123456789abc\x1b[?7l"), "{bytes:?}");
        assert_eq!(shown(&captured).0[2..], ["0123456789", "abc", ""]);
    }

    #[test]
    fn a_cursor_behind_the_last_column_wraps_with_the_next_character() {
        let rows = b"one\ntwo\nx\n0123456789\n\n";
        let state = PLAIN.replacen("/4/1/", "/10/1/", 1);
        assert_eq!(shown_after(&captured(&state, rows, rows), "y").0, ["x", "0123456789", "y"]);
    }

    #[test]
    fn the_screen_below_the_alternate_one_comes_back() {
        let state = PLAIN.replace("/1/0/4294967295/4294967295/", "/1/1/2/2/");
        let rows = b"one\ntwo\nalt1\nalt2\nalt3\n";
        let captured = Captured { below: b"b1\nb2\n$\n", ..captured(&state, rows, rows) };
        assert_eq!(shown_after(&captured, "").0, ["alt1", "alt2", "alt3"]);
        assert_eq!(shown_after(&captured, "\x1b[?1049l"), (["b1", "b2", "$"].map(str::to_owned).to_vec(), (2, 2)));
    }

    #[test]
    fn a_screen_of_another_height_is_refused() {
        assert!(matches!(captured(PLAIN, b"one\n", b"one\n").rebuilt(), Err(TmuxError::Strange(_))));
        assert_eq!(State::read("//////"), None, "the pane is gone");
    }

    #[test]
    fn octal_is_undone_and_nothing_else() {
        assert_eq!(unescape(br"\033]2;a\134b\377\4x\"), b"\x1b]2;a\\b\xff\\4x\\");
    }
}
