//! What the projector tells, and what it leaves alone.

use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::model::{Assurance, EventId};
use crate::store::{NewEvent, Options};

use super::super::supervisor::{Supervisor, TaskSpec};
use super::*;

/// What the task says is wrong, as soon as that is something else than `before`.
async fn trouble_after(inputs: &mut mpsc::Receiver<Input>, before: Option<&str>) -> Option<String> {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), inputs.recv()).await.expect("in time");
        if let Some(Input::Task(_, status)) = next
            && status.error() != before
        {
            return status.error().map(str::to_owned);
        }
    }
}

fn projector(dir: &TempDir, inputs: mpsc::Sender<Input>) -> Arc<Projector> {
    Arc::new(Projector {
        store: Arc::new(Store::open(dir.path(), Options::default()).expect("opens")),
        blobs: Arc::new(Blobs::open(dir.path()).expect("opens")),
        mark: ReadingMark::open(dir.path()),
        reading: Swap::new(Reading { channels: HashMap::new(), vip: VipList::default() }),
        inputs,
        projected: Notify::new(),
        turn: Mutex::default(),
    })
}

async fn record(store: &Store, body: &'static str) {
    let channel = store.channel_numbers(vec!["a".parse().expect("an id")]).await.expect("numbers")[0].1;
    let event = NewEvent {
        id: EventId::from_uuid(uuid::Uuid::now_v7()),
        channel,
        kind: "note".into(),
        time: None,
        received: Timestamp::now(),
        key: None,
        body_hash: [7; 32],
        body_window: None,
        once: None,
        assurance: Assurance::Body,
        dead: None,
        head: Bytes::new(),
        body: Bytes::from_static(body.as_bytes()),
    };
    store.record(vec![event]).await.expect("records");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_until_it_can() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (sender, mut inputs) = mpsc::channel(16);
    let projector = projector(&dir, sender.clone());
    // Nobody has read yet: the first reader opens the file, which it cannot, as when too many are open.
    let (path, away) = (Store::path(dir.path()), dir.path().join("away"));
    std::fs::rename(&path, &away).expect("renames");
    let stop = CancellationToken::new();
    let supervisor = Arc::new(Supervisor::new(sender, stop.clone()));
    Supervisor::run(&supervisor, TaskSpec::new("projection", move |context| Arc::clone(&projector).run(context)));
    let told = trouble_after(&mut inputs, None).await.expect("it is told");
    assert!(told.contains("failed to open the database") && told.contains("too many files"), "{told}");
    std::fs::rename(&away, &path).expect("renames");
    assert_eq!(trouble_after(&mut inputs, Some(&told)).await, None, "it is over");
    stop.cancel();
    supervisor.ended().await;
}

#[tokio::test]
async fn what_was_projected_is_told_though_the_task_was_given_up_meanwhile() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (sender, mut inputs) = mpsc::channel(1);
    let projector = projector(&dir, sender.clone());
    record(&projector.store, "{}").await;
    sender.send(Input::Tick).await.expect("the loop has no room");
    let task = tokio::spawn(Arc::clone(&projector).run(TaskContext::of_nobody()));
    let projected = async {
        while projector.store.unread(1).expect("reads").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), projected).await.expect("it is projected");
    task.abort();
    assert!(task.await.is_err_and(|error| error.is_cancelled()));
    assert!(matches!(inputs.recv().await, Some(Input::Tick)));
    let told = tokio::time::timeout(Duration::from_mins(1), inputs.recv()).await.expect("it is told");
    assert!(matches!(told, Some(Input::Projected(projected)) if projected.up_to > 0));
}

#[tokio::test]
async fn a_replay_leaves_alone_which_event_is_being_read() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (sender, _inputs) = mpsc::channel(1);
    let projector = projector(&dir, sender);
    record(&projector.store, "{}").await;
    projector.catch_up().await.expect("projects");
    let turn = projector.turn.lock().await;
    assert!(projector.mark.begin(7));
    let replaying = tokio::spawn({
        let projector = Arc::clone(&projector);
        async move { projector.replay(EventFilter::default()).await }
    });
    // Time enough for one that does not wait.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let noted = std::fs::read(dir.path().join("reading")).expect("a file");
    assert_eq!(noted[..8], 7_i64.to_le_bytes());
    projector.mark.end();
    drop(turn);
    assert_eq!(replaying.await.expect("no panic").expect("replays"), 1);
}
