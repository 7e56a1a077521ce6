//! Control sequences, taken apart as tmux takes them apart: what it would ignore is ignored here too.
//!
//! Strings (OSC, DCS, APC, PM, SOS, and tmux's own `ESC k` for a name) are passed over without keeping a byte of them, so
//! a title, a clipboard or a string without an end costs nothing and goes nowhere.

/// Parameters longer than this make tmux drop the whole sequence.
const MAX_PARAMS_BYTES: usize = 63;
/// So do this many parameters.
const MAX_PARAMS: usize = 24;
/// And more intermediate bytes than this.
const MAX_INTERMEDIATES: usize = 3;

/// What a character of the stream completes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// A character to show.
    Print(char),
    /// A control character below 0x20.
    Control(char),
    /// `ESC`, its intermediate bytes, its last byte.
    Escape(&'a str, char),
    /// `CSI`, its private marker or intermediate bytes, its parameters, its last byte.
    Csi(&'a str, Params<'a>, char),
}

/// The parameters of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Params<'a>(&'a str);

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Param<'a> {
    Missing,
    Number(u32),
    /// With parts, `4:3`.
    Text(&'a str),
}

impl<'a> Params<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    pub(super) fn list(self) -> impl Iterator<Item = Param<'a>> {
        let some = !self.0.is_empty();
        self.0.split(';').filter(move |_| some).map(|text| match text {
            "" => Param::Missing,
            _ if text.contains(':') => Param::Text(text),
            _ => Param::Number(text.parse().unwrap_or(u32::MAX)),
        })
    }

    /// The number at `index`; `default` where there is none, and never below `least`. `None` where it is no number.
    pub(super) fn number(self, index: usize, least: u16, default: u16) -> Option<u16> {
        match self.list().nth(index) {
            None | Some(Param::Missing) => Some(default),
            Some(Param::Number(number)) => Some(u16::try_from(number).unwrap_or(u16::MAX).max(least)),
            Some(Param::Text(_)) => None,
        }
    }

    /// The whole sequence again, unless a terminal answers what is marked like this.
    pub(super) fn written(self, marker: &str, last: char) -> Option<String> {
        let private = marker.starts_with(['<', '=', '>', '?']);
        let (before, after) = marker.split_at(usize::from(private));
        let asks = after.contains('$') || (before == ">" && last == 'q') || (before == "?" && last == 'u');
        (!asks).then(|| format!("\x1b[{before}{}{after}{last}", self.0))
    }

    fn is_readable(self) -> bool {
        let most = u32::try_from(i32::MAX).unwrap_or(u32::MAX);
        self.list().all(|param| !matches!(param, Param::Number(number) if number > most))
            && self.list().take(MAX_PARAMS).count() < MAX_PARAMS
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    EscapeIntermediate,
    CsiEntry,
    CsiParameter,
    CsiIntermediate,
    CsiIgnore,
    /// A device control string, and whether an ESC was its last character.
    Device {
        escaped: bool,
    },
    /// An operating system command: BEL ends it too.
    Command,
    /// Any other string.
    Text,
}

/// The state between two characters.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    state: State,
    intermediates: String,
    params: String,
    discard: bool,
}

impl Sequences {
    /// Whether the next character begins something new.
    pub(super) fn is_ground(&self) -> bool {
        self.state == State::Ground
    }

