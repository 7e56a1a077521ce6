//! What follows from the word of one node for another one. Pure: of what is known here, and of what is said.
//!
//! Who was invited, added or named in the file is known by its own key, and nobody's word changes that. Who is known by
//! the word of another node alone hangs on that one: its keys are those that one names, it has no door of its own here,
//! and it counts for as long as the word of that one does.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{NodeName, PinnedKeys, Trust};
use crate::protocol::{SEES_MAX, Seen};
use crate::store::KnownNode;

/// The nodes that are known, by name.
pub(super) type Known = BTreeMap<NodeName, KnownNode>;

/// Nodes that are known by the word of one node at most, so that a lie of one leaves room for the others.
const BY_ONE: usize = 128;

/// What the word of a node for one other comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// That one is known now, by this word alone.
    New(KnownNode),
    /// It is known by this word alone, and its keys are these now.
    Rekeyed(PinnedKeys),
    /// It is known by one of these keys.
    Same,
    /// It is known by other keys. Nobody can tell from here who is right: an operator may have taken its new key there
    /// already. So it is shown, and nothing about that node is taken from who says it.
    Disputed,
    /// Nothing follows.
    Nothing,
}

/// What the word of `by`, which counts here, comes to for a node that is not known beside these.
pub(super) struct Words<'a> {
    pub known: &'a Known,
    /// Nodes that an operator removed.
    pub removed: &'a BTreeSet<NodeName>,
    pub by: &'a NodeName,
    pub now: Timestamp,
    /// Nodes that are known in all, and by the word of `by`, counted on with each that is new.
    count: (usize, usize),
}

impl<'a> Words<'a> {
    pub(super) fn new(known: &'a Known, removed: &'a BTreeSet<NodeName>, by: &'a NodeName, now: Timestamp) -> Self {
        let by_it = known.values().filter(|node| node.is_vouched() && node.via.as_ref() == Some(by)).count();
        Self { known, removed, by, now, count: (known.len(), by_it) }
    }

    /// What this comes to.
    pub(super) fn take(&mut self, seen: &Seen) -> Word {
        let Some(known) = self.known.get(&seen.node) else { return self.unknown(seen) };
        let pinned = PinnedKeys(known.keys.clone());
        let is_its = known.is_vouched() && known.via.as_ref() == Some(self.by);
        if let Some(keys) = pinned.told(&seen.keys, self.now).filter(|_| is_its) {
            return Word::Rekeyed(keys);
        }
        let is_pinned = |key| known.keys.iter().any(|pinned| pinned.key == key);
        let agrees = seen.keys.is_empty() || seen.keys.iter().any(|key| is_pinned(*key));
        if agrees { Word::Same } else { Word::Disputed }
    }

    fn unknown(&mut self, seen: &Seen) -> Word {
        let (all, by_it) = self.count;
        if self.removed.contains(&seen.node) || all >= SEES_MAX || by_it >= BY_ONE {
            return Word::Nothing;
        }
        let Some(keys) = PinnedKeys::default().told(&seen.keys, self.now) else { return Word::Nothing };
        self.count = (all + 1, by_it + 1);
        Word::New(KnownNode {
            name: seen.node.clone(),
            url: None,
            pin: None,
            via: Some(self.by.clone()),
            trust: Trust::Report,
            configured: false,
            added: self.now,
            keys: keys.0,
            quarantine: None,
        })
    }
}

/// What a node may do here; `None` when nothing of it counts: it is in quarantine, or it is known by the word alone of one
/// that is, or that is trusted with nothing.
pub(super) fn trusted(known: &Known, node: &KnownNode) -> Option<Trust> {
    let by = node.via.as_ref().filter(|_| node.is_vouched());
    let is_vouched_for = by.is_none_or(|by| known.get(by).is_some_and(vouches));
    (node.quarantine.is_none() && is_vouched_for).then_some(node.trust)
}

/// Whether the word of a node for others counts. Who is vouched for does not vouch.
pub(super) fn vouches(node: &KnownNode) -> bool {
    !node.is_vouched() && node.quarantine.is_none() && node.trust >= Trust::Report
}

