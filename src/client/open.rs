//! What a client wants of its engine, and what it has asked and not heard of yet.

use std::collections::HashMap;

use crate::protocol::{Request, RequestId};

/// What a client wants of its engine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// A snapshot and notices, or only answers.
    pub follow: bool,
    /// Whether it promises to change nothing.
    pub read_only: bool,
}

/// What a client says.
#[derive(Debug)]
pub(super) enum Saying {
    /// A request.
    Ask(RequestId, Request),
    /// All below this place of a watched pane was taken.
    Seen {
        /// The number of the watch.
        watch: u64,
        /// The place.
        offset: u64,
    },
}

/// Requests on their way, so that they can be asked again after the line broke.
#[derive(Debug, Default)]
pub(super) struct Open(HashMap<RequestId, Request>);

impl Open {
    pub(super) fn asked(&mut self, id: RequestId, request: Request) {
        self.0.insert(id, request);
    }

    pub(super) fn answered(&mut self, id: RequestId) {
        self.0.remove(&id);
    }

    /// After a break: what may be asked again, oldest first, and what may not.
    pub(super) fn after_break(&mut self) -> (Vec<(RequestId, Request)>, Vec<RequestId>) {
        let lost: Vec<RequestId> =
            self.0.iter().filter(|(_, request)| !request.is_idempotent()).map(|(id, _)| *id).collect();
        for id in &lost {
            self.0.remove(id);
        }
        let mut again: Vec<(RequestId, Request)> = self.0.iter().map(|(id, request)| (*id, request.clone())).collect();
        again.sort_by_key(|(id, _)| *id);
        (again, lost)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{PaneAddress, PaneId};
    use crate::protocol::{PanePace, PaneRequest};

    use super::*;

    #[test]
    fn only_what_is_safe_is_asked_again() {
        let mut open = Open::default();
        open.asked(RequestId(2), Request::Unread { limit: 1 });
        open.asked(RequestId(1), Request::RestartTask("t".into()));
        open.asked(RequestId(3), Request::Snapshot);
        open.answered(RequestId(3));
        let (again, lost) = open.after_break();
        assert_eq!(again, [(RequestId(2), Request::Unread { limit: 1 })]);
        assert_eq!(lost, [RequestId(1)]);
        assert!(open.after_break().1.is_empty(), "lost once");
    }

    #[test]
    fn what_belongs_to_a_line_is_not_asked_for_on_the_next_by_itself() {
        let mut open = Open::default();
        let pane = PaneAddress { host: "here".parse().expect("a name"), pane: PaneId { server: 1, number: 0 } };
        let keys = PaneRequest::Keys { pane: pane.clone(), bytes: b"rm x\r".to_vec() };
        open.asked(RequestId(1), Request::Pane(PaneRequest::Watch { watch: 1, pane, pace: PanePace::LIVE }));
        open.asked(RequestId(2), Request::Pane(keys));
        open.asked(RequestId(3), Request::Pane(PaneRequest::List));
        let (again, mut lost) = open.after_break();
        lost.sort();
        assert_eq!(again, [(RequestId(3), Request::Pane(PaneRequest::List))]);
        assert_eq!(lost, [RequestId(1), RequestId(2)]);
    }
}
