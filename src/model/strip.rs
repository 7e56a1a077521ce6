//! The last looks of a check as 90 slots of time.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Verdict;

/// One slot: everything that was found in one stretch of time. Three bytes, as a thousand checks have 90,000 of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// The worst that was found; `None`: nobody looked.
    pub verdict: Option<Verdict>,
    /// The longest a look took, in microseconds: two digits and a power of ten.
    digits: u8,
    exponent: u8,
}

impl Slot {
    /// A slot in which the worst was `verdict` and the longest look took `longest`.
    #[must_use]
    pub fn new(verdict: Verdict, longest: Duration) -> Self {
        let (digits, exponent) = two_digits(longest);
        Self { verdict: Some(verdict), digits, exponent }
    }

    /// The longest a look took, cut to two digits. Zero when nothing could be measured.
    #[must_use]
    pub fn longest(self) -> Duration {
        Duration::from_micros(u64::from(self.digits) * 10u64.pow(self.exponent.into()))
    }
}

/// Microseconds as two digits and a power of ten below 10.
fn two_digits(duration: Duration) -> (u8, u8) {
    let mut micros = duration.as_micros();
    for exponent in 0..10 {
        match u8::try_from(micros) {
            Ok(digits) if digits < 100 => return (digits, exponent),
            _ => micros /= 10,
        }
    }
    (99, 9)
}

/// The newest slots of a check, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strip {
    /// Time one slot stands for, in whole minutes.
    pub step: Duration,
    /// The slots; the last one is the newest and may not be over yet. At most [`Strip::SLOTS`].
    pub slots: Vec<Slot>,
}

impl Strip {
    /// Slots on a strip.
    pub const SLOTS: usize = 90;
}

/// A strip as one short text, because a screen on a slow line gets many: the minutes of a step, then a slot
/// after the other, `-` where nobody looked, else the first letter of the verdict, two digits and a power of ten.
impl Serialize for Strip {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = format!("{}:", self.step.as_secs() / 60);
        for slot in &self.slots {
            let letter = match slot.verdict {
                None => {
                    text.push('-');
                    continue;
                }
                Some(Verdict::Ok) => 'o',
                Some(Verdict::Warn) => 'w',
                Some(Verdict::Critical) => 'c',
                Some(Verdict::Unknown) => 'u',
            };
            let Slot { digits, exponent, .. } = slot;
            // Writing to a string cannot fail.
            let _ = write!(text, "{letter}{digits:02}{exponent}");
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Strip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        read(&text).ok_or_else(|| serde::de::Error::custom("a strip that cannot be read"))
    }
}

fn read(text: &str) -> Option<Strip> {
    let (minutes, slots) = text.split_once(':')?;
    let step = Duration::from_secs(minutes.parse::<u32>().ok().map(u64::from)? * 60);
    let mut strip = Strip { step, slots: Vec::new() };
    let mut rest = slots.chars();
    while let Some(letter) = rest.next() {
        let verdict = match letter {
            '-' => {
                strip.slots.push(Slot::default());
                continue;
            }
            'o' => Verdict::Ok,
            'w' => Verdict::Warn,
            'c' => Verdict::Critical,
            'u' => Verdict::Unknown,
            _ => return None,
        };
        let mut digit = || rest.next().and_then(|c| c.to_digit(10)).and_then(|digit| u8::try_from(digit).ok());
        let (digits, exponent) = (digit()? * 10 + digit()?, digit()?);
        strip.slots.push(Slot { verdict: Some(verdict), digits, exponent });
    }
    (strip.slots.len() <= Strip::SLOTS).then_some(strip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_survives_the_wire_and_is_short() {
        let micros = [0, 7, 99, 100, 812, 45_678, 5_000_000, 3_600_000_000, u64::MAX];
        let verdicts = [Verdict::Ok, Verdict::Warn, Verdict::Critical, Verdict::Unknown];
        let mut slots: Vec<Slot> = micros
            .iter()
            .zip(verdicts.iter().cycle())
            .map(|(us, verdict)| Slot::new(*verdict, Duration::from_micros(*us)))
            .collect();
        slots.insert(3, Slot::default());
        let strip = Strip { step: Duration::from_mins(2), slots };
        let json = serde_json::to_string(&strip).expect("JSON");
        assert_eq!(json, r#""2:o000w070c990-u101o811w453c505u368o999""#);
        assert_eq!(serde_json::from_str::<Strip>(&json).expect("a strip"), strip);
        for bad in ["", "x:", "1:z", "1:o1", "1:o1\u{e4}2", "99999999999:", &format!("1:{}", "-".repeat(91))] {
            assert!(serde_json::from_value::<Strip>(bad.into()).is_err(), "{bad}");
        }
    }
}
