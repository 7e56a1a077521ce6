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
    /// As it is written in a condition.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Percent(value) => write!(f, "{value:.1}%"),
            Self::Duration(value) => f.write_str(&short_duration(*value)),
            Self::Bytes(value) => write!(f, "{value} B"),
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
        s if s < 0.1 => format!("{:.1}ms", s * 1e3),
        s if s < 1.0 => format!("{:.0}ms", s * 1e3),
        s if s < 10.0 => format!("{s:.1}s"),
        s if s < 120.0 => format!("{s:.0}s"),
        s if s < 7_200.0 => format!("{:.0}m", s / 60.0),
        s if s < 172_800.0 => format!("{:.0}h", s / 3_600.0),
        s => format!("{:.0}d", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let cases = [(0, "0us"), (87, "87us"), (4_210, "4.2ms"), (430_000, "430ms"), (1_500_000, "1.5s")];
        for (micros, text) in cases {
            assert_eq!(short_duration(Duration::from_micros(micros)), text);
        }
        assert_eq!(short_duration(Duration::from_hours(36)), "36h");
        assert_eq!(short_duration(Duration::from_hours(24 * 12)), "12d");
    }
}
