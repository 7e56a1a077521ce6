//! Who acts for all: the highest random weight of a subject and a node (Thaler, Ravishankar 1996), which every node
//! computes alike without asking anybody.

use std::cmp::Reverse;

use sha2::{Digest, Sha256};

use crate::model::NodeName;

/// The node among `nodes` that acts on `subject`. When one goes, only what it acted on finds another.
#[must_use]
pub fn owner<'a>(subject: &str, nodes: impl IntoIterator<Item = &'a NodeName>) -> Option<&'a NodeName> {
    order_of(subject, nodes).into_iter().next()
}

/// `nodes` in the order in which they act on `subject`, should those before them not.
#[must_use]
pub fn order_of<'a>(subject: &str, nodes: impl IntoIterator<Item = &'a NodeName>) -> Vec<&'a NodeName> {
    let mut nodes: Vec<&NodeName> = nodes.into_iter().collect();
    nodes.sort_by_cached_key(|node| Reverse(weight(subject, node)));
    nodes.dedup();
    nodes
}

fn weight(subject: &str, node: &NodeName) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"aurora owner 1\0");
    hash.update((subject.len() as u64).to_be_bytes());
    hash.update(subject);
    hash.update(node.as_str());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: usize) -> Vec<NodeName> {
        (0..count).map(|n| format!("hub-{n}").parse().expect("a name")).collect()
    }

    fn subjects() -> Vec<String> {
        (0..1_000).map(|n| format!("check-{n}")).collect()
    }

    #[test]
    fn everybody_finds_the_same_whatever_order_they_know_the_nodes_in() {
        let nodes = nodes(7);
        for subject in subjects() {
            assert_eq!(order_of(&subject, &nodes), order_of(&subject, nodes.iter().rev().chain(&nodes)));
            assert_eq!(owner(&subject, &nodes), order_of(&subject, &nodes).first().copied());
        }
        assert_eq!(owner("check", &[]), None);
    }

    #[test]
    fn the_work_is_spread_and_only_that_of_a_node_that_goes_moves() {
        let nodes = nodes(5);
        let mut count = [0_u32; 5];
        for subject in subjects() {
            let before = owner(&subject, &nodes).expect("one");
            let place = nodes.iter().position(|node| node == before).expect("one of them");
            count[place] += 1;
            let after = owner(&subject, &nodes[1..]).expect("one");
            assert!(place == 0 || after == before, "{subject}");
        }
        assert!(count.iter().all(|count| (150..250).contains(count)), "{count:?}");
    }
}
