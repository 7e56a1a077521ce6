//! What the terminal sends while somebody types into a pane: every byte as it is, save the key that gives back and what
//! the terminal says by itself.

use super::answer;
use super::event::{Answer, Input};
use super::parser::Pending;

/// The key that gives back: ctrl-].
const GIVE_BACK: u8 = 0x1d;
const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
/// Around a paste (mode 2004), but for one digit. What is between is text, whatever its bytes.
const PASTE_MARK: &[u8] = b"\x1b[20_~";
/// Where that digit is, and what it is before and behind a paste.
const DIGIT: usize = 4;
const BEGIN: u8 = b'0';
const END: u8 = b'1';
/// Longest answer; what goes on longer is none.
const ANSWER_MAX: usize = 128;

/// The splitter. It holds nothing back but the begin of an answer.
#[derive(Debug, Default)]
pub(super) struct Driven {
    held: Vec<u8>,
    paste: Paste,
    /// Bytes of the mark that begins or ends one, as far as they came, and its digit.
    seen: usize,
    digit: u8,
}

/// Where pastes begin and end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Paste {
    #[default]
    Outside,
    Inside,
    /// No end came for a second: it was lost, or the rest is late.
    Late,
}

/// What bytes that begin with an escape are.
enum Said {
    /// Typed.
    Typed,
    /// An answer of so many bytes; without a meaning where nobody asks for it.
    Answer(usize, Option<Answer>),
    /// They may become an answer; whether no key begins so.
    Begun(bool),
}

impl Driven {
    /// Takes bytes up to the key that gives back; answers how many were taken and what came of them. Where `awaits` an
    /// answer is on its way, so that a lone escape may be the begin of one.
    pub(super) fn feed(&mut self, bytes: &[u8], awaits: bool) -> (usize, Vec<Input>) {
        let held = self.held.len();
        let mut data = std::mem::take(&mut self.held);
        data.extend_from_slice(bytes);
        let (mut typed, mut out, mut at) = (Vec::new(), Vec::new(), 0);
        while let Some(byte) = data.get(at).copied() {
            if self.paste != Paste::Inside && byte == GIVE_BACK {
                out.extend(some(typed));
                out.push(Input::GiveBack);
                return ((at + 1).saturating_sub(held), out);
            }
            if self.paste != Paste::Inside && byte == ESC {
                match said(&data[at..]) {
                    Said::Answer(length, answer) => {
                        out.extend(answer.map(Input::Answer));
                        at += length;
                        continue;
                    }
                    Said::Begun(sure) if sure || awaits => {
                        self.held = data.split_off(at);
                        break;
                    }
                    Said::Typed | Said::Begun(_) => {}
                }
            }
            self.mark(byte);
            typed.push(byte);
            at += 1;
        }
        out.extend(some(typed));
        (bytes.len(), out)
    }

    /// Follows where pastes begin and end.
    fn mark(&mut self, byte: u8) {
        let fits = match self.seen {
            DIGIT => matches!(byte, BEGIN | END),
            at => byte == PASTE_MARK[at],
        };
        if self.seen == DIGIT {
            self.digit = byte;
        }
        self.seen = if fits { self.seen + 1 } else { usize::from(byte == ESC) };
        if self.seen == PASTE_MARK.len() {
            self.paste = if self.digit == BEGIN { Paste::Inside } else { Paste::Outside };
            self.seen = 0;
        }
    }

    /// Whether a paste has no end yet. After it was given back, what still comes of it is no keys.
    pub(super) fn is_in_paste(&self) -> bool {
        self.paste != Paste::Outside
    }

    /// Drops bytes up to the end of the paste; answers how many.
    pub(super) fn spill(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|byte| {
            self.mark(*byte);
            !self.is_in_paste()
        });
        end.map_or(bytes.len(), |end| end + 1)
    }

    /// What is held that may be an answer: an escape that is a key when nothing follows, or more.
    pub(super) fn pending(&self) -> Pending {
        match self.held.as_slice() {
            [] => Pending::Nothing,
            [_] => Pending::Escape,
            _ => Pending::Sequence,
        }
    }

    /// Nothing more has come for as long as one waits: what is held was typed, or is half an answer, which is dropped.
    pub(super) fn pause(&mut self) -> Option<Input> {
        let held = std::mem::take(&mut self.held);
        matches!(said(&held), Said::Begun(false)).then_some(Input::Typed(held))
    }

    /// Nothing has come for a second: a paste whose end was lost is over, so that ctrl-] gives back in any case.
    pub(super) fn calm(&mut self) {
        if self.is_in_paste() {
            (self.paste, self.seen) = (Paste::Late, 0);
        }
    }
}

fn some(typed: Vec<u8>) -> Option<Input> {
    (!typed.is_empty()).then_some(Input::Typed(typed))
}

/// Reads what begins with an escape. No key sends `CSI ?` or `CSI <`, and none an OSC with a number and a semicolon.
fn said(data: &[u8]) -> Said {
    match data {
        [ESC] | [ESC, b'[' | b']'] | [ESC, b']', b'1'] | [ESC, b']', b'1', b'0' | b'1'] => Said::Begun(false),
        [ESC, b'[', b'?' | b'<', rest @ ..] => {
            let end = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte));
            match end.map(|end| (end, rest[end])) {
                Some((end, last @ 0x40..=0x7e)) => {
                    let text = std::str::from_utf8(&rest[..end]).unwrap_or_default();
                    let answer = if data[2] == b'?' { answer::csi(text, last) } else { None };
                    Said::Answer(end + 4, answer)
                }
                None if data.len() < ANSWER_MAX => Said::Begun(true),
                _ => Said::Typed,
            }
        }
        [ESC, b']', b'1', b'0' | b'1', b';', rest @ ..] => {
            let end = rest.iter().position(|byte| matches!(*byte, BEL | ESC));
            match end.map(|end| (end, &rest[end..])) {
                Some((end, [BEL, ..])) => Said::Answer(end + 6, colour(data, end)),
                Some((end, [ESC, b'\\', ..])) => Said::Answer(end + 7, colour(data, end)),
                Some((_, [ESC])) | None if data.len() < ANSWER_MAX => Said::Begun(true),
                _ => Said::Typed,
            }
        }
        _ => Said::Typed,
    }
}

