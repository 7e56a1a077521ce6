//! Secrets taken out of what a command writes, before it is written down or shown. Every other byte stays as it is: colours,
//! control characters, and what is no text.
//!
//! Nothing is kept back between two pieces but up to two characters of a secret: a piece that ends like the begin of a known
//! value has a mark there instead.

use super::decode::Utf8;
use super::hide::{Hider, KnownSecrets, Seen};

/// What is being read.
#[derive(Debug, Clone, Copy, Default)]
enum Reading {
    #[default]
    Text,
    /// Behind an escape.
    Escape,
    /// A control sequence. Strings, as titles are, are looked through like any text.
    Sequence,
}

/// Takes secrets out of one stream of a job.
#[derive(Debug, Default)]
pub struct OutputRedactor {
    hider: Hider,
    utf8: Utf8,
    reading: Reading,
    /// What was read and not passed on: a character or a sequence that is not complete.
    raw: Vec<u8>,
}

impl OutputRedactor {
    /// A redactor that knows these values.
    #[must_use]
    pub fn new(known: KnownSecrets) -> Self {
        Self { hider: Hider::new(known), ..Self::default() }
    }

    /// The next piece without the secrets in it.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        for byte in bytes {
            self.raw.push(*byte);
            let [first, second] = self.utf8.next(*byte);
            if let Some(c) = first {
                // What came to no end is followed by what this byte begins.
                let later = if second.is_some() { 1 } else { self.utf8.pending().len() };
                let rest = self.raw.split_off(self.raw.len().saturating_sub(later));
                self.read(c);
                self.raw.extend(rest);
            }
            if let Some(c) = second {
                self.read(c);
            }
        }
        self.pass();
        self.hider.settle();
        self.hider.take()
    }

    fn read(&mut self, c: char) {
        self.reading = match (self.reading, c) {
            (_, '\x1b') => Reading::Escape,
            (Reading::Escape, '[') => Reading::Sequence,
            (Reading::Escape, ' '..='/') | (Reading::Sequence, ' '..='?') => self.reading,
            (Reading::Text, c) if !c.is_control() || matches!(c, '\n' | '\r' | '\t') => {
                self.hider.shown(Seen::of(c, &self.raw));
                self.raw.clear();
                Reading::Text
            }
            _ => {
                self.pass();
                Reading::Text
            }
        };
    }

    /// Passes on what a terminal does not show.
    fn pass(&mut self) {
        if !self.raw.is_empty() {
            self.hider.unseen(&self.raw);
            self.raw.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redactor() -> OutputRedactor {
        OutputRedactor::new(KnownSecrets::new(["correct-horse".to_owned(), "zzzzzz1".to_owned()]))
    }

    fn redacted(pieces: &[&str]) -> String {
        let mut redactor = redactor();
        let out: Vec<u8> = pieces.iter().flat_map(|piece| redactor.push(piece.as_bytes())).collect();
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn secrets_are_taken_out_wherever_the_stream_is_cut() {
        for (pieces, written) in [
            (&["my correct-horse is\n"][..], "my [redacted] is\n"),
            (&["my correct-", "horse is\n"], "my [redacted] is\n"),
            (&["my co", "rrect-\x1b[1mho", "rse is\n"], "my co[redacted]\x1b[1m is\n"),
            (&["zzzzzz", "z1."], "[redacted]."),
            (&["password=", "hun", "ter22 x"], "password=[redacted] x"),
            (&["postgres://app:s3c", "r3t@db.example.com/x ok"], "postgres://app:[redacted] ok"),
            (&["http://host:8080/a", " and co"], "http://host:8080/a and co"),
            (&["\x1b]0;correct-horse\x07"], "\x1b]0;[redacted]\x07"),
            // It could have become one.
            (&["a corr", "uption"], "a [redacted]uption"),
        ] {
            assert_eq!(redacted(pieces), written, "{pieces:?}");
        }
    }

    #[test]
    fn a_password_at_the_end_of_a_line_hides_only_itself() {
        assert_eq!(redacted(&["Password: \r\n", "ok correct\n"]), "Password: \r\nok correct\n");
    }

    proptest! {
        /// Letters that spell no secret, and everything that is no letter.
        #[test]
        fn every_other_byte_stays_as_it_is(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x1b), Just(b'['), Just(b'm')], 0..300),
            cuts in proptest::collection::vec(0usize..300, 0..6),
        ) {
            let plain = |byte: u8| if byte.is_ascii_alphabetic() && byte != b'm' { b'.' } else { byte };
            let bytes: Vec<u8> = bytes.into_iter().map(plain).collect();
            let mut places: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            places.sort_unstable();
            let mut redactor = redactor();
            let out: Vec<u8> = places.windows(2).flat_map(|pair| redactor.push(&bytes[pair[0]..pair[1]])).collect();
            prop_assert_eq!(out, bytes);
        }

        #[test]
        fn a_known_value_is_never_whole(before in "[ -~\n]{0,20}", after in "[ -~\n]{0,20}", cuts in proptest::collection::vec(0usize..60, 0..4)) {
            let text = format!("{before}correct-horse{after}");
            let mut places: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            places.sort_unstable();
            let pieces: Vec<&str> = places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let out = redacted(&pieces);
            prop_assert!(!out.contains("correct-horse") && !out.contains("rrect-horse"), "{}", out);
        }
    }
}
