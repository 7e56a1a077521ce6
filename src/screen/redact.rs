//! Secrets taken out of what a pane prints, on its way into a recording or a log. What clients see is not changed: they
//! look at the same terminal as whoever sits before it.
//!
//! What takes its form only on the screen (letters placed one by one with the cursor) is not found.
//!
//! Only what a player has to draw comes out: no title, clipboard, link or device string, and nothing a terminal answers.

use super::decode::Utf8;
use super::hide::{Hider, KnownSecrets, Seen};
use super::sequence::{Event, Sequences};

/// Takes secrets out of one stream.
#[derive(Debug, Default)]
pub struct Redactor {
    hider: Hider,
    utf8: Utf8,
    sequences: Sequences,
}

impl Redactor {
    /// A redactor that knows these values.
    #[must_use]
    pub fn new(known: KnownSecrets) -> Self {
        Self { hider: Hider::new(known), ..Self::default() }
    }

    /// Takes the next bytes and hands out what is safe to write. What may become a secret is kept back: at most 512
    /// characters, and only while it looks like one.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        let hider = &mut self.hider;
        for c in bytes.iter().flat_map(|byte| self.utf8.next(*byte)).flatten() {
            match self.sequences.next(c) {
                Some(Event::Print(c) | Event::Control(c @ ('\n' | '\r' | '\t' | '\x0b' | '\x0c'))) => {
                    hider.shown(Seen::new(c));
                }
                Some(Event::Control(c @ ('\x08' | '\x0e' | '\x0f'))) => hider.unseen(c.to_string().as_bytes()),
                Some(Event::Escape(intermediates, last)) if last != '\\' && last != 'Z' => {
                    hider.unseen(format!("\x1b{intermediates}{last}").as_bytes());
                }
                // A terminal answers these, or does something to its window.
                None | Some(Event::Csi(_, _, 'c' | 'n' | 't' | 'x' | 'y') | Event::Control(_) | Event::Escape(..)) => {}
                Some(Event::Csi(marker, params, last)) => {
                    if let Some(sequence) = params.written(marker, last) {
                        hider.unseen(sequence.as_bytes());
                    }
                }
            }
        }
        self.take()
    }

    /// Hands out what was kept back, as the stream has ended. What looks like the begin of a secret is taken for one.
    pub fn finish(&mut self) -> String {
        self.hider.finish();
        self.take()
    }

    fn take(&mut self) -> String {
        String::from_utf8_lossy(&self.hider.take()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(known: &[&str], text: &str) -> String {
        let mut redactor = Redactor::new(KnownSecrets::new(known.iter().map(|value| (*value).to_owned())));
        let mut out = redactor.push(text.as_bytes());
        out.push_str(&redactor.finish());
        out
    }

    const KNOWN: &[&str] = &["correct-horse", "correct-horse-battery", "zzzzzz1", "abcdefghQQ", "cdefgh"];

    fn known() -> KnownSecrets {
        KnownSecrets::new(KNOWN.iter().map(|value| (*value).to_owned()))
    }

    /// What is printed, and what of it is written.
    const CASES: &[(&str, &str)] = &[
        ("nothing to hide: 12:30 http://host:8080/a", "nothing to hide: 12:30 http://host:8080/a"),
        ("my correct-horse is", "my [redacted] is"),
        ("correct-horse-battery!", "[redacted]"),
        ("correct-\x1b[31mhorse", "[redacted]"),
        ("correct-hat and co", "correct-hat and co"),
        ("zzzzzzz1", "z[redacted]"),
        ("abcdefghZ", "ab[redacted]Z"),
        ("password=hunter22&x=1", "password=[redacted]&x=1"),
        ("PASSWORD = \"two words\" next", "PASSWORD = \"[redacted]\" next"),
        ("password\x1b[0m: \x1b[32mhunter22\x1b[0m\r\n", "password\x1b[0m: \x1b[32m[redacted]\x1b[0m\r\n"),
        ("Password: \r\nok", "Password: \r\nok"),
        ("GITHUB_TOKEN=abc$ ls", "GITHUB_TOKEN=[redacted] ls"),
        ("aws_secret_access_key: abc/def+1\n", "aws_secret_access_key: [redacted]\n"),
        ("mysql --password hunter22 db", "mysql --password [redacted] db"),
        ("Authorization: Bearer abc.def-ghi\r\n", "Authorization: Bearer [redacted]\r\n"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id AKIA[redacted]"),
        ("postgres://app:s3cr3t@db.example.com/x", "postgres://app:[redacted]@db.example.com/x"),
        (
            "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\nbnNz\n-----END OPENSSH PRIVATE KEY-----\nb",
            "a\n-----BEGIN OPENSSH PRIVATE KEY-----[redacted]\nb",
        ),
        ("-----BEGIN CERTIFICATE-----\nMII\n", "-----BEGIN CERTIFICATE-----\nMII\n"),
        ("p\x1b]52;c;aGk=\x07q\x1b[cr\x1b[6ns\x1b]0;password=x\x1b\\t\x1b[2Ju\x1b[?25lv", "pqrst\x1b[2Ju\x1b[?25lv"),
        ("a task-list of sketches", "a task-list of sketches"),
    ];

    #[test]
    fn secrets_are_taken_out_and_the_rest_stays() {
        for (text, written) in CASES {
            assert_eq!(redacted(KNOWN, text), *written, "{text:?}");
        }
    }

    #[test]
    fn what_is_kept_back_is_bounded_whatever_is_drawn_between_two_letters() {
        for begin in ["a://b:", "a://b:x", "corr", "password=correct", "c"] {
            let mut redactor = Redactor::new(known());
            let mut out = redactor.push(begin.as_bytes()).len();
            for _ in 0..10_000 {
                out += redactor.push(b"\x1b[m").len();
            }
            assert!(out > 25_000, "{begin}: {out} of 30000");
        }
    }

    #[test]
    fn a_password_in_an_address_is_hidden_however_it_is_coloured() {
        let letters = "\x1b[1m\x1b[38;5;121mq".repeat(60);
        let out = redacted(KNOWN, &format!("postgres://app:{letters}@db.example.com/x ok"));
        assert!(!out.contains('q') && out.starts_with("postgres://app:") && out.ends_with("ok"), "{out}");
    }

    #[test]
    fn short_values_are_no_secrets() {
        assert_eq!(redacted(&["a", " ", "", "12345"], "a 12345"), "a 12345");
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_makes_no_difference(case in 0..CASES.len(), cuts in proptest::collection::vec(0usize..100, 0..6)) {
            let (text, written) = CASES[case];
            let mut redactor = Redactor::new(known());
            let mut places: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            places.sort_unstable();
            let mut out: String =
                places.windows(2).map(|pair| redactor.push(&text.as_bytes()[pair[0]..pair[1]])).collect();
            out.push_str(&redactor.finish());
            prop_assert_eq!(out, written);
        }

        #[test]
        fn a_known_value_never_comes_out(before in "[ -~\n]{0,20}", after in "[ -~\n]{0,20}", cut in 0usize..60) {
            let text = format!("{before}correct-horse{after}");
            let mut redactor = Redactor::new(known());
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            let out = [redactor.push(one), redactor.push(two), redactor.finish()].concat();
            prop_assert!(!out.contains("correct-horse"), "{}", out);
        }

        #[test]
        fn any_bytes_come_through_without_strings_and_questions(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut redactor = Redactor::default();
            let out = [redactor.push(&bytes), redactor.finish()].concat();
            prop_assert!(!out.contains("\x1b]") && !out.contains("\x1bP") && !out.contains('\x07'));
        }
    }
}
