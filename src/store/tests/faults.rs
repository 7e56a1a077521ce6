//! A queue that is full, a writer that is stuck, a disk or a file that fails, and a store that is closed.

use std::time::Duration;

use tempfile::TempDir;

use crate::model::{EventFilter, StoreFault};
use crate::store::{Options, Store, StoreError};

use super::rig::{channels, event, guarded, open, record};

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = Store::open(dir.path(), Options { commit_batch: 1, queue: 1 }).expect("opens");
    let (a, _) = channels(&store).await;
    let all = (0..200).map(|n| store.record(vec![event(a, Some(&n.to_string()), "x", 0)]));
    let results = futures_util::future::join_all(all).await;
    let accepted = results.iter().filter(|result| result.is_ok()).count() as u64;
    assert!(results.iter().any(|result| matches!(result, Err(StoreError::Full))));
    assert_eq!(store.event_count(&EventFilter::default()).expect("counts"), accepted);
}

#[tokio::test]
async fn closing_leaves_everything_in_one_file() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    record(&store, event(a, Some("1"), "x", 0)).await;
    assert_eq!(store.event_count(&EventFilter::default()).expect("counts"), 1);
    drop(store);
    assert!(!dir.path().join("aurora.db-wal").exists(), "the log is copied back");
}

#[tokio::test]
async fn a_writer_that_is_stuck_answers_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let pulse = store.pulse();
    pulse.answered().await.expect("it works");
    let (go_on, stuck) = std::sync::mpsc::channel::<()>();
    let blocked = store.write(move |_| Ok(stuck.recv().is_ok()));
    let (mut blocked, mut asked) = (Box::pin(blocked), Box::pin(pulse.answered()));
    // Polled in this order, so the work that blocks is queued first.
    tokio::select! {
        biased;
        _ = &mut blocked => panic!("nobody let it go on"),
        _ = &mut asked => panic!("the writer is stuck"),
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
    }
    go_on.send(()).expect("it waits");
    assert!(blocked.await.expect("it went on"));
    asked.await.expect("it works again");
    drop(store);
    assert!(pulse.answered().await.is_err(), "a closed store says so");
}

#[tokio::test]
async fn a_full_disk_refuses_at_once_and_is_found_free_again() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    let mut trouble = store.trouble();
    let pages = |count: i64| {
        move |connection: &rusqlite::Connection| {
            connection.query_row(&format!("PRAGMA max_page_count = {count}"), [], |_| Ok(()))
        }
    };
    // SQLite answers as it does on a full disk when the file may hold no more pages.
    store.write(pages(120)).await.expect("sets");
    let body = "x".repeat(10_000);
    let mut accepted = 0;
    let error = loop {
        match store.record(vec![event(a, Some(&accepted.to_string()), &body, 0)]).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Disk { fault: StoreFault::DiskFull, .. }), "{error}");
    assert!(accepted > 0);
    assert_eq!(trouble.borrow_and_update().as_ref().map(|trouble| trouble.fault), Some(StoreFault::DiskFull));
    assert!(store.record(vec![event(a, Some("small"), "x", 0)]).await.is_err(), "at once, though it would fit");
    assert!(matches!(store.write(|_| Ok(())).await, Err(StoreError::Disk { .. })), "marks hear the reason, too");
    tokio::time::timeout(Duration::from_secs(10), trouble.changed()).await.expect("in time").expect("open");
    assert!(trouble.borrow_and_update().is_none(), "the writer has tried by itself");
    store.write(pages(1_000_000)).await.expect("sets");
    assert_eq!(record(&store, event(a, Some("last"), &body, 0)).await.fresh, 1);
    assert_eq!(store.event_count(&EventFilter::default()).expect("counts"), accepted + 1);
}

/// A page of the database below `dir`, by the table it is the root of.
struct Page {
    file: std::fs::File,
    offset: u64,
    was: Vec<u8>,
}

