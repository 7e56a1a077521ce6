//! A small world for the tests of the screen: two channels, three checks, two tasks, three messages.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Theme;
use crate::model::{
    AgentCard, Approval, ApprovalId, ApprovalState, Argument, ArgumentKind, Assurance, Attachment, Attempt, AuditEntry,
    AuditKind, AuditNote, ChannelPanel, CheckPanel, CheckState, Class, CommandTemplate, ContactId, ConversationId,
    ConversationList, ConversationRow, End, Event, EventId, EventState, HostPanel, HostSelector, Identity, Job, JobId,
    JobState, LayerKind, LayerPanel, LayerState, Marks, Message, MessageId, MessageRow, Outcome, Place, Plan,
    ProviderKind, RecognisedBy, Risk, Role, Shape, TaskState, TaskStatus, Vote,
};
use crate::protocol::{BridgePanel, Link, Reply, Snapshot, Update};

use super::app::App;
use super::ladder::ColourMode;
use super::msg::{Cmd, Msg, Purpose};
use super::styles::Look;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("in range")
}

fn uuid(n: i64) -> uuid::Uuid {
    uuid::Uuid::from_u128((0x01a1_fbc1_5350_7181 << 64) | u128::from(n.unsigned_abs()))
}

/// An unread message received `n` minutes after the beginning, by a contact of its own unless `n` is 1.
pub(super) fn row(n: i64, vip: bool) -> MessageRow {
    MessageRow {
        seq: n,
        id: MessageId::from_uuid(uuid(n)),
        channel: "mail".parse().expect("an id"),
        kind: "note".into(),
        contact: (n != 1).then(|| ContactId::from_uuid(uuid(n))),
        from: format!("Sender {n}"),
        vip,
        subject: format!("Subject {n}"),
        preview: String::new(),
        received: at(-6_000 + 60 * n),
        marks: Marks::default(),
    }
}

pub(super) fn check(id: &str, state: CheckState) -> CheckPanel {
    CheckPanel {
        cause: (state != CheckState::Ok).then(|| "status == 200: got 503".into()),
        last: Some(at(-5)),
        ..CheckPanel::sample(id, state, at(-720))
    }
}

pub(super) fn task(name: &str, state: TaskState) -> TaskStatus {
    TaskStatus {
        name: name.into(),
        state,
        since: at(-300),
        restarts: 0,
        last_error: (state == TaskState::Waiting).then(|| "address in use".into()),
        next_try: None,
        trouble: None,
    }
}

fn channel(id: &str) -> ChannelPanel {
    ChannelPanel { events: 3, unread_vip: 1, unread: 2, ..ChannelPanel::sample(id, ProviderKind::Standard) }
}

fn event(row: &MessageRow) -> Event {
    Event {
        seq: row.seq,
        id: EventId::from_uuid(*row.id.as_uuid()),
        channel: row.channel.clone(),
        kind: row.kind.clone(),
        time: row.received,
        received: row.received,
        subject: Some(row.subject.clone()),
        dedupe_key: String::new(),
        assurance: Assurance::Body,
        state: EventState::Projected,
        cause: None,
    }
}

/// Nothing at all is there yet.
pub(super) fn empty() -> Snapshot {
    Snapshot::sample(at(0))
}

/// A little of everything.
pub(super) fn snapshot() -> Snapshot {
    let inbox = vec![row(3, false), row(2, true), row(1, false)];
    let mut events: Vec<Event> = inbox.iter().map(event).collect();
    events[2].cause = Some("not understood".into());
    Snapshot {
        channels: vec![channel("mail"), channel("shop")],
        checks: vec![check("api", CheckState::Ok), check("tls", CheckState::Warn), check("web", CheckState::Critical)],
        tasks: vec![task("listener 127.0.0.1:9296", TaskState::Running), task("search", TaskState::Waiting)],
        inbox,
        events,
        ..empty()
    }
}

/// The same with three hosts, five jobs, two approvals and what was written down of them.
pub(super) fn with_bridge() -> Snapshot {
    Snapshot { bridge: bridge(), ..snapshot() }
}

