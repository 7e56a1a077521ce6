//! Pages that are not as their origin gave them.

use proptest::prelude::*;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::model::{ChainHash, EpochId, Head, Hlc, NodeName, Origin, SharedEvent, SharedId, SharedKind};
use crate::protocol::{BODY_BYTES, PAGE_EVENTS, Page};

use super::conformance::{key, name, sign, verify};
use super::{Follows, PageFault, SUBJECT_BYTES, check};

fn origin() -> Origin {
    Origin { node: name("a"), epoch: EpochId::from_uuid(Uuid::from_u128(7)) }
}

/// A page of `count` entries after `after`, as an honest origin gives it, and what it follows.
pub(super) fn page(after: u64, count: usize, hops: u8) -> (Page, Follows) {
    let origin = origin();
    let before = ChainHash::from_bytes([after.to_le_bytes()[0]; 32]);
    let before = if after == 0 { ChainHash::BEGINNING } else { before };
    let mut hash = before;
    let events: Vec<SharedEvent> = (after + 1..)
        .take(count)
        .map(|seq| {
            let mut event = SharedEvent {
                id: SharedId::from_uuid(Uuid::from_u128(seq.into())),
                seq,
                hlc: Hlc::from_bits(seq << 16),
                kind: SharedKind::Check,
                subject: format!("check {seq}"),
                body: RawValue::from_string(format!("{{\"n\": {seq}}}")).expect("JSON"),
                hash,
            };
            event.hash = event.chained(&origin, &hash);
            hash = event.hash;
            event
        })
        .collect();
    let high = after + count as u64;
    let head = (count > 0).then(|| sign(&origin, high, &hash, key(&origin.node)));
    let follows = Follows {
        origin: origin.node.clone(),
        epoch: Some(origin.epoch),
        after,
        hash: before,
        skips: false,
        missed: 0,
    };
    (Page { origin, events, head, high, low: 1, more: false, hops }, follows)
}

fn judged(page: Page, follows: &Follows, from: &NodeName) -> Result<Option<Vec<SharedEvent>>, PageFault> {
    check(page, follows, from, &[key(&follows.origin)], verify).map(|page| page.map(|page| page.events))
}

/// Ways to lie with a page. Each makes it one that its origin never gave.
pub(super) const LIES: u64 = 24;

/// Changes `page` by one lie; `place` says where.
pub(super) fn lie(page: &mut Page, which: u64, place: usize) {
    let count = page.events.len();
    if count == 0 {
        page.more = true;
        return;
    }
    let at = place % count;
    let other = || EpochId::from_uuid(Uuid::from_u128(99));
    match which % LIES {
        0 => page.events[at].hash = ChainHash::from_bytes([9; 32]),
        1 => page.events[at].body = RawValue::from_string("\"all is well\"".into()).expect("JSON"),
        2 => page.events[at].subject.push('x'),
        3 => page.events[at].kind = SharedKind::Told,
        4 => page.events[at].hlc = Hlc::from_bits(page.events[at].hlc.bits() + 1),
        5 => page.events[at].id = SharedId::from_uuid(Uuid::from_u128(0xbad)),
        6 => page.events[at].seq += 1,
        7 => page.events.iter_mut().for_each(|event| event.seq += 1),
        8 => drop(page.events.remove(at)),
        9 => page.events.insert(at, page.events[at].clone()),
        10 => page.events.push(page.events[0].clone()),
        11 => page.events = page.events.iter().cycle().take(PAGE_EVENTS + 1).cloned().collect(),
        12 => page.events[at].subject = "s".repeat(SUBJECT_BYTES + 1),
        13 => page.events[at].body = RawValue::from_string(format!("\"{}\"", "b".repeat(BODY_BYTES))).expect("JSON"),
        14 => page.origin.node = name("b"),
        15 => page.origin.epoch = other(),
        16 => page.head = None,
        17 => head(page).signature[3] ^= 1,
        18 => head(page).hash = ChainHash::from_bytes([8; 32]),
        19 => head(page).seq += 1,
        20 => {
            // A signature that is right, of somebody else.
            let Some(head) = page.head.take() else { return };
            page.head = Some(sign(&head.origin, head.seq, &head.hash, key(&name("b"))));
        }
        21 => page.hops = if page.hops == 0 { 1 } else { 3 },
        22 => page.high = page.events[0].seq - 1,
        _ => page.low = page.events[0].seq + 1,
    }
    if which % LIES == 8 && page.events.is_empty() {
        page.more = true;
    }
}