    /// Takes the next character.
    pub(super) fn next(&mut self, c: char) -> Option<Event<'_>> {
        if let State::Device { escaped } = self.state {
            self.state = match c {
                '\x1b' if !escaped => State::Device { escaped: true },
                '\\' if escaped => State::Ground,
                '\x18' | '\x1a' if !escaped => State::Ground,
                _ => State::Device { escaped: false },
            };
            return None;
        }
        match c {
            '\x1b' => {
                self.begin(State::Escape);
                return None;
            }
            '\x18' | '\x1a' => {
                self.state = State::Ground;
                return None;
            }
            _ => {}
        }
        match self.state {
            State::Ground => match c {
                '\0'..='\x1f' => Some(Event::Control(c)),
                '\x7f' => None,
                _ => Some(Event::Print(c)),
            },
            State::Command => {
                if c == '\x07' {
                    self.state = State::Ground;
                }
                None
            }
            State::Text | State::Device { .. } => None,
            _ if c < '\x20' => Some(Event::Control(c)),
            _ if c >= '\x7f' => None,
            State::Escape => self.escape(c),
            State::EscapeIntermediate => match c {
                '\x20'..='\x2f' => self.intermediate(c),
                _ => self.dispatch_escape(c),
            },
            State::CsiEntry => match c {
                '\x20'..='\x2f' => {
                    self.state = State::CsiIntermediate;
                    self.intermediate(c)
                }
                '0'..=';' => {
                    self.state = State::CsiParameter;
                    self.parameter(c)
                }
                '<'..='?' => {
                    self.state = State::CsiParameter;
                    self.intermediate(c)
                }
                _ => self.dispatch_csi(c),
            },
            State::CsiParameter => match c {
                '\x20'..='\x2f' => {
                    self.state = State::CsiIntermediate;
                    self.intermediate(c)
                }
                '0'..=';' => self.parameter(c),
                '<'..='?' => {
                    self.state = State::CsiIgnore;
                    None
                }
                _ => self.dispatch_csi(c),
            },
            State::CsiIntermediate => match c {
                '\x20'..='\x2f' => self.intermediate(c),
                '\x30'..='\x3f' => {
                    self.state = State::CsiIgnore;
                    None
                }
                _ => self.dispatch_csi(c),
            },
            State::CsiIgnore => {
                if c >= '@' {
                    self.state = State::Ground;
                }
                None
            }
        }
    }

    /// What brings an empty state here again.
    pub(super) fn dump(&self) -> String {
        let mut text = match self.state {
            State::Ground => String::new(),
            State::Escape | State::EscapeIntermediate => "\x1b".to_owned(),
            State::CsiEntry | State::CsiParameter | State::CsiIntermediate => "\x1b[".to_owned(),
            State::CsiIgnore => "\x1b[0<".to_owned(),
            State::Device { escaped: false } => "\x1bP".to_owned(),
            State::Device { escaped: true } => "\x1bP\x1b".to_owned(),
            State::Command => "\x1b]".to_owned(),
            State::Text => "\x1b_".to_owned(),
        };
        // A private marker stands before the parameters, an intermediate byte behind them.
        let (before, after) = match self.state {
            State::EscapeIntermediate | State::CsiParameter | State::CsiIntermediate => {
                let private = self.intermediates.starts_with(['<', '=', '>', '?']);
                self.intermediates.split_at(usize::from(private))
            }
            _ => ("", ""),
        };
        text.push_str(before);
        if matches!(self.state, State::CsiParameter | State::CsiIntermediate) {
            text.push_str(&self.params);
        }
        text.push_str(after);
        text
    }

    fn begin(&mut self, state: State) {
        self.state = state;
        self.intermediates.clear();
        self.params.clear();
        self.discard = false;
    }

    fn escape(&mut self, c: char) -> Option<Event<'_>> {
        match c {
            '\x20'..='\x2f' => {
                self.state = State::EscapeIntermediate;
                self.intermediate(c)
            }
            '[' => {
                self.begin(State::CsiEntry);
                None
            }
            'P' => {
                self.state = State::Device { escaped: false };
                None
            }
            ']' => {
                self.state = State::Command;
                None
            }
            'X' | '^' | '_' | 'k' => {
                self.state = State::Text;
                None
            }
            _ => self.dispatch_escape(c),
        }
    }

    fn intermediate(&mut self, c: char) -> Option<Event<'_>> {
        if self.intermediates.len() == MAX_INTERMEDIATES {
            self.discard = true;
        } else {
            self.intermediates.push(c);
        }
        None
    }

    fn parameter(&mut self, c: char) -> Option<Event<'_>> {
        if self.params.len() == MAX_PARAMS_BYTES {
            self.discard = true;
        } else {
            self.params.push(c);
        }
        None
    }

    fn dispatch_escape(&mut self, c: char) -> Option<Event<'_>> {
        self.state = State::Ground;
        (!self.discard).then_some(Event::Escape(&self.intermediates, c))
    }

    fn dispatch_csi(&mut self, c: char) -> Option<Event<'_>> {
        self.state = State::Ground;
        let params = Params(&self.params);
        (!self.discard && params.is_readable()).then_some(Event::Csi(&self.intermediates, params, c))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(text: &str) -> Vec<String> {
        let mut sequences = Sequences::default();
        text.chars().filter_map(|c| sequences.next(c).map(|event| format!("{event:?}"))).collect()
    }

    #[test]
    fn strings_go_nowhere_and_what_tmux_drops_is_dropped() {
        for swallowed in [
            "\x1b]0;title\x07",
            "\x1b]52;c;aGk=\x1b\\",
            "\x1bPq#0;2;0\x1b[31mstill\x1b\\",
            "\x1b_apc\x1b\\",
            "\x1b^pm\x1b\\",
            "\x1bXsos\x1b\\",
            "\x1bkname\x1b\\",
            "\x1b[1;2<3m",
            "\x7f",
            &format!("\x1b[{}m", "1;".repeat(40)),
            &format!("\x1b[{}m", ";".repeat(30)),
            "\x1b[99999999999m",
        ] {
            let rest: Vec<String> = events(swallowed).into_iter().filter(|event| !event.contains("'\\\\'")).collect();
            assert_eq!(rest, [""; 0], "{swallowed:?}");
        }
        assert_eq!(events("\x1b[?25hé"), [r#"Csi("?", Params("25"), 'h')"#, "Print('é')"]);
        assert_eq!(events("\x1b[3\n1m"), [r"Control('\n')", r#"Csi("", Params("31"), 'm')"#]);
        assert_eq!(events("\x1b(0\x1b7"), [r#"Escape("(", '0')"#, r#"Escape("", '7')"#]);
        assert_eq!(events("\x1b[31\x18m"), ["Print('m')"]);
    }

    proptest! {
        #[test]
        fn a_dump_goes_on_where_it_was(text in "(\x1b|[\\[\\]P_k?<;:0-9 (mhA\x07\x18\\\\é]){0,20}", rest in "[\\[?;0-9mhA\x07\x1b\\\\x]{0,20}") {
            let mut one = Sequences::default();
            for c in text.chars() {
                one.next(c);
            }
            let mut other = Sequences::default();
            for c in one.dump().chars() {
                prop_assert!(other.next(c).is_none());
            }
            // What was too long already is known to be; a dump only says how it begins.
            prop_assume!(!one.discard);
            for c in rest.chars() {
                prop_assert_eq!(one.next(c), other.next(c), "{:?}", text);
            }
        }
    }
}
