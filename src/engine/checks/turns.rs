//! Whose turn it is: so many looks at once, so many on one host, and nobody waits behind a slow stranger.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Looks at once.
const MOST: usize = 256;
/// Looks at once on one host.
const PER_HOST: usize = 8;

/// Who looks, and who waits for a turn, in order.
#[derive(Debug, Default)]
pub(super) struct Turns {
    running: usize,
    hosts: HashMap<Arc<str>, usize>,
    waiting: VecDeque<(i64, Arc<str>)>,
}

impl Turns {
    /// Whether `check` may look at `host` now; otherwise it waits.
    pub(super) fn ask(&mut self, check: i64, host: &Arc<str>) -> bool {
        if self.has_room(host) {
            self.start(host);
            return true;
        }
        self.waiting.push_back((check, Arc::clone(host)));
        false
    }

    /// A look that waits for nobody: an operator wants it.
    pub(super) fn start(&mut self, host: &Arc<str>) {
        self.running += 1;
        *self.hosts.entry(Arc::clone(host)).or_default() += 1;
    }

    /// A look at `host` is over. Answers who may look now, and where.
    pub(super) fn done(&mut self, host: &Arc<str>) -> Option<(i64, Arc<str>)> {
        self.running = self.running.saturating_sub(1);
        if let Some(count) = self.hosts.get_mut(host) {
            *count -= 1;
            if *count == 0 {
                self.hosts.remove(host);
            }
        }
        // Whoever waits longest, of those whose host has room.
        let place = self.waiting.iter().position(|(_, host)| self.has_room(host))?;
        let (check, host) = self.waiting.remove(place)?;
        self.start(&host);
        Some((check, host))
    }

    fn has_room(&self, host: &Arc<str>) -> bool {
        self.running < MOST && self.hosts.get(host).is_none_or(|count| *count < PER_HOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_host_holds_up_nobody_else() {
        let mut turns = Turns::default();
        let (slow, quick): (Arc<str>, Arc<str>) = ("slow".into(), "quick".into());
        let started = (0..100).filter(|n| turns.ask(*n, &slow)).count();
        assert_eq!(started, PER_HOST);
        assert!(turns.ask(100, &quick), "the next host is free");
        assert_eq!(turns.done(&quick), None, "the slow one is still full");
        assert_eq!(turns.done(&slow), Some((8, Arc::clone(&slow))), "whoever waits longest");
        assert_eq!(turns.done(&slow), Some((9, Arc::clone(&slow))));
    }

    #[test]
    fn there_is_an_end_to_all_together() {
        let mut turns = Turns::default();
        let host = |n: i64| -> Arc<str> { format!("host-{n}").into() };
        let started = (0..400).filter(|n| turns.ask(*n, &host(*n))).count();
        assert_eq!(started, MOST);
        let next: Vec<i64> = (0..10).filter_map(|n| turns.done(&host(n))).map(|(check, _)| check).collect();
        assert_eq!(next, (256..266).collect::<Vec<_>>());
        for n in 0..1_000 {
            turns.done(&host(n));
        }
        assert!(turns.hosts.len() <= 400 && turns.waiting.is_empty());
    }
}
