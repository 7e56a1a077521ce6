//! Moments as operators type them: `2h`, `3d`, or RFC 3339.

use jiff::{SignedDuration, Timestamp};

/// Reads `text` as a moment: a time, or how long before now.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let split = text.len().saturating_sub(1);
    let seconds = text.get(split..).and_then(|unit| match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        "w" => Some(604_800),
        _ => None,
    });
    let number = text.get(..split).and_then(|digits| digits.parse::<u32>().ok());
    seconds
        .zip(number)
        .and_then(|(seconds, number)| {
            Timestamp::now().checked_sub(SignedDuration::from_secs(seconds * i64::from(number))).ok()
        })
        .ok_or_else(|| "expected how long ago, as 30m, 2h or 7d, or a time like 2030-01-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_times() {
        assert_eq!(parse("2030-01-01T00:00:00Z").map(Timestamp::as_second), Ok(1_893_456_000));
        let ago = Timestamp::now().as_second() - parse("2h").expect("a moment").as_second();
        assert!((7_200..7_210).contains(&ago), "{ago}");
        for bad in ["", "h", "2x", "-2h", "two", "2\u{e4}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
