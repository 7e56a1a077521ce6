//! A channel ready to receive: its configuration, its provider, its secrets.

use crate::config::{ChannelConfig, Config, ConfigError};
use crate::model::{Assurance, Secret};
use crate::provider::{self, Options, Provider};

/// One channel with everything a delivery needs.
#[derive(Debug)]
pub struct Channel {
    /// Its configuration.
    pub config: ChannelConfig,
    /// Its number in the store.
    pub number: i64,
    /// Its protocol.
    pub provider: Box<dyn Provider>,
    /// Its secrets.
    pub secrets: Vec<Secret>,
}

impl Channel {
    /// Reads the secrets of `config` and checks that its provider can use them.
    ///
    /// # Errors
    /// The first secret that is missing or unfit, with its place in the file.
    pub fn new(all: &Config, config: ChannelConfig) -> Result<Self, Box<ConfigError>> {
        let options = Options { dedupe_window: config.dedupe_window, dedupe_pointer: config.dedupe_pointer.clone() };
        let provider = provider::build(config.provider, options);
        let secrets = all.read_secrets(&config)?;
        for (secret, configured) in secrets.iter().zip(&config.secrets) {
            provider.check_secret(secret).map_err(|why| {
                let why = format!("{} is not a secret for `{}`: {why}", configured.reference, config.provider);
                all.mistake(&config, configured, &why)
            })?;
        }
        Ok(Self { config, number: 0, provider, secrets })
    }

    /// Whether a signature of this strength is enough.
    #[must_use]
    pub fn is_enough(&self, assurance: Assurance) -> bool {
        self.config.require_assurance.is_none_or(|required| assurance >= required)
    }
}
