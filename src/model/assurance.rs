//! What a provider's signature proves about an event.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How much of a delivery its signature covers, weakest first.
///
/// The order is the order of strength, so a policy can say "at least `body`".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// A fixed secret came along; nothing binds it to this body or this time.
    Static,
    /// A one-time token was signed, the body was not.
    TokenOnly,
    /// URL and parameters were signed, the time was not.
    Params,
    /// The exact body was signed, the time was not.
    Body,
    /// Body and time of sending were signed.
    #[serde(rename = "body+time")]
    BodyAndTime,
}

impl Assurance {
    /// All levels, weakest first.
    pub const ALL: [Self; 5] = [Self::Static, Self::TokenOnly, Self::Params, Self::Body, Self::BodyAndTime];

    /// The name used in configuration, on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::TokenOnly => "token-only",
            Self::Params => "params",
            Self::Body => "body",
            Self::BodyAndTime => "body+time",
        }
    }

    /// The number kept in the store.
    #[must_use]
    pub fn rank(self) -> u8 {
        self as u8
    }

    /// The level kept in the store under `rank`; an unknown rank is the weakest level.
    #[must_use]
    pub fn from_rank(rank: u8) -> Self {
        Self::ALL.get(usize::from(rank)).copied().unwrap_or(Self::Static)
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Assurance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            format!("unknown assurance level `{text}`; expected one of {known}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ranks_round_trip() {
        for level in Assurance::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(Assurance::from_rank(level.rank()), level);
            let json = serde_json::to_string(&level).expect("serialises");
            assert_eq!(json, format!("\"{}\"", level.as_str()));
        }
    }

    #[test]
    fn order_is_strength() {
        assert!(Assurance::Static < Assurance::Body);
        assert!(Assurance::Body < Assurance::BodyAndTime);
    }
}
