//! Whose requests are let in: the nodes that are known with their keys, how far clocks may differ, and that each
//! request counts once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, RwLock};

use jiff::Timestamp;

use crate::model::{NodeKey, NodeName, PinnedKeys};

use super::node_auth::{Asked, Nonce, Proof};

/// How far the clock of a request may be from ours, in milliseconds.
pub const SKEW_MAX_MS: i64 = 300_000;
/// Nonces remembered of one node. Beyond it the oldest are forgotten, and what is not newer than they are is refused.
const NONCES: usize = 16_384;

/// The nodes that are known, and their keys. Whoever changes the registry brings it up to date, and takes what was
/// learned meanwhile to keep it.
#[derive(Debug, Default)]
pub struct KnownNodes {
    nodes: RwLock<BTreeMap<NodeName, PinnedKeys>>,
    learned: Mutex<BTreeSet<NodeName>>,
}

impl KnownNodes {
    /// Knows `node` by these keys from now on.
    pub fn put(&self, node: NodeName, keys: PinnedKeys) {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).insert(node, keys);
    }

    /// Forgets `node`: nothing of it is believed from now on.
    pub fn forget(&self, node: &NodeName) {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).remove(node);
    }

    /// The keys pinned for `node`.
    #[must_use]
    pub fn pinned(&self, node: &NodeName) -> Option<PinnedKeys> {
        self.nodes.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned()
    }

    /// Those of them that count at `now`, the one that stays first.
    #[must_use]
    pub fn keys(&self, node: &NodeName, now: Timestamp) -> Vec<NodeKey> {
        let known = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        known.get(node).map(|keys| keys.counting(now)).unwrap_or_default()
    }

    /// Takes over the keys that `node` names in words that its key `proven` has signed.
    pub fn learn(&self, node: &NodeName, named: &[NodeKey], proven: NodeKey, now: Timestamp) {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let Some(pinned) = nodes.get_mut(node) else { return };
        if let Some(learned) = pinned.learned(named, proven, now) {
            *pinned = learned;
            self.learned.lock().unwrap_or_else(PoisonError::into_inner).insert(node.clone());
        }
    }

    /// The nodes whose keys have changed by their own word since this was asked before.
    #[must_use]
    pub fn take_learned(&self) -> BTreeSet<NodeName> {
        std::mem::take(&mut *self.learned.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// There is no proof, its node is not known, or it is not that node's. Who asks is told nothing.
    #[error("nobody who is known has signed it")]
    Unproven,
    /// It is proven, and meant for another node.
    #[error("it is meant for {meant}, and this is {this}")]
    OtherNode {
        /// Whom it is meant for.
        meant: NodeName,
        /// Who got it.
        this: NodeName,
    },
    /// It is proven, and its clock is too far from ours.
    #[error("its clock is off by {0} s, and 300 s is the most that is taken")]
    Skewed(i64),
    /// It is proven, and came before.
    #[error("it came before")]
    Replayed,
    /// It is proven, and may be older than this run of the process, which knows nothing of what came before. Only what
    /// must not be done twice is refused for that.
    #[error("it may have come before this node started; ask again")]
    BeforeStart,
}

/// What is behind the signature of a request that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Who asks.
    pub node: NodeName,
    /// With which of its keys it was proven; the one that stays, where several fit.
    pub key: NodeKey,
}

/// Lets requests to one node in.
#[derive(Debug)]
pub struct NodeGate {
    me: NodeName,
    started: Timestamp,
    came: Mutex<BTreeMap<NodeName, Came>>,
}

/// What came from one node.
#[derive(Debug)]
struct Came {
    /// By their moment, so that the oldest is first.
    nonces: BTreeSet<(i64, Nonce)>,
    /// Nothing that is not later counts.
    floor: i64,
}

impl NodeGate {
    /// The gate of `me`, whose process started at `started`.
    #[must_use]
    pub fn new(me: NodeName, started: Timestamp) -> Self {
        Self { me, started, came: Mutex::default() }
    }

