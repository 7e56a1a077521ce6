//! The two modes of a program that change what a terminal sends for a key or a paste, as the program sets them. Pure.

/// Longest sequence that is read.
const MOST: usize = 64;

/// What the program in a pane has asked its terminal for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Modes {
    /// Cursor keys come as `ESC O` (DECCKM, mode 1).
    pub cursor_keys: bool,
    /// Pastes come between marks (mode 2004).
    pub paste: bool,
}

impl Default for Modes {
    /// Before a program has said anything. What was set before a pane was watched is not always told, and nearly every
    /// program that reads lines wants its pastes marked.
    fn default() -> Self {
        Self { cursor_keys: false, paste: true }
    }
}

/// Follows them through a stream.
#[derive(Debug, Default)]
pub(super) struct ModeReader {
    modes: Modes,
    /// A sequence that has no end yet, its escape counted in.
    held: Vec<u8>,
}

impl ModeReader {
    pub(super) fn modes(&self) -> Modes {
        self.modes
    }

    /// Takes what was printed.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match (self.held.as_slice(), *byte) {
                (_, 0x1b) => self.held = vec![0x1b],
                ([], _) => {}
                ([0x1b], b'c') => (self.modes, self.held) = (Modes::default(), Vec::new()),
                ([0x1b], b'[') | ([0x1b, b'['], b'?') => self.held.push(*byte),
                ([0x1b, b'[', b'?', ..], b'0'..=b'9' | b';') if self.held.len() < MOST => self.held.push(*byte),
                ([0x1b, b'[', b'?', numbers @ ..], on @ (b'h' | b'l')) => {
                    for number in numbers.split(|byte| *byte == b';') {
                        match number {
                            b"1" => self.modes.cursor_keys = on == b'h',
                            b"2004" => self.modes.paste = on == b'h',
                            _ => {}
                        }
                    }
                    self.held.clear();
                }
                _ => self.held.clear(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_followed_however_the_stream_is_cut() {
        let bytes = b"\x1b[?1;2004l\x1b[31mtext\x1b[?25h\x1b[?2004h\x1b[?1049h\x1b[?1h?1l";
        for at in 0..=bytes.len() {
            let mut reader = ModeReader::default();
            reader.feed(&bytes[..at]);
            reader.feed(&bytes[at..]);
            assert_eq!(reader.modes(), Modes { cursor_keys: true, paste: true }, "{at}");
        }
        let mut reader = ModeReader::default();
        reader.feed(b"\x1b[?2004l\x1b[?1h");
        assert_eq!(reader.modes(), Modes { cursor_keys: true, paste: false });
        reader.feed(b"\x1bc");
        assert_eq!(reader.modes(), Modes::default());
        reader.feed(&[b"\x1b[?".as_slice(), &[b'1'; 1_000], b"l"].concat());
        assert!(reader.held.len() <= MOST);
    }
}
