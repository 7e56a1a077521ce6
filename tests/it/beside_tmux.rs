//! The screens of panes beside tmux's own: the same streams in both, and what each shows.

use std::path::Path;
use std::process::Command;

use aurora::screen::{Emulator, PaneScreen, Style, styled};

use crate::pane_streams::{Stream, all};
use crate::support::eventually;

/// A server of its own, ended with the test.
struct Tmux {
    socket: String,
    dir: tempfile::TempDir,
}

impl Tmux {
    fn start() -> Self {
        let tmux = Self {
            socket: format!("aurora-corpus-{}", std::process::id()),
            dir: tempfile::tempdir().expect("a directory"),
        };
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-s", "corpus", "-x", "80", "-y", "24", "sleep 1000"]);
        tmux
    }

    fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        // Without UTF-8 tmux would draw every other character as an underscore.
        let output =
            command.env("LC_ALL", "C.UTF-8").args(["-u", "-L", &self.socket]).args(args).output().expect("tmux runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What tmux shows of a stream, with its styles, and where its cursor is.
    fn shows(&self, number: usize, stream: &Stream) -> (String, String) {
        let path = self.dir.path().join(number.to_string());
        std::fs::write(&path, &stream.bytes).expect("writes");
        // A title comes after everything else, so it says that everything was read.
        let play =
            format!("stty raw -echo; cat {}; printf '\\033]2;end{number}\\007'; exec sleep 1000", path.display());
        let (columns, rows) = (stream.columns.to_string(), stream.rows.to_string());
        let session = format!("s{number}");
        self.run(&["new-session", "-d", "-s", &session, "-x", &columns, "-y", &rows, &play]);
        let target = format!("={session}:");
        eventually(&format!("the end of {}", stream.name), || {
            self.run(&["display", "-p", "-t", &target, "#{pane_title}"]).trim() == format!("end{number}")
        });
        let screen = self.run(&["capture-pane", "-p", "-e", "-t", &target]);
        let cursor = self.run(&["display", "-p", "-t", &target, "#{cursor_x},#{cursor_y}"]).trim().to_owned();
        self.run(&["kill-session", "-t", &target]);
        (screen, cursor)
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

/// Rows of text, and the style of every character that is not blank.
#[derive(PartialEq)]
struct Shown {
    rows: Vec<String>,
    styles: Vec<(char, Style)>,
}

impl Shown {
    fn of(pieces: impl Iterator<Item = (Style, String)>, rows: usize) -> Self {
        let mut shown = Self { rows: vec![String::new()], styles: Vec::new() };
        for (style, piece) in pieces {
            for c in piece.chars() {
                if c == END {
                    shown.rows.push(String::new());
                    continue;
                }
                shown.rows.last_mut().expect("a row").push(c);
                if c != ' ' {
                    shown.styles.push((c, style));
                }
            }
        }
        shown.rows.resize(rows, String::new());
        shown.rows.iter_mut().for_each(|row| row.truncate(row.trim_end().len()));
        shown
    }
}

/// Stands for the end of a row while its styles are read.
const END: char = '\u{e0ff}';

/// What tmux captured. Styles go on from row to row there. What this program never draws is taken out of it: joiners
/// with what they join, and selectors of variants.
fn captured(text: &str, rows: usize) -> Shown {
    let mut clean = String::new();
    let (mut drawing, mut joined, mut styling) = (false, false, false);
    for c in text.chars() {
        match c {
            '\x1b' => {
                styling = true;
                clean.push(c);
            }
            _ if styling => {
                styling = c != 'm';
                clean.push(c);
            }
            '\x0e' => drawing = true,
            '\x0f' => drawing = false,
            '\n' => clean.push(END),
            '\u{200d}' => joined = true,
            '\u{fe0f}' => {}
            _ if std::mem::take(&mut joined) => {}
            '`'..='~' if drawing => {
                clean.push("♦▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£⋅".chars().nth(c as usize - 0x60).expect("one of them"));
            }
            _ => clean.push(c),
        }
    }
    Shown::of(styled(&clean).into_iter().map(|(style, text)| (style, text.to_owned())), rows)
}

fn drawn(screen: &Emulator) -> Shown {
    let rows = screen.size().1;
    let cells = (0..rows).flat_map(|row| {
        let cells: Vec<(Style, String)> = screen.row(row).map(|cell| (cell.style, cell.to_string())).collect();
        cells.into_iter().chain((row + 1 < rows).then(|| (Style::default(), END.to_string())))
    });
    Shown::of(cells, rows.into())
}

fn difference(tmux: &Shown, here: &Shown) -> String {
    let rows = tmux.rows.iter().zip(&here.rows).enumerate().find(|(_, (theirs, ours))| theirs != ours);
    if let Some((row, (theirs, ours))) = rows {
        return format!("row {row}: tmux {theirs:?}, here {ours:?}");
    }
    let styles = tmux.styles.iter().zip(&here.styles).find(|(theirs, ours)| theirs != ours);
    styles.map_or_else(String::new, |(theirs, ours)| format!("style: tmux {theirs:?}, here {ours:?}"))
}

#[test]
#[ignore = "needs tmux"]
fn ninety_streams_look_as_they_look_in_tmux() {
    let tmux = Tmux::start();
    let streams = all();
    assert_eq!(streams.len(), 90);
    let (mut texts, mut styles, mut cursors) = (0, 0, 0);
    for (number, stream) in streams.iter().enumerate() {
        let (text, cursor) = tmux.shows(number, stream);
        let mut screen = Emulator::new(stream.columns, stream.rows);
        // In pieces, as they come over a line.
        stream.bytes.chunks(7).for_each(|piece| screen.feed(piece));
        if let Ok(dir) = std::env::var("AURORA_STREAMS") {
            let name = stream.name.replace(' ', "-");
            std::fs::write(Path::new(&dir).join(format!("{name}.tmux")), &text).expect("writes");
        }
        let (theirs, ours) = (captured(&text, stream.rows.into()), drawn(&screen));
        texts += usize::from(theirs.rows == ours.rows);
        styles += usize::from(theirs == ours);
        let place = screen.cursor().map_or_else(String::new, |(column, row)| format!("{column},{row}"));
        // Behind the last column tmux names the column after it.
        let same = place.is_empty()
            || place == cursor
            || cursor == place.replacen(&(stream.columns - 1).to_string(), &stream.columns.to_string(), 1);
        cursors += usize::from(same);
        if theirs != ours || !same {
            println!("{}: {} cursor: tmux {cursor}, here {place}", stream.name, difference(&theirs, &ours));
        }
    }
    println!("of 90 streams {texts} show the same text, {styles} the same text and styles, {cursors} the same cursor");
    assert!(texts >= 86, "at least 95 % show the same text; {texts} of 90 do");
    assert!(styles >= 86, "and in the same styles; {styles} of 90 do");
}