    /// Lets a request in that one of `keys` has signed, once. `once` says that it must not be done twice.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn admit(
        &self,
        proof: &Proof,
        asked: &Asked<'_>,
        keys: &[NodeKey],
        once: bool,
        now: Timestamp,
    ) -> Result<Proven, Barred> {
        let proven = self.prove(proof, asked, keys, once, now)?;
        self.note(proof, now)?;
        Ok(proven)
    }

    /// The same for what counts once by something else: nothing is remembered of it.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn prove(
        &self,
        proof: &Proof,
        asked: &Asked<'_>,
        keys: &[NodeKey],
        once: bool,
        now: Timestamp,
    ) -> Result<Proven, Barred> {
        let key = proof.proven_by(asked, keys).ok_or(Barred::Unproven)?;
        if proof.to != self.me {
            return Err(Barred::OtherNode { meant: proof.to.clone(), this: self.me.clone() });
        }
        let skew = proof.skew_ms(now);
        if skew.saturating_abs() > SKEW_MAX_MS {
            return Err(Barred::Skewed(skew / 1000));
        }
        if once && proof.at_ms <= self.started.as_millisecond() {
            return Err(Barred::BeforeStart);
        }
        Ok(Proven { node: proof.node.clone(), key })
    }

    /// Drops what is remembered of nodes of which nothing came that a clock would still let in. Of a node that is removed
    /// it stays until then: it may be known again by the same key, and a recorded order counts once all the same.
    pub fn sweep(&self, now: Timestamp) {
        let oldest = now.as_millisecond().saturating_sub(SKEW_MAX_MS);
        let is_needed = |came: &Came| came.nonces.last().is_some_and(|(at, _)| *at >= oldest);
        self.came.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, came| is_needed(came));
    }

    fn note(&self, proof: &Proof, now: Timestamp) -> Result<(), Barred> {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let came = came.entry(proof.node.clone()).or_insert_with(|| Came { nonces: BTreeSet::new(), floor: i64::MIN });
        // What is older than this is refused for its clock.
        let oldest = now.as_millisecond().saturating_sub(SKEW_MAX_MS);
        came.nonces = came.nonces.split_off(&(oldest, [0; 16]));
        if proof.at_ms <= came.floor || !came.nonces.insert((proof.at_ms, proof.nonce)) {
            return Err(Barred::Replayed);
        }
        while came.nonces.len() > NONCES {
            if let Some((at, _)) = came.nonces.pop_first() {
                came.floor = at;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::node_key::NodeKeys;
    use super::*;

    const NOW: i64 = 1_790_000_000;
    const ASKED: Asked<'_> = Asked { method: "POST", path: "/fed/v1/act" };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn name(text: &str) -> NodeName {
        text.parse().expect("a name")
    }

    fn gate() -> NodeGate {
        NodeGate::new(name("hub-2"), at(NOW - 3600))
    }

    struct Asker {
        _dir: tempfile::TempDir,
        keys: NodeKeys,
    }

    impl Asker {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            Self { keys: NodeKeys::open(dir.path(), at(0)).expect("a key"), _dir: dir }
        }

        fn proof(&self, to: &str, when: i64) -> Proof {
            Proof::new(&self.keys, &name("hub-1"), &name(to), &ASKED, b"", at(when))
        }

        fn admitted(&self, gate: &NodeGate, proof: &Proof, now: i64) -> Result<Proven, Barred> {
            gate.admit(proof, &ASKED, &self.keys.public(), true, at(now))
        }
    }

    #[test]
    fn a_request_counts_once_and_only_for_whom_it_is_meant() {
        let (gate, asker) = (gate(), Asker::new());
        let proof = asker.proof("hub-2", NOW);
        assert_eq!(asker.admitted(&gate, &proof, NOW).expect("it is let in").node, name("hub-1"));
        assert_eq!(asker.admitted(&gate, &proof, NOW + 299), Err(Barred::Replayed));
        assert_eq!(asker.admitted(&gate, &proof, NOW + 301), Err(Barred::Skewed(-301)));
        assert!(asker.admitted(&gate, &asker.proof("hub-2", NOW), NOW).is_ok(), "another nonce");
        let other = asker.proof("hub-3", NOW);
        let barred = Barred::OtherNode { meant: name("hub-3"), this: name("hub-2") };
        assert_eq!(asker.admitted(&gate, &other, NOW), Err(barred));
        let stranger = Asker::new();
        let forged = stranger.proof("hub-2", NOW);
        assert_eq!(gate.admit(&forged, &ASKED, &asker.keys.public(), true, at(NOW)), Err(Barred::Unproven));
    }

    #[test]
    fn clocks_may_differ_by_five_minutes() {
        let (gate, asker) = (gate(), Asker::new());
        for (off, good) in [(-300, true), (300, true), (-301, false), (301, false)] {
            let admitted = asker.admitted(&gate, &asker.proof("hub-2", NOW + off), NOW);
            assert_eq!(admitted.is_ok(), good, "{off}: {admitted:?}");
        }
    }

    #[test]
    fn what_must_not_be_done_twice_is_younger_than_the_process() {
        let asker = Asker::new();
        let gate = NodeGate::new(name("hub-2"), at(NOW));
        let proof = asker.proof("hub-2", NOW - 1);
        assert_eq!(asker.admitted(&gate, &proof, NOW), Err(Barred::BeforeStart));
        assert!(gate.admit(&proof, &ASKED, &asker.keys.public(), false, at(NOW)).is_ok(), "a heartbeat may");
    }

    #[test]
    fn a_flood_of_one_node_opens_no_way_for_a_replay() {
        let (gate, asker) = (gate(), Asker::new());
        let first = asker.proof("hub-2", NOW);
        asker.admitted(&gate, &first, NOW).expect("it is let in");
        {
            let mut came = gate.came.lock().expect("not poisoned");
            let came = came.get_mut(&name("hub-1")).expect("it came");
            came.nonces
                .extend((1..i64::try_from(NONCES).expect("in range")).map(|number| (NOW * 1000 + number, [0; 16])));
        }
        let next = asker.proof("hub-2", NOW + 60);
        asker.admitted(&gate, &next, NOW + 60).expect("the newest is let in");
        assert_eq!(asker.admitted(&gate, &first, NOW + 60), Err(Barred::Replayed), "it was forgotten, and is too old");
        assert_eq!(gate.came.lock().expect("not poisoned")[&name("hub-1")].nonces.len(), NONCES);
    }

    #[test]
    fn what_came_from_a_node_that_is_removed_does_not_count_again() {
        let (gate, asker) = (gate(), Asker::new());
        let proof = asker.proof("hub-2", NOW);
        asker.admitted(&gate, &proof, NOW).expect("it is let in");
        gate.sweep(at(NOW + 300));
        assert_eq!(asker.admitted(&gate, &proof, NOW + 300), Err(Barred::Replayed));
        gate.sweep(at(NOW + 301));
        assert!(gate.came.lock().expect("not poisoned").is_empty(), "its clock keeps it out now");
    }

    #[test]
    fn who_is_forgotten_is_not_known() {
        let (known, asker) = (KnownNodes::default(), Asker::new());
        known.put(name("hub-1"), PinnedKeys::of(asker.keys.key(), at(NOW)));
        assert_eq!(known.keys(&name("hub-1"), at(NOW)), [asker.keys.key()]);
        known.forget(&name("hub-1"));
        assert!(known.keys(&name("hub-1"), at(NOW)).is_empty());
    }
}
