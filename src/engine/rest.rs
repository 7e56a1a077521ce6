//! When whoever has nothing to do looks up: everybody at the same moments, so that an idle machine is woken once for all.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

/// Between two of these moments: what nobody tells of is seen so late, a clock that was put back for example.
pub(super) const REST: Duration = Duration::from_secs(20);

/// The next of these moments.
pub(super) fn after(now: Instant) -> Instant {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    next(*BEGAN.get_or_init(Instant::now), now)
}

fn next(began: Instant, now: Instant) -> Instant {
    let since = now.saturating_duration_since(began);
    let whole = since.as_secs() / REST.as_secs() + 1;
    // A clock that a test has stopped may stand before the beginning.
    (began + REST * u32::try_from(whole).unwrap_or(u32::MAX)).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_rests_looks_up_with_all_others() {
        let began = Instant::now();
        let at = |millis| next(began, began + Duration::from_millis(millis)).duration_since(began).as_secs();
        assert_eq!((at(0), at(19_999), at(20_000), at(39_999)), (20, 20, 40, 40));
        assert!(next(began + REST, began) >= began);
    }
}
