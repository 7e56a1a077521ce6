//! Channels: configured accounts of a provider.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

super::name::name_id! {
    /// The id of a channel: the table name under `[channels.*]` and the last part of `/hooks/<id>`.
    ChannelId,
    /// A channel id that cannot be used.
    BadChannelId, "channel"
}

/// The service behind a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// GitHub repository, organisation and app webhooks.
    Github,
    /// Mailgun: inbound mail and events about mail that was sent.
    Mailgun,
    /// Standard Webhooks 1.0, and Svix with its own header names.
    Standard,
    /// Typeform, a form's answers.
    Typeform,
    /// Twilio: WhatsApp and SMS.
    Twilio,
    /// Anything that can send the header `x-aurora-secret`.
    Secret,
}

impl ProviderKind {
    /// Every provider that is built.
    pub const ALL: [Self; 6] =
        [Self::Github, Self::Mailgun, Self::Standard, Self::Typeform, Self::Twilio, Self::Secret];

    /// The name used in configuration, on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Mailgun => "mailgun",
            Self::Standard => "standard",
            Self::Typeform => "typeform",
            Self::Twilio => "twilio",
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
