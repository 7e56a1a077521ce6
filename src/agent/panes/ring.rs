//! What a pane printed last, kept for everybody who watches it. Whoever fills it waits for nobody.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Bytes that are kept of a pane. Who falls behind by more sees a whole screen instead.
pub(super) const RING_MAX: usize = 1 << 20;

/// The end of a pane's stream.
#[derive(Debug)]
pub(super) struct Ring {
    kept: Mutex<Kept>,
    news: watch::Sender<()>,
    /// How many want every byte, however fast they come.
    whole: AtomicUsize,
}

/// Somebody wants every byte, until this is dropped.
#[derive(Debug)]
pub(super) struct Whole(Arc<Ring>);

impl Drop for Whole {
    fn drop(&mut self) {
        self.0.whole.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Kept {
    bytes: VecDeque<u8>,
    /// The place after the last byte.
    end: u64,
    /// The place of the first byte there ever was.
    birth: u64,
    /// How often the stream broke off: what came next did not follow, or the pane had another size from there on.
    life: u32,
    /// Where it broke off last.
    broken: u64,
    /// The last life that began behind what came too fast to be followed, and where.
    raced: Option<(u32, u64)>,
    size: Option<(u16, u16)>,
}

/// What there is for somebody who has everything up to a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// Only a whole screen helps.
    Whole,
}

impl Ring {
    /// An empty one. Its places begin anywhere: a place of another stream is then none of this one.
    pub(super) fn new(birth: u64) -> Self {
        let kept = Kept { bytes: VecDeque::new(), end: birth, birth, life: 0, broken: birth, raced: None, size: None };
        Self { kept: Mutex::new(kept), news: watch::Sender::new(()), whole: AtomicUsize::new(0) }
    }

    /// Woken at every change.
    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// It printed this.
    pub(super) fn push(&self, bytes: &[u8]) {
        {
            let mut kept = self.kept();
            kept.end += bytes.len() as u64;
            let newest = &bytes[bytes.len().saturating_sub(RING_MAX)..];
            let too_much = (kept.bytes.len() + newest.len()).saturating_sub(RING_MAX);
            kept.bytes.drain(..too_much);
            kept.bytes.extend(newest);
        }
        self.news.send_replace(());
    }

    /// What comes next does not follow what came.
    pub(super) fn breaks(&self) {
        {
            let mut kept = self.kept();
            kept.life += 1;
            kept.broken = kept.end;
        }
        self.news.send_replace(());
    }

    /// It has printed more than anybody can follow, and nobody knows how much. What is printed now does not follow what came.
    pub(super) fn races(&self) {
        {
            let mut kept = self.kept();
            kept.life += 1;
            (kept.broken, kept.raced) = (kept.end, Some((kept.life, kept.end)));
        }
        self.news.send_replace(());
    }

    /// Whether something between the lives `from` and `to` came too fast to be followed.
    pub(super) fn has_raced(&self, from: u32, to: u32) -> bool {
        self.kept().raced.is_some_and(|(life, _)| from < life && life <= to)
    }

    /// Whether something behind `place` did, which somebody has everything up to.
    pub(super) fn has_raced_behind(&self, place: u64) -> bool {
        let kept = self.kept();
        kept.birth <= place && kept.raced.is_some_and(|(_, at)| at >= place)
    }

    /// Every byte of it is wanted.
    pub(super) fn whole(self: &Arc<Self>) -> Whole {
        self.whole.fetch_add(1, Ordering::Relaxed);
        Whole(Arc::clone(self))
    }

    /// Whether anybody wants every byte of it.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed) > 0
    }

    /// What it printed from now on until it is heard again is lost, and nobody knows how much that is. It is one place in
    /// the stream, so that it is counted as a loss.
    pub(super) fn loses(&self) {
        self.breaks();
        self.push(&[0]);
    }

    /// The pane has this size. Another one than before breaks the stream: what is drawn on a screen of the old size is
    /// not what the pane shows.
    pub(super) fn sized(&self, size: (u16, u16)) {
        let before = self.kept().size.replace(size);
        if before.is_some_and(|before| before != size) {
            self.breaks();
        }
    }

    /// The place after the last byte, and the life it is in.
    pub(super) fn end(&self) -> (u64, u32) {
        let kept = self.kept();
        (kept.end, kept.life)
    }

    /// The life in which somebody who has everything up to `place` can go on without a whole screen.
    pub(super) fn resumed(&self, place: u64) -> Option<u32> {
        let kept = self.kept();
        let unbroken = place > kept.broken || (kept.life == 0 && place == kept.birth);
        (kept.start() <= place && place <= kept.end && unbroken).then_some(kept.life)
    }

    /// How much is lost to somebody who has everything up to `place` and goes on at `at`; 0 where that is not known.
    pub(super) fn lost(&self, place: u64, at: u64) -> u64 {
        let kept = self.kept();
        if kept.birth <= place && place <= at { at - place } else { 0 }
    }

