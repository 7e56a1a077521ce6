//! A made-up road: how long it takes, and whether it is open.

use std::time::Duration;

use aurora::model::LayerKind;
use jiff::Timestamp;

pub struct Road {
    pub kind: LayerKind,
    pub up: bool,
    /// Counts connections: an answer belongs to the one its question came by.
    pub line: u64,
    /// Nothing passes until then.
    pub stalled: Timestamp,
    /// It cannot be opened until then.
    pub shut: Timestamp,
}

impl Road {
    pub fn new(kind: LayerKind, now: Timestamp) -> Self {
        Self { kind, up: false, line: 0, stalled: now, shut: now }
    }

    /// Whether answers are lost with the connection their question came by.
    pub fn is_stream(&self) -> bool {
        matches!(self.kind, LayerKind::Socket | LayerKind::Tmux | LayerKind::Local)
    }

    /// From one end to the other, from now on. What goes the same way comes in the order it was sent.
    pub fn one_way(&self, now: Timestamp) -> Duration {
        match self.kind {
            LayerKind::Local | LayerKind::Socket | LayerKind::Manual => Duration::from_micros(150),
            LayerKind::Tmux => Duration::from_millis(20),
            // Each side looks once a second.
            LayerKind::Trigger => {
                let past = u64::try_from(now.subsec_millisecond()).unwrap_or_default();
                Duration::from_millis(1_005 - past)
            }
            LayerKind::Exec => Duration::from_millis(240),
        }
    }
}
