//! The shapes of what an engine sends, by the names of their fields: a shape that changes is another version.

use std::collections::BTreeSet;
use std::time::Duration;

use aurora::model::{
    ContactId, ConversationId, ConversationRow, Count, DeskChange, Marks, MessageId, PaneAddress, PaneId, Place,
    Repeats, Snooze, StoreFault, StoreTrouble,
};
use aurora::protocol::{ConfigFault, FromEngine, Notice, PaneCall, Snapshot, VERSION};
use serde_json::Value;

use crate::golden::{at, snapshot};

/// A snapshot in which nothing is left out.
fn whole() -> Snapshot {
    let mut whole = snapshot();
    let (place, what, shown) = (Some("c.toml:1:1".into()), "wrong".into(), "wrong".into());
    whole.config.last_error = Some(ConfigFault { at: at(0), place, what, shown });
    whole.config.keys.entry("inbox".into()).or_default().insert("ack".into(), vec!["x".into()]);
    whole.store = Some(StoreTrouble { since: at(0), fault: StoreFault::DiskFull, detail: "full".into() });
    whole.isolated = Some(at(0));
    let pane = PaneAddress { host: "web-1".parse().expect("a name"), pane: PaneId { server: 7, number: 3 } };
    whole.calls = vec![PaneCall { pane, name: "web-1:0.1".into(), since: at(0), why: "it prints".into() }];
    whole.events[0].cause = Some("not understood".into());
    for check in &mut whole.checks {
        check.latency = Some(Duration::from_millis(1));
    }
    whole
}

/// A conversation in which nothing is left out.
fn conversation() -> ConversationRow {
    ConversationRow {
        id: ConversationId::from_uuid(uuid::Uuid::nil()),
        place: Place { tier: 2, seq: 1, n: 1 },
        channel: "github".parse().expect("an id"),
        newest: MessageId::from_uuid(uuid::Uuid::nil()),
        kind: "note".into(),
        contact: Some(ContactId::from_uuid(uuid::Uuid::nil())),
        from: "Ann".into(),
        vip: true,
        subject: "Pots".into(),
        preview: "Two".into(),
        received: at(0),
        messages: 1,
        unread: 1,
        acked: Some(at(0)),
        acked_by: Some("otto".into()),
        labels: vec!["urgent".parse().expect("a label")],
        assignee: Some("otto".parse().expect("a name")),
        snoozed: Some(Snooze::Reply),
        notes: 1,
        repeats: Some(Repeats { count: Count { n: 2, more: false }, first: at(0), last: at(0) }),
        addresses: 1,
    }
}

fn notices(whole: Snapshot) -> Vec<Notice> {
    let contact = ContactId::from_uuid(uuid::Uuid::nil());
    vec![
        Notice::Arrived {
            rows: whole.inbox,
            conversations: vec![conversation()],
            events: whole.events,
            omitted: 0,
            dead_letters: 0,
            up_to: 0,
        },
        Notice::Channels(whole.channels),
        Notice::Checks(whole.checks.clone()),
        Notice::AllChecks(whole.checks),
        Notice::Isolated(whole.isolated),
        Notice::Acted(Box::new(DeskChange {
            by: "otto".into(),
            conversations: vec![conversation()],
            marks: vec![(1, Marks::default())],
            omitted: 0,
        })),
        Notice::Views,
        Notice::Vip { contact, vip: true },
        Notice::Calls(whole.calls),
        Notice::Task(whole.tasks[0].clone()),
        Notice::Rejected(whole.rejections),
        Notice::Log(whole.logs[0].clone()),
        Notice::Clients(1),
        Notice::Stopping,
    ]
}

/// Every field below `value`, with the way to it.
fn fields(way: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                fields(&format!("{way}.{name}"), value, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                fields(&format!("{way}[]"), item, found);
            }
        }
        // A unit variant is its name.
        Value::String(name) if way == "notice" => drop(found.insert(format!("{way}.{name}"))),
        _ => drop(found.insert(way.to_owned())),
    }
}

/// When this fails a client of the version before would misread what it gets: raise `VERSION`, then take the new
/// snapshot.
#[test]
fn the_shapes_are_those_of_their_version() {
    let mut found = BTreeSet::new();
    let frames = notices(whole()).into_iter().map(FromEngine::Notice);
    for frame in frames.chain([FromEngine::Snapshot(Box::new(whole()))]) {
        let frame = serde_json::to_value(frame).expect("JSON");
        for (kind, value) in frame.as_object().expect("a frame") {
            fields(kind, value, &mut found);
        }
    }
    let shapes: Vec<String> = found.into_iter().collect();
    insta::assert_snapshot!(format!("version_{VERSION}"), shapes.join("\n"));
}