fn colour(data: &[u8], end: usize) -> Option<Answer> {
    std::str::from_utf8(&data[2..5 + end]).ok().and_then(answer::osc)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is typed of bytes that come in these pieces, and whether it was given back.
    fn typed(pieces: &[&[u8]], awaits: bool) -> (Vec<u8>, bool) {
        let mut driven = Driven::default();
        let mut typed = Vec::new();
        for piece in pieces {
            let (_, inputs) = driven.feed(piece, awaits);
            for input in inputs.into_iter().chain((!awaits).then(|| driven.pause()).flatten()) {
                match input {
                    Input::Typed(bytes) => typed.extend(bytes),
                    Input::GiveBack => return (typed, true),
                    _ => {}
                }
            }
        }
        if let Some(Input::Typed(bytes)) = driven.pause() {
            typed.extend(bytes);
        }
        (typed, false)
    }

    #[test]
    fn all_keys_go_as_they_are_and_one_gives_back() {
        let keys: &[u8] = b"ls\r\x03\x04\x1a\x1b\x1b[A\x1bOP\x1b[1;5C\x1bx\xc3\xa9\xff\x00\x7f\x1b[99;5u";
        assert_eq!(typed(&[keys], false), (keys.to_vec(), false));
        let mut driven = Driven::default();
        let (taken, inputs) = driven.feed(b"ab\x1dcd", false);
        assert_eq!((taken, inputs), (3, vec![Input::Typed(b"ab".to_vec()), Input::GiveBack]));
        assert_eq!(typed(&[b"\x1b", b":wq"], false).0, b"\x1b:wq");
    }

    #[test]
    fn an_escape_waits_for_nothing_unless_an_answer_is_awaited() {
        let mut driven = Driven::default();
        assert_eq!(driven.feed(b"\x1b", false), (1, vec![Input::Typed(b"\x1b".to_vec())]));
        assert_eq!(driven.feed(b"\x1b", true), (1, Vec::new()));
        assert_eq!(driven.feed(b"[?62;22", true), (7, Vec::new()));
        assert_eq!(driven.feed(b"ck", true), (2, vec![Input::Answer(Answer::Attributes), Input::Typed(b"k".to_vec())]));
    }

    #[test]
    fn what_the_terminal_says_by_itself_is_not_typed() {
        let said: &[u8] =
            b"a\x1b[?997;1nb\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\c\x1b]10;rgb:f/f/f\x07d\x1b[<0;12;3Me\x1b[?62;22cf";
        for at in 0..=said.len() {
            assert_eq!(typed(&[&said[..at], &said[at..]], true), (b"abcdef".to_vec(), false), "{at}");
        }
        let (_, inputs) = Driven::default().feed(b"\x1b]11;rgb:00/00/00\x07\x1b[?997;2n", false);
        assert_eq!(inputs, [Input::Answer(Answer::Background(0, 0, 0)), Input::Answer(Answer::Dark(false))]);
    }

    #[test]
    fn in_a_paste_everything_is_text_and_a_paste_without_an_end_locks_nobody_in() {
        let paste: &[u8] = b"\x1b[200~a\x1d\x1b[?1c\r\n\x1b[201~";
        for at in 0..=paste.len() {
            assert_eq!(typed(&[&paste[..at], &paste[at..], b"\x1d"], false), (paste.to_vec(), true), "{at}");
        }
        let mut driven = Driven::default();
        driven.feed(b"\x1b[200~a", false);
        assert_eq!(driven.feed(b"\x1d", false).1, [Input::Typed(b"\x1d".to_vec())]);
        driven.calm();
        assert_eq!(driven.feed(b"\x1d", false).1, [Input::GiveBack]);
        assert!(driven.is_in_paste(), "what comes now may be the rest of it");
        assert_eq!(driven.spill(b"q\r\x1b[20"), 6);
        assert_eq!((driven.spill(b"1~j"), driven.is_in_paste()), (2, false));
        // Another paste behind a late one is one.
        driven.feed(b"\x1b[200~a", false);
        driven.calm();
        assert_eq!(driven.feed(b"\x1b[200~\x1d", false).1, [Input::Typed(b"\x1b[200~\x1d".to_vec())]);
    }

    proptest! {
        #[test]
        fn bytes_arrive_as_they_were_sent_however_they_are_cut(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\x1b[]O~2014;".to_vec())], 0..256),
            cuts in prop::collection::vec(1..9_usize, 0..64),
        ) {
            // What only a terminal says by itself, and the key that gives back, have tests of their own.
            let bytes: Vec<u8> = bytes.into_iter().filter(|byte| !matches!(byte, 0x1d | b'?' | b'<' | b'0')).collect();
            let (mut rest, mut pieces) = (bytes.as_slice(), Vec::new());
            for cut in cuts {
                let (piece, left) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = left;
            }
            pieces.push(rest);
            // `ESC ] 1 1 ;` is no key either.
            prop_assume!(!bytes.windows(5).any(|five| five == b"\x1b]11;"));
            prop_assert_eq!(typed(&pieces, false), (bytes.clone(), false));
        }
    }
}
