//! Secrets taken out of what a pane prints, on its way into a recording or a log. What clients see is not changed: they
//! look at the same terminal as whoever sits before it.
//!
//! Known values, and what is written like a secret: `password=`, `--token`, bearer tokens, keys of well-known providers,
//! private key blocks, passwords in addresses. Colours between the letters make no difference, nor where the stream is cut.
//! What takes its form only on the screen (letters placed one by one with the cursor) is not found.
//!
//! Only what a player has to draw comes out: no title, clipboard, link or device string, and nothing a terminal answers.

use std::sync::LazyLock;

use regex::Regex;

use super::decode::Utf8;
use super::sequence::{Event, Sequences};

/// What stands for a secret.
const REDACTED: &str = "[redacted]";
/// Shorter values are no secrets: they would be found everywhere.
const SHORTEST: usize = 6;
/// Characters of a known value that are compared; whatever follows them up to a blank belongs to it.
const LONGEST: usize = 512;
/// How far back is looked for what announces a secret, in bytes.
const CONTEXT: usize = 128;
/// Longest password in an address that is waited for.
const MAX_ADDRESS: usize = 256;
/// Longest private key block.
const MAX_BLOCK: usize = 32 << 10;

/// Announces a value: the last character read ends one of these.
static ANNOUNCES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)(?:(?:pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)[a-z0-9_-]*["']?\s?[=:]"#,
        r"|--?(?:password|passphrase|token|secret|api-?key)[a-z0-9-]* ",
        r"|\b(?:bearer|authorization:? ?basic) ",
        r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|[rs]k_live_)",
        r"|\b(?-i:AKIA|ASIA|AIza|eyJ))$",
    ))
    .ok()
});
/// Announces a block that ends with its own line.
static BLOCK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----$").ok());
/// Announces a password in an address, or a port.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:]*:$").ok());

#[derive(Debug, Default)]
enum State {
    #[default]
    Plain,
    /// A value is expected or being passed over. The quote that ends it, and whether it has begun.
    Value { quote: Option<char>, begun: bool },
    /// Inside a private key: characters that may still come.
    Block { left: usize },
    /// Behind `scheme://user:`, what was read since.
    Address(String),
}

/// What is kept back while it may be the begin of a known value.
#[derive(Debug)]
enum Held {
    Shown(char),
    /// A colour or a move between two characters.
    Unseen(String),
}

/// Takes secrets out of one stream.
#[derive(Debug, Default)]
pub struct Redactor {
    known: Vec<Vec<char>>,
    utf8: Utf8,
    sequences: Sequences,
    /// What may be the begin of a known value: its characters, and all of it in order.
    prefix: Vec<char>,
    held: Vec<Held>,
    /// What was read last, without what is not shown.
    context: String,
    state: State,
    out: String,
}

