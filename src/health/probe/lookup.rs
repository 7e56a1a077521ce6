//! Names to addresses: one lookup a name at a time, and so many at once.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::model::Phase;

use super::failure::{Failure, words};
use super::record::Record;

/// Names that are looked up at once. A lookup blocks a thread until the resolver gives up, whatever our timeout is.
const LOOKUPS: usize = 64;

/// How far a lookup is.
#[derive(Debug, Clone)]
enum Progress {
    /// It waits for a turn.
    Waiting,
    /// The resolver was asked.
    Asked,
    /// Its addresses, or why there are none.
    Done(Result<Vec<IpAddr>, String>),
}

/// Lookups that are going on, by name. Whoever wants the same name meanwhile hears the same answer.
#[derive(Debug)]
pub(super) struct Lookups {
    turns: Arc<Semaphore>,
    pending: Arc<Mutex<HashMap<String, watch::Receiver<Progress>>>>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(LOOKUPS)), pending: Arc::default() }
    }
}

impl Lookups {
    /// The addresses of `host`. To wait for a turn is our side; to wait for the resolver is the target's.
    pub(super) async fn addresses(&self, host: &str, record: &mut Record) -> Result<Vec<IpAddr>, Failure> {
        record.begin(Phase::Dns, format!("looking up {host}"));
        let mut progress = self.ask(host, |host| {
            let found = (host, 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect());
            found.map_err(|error| words(&error).trim_start_matches("failed to lookup address information: ").to_owned())
        });
        loop {
            let now = progress.borrow_and_update().clone();
            match now {
                Progress::Waiting => record.waiting("waiting for a turn to look up names"),
                Progress::Asked => record.doing(format!("looking up {host}")),
                Progress::Done(found) => {
                    record.doing(format!("looking up {host}"));
                    record.end();
                    return found.map_err(|error| Failure::critical(format!("looking up {host}: {error}")));
                }
            }
            if progress.changed().await.is_err() {
                return Err(Failure::unknown("the lookup broke off"));
            }
        }
    }

    /// The lookup of `host` that is going on, or a new one by `resolve`.
    fn ask(
        &self,
        host: &str,
        resolve: impl FnOnce(&str) -> Result<Vec<IpAddr>, String> + Send + 'static,
    ) -> watch::Receiver<Progress> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // One whose thread panicked has ended without an answer.
        if let Some(progress) = pending.get(host).filter(|progress| progress.has_changed().is_ok()) {
            return progress.clone();
        }
        let (tell, progress) = watch::channel(Progress::Waiting);
        pending.insert(host.to_owned(), progress.clone());
        let (turns, all, host) = (Arc::clone(&self.turns), Arc::clone(&self.pending), host.to_owned());
        // It outlives a look that gave up: the thread that waits for the resolver does too.
        tokio::spawn(async move {
            // The semaphore is never closed.
            let turn = turns.acquire_owned().await;
            let asked = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                tell.send_replace(Progress::Asked);
                let found = resolve(&host);
                all.lock().unwrap_or_else(PoisonError::into_inner).remove(&host);
                tell.send_replace(Progress::Done(found));
            });
            // Whoever waits hears that it broke off.
            let _ = asked.await;
        });
        progress
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::model::Verdict;

    #[tokio::test]
    async fn names_that_never_answer_hold_up_one_turn_each_and_are_no_fault_of_others() {
        let lookups = Lookups { turns: Arc::new(Semaphore::new(2)), ..Lookups::default() };
        let stuck = |host: &str| {
            let (answer, waits) = mpsc::channel();
            let progress = lookups.ask(host, move |_| waits.recv().map_err(|_| "given up".to_owned()));
            (answer, progress)
        };
        let (answer, mut dead) = stuck("dead.example");
        let asked = dead.wait_for(|progress| matches!(progress, Progress::Asked)).await;
        assert!(asked.is_ok());
        drop(asked);
        for _ in 0..5 {
            let (_, same) = stuck("dead.example");
            assert!(matches!(*same.borrow(), Progress::Asked), "it hears the same answer");
        }
        assert_eq!(lookups.turns.available_permits(), 1, "one name takes one turn");
        let (other, mut second) = stuck("other.example");
        assert!(second.wait_for(|progress| matches!(progress, Progress::Asked)).await.is_ok());
        let mut record = Record::new();
        let waits = lookups.addresses("localhost", &mut record);
        assert!(tokio::time::timeout(Duration::from_millis(50), waits).await.is_err(), "there is no turn");
        let failure = record.timed_out(Duration::from_millis(50));
        assert_eq!(failure.verdict, Verdict::Unknown);
        assert!(failure.cause.contains("waiting for a turn to look up names"), "{failure:?}");
        answer.send(Vec::new()).expect("it waits");
        assert!(lookups.addresses("localhost", &mut record).await.is_ok_and(|found| !found.is_empty()));
        assert_eq!(record.timed_out(Duration::from_millis(50)).verdict, Verdict::Critical, "it waits no longer");
        drop(other);
    }
}
