//! The engine as a state machine: inputs in, effects and snapshots out.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::config;
use crate::model::{
    Act, ActId, AuditKind, KeyOverrides, Marks, MessageRow, Role, StoreTrouble, TaskStatus, Token, TokenHash, TokenId,
};
use crate::protocol::{
    BridgePanel, ClientId, ConfigFault, NodesPanel, Notice, Refusal, Reply, Request, RequestId, Snapshot, Update,
};
use crate::store::{DeskWork, Projected, Unread};

use super::access::{Access, Owner};
use super::panels::Panels;
use super::panes::PaneOutlet;
use super::state::{Beginning, Engine, INBOX};
use super::{Aftermath, Credential, Effect, Input, Occasion, Taken, TokenEffect, TurnedAway};

const OWNER: Credential = Credential::Local { uid: 1000, ssh_key: None };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("in range")
}

fn row(seq: i64) -> MessageRow {
    let id = uuid::Uuid::from_u128(u128::try_from(seq).expect("positive"));
    MessageRow {
        seq,
        id: crate::model::MessageId::from_uuid(id),
        channel: "github".parse().expect("an id"),
        kind: "note".into(),
        contact: None,
        from: "ann".into(),
        vip: false,
        subject: format!("s{seq}"),
        preview: String::new(),
        received: at(seq),
        marks: Marks::default(),
    }
}

fn name(text: &str) -> crate::model::OperatorName {
    text.parse().expect("a name")
}

/// A viewer's token that counts until second 10.
fn token() -> Token {
    Token {
        id: TokenId::from_uuid(uuid::Uuid::from_u128(1)),
        operator: name("ci"),
        role: Role::Viewer,
        configured: false,
        scopes: None,
        created: at(0),
        expires: Some(at(10)),
        used: None,
    }
}

fn engine() -> Engine {
    let operators = "[operators.vera]\nrole = \"viewer\"\nunix = 1001\n";
    let config = config::parse(operators, None).expect("no mistake");
    let (_, inputs) = mpsc::channel(1);
    let panels = Panels::new(&config, &HashMap::new());
    Engine::new(
        inputs,
        Beginning {
            node: "test".into(),
            state_dir: "/nowhere".into(),
            now: at(0),
            source: "test.toml".into(),
            theme: "terminal".into(),
            keys: KeyOverrides::new(),
            panels,
            checks: Vec::new(),
            inbox: vec![row(1)],
            events: Vec::new(),
            rejections: Vec::new(),
            dead_letters: 0,
            up_to: 1,
            next_wake: None,
            access: Access::new(
                Owner { uid: 1000, name: name("otto"), root: name("root") },
                config.operators,
                vec![(TokenHash([1; 32]), token())],
            ),
            bridge: BridgePanel::default(),
            nodes: NodesPanel::default(),
        },
    )
}

fn join(engine: &mut Engine, client: u64, read_only: bool) -> Vec<Effect> {
    join_as(engine, client, OWNER, read_only)
}

fn join_as(engine: &mut Engine, client: u64, credential: Credential, read_only: bool) -> Vec<Effect> {
    let (outbox, _) = mpsc::channel(1);
    let (panes, _) = PaneOutlet::new();
    let client = ClientId(client);
    let input = Input::Joined { client, outbox, panes, admission: None, credential, follow: true, read_only };
    engine.apply(input, at(0))
}

fn ask(engine: &mut Engine, client: u64, request: Request) -> Vec<Effect> {
    engine.apply(Input::Asked { client: ClientId(client), id: RequestId(7), request }, at(0))
}

#[tokio::test]
async fn a_client_gets_the_snapshot_before_any_notice() {
    let mut engine = engine();
    let effects = join(&mut engine, 1, false);
    assert!(matches!(effects[0], Effect::Admit(ClientId(1), Ok(_))));
    assert!(matches!(&effects[1], Effect::Send(ClientId(1), update) if matches!(**update, Update::Snapshot(_))));
    assert!(matches!(effects[2], Effect::Publish(Notice::Clients(1))));
}

/// What asks for `act` on the first message.
fn act(act: Act) -> Request {
    Request::Act { id: ActId::from_uuid(uuid::Uuid::nil()), on: vec![row(1).id.into()], act, seen: None }
}

#[tokio::test]
async fn a_stranger_is_turned_away_and_leaves_nothing_behind() {
    let mut engine = engine();
    let effects = join_as(&mut engine, 1, Credential::Local { uid: 2000, ssh_key: None }, false);
    assert!(matches!(effects[..], [Effect::Admit(ClientId(1), Err(TurnedAway::Unrecognised(_)))]));
    assert_eq!(engine.snapshot(at(0)).clients, 0);
    assert!(ask(&mut engine, 1, Request::Snapshot).is_empty(), "it has no answer to wait for");
}

