//! The stream of a control client, read: bytes in, what happened out. Pure.
//!
//! Lines are bytes, not text: tmux writes what a program printed as it is, but for control characters and the backslash,
//! which come in octal. A character may be cut in two by the end of a line.

use std::collections::VecDeque;

use super::order::{PARTS, word};
use super::rebuild::unescape;

/// Longest line that is taken. tmux cuts output into pieces of at most 8 KiB, four bytes each when escaped; a wrapped line of
/// a capture may be as long as a screen.
const LINE_MAX: usize = 8 << 20;
/// Most bytes of the answer to an order that are kept. Ours print one line at most.
const BODY_MAX: usize = 16 << 10;

/// Most bytes of a capture that are kept.
pub(super) const CAPTURE_MAX: usize = 32 << 20;
/// Most bytes of a capture that are read past: then it has no end.
const CAPTURE_ENDLESS: usize = 256 << 20;

/// What a line, or a block of lines, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// A program printed this.
    Output { pane: u32, bytes: Vec<u8> },
    /// tmux has left out what this pane printed, and stops telling of it (`%pause`).
    Paused { pane: u32 },
    /// tmux tells of this pane again (`%continue`).
    Resumed { pane: u32 },
    /// A value that was subscribed to.
    Facts { pane: u32, value: String },
    /// The client looks at this session now.
    Session(u32),
    /// Something about sessions, windows or panes has changed.
    Changed,
    /// An order was answered: whether it was done, and what it printed.
    Answer { done: bool, body: Vec<u8> },
    /// A capture came to its end. `None`: it was too long, or something else stood in it.
    Captured(Option<[Vec<u8>; PARTS]>),
    /// The client has to end, and why if tmux says.
    Exit(String),
}

/// The lines that enclose a block: time, number and flags have to be the same at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Guard(Vec<u8>);

impl Guard {
    /// Whether it is the answer to an order of this client. Others are about the attaching, or come from hooks.
    fn is_ours(&self) -> bool {
        self.0.ends_with(b" 1")
    }
}

/// Something that does not end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Endless {
    #[error("a line of more than {} MiB", LINE_MAX >> 20)]
    Line,
    #[error("a capture of more than {} MiB", CAPTURE_ENDLESS >> 20)]
    Capture,
}

/// A capture that is being read, as it comes, up to its last word. tmux does not escape what a pane shows, so any line of it
/// may look like the end of a block; none can be the word, which was made after it was shown.
#[derive(Debug)]
struct Capture {
    word: Vec<u8>,
    part: Vec<u8>,
    parts: Vec<Vec<u8>>,
    read: usize,
}

impl Capture {
    /// Takes a line; says whether it was the last.
    fn take(&mut self, line: &[u8]) -> bool {
        self.read += line.len() + 1;
        if line == self.word {
            self.parts.push(std::mem::take(&mut self.part));
        } else if self.read <= CAPTURE_MAX {
            self.part.extend_from_slice(line);
            self.part.push(b'\n');
        }
        self.parts.len() == PARTS
    }

    fn parts(self) -> Option<[Vec<u8>; PARTS]> {
        let whole = self.read <= CAPTURE_MAX;
        let parts: Option<Vec<Vec<u8>>> = self.parts.iter().filter(|_| whole).map(|part| body(part)).collect();
        parts.and_then(|parts| parts.try_into().ok())
    }
}

/// What the first block of ours printed. Before it stands the end of the word's block, behind it the begin of the next.
/// Its own end is the last line that looks like it: nothing of a pane comes behind that.
fn body(part: &[u8]) -> Option<Vec<u8>> {
    let begin = part.split_inclusive(|byte| *byte == b'\n').scan(0, |at, line| {
        *at += line.len();
        Some((*at, line))
    });
    let (from, guard) = begin.into_iter().find_map(|(from, line)| {
        let guard = Guard(line.trim_ascii_end().strip_prefix(b"%begin ")?.to_vec());
        guard.is_ours().then_some((from, guard))
    })?;
    let end = [b"%end ".as_slice(), &guard.0, b"\n"].concat();
    let rest = &part[from..];
    if rest.starts_with(&end) && memchr::memmem::rfind(rest, &[b"\n", end.as_slice()].concat()).is_none() {
        return Some(Vec::new());
    }
    let to = memchr::memmem::rfind(rest, &[b"\n", end.as_slice()].concat())?;
    Some(rest[..=to].to_vec())
}

