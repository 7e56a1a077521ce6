//! Terms: whether this engine may drive a host, must raise its term first, or has been replaced.

use super::Term;

/// What the highest term an agent has served means for this engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It drives the host.
    Drives,
    /// The host was driven before this engine came to it: the term is raised at least to this.
    Raise(u64),
    /// No engine can have come so far, in words: it is never followed, or one host would use up every term.
    Wrong(String),
    /// Another engine came after this one and drives the host now, in words.
    Fenced(String),
}

/// A term further above this engine's own is a mistake of the host: terms rise by one at a start.
const REACH: u64 = 1 << 32;

/// Judges the highest term an agent has `served`. An engine that has driven the host and sees a higher term was
/// replaced, and does not fight: only starting it again takes the host back. One that comes new takes over.
pub(super) fn judge(term: Term, served: u64, drove: bool) -> Standing {
    if served <= term.epoch {
        Standing::Drives
    } else if served - term.epoch > REACH {
        Standing::Wrong(format!(
            "its agent tells of the term {served}, which no engine can have reached; remove `lease.json` of its journal"
        ))
    } else if drove {
        Standing::Fenced(format!(
            "another engine drives it in term {served}, above {} of this one; start this one again to take it back",
            term.epoch
        ))
    } else {
        Standing::Raise(served.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::model::EngineId;

    use super::*;

    #[test]
    fn who_comes_new_takes_over_and_who_was_replaced_does_not_fight() {
        let term = |epoch| Term { engine: EngineId::from_uuid(Uuid::nil()), epoch };
        assert_eq!(judge(term(5), 5, false), Standing::Drives);
        assert_eq!(judge(term(5), 4, true), Standing::Drives);
        assert_eq!(judge(term(5), 9, false), Standing::Raise(10));
        assert_eq!(judge(term(5), 5 + REACH, false), Standing::Raise(6 + REACH));
        for (served, drove) in [(6 + REACH, false), (u64::MAX, false), (u64::MAX, true)] {
            assert!(matches!(judge(term(5), served, drove), Standing::Wrong(_)), "{served}");
        }
        assert!(matches!(judge(term(5), 6, true), Standing::Fenced(why) if why.contains("term 6")));
    }
}
