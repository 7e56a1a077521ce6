//! What the desk makes of what other nodes say.

use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::federation::Me;
use crate::model::{BootId, ChainHash, EpochId, Origin, SharedId};
use crate::protocol::FEDERATION_VERSION;

use super::*;

fn at(seconds: u64) -> Now {
    let wall = Timestamp::from_second(1_700_000_000).expect("in range") + Duration::from_secs(seconds);
    Now { mono: Duration::from_secs(seconds), wall }
}

fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}

fn key(byte: u8) -> NodeKey {
    NodeKey::from_bytes([byte; 32])
}

fn log(node: &str) -> SharedLog {
    SharedLog {
        origin: Origin { node: name(node), epoch: EpochId::from_uuid(Uuid::from_u128(1)) },
        own: true,
        low: 1,
        before: ChainHash::BEGINNING,
        high: 0,
        hash: ChainHash::BEGINNING,
        hlc: Hlc::default(),
        hops: 0,
        missing: 0,
        bytes: 0,
    }
}

fn known(node: &str, trust: Trust, byte: u8, via: Option<&str>) -> KnownNode {
    KnownNode {
        name: name(node),
        url: None,
        pin: None,
        via: via.map(name),
        trust,
        configured: false,
        added: at(0).wall,
        keys: vec![PinnedKey { key: key(byte), since: at(0).wall, until: None }],
        quarantine: None,
    }
}

fn desk(nodes: Vec<KnownNode>) -> Desk {
    let me = Me {
        name: name("hub-1"),
        boot: BootId::from_uuid(Uuid::from_u128(1)),
        started: at(0).wall,
        program: "1".into(),
    };
    let mut desk = Desk::new(name("hub-1"), Membership::new(me, 7, at(0)), log("hub-1"));
    desk.replace(nodes, BTreeMap::new(), at(0));
    desk
}

fn seen(node: &str, keys: &[u8]) -> Seen {
    Seen {
        node: name(node),
        state: NodeState::Alive,
        incarnation: 0,
        heard_ms: Some(100),
        epoch: None,
        held: 0,
        direct: true,
        keys: keys.iter().map(|byte| key(*byte)).collect(),
    }
}

fn beat(node: &str, sees: Vec<Seen>) -> Beat {
    Beat {
        version: FEDERATION_VERSION,
        node: name(node),
        boot: BootId::from_uuid(Uuid::from_u128(2)),
        started: at(0).wall,
        number: 1,
        incarnation: 0,
        epoch: EpochId::from_uuid(Uuid::from_u128(2)),
        high: 0,
        sent: at(0).wall,
        hlc: Hlc::default(),
        slowness: 0,
        program: "1".into(),
        leaving: false,
        whole: true,
        sees,
        keys: vec![key(2)],
    }
}

#[test]
fn only_a_node_that_is_believed_vouches_and_nobody_for_another_key_than_is_pinned() {
    let mut desk = desk(vec![
        known("hub-2", Trust::Report, 2, None),
        known("hub-3", Trust::Observe, 3, None),
        known("far", Trust::Report, 9, Some("hub-2")),
    ]);
    let hear = |desk: &mut Desk, from: &str, sees| desk.hear(&name(from), &beat(from, sees), at(1));
    let new = hear(&mut desk, "hub-2", vec![seen("new", &[7]), seen("hub-1", &[8]), seen("none", &[])]);
    let names: Vec<_> = new.vouched.iter().map(|node| (node.name.to_string(), node.trust, node.via.clone())).collect();
    assert_eq!(names, [("new".to_owned(), Trust::Report, Some(name("hub-2")))]);
    assert!(hear(&mut desk, "hub-3", vec![seen("new", &[7])]).vouched.is_empty());
    assert!(hear(&mut desk, "stranger", vec![seen("new", &[7])]).vouched.is_empty());
    desk.removed.insert(name("new"));
    assert!(hear(&mut desk, "hub-2", vec![seen("new", &[7])]).vouched.is_empty(), "an operator has removed it");

    let other = hear(&mut desk, "hub-2", vec![seen("hub-3", &[4])]);
    assert!(other.untrue.expect("a lie").contains("hub-3"));
    let changed = hear(&mut desk, "hub-2", vec![seen("far", &[10, 9])]);
    assert_eq!(changed.rekeyed.iter().map(|node| node.keys.len()).collect::<Vec<_>>(), [2]);
    let not_alone = hear(&mut desk, "hub-2", vec![seen("hub-3", &[10, 3])]);
    assert!(not_alone.rekeyed.is_empty() && not_alone.untrue.is_none(), "it says itself which keys it has");
}

fn entry(seq: u64, kind: SharedKind, body: &impl serde::Serialize, now: Now) -> SharedEvent {
    SharedEvent {
        id: SharedId::from_uuid(Uuid::from_u128(u128::from(seq))),
        seq,
        hlc: Hlc::default().next(now.wall),
        kind,
        subject: "web".into(),
        body: to_raw_value(body).expect("JSON"),
        hash: ChainHash::BEGINNING,
    }
}

fn wrong(state: &str, since: Now) -> serde_json::Value {
    serde_json::json!({"state": state, "since": since.wall, "cause": null})
}

fn take_due(desk: &mut Desk, now: Now) -> Vec<(String, ToldBody)> {
    desk.incidents.take_due(now.mono)
}

#[test]
fn an_incident_is_told_of_once_and_not_when_it_is_old_or_over() {
    let mut desk = desk(vec![known("hub-2", Trust::Report, 2, None)]);
    let end = |seq| LogEnd { origin: log("hub-2").origin, seq, hash: ChainHash::BEGINNING };
    // Only this node is alive, so it is the first in every order.
    desk.applied(end(1), 0, &[entry(1, SharedKind::Incident, &wrong("critical", at(109)), at(109))], at(110));
    let due = take_due(&mut desk, at(110));
    assert_eq!(
        due.iter().map(|(subject, told)| (subject.as_str(), told.node.as_str())).collect::<Vec<_>>(),
        [("web", "hub-2")]
    );
    assert!(take_due(&mut desk, at(111)).is_empty());

    desk.applied(end(2), 0, &[entry(2, SharedKind::Incident, &wrong("critical", at(120)), at(120))], at(1_000));
    assert!(take_due(&mut desk, at(1_000)).is_empty(), "it was old when it came");

    let both = [
        entry(3, SharedKind::Incident, &wrong("critical", at(1_001)), at(1_001)),
        entry(4, SharedKind::Incident, &wrong("ok", at(1_002)), at(1_002)),
    ];
    desk.applied(end(4), 0, &both, at(1_002));
    assert!(take_due(&mut desk, at(1_002)).is_empty(), "it was over before anybody was told");

    let told = ToldBody { node: name("hub-2"), since: at(1_003).wall, common: false };
    desk.applied(end(5), 0, &[entry(5, SharedKind::Told, &told, at(1_003))], at(1_003));
    desk.applied(end(6), 0, &[entry(6, SharedKind::Incident, &wrong("critical", at(1_003)), at(1_003))], at(1_004));
    assert!(take_due(&mut desk, at(1_004)).is_empty(), "another node has told");
}