/// Reads the stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    block: Option<(Guard, Vec<u8>)>,
    /// The words of captures that were ordered.
    words: Vec<Vec<u8>>,
    capture: Option<Capture>,
}

impl Reader {
    /// Takes what was read, and adds what it says to `items`. What one pane printed in several pieces comes as one.
    pub(super) fn feed(&mut self, bytes: &[u8], items: &mut VecDeque<Item>) -> Result<(), Endless> {
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (end, after) = (&rest[..at], &rest[at + 1..]);
            rest = after;
            if self.line.is_empty() {
                self.take(end, items);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(end);
                self.take(&line, items);
            }
        }
        self.line.extend_from_slice(rest);
        if self.capture.as_ref().is_some_and(|capture| capture.read > CAPTURE_ENDLESS) {
            return Err(Endless::Capture);
        }
        if self.line.len() > LINE_MAX { Err(Endless::Line) } else { Ok(()) }
    }

    /// A capture with this key is going to come.
    pub(super) fn expect(&mut self, key: u128) {
        self.words.push(word(key).into_bytes());
    }

    /// It is not going to come.
    pub(super) fn forget(&mut self, key: u128) {
        let word = word(key).into_bytes();
        self.words.retain(|known| *known != word);
    }

    fn take(&mut self, line: &[u8], items: &mut VecDeque<Item>) {
        if let Some(capture) = &mut self.capture {
            if capture.take(line) {
                items.push_back(Item::Captured(self.capture.take().and_then(Capture::parts)));
            }
            return;
        }
        let Some((guard, body)) = &mut self.block else {
            match line.strip_prefix(b"%begin ") {
                Some(guard) => self.block = Some((Guard(guard.to_vec()), Vec::new())),
                None => items_of(line, items),
            }
            return;
        };
        let ends = |word: &[u8]| line.strip_prefix(word).is_some_and(|found| found == guard.0);
        let done = ends(b"%end ");
        if done || ends(b"%error ") {
            if guard.is_ours() {
                items.push_back(Item::Answer { done, body: std::mem::take(body) });
            }
            self.block = None;
        } else if guard.is_ours() {
            if let Some(at) = self.words.iter().position(|word| word == line) {
                let word = self.words.swap_remove(at);
                self.capture = Some(Capture { word, part: Vec::new(), parts: Vec::new(), read: 0 });
                self.block = None;
                return;
            }
            // Before August 2026 (6db5175e4) a notification could stand inside a block. None of our orders prints text
            // from outside, so what looks like one is one.
            if line.starts_with(b"%") {
                items_of(line, items);
            } else if body.len() + line.len() < BODY_MAX {
                body.extend_from_slice(line);
                body.push(b'\n');
            }
        }
        // What a hook of the user prints may be anything, and is nothing to us.
    }
}

fn items_of(line: &[u8], items: &mut VecDeque<Item>) {
    let Some(item) = notification(line) else { return };
    match (items.back_mut(), item) {
        (Some(Item::Output { pane: last, bytes: all }), Item::Output { pane, bytes }) if *last == pane => {
            all.extend_from_slice(&bytes);
        }
        (Some(Item::Changed), Item::Changed) => {}
        (_, item) => items.push_back(item),
    }
}

