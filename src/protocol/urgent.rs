//! What needs a person next, over everything, in one order.

use std::fmt;

use jiff::Timestamp;

use crate::model::{ApprovalId, CheckId, HostName, Identity, JobId, MessageId, MessageRow, NodeName, PaneAddress, age};

use super::problems::Trouble;
use super::{PaneCall, Severity, Snapshot, bridge_problems};

/// What something is about, and so where a person looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The store cannot read or write.
    Store,
    /// A background task does not run, or not as it should.
    Task(String),
    /// This machine is cut off.
    Isolation,
    /// A check is not as it should be.
    Check(CheckId),
    /// The newest configuration is not in force.
    Configuration,
    /// Deliveries were kept and not understood.
    DeadLetters,
    /// Deliveries were refused on this channel, for this reason.
    Refused(Option<String>, String),
    /// Nobody knows whether a job ran.
    Job(JobId),
    /// A host is out of reach, or one of its roads must not be used.
    Host(HostName),
    /// Another node cannot be trusted or heard, or this one hears nobody.
    Node(NodeName),
    /// Something is wrong on another node.
    Incident {
        /// Where.
        node: NodeName,
        /// About what: the id of a check. Text from outside.
        subject: String,
    },
    /// A plan waits for other people's yes.
    Approval(ApprovalId),
    /// A pane does what it was marked for, and is called so.
    Pane(PaneAddress, String),
    /// A message nobody has read.
    Message(MessageId),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => f.write_str("the store"),
            Self::Task(name) => f.write_str(name),
            Self::Isolation => f.write_str("the connectivity of this machine"),
            Self::Check(id) => write!(f, "check {id}"),
            Self::Configuration => f.write_str("the configuration"),
            Self::DeadLetters => f.write_str("dead letters"),
            Self::Refused(channel, reason) => {
                write!(f, "refusals on {} ({reason})", channel.as_deref().unwrap_or("no channel"))
            }
            Self::Job(id) => write!(f, "job {id}"),
            Self::Host(name) => write!(f, "host {name}"),
            Self::Node(name) => write!(f, "node {name}"),
            Self::Incident { node, subject } => write!(f, "check {subject}@{node}"),
            Self::Approval(id) => write!(f, "approval {id}"),
            Self::Pane(_, name) => write!(f, "pane {name}"),
            Self::Message(id) => write!(f, "message {id}"),
        }
    }
}

impl Need {
    /// Where what weighs `severity` stands in the one order, for [`Snapshot::urgent`] and for the list of what is wrong:
    /// the lower, the earlier. First what is broken; then alike critical checks, jobs with an unknown end, hosts out of
    /// reach and nodes that are down or quarantined; approvals, VIPs who wait, warnings and panes that call, others who
    /// wait.
    pub(super) fn rank(&self, severity: Severity) -> u8 {
        match (self, severity) {
            (Self::Message(_), Severity::Info) => 7,
            (Self::Message(_), _) => 5,
            (Self::Approval(_), _) => 4,
            (Self::Store, _) => 0,
            (Self::Task(_), Severity::Crit) => 1,
            (Self::Isolation, _) => 2,
            (_, Severity::Crit) => 3,
            _ => 6,
        }
    }
}

/// One thing that needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urgent {
    /// What it is about.
    pub need: Need,
    /// Since when. The same trouble that began anew is another thing.
    pub since: Timestamp,
    /// How much it matters, for its colour.
    pub severity: Severity,
    /// Why it is on the list, in one line. It may hold text from outside.
    pub reason: String,
}

impl Urgent {
    fn rank(&self) -> u8 {
        self.need.rank(self.severity)
    }
}

impl Snapshot {
    /// What needs a person at `now`, the most urgent first. Among equals comes first what waits longest.
    /// `unread` are the messages nobody has read, as far as they are known; `me` is who asks, once that is known.
    #[must_use]
    pub fn urgent(&self, unread: &[MessageRow], me: Option<&Identity>, now: Timestamp) -> Vec<Urgent> {
        let problems = self.troubles(now).into_iter().filter(|trouble| trouble.problem.severity > Severity::Info);
        let unread = unread.iter().filter(|row| row.marks.read.is_none());
        let approvals = me.map(|me| bridge_problems::answerable(&self.bridge, me, now)).unwrap_or_default();
        let calls = self.calls.iter().map(|call| calling(call, now));
        let mut urgent: Vec<Urgent> = problems
            .map(Urgent::from)
            .chain(approvals)
            .chain(calls)
            .chain(unread.map(|row| waiting(row, now)))
            .collect();
        // Stable: what begins at the same moment stays in the order it was found in.
        urgent.sort_by_key(|urgent| (urgent.rank(), urgent.since));
        urgent
    }
}

impl From<Trouble> for Urgent {
    fn from(Trouble { need, since, problem, .. }: Trouble) -> Self {
        Self { need, since, severity: problem.severity, reason: problem.what }
    }
}

