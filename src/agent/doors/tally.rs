//! What strangers do at a door, told in the log as a number, so that nobody can fill it.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one line in so long.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// How often something happened.
#[derive(Debug)]
pub(super) struct Tally {
    what: &'static str,
    state: Mutex<(u64, Option<Instant>)>,
}

impl Tally {
    /// Counts `what`.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, state: Mutex::default() }
    }

    /// It happened once more, for this reason.
    pub(super) fn count(&self, why: &dyn Display) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, told) = &mut *state;
        *count += 1;
        if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            tracing::warn!(count = *count, last = %why, "{}", self.what);
            *told = Some(Instant::now());
        }
    }
}
