//! Ages in coarse steps, so that a screen which shows them stays still.

use jiff::Timestamp;

/// Seconds between two moments at which ages of a minute and more become others. One that changed at a moment of its own
/// would be a frame of its own.
const TOGETHER: i64 = 60;

/// How long ago `then` was, in one coarse unit: `now`, `<1m`, `4m`, `25m`, `3h`, `5d`, `14w`. From ten minutes to an hour
/// in steps of five. From a minute on it is that of the nearest whole minute of the clock.
///
/// A time in the future reads `now`: clocks of two machines never agree to the second.
#[must_use]
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    match seconds {
        i64::MIN..=9 => return "now".to_owned(),
        10..=59 => return "<1m".to_owned(),
        _ => {}
    }
    let nearest = (now.as_second() + TOGETHER / 2).div_euclid(TOGETHER) * TOGETHER;
    let seconds = nearest.saturating_sub(then.as_second()).max(60);
    match seconds {
        ..=599 => format!("{}m", seconds / 60),
        600..=3_599 => format!("{}m", seconds / 300 * 5),
        3_600..=86_399 => format!("{}h", seconds / 3_600),
        86_400..=1_209_599 => format!("{}d", seconds / 86_400),
        _ => format!("{}w", seconds / 604_800),
    }
}

/// When something happened, in words: `just now`, `12m ago`.
#[must_use]
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    match age(then, now).as_str() {
        "now" => "just now".to_owned(),
        age => format!("{age} ago"),
    }
}

/// How long something has lasted, in words: `as of now`, `for 12m`.
#[must_use]
pub fn lasting(then: Timestamp, now: Timestamp) -> String {
    match age(then, now).as_str() {
        "now" => "as of now".to_owned(),
        age => format!("for {age}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_a_minute_on_ages_become_others_together() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let ages = |then, nows: &[i64]| nows.iter().map(|now| age(at(then), at(*now))).collect::<Vec<_>>();
        // Begun at any second, they differ only in the middle of a minute.
        assert_eq!(ages(7, &[66, 67, 89, 149, 150]), ["<1m", "1m", "1m", "1m", "2m"]);
        for then in 0..60 {
            let changes = (then + 61..then + 4_000).filter(|now| age(at(then), at(*now)) != age(at(then), at(now - 1)));
            assert!(changes.into_iter().all(|now| now % TOGETHER == TOGETHER / 2), "{then}");
        }
    }

    #[test]
    fn now_is_no_length_of_time() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        assert_eq!((ago(at(0), at(3)), lasting(at(0), at(3))), ("just now".to_owned(), "as of now".to_owned()));
        assert_eq!((ago(at(0), at(700)), lasting(at(0), at(700))), ("10m ago".to_owned(), "for 10m".to_owned()));
    }

    #[test]
    fn steps_are_coarse() {
        // A whole minute.
        let now = Timestamp::from_second(2_000_000_040).expect("in range");
        let cases = [
            (-500, "now"),
            (9, "now"),
            (10, "<1m"),
            (59, "<1m"),
            (60, "1m"),
            (119, "1m"),
            (599, "9m"),
            (600, "10m"),
            (899, "10m"),
            (900, "15m"),
            (3_599, "55m"),
            (3_600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (1_209_600, "2w"),
        ];
        for (ago, expected) in cases {
            let then = Timestamp::from_second(2_000_000_040 - ago).expect("in range");
            assert_eq!(age(then, now), expected, "{ago} seconds ago");
        }
    }
}
