//! Channels: configured accounts of a provider.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The id of a channel: the table name under `[channels.*]` and the last part of `/hooks/<id>`.
///
/// 1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or digit, so that it is safe in a path,
/// in a file name and on a screen.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelId(Arc<str>);

/// A channel id that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("channel id {0:?} must be 1 to 64 of a-z A-Z 0-9 . _ - and begin with a letter or digit")]
pub struct BadChannelId(String);

impl ChannelId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChannelId {
    type Err = BadChannelId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let first_ok = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if first_ok && text.len() <= 64 && text.chars().all(safe) {
            Ok(Self(text.into()))
        } else {
            Err(BadChannelId(text.to_owned()))
        }
    }
}

impl TryFrom<String> for ChannelId {
    type Error = BadChannelId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ChannelId> for String {
    fn from(id: ChannelId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The service behind a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// GitHub repository, organisation and app webhooks.
    Github,
    /// Standard Webhooks 1.0, and Svix with its own header names.
    Standard,
    /// Anything that can send the header `x-aurora-secret`.
    Secret,
}

impl ProviderKind {
    /// Every provider that is built.
    pub const ALL: [Self; 3] = [Self::Github, Self::Standard, Self::Secret];

    /// The name used in configuration, on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Standard => "standard",
            Self::Secret => "secret",
        }
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ProviderKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| format!("unknown provider `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_safe_in_a_path() {
        for good in ["github", "mail-2", "a", "Shop.eu_1"] {
            assert!(good.parse::<ChannelId>().is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for bad in ["", "-a", ".", "a/b", "a b", "ä", "a\u{1b}[2J", long.as_str()] {
            assert!(bad.parse::<ChannelId>().is_err(), "{bad:?}");
        }
    }
}
