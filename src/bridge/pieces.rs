//! The output of a job as it comes in: each piece once, in order, and whether it is all of it.

use sha2::{Digest, Sha256};

use crate::model::OutputChunk;

/// What came in so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    next: u64,
    gaps: u64,
    hash: Sha256,
}

impl Pieces {
    /// The number of the piece that is wanted next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Pieces that were left out between those that came.
    pub(super) fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Whether this piece is new. One that came already, over this road or another, is dropped.
    pub(super) fn take(&mut self, chunk: &OutputChunk) -> bool {
        if chunk.seq < self.next {
            return false;
        }
        self.gaps += chunk.seq - self.next;
        self.next = chunk.seq + 1;
        self.hash.update(&chunk.bytes);
        true
    }

    /// Whether what came is what the host kept. A shim that cannot hash says nothing, and is believed.
    pub(super) fn are(&self, sha256: &str) -> bool {
        sha256.is_empty() || hex::encode(self.hash.clone().finalize()) == sha256
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::Stream;

    use super::*;

    fn chunk(seq: u64) -> OutputChunk {
        OutputChunk { seq, stream: Stream::Out, bytes: seq.to_be_bytes().to_vec() }
    }

    fn hash(seqs: &[u64]) -> String {
        let bytes: Vec<u8> = seqs.iter().flat_map(|seq| seq.to_be_bytes()).collect();
        hex::encode(Sha256::digest(bytes))
    }

    #[test]
    fn a_gap_is_counted_and_a_repeat_dropped() {
        let mut pieces = Pieces::default();
        let new: Vec<bool> = [0, 1, 1, 0, 5, 4, 6].into_iter().map(|seq| pieces.take(&chunk(seq))).collect();
        assert_eq!(new, [true, true, false, false, true, false, true]);
        assert_eq!((pieces.next(), pieces.gaps()), (7, 3));
        assert!(pieces.are(&hash(&[0, 1, 5, 6])) && pieces.are("") && !pieces.are(&hash(&[0, 1, 4, 5, 6])));
    }

    proptest! {
        /// Two roads deliver the same pieces, the second from where the first was when it was asked: each comes once.
        #[test]
        fn the_same_pieces_over_two_roads_come_once(
            total in 0u64..40, from in 0u64..40, order in proptest::collection::vec(any::<bool>(), 80),
        ) {
            let mut pieces = Pieces::default();
            let (mut first, mut second) = (0..total, 0..0);
            let mut seen = Vec::new();
            for turn in order {
                if second.is_empty() && pieces.next() >= from {
                    second = pieces.next()..total;
                }
                let seq = if turn { first.next() } else { second.next() }.or_else(|| first.next());
                seen.extend(seq.filter(|seq| pieces.take(&chunk(*seq))));
            }
            prop_assert_eq!(&seen, &(0..pieces.next()).collect::<Vec<_>>());
            prop_assert!(pieces.are(&hash(&seen)));
            prop_assert_eq!(pieces.gaps(), 0);
        }
    }
}
