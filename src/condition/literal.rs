//! Numbers with their units: read exactly, written so that they read the same.

use std::time::Duration;

use crate::model::Value;

/// Digits a number may have.
const MAX_DIGITS: usize = 18;

/// Units of time, largest first, in microseconds.
const TIMES: [(&str, u64); 7] = [
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Units of size, largest first, in bytes.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// Whether `word` is a unit.
pub(super) fn is_unit(word: &str) -> bool {
    TIMES.iter().chain(&SIZES).any(|(unit, _)| *unit == word)
}

/// The value of `digits` (`12`, `-3`, `1.5`) in `unit`, which is empty, `%` or a known unit.
///
/// # Errors
/// Words that say why there is no such value.
pub(super) fn value(digits: &str, unit: &str) -> Result<Value, &'static str> {
    if digits.bytes().filter(u8::is_ascii_digit).count() > MAX_DIGITS {
        return Err("a number may have at most 18 digits");
    }
    let plain = || digits.parse::<f64>().map_err(|_| "this is not a number");
    if unit.is_empty() {
        return plain().map(Value::Number);
    }
    if digits.starts_with('-') {
        return Err("only a number without a unit may be negative");
    }
    if unit == "%" {
        return plain().map(Value::Percent);
    }
    if let Some((_, micros)) = TIMES.iter().find(|(name, _)| *name == unit) {
        let micros = scaled(digits, *micros).ok_or("a duration is a whole number of microseconds")?;
        return Ok(Value::Duration(Duration::from_micros(micros)));
    }
    let factor = SIZES.iter().find(|(name, _)| *name == unit).ok_or("this is not a unit")?.1;
    scaled(digits, factor).map(Value::Bytes).ok_or("a size is a whole number of bytes")
}

/// `digits` times `factor`, when that is a whole number that fits.
fn scaled(digits: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let shift = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let number = whole.parse::<u128>().ok()?.checked_mul(shift)?.checked_add(fraction.parse().ok()?)?;
    let product = number.checked_mul(factor.into())?;
    (product % shift == 0).then(|| u64::try_from(product / shift).ok()).flatten()
}

/// A literal as it is written; reading it gives the same value.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Percent(value) => format!("{value}%"),
        Value::Duration(value) => {
            // Literals are whole microseconds within 64 bits; a longer duration never came from one.
            with_unit(u64::try_from(value.as_micros()).unwrap_or(u64::MAX), &TIMES, "s")
        }
        Value::Bytes(value) => with_unit(*value, &SIZES, "B"),
        Value::Text(value) => quoted(value),
        Value::Missing => "missing".to_owned(),
    }
}

fn with_unit(number: u64, units: &[(&str, u64)], of_zero: &str) -> String {
    match units.iter().find(|(_, factor)| number.is_multiple_of(*factor)) {
        Some((unit, factor)) if number > 0 => format!("{}{unit}", number / factor),
        _ => format!("0{of_zero}"),
    }
}

/// Text in double quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_exact() {
        let cases = [
            ("1.5", "s", "1500ms"),
            ("0", "d", "0s"),
            ("14", "d", "2w"),
            ("36", "h", "36h"),
            ("1", "GB", "1GB"),
            ("1024", "MiB", "1GiB"),
            ("1.5", "KiB", "1536B"),
            ("99.5", "%", "99.5%"),
            ("-3", "", "-3"),
        ];
        for (digits, unit, text) in cases {
            assert_eq!(written(&value(digits, unit).expect("a value")), text);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let cases =
            [("0.1", "us"), ("0.3", "B"), ("-1", "s"), ("999999999999999999", "w"), ("9999999999999999999", "")];
        for (digits, unit) in cases {
            assert!(value(digits, unit).is_err(), "{digits}{unit}");
        }
    }
}