pub(super) fn job_id(n: i64) -> JobId {
    JobId::from_uuid(uuid(n))
}

pub(super) fn approval_id(n: i64) -> ApprovalId {
    ApprovalId::from_uuid(uuid(n))
}

fn host(name: &str, label: &str, layers: &[(LayerKind, LayerState, &str)]) -> HostPanel {
    let layer = |(kind, state, why): &(LayerKind, LayerState, &str)| LayerPanel {
        kind: *kind,
        state: state.clone(),
        since: at(-300),
        rtt: (*state == LayerState::Up).then(|| Duration::from_millis(38)),
        last_good: Some(at(-5)),
        why: (*why).into(),
        flaps: 0,
    };
    HostPanel {
        name: name.parse().expect("a name"),
        labels: vec![label.parse().expect("a label")],
        active: layers.iter().find(|(_, state, _)| *state == LayerState::Up).map(|(kind, ..)| *kind),
        layers: layers.iter().map(layer).collect(),
        running: 1,
        queued: 0,
        agent: Some(AgentCard { version: "0.1.0".into(), lost: Vec::new(), skew_ms: 12, load_percent: Some(42) }),
    }
}

pub(super) fn command(name: &str, on: &str, risk: Risk) -> CommandTemplate {
    let words = ["mail", "shop"].map(str::to_owned).to_vec();
    let argument = Argument {
        name: "name".into(),
        kind: ArgumentKind::OneOf(words),
        default: None,
        max_len: 64,
        shape: Shape::Word,
    };
    CommandTemplate {
        name: name.parse().expect("a name"),
        about: Some(format!("what {name} does")),
        hosts: vec![HostSelector::Label(on.parse().expect("a label"))],
        argv: vec!["/usr/bin/systemctl".into(), "restart".into(), "{name}".into()],
        keys: None,
        args: if risk == Risk::Low { Vec::new() } else { vec![argument] },
        cwd: None,
        env: BTreeMap::new(),
        timeout: Duration::from_secs(30),
        risk,
        class: Class::AtMostOnce,
        weakest_layer: None,
        at_once: None,
        rollback: None,
        checks: Vec::new(),
    }
}

pub(super) fn plan(host: &str) -> Plan {
    Plan {
        args: BTreeMap::from([("name".to_owned(), "mail".to_owned())]),
        ..Plan::sample(host, "restart", &["/usr/bin/systemctl", "restart", "mail"])
    }
}

pub(super) fn job(n: i64, host: &str, state: JobState) -> Job {
    let by = "ben".parse().expect("a name");
    Job {
        ended: state.outcome().map(|_| at(-30)),
        state,
        layer: Some(LayerKind::Tmux),
        attempts: vec![Attempt { layer: LayerKind::Tmux, at: at(-60), what: "accepted".into() }],
        started: Some(at(-50)),
        ..Job::new(job_id(n), plan(host), Risk::High, by, at(-600 + n), SignedDuration::from_secs(660 - n))
    }
}

fn approval(n: i64, state: ApprovalState) -> Approval {
    let plan = plan("web-2");
    Approval {
        id: approval_id(n),
        jobs: vec![job_id(4)],
        rollout: None,
        hash: plan.hash(),
        plans: vec![plan],
        risk: Risk::Critical,
        by: "ben".parse().expect("a name"),
        asked: at(-120),
        expires: at(600),
        need: 2,
        votes: vec![Vote { by: "cora".parse().expect("a name"), yes: true, at: at(-60), note: Some("fine".into()) }],
        state,
    }
}

