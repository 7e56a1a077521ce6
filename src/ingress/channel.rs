//! A channel ready to receive: its configuration, its provider, its secrets.

use crate::config::{ChannelConfig, Config, SecretError};
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

/// A secret that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretProblem {
    /// It cannot be read.
    #[error("channel `{channel}`: {source}")]
    Unreadable {
        /// Which channel.
        channel: String,
        /// Why.
        source: SecretError,
    },
    /// It was read, but is not a secret of this provider.
    #[error("channel `{channel}`: secret {reference} is not a secret for `{provider}`: {why}")]
    Unfit {
        /// Which channel.
        channel: String,
        /// Where it is kept.
        reference: String,
        /// For which provider.
        provider: &'static str,
        /// Why.
        why: String,
    },
}

impl Channel {
    /// Reads the secrets of `config` and checks that its provider can use them.
    ///
    /// # Errors
    /// The first secret that is missing or unfit.
    pub fn new(all: &Config, config: ChannelConfig) -> Result<Self, SecretProblem> {
        let options = Options { dedupe_window: config.dedupe_window, dedupe_pointer: config.dedupe_pointer.clone() };
        let provider = provider::build(config.provider, options);
        let secrets = all
            .read_secrets(&config)
            .map_err(|source| SecretProblem::Unreadable { channel: config.id.to_string(), source })?;
        for (secret, configured) in secrets.iter().zip(&config.secrets) {
            provider.check_secret(secret).map_err(|why| SecretProblem::Unfit {
                channel: config.id.to_string(),
                reference: configured.reference.to_string(),
                provider: config.provider.as_str(),
                why,
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
