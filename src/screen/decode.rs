//! UTF-8 that comes in pieces.

/// A character that is not complete yet: at most three bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Utf8 {
    bytes: [u8; 4],
    have: usize,
    need: usize,
}

impl Utf8 {
    /// Whether the next byte begins a character.
    pub(super) fn is_empty(&self) -> bool {
        self.have == 0
    }

    /// The bytes of the unfinished character.
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[..self.have]
    }

    /// Takes a byte and hands out what it completes: at most two characters, the first in place of what came to no end.
    /// What is no UTF-8 becomes U+FFFD.
    pub(super) fn next(&mut self, byte: u8) -> [Option<char>; 2] {
        if self.have > 0 {
            if byte & 0xc0 != 0x80 {
                self.have = 0;
                let [first, _] = self.next(byte);
                return [Some(char::REPLACEMENT_CHARACTER), first];
            }
            self.bytes[self.have] = byte;
            self.have += 1;
            if self.have < self.need {
                return [None, None];
            }
            let whole = std::str::from_utf8(&self.bytes[..self.have]).ok().and_then(|text| text.chars().next());
            self.have = 0;
            return [Some(whole.unwrap_or(char::REPLACEMENT_CHARACTER)), None];
        }
        self.need = match byte {
            0..=0x7f => return [Some(char::from(byte)), None],
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return [Some(char::REPLACEMENT_CHARACTER), None],
        };
        self.bytes[0] = byte;
        self.have = 1;
        [None, None]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> String {
        let mut utf8 = Utf8::default();
        bytes.iter().flat_map(|byte| utf8.next(*byte)).flatten().collect()
    }

    #[test]
    fn what_is_no_utf8_becomes_a_mark() {
        for (bytes, text) in [
            (&b"plain"[..], "plain"),
            ("größe 日本 👍".as_bytes(), "größe 日本 👍"),
            (b"a\xffb", "a\u{fffd}b"),
            (b"a\xc3(", "a\u{fffd}("),
            (b"\xe2\x82\x1b[m", "\u{fffd}\x1b[m"),
            (b"\xed\xa0\x80", "\u{fffd}"),
            (b"\xf0\x9f\xe2\x82\xac", "\u{fffd}€"),
        ] {
            assert_eq!(decode(bytes), text, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn text_comes_through_and_bytes_never_fail(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(decode(text.as_bytes()), text);
            decode(&bytes);
        }
    }
}
