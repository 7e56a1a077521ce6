//! A small world for the tests of the screen: two channels, three checks, two tasks, three messages.

use jiff::Timestamp;

use crate::config::Theme;
use crate::model::{
    Assurance, Attachment, ChannelPanel, ChannelState, CheckPanel, CheckState, ContactId, ConversationId,
    ConversationList, ConversationRow, Event, EventId, EventState, Identity, KeyOverrides, Marks, Message, MessageId,
    MessageRow, Place, ProviderKind, RecognisedBy, Role, TaskState, TaskStatus,
};
use crate::protocol::{ConfigStatus, Link, Reply, Snapshot, Update};

use super::app::{App, Cmd, Msg, Purpose};
use super::ladder::ColourMode;
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
    ChannelPanel {
        id: id.parse().expect("an id"),
        provider: ProviderKind::Standard,
        state: ChannelState::Listening,
        urls: Vec::new(),
        events: 3,
        unread_vip: 1,
        unread: 2,
        per_minute: 0,
        last_event: None,
        rejected: 0,
        last_error: None,
    }
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
    Snapshot {
        node: "hub-1".into(),
        version: "0".into(),
        state_dir: "/var/lib/aurora".into(),
        started: at(-7_200),
        at: at(0),
        config: ConfigStatus {
            loaded: at(-7_200),
            source: "<defaults>".into(),
            theme: "terminal".into(),
            keys: KeyOverrides::new(),
            last_change: Vec::new(),
            last_error: None,
        },
        store: None,
        clients: 1,
        channels: Vec::new(),
        checks: Vec::new(),
        isolated: None,
        tasks: Vec::new(),
        inbox: Vec::new(),
        events: Vec::new(),
        rejections: Vec::new(),
        logs: Vec::new(),
        dead_letters: 0,
        bridge: crate::protocol::BridgePanel::default(),
        up_to: 0,
    }
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
