//! How much of a watched pane may be on its way to an engine.

use crate::protocol::PANE_WINDOW;

/// The places of one watch.
#[derive(Debug)]
pub(super) struct Credit {
    /// Everything below it was sent, or left out.
    sent: u64,
    /// Everything below it was taken by the engine.
    seen: u64,
    /// The last whole screen, while the engine has not taken it: from which place to which it goes.
    whole: Option<(u64, u64)>,
}

impl Credit {
    /// Of an engine that has everything up to `place`.
    pub(super) fn at(place: u64) -> Self {
        Self { sent: place, seen: place, whole: None }
    }

    /// What comes next begins here.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many bytes more may be sent.
    pub(super) fn room(&self) -> u64 {
        let left_out = self.whole.map_or(0, |(from, to)| to - from);
        PANE_WINDOW.saturating_sub(self.sent - self.seen - left_out)
    }

    /// Whether a whole screen may be sent. One at a time is on its way, so that they cannot pile up, and half of what may be
    /// on its way was taken: to an engine that stands still it would be old when that looks at it.
    pub(super) fn may_begin_anew(&self) -> bool {
        self.whole.is_none() && self.room() >= PANE_WINDOW / 2
    }

    /// A piece was sent.
    pub(super) fn piece(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// A whole screen was sent, from which it goes on at `place`.
    pub(super) fn anew(&mut self, place: u64) {
        let from = self.sent.min(place);
        (self.whole, self.sent) = (Some((from, place)), place);
    }

    /// The engine has taken everything below `place`. What was never sent was not taken.
    pub(super) fn taken(&mut self, place: u64) {
        if place < self.seen || place > self.sent {
            return;
        }
        match self.whole {
            Some((from, to)) if place < to => self.seen = place.min(from),
            _ => (self.whole, self.seen) = (None, place),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_left_out_costs_nothing_and_one_whole_screen_is_on_its_way() {
        let mut credit = Credit::at(10);
        credit.anew(10);
        assert!(!credit.may_begin_anew());
        assert_eq!(credit.room(), PANE_WINDOW);
        credit.piece(100);
        assert_eq!(credit.room(), PANE_WINDOW - 100);
        credit.taken(10);
        assert!(credit.may_begin_anew(), "a seed is taken by its own place");
        credit.anew(5_000_000);
        assert_eq!(credit.room(), PANE_WINDOW - 100, "what was on its way before still is");
        credit.piece(1_000);
        credit.taken(110);
        assert_eq!((credit.room(), credit.may_begin_anew()), (PANE_WINDOW - 1_000, false));
        credit.taken(5_000_000);
        assert_eq!((credit.room(), credit.may_begin_anew()), (PANE_WINDOW - 1_000, true));
        credit.taken(9_000_000);
        assert_eq!(credit.room(), PANE_WINDOW - 1_000, "that was never sent");
        credit.piece(200_000);
        assert!(!credit.may_begin_anew(), "it stands still");
    }

    proptest! {
        #[test]
        fn no_more_is_on_its_way_than_may_be(steps in prop::collection::vec((0u8..4, 0u64..400_000), 0..200)) {
            let mut credit = Credit::at(1 << 30);
            let mut pieces: Vec<(u64, u64)> = Vec::new();
            let mut taken = 0;
            for (what, many) in steps {
                match what {
                    0 => {
                        let many = many.min(credit.room());
                        credit.piece(usize::try_from(many).expect("small"));
                        pieces.push((credit.sent(), many));
                    }
                    1 if credit.may_begin_anew() => credit.anew(credit.sent() + many),
                    2 => credit.taken(credit.sent() + 1 + many),
                    _ => {
                        let piece = pieces.get(usize::try_from(many).expect("small") % pieces.len().max(1));
                        let Some(&(place, _)) = piece else { continue };
                        credit.taken(place);
                        taken = taken.max(place);
                    }
                }
                let flying: u64 = pieces.iter().filter(|(end, _)| *end > taken).map(|(_, many)| many).sum();
                prop_assert!(flying <= PANE_WINDOW);
                prop_assert_eq!(credit.room(), PANE_WINDOW - flying);
            }
        }
    }
}