    /// At most `most` bytes from `place` on, of the life `life`; of an earlier one up to where that broke off.
    pub(super) fn read(&self, place: u64, life: u32, most: u64) -> Next {
        let kept = self.kept();
        let until = if life == kept.life { kept.end } else { kept.broken };
        if place < kept.start() {
            return Next::Whole;
        }
        if life != kept.life && (life + 1 < kept.life || place >= until) {
            return Next::Whole;
        }
        let count = until.saturating_sub(place).min(most);
        if count == 0 {
            return Next::Nothing;
        }
        let from = usize::try_from(place - kept.start()).unwrap_or(RING_MAX);
        let to = from.saturating_add(usize::try_from(count).unwrap_or(RING_MAX));
        Next::Bytes(kept.bytes.range(from..to).copied().collect())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The place of the first byte that is kept.
    fn start(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_follows_what_was_read() {
        let ring = Ring::new(100);
        ring.push(b"abc");
        ring.push(b"def");
        assert_eq!(ring.read(100, 0, 4), Next::Bytes(b"abcd".to_vec()));
        assert_eq!(ring.read(104, 0, 4), Next::Bytes(b"ef".to_vec()));
        assert_eq!(ring.read(106, 0, 4), Next::Nothing);
        assert_eq!(ring.read(99, 0, 4), Next::Whole, "it was never there");
    }

    #[test]
    fn it_is_bounded_and_who_is_too_slow_is_told() {
        let ring = Ring::new(0);
        let piece = vec![b'x'; RING_MAX / 2 + 1];
        ring.push(&piece);
        ring.push(&piece);
        assert_eq!(ring.read(0, 0, 1), Next::Whole);
        assert_eq!(ring.read(2, 0, 1), Next::Bytes(b"x".to_vec()));
        ring.push(&vec![b'y'; 3 * RING_MAX]);
        let (end, _) = ring.end();
        assert_eq!(end, 2 * piece.len() as u64 + 3 * RING_MAX as u64);
        assert_eq!(ring.read(end - RING_MAX as u64, 0, u64::MAX), Next::Bytes(vec![b'y'; RING_MAX]));
        assert_eq!(ring.lost(2, end), end - 2);
    }

    #[test]
    fn a_break_is_read_up_to_and_not_over() {
        let ring = Ring::new(7);
        ring.push(b"abc");
        ring.breaks();
        ring.push(b"def");
        assert_eq!(ring.read(7, 0, 9), Next::Bytes(b"abc".to_vec()));
        assert_eq!(ring.read(10, 0, 9), Next::Whole);
        assert_eq!(ring.read(10, 1, 9), Next::Bytes(b"def".to_vec()));
        ring.breaks();
        assert_eq!(ring.read(8, 0, 9), Next::Whole, "two breaks: the first hides between");
    }

    #[test]
    fn another_size_breaks_the_stream_and_the_same_does_not() {
        let ring = Ring::new(0);
        ring.sized((80, 24));
        ring.sized((80, 24));
        assert_eq!(ring.end(), (0, 0));
        ring.sized((81, 24));
        assert_eq!(ring.end(), (0, 1));
    }

    #[test]
    fn what_nobody_heard_is_counted_and_never_read() {
        let ring = Ring::new(0);
        ring.push(b"abc");
        ring.loses();
        assert_eq!(ring.read(0, 0, 9), Next::Bytes(b"abc".to_vec()));
        assert_eq!(ring.read(3, 0, 9), Next::Whole);
        assert_eq!((ring.end(), ring.lost(3, 4)), ((4, 1), 1), "a screen goes on behind it");
        assert_eq!((ring.resumed(3), ring.resumed(4)), (None, Some(1)));
    }

    #[test]
    fn what_came_too_fast_has_no_size_and_is_known_to_whoever_was_before_it() {
        let ring = Arc::new(Ring::new(0));
        ring.push(b"abc");
        ring.races();
        assert_eq!(ring.end(), (3, 1), "no byte that nobody printed");
        assert_eq!((ring.read(0, 0, 9), ring.read(3, 0, 9)), (Next::Bytes(b"abc".to_vec()), Next::Whole));
        ring.push(b"def");
        ring.breaks();
        assert!(ring.has_raced(0, 1) && ring.has_raced(0, 2));
        assert!(!ring.has_raced(0, 0) && !ring.has_raced(1, 2) && !ring.has_raced(2, 2));
        assert!(ring.has_raced_behind(3) && !ring.has_raced_behind(4));
        assert_eq!(ring.resumed(3), None);
        let whole = ring.whole();
        assert!(ring.is_whole());
        drop(whole);
        assert!(!ring.is_whole());
    }

    #[test]
    fn a_watch_is_resumed_where_nothing_is_missing() {
        let ring = Ring::new(50);
        assert_eq!(ring.resumed(50), Some(0));
        ring.push(b"abc");
        assert_eq!((ring.resumed(51), ring.resumed(49), ring.resumed(54)), (Some(0), None, None));
        assert_eq!(ring.lost(7, 53), 0, "a place of another stream");
        ring.breaks();
        assert_eq!((ring.resumed(51), ring.resumed(53)), (None, None), "nobody knows what came between");
        ring.push(b"d");
        assert_eq!(ring.resumed(54), Some(1));
        ring.push(&vec![b'x'; RING_MAX]);
        assert_eq!(ring.resumed(54), Some(1));
        ring.push(b"x");
        assert_eq!((ring.resumed(54), ring.lost(54, 60)), (None, 6));
    }
}
