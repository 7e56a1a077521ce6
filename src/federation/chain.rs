//! Whether a page can be believed: it follows what is known, every hash is right, and its origin has signed the last one.

use crate::model::{ChainHash, EpochId, Head, NodeKey, NodeName, SharedEvent};
use crate::protocol::{BODY_BYTES, HOPS_MAX, PAGE_BYTES, PAGE_EVENTS, Page};
use crate::store::CheckedPage;

/// Bytes of a subject at most.
pub const SUBJECT_BYTES: usize = 256;

/// What a page has to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follows {
    /// Whose log.
    pub origin: NodeName,
    /// Which life of it; `None`: whichever it has.
    pub epoch: Option<EpochId>,
    /// The number of the entry before.
    pub after: u64,
    /// The hash of that entry.
    pub hash: ChainHash,
    /// Whether everything between what is held and that entry is gone for good.
    pub skips: bool,
    /// How many entries before that one count as missing when nothing is held of that life.
    pub missed: u64,
}

/// Why a page is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// It is not what was asked for, or cannot be judged. Nothing is said about who brought it but that it is of no use.
    #[error("{0}")]
    Unusable(String),
    /// It contradicts itself, or what its origin itself has said before. Whoever brought it would have found that out.
    #[error("{0}")]
    Broken(String),
}

/// Judges a page that `from` brought as the answer to what `follows` says. `keys` are the pinned ones of the origin,
/// `verify` looks at the signature of a head under the key it names. `None`: there is nothing new.
///
/// # Errors
/// Why it is not believed.
pub fn check(
    mut page: Page,
    follows: &Follows,
    from: &NodeName,
    keys: &[NodeKey],
    verify: impl Fn(&Head) -> bool,
) -> Result<Option<CheckedPage>, PageFault> {
    fits(&page, follows, from)?;
    let head = page.head.take();
    let Some(last) = page.events.last() else { return Ok(None) };
    let Some(head) = head else { return unusable("it has entries and no head that covers them") };
    if !keys.contains(&head.key) {
        return unusable(format!(
            "the log of {} is signed with a key that is not pinned here: {}",
            follows.origin,
            head.key.fingerprint()
        ));
    }
    if let Err(seq) = chain_holds(&page, &follows.hash) {
        // What came from the origin itself contradicts it. What a relay brought may be a log that the origin has forked,
        // or one that the relay has; who is right shows only to who asks the origin.
        let is_first = page.events.first().is_some_and(|first| first.seq == seq);
        let why = format!("entry {seq} of the log of {} does not follow the one before", follows.origin);
        return Err(if is_first && *from != follows.origin {
            PageFault::Unusable(why)
        } else {
            PageFault::Broken(why)
        });
    }
    if head.origin != page.origin || (head.seq, head.hash) != (last.seq, last.hash) || !verify(&head) {
        return Err(PageFault::Broken(format!("{} has not signed entry {} of its log", follows.origin, last.seq)));
    }
    Ok(Some(CheckedPage {
        origin: page.origin,
        after: follows.after,
        before: follows.hash,
        events: page.events,
        head,
        hops: page.hops,
        skips: follows.skips,
        missed: follows.missed,
    }))
}

fn unusable<T>(why: impl Into<String>) -> Result<T, PageFault> {
    Err(PageFault::Unusable(why.into()))
}

/// Whether it has the shape of an answer: the right log, in order, within the bounds.
fn fits(page: &Page, follows: &Follows, from: &NodeName) -> Result<(), PageFault> {
    if page.origin.node != follows.origin || follows.epoch.is_some_and(|epoch| epoch != page.origin.epoch) {
        return unusable("it is of another log than was asked for");
    }
    let is_direct = *from == follows.origin;
    if page.hops > HOPS_MAX || is_direct != (page.hops == 0) {
        return unusable(format!("it claims to have come over {} relays", page.hops));
    }
    let Some(last) = page.events.last() else {
        if page.more {
            return unusable("it has no entries and says that there are more");
        }
        return Ok(());
    };
    if page.events.len() > PAGE_EVENTS {
        return unusable(format!("it has {} entries; {PAGE_EVENTS} are allowed", page.events.len()));
    }
    let bytes: usize = page.events.iter().map(|event| event.subject.len() + event.body.get().len()).sum();
    if bytes > PAGE_BYTES || page.events.iter().any(is_oversized) {
        return unusable("it has an entry that is too long");
    }
    // Numbers in a database end at half of those on the wire.
    let Some(end) = follows.after.checked_add(page.events.len() as u64).filter(|end| i64::try_from(*end).is_ok())
    else {
        return unusable("its numbers are beyond all bounds");
    };
    if !(follows.after + 1..=end).eq(page.events.iter().map(|event| event.seq)) {
        return unusable(format!("its entries are not those after {} in order", follows.after));
    }
    if page.high < last.seq || page.low > follows.after + 1 {
        return unusable(format!("it says that it goes from {} to {} and holds others", page.low, page.high));
    }
    Ok(())
}

fn is_oversized(event: &SharedEvent) -> bool {
    event.body.get().len() > BODY_BYTES || event.subject.len() > SUBJECT_BYTES
}

/// Computes every hash; the number of the first entry whose hash is another one than it says.
fn chain_holds(page: &Page, before: &ChainHash) -> Result<(), u64> {
    let mut before = *before;
    for event in &page.events {
        if event.chained(&page.origin, &before) != event.hash {
            return Err(event.seq);
        }
        before = event.hash;
    }
    Ok(())
}
