//! One character for each state, so that none is told by its colour alone. The word stands beside it.

use crate::model::{ChannelState, CheckPanel, CheckState, EventState, LogLevel, Marks, TaskState};
use crate::protocol::Severity;

/// What can be shown as one character.
pub(super) trait Sign {
    /// Its character, and the one where only ASCII is drawn.
    fn sign(&self) -> (&'static str, &'static str);
}

const GOOD: (&str, &str) = ("✓", "+");
const LOOK: (&str, &str) = ("!", "!");
const BAD: (&str, &str) = ("✗", "x");
const NOTE: (&str, &str) = ("·", ".");
const UNKNOWN: (&str, &str) = ("?", "?");

impl Sign for Severity {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Info => NOTE,
            Self::Warn => LOOK,
            Self::Crit => BAD,
        }
    }
}

impl Sign for ChannelState {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Listening => GOOD,
            Self::Down => BAD,
            Self::Unknown => UNKNOWN,
        }
    }
}

impl Sign for CheckState {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Ok => GOOD,
            Self::Warn => LOOK,
            Self::Critical => BAD,
            Self::Unknown => UNKNOWN,
            Self::Stale => ("◌", "~"),
        }
    }
}

impl Sign for CheckPanel {
    fn sign(&self) -> (&'static str, &'static str) {
        if self.flapping { ("↕", "%") } else { self.state.sign() }
    }
}

impl Sign for TaskState {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Starting => NOTE,
            Self::Running => GOOD,
            Self::Waiting => BAD,
            Self::Stopped => ("■", "#"),
        }
    }
}

impl Sign for EventState {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Stored => NOTE,
            Self::Projected => GOOD,
            Self::Dead => BAD,
        }
    }
}

impl Sign for LogLevel {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Error => BAD,
            Self::Warn => LOOK,
            Self::Info => NOTE,
        }
    }
}

impl Sign for Marks {
    fn sign(&self) -> (&'static str, &'static str) {
        match (&self.acked, &self.read) {
            (Some(_), _) => ("✓", "v"),
            (None, Some(_)) => (" ", " "),
            (None, None) => ("●", "*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for every variant of an enum; one that is left out does not compile.
    macro_rules! told_apart {
        ($kind:ident: $($variant:ident),+) => {{
            let all = [$($kind::$variant),+];
            for state in &all {
                match state {
                    $($kind::$variant => {})+
                }
            }
            let told: Vec<_> = all.iter().map(|state| (state.sign(), state.as_str())).collect();
            for (index, ((sign, ascii), word)) in told.iter().enumerate() {
                assert!(ascii.is_ascii() && ascii.len() == 1 && !word.is_empty());
                assert_eq!(crate::screen::width(sign), 1, "{word}");
                for ((other_sign, other_ascii), other_word) in &told[index + 1..] {
                    assert!(sign != other_sign && ascii != other_ascii && word != other_word, "{word} and {other_word}");
                }
            }
        }};
    }

    #[test]
    fn every_state_has_a_sign_and_a_word_of_its_own() {
        told_apart!(Severity: Info, Warn, Crit);
        told_apart!(ChannelState: Listening, Down, Unknown);
        told_apart!(CheckState: Ok, Warn, Critical, Unknown, Stale);
        told_apart!(TaskState: Starting, Running, Waiting, Stopped);
        told_apart!(EventState: Stored, Projected, Dead);
        told_apart!(LogLevel: Error, Warn, Info);
    }
}