fn calling(call: &PaneCall, now: Timestamp) -> Urgent {
    let reason = format!("pane {} calls ({}): {}", call.name, age(call.since, now), call.why);
    let need = Need::Pane(call.pane.clone(), call.name.clone());
    Urgent { need, since: call.since, severity: Severity::Warn, reason }
}

fn waiting(row: &MessageRow, now: Timestamp) -> Urgent {
    let (who, severity) = if row.vip { ("VIP waiting", Severity::Warn) } else { ("waiting", Severity::Info) };
    let from = if row.from.is_empty() { row.channel.as_str() } else { &row.from };
    let reason = format!("{who} {}: {from}: {}", age(row.received, now), row.subject);
    Urgent { need: Need::Message(row.id), since: row.received, severity, reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        ChannelId, CheckPanel, CheckState, Marks, PaneId, StoreFault, StoreTrouble, TaskState, TaskStatus,
    };

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).expect("in range")
    }

    fn row(n: i64, vip: bool) -> MessageRow {
        let channel: ChannelId = "mail".parse().expect("an id");
        MessageRow {
            seq: n,
            id: MessageId::from_uuid(uuid::Uuid::from_u128(n.unsigned_abs().into())),
            channel,
            kind: String::new(),
            contact: None,
            from: "Ann".into(),
            vip,
            subject: "Where?".into(),
            preview: String::new(),
            received: at(n),
            marks: Marks::default(),
        }
    }

    fn check(id: &str, state: CheckState, since: i64) -> CheckPanel {
        CheckPanel { last: Some(at(0)), ..CheckPanel::sample(id, state, at(since)) }
    }

    fn snapshot() -> Snapshot {
        Snapshot {
            store: Some(StoreTrouble { since: at(90), fault: StoreFault::DiskFull, detail: String::new() }),
            checks: vec![
                check("fine", CheckState::Ok, 0),
                check("late", CheckState::Critical, 80),
                check("long", CheckState::Critical, 10),
                check("soso", CheckState::Warn, 0),
                check("what", CheckState::Unknown, 0),
            ],
            tasks: vec![TaskStatus {
                name: "search".into(),
                state: TaskState::Waiting,
                since: at(95),
                restarts: 0,
                last_error: None,
                next_try: None,
                trouble: None,
            }],
            ..Snapshot::sample(at(0))
        }
    }

    #[test]
    fn a_pane_that_calls_is_among_the_warnings() {
        let pane = PaneAddress { host: "web-1".parse().expect("a name"), pane: PaneId { server: 7, number: 3 } };
        let call = PaneCall {
            pane: pane.clone(),
            name: "web-1:0.0".into(),
            since: at(70),
            why: "it prints: build failed".into(),
        };
        let world = Snapshot { calls: vec![call], ..snapshot() };
        let queue = world.urgent(&[row(2, false)], None, at(100));
        let at = queue.iter().position(|urgent| urgent.need == Need::Pane(pane.clone(), "web-1:0.0".into()));
        let at = at.expect("it is there");
        assert_eq!(queue[at].reason, "pane web-1:0.0 calls (30m): it prints: build failed");
        assert_eq!(queue[at - 1].need, Need::Check("soso".parse().expect("an id")), "that is a warning for longer");
        assert!(matches!(queue[at + 1].need, Need::Message(_)));
    }

    #[test]
    fn what_is_wrong_is_listed_in_the_order_it_is_gone_through() {
        let world = snapshot();
        let listed: Vec<Need> = world.troubles(at(100)).into_iter().map(|trouble| trouble.need).collect();
        let round: Vec<Need> = world.urgent(&[], None, at(100)).into_iter().map(|urgent| urgent.need).collect();
        assert_eq!(listed[..round.len()], round, "what is only worth knowing comes after them");
    }

    #[test]
    fn the_order_is_the_one_that_is_told() {
        let mut read = row(1, true);
        read.marks.read = Some(at(2));
        let rows = [row(3, false), row(50, true), read, row(86, true), row(2, false)];
        let queue = snapshot().urgent(&rows, None, at(100));
        let shown: Vec<String> = queue.iter().map(|urgent| urgent.reason.chars().take(24).collect()).collect();
        let expected = [
            "the store cannot write: ",
            "search is not running: i",
            "check long is critical (",
            "check late is critical (",
            "VIP waiting 50m: Ann: Wh",
            "VIP waiting 10m: Ann: Wh",
            "check soso is warn (1h)",
            "waiting 1h: Ann: Where?",
            "waiting 1h: Ann: Where?",
        ];
        assert_eq!(shown, expected);
        assert_eq!(queue[7].need, Need::Message(row(2, false).id), "the longest waiting first");
        assert_eq!(queue[2].need, Need::Check("long".parse().expect("an id")));
    }

    proptest! {
        #[test]
        fn the_order_does_not_depend_on_how_messages_come(mut rows in Just((0..20).map(|n| row(n, n % 3 == 0)).collect::<Vec<_>>()).prop_shuffle()) {
            let shuffled = snapshot().urgent(&rows, None, at(100));
            rows.sort_by_key(|row| row.seq);
            prop_assert_eq!(shuffled, snapshot().urgent(&rows, None, at(100)));
        }
    }
}
