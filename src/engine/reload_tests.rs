//! Reloads of a running engine: shared by those who wait, and mended where one has failed half way.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use crate::config::{self, Config};
use crate::protocol::{Refusal, Reply, Request, RequestId, Update};

use super::{Credential, Doors, Joined, Origin, Running, start};

const CHANNEL: &str = "[listen]\ningress = \"127.0.0.1:0\"\napi = \"off\"\n\
    [channels.a]\nprovider = \"secret\"\nsecrets = [\"env:PATH\"]\n";

/// An engine whose configuration is `text`, whatever that is at the time.
struct Fixture {
    dir: TempDir,
    text: Arc<Mutex<String>>,
    loads: Arc<AtomicU32>,
    running: Running,
    client: Joined,
}

fn configuration(dir: &std::path::Path, text: &str) -> Config {
    let mut config = config::parse(text, None).expect("a configuration");
    config.move_to(dir);
    config
}

impl Fixture {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let (text, loads) = (Arc::new(Mutex::new(CHANNEL.to_owned())), Arc::new(AtomicU32::new(0)));
        let load = {
            let (path, text, loads) = (dir.path().to_owned(), Arc::clone(&text), Arc::clone(&loads));
            move || {
                loads.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
                Ok(configuration(&path, &text.lock().expect("not poisoned")))
            }
        };
        let origin = Origin { path: None, load: Box::new(load) };
        let config = configuration(dir.path(), CHANNEL);
        let running = start(config, Doors::IngestOnly, None, Some(origin)).await.expect("starts");
        let own = Credential::Local { uid: rustix::process::geteuid().as_raw(), ssh_key: None };
        let client = running.handle.join(own, false, false).await.expect("is let in");
        Self { dir, text, loads, running, client }
    }

    async fn answer(&mut self) -> Result<Reply, Refusal> {
        loop {
            if let Update::Reply { reply, .. } = self.client.updates.recv().await.expect("the engine runs") {
                return reply;
            }
        }
    }

    async fn reload(&mut self, text: &str) -> Result<Reply, Refusal> {
        text.clone_into(&mut self.text.lock().expect("not poisoned"));
        self.client.ask(RequestId(1), Request::Reload).await;
        self.answer().await
    }

    async fn stop(self) {
        drop(self.client);
        self.running.handle.stop();
        self.running.ended().await.expect("ends well");
    }
}

#[tokio::test]
async fn reloads_that_wait_share_one_run() {
    let mut site = Fixture::start().await;
    for number in 0..20 {
        site.client.ask(RequestId(number), Request::Reload).await;
    }
    for _ in 0..20 {
        assert!(matches!(site.answer().await, Ok(Reply::Done)));
    }
    let loads = site.loads.load(Ordering::Relaxed);
    assert!((2..=3).contains(&loads), "the file is read {loads} times");
    site.stop().await;
}

#[tokio::test]
async fn vips_of_a_list_that_was_not_taken_are_mended_by_the_next_reload() {
    let mut site = Fixture::start().await;
    let database = rusqlite::Connection::open(site.dir.path().join("aurora.db")).expect("opens");
    database
        .execute_batch(
            "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 600)
             INSERT INTO contact (id, channel, address, name, vip)
             SELECT randomblob(16), (SELECT n FROM channel), n || '@big.example', '', 0 FROM n;
             CREATE TRIGGER fault BEFORE UPDATE ON contact WHEN new.address = '1@big.example'
             BEGIN SELECT raise(ABORT, 'a fault'); END;",
        )
        .expect("contacts");
    let vips = || database.query_row("SELECT count(*) FROM contact WHERE vip", [], |row| row.get::<_, i64>(0));
    let more = format!("{CHANNEL}[contacts]\nvip = [\"@big.example\"]\n");
    assert!(matches!(site.reload(&more).await, Err(Refusal::Failed(_))));
    assert!(vips().is_ok_and(|count| count > 0), "it failed half way");
    database.execute_batch("DROP TRIGGER fault").expect("drops");
    assert!(site.reload(CHANNEL).await.is_ok());
    assert_eq!(vips(), Ok(0), "what ran before is whole again");
    assert!(site.reload(&more).await.is_ok());
    assert_eq!(vips(), Ok(600));
    site.stop().await;
}
