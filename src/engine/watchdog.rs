//! Whether the engine still moves: a watchdog is fed only while everything that must advance does.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::store::Pulse;

/// The loop and the writer, as operators see them.
pub(super) const LOOP: &str = "engine loop";
const WRITER: &str = "store writer";

/// The turns one part has taken. Whoever has nothing to do takes one when it is asked to, and no timer for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    taken: AtomicU64,
    asked: Notify,
}

impl Turns {
    pub(super) fn another(&self) {
        self.0.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Resolves when another turn is asked for. One that was asked for meanwhile counts; nothing is lost when the wait
    /// is given up.
    pub(super) async fn asked(&self) {
        self.0.asked.notified().await;
    }
}

/// The parts that run now, and how many turns each has taken.
#[derive(Debug, Default)]
pub(super) struct Parts(Mutex<BTreeMap<String, Turns>>);

/// One part while it runs. Dropping it ends the watch: it failed, which is the supervisor's business, or is
/// asked to end.
#[derive(Debug)]
pub(super) struct Part<'a> {
    parts: &'a Parts,
    name: String,
    pub turns: Turns,
}

impl Parts {
    /// A part that begins to run. It is under watch from its first turn on.
    pub(super) fn begin(&self, name: &str) -> Part<'_> {
        let turns = Turns::default();
        self.lock().insert(name.to_owned(), turns.clone());
        Part { parts: self, name: name.to_owned(), turns }
    }

    pub(super) fn taken(&self) -> BTreeMap<String, u64> {
        let parts = self.lock();
        let taken = parts.iter().map(|(name, turns)| (name.clone(), turns.0.taken.load(Ordering::Relaxed)));
        taken.filter(|(_, turns)| *turns > 0).collect()
    }

    /// Asks every part for a turn.
    fn ask(&self) {
        self.lock().values().for_each(|turns| turns.0.asked.notify_one());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Turns>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let mut parts = self.parts.lock();
        // A newer part of the same name stays.
        if parts.get(&self.name).is_some_and(|turns| Arc::ptr_eq(&turns.0, &self.turns.0)) {
            parts.remove(&self.name);
        }
    }
}

/// What was seen when the watchdog was fed last.
#[derive(Debug, Default)]
struct Watch(BTreeMap<String, u64>);

impl Watch {
    /// The parts that have taken no turn since the watchdog was fed last. When there are none it may be fed, and
    /// the next look compares with this one.
    fn look(&mut self, taken: BTreeMap<String, u64>) -> Vec<String> {
        let still = |(name, turns): &(&String, &u64)| self.0.get(*name) == Some(*turns);
        let still: Vec<String> = taken.iter().filter(still).map(|(name, _)| name.clone()).collect();
        if still.is_empty() {
            self.0 = taken;
        }
        still
    }
}

/// Watches a running engine.
#[derive(Debug)]
pub struct Watchdog {
    pub(super) parts: Arc<Parts>,
    pub(super) pulse: Pulse,
    pub(super) stop: CancellationToken,
}

impl Watchdog {
    /// Looks every `period` until the engine stops, and hands `feed` the names of what has not advanced since the
    /// last look at which everything had: the loop, the store's writer, and every task that counts its turns
    /// ([`super::TaskContext::turn`]) and runs. None: it may be fed.
    pub async fn watch<F>(self, period: Duration, feed: impl FnMut(Vec<String>) -> F)
    where
        F: Future<Output = ()>,
    {
        let Self { parts, pulse, stop } = self;
        let watching = watch(&parts, period, || pulse.answered(), feed);
        tokio::select! {
            () = stop.cancelled() => {}
            () = watching => {}
        }
    }
}