#[tokio::test]
async fn a_role_is_checked_for_every_request() {
    let mut engine = engine();
    join_as(&mut engine, 1, Credential::Local { uid: 1001, ssh_key: None }, false);
    let effects = ask(&mut engine, 1, act(Act::Ack));
    let [Effect::Send(_, update), Effect::Audit(note)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((note.kind, note.about.as_str()), (AuditKind::Refused, "act"));
    let Update::Reply { reply: Err(Refusal::Denied(why)), .. } = &**update else { panic!("{update:?}") };
    assert_eq!(why, "this needs the role operator; vera has the role viewer");
    join(&mut engine, 2, false);
    let effects = ask(&mut engine, 2, act(Act::Ack));
    assert!(matches!(&effects[..], [Effect::Act { order, .. }] if order.who == "otto"), "{effects:?}");
}

#[tokio::test]
async fn a_client_goes_with_its_token() {
    let mut engine = engine();
    let effects = join_as(&mut engine, 1, Credential::Token(TokenHash([1; 32])), true);
    assert!(matches!(effects[1], Effect::Token(TokenEffect::Used(..))), "{effects:?}");
    assert!(engine.apply(Input::Tick, at(10)).is_empty(), "it counts to the last second");
    assert!(matches!(engine.apply(Input::Tick, at(11))[..], [Effect::Drop(ClientId(1)), ..]));
    join_as(&mut engine, 2, Credential::Token(TokenHash([1; 32])), true);
    let aftermath = Some(Aftermath::TokenRevoked(token().id));
    let input = Input::Answered { client: ClientId(9), id: RequestId(1), reply: Ok(Reply::Done), aftermath };
    assert!(matches!(engine.apply(input, at(1))[0], Effect::Drop(ClientId(2))));
    let effects = join_as(&mut engine, 3, Credential::Token(TokenHash([1; 32])), true);
    assert!(matches!(effects[..], [Effect::Admit(ClientId(3), Err(_))]));
}

#[tokio::test]
async fn a_read_only_client_is_refused_every_write() {
    let mut engine = engine();
    join(&mut engine, 1, true);
    let effects = ask(&mut engine, 1, act(Act::Read));
    let [Effect::Send(_, update), Effect::Audit(note)] = &effects[..] else { panic!("{effects:?}") };
    assert!(matches!(&**update, Update::Reply { reply: Err(Refusal::Denied(_)), .. }));
    assert_eq!(note.kind, crate::model::AuditKind::Refused, "and it is written down");
    assert!(matches!(ask(&mut engine, 1, Request::Unread { limit: 1 })[..], [Effect::Read { .. }]));
}

#[tokio::test]
async fn everybody_hears_of_marks_and_the_snapshot_has_them() {
    let mut engine = engine();
    join(&mut engine, 1, false);
    let marks = Marks { read: Some(at(5)), ..Marks::default() };
    let unread = Unread::from([(row(1).channel, (0, -1))]);
    let work = DeskWork { marks: vec![(1, marks.clone())], unread, ..DeskWork::default() };
    let aftermath = Some(Aftermath::Desk(Box::new(work)));
    let input = Input::Answered { client: ClientId(1), id: RequestId(7), reply: Ok(Reply::Done), aftermath };
    let effects = engine.apply(input, at(5));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Publish(Notice::Acted(_)))));
    assert_eq!(engine.snapshot(at(6)).inbox[0].marks, marks);
}

#[tokio::test]
async fn a_burst_is_cut_and_counted() {
    let mut engine = engine();
    let rows: Vec<MessageRow> = (2..302).map(row).collect();
    let effects = engine.apply(Input::Projected(Projected { rows, up_to: 301, ..Projected::default() }), at(1));
    let Effect::Publish(Notice::Arrived { rows, omitted, up_to, .. }) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!((rows.len(), *omitted, *up_to), (64, 236, 301));
    assert_eq!(rows.last().map(|row| row.seq), Some(301), "the newest are kept");
    let snapshot = engine.snapshot(at(2));
    assert_eq!((snapshot.inbox.len(), snapshot.inbox[0].seq), (INBOX, 301));
}

#[tokio::test]
async fn a_lagging_client_gets_a_snapshot_at_the_next_tick() {
    let mut engine = engine();
    join(&mut engine, 1, false);
    assert!(engine.apply(Input::Tick, at(1)).is_empty());
    assert!(engine.apply(Input::Lagging(ClientId(1)), at(1)).is_empty());
    assert!(matches!(engine.apply(Input::Tick, at(2))[..], [Effect::Send(..)]));
    assert!(engine.apply(Input::Tick, at(3)).is_empty(), "once is enough");
}

fn shown(effects: &[Effect]) -> Vec<&Snapshot> {
    let mut shown = Vec::new();
    for effect in effects {
        if let Effect::Send(_, update) = effect
            && let Update::Snapshot(snapshot) = &**update
        {
            shown.push(&**snapshot);
        }
    }
    shown
}

fn taken(text: &str) -> Input {
    let config = config::parse(text, None).expect("a configuration");
    let changes = vec!["node.name: test -> hub".to_owned()];
    Input::Reloaded(Ok(Box::new(Taken { config, changes, counts: HashMap::new(), inbox: None })))
}

fn refused() -> Input {
    let (place, what, shown) = (Some("test.toml:1:1".into()), "wrong".into(), "error: wrong".into());
    Input::Reloaded(Err(ConfigFault { at: at(0), place, what, shown }))
}

