//! What is known of the logs at the start: as much of the store as screens show, telling needs and the clock follows.

use crate::federation::Now;
use crate::model::SharedKind;
use crate::store::{SharedState, Store, StoreError};

use super::desk::{Desk, Held, LATER, Said};
use super::remotes::line;

/// Messages of another node that are read.
const MESSAGES: usize = 100;
/// Lines of the logs that are read.
const LINES: usize = 200;

/// Fills `desk` with what the store knows of other nodes' logs, and with what this node may still have to tell of.
pub(super) fn recall(store: &Store, mut desk: Desk, now: Now) -> Result<Desk, StoreError> {
    let (mut told, mut wrong) = (Vec::new(), Vec::new());
    for log in store.shared_logs()? {
        let node = log.origin.node.clone();
        if !log.own {
            // As when it came: a clock that is far ahead moves nothing. The own log's was taken over as it is.
            let _ = desk.clock.hear(log.hlc, now.wall);
        }
        for state in store.shared_states(&node, log.own)? {
            if state.kind == SharedKind::Told {
                told.push((node.clone(), state));
                continue;
            }
            if !log.own {
                desk.remotes.put(&node, state.kind, &state.subject, state.body.get());
            }
            if state.kind == SharedKind::Incident {
                wrong.push((node.clone(), state));
            }
        }
        if log.own {
            continue;
        }
        for event in store.shared_messages(&node, MESSAGES)? {
            desk.remotes.put(&node, event.kind, &event.subject, event.body.get());
        }
        desk.held.insert(node, Held::from(&log));
    }
    // Who told of an incident stands in the log of who told; by now the incidents are all there.
    for (node, state) in told {
        desk.remotes.put(&node, state.kind, &state.subject, state.body.get());
        desk.heed(&node, &said(&state), LATER, now);
    }
    // It may have been about to tell when it went down.
    for (node, state) in wrong {
        desk.heed(&node, &said(&state), LATER, now);
    }
    for row in store.shared_newest(LINES)?.into_iter().rev() {
        desk.remotes.line(&line(&row.node, &row.event));
    }
    desk.remotes.settle();
    Ok(desk)
}

fn said(state: &SharedState) -> Said<'_> {
    Said { kind: state.kind, subject: &state.subject, body: state.body.get(), at: state.hlc.at() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::SignedDuration;

    use crate::federation::conformance::{Follower, Link, MemoryLink, TestNode, moment};

    use super::super::desk::tests::desk;
    use super::*;

    #[tokio::test]
    async fn a_node_whose_clock_was_far_ahead_puts_no_clock_at_a_restart() {
        let (me, far) = (TestNode::new("hub-1").await, TestNode::new("hub-2").await);
        far.say(3).await;
        let link: Link = Arc::new(MemoryLink(Arc::clone(&far)));
        let mut follower = Follower::new(&me, vec![(Arc::clone(&far), link)], &[&far.name]).await;
        follower.catch_up().await;
        let stamped = me.log_of(&far.name).expect("it is held").hlc;
        let clock = |wall| {
            let now = Now { mono: Duration::ZERO, wall };
            recall(&me.store, desk(Vec::new()), now).expect("reads").clock.last()
        };
        assert_eq!(clock(moment()), stamped);
        assert!(clock(moment() - SignedDuration::from_hours(24)) < stamped);
    }
}
