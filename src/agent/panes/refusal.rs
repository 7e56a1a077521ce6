//! What is answered where panes are not shown, or not typed into.

use crate::protocol::{DriveAsk, FromAgent, PaneSaid, ToAgent, WatchAsk};

/// The answer to a question about panes that is refused by `rule`, because of `reason`. `None` where the question has no
/// answer of its own.
pub(in crate::agent) fn refusal(question: &ToAgent, rule: &str, reason: &str) -> Option<FromAgent> {
    let (pane, seq) = match question {
        ToAgent::Watch(WatchAsk::List { .. }) => {
            let why = Some(reason.to_owned());
            return Some(FromAgent::Pane(PaneSaid::Panes { panes: Vec::new(), why, may_drive: false }));
        }
        ToAgent::Watch(WatchAsk::Watch { pane, .. })
        | ToAgent::Drive(DriveAsk::Take { pane, .. } | DriveAsk::Release { pane }) => (*pane, None),
        ToAgent::Drive(DriveAsk::Keys { pane, seq, .. }) => (*pane, Some(*seq)),
        ToAgent::Watch(
            WatchAsk::Seen { .. } | WatchAsk::Whole { .. } | WatchAsk::Capture { .. } | WatchAsk::Unwatch { .. },
        )
        | ToAgent::Hello { .. }
        | ToAgent::Probe { .. }
        | ToAgent::Run(_)
        | ToAgent::Query { .. }
        | ToAgent::Cancel { .. }
        | ToAgent::Fin { .. } => return None,
    };
    let (rule, reason) = (rule.to_owned(), reason.to_owned());
    Some(FromAgent::Pane(PaneSaid::Refused { pane, rule, reason, seq }))
}
