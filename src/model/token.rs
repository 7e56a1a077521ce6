//! Tokens of the API: what is known about them. The secret itself is kept nowhere.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{OperatorName, Role, TokenId};

/// A part of the API that a token can be limited to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The state of the checks.
    Health,
    /// Counts per channel.
    Stats,
    /// The numbers Prometheus collects.
    Metrics,
    /// What happens, as it happens.
    Updates,
    /// The nodes, and the entries of this node's log.
    Federation,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Health, Self::Stats, Self::Metrics, Self::Updates, Self::Federation];

    /// The name used on the command line and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Stats => "stats",
            Self::Metrics => "metrics",
            Self::Updates => "updates",
            Self::Federation => "federation",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            format!("unknown scope `{text}`; the scopes are health, stats, metrics, updates, federation")
        })
    }
}

/// SHA-256 of a token. A token has 256 random bits, so its hash needs neither salt nor stretching.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// How every token begins, so that a leaked one can be found by a scanner.
    pub const PREFIX: &str = "aur_";

    /// The hash of `token`.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

/// A token that was just made, on its way to whoever asked for it. It is shown once and kept nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FreshToken(pub String);

impl fmt::Debug for FreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreshToken")
    }
}

/// What is known about a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Unique id.
    pub id: TokenId,
    /// Whose it is.
    pub operator: OperatorName,
    /// What it may do; less when its operator may less.
    pub role: Role,
    /// Whether its operator was in the configuration when it was made. It counts only while they are, then.
    pub configured: bool,
    /// Of what its role may, only this; everything when absent.
    pub scopes: Option<Vec<Scope>>,
    /// When it was made.
    pub created: Timestamp,
    /// The moment after which it no longer counts.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used: Option<Timestamp>,
}

impl Token {
    /// Whether it still counts at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now <= end)
    }
}

/// A token as it is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Unique id.
    pub id: TokenId,
    /// Whose it is.
    pub operator: OperatorName,
    /// What it may do by now. `None`: nothing, its operator is no longer in the configuration.
    pub role: Option<Role>,
    /// Of what its role may, only this; everything when absent.
    pub scopes: Option<Vec<Scope>>,
    /// When it was made.
    pub created: Timestamp,
    /// The moment after which it no longer counts.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used: Option<Timestamp>,
}

/// A token somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenWish {
    /// Whose it is to be.
    pub operator: OperatorName,
    /// What it may do; as much as its operator when absent.
    pub role: Option<Role>,
    /// Of what its role may, only this; everything when absent.
    pub scopes: Option<Vec<Scope>>,
    /// The moment after which it no longer counts.
    pub expires: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_in_debug_and_scopes_read_back() {
        assert_eq!(format!("{:?}", FreshToken("aur_hunter2".into())), "FreshToken");
        assert_eq!(format!("{:?}", TokenHash([7; 32])), "TokenHash");
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
    }
}
