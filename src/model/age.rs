//! Ages in coarse steps, so that a screen which shows them stays still.

use jiff::Timestamp;

/// How long ago `then` was, in one coarse unit: `now`, `<1m`, `12m`, `3h`, `5d`, `14w`.
///
/// A time in the future reads `now`: clocks of two machines never agree to the second.
#[must_use]
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    match seconds {
        i64::MIN..=9 => "now".to_owned(),
        10..=59 => "<1m".to_owned(),
        60..=3_599 => format!("{}m", seconds / 60),
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
    fn now_is_no_length_of_time() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        assert_eq!((ago(at(0), at(3)), lasting(at(0), at(3))), ("just now".to_owned(), "as of now".to_owned()));
        assert_eq!((ago(at(0), at(700)), lasting(at(0), at(700))), ("11m ago".to_owned(), "for 11m".to_owned()));
    }

    #[test]
    fn steps_are_coarse() {
        let now = Timestamp::from_second(2_000_000_000).expect("in range");
        let cases = [
            (-500, "now"),
            (9, "now"),
            (10, "<1m"),
            (59, "<1m"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (1_209_600, "2w"),
        ];
        for (ago, expected) in cases {
            let then = Timestamp::from_second(2_000_000_000 - ago).expect("in range");
            assert_eq!(age(then, now), expected, "{ago} seconds ago");
        }
    }
}
