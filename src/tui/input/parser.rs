//! Bytes in, inputs out, however the bytes are cut.

use crossterm::event::{KeyEvent, KeyModifiers};

use super::event::Input;
use super::{answer, keys, mouse};

/// Largest paste, in bytes.
pub const PASTE_MAX: usize = 256 << 10;
/// Bytes kept of a sequence or a string; the longest that mean something here have some thirty.
const HELD_MAX: usize = 128;
const PASTE_BEGIN: &str = "200";
const PASTE_END: &[u8] = b"\x1b[201~";
const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
/// What ends a sequence in the middle, by ECMA-48: CAN and SUB.
const CANCEL: [u8; 2] = [0x18, 0x1a];

/// What the parser waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Nothing: all that came is told. Inside a paste too, as only its end can end it.
    Nothing,
    /// What follows an escape. When nothing does, it was the key.
    Escape,
    /// The rest of a sequence.
    Sequence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    /// Inside a character of several bytes.
    Character,
    Escape,
    /// After `ESC O`.
    SingleShift,
    /// After `ESC [`.
    Csi,
    /// So many more bytes of a mouse report of the old form, `CSI M` and three bytes of any value.
    OldMouse(u8),
    /// Inside OSC, whose text is kept, up to BEL or `ESC \`.
    Osc,
    /// Inside DCS, SOS, PM or APC, which are swallowed.
    Text,
    /// After an ESC in either; whether it was OSC.
    TextEscape(bool),
    /// Inside a bracketed paste, with so many bytes of its end seen.
    Paste(usize),
}

/// The parser. [`Parser::feed`] it, and call [`Parser::pause`] when what is [pending](Parser::pending) has waited
/// long enough.
#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    /// Bytes of what is not complete.
    held: Vec<u8>,
    /// Bytes of it altogether, kept or not.
    length: usize,
}

