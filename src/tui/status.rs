//! What the status line tells of the terminal.

use std::time::Duration;

/// What is known of the terminal, and what is shown of it.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// The screen does with less.
    pub lite: bool,
    /// The mouse is ours.
    pub mouse: bool,
    /// Figures of the line are shown.
    pub figures: bool,
    /// Bytes a second that go to the terminal, in a coarse step.
    pub rate: &'static str,
    /// To the terminal and back, in a coarse step.
    pub terminal: Option<Duration>,
}

/// Steps so coarse that a steady line shows a steady number: it is at most this.
pub(super) fn coarse(rtt: Duration) -> Duration {
    const STEPS: [u64; 8] = [10, 25, 50, 100, 250, 500, 1_000, 5_000];
    let milliseconds = u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(STEPS.into_iter().find(|step| milliseconds <= *step).unwrap_or(5_000))
}
