//! The values of secrets that were read, so that they can be taken out of what is shown and written.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};

/// Every secret that was read of one configuration. Clones share them, and `Debug` shows none.
#[derive(Clone, Default)]
pub struct ReadSecrets(Arc<Mutex<Vec<SecretString>>>);

impl ReadSecrets {
    pub(super) fn note(&self, value: &SecretString) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !values.iter().any(|known| known.expose_secret() == value.expose_secret()) {
            values.push(value.clone());
        }
    }

    /// The values, each once. Whoever calls this keeps them out of logs, errors and answers.
    #[must_use]
    pub fn expose(&self) -> Vec<String> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().map(|value| value.expose_secret().to_owned()).collect()
    }
}

impl fmt::Debug for ReadSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadSecrets")
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::parse;

    #[test]
    fn what_a_configuration_read_its_clones_know_and_nothing_shows() {
        let text = "[channels.shop]\nprovider = \"secret\"\nsecrets = [\"cmd:echo canary-value\", \"cmd:echo other-value\"]\n\
                    [[checks]]\nid = \"web\"\ntype = \"http\"\nurl = \"http://127.0.0.1/\"\n\
                    headers = { authorization = \"cmd:echo canary-value\" }\n";
        let config = parse(text, None).unwrap_or_else(|error| panic!("{error:?}"));
        let clone = config.clone();
        assert_eq!(clone.read.expose(), [""; 0]);
        let channel = config.channels.values().next().expect("a channel");
        config.read_secrets(channel).expect("read");
        for check in &config.health.checks {
            config.check_target(check).expect("read");
        }
        assert_eq!(clone.read.expose(), ["canary-value", "other-value"]);
        assert!(!format!("{:?}", clone.read).contains("canary"));
    }
}