impl Parser {
    /// Takes bytes. An escape and a character are one key with Alt only when they come together; a person who
    /// presses one after the other means two keys.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        let (mut out, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let (taken, inputs) = self.step(&bytes[at..], at == 0);
            out.extend(inputs);
            at += taken;
        }
        out
    }

    /// Takes bytes until something comes of them; answers how many. `begins` says that they did not come together with
    /// what was taken before.
    pub fn step(&mut self, bytes: &[u8], begins: bool) -> (usize, Vec<Input>) {
        let mut out = Vec::new();
        let mut apart = begins && self.state == State::Escape;
        for (at, byte) in bytes.iter().enumerate() {
            self.take(*byte, apart, &mut out);
            apart = false;
            if !out.is_empty() {
                return (at + 1, out);
            }
        }
        (bytes.len(), out)
    }

    /// What is waited for.
    #[must_use]
    pub fn pending(&self) -> Pending {
        match self.state {
            State::Ground | State::Paste(_) => Pending::Nothing,
            State::Escape => Pending::Escape,
            _ => Pending::Sequence,
        }
    }

    /// Nothing more has come for as long as one waits: an escape was the key, and half a sequence is dropped.
    pub fn pause(&mut self) -> Option<Input> {
        let was = self.pending();
        if was == Pending::Nothing {
            return None;
        }
        self.enter(State::Ground);
        (was == Pending::Escape).then(|| Input::Key(keys::character('\x1b')))
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.held.clear();
        self.length = 0;
    }

    fn hold(&mut self, byte: u8, most: usize) {
        self.length += 1;
        if self.held.len() < most {
            self.held.push(byte);
        }
    }

    /// What is held, as text; `None` where some of it was not kept.
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.held).ok().filter(|_| self.length == self.held.len())
    }

    fn take(&mut self, byte: u8, apart: bool, out: &mut Vec<Input>) {
        match self.state {
            State::Ground => self.ground(byte, KeyModifiers::NONE, out),
            State::Character => self.character(byte, out),
            State::Escape => self.escape(byte, apart, out),
            State::SingleShift => {
                self.enter(State::Ground);
                match keys::single_shift(byte) {
                    Some(key) => out.push(Input::Key(key)),
                    None if byte == ESC => self.enter(State::Escape),
                    None => {}
                }
            }
            State::Csi => self.csi(byte, out),
            State::OldMouse(1) => self.enter(State::Ground),
            State::OldMouse(left) => self.state = State::OldMouse(left - 1),
            State::Osc | State::Text => match byte {
                BEL => self.string_ended(out),
                ESC => self.state = State::TextEscape(self.state == State::Osc),
                byte if CANCEL.contains(&byte) => self.enter(State::Ground),
                byte => self.hold(byte, HELD_MAX),
            },
            State::TextEscape(osc) => {
                if byte == b'\\' {
                    self.state = if osc { State::Osc } else { State::Text };
                    return self.string_ended(out);
                }
                self.enter(State::Escape);
                self.escape(byte, false, out);
            }
            State::Paste(seen) => self.paste(byte, seen, out),
        }
    }

    fn ground(&mut self, byte: u8, modifiers: KeyModifiers, out: &mut Vec<Input>) {
        match byte {
            ESC => self.enter(State::Escape),
            0x80.. => {
                self.enter(State::Character);
                // A byte that begins no character is dropped.
                if matches!(byte, 0xc2..=0xf4) { self.hold(byte, 4) } else { self.enter(State::Ground) }
            }
            byte => {
                self.enter(State::Ground);
                let key = keys::character(char::from(byte));
                out.push(Input::Key(KeyEvent { modifiers: key.modifiers | modifiers, ..key }));
            }
        }
    }

    fn character(&mut self, byte: u8, out: &mut Vec<Input>) {
        if !matches!(byte, 0x80..=0xbf) {
            self.enter(State::Ground);
            return self.ground(byte, KeyModifiers::NONE, out);
        }
        self.hold(byte, 4);
        let needs = match self.held.first() {
            Some(0xc2..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            _ => 4,
        };
        if self.held.len() < needs {
            return;
        }
        let c = self.text().and_then(|text| text.chars().next());
        self.enter(State::Ground);
        // The control characters of ISO 6429 come as two bytes; no key sends them.
        if let Some(c) = c.filter(|c| !c.is_control()) {
            out.push(Input::Key(keys::character(c)));
        }
    }

    fn escape(&mut self, byte: u8, apart: bool, out: &mut Vec<Input>) {
        match byte {
            b'[' => self.enter(State::Csi),
            b'O' => self.enter(State::SingleShift),
            b']' => self.enter(State::Osc),
            b'P' | b'X' | b'^' | b'_' => self.enter(State::Text),
            ESC => out.push(Input::Key(keys::character('\x1b'))),
            // A character of several bytes would have to remember the Alt; the escape alone is close enough.
            byte if apart || byte >= 0x80 => {
                out.push(Input::Key(keys::character('\x1b')));
                self.ground(byte, KeyModifiers::NONE, out);
            }
            byte => self.ground(byte, KeyModifiers::ALT, out),
        }
    }

    fn csi(&mut self, byte: u8, out: &mut Vec<Input>) {
        match byte {
            // The console of Linux says F1 to F5 with a second bracket.
            b'[' if self.length == 0 => self.hold(byte, HELD_MAX),
            b'M' if self.length == 0 => self.enter(State::OldMouse(3)),
            0x20..=0x3f => self.hold(byte, HELD_MAX),
            0x40..=0x7e => {
                if byte == b'~' && self.held == PASTE_BEGIN.as_bytes() {
                    return self.enter(State::Paste(0));
                }
                let input = self.text().and_then(|parameters| sequence(parameters, byte));
                self.enter(State::Ground);
                out.extend(input);
            }
            byte if CANCEL.contains(&byte) || byte == 0x7f => self.enter(State::Ground),
            // What cannot belong to it ends it, and stands for itself.
            byte => {
                self.enter(State::Ground);
                self.ground(byte, KeyModifiers::NONE, out);
            }
        }
    }

    fn string_ended(&mut self, out: &mut Vec<Input>) {
        if self.state == State::Osc {
            out.extend(self.text().and_then(answer::osc).map(Input::Answer));
        }
        self.enter(State::Ground);
    }

    fn paste(&mut self, byte: u8, seen: usize, out: &mut Vec<Input>) {
        if byte == PASTE_END[seen] {
            if seen + 1 < PASTE_END.len() {
                self.state = State::Paste(seen + 1);
                return;
            }
            out.push(if self.length > PASTE_MAX {
                Input::PasteTooLong(self.length)
            } else {
                let text = String::from_utf8_lossy(&self.held);
                Input::Paste(text.replace("\r\n", "\n").replace('\r', "\n"))
            });
            self.held = Vec::new();
            return self.enter(State::Ground);
        }
        for held in &PASTE_END[..seen] {
            self.hold(*held, PASTE_MAX);
        }
        let begins = byte == PASTE_END[0];
        if !begins {
            self.hold(byte, PASTE_MAX);
        }
        self.state = State::Paste(usize::from(begins));
    }
}

/// What a complete CSI sequence says; `None` is swallowed.
fn sequence(parameters: &str, last: u8) -> Option<Input> {
    match parameters.as_bytes().first() {
        Some(b'<') => {
            mouse::sgr(&parameters[1..], last == b'M').filter(|_| matches!(last, b'M' | b'm')).map(Input::Mouse)
        }
        Some(b'?') => answer::csi(&parameters[1..], last).map(Input::Answer),
        Some(b'>' | b'=') => None,
        None if last == b'I' => Some(Input::Focus(true)),
        None if last == b'O' => Some(Input::Focus(false)),
        _ => keys::csi(parameters, last).map(Input::Key),
    }
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
