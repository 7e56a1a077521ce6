//! What commands print: tables for people, JSON for programs.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::screen;

/// Whether somebody reads what is printed.
static READ: AtomicBool = AtomicBool::new(true);

/// Whether somebody still reads what is printed. What would go on printing until it is stopped ends otherwise.
pub(super) fn is_read() -> bool {
    READ.load(Ordering::Relaxed)
}

/// Prints these bytes as they are, at once. Whoever closed the other end has seen enough, as in `aurora events list | head`:
/// that is no failure, and the exit code stays what the command has to say.
pub(super) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            READ.store(false, Ordering::Relaxed);
            Ok(())
        }
        printed => printed,
    }
}

/// Says something beside what is printed, on standard error. Nothing is lost where nobody reads that.
pub(super) fn aside(text: &str) {
    let _ = writeln!(io::stderr(), "{}", screen::lines(text));
}

/// Prints `value` as JSON over several lines.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    bytes(format!("{}\n", screen::json(&serde_json::to_string_pretty(value)?)).as_bytes())
}

/// Prints `value` as JSON on one line.
pub(super) fn json_line(value: &impl Serialize) -> io::Result<()> {
    bytes(format!("{}\n", screen::json(&serde_json::to_string(value)?)).as_bytes())
}

/// Prints one line of text, sanitised.
pub(super) fn line(text: &str) -> io::Result<()> {
    bytes(format!("{}\n", screen::line(text)).as_bytes())
}

/// Prints text of several lines, sanitised.
pub(super) fn lines(text: &str) -> io::Result<()> {
    bytes(format!("{}\n", screen::lines(text)).as_bytes())
}

/// Whether own signs are ASCII.
static ASCII: AtomicBool = AtomicBool::new(false);

/// Draws own signs as ASCII from now on, in whatever this process prints.
pub(super) fn only_ascii() {
    ASCII.store(true, Ordering::Relaxed);
}

/// Longest cell; whoever needs more asks for `--json`.
const CELL: usize = 60;

/// Prints a table. Every cell is sanitised; columns are as wide as their widest cell.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> io::Result<()> {
    let ellipsis = if ASCII.load(Ordering::Relaxed) { "~" } else { "…" };
    let rows: Vec<[String; N]> =
        rows.into_iter().map(|row| row.map(|cell| shorten(&screen::line(&cell), CELL, ellipsis))).collect();
    let mut widths = header.map(screen::width);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(screen::width(cell));
        }
    }
    let mut text = String::new();
    let mut add = |cells: [&str; N]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(screen::width(cell)))))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    };
    add(header);
    for row in &rows {
        add(row.each_ref().map(String::as_str));
    }
    bytes(text.as_bytes())
}

/// `text` in at most `columns`, with `ellipsis` where something was cut.
fn shorten(text: &str, columns: usize, ellipsis: &str) -> String {
    if screen::width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if screen::width(&short) >= columns {
            short.pop();
            break;
        }
    }
    short + ellipsis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cut_by_columns() {
        assert_eq!(shorten("abcdef", 6, "…"), "abcdef");
        assert_eq!(shorten("abcdefg", 6, "…"), "abcde…");
        assert_eq!(shorten("日本語日本語", 6, "…"), "日本…");
        assert_eq!(shorten("abcdefg", 6, "~"), "abcde~");
    }
}
