//! Values that conditions compare.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One value with its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A number without a unit.
    Number(f64),
    /// A share, 0 to 100.
    Percent(f64),
    /// A length of time.
    Duration(Duration),
    /// A number of bytes.
    Bytes(u64),
    /// Text from outside; whoever shows it sanitises it.
    Text(String),
    /// It is not known in this observation: no response came, so there is no status.
    Missing,
}

impl fmt::Display for Value {
    /// For people, with about three digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Percent(value) => write!(f, "{value:.1}%"),
            Self::Duration(value) => f.write_str(&short_duration(*value)),
            Self::Bytes(value) => f.write_str(&short_bytes(*value)),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Missing => f.write_str("nothing"),
        }
    }
}

/// A duration in the largest unit that keeps three digits: `87us`, `4.2ms`, `1.5s`, `36h`, `12d`.
#[must_use]
pub fn short_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 0.001 => format!("{}us", duration.as_micros()),
        s if s < 0.01 => format!("{:.1}ms", s * 1e3),
        s if s < 1.0 => format!("{:.0}ms", s * 1e3),
        s if s < 10.0 => format!("{s:.1}s"),
        s if s < 120.0 && s % 60.0 != 0.0 => format!("{s:.0}s"),
        s if s < 7_200.0 => format!("{:.0}m", s / 60.0),
        s if s < 172_800.0 => format!("{:.0}h", s / 3_600.0),
        s => format!("{:.0}d", s / 86_400.0),
    }
}

/// A number of bytes in the largest binary unit that keeps three digits: `512 B`, `1.5 KiB`, `118 MiB`.
#[must_use]
pub fn short_bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let scaled = |factor: u64| bytes as f64 / factor as f64;
    for (unit, factor) in [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor {
            let number = scaled(factor);
            return if number < 10.0 { format!("{number:.1} {unit}") } else { format!("{number:.0} {unit}") };
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let cases =
            [(0, "0us"), (87, "87us"), (4_210, "4.2ms"), (14_200, "14ms"), (430_000, "430ms"), (1_500_000, "1.5s")];
        for (micros, text) in cases {
            assert_eq!(short_duration(Duration::from_micros(micros)), text);
        }
        assert_eq!(short_duration(Duration::from_secs(90)), "90s");
        assert_eq!(short_duration(Duration::from_mins(1)), "1m");
        assert_eq!(short_duration(Duration::from_hours(36)), "36h");
        assert_eq!(short_duration(Duration::from_hours(24 * 12)), "12d");
    }

    #[test]
    fn sizes_are_short() {
        let cases = [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (118 << 20, "118 MiB"), (3 << 40, "3.0 TiB")];
        for (bytes, text) in cases {
            assert_eq!(short_bytes(bytes), text);
        }
    }
}