/// Whether the log of a node is kept in step.
pub(super) fn is_believed(known: &Known, node: &KnownNode) -> bool {
    trusted(known, node).is_some_and(|trust| trust >= Trust::Report)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{NodeKey, NodeState};
    use crate::store::Quarantine;

    fn name(text: &str) -> NodeName {
        text.parse().expect("a name")
    }

    fn keys(bytes: &[u8]) -> Vec<NodeKey> {
        bytes.iter().map(|byte| NodeKey::from_bytes([*byte; 32])).collect()
    }

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_second(1_700_000_000).expect("in range") + Duration::from_hours(hours)
    }

    fn node(text: &str, key: u8, via: Option<&str>) -> KnownNode {
        KnownNode {
            name: name(text),
            url: None,
            pin: None,
            via: via.map(name),
            trust: Trust::Report,
            configured: false,
            added: at(0),
            keys: PinnedKeys::of(keys(&[key])[0], at(0)).0,
            quarantine: None,
        }
    }

    fn known(nodes: Vec<KnownNode>) -> Known {
        nodes.into_iter().map(|node| (node.name.clone(), node)).collect()
    }

    fn seen(node: &str, named: &[u8]) -> Seen {
        Seen {
            node: name(node),
            state: NodeState::Alive,
            incarnation: 0,
            heard_ms: None,
            epoch: None,
            held: 0,
            direct: true,
            keys: keys(named),
        }
    }

    fn word(known: &Known, by: &str, seen: &Seen, hours: u64) -> Word {
        Words::new(known, &BTreeSet::new(), &name(by), at(hours)).take(seen)
    }

    #[test]
    fn who_is_known_by_a_word_alone_has_the_keys_that_word_names_and_the_one_before_for_a_day() {
        let mut all = known(vec![node("hub-2", 2, None), node("leaf", 9, Some("hub-2"))]);
        let Word::Rekeyed(both) = word(&all, "hub-2", &seen("leaf", &[10, 9]), 1) else { panic!("it has another key") };
        assert_eq!(both.counting(at(25)), keys(&[10, 9]));
        assert_eq!(both.counting(at(26)), keys(&[10]), "a key that was stolen does not count for ever");
        all.get_mut(&name("leaf")).expect("it is known").keys = both.0;
        for (named, what) in [(&[9][..], "an old one does not come back"), (&[11, 10], "one change at a time")] {
            assert_eq!(word(&all, "hub-2", &seen("leaf", named), 2), Word::Same, "{what}");
        }
        let Word::Rekeyed(next) = word(&all, "hub-2", &seen("leaf", &[11]), 30) else { panic!("it has another key") };
        assert_eq!(next.counting(at(31)), keys(&[11, 10]));
        assert_eq!(word(&all, "hub-3", &seen("leaf", &[11, 10]), 30), Word::Same, "not by the word of another one");
        assert_eq!(word(&all, "hub-3", &seen("leaf", &[12]), 30), Word::Disputed);
    }

    #[test]
    fn a_node_that_names_another_key_of_a_third_one_is_no_liar_for_it_and_not_followed_in_it() {
        let mut all = known(vec![node("hub-2", 2, None), node("hub-3", 3, None)]);
        assert_eq!(word(&all, "hub-2", &seen("hub-3", &[4]), 1), Word::Disputed);
        assert_eq!(word(&all, "hub-2", &seen("hub-3", &[4, 3]), 1), Word::Same, "it names its keys itself");
        let of_the_file = KnownNode { via: Some(name("hub-2")), configured: true, ..node("leaf", 9, None) };
        all.insert(name("leaf"), of_the_file);
        assert_eq!(word(&all, "hub-2", &seen("leaf", &[10]), 1), Word::Disputed, "the file names its key");
    }

    #[test]
    fn no_node_brings_more_than_its_share_of_others_nor_more_than_two_keys_of_one() {
        let all = known(vec![node("hub-2", 2, None)]);
        let (removed, hub) = (BTreeSet::from([name("gone")]), name("hub-2"));
        let mut words = Words::new(&all, &removed, &hub, at(1));
        let no_keys: [&[u8]; 3] = [&[], &[1, 2, 3], &[1, 1]];
        for named in no_keys {
            assert_eq!(words.take(&seen("odd", named)), Word::Nothing);
        }
        assert_eq!(words.take(&seen("gone", &[7])), Word::Nothing, "an operator has removed it");
        let new = (0..300).filter(|n| matches!(words.take(&seen(&format!("x{n}"), &[7])), Word::New(_))).count();
        assert_eq!(new, BY_ONE);
    }

    #[test]
    fn who_is_known_by_a_word_counts_for_as_long_as_who_said_it() {
        let (leaf, twig) = (node("leaf", 9, Some("hub-2")), node("twig", 8, Some("leaf")));
        let with = |hub: Option<KnownNode>| known([leaf.clone(), twig.clone()].into_iter().chain(hub).collect());
        let counts = |all: &Known| trusted(all, &all[&name("leaf")]);
        let hub = node("hub-2", 2, None);
        assert_eq!(counts(&with(Some(hub.clone()))), Some(Trust::Report));
        assert_eq!(trusted(&with(Some(hub.clone())), &twig), None, "who is vouched for does not vouch");
        assert_eq!(counts(&with(None)), None);
        assert_eq!(counts(&with(Some(KnownNode { trust: Trust::Observe, ..hub.clone() }))), None);
        let quarantine = Some(Quarantine { since: at(1), why: "it lied".into() });
        assert_eq!(counts(&with(Some(KnownNode { quarantine, ..hub }))), None);
        let of_the_file = KnownNode { configured: true, ..leaf.clone() };
        assert_eq!(trusted(&with(None), &of_the_file), Some(Trust::Report), "its key is the operator's");
    }
}
