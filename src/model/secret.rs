//! Secrets in memory.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// A secret in memory, with the moment after which it no longer counts. `Debug` shows no value.
#[derive(Debug, Clone)]
pub struct Secret {
    value: SecretString,
    not_after: Option<Timestamp>,
}

impl Secret {
    /// A secret that counts until `not_after`, or for good.
    #[must_use]
    pub fn new(value: SecretString, not_after: Option<Timestamp>) -> Self {
        Self { value, not_after }
    }

    /// Whether it still counts at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.not_after.is_none_or(|end| now <= end)
    }

    /// Whether `other` has the same value and the same end.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.expose() == other.expose() && self.not_after == other.not_after
    }

    /// The value. Whoever calls this keeps it out of logs, errors and answers.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }
}

/// Whether what is called `name` is probably a secret: a header, a field of a form, a part of a query.
#[must_use]
pub fn names_a_secret(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "auth",
        "cookie",
        "token",
        "secret",
        "passw",
        "pwd",
        "apikey",
        "api-key",
        "api_key",
        "signature",
        "session",
        "credential",
    ];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word)) || matches!(name.as_str(), "key" | "sig" | "pass" | "code" | "jwt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_value_and_an_end_is_an_end() {
        let end = Timestamp::from_second(1_000).expect("in range");
        let secret = Secret::new("hunter2".into(), Some(end));
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(secret.is_active(end));
        assert!(!secret.is_active(Timestamp::from_second(1_001).expect("in range")));
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in ["Authorization", "set-cookie", "X-Api-Key", "access_token", "key", "client_secret", "Passwort"] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["content-type", "status", "keyboard", "x-version"] {
            assert!(!names_a_secret(name), "{name}");
        }
    }
}
