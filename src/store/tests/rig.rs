//! What these tests put into a store.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use uuid::Uuid;

use crate::model::{Act, ActId, Acted, Assurance, ChannelId, EventId, Item, Parsed, Person};
use crate::store::{ActOrder, DeskWork, NewEvent, Options, Projection, Recorded, Store};

pub(in crate::store) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("in range")
}

pub(in crate::store) fn event(channel: i64, key: Option<&str>, body: &str, received: i64) -> NewEvent {
    NewEvent {
        id: EventId::from_uuid(Uuid::now_v7()),
        channel,
        kind: "note".into(),
        time: None,
        received: at(received),
        key: key.map(str::to_owned),
        body_hash: Sha256::digest(body).into(),
        body_window: None,
        once: None,
        assurance: Assurance::Body,
        dead: None,
        head: Bytes::from_static(b"content-type: text/plain\nx-note: a: b\n"),
        body: body.to_owned().into(),
    }
}

pub(super) fn guarded(channel: i64, key: Option<&str>, body: &str, received: i64) -> NewEvent {
    NewEvent { body_window: Some(SignedDuration::from_secs(600)), ..event(channel, key, body, received) }
}

pub(in crate::store) fn open(dir: &TempDir) -> Store {
    Store::open(dir.path(), Options::default()).expect("opens")
}

pub(in crate::store) async fn channels(store: &Store) -> (i64, i64) {
    let ids: Vec<ChannelId> = ["a", "b"].map(|id| id.parse().expect("an id")).to_vec();
    let numbers = store.channel_numbers(ids).await.expect("numbers");
    (numbers[0].1, numbers[1].1)
}

pub(in crate::store) async fn record(store: &Store, event: NewEvent) -> Recorded {
    store.record(vec![event]).await.expect("records")
}

pub(in crate::store) async fn refresh_vips(store: &Store, is_vip: impl Fn(&str) -> bool) -> usize {
    let changes = store.vip_changes(is_vip).expect("reads");
    store.change_vips(changes).await.expect("refreshes")
}

/// Does something as `who`.
pub(in crate::store) async fn act(store: &Store, who: &str, on: &[Item], act: Act, seconds: i64) -> (Acted, DeskWork) {
    let id = ActId::from_uuid(Uuid::now_v7());
    let order = ActOrder { id, on: on.to_vec(), act, who: who.to_owned(), seen: None };
    store.act(order, at(seconds)).await.expect("acts").expect("it can be done")
}

/// Projects everything that is pending: the body is the text, `from:` its sender.
pub(in crate::store) async fn project(store: &Store) {
    loop {
        let pending = store.pending(3).expect("reads");
        if pending.is_empty() {
            return;
        }
        let batch = pending
            .into_iter()
            .map(|event| {
                let text = String::from_utf8(event.body.clone()).expect("text");
                let from = text
                    .split_once(':')
                    .map(|(name, _)| Person { address: format!("{name}@example.org"), name: name.to_owned() });
                let parsed = Parsed {
                    from,
                    subject: format!("about {text}"),
                    thread: event.kind.clone(),
                    text,
                    ..Parsed::default()
                };
                Projection { parsed: event.dead.is_none().then_some(parsed), vip: false, event }
            })
            .collect();
        store.project(batch, true).await.expect("projects");
    }
}
