//! The way of one event, from its delivery to whoever took it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// What the step is called: `received`, `stored`, `shown`.
    pub name: String,
    /// When it was taken, as far as is known.
    pub at: Option<Timestamp>,
    /// How long after the last step before it whose time is known.
    pub after: Option<Duration>,
    /// What is known of it, or why nothing is.
    pub what: String,
}

/// The way of one event. What is not known is said, never guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The steps, in order.
    pub steps: Vec<TraceStep>,
}

impl Trace {
    /// Adds a step.
    pub fn step(&mut self, name: &str, at: Option<Timestamp>, what: impl Into<String>) {
        let before = self.steps.iter().rev().find_map(|step| step.at);
        // Negative when a clock was set back: then nothing can be said.
        let after = at.zip(before).and_then(|(at, before)| Duration::try_from(at.duration_since(before)).ok());
        self.steps.push(TraceStep { name: name.to_owned(), at, after, what: what.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_between_steps_whose_time_is_known() {
        let at = |milliseconds: i64| Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).ok();
        let mut trace = Trace::default();
        for (name, at) in [("received", at(0)), ("verified", None), ("stored", at(4)), ("shown", at(1))] {
            trace.step(name, at, "");
        }
        let after: Vec<_> = trace.steps.iter().map(|step| step.after).collect();
        assert_eq!(after, [None, None, Some(Duration::from_millis(4)), None], "nothing goes back in time");
    }
}
