use std::time::Duration;

use jiff::SignedDuration;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::config;
use crate::model::{Job, OutputTotals, Plan, Risk};

use super::super::super::checks::{CheckSet, Checks};
use super::super::service::BridgeSet;
use super::*;

const CONFIG: &str =
    "[hosts.web-1]\nlayers = [\"local\"]\n[commands.todo]\nhosts = [\"web-1\"]\nargv = [\"/bin/true\"]\n";

/// A runner over a store of its own, with a host that no road leads to.
struct Rig {
    runner: Runner,
    store: Arc<Store>,
    dir: TempDir,
    _inputs: mpsc::Receiver<Input>,
}

impl Rig {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Store::open(dir.path(), crate::store::Options::default()).expect("a store"));
        let (inputs, received) = mpsc::channel(1_000);
        let config = config::parse(CONFIG, None).expect("a configuration");
        let checks = CheckSet::new(&config).expect("no checks");
        let checks = Arc::new(Checks::new(checks, Arc::clone(&store), inputs.clone()));
        let open = Arc::new(|_: &_, _: &_, _: &_, _, _| Err("there is none".to_owned()));
        let set = BridgeSet::new(config);
        let service = Arc::new(Bridges::new(set, Arc::clone(&store), inputs, checks, open, false));
        let runner = Runner::new(service).await.expect("a runner");
        Self { runner, store, dir, _inputs: received }
    }

    fn submit(&mut self, number: u128, out: u64) -> JobId {
        let plan = Plan::sample("web-1", "todo", &["/bin/true"]);
        let id = JobId::from_uuid(Uuid::from_u128(number));
        let by = "anna".parse().expect("a name");
        let job = Job {
            output: OutputTotals { out, ..OutputTotals::default() },
            ..Job::new(id, plan, Risk::Low, by, Timestamp::now(), SignedDuration::from_mins(1))
        };
        self.runner.apply(BridgeInput::Submit(Box::new(job)));
        id
    }

    /// Lets it go on until `is`.
    async fn until(&mut self, what: &str, is: impl Fn(&Runner) -> bool) {
        let going = async {
            while !is(&self.runner) {
                self.runner.hear().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), going).await.unwrap_or_else(|_| panic!("{what} did not come"));
    }

    /// The table is called otherwise for a while.
    fn rename(&self, from: &str, to: &str) {
        let connection = Connection::open(self.dir.path().join("aurora.db")).expect("opens");
        connection.busy_timeout(Duration::from_secs(10)).expect("sets");
        connection.execute_batch(&format!("ALTER TABLE {from} RENAME TO {to}")).expect("renames");
    }
}

#[tokio::test]
async fn what_could_not_be_written_is_written_later_and_nothing_is_taken_in_until_then() {
    let mut rig = Rig::new().await;
    rig.until("the beginning", |runner| !runner.writing).await;
    rig.rename("job", "away");
    let id = rig.submit(1, 0);
    rig.until("trouble", |runner| runner.trouble().is_some()).await;
    assert!(!rig.runner.takes());
    rig.rename("away", "job");
    rig.until("an end of it", |runner| runner.trouble().is_none() && !runner.writing).await;
    assert!(rig.store.job(id).expect("reads").is_some());
    // As after a panic of whatever writes: the group comes back and is written.
    rig.runner.writing = true;
    rig.runner.done(Done::Failed(Box::default(), "it ended in a panic".to_owned()));
    assert!(rig.runner.trouble().is_some_and(|why| why.contains("panic")));
    rig.until("an end of it", |runner| runner.trouble().is_none() && !runner.writing).await;
}

#[tokio::test]
async fn a_job_the_database_does_not_take_stands_in_nobodys_way() {
    let mut rig = Rig::new().await;
    let bad = rig.submit(1, u64::MAX);
    let good = rig.submit(2, 1);
    rig.until("an end of writing", |runner| !runner.writing).await;
    assert_eq!(rig.store.job(bad).expect("reads"), None);
    assert!(rig.store.job(good).expect("reads").is_some());
    let audit = rig.store.audited(Some(&bad.to_string()), None, 10).expect("reads");
    assert!(audit.iter().any(|entry| entry.note.what.contains("is left out")), "{audit:?}");
}

#[tokio::test]
async fn a_term_that_could_not_be_raised_is_raised_later() {
    let mut rig = Rig::new().await;
    rig.rename("engine", "away");
    rig.runner.raise(9, Duration::ZERO);
    let before = rig.runner.term.borrow().epoch;
    let done = rig.runner.work.join_next().await.expect("work").expect("no panic");
    assert!(matches!(done, Done::Raised(9, Err(_)) | Done::Kept(..)));
    rig.runner.done(done);
    assert_eq!(rig.runner.term.borrow().epoch, before);
    rig.rename("away", "engine");
    rig.until("the term", |runner| runner.term.borrow().epoch == 9).await;
}
