//! Moments as operators type them: `2h` ago, `90d` ahead, or RFC 3339.

use jiff::{SignedDuration, Timestamp};

/// Reads `text` as a moment: a time, or how long before now.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    length(text)
        .and_then(|length| Timestamp::now().checked_sub(length).ok())
        .ok_or_else(|| "expected how long ago, as 30m, 2h or 7d, or a time like 2030-01-01T00:00:00Z".to_owned())
}

/// When something ends; `None` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End(pub Option<Timestamp>);

/// Reads `text` as an end: a time, how long from now, or `never`.
pub(super) fn parse_end(text: &str) -> Result<End, String> {
    if text == "never" {
        return Ok(End(None));
    }
    let end = text.parse::<Timestamp>().ok();
    let end = end.or_else(|| Timestamp::now().checked_add(length(text)?).ok());
    end.map(|end| End(Some(end)))
        .ok_or_else(|| "expected how long, as 12h or 90d, a time like 2030-01-01T00:00:00Z, or never".to_owned())
}

fn length(text: &str) -> Option<SignedDuration> {
    let split = text.len().saturating_sub(1);
    let seconds = match text.get(split..)? {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let number = text.get(..split)?.parse::<u32>().ok()?;
    Some(SignedDuration::from_secs(seconds * i64::from(number)))
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
            assert!(parse_end(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ends_lie_ahead_or_never_come() {
        assert_eq!(parse_end("never"), Ok(End(None)));
        let End(Some(end)) = parse_end("90d").expect("an end") else { panic!("it ends") };
        let ahead = end.as_second() - Timestamp::now().as_second();
        assert!((90 * 86_400 - 10..=90 * 86_400).contains(&ahead), "{ahead}");
    }
}
