//! The last bytes of a pane, so that whoever is not far behind goes on with bytes and needs no whole screen.

use std::collections::VecDeque;

/// Bytes that are kept.
const KEPT: usize = 256 << 10;

/// The end of a stream.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: VecDeque<u8>,
    end: u64,
}

impl Pending {
    /// Nothing is kept; the stream goes on at `place`.
    pub(super) fn begin(&mut self, place: u64) {
        self.bytes.clear();
        self.end = place;
    }

    /// The stream went on with `bytes`.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.end = self.end.wrapping_add(bytes.len() as u64);
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let too_much = (self.bytes.len() + bytes.len()).saturating_sub(KEPT);
        self.bytes.drain(..too_much);
        self.bytes.extend(bytes);
    }

    /// The place behind the last byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes there are from `place` on; `None` where some of them are not kept any more.
    pub(super) fn since(&self, place: u64) -> Option<usize> {
        let behind = self.end.checked_sub(place)?;
        usize::try_from(behind).ok().filter(|behind| *behind <= self.bytes.len())
    }

    /// The last `count` bytes.
    pub(super) fn last(&self, count: usize) -> Vec<u8> {
        self.bytes.range(self.bytes.len().saturating_sub(count)..).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_the_end_and_what_is_not_is_known() {
        let mut pending = Pending::default();
        pending.begin(1_000);
        pending.push(b"abc");
        assert_eq!((pending.end(), pending.since(1_000), pending.since(1_003)), (1_003, Some(3), Some(0)));
        assert_eq!(pending.last(2), b"bc");
        assert_eq!((pending.since(999), pending.since(1_004)), (None, None), "before and after");
        pending.push(&vec![b'x'; KEPT - 1]);
        assert_eq!(pending.since(1_000), None);
        assert_eq!(pending.since(1_002), Some(KEPT));
        assert_eq!(pending.last(KEPT)[0], b'c');
        pending.push(&vec![b'y'; 3 * KEPT]);
        assert_eq!(pending.bytes.len(), KEPT);
        assert_eq!(pending.end(), 1_003 + (4 * KEPT as u64) - 1);
        pending.begin(7);
        assert_eq!((pending.since(7), pending.since(6)), (Some(0), None));
    }
}
