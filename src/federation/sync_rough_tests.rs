//! Logs kept in step where answers are lost, doubled and late, where nodes begin anew, and where somebody lies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::model::{ChainHash, EpochId, NodeName, Origin};
use crate::protocol::{Beat, BeatAnswer, Page, PageAsk, PageRefusal, Probe, ProbeAnswer, RemoteAct, RemoteActAnswer};
use crate::store::KeepShared;

use super::chain_tests::{LIES, lie};
use super::conformance::{Follower, Link, MemoryLink, TestNode, moment};
use super::{Answer, EventLink, LinkError, epoch_after};

/// A link on which anything may happen.
struct RoughLink {
    inner: MemoryLink,
    chance: Mutex<StdRng>,
    /// Nothing comes through.
    cut: Arc<AtomicBool>,
    /// Of ten answers so many are lies.
    lies: Arc<Mutex<u64>>,
    /// An answer that was given before.
    last: Mutex<Option<Page>>,
}

impl RoughLink {
    fn chance(&self, below: u64) -> u64 {
        self.chance.lock().expect("not poisoned").next_u64() % below
    }

    async fn answer(&self, ask: &PageAsk) -> Result<Result<Page, PageRefusal>, LinkError> {
        if self.cut.load(Ordering::Relaxed) || self.chance(10) < 2 {
            return Err(LinkError::Unreachable("it is lost".to_owned()));
        }
        let stale = self.last.lock().expect("not poisoned").clone();
        if let (Some(stale), 0) = (stale, self.chance(6)) {
            return Ok(Ok(stale));
        }
        let mut answer = self.inner.page(ask).await?;
        if let Ok(page) = &answer {
            *self.last.lock().expect("not poisoned") = Some(page.clone());
        }
        if self.chance(10) < *self.lies.lock().expect("not poisoned") {
            let (which, place) = (self.chance(LIES + 4), usize::try_from(self.chance(500)).unwrap_or(0));
            match (which, &mut answer) {
                (which, Ok(page)) if which < LIES => lie(page, which, place),
                (which, answer) => *answer = Err(false_refusal(which, ask)),
            }
        }
        // The answer was given and is lost: it is asked for again.
        if self.chance(10) == 0 { Err(LinkError::Unreachable("its answer is lost".to_owned())) } else { Ok(answer) }
    }
}

fn false_refusal(which: u64, ask: &PageAsk) -> PageRefusal {
    let epoch = EpochId::from_uuid(uuid::Uuid::from_u128(if which.is_multiple_of(2) { u128::MAX } else { 1 }));
    match which % 4 {
        0 | 1 => PageRefusal::OtherEpoch { epoch, low: 1, high: u64::MAX },
        2 => PageRefusal::Gone { low: u64::MAX, before: ChainHash::BEGINNING },
        _ => PageRefusal::Gone { low: ask.after.saturating_add(5), before: ChainHash::from_bytes([4; 32]) },
    }
}

impl EventLink for RoughLink {
    fn page<'a>(&'a self, ask: &'a PageAsk) -> Answer<'a, Result<Page, PageRefusal>> {
        Box::pin(self.answer(ask))
    }

    fn beat<'a>(&'a self, beat: &'a Beat) -> Answer<'a, BeatAnswer> {
        self.inner.beat(beat)
    }

    fn probe<'a>(&'a self, probe: &'a Probe) -> Answer<'a, ProbeAnswer> {
        self.inner.probe(probe)
    }

    fn act<'a>(&'a self, act: &'a RemoteAct) -> Answer<'a, RemoteActAnswer> {
        self.inner.act(act)
    }
}

/// What a test may do to a link while it is used.
struct Grip {
    cut: Arc<AtomicBool>,
    lies: Arc<Mutex<u64>>,
}

fn rough(to: &Arc<TestNode>, seed: u64, lies: u64) -> (Link, Grip) {
    let grip = Grip { cut: Arc::default(), lies: Arc::new(Mutex::new(lies)) };
    let link = RoughLink {
        inner: MemoryLink(Arc::clone(to)),
        chance: Mutex::new(StdRng::seed_from_u64(seed)),
        cut: Arc::clone(&grip.cut),
        lies: Arc::clone(&grip.lies),
        last: Mutex::default(),
    };
    (Arc::new(link), grip)
}