async fn watch<A, E, F>(
    parts: &Parts,
    period: Duration,
    ask_writer: impl Fn() -> A,
    mut feed: impl FnMut(Vec<String>) -> F,
) where
    A: Future<Output = Result<(), E>>,
    F: Future<Output = ()>,
{
    let writer = parts.begin(WRITER);
    writer.turns.another();
    let asking = async {
        // One question at a time; a closed store has no writer to watch.
        while ask_writer().await.is_ok() {
            writer.turns.another();
            tokio::time::sleep(period / 2).await;
        }
    };
    let looking = async {
        let mut watch = Watch::default();
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            feed(watch.look(parts.taken())).await;
            // Until the next look is time enough.
            parts.ask();
        }
    };
    tokio::select! {
        () = asking => {}
        () = looking => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn taken(parts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        parts.iter().map(|(name, turns)| ((*name).to_owned(), *turns)).collect()
    }

    #[test]
    fn it_is_fed_only_when_everything_has_advanced() {
        let mut watch = Watch::default();
        assert!(watch.look(taken(&[("loop", 5), ("writer", 1)])).is_empty());
        assert_eq!(watch.look(taken(&[("loop", 5), ("writer", 1)])), ["loop", "writer"]);
        assert_eq!(watch.look(taken(&[("loop", 6), ("writer", 1)])), ["writer"], "one is not enough");
        assert_eq!(watch.look(taken(&[("loop", 6), ("writer", 1)])), ["writer"], "it is compared with the last feed");
        assert!(watch.look(taken(&[("loop", 6), ("writer", 2)])).is_empty());
        assert!(watch.look(taken(&[("loop", 7)])).is_empty(), "what runs no more is not waited for");
        assert!(watch.look(taken(&[("loop", 8), ("writer", 2)])).is_empty(), "what begins again has advanced");
    }

    #[test]
    fn a_part_is_watched_from_its_first_turn_to_its_end() {
        let parts = Parts::default();
        let part = parts.begin("task");
        assert!(parts.taken().is_empty(), "it may not count turns at all");
        part.turns.another();
        assert_eq!(parts.taken(), taken(&[("task", 1)]));
        let newer = parts.begin("task");
        newer.turns.another();
        newer.turns.another();
        drop(part);
        assert_eq!(parts.taken(), taken(&[("task", 2)]), "the older one leaves the newer one");
        drop(newer);
        assert!(parts.taken().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_rests_is_asked_for_a_turn() {
        let parts = Parts::default();
        let part = parts.begin("task");
        let resting = async {
            loop {
                part.turns.another();
                part.turns.asked().await;
            }
        };
        let looks = Mutex::new(Vec::new());
        let feed = |still| {
            looks.lock().expect("not poisoned").push(still);
            async {}
        };
        tokio::select! {
            () = resting => {}
            () = watch(&parts, Duration::from_secs(2), async || Ok::<(), ()>(()), feed) => {}
            () = tokio::time::sleep(Duration::from_secs(19)) => {}
        }
        let looks = looks.into_inner().expect("not poisoned");
        assert!(looks.len() == 10 && looks.iter().all(Vec::is_empty), "{looks:?}");
    }

    /// What was fed in the ten looks after `stuck` was set.
    async fn fed_while(stuck: &AtomicBool, parts: &Parts, turns: Option<&Turns>) -> Vec<Vec<String>> {
        let looks = Mutex::new(Vec::new());
        let ask = || async {
            while stuck.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok::<(), ()>(())
        };
        let feed = |still| {
            looks.lock().expect("not poisoned").push(still);
            async {}
        };
        let beating = async {
            loop {
                if let Some(turns) = turns {
                    turns.another();
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        tokio::select! {
            () = watch(parts, Duration::from_secs(2), ask, feed) => {}
            () = beating => {}
            () = tokio::time::sleep(Duration::from_secs(19)) => {}
        }
        looks.into_inner().expect("not poisoned")
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_writer_and_a_stuck_loop_are_named_and_end_the_feeding() {
        let (free, stuck) = (AtomicBool::new(false), AtomicBool::new(true));
        let parts = Parts::default();
        let engine = parts.begin(LOOP);
        let looks = fed_while(&free, &parts, Some(&engine.turns)).await;
        assert!(looks.len() == 10 && looks.iter().all(Vec::is_empty), "{looks:?}");
        let looks = fed_while(&stuck, &parts, Some(&engine.turns)).await;
        assert!(looks.len() == 10 && looks[1..].iter().all(|still| still == &[WRITER]), "{looks:?}");
        let looks = fed_while(&free, &parts, None).await;
        assert!(looks.len() == 10 && looks[1..].iter().all(|still| still == &[LOOP]), "{looks:?}");
    }
}
