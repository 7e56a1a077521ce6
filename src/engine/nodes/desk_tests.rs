//! What the desk makes of what other nodes say.

use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::federation::Me;
use crate::model::{BootId, ChainHash, EpochId, Hlc, Origin, PinnedKey, SharedId};
use crate::protocol::{FEDERATION_VERSION, SEES_MAX};
use crate::store::Quarantine;

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

fn me() -> Me {
    let boot = BootId::from_uuid(Uuid::from_u128(1));
    Me { name: name("hub-1"), boot, started: at(0).wall, program: "1".into() }
}

pub(in super::super) fn desk(nodes: Vec<KnownNode>) -> Desk {
    let mut desk = Desk::new(name("hub-1"), Membership::new(me(), 7, at(0)), log("hub-1"));
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

fn new(desk: &mut Desk, from: &str, sees: Vec<Seen>) -> Vec<KnownNode> {
    let mut beat = beat(from, sees);
    if !desk.hear(&name(from), &mut beat, at(1)) {
        return Vec::new();
    }
    let words = desk.words(&name(from), &beat, at(1)).into_iter();
    let new = words.filter_map(|(_, word)| if let Word::New(node) = word { Some(node) } else { None });
    new.collect()
}

#[test]
fn only_a_node_that_is_believed_vouches() {
    let mut desk = desk(vec![
        known("hub-2", Trust::Report, 2, None),
        known("hub-3", Trust::Observe, 3, None),
        known("far", Trust::Report, 9, Some("hub-2")),
    ]);
    let brought = new(&mut desk, "hub-2", vec![seen("new", &[7]), seen("hub-1", &[8]), seen("none", &[])]);
    let names: Vec<_> = brought.iter().map(|node| (node.name.as_str(), node.trust, node.via.clone())).collect();
    assert_eq!(names, [("new", Trust::Report, Some(name("hub-2")))]);
    for from in ["hub-3", "far", "stranger"] {
        assert!(new(&mut desk, from, vec![seen("new", &[7])]).is_empty(), "{from}");
    }
    desk.removed.insert(name("new"));
    assert!(new(&mut desk, "hub-2", vec![seen("new", &[7])]).is_empty(), "an operator has removed it");
    let keys: Vec<u8> = (0..200).collect();
    assert!(new(&mut desk, "hub-2", vec![seen("other", &[7]), seen("fat", &keys)]).is_empty(), "two keys at most");
}

#[test]
fn another_key_of_a_third_node_is_shown_and_quarantines_nobody() {
    let (two, three) = (known("hub-2", Trust::Report, 2, None), known("hub-3", Trust::Report, 3, None));
    let mut desk = desk(vec![two, three]);
    let mut said = beat("hub-2", vec![seen("hub-3", &[4]), seen("hub-1", &[1])]);
    assert!(!desk.hear(&name("hub-2"), &mut said, at(1)));
    assert_eq!(said.sees, [seen("hub-1", &[1])], "how hub-3 stands is not taken from it, either");
    let disputed = BTreeSet::from([(name("hub-3"), name("hub-2"))]);
    assert_eq!((&desk.disputed, desk.todo.len()), (&disputed, 0));
    let panel = desk.panel(&name("hub-3"), at(1));
    assert_eq!(panel.why.as_deref(), Some("hub-2 names another key of it than is pinned here"));
    desk.hear(&name("hub-2"), &mut beat("hub-2", vec![seen("hub-3", &[4, 3])]), at(2));
    assert!(desk.disputed.is_empty(), "they agree again");
}

#[test]
fn a_relay_in_quarantine_takes_those_with_it_whom_it_vouched_for() {
    let (two, far) = (known("hub-2", Trust::Report, 2, None), known("far", Trust::Report, 9, Some("hub-2")));
    let mut desk = desk(vec![two.clone(), far.clone(), known("hub-3", Trust::Report, 3, None)]);
    let follows = |desk: &Desk, node: &str| desk.sync.standing(&name(node), at(1).mono).is_some();
    assert!(follows(&desk, "far"));
    desk.sync.add_peer(name("hub-2"));
    desk.sync.reachable(&name("hub-2"), true);
    desk.sync.offered(&name("hub-2"), &name("hub-3"), None, 9, at(1).mono);
    let named = |desk: &mut Desk| {
        let beat = desk.beat(&name("hub-3"), Vec::new(), at(1));
        beat.sees.into_iter().filter(|seen| !seen.keys.is_empty()).map(|seen| seen.node.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(named(&mut desk), ["far", "hub-2", "hub-3"]);
    let quarantine = Some(Quarantine { since: at(1).wall, why: "it lied".into() });
    let nodes = vec![KnownNode { quarantine, ..two }, far, known("hub-3", Trust::Report, 3, None)];
    desk.replace(nodes, BTreeMap::new(), at(1));
    assert!(!follows(&desk, "far") && !follows(&desk, "hub-2") && follows(&desk, "hub-3"));
    desk.sync.offered(&name("hub-2"), &name("hub-3"), None, 9, at(1).mono);
    assert!(desk.sync.next(at(1).mono).is_empty(), "it is asked for no log of others");
    let why = desk.panel(&name("far"), at(1)).why.expect("a reason");
    assert!(why.contains("by the word of hub-2 alone"), "{why}");
    desk.members = Membership::new(me(), 7, at(0));
    desk.replace(desk.known.values().cloned().collect(), BTreeMap::new(), at(1));
    assert_eq!(named(&mut desk), ["hub-3"], "nobody is vouched for of whom nothing counts here");
}

#[test]
fn the_fullest_heartbeat_is_one_that_others_take() {
    let long = |n: usize| format!("{n:0>63}");
    let pinned = |byte, until| PinnedKey { key: key(byte), since: at(0).wall, until };
    let node = |n: usize| KnownNode {
        keys: vec![pinned(1, None), pinned(2, Some(at(900).wall)), pinned(3, Some(at(900).wall))],
        ..known(&long(n), Trust::Report, 1, None)
    };
    let mut desk = desk((0..=SEES_MAX).map(node).collect());
    for n in 0..=SEES_MAX {
        let origin = Origin { node: name(&long(n)), epoch: EpochId::from_uuid(Uuid::from_u128(u128::MAX)) };
        let end = LogEnd { origin, seq: u64::MAX >> 1, hash: ChainHash::BEGINNING };
        desk.held.insert(end.origin.node.clone(), Held { end, missing: 0 });
    }
    let last = name(&long(SEES_MAX));
    let beat = desk.beat(&last, vec![key(1), key(2)], at(1));
    assert!(beat.whole && beat.sees.len() == SEES_MAX && beat.sees.iter().any(|seen| seen.node == last));
    assert!(beat.sees.iter().all(|seen| seen.keys == [key(1), key(2)]), "two keys of each");
    let bytes = serde_json::to_vec(&beat).expect("JSON").len();
    assert!(bytes < 250 << 10, "{bytes}");
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

fn all_due(desk: &mut Desk, now: Now) -> Vec<String> {
    take_due(desk, now).into_iter().map(|(subject, told)| format!("{} {subject}", told.node)).collect()
}

#[test]
fn a_node_whose_clock_is_far_ahead_is_not_told_of_and_tells_of_itself() {
    let mut desk = desk(vec![known("hub-2", Trust::Report, 2, None)]);
    let ahead = entry(1, SharedKind::Incident, &wrong("critical", at(1)), at(9_000));
    let end = LogEnd { origin: log("hub-2").origin, seq: 1, hash: ChainHash::BEGINNING };
    desk.applied(end, 0, std::slice::from_ref(&ahead), at(110));
    assert!(all_due(&mut desk, at(110)).is_empty(), "nobody knows how old it is");
    desk.wrote(desk.own.origin.epoch, &[ahead], at(110));
    assert_eq!(all_due(&mut desk, at(110)), ["hub-1 web"]);
}

#[test]
fn incidents_of_a_node_are_bounded_and_go_with_it_and_with_the_life_of_its_log() {
    let mut desk = desk(vec![known("hub-2", Trust::Report, 2, None)]);
    let end = |life, seq| LogEnd {
        origin: Origin { node: name("hub-2"), epoch: EpochId::from_uuid(Uuid::from_u128(life)) },
        seq,
        hash: ChainHash::BEGINNING,
    };
    let critical = |n: u64, subject: String| SharedEvent {
        subject,
        ..entry(n, SharedKind::Incident, &wrong("critical", at(n)), at(5_000))
    };
    for n in 1..2_000 {
        desk.applied(end(1, n), 0, &[critical(n, "web".into())], at(5_000));
    }
    assert_eq!(all_due(&mut desk, at(5_000)), ["hub-2 web"], "the last of them");
    for n in 2_000..4_000 {
        desk.applied(end(1, n), 0, &[critical(n, n.to_string())], at(5_000));
    }
    assert_eq!(all_due(&mut desk, at(5_000)).len(), crate::protocol::REMOTE_STATES - 1);
    desk.applied(end(2, 1), 0, &[critical(1, "mail".into())], at(5_001));
    assert_eq!(all_due(&mut desk, at(5_001)), ["hub-2 mail"], "what the life before said counts no longer");
    desk.applied(end(2, 2), 0, &[critical(2, "disk".into())], at(5_001));
    desk.replace(vec![known("hub-2", Trust::Observe, 2, None)], BTreeMap::new(), at(5_002));
    assert!(all_due(&mut desk, at(9_000)).is_empty(), "it is not believed any more");
}

#[test]
fn the_own_log_ends_where_it_ends_whoever_says_so_last() {
    let mut desk = desk(Vec::new());
    let life = desk.own.origin.epoch;
    for seq in [11, 10] {
        desk.wrote(life, &[entry(seq, SharedKind::Check, &(), at(seq))], at(12));
    }
    assert_eq!(desk.own.high, 11);
    let other = || SharedLog {
        origin: Origin { node: name("hub-1"), epoch: EpochId::from_uuid(Uuid::from_u128(2)) },
        ..log("hub-1")
    };
    assert!(desk.lives(other()) && !desk.lives(other()));
    desk.wrote(life, &[entry(12, SharedKind::Check, &(), at(13))], at(13));
    assert_eq!(desk.own.high, 0, "that was in the life before");
}