impl Page {
    /// While no store is open: closing any descriptor of the file would drop the locks of the process.
    fn of(dir: &TempDir, table: &str) -> Self {
        use std::os::unix::fs::FileExt;

        let path = Store::path(dir.path());
        let database = rusqlite::Connection::open(&path).expect("opens");
        let root: u64 = database
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0))
            .expect("a table");
        let size: u64 = database.query_row("PRAGMA page_size", [], |row| row.get(0)).expect("a size");
        drop(database);
        let file = std::fs::File::options().read(true).write(true).open(path).expect("opens");
        let mut page = Self { file, offset: (root - 1) * size, was: vec![0; usize::try_from(size).expect("small")] };
        page.file.read_exact_at(&mut page.was, page.offset).expect("reads");
        page
    }

    fn overwrite(&self) {
        self.put(&vec![0xff; self.was.len()]);
    }

    fn put(&self, bytes: &[u8]) {
        use std::os::unix::fs::FileExt;

        self.file.write_all_at(bytes, self.offset).expect("writes");
    }

    fn restore(&self) {
        self.put(&self.was);
    }
}

fn is_corrupt<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Disk { fault: StoreFault::Corrupt, .. }))
}

#[tokio::test]
async fn a_broken_page_refuses_only_who_needs_it_and_nobody_once_it_is_well() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (a, b) = channels(&open(&dir)).await;
    let page = Page::of(&dir, "body_seen");
    let store = open(&dir);
    page.overwrite();
    let needs = |body: &str| vec![guarded(b, None, body, 0)];
    for round in 0..3 {
        let (key, body) = (format!("plain {round}"), format!("guarded {round}"));
        let both = tokio::join!(store.record(vec![event(a, Some(&key), "x", 0)]), store.record(needs(&body)));
        assert!(both.0.is_ok(), "{:?}", both.0);
        assert!(is_corrupt(&both.1), "{:?}", both.1);
    }
    let told = store.trouble().borrow().clone().expect("it is told");
    assert_eq!(told.fault, StoreFault::Corrupt);
    page.restore();
    assert_eq!(store.record(needs("guarded 0")).await.expect("it is read").fresh, 1, "nothing stale is kept in memory");
    assert_eq!(store.record(needs("guarded 0")).await.expect("it is read").repeated, 1, "its body is known");
    assert_eq!(store.event_count(&EventFilter::default()).expect("counts"), 4);
}

#[tokio::test]
async fn a_database_that_cannot_be_read_for_a_while_is_tried_again() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, b) = channels(&store).await;
    record(&store, guarded(b, None, "before", 0)).await;
    drop(store);
    let pages = ["event", "body_seen"].map(|table| Page::of(&dir, table));
    let store = open(&dir);
    pages.iter().for_each(Page::overwrite);
    assert!(is_corrupt(&store.record(vec![guarded(b, None, "other", 0)]).await));
    let refused = store.record(vec![event(a, Some("plain"), "x", 0)]).await;
    assert!(is_corrupt(&refused), "nobody queues in front of it: {refused:?}");
    assert!(is_corrupt(&store.pending(1)), "readers say so, too");
    pages.iter().for_each(Page::restore);
    for _ in 0..100 {
        if store.record(vec![event(a, Some("plain"), "x", 0)]).await.is_ok() {
            assert_eq!(record(&store, guarded(b, None, "before", 1)).await.repeated, 1, "bodies are still known");
            assert_eq!(store.event_count(&EventFilter::default()).expect("reads"), 2);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is never tried again");
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let dir = tempfile::tempdir().expect("temp dir");
    std::fs::write(dir.path().join("aurora.db"), [7; 8192]).expect("writes");
    let error = Store::open(dir.path(), Options::default()).expect_err("no database");
    assert!(matches!(error, StoreError::Disk { fault: StoreFault::Corrupt, .. }), "{error}");
    assert!(error.to_string().contains("aurora.db"), "{error}");
}