impl Redactor {
    /// A redactor that knows these values. Those below 6 characters are left out.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = String>) -> Self {
        let known = known.into_iter().map(|value| value.trim().chars().take(LONGEST).collect::<Vec<char>>());
        let known = known.filter(|value| value.len() >= SHORTEST).collect();
        Self { known, ..Self::default() }
    }

    /// Takes the next bytes and hands out what is safe to write. What may become a secret is kept back: at most 512
    /// characters, and only while it looks like one.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        let (mut utf8, mut sequences) = (std::mem::take(&mut self.utf8), std::mem::take(&mut self.sequences));
        for c in bytes.iter().flat_map(|byte| utf8.next(*byte)).flatten() {
            match sequences.next(c) {
                Some(Event::Print(c) | Event::Control(c @ ('\n' | '\r' | '\t' | '\x0b' | '\x0c'))) => self.shown(c),
                Some(Event::Control(c @ ('\x08' | '\x0e' | '\x0f'))) => self.unseen(&c.to_string()),
                Some(Event::Escape(intermediates, last)) if last != '\\' && last != 'Z' => {
                    self.unseen(&format!("\x1b{intermediates}{last}"));
                }
                // A terminal answers these, or does something to its window.
                None | Some(Event::Csi(_, _, 'c' | 'n' | 't' | 'x' | 'y') | Event::Control(_) | Event::Escape(..)) => {}
                Some(Event::Csi(marker, params, last)) => {
                    if let Some(sequence) = params.written(marker, last) {
                        self.unseen(&sequence);
                    }
                }
            }
        }
        (self.utf8, self.sequences) = (utf8, sequences);
        std::mem::take(&mut self.out)
    }

    /// Hands out what was kept back, as the stream has ended. What looks like the begin of a secret is taken for one.
    pub fn finish(&mut self) -> String {
        if self.prefix.len() >= SHORTEST / 2 {
            self.out.push_str(REDACTED);
        } else {
            for held in std::mem::take(&mut self.held) {
                match held {
                    Held::Shown(c) => self.unknown(c),
                    Held::Unseen(sequence) => self.out.push_str(&sequence),
                }
            }
        }
        self.prefix.clear();
        self.held.clear();
        if let State::Address(held) = std::mem::take(&mut self.state) {
            self.out.push_str(if held.is_empty() { "" } else { REDACTED });
        }
        std::mem::take(&mut self.out)
    }

    /// What a terminal does not show: colours and moves.
    fn unseen(&mut self, sequence: &str) {
        if !self.prefix.is_empty() {
            self.held.push(Held::Unseen(sequence.to_owned()));
        } else if let State::Address(held) = &mut self.state {
            held.push_str(sequence);
        } else if !matches!(self.state, State::Block { .. }) {
            self.out.push_str(sequence);
        }
    }

    /// A character that is shown: first it is compared with what is known.
    fn shown(&mut self, c: char) {
        if self.prefix.is_empty() && !self.known.iter().any(|value| value.first() == Some(&c)) {
            return self.unknown(c);
        }
        self.prefix.push(c);
        self.held.push(Held::Shown(c));
        let prefix = &self.prefix;
        if self.known.contains(prefix) {
            let longer = prefix.len() == LONGEST
                || self.known.iter().any(|value| value.len() > prefix.len() && value.starts_with(prefix));
            self.prefix.clear();
            self.held.clear();
            if matches!(self.state, State::Plain) {
                self.out.push_str(REDACTED);
                self.context.clear();
                if longer {
                    self.state = State::Value { quote: None, begun: true };
                }
            }
        } else if !self.known.iter().any(|value| value.starts_with(prefix)) {
            // Its first character begins no known value. One of the others still may.
            self.prefix.clear();
            let mut first = true;
            for held in std::mem::take(&mut self.held) {
                match held {
                    Held::Shown(c) if std::mem::take(&mut first) => self.unknown(c),
                    Held::Shown(c) => self.shown(c),
                    Held::Unseen(sequence) => self.unseen(&sequence),
                }
            }
        }
    }

    /// A character that belongs to no known value.
    fn unknown(&mut self, c: char) {
        match &mut self.state {
            State::Plain => self.plain(c),
            State::Value { quote, begun } => {
                let ends = match quote {
                    Some(quote) => c == *quote || c == '\n',
                    None => c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '&' | ')' | '}' | '<'),
                };
                if !*begun && quote.is_none() && matches!(c, ' ' | '"' | '\'' | '>' | '=') {
                    *quote = matches!(c, '"' | '\'').then_some(c);
                    self.out.push(c);
                } else if ends {
                    self.state = State::Plain;
                    self.plain(c);
                } else if !*begun {
                    *begun = true;
                    self.out.push_str(REDACTED);
                    self.context.clear();
                }
            }
            State::Block { left } => {
                *left -= 1;
                let over = *left == 0;
                self.remember(c);
                if over || (self.context.ends_with("-----") && self.context.contains("-----END ")) {
                    self.state = State::Plain;
                    self.context.clear();
                }
            }
            State::Address(held) => match c {
                '@' => {
                    self.state = State::Plain;
                    self.out.push_str(REDACTED);
                    self.plain(c);
                }
                _ if c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>') || held.len() >= MAX_ADDRESS => {
                    let held = std::mem::take(held);
                    self.state = State::Plain;
                    self.out.push_str(&held);
                    self.context.clear();
                    self.plain(c);
                }
                _ => held.push(c),
            },
        }
    }

    fn plain(&mut self, c: char) {
        self.out.push(c);
        self.remember(c);
        let matches =
            |regex: &LazyLock<Option<Regex>>| regex.as_ref().is_some_and(|regex| regex.is_match(&self.context));
        let prefixes = ["AKIA", "ASIA", "AIza", "eyJ"];
        if matches!(c, '=' | ':' | ' ' | '_' | '-') || prefixes.iter().any(|prefix| self.context.ends_with(prefix)) {
            if c == ':' && matches(&ADDRESS) {
                self.state = State::Address(String::new());
            } else if c == '-' && matches(&BLOCK) {
                self.out.push_str(REDACTED);
                self.context.clear();
                self.state = State::Block { left: MAX_BLOCK };
            } else if matches(&ANNOUNCES) {
                self.state = State::Value { quote: None, begun: false };
            }
        }
    }

    fn remember(&mut self, c: char) {
        self.context.push(c);
        if self.context.len() > CONTEXT {
            let keep =
                (self.context.len() - CONTEXT / 2..=self.context.len()).find(|at| self.context.is_char_boundary(*at));
            self.context.drain(..keep.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(known: &[&str], text: &str) -> String {
        let mut redactor = Redactor::new(known.iter().map(|value| (*value).to_owned()));
        let mut out = redactor.push(text.as_bytes());
        out.push_str(&redactor.finish());
        out
    }

    const KNOWN: &[&str] = &["correct-horse", "correct-horse-battery", "zzzzzz1", "abcdefghQQ", "cdefgh"];

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
    fn short_values_are_no_secrets() {
        assert_eq!(redacted(&["a", " ", "", "12345"], "a 12345"), "a 12345");
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_makes_no_difference(case in 0..CASES.len(), cuts in proptest::collection::vec(0usize..100, 0..6)) {
            let (text, written) = CASES[case];
            let mut redactor = Redactor::new(KNOWN.iter().map(|value| (*value).to_owned()));
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
            let mut redactor = Redactor::new(KNOWN.iter().map(|value| (*value).to_owned()));
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            let out = [redactor.push(one), redactor.push(two), redactor.finish()].concat();
            prop_assert!(!out.contains("correct-horse"), "{}", out);
        }

        #[test]
        fn any_bytes_come_through_without_strings_and_questions(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut redactor = Redactor::new([]);
            let out = [redactor.push(&bytes), redactor.finish()].concat();
            prop_assert!(!out.contains("\x1b]") && !out.contains("\x1bP") && !out.contains('\x07'));
        }
    }
}
