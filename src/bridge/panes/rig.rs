//! Values for tests of panes.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{PaneChunk, PaneFacts, PaneId, PaneSeed};

use super::moment::Moment;

pub(super) const PANE: PaneId = PaneId { server: 7, number: 3 };

pub(super) fn facts(index: u32) -> PaneFacts {
    PaneFacts { index, active: index == 0, ..PaneFacts::sample(index) }
}

pub(super) fn seed(offset: u64, missed: u64, text: &str) -> PaneSeed {
    PaneSeed { pane: PANE, offset, missed, too_fast: false, cols: 40, rows: 4, history: 0, bytes: text.into() }
}

pub(super) fn chunk(offset: u64, text: &str) -> PaneChunk {
    PaneChunk { pane: PANE, offset, bytes: text.into() }
}

/// A moment some milliseconds after the first.
pub(super) struct Clock(pub(super) Instant);

impl Clock {
    pub(super) fn at(&self, ms: u64) -> Moment {
        let passed = std::time::Duration::from_millis(ms);
        Moment { at: Timestamp::UNIX_EPOCH + passed, instant: self.0 + passed }
    }
}