/// Rounds with the pauses that failures ask for.
async fn rounds(follower: &mut Follower, count: u64, chance: &mut StdRng) {
    for _ in 0..count {
        follower.now += Duration::from_secs(chance.next_u64() % 20);
        follower.round(0.5).await;
    }
}

#[tokio::test]
async fn whatever_is_lost_doubled_or_late_all_logs_are_equal_in_the_end() {
    for seed in 0..12 {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut nodes = Vec::new();
        for node in ["a", "b", "c"] {
            nodes.push(TestNode::new(node).await);
        }
        let names: Vec<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
        let (mut followers, mut grips) = (Vec::new(), Vec::new());
        for node in &nodes {
            let others = nodes.iter().filter(|other| other.name != node.name);
            let (links, gripped): (Vec<_>, Vec<_>) = others
                .map(|other| {
                    let (link, grip) = rough(other, chance.next_u64(), 0);
                    ((Arc::clone(other), link), grip)
                })
                .unzip();
            let origins: Vec<&NodeName> = names.iter().filter(|name| **name != node.name).collect();
            followers.push(Follower::new(node, links, &origins).await);
            grips.extend(gripped);
        }
        let mut kept = KeepShared::default();
        let mut late = Vec::new();
        for step in 0..12 {
            for node in &nodes {
                node.say(usize::try_from(chance.next_u64() % 300).unwrap_or(0)).await;
            }
            for grip in &grips {
                grip.cut.store(chance.next_u64().is_multiple_of(3), Ordering::Relaxed);
            }
            if step == 5 && seed % 3 == 0 {
                // The first one forgets nearly all of its log, whether the others have it or not.
                kept.entries = 10;
                late.extend(
                    followers
                        .iter()
                        .filter(|one| one.node.log_of(&names[0]).is_none())
                        .map(|one| one.node.name.clone()),
                );
                while nodes[0].store.forget_shared(kept, moment(), 200).await.expect("forgets") {}
            }
            if step == 8 && seed % 2 == 0 {
                let before = nodes[1].log_of(&names[1]).expect("a log").origin.epoch;
                let epoch = epoch_after(Some(before), moment(), [3; 10]);
                nodes[1].store.begin_epoch(Origin { node: names[1].clone(), epoch }).await.expect("begins");
            }
            for follower in &mut followers {
                rounds(follower, 3, &mut chance).await;
            }
        }
        for grip in &grips {
            grip.cut.store(false, Ordering::Relaxed);
        }
        for follower in &mut followers {
            let others: Vec<&Arc<TestNode>> = nodes.iter().filter(|node| node.name != follower.node.name).collect();
            let mut left = 200;
            while !others.iter().all(|other| follower.is_in_step(other)) {
                assert!(left > 0, "seed {seed}: {} does not come into step", follower.node.name);
                left -= 1;
                rounds(follower, 1, &mut chance).await;
            }
            assert!(follower.quarantined.is_empty(), "seed {seed}: {:?}", follower.quarantined);
            for other in others {
                // Entry by entry, as far back as both hold them.
                let (ours, theirs) = (follower.node.entries_of(&other.name), other.entries_of(&other.name));
                let both = ours.len().min(theirs.len());
                assert!(ours[ours.len() - both..] == theirs[theirs.len() - both..], "seed {seed}");
                let log = follower.node.log_of(&other.name).expect("a log");
                // Who had nothing of it before it was swept begins late, and has missed nothing.
                let is_late = other.name == names[0] && late.contains(&follower.node.name);
                let applied = follower.applied.get(&log.origin).copied().unwrap_or(0);
                assert!(applied + log.missing == log.high || is_late, "seed {seed}: {applied} applied of {log:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_relay_that_lies_brings_nothing_false_and_disturbs_nobody_else() {
    let mut found_out = 0;
    for seed in 0..24 {
        let mut chance = StdRng::seed_from_u64(seed);
        let (a, b, relay, c) = (
            TestNode::new("a").await,
            TestNode::new("b").await,
            TestNode::new("relay").await,
            TestNode::new("c").await,
        );
        for node in [&a, &b, &relay] {
            node.say(400).await;
        }
        let link = |to: &Arc<TestNode>| (Arc::clone(to), Arc::new(MemoryLink(Arc::clone(to))) as Link);
        Follower::new(&relay, vec![link(&a)], &[&a.name]).await.catch_up().await;
        let (liar, grip) = rough(&relay, seed, 4);
        let links = vec![(Arc::clone(&relay), liar), link(&b)];
        let mut follower = Follower::new(&c, links, &[&a.name, &b.name, &relay.name]).await;
        for _ in 0..12 {
            a.say(3).await;
            b.say(3).await;
            rounds(&mut follower, 3, &mut chance).await;
        }
        for origin in [&a, &relay] {
            let (ours, theirs) = (c.entries_of(&origin.name), origin.entries_of(&origin.name));
            let first = ours.first().map_or(0, |event| usize::try_from(event.seq - 1).expect("small"));
            assert!(ours[..] == theirs[first..first + ours.len()], "seed {seed}: something false is applied");
        }
        follower.catch_up().await;
        assert!(follower.is_in_step(&b), "seed {seed}: an honest node is disturbed");
        assert!(follower.quarantined.iter().all(|node| *node == relay.name), "seed {seed}: {:?}", follower.quarantined);
        found_out += usize::from(!follower.quarantined.is_empty());
        if follower.quarantined.is_empty() {
            // It lies no more: what it said before holds nothing up.
            *grip.lies.lock().expect("not poisoned") = 0;
            Follower::new(&relay, vec![link(&a)], &[&a.name]).await.catch_up().await;
            rounds(&mut follower, 80, &mut chance).await;
            assert!(follower.is_in_step(&a) && follower.is_in_step(&relay), "seed {seed}");
        } else {
            let held = c.log_of(&a.name).map(|log| log.high);
            rounds(&mut follower, 20, &mut chance).await;
            assert_eq!(c.log_of(&a.name).map(|log| log.high), held, "it is asked for nothing");
        }
    }
    assert!(found_out > 2, "{found_out}");
}

#[tokio::test]
async fn an_origin_that_lies_is_quarantined_and_an_operator_lets_it_go_on() {
    let (a, b) = (TestNode::new("a").await, TestNode::new("b").await);
    a.say(50).await;
    let link = || (Arc::clone(&a), Arc::new(MemoryLink(Arc::clone(&a))) as Link);
    let mut follower = Follower::new(&b, vec![link()], &[&a.name]).await;
    follower.catch_up().await;
    // A backup of its database was restored, and nobody told it in time: another entry 51 after the same 50.
    let restored = TestNode::new("a").await;
    assert_eq!(restored.log_of(&a.name).expect("a log").origin, a.log_of(&a.name).expect("a log").origin);
    restored.say(60).await;
    let mut follower = Follower::new(
        &b,
        vec![(Arc::clone(&restored), Arc::new(MemoryLink(Arc::clone(&restored))) as Link)],
        &[&a.name],
    )
    .await;
    follower.catch_up().await;
    assert_eq!(follower.quarantined, std::slice::from_ref(&a.name));
    let why = b.store.nodes().expect("reads")[0].quarantine.clone().expect("a reason").why;
    assert_eq!(why, "entry 51 of the log of a does not follow the one before");
    assert_eq!(b.log_of(&a.name).expect("a log").high, 50, "nothing of it is taken over");
    // It hears of it and begins anew; an operator trusts it again.
    let told = b.store.held_head(&a.name).expect("reads").expect("a head");
    let (own, held) = restored.store.own_at(told.seq).expect("reads");
    let after = super::begins_anew(&own, &told, held, super::conformance::verify).expect("it must");
    let epoch = epoch_after(Some(after), moment(), [5; 10]);
    restored.store.begin_epoch(Origin { node: a.name.clone(), epoch }).await.expect("begins");
    restored.say(5).await;
    b.trusts(&a.name).await;
    follower.sync.follow(a.name.clone(), b.log_of(&a.name).map(|log| log.end()));
    follower.now += Duration::from_mins(2);
    follower.catch_up().await;
    assert!(follower.is_in_step(&restored));
    assert_eq!(follower.quarantined.len(), 1);
}
