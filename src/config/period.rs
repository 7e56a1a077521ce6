//! Lengths of time such as `30s`.

use std::time::Duration;

const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
/// No period is longer: a year.
const LONGEST: f64 = 366.0 * 86_400.0;

/// Reads a length of time: a number with `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// What a length of time looks like.
pub fn period(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is not a length of time; expected a number with ms, s, m, h or d, as 30s");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &text[digits.len()..]).ok_or_else(bad)?;
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number: f64 = digits.parse().ok().filter(|_| plain).ok_or_else(bad)?;
    let seconds = number * factor;
    if seconds > LONGEST { Err(bad()) } else { Ok(Duration::from_secs_f64(seconds)) }
}

/// Writes a length of time so that reading it gives the same.
pub(super) fn period_text(duration: Duration) -> String {
    let (seconds, rest) = (duration.as_secs(), duration.subsec_millis());
    match seconds {
        _ if rest > 0 => format!("{}ms", duration.as_millis()),
        0 => "0s".to_owned(),
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written() {
        for (text, millis) in [("30s", 30_000), ("500ms", 500), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000)]
        {
            assert_eq!(period(text), Ok(Duration::from_millis(millis)));
            assert_eq!(period_text(Duration::from_millis(millis)), text);
        }
        assert_eq!(period("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(period_text(Duration::from_millis(1_500)), "1500ms");
        for bad in ["", "s", "30", "-1s", "30 s", "1e9s", "nans", "400d", "1.2.3s", "9\u{e4}", "3\u{e4}s"] {
            assert!(period(bad).is_err(), "{bad}");
        }
    }
}