pub(super) fn bridge() -> BridgePanel {
    use LayerKind::{Exec, Socket, Tmux};
    use LayerState::{Down, Up};
    let refused = "connect: connection refused; is `aurora agent` running?";
    let ended = JobState::Ended;
    let jobs = [
        job(5, "web-1", JobState::Running),
        job(4, "web-2", JobState::AwaitingApproval(approval_id(1))),
        job(3, "db-1", ended(Outcome::Unknown { reason: "the host restarted while it ran".into() })),
        job(2, "web-1", ended(Outcome::Done(End::Exit(3)))),
        job(1, "web-1", ended(Outcome::Done(End::Exit(0)))),
    ];
    let entry = |seq: u64, kind: AuditKind, about: String| AuditEntry {
        seq,
        note: AuditNote {
            at: at(-60),
            by: Some("ben".parse().expect("a name")),
            kind,
            about,
            what: "restart on web-1".into(),
        },
        hash: "0".repeat(64),
    };
    BridgePanel {
        hosts: vec![
            host("db-1", "db", &[(Tmux, Down, "connect: no route to host"), (Exec, Down, "connect: no route to host")]),
            host("web-1", "web", &[(Socket, Down, refused), (Tmux, Up, ""), (Exec, Up, "")]),
            host("web-2", "web", &[(Socket, Up, ""), (Tmux, Up, "")]),
        ],
        commands: vec![
            command("deploy", "web", Risk::Critical),
            command("restart", "web", Risk::High),
            command("uptime", "web", Risk::Low),
        ],
        jobs: jobs.iter().map(Job::row).collect(),
        rollouts: Vec::new(),
        approvals: vec![approval(2, ApprovalState::Granted), approval(1, ApprovalState::Open)],
        audit: vec![
            entry(3, AuditKind::Held, approval_id(1).to_string()),
            entry(2, AuditKind::Delivered, job_id(5).to_string()),
            entry(1, AuditKind::Requested, job_id(5).to_string()),
        ],
    }
}

pub(super) fn identity(role: Role) -> Identity {
    Identity { operator: "anna".parse().expect("a name"), role, scopes: None, by: RecognisedBy::Nobody }
}

/// A screen of 80x24 that has heard `snapshot` and who it is.
pub(super) fn app(snapshot: Snapshot, role: Role, read_only: bool) -> App {
    let theme = Theme::built_in("terminal").expect("a theme");
    let look = Look::new(&theme, ColourMode::None, false);
    let mut app = App::new(look, (80, 24), Link::Embedded, read_only, at(0));
    let rows: Vec<ConversationRow> = snapshot.inbox.iter().map(conversation).collect();
    for command in app.update(Msg::Update(Update::Snapshot(Box::new(snapshot))), at(0)) {
        if let Cmd::Ask(purpose @ Purpose::Rows(_), _) = command {
            app.update(
                Msg::Reply(purpose, Ok(Reply::Conversations(ConversationList { rows: rows.clone(), partly: false }))),
                at(0),
            );
        }
    }
    app.update(Msg::Reply(Purpose::Who, Ok(Reply::Identity(identity(role)))), at(0));
    app
}

/// The message of `row` in full, with a file where its number is even.
/// The conversation that holds `row` alone.
pub(super) fn conversation(row: &MessageRow) -> ConversationRow {
    ConversationRow {
        id: ConversationId::from_uuid(uuid(row.seq)),
        place: Place { tier: if row.marks.read.is_none() { 2 } else { 1 }, seq: row.seq, n: row.seq },
        channel: row.channel.clone(),
        newest: row.id,
        kind: row.kind.clone(),
        contact: row.contact,
        from: row.from.clone(),
        vip: row.vip,
        subject: row.subject.clone(),
        preview: row.preview.clone(),
        received: row.received,
        messages: 1,
        unread: u64::from(row.marks.read.is_none()),
        acked: row.marks.acked,
        acked_by: row.marks.acked_by.clone(),
        labels: Vec::new(),
        assignee: None,
        snoozed: None,
        notes: 0,
        repeats: None,
        addresses: 1,
    }
}

pub(super) fn message(row: MessageRow) -> Box<Message> {
    let files = (row.seq % 2 == 0).then(|| Attachment { name: "a.pdf".into(), ..Attachment::default() });
    Box::new(Message {
        conversation: ConversationId::from_uuid(uuid(row.seq)),
        row,
        address: None,
        text: "one\ntwo".into(),
        attachments: files.into_iter().collect(),
        headers: Vec::new(),
        raw: String::new(),
        raw_len: 0,
    })
}