#[tokio::test]
async fn a_new_configuration_is_shown_to_everybody() {
    let mut engine = engine();
    join(&mut engine, 1, false);
    let before = engine.snapshot(at(0)).channels;
    let text = "[node]\nname = \"hub\"\n[channels.x]\nprovider = \"github\"\nsecrets = [\"env:X\"]\n";
    let effects = engine.apply(taken(text), at(9));
    let [snapshot] = shown(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((snapshot.node.as_str(), snapshot.config.loaded), ("hub", at(9)));
    assert_eq!(snapshot.config.last_change, ["node.name: test -> hub"]);
    let ids: Vec<&str> = snapshot.channels.iter().map(|panel| panel.id.as_str()).collect();
    assert_eq!(ids, ["x"]);
    assert!(before.len() > 1);
}

#[tokio::test]
async fn a_refused_configuration_is_a_problem_until_a_good_one_comes_and_is_tried_again() {
    let mut engine = engine();
    join(&mut engine, 1, false);
    assert_eq!(shown(&engine.apply(refused(), at(1))).len(), 1);
    let problems = engine.snapshot(at(1)).problems(at(1));
    assert!(problems.iter().any(|problem| problem.what.contains("test.toml:1:1: wrong")), "{problems:?}");
    assert!(engine.apply(Input::Tick, at(2)).is_empty());
    let again = |engine: &mut Engine, second| {
        matches!(engine.apply(Input::Tick, at(second))[..], [Effect::Reload(Occasion::Again)])
    };
    assert!(again(&mut engine, 31));
    assert!(engine.apply(refused(), at(32)).is_empty(), "the same is shown once");
    assert!(!again(&mut engine, 91) && again(&mut engine, 92), "the pause has doubled");
    let mut now = 92;
    for _ in 0..10 {
        let _ = engine.apply(refused(), at(now));
        now += 600;
        assert!(again(&mut engine, now), "it is never longer than ten minutes");
    }
    assert_eq!(shown(&engine.apply(taken(""), at(now))).len(), 1);
    assert!(engine.snapshot(at(now)).config.last_error.is_none());
    assert!(!again(&mut engine, now + 1_000));
    let _ = engine.apply(refused(), at(now));
    assert!(again(&mut engine, now + 30), "another mistake begins anew");
}

#[tokio::test]
async fn a_fault_that_is_not_in_the_file_is_not_blamed_on_it() {
    let mut engine = engine();
    let fault = ConfigFault { at: at(0), place: None, what: "no space".into(), shown: "no space".into() };
    let _ = engine.apply(Input::Reloaded(Err(fault)), at(1));
    let problems = engine.snapshot(at(1)).problems(at(1));
    assert_eq!(problems[0].what, "the configuration was not read again: no space");
    assert!(!problems[0].next.contains("file"), "{problems:?}");
}

#[tokio::test]
async fn a_store_that_cannot_write_is_the_worst_problem_until_it_can() {
    use crate::model::StoreFault;
    use crate::protocol::Severity;

    let mut engine = engine();
    join(&mut engine, 1, false);
    let trouble = StoreTrouble { since: at(0), fault: StoreFault::DiskFull, detail: "full".into() };
    let effects = engine.apply(Input::Store(Some(trouble)), at(1));
    let problems = shown(&effects)[0].problems(at(1));
    assert_eq!(problems[0].severity, Severity::Crit);
    assert!(problems[0].what.contains("disk full on /nowhere; senders get 503"), "{problems:?}");
    let effects = engine.apply(Input::Store(None), at(2));
    assert!(shown(&effects)[0].problems(at(2)).is_empty());
}

#[tokio::test]
async fn a_task_that_is_gone_is_not_listed() {
    let mut engine = engine();
    join(&mut engine, 1, false);
    let status = TaskStatus {
        name: "t".into(),
        state: crate::model::TaskState::Stopped,
        since: at(0),
        restarts: 0,
        last_error: None,
        next_try: None,
        trouble: None,
    };
    let _ = engine.apply(Input::Task(0, status.clone()), at(0));
    let effects = engine.apply(Input::TaskGone(0, "t".into()), at(1));
    assert!(shown(&effects)[0].tasks.is_empty());
    let _ = engine.apply(Input::Task(2, TaskStatus { restarts: 2, ..status.clone() }), at(2));
    assert!(engine.apply(Input::Task(1, status), at(3)).is_empty(), "an older one of its name says nothing");
    assert!(engine.apply(Input::TaskGone(1, "t".into()), at(4)).is_empty());
    assert_eq!(engine.snapshot(at(5)).tasks[0].restarts, 2);
}

#[tokio::test]
async fn an_unknown_task_is_named() {
    let mut engine = engine();
    join(&mut engine, 1, false);
    let effects = ask(&mut engine, 1, Request::RestartTask("nope".into()));
    let [Effect::Send(_, update)] = &effects[..] else { panic!("{effects:?}") };
    assert!(matches!(&**update, Update::Reply { reply: Err(Refusal::Unknown(_)), .. }));
}
