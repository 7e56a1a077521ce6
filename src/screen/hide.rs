//! What is hidden of a stream of characters: known values, and what is written like a secret: `password=`, `--token`, bearer
//! tokens, keys of well-known providers, private key blocks, passwords in addresses. Colours between the letters make no
//! difference, nor where the stream is cut.

use std::fmt;
use std::sync::{Arc, LazyLock};

use regex::Regex;

/// What stands for a secret.
const REDACTED: &[u8] = b"[redacted]";
/// Shorter values are no secrets: they would be found everywhere.
const SHORTEST: usize = 6;
/// Characters of a known value that are compared; whatever follows them up to a blank belongs to it.
const LONGEST: usize = 512;
/// How far back is looked for what announces a secret, in bytes.
const CONTEXT: usize = 128;
/// Longest password in an address that is waited for, with the colours between its letters, in bytes.
const MAX_ADDRESS: usize = 256;
/// Characters and sequences that are held as the begin of a known value.
const MAX_HELD: usize = 2 * LONGEST;
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

/// Values that are secrets. Clones share them, and `Debug` shows none.
#[derive(Clone, Default)]
pub struct KnownSecrets(Arc<[Vec<char>]>);

impl fmt::Debug for KnownSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownSecrets({})", self.0.len())
    }
}

impl KnownSecrets {
    /// These values. Those below 6 characters are left out.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let known = values.into_iter().map(|value| value.trim().chars().take(LONGEST).collect::<Vec<char>>());
        Self(known.filter(|value| value.len() >= SHORTEST).collect())
    }

    fn iter(&self) -> impl Iterator<Item = &Vec<char>> {
        self.0.iter()
    }
}

/// A character, and the bytes that stand for it in the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    c: char,
    bytes: [u8; 4],
    len: usize,
    /// It was handed out, or a mark in its place.
    told: bool,
    /// A mark stands for it.
    hidden: bool,
}

impl Seen {
    /// One that stands for itself.
    pub(super) fn new(c: char) -> Self {
        let mut bytes = [0; 4];
        let len = c.encode_utf8(&mut bytes).len();
        Self { c, bytes, len, told: false, hidden: false }
    }

    /// One that was read from these bytes, four at most.
    pub(super) fn of(c: char, read: &[u8]) -> Self {
        let (mut bytes, len) = ([0; 4], read.len().min(4));
        bytes[..len].copy_from_slice(&read[..len]);
        Self { c, bytes, len, told: false, hidden: false }
    }

    fn bytes(&self) -> &[u8] {
        if self.told { &[] } else { &self.bytes[..self.len] }
    }
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Plain,
    /// A value is expected or being passed over. The quote that ends it, and whether it has begun.
    Value { quote: Option<char>, begun: bool },
    /// Inside a private key: characters that may still come.
    Block { left: usize },
    /// Behind `scheme://user:`, what was read since.
    Address(Vec<u8>),
}

/// What is kept back while it may be the begin of a known value.
#[derive(Debug)]
enum Held {
    Shown(Seen),
    /// A colour or a move between two characters.
    Unseen(Vec<u8>),
}

/// Hides secrets in one stream.
#[derive(Debug, Default)]
pub(super) struct Hider {
    known: KnownSecrets,
    /// What may be the begin of a known value: its characters, and all of it in order.
    prefix: Vec<char>,
    held: Vec<Held>,
    /// A mark was handed out for what is held.
    hidden: bool,
    /// What was read last, without what is not shown.
    context: String,
    state: State,
    out: Vec<u8>,
}

impl Hider {
    pub(super) fn new(known: KnownSecrets) -> Self {
        Self { known, ..Self::default() }
    }

    /// What may be written by now.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Hands out what is held, as nobody knows when more comes. What looks like the begin of a secret is taken for one;
    /// what comes next is still compared with it.
    pub(super) fn settle(&mut self) {
        if let State::Address(held) = &self.state
            && !held.is_empty()
        {
            self.out.extend_from_slice(REDACTED);
            self.state = State::Value { quote: None, begun: true };
        }
        // Inside a secret nothing is handed out.
        if !matches!(self.state, State::Plain) || self.prefix.is_empty() {
            return;
        }
        let hides = self.prefix.len() >= SHORTEST / 2;
        if hides && !self.hidden {
            self.out.extend_from_slice(REDACTED);
        }
        self.hidden |= hides;
        for held in &mut self.held {
            match held {
                Held::Shown(seen) => {
                    self.out.extend_from_slice(if hides { &[] } else { seen.bytes() });
                    seen.told = true;
                    seen.hidden |= hides;
                }
                Held::Unseen(sequence) => self.out.append(sequence),
            }
        }
    }

    /// Hands out what is held, as the stream has ended. What looks like the begin of a secret is taken for one.
    pub(super) fn finish(&mut self) {
        if self.prefix.len() >= SHORTEST / 2 {
            self.out.extend_from_slice(if self.hidden { &[] } else { REDACTED });
        } else {
            for held in std::mem::take(&mut self.held) {
                match held {
                    Held::Shown(seen) => self.unknown(seen),
                    Held::Unseen(sequence) => self.out.extend_from_slice(&sequence),
                }
            }
        }
        self.let_go();
        if let State::Address(held) = std::mem::take(&mut self.state) {
            self.out.extend_from_slice(if held.is_empty() { &[] } else { REDACTED });
        }
    }

