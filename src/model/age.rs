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

#[cfg(test)]
mod tests {
    use super::*;

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