fn notification(line: &[u8]) -> Option<Item> {
    let (word, rest) = cut(line, b' ').unwrap_or((line, &[]));
    match word {
        b"%output" => {
            let (pane, data) = cut(rest, b' ')?;
            Some(Item::Output { pane: id(pane, b'%')?, bytes: unescape(data) })
        }
        b"%extended-output" => {
            // %N AGE and words of later versions, up to the colon.
            let (head, data) = rest.split_at(memchr::memmem::find(rest, b" : ")?);
            let (pane, _) = cut(head, b' ')?;
            Some(Item::Output { pane: id(pane, b'%')?, bytes: unescape(&data[3..]) })
        }
        b"%pause" => Some(Item::Paused { pane: id(rest, b'%')? }),
        b"%continue" => Some(Item::Resumed { pane: id(rest, b'%')? }),
        b"%subscription-changed" => {
            let (head, value) = rest.split_at(memchr::memmem::find(rest, b" : ")?);
            let pane = head.split(|byte| *byte == b' ').find_map(|word| id(word, b'%'))?;
            Some(Item::Facts { pane, value: String::from_utf8_lossy(&value[3..]).into_owned() })
        }
        b"%session-changed" => Some(Item::Session(id(cut(rest, b' ')?.0, b'$')?)),
        b"%exit" => {
            Some(Item::Exit(String::from_utf8_lossy(rest).chars().filter(|c| !c.is_control()).take(200).collect()))
        }
        b"%sessions-changed"
        | b"%session-renamed"
        | b"%session-window-changed"
        | b"%client-session-changed"
        | b"%client-detached"
        | b"%layout-change"
        | b"%pane-mode-changed"
        | b"%window-add"
        | b"%window-close"
        | b"%window-renamed"
        | b"%window-pane-changed"
        | b"%unlinked-window-add"
        | b"%unlinked-window-close"
        | b"%unlinked-window-renamed" => Some(Item::Changed),
        // Words of later versions, and what is of no use here (%message).
        _ => None,
    }
}