    fn let_go(&mut self) -> Vec<Held> {
        self.prefix.clear();
        self.hidden = false;
        std::mem::take(&mut self.held)
    }

    /// What a terminal does not show: colours and moves.
    pub(super) fn unseen(&mut self, sequence: &[u8]) {
        if !self.prefix.is_empty() {
            self.held.push(Held::Unseen(sequence.to_owned()));
            if self.held.len() > MAX_HELD {
                // Whoever draws this much between two letters could go on for ever.
                self.settle();
                let is_drawn = !matches!(self.state, State::Block { .. });
                for held in self.held.extract_if(.., |held| matches!(held, Held::Unseen(_))) {
                    if let (true, Held::Unseen(sequence)) = (is_drawn, held) {
                        self.out.extend_from_slice(&sequence);
                    }
                }
            }
        } else if let State::Address(held) = &mut self.state
            && !held.is_empty()
        {
            held.extend_from_slice(sequence);
            if held.len() > MAX_ADDRESS {
                self.hide_address();
            }
        } else if !matches!(self.state, State::Block { .. }) {
            self.out.extend_from_slice(sequence);
        }
    }

    /// What was read of an address is too long to be waited for, and may be half of a password.
    fn hide_address(&mut self) {
        self.out.extend_from_slice(REDACTED);
        self.context.clear();
        self.state = State::Value { quote: None, begun: true };
    }

    /// A character that is shown: first it is compared with what is known.
    pub(super) fn shown(&mut self, seen: Seen) {
        if self.prefix.is_empty() && !self.known.iter().any(|value| value.first() == Some(&seen.c)) {
            return self.unknown(seen);
        }
        if self.prefix.is_empty() {
            self.hidden = seen.hidden;
        }
        self.prefix.push(seen.c);
        self.held.push(Held::Shown(seen));
        let prefix = &self.prefix;
        if self.known.iter().any(|value| value == prefix) {
            let longer = prefix.len() == LONGEST
                || self.known.iter().any(|value| value.len() > prefix.len() && value.starts_with(prefix));
            let hidden = self.hidden;
            self.let_go();
            if matches!(self.state, State::Plain) {
                self.out.extend_from_slice(if hidden { &[] } else { REDACTED });
                self.context.clear();
                if longer {
                    self.state = State::Value { quote: None, begun: true };
                }
            }
        } else if !self.known.iter().any(|value| value.starts_with(prefix)) {
            // Its first character begins no known value. One of the others still may.
            let mut first = true;
            for held in self.let_go() {
                match held {
                    Held::Shown(seen) if std::mem::take(&mut first) => self.unknown(seen),
                    Held::Shown(seen) => self.shown(seen),
                    Held::Unseen(sequence) => self.unseen(&sequence),
                }
            }
        }
    }

    /// A character that belongs to no known value.
    fn unknown(&mut self, seen: Seen) {
        let c = seen.c;
        match &mut self.state {
            State::Plain => self.plain(seen),
            State::Value { quote, begun } => {
                let ends = match quote {
                    Some(quote) => c == *quote || c == '\n',
                    None => c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '&' | ')' | '}' | '<'),
                };
                if !*begun && quote.is_none() && matches!(c, ' ' | '"' | '\'' | '>' | '=') {
                    *quote = matches!(c, '"' | '\'').then_some(c);
                    self.out.extend_from_slice(seen.bytes());
                } else if ends {
                    self.state = State::Plain;
                    self.plain(seen);
                } else if !*begun {
                    *begun = true;
                    self.out.extend_from_slice(REDACTED);
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
                    self.out.extend_from_slice(REDACTED);
                    self.plain(seen);
                }
                _ if c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>') => self.no_password(seen),
                _ if held.len() < MAX_ADDRESS => held.extend_from_slice(seen.bytes()),
                _ if held.contains(&b'\x1b') => self.hide_address(),
                _ => self.no_password(seen),
            },
        }
    }

    /// What was read of an address is none with a password: it is handed out.
    fn no_password(&mut self, seen: Seen) {
        if let State::Address(held) = std::mem::take(&mut self.state) {
            self.out.extend_from_slice(&held);
        }
        self.context.clear();
        self.plain(seen);
    }

    fn plain(&mut self, seen: Seen) {
        self.out.extend_from_slice(seen.bytes());
        let c = seen.c;
        self.remember(c);
        let matches =
            |regex: &LazyLock<Option<Regex>>| regex.as_ref().is_some_and(|regex| regex.is_match(&self.context));
        let prefixes = ["AKIA", "ASIA", "AIza", "eyJ"];
        if matches!(c, '=' | ':' | ' ' | '_' | '-') || prefixes.iter().any(|prefix| self.context.ends_with(prefix)) {
            if c == ':' && matches(&ADDRESS) {
                self.state = State::Address(Vec::new());
            } else if c == '-' && matches(&BLOCK) {
                self.out.extend_from_slice(REDACTED);
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