fn head(page: &mut Page) -> &mut Head {
    page.head.as_mut().expect("a head")
}

proptest! {
    #[test]
    fn an_honest_page_is_believed_and_no_lie_is(
        after in 0_u64..1_000, count in 1_usize..12, which in 0..LIES, place in 0_usize..12, relayed: bool,
    ) {
        let (page, follows) = page(after, count, u8::from(relayed));
        let from = if relayed { name("relay") } else { name("a") };
        prop_assert_eq!(judged(page.clone(), &follows, &from), Ok(Some(page.events.clone())));
        let mut lied = page.clone();
        lie(&mut lied, which, place);
        prop_assert_ne!(&lied, &page);
        prop_assert!(judged(lied, &follows, &from).is_err());
    }

    #[test]
    fn a_page_that_follows_something_else_is_not_believed(after in 1_u64..1_000, count in 1_usize..5, relayed: bool) {
        let (page, mut follows) = page(after, count, u8::from(relayed));
        let from = if relayed { name("relay") } else { name("a") };
        follows.hash = ChainHash::from_bytes([!after.to_le_bytes()[0]; 32]);
        // The origin contradicts itself. A relay may have it from an origin that does.
        match judged(page, &follows, &from) {
            Err(PageFault::Broken(_)) => prop_assert!(!relayed),
            Err(PageFault::Unusable(_)) => prop_assert!(relayed),
            Ok(_) => prop_assert!(false, "it is believed"),
        }
    }

    #[test]
    fn an_older_or_a_later_page_is_not_what_was_asked_for(after in 0_u64..100, asked in 0_u64..100) {
        prop_assume!(after != asked);
        let (page, mut follows) = page(after, 3, 0);
        follows.after = asked;
        prop_assert!(matches!(judged(page, &follows, &name("a")), Err(PageFault::Unusable(_))));
    }
}

#[test]
fn what_only_a_liar_brings_is_told_from_what_is_of_no_use() {
    let broken = |which, hops| {
        let (mut page, follows) = page(5, 4, hops);
        lie(&mut page, which, 2);
        let from = if hops == 0 { name("a") } else { name("relay") };
        matches!(judged(page, &follows, &from), Err(PageFault::Broken(_)))
    };
    for hops in [0, 1] {
        for which in [0, 1, 2, 3, 4, 5, 17, 18, 19] {
            assert!(broken(which, hops), "lie {which} over {hops}");
        }
        for which in [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23] {
            assert!(!broken(which, hops), "lie {which} over {hops}");
        }
    }
}

#[test]
fn numbers_end_before_they_run_over() {
    for after in [u64::MAX - 2, u64::MAX, u64::from(u32::MAX) << 31] {
        let (mut page, mut follows) = page(5, 4, 0);
        follows.after = after;
        for (n, event) in (1..).zip(&mut page.events) {
            event.seq = after.wrapping_add(n);
        }
        page.high = u64::MAX;
        assert!(judged(page, &follows, &name("a")).is_err(), "{after}");
    }
    let (empty, follows) = page(5, 0, 0);
    assert_eq!(judged(empty.clone(), &follows, &name("a")), Ok(None));
    assert!(judged(Page { more: true, ..empty }, &follows, &name("a")).is_err(), "more of nothing");
}
