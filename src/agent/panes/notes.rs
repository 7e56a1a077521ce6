//! What is noted of panes at their host: line after line in the order things happened, while nobody is held up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::agent::Spool;
use crate::agent::audit::{self, Noted};
use crate::agent::desk::Inner;

/// Notes that wait for the disk. A take-over makes two at most, so they are as many as connections ask for meanwhile.
#[derive(Debug, Default)]
pub(in crate::agent) struct Notes {
    waiting: Mutex<VecDeque<Noted>>,
    /// Held by whoever writes: what comes meanwhile is written behind it.
    writing: Mutex<()>,
}

impl Notes {
    fn put(&self, noted: Noted) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(noted);
    }

    fn next(&self) -> Option<Noted> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn write(&self, spool: &Spool) {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(noted) = self.next() {
            audit::note(spool, &noted);
        }
    }
}

/// Notes it behind everything that was noted before.
pub(super) fn note(desk: &Arc<Inner>, noted: Noted) {
    desk.pane_notes.put(noted);
    let desk = Arc::clone(desk);
    let write = move || desk.pane_notes.write(&desk.spool);
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(write)),
        Err(_) => write(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use crate::agent::Desk;
    use crate::agent::audit::FILE;
    use crate::config::AgentConfig;
    use crate::model::{PaneDriver, PaneId};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_happens_first_is_noted_first() {
        let dir = tempfile::tempdir().expect("a directory");
        let desk = Desk::open(AgentConfig::parse("", None, Some(dir.path())).expect("defaults")).expect("a desk");
        let driver = PaneDriver { who: "anna".parse().expect("a name"), since: Timestamp::UNIX_EPOCH };
        let all: Vec<u32> = (0..200).collect();
        for number in &all {
            let pane = PaneId { server: 1, number: *number };
            note(&desk.inner, Noted::released(pane, &driver, "the test", Timestamp::UNIX_EPOCH));
        }
        let noted = || -> Vec<u32> {
            let text = std::fs::read_to_string(desk.spool().path().join(FILE)).unwrap_or_default();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            lines
                .filter_map(|line| serde_json::from_value::<PaneId>(line["pane"].clone()).ok())
                .map(|pane| pane.number)
                .collect()
        };
        let written = async {
            while noted().len() < all.len() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), written).await.expect("all is noted");
        assert_eq!(noted(), all);
    }
}