fn cut(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = memchr::memchr(at, bytes)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

/// `%3`, `$3`: the number behind its sign.
fn id(word: &[u8], sign: u8) -> Option<u32> {
    let (first, digits) = word.split_first()?;
    if *first != sign || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(stream: &[u8]) -> Vec<Item> {
        let mut items = VecDeque::new();
        Reader::default().feed(stream, &mut items).expect("lines that end");
        items.into()
    }

    fn output(pane: u32, bytes: &[u8]) -> Item {
        Item::Output { pane, bytes: bytes.to_vec() }
    }

    #[test]
    fn output_is_bytes_with_octal_escapes() {
        let line = b"%output %3 A\\011B\\033[31m\\134 \xc3\xa9\x7f\x80\x9b\\015\\012\n";
        assert_eq!(items(line), [output(3, b"A\tB\x1b[31m\\ \xc3\xa9\x7f\x80\x9b\r\n")]);
        assert_eq!(items(b"%extended-output %3 1204 later words : a : b\n"), [output(3, b"a : b")]);
    }

    #[test]
    fn a_character_may_be_cut_in_two_and_pieces_of_a_pane_are_put_together() {
        assert_eq!(
            items(b"%output %3 \xf0\x9f\n%output %3 \x91\x8d\n%output %4 x\n"),
            [output(3, b"\xf0\x9f\x91\x8d"), output(4, b"x")]
        );
    }

    #[test]
    fn an_answer_ends_with_its_own_three_numbers_only() {
        let stream =
            b"%begin 5 70 1\naurora 7\n%end 5 70 0\n%end 5 71 1\n%error 4 70 1\nx\n%end 5 70 1\n%output %1 y\n";
        let body = b"aurora 7\nx\n".to_vec();
        assert_eq!(items(stream), [Item::Answer { done: true, body }, output(1, b"y")]);
        assert_eq!(
            items(b"%begin 5 70 1\nbad\n%error 5 70 1\n"),
            [Item::Answer { done: false, body: b"bad\n".to_vec() }]
        );
    }

    #[test]
    fn what_a_hook_prints_is_not_read_and_what_stands_in_our_own_block_is() {
        assert_eq!(items(b"%begin 5 70 0\n%output %1 forged\n%exit\n%end 5 70 0\n"), []);
        assert_eq!(
            items(b"%begin 5 70 1\n%output %1 real\n%end 5 70 1\n"),
            [output(1, b"real"), Item::Answer { done: true, body: Vec::new() }]
        );
    }

    #[test]
    fn notifications_are_told_apart() {
        let stream = b"%session-changed $2 my work\n%window-renamed @1 %exit\n%layout-change @1 x x *\n%pause %4\n%continue %4\n\
            %subscription-changed aurora $2 @1 0 %4 : 0 80 : x\n%exit too far behind\n%new-word 1\nplain\n";
        assert_eq!(
            items(stream),
            [
                Item::Session(2),
                Item::Changed,
                Item::Paused { pane: 4 },
                Item::Resumed { pane: 4 },
                Item::Facts { pane: 4, value: "0 80 : x".to_owned() },
                Item::Exit("too far behind".to_owned()),
            ]
        );
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut reader = Reader::default();
        let mut items = VecDeque::new();
        let piece = vec![b'a'; 64 << 10];
        let fed = (0..256).take_while(|_| reader.feed(&piece, &mut items).is_ok()).count();
        assert_eq!(fed, 128, "eight MiB");
        assert!(items.is_empty());
    }

    #[test]
    fn a_capture_is_read_as_it_comes_whatever_a_pane_shows() {
        let (key, number) = (7, std::cell::Cell::new(70));
        let block = |body: &str| {
            number.set(number.get() + 1);
            format!("%begin 5 {n} 1\n{body}%end 5 {n} 1\n", n = number.get())
        };
        let between = format!("{}\n", word(key));
        let rows = "%end 5 74 1\n%begin 5 76 1\n%output %1 forged\n%end 5 74 1\n%exit\n\n";
        let stream = [
            block("aurora-mark 1 80/24\n"),
            block("\\033]2;pending\n"),
            block(&between),
            block(rows),
            block(&between),
            "%begin 5 9 0\nof a hook\n%end 5 9 0\n".to_owned(),
            block(""),
            block(&between),
            block("joined\n"),
            block(&between),
            "%output %1 after\n".to_owned(),
        ]
        .concat();
        let mut reader = Reader::default();
        let mut found = VecDeque::new();
        reader.expect(key);
        reader.feed(stream.as_bytes(), &mut found).expect("lines that end");
        let parts = [rows, "", "joined\n"].map(|part| part.as_bytes().to_vec());
        assert_eq!(
            Vec::from(found),
            [
                Item::Answer { done: true, body: b"aurora-mark 1 80/24\n".to_vec() },
                Item::Answer { done: true, body: b"\\033]2;pending\n".to_vec() },
                Item::Captured(Some(parts)),
                output(1, b"after")
            ]
        );
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter_and_nothing_panics(
            lines in prop::collection::vec(prop::sample::select(vec![
                &b"%output %1 a\\033\\9\\"[..], b"%begin 1 2 1", b"%end 1 2 1", b"%end 1 2 0", b"%error 1 2 1", b"%exit",
                b"%output %", b"%output", b"%output %x y", b"%pause", b"%subscription-changed a : ", b"", b"\xff\xfe",
                b"%extended-output %1 3 : ", b"%session-changed $", b"%begin 1 2 0", b"text",
            ]), 0..40),
            size in 1_usize..9,
        ) {
            let stream: Vec<u8> = lines.iter().flat_map(|line| [*line, b"\n"].concat()).collect();
            let mut reader = Reader::default();
            let mut pieces = VecDeque::new();
            for piece in stream.chunks(size) {
                reader.feed(piece, &mut pieces).expect("short lines");
            }
            prop_assert_eq!(Vec::from(pieces), items(&stream));
        }
    }
}
