//! From the name of a provider to the provider.

use crate::model::ProviderKind;

use super::github::Github;
use super::mailgun::Mailgun;
use super::secret::SharedSecret;
use super::standard::Standard;
use super::twilio::Twilio;
use super::typeform::Typeform;
use super::{Options, Provider};

/// The provider of `kind`.
#[must_use]
pub fn build(kind: ProviderKind, options: Options) -> Box<dyn Provider> {
    match kind {
        ProviderKind::Github => Box::new(Github),
        ProviderKind::Mailgun => Box::new(Mailgun),
        ProviderKind::Standard => Box::new(Standard),
        ProviderKind::Typeform => Box::new(Typeform),
        ProviderKind::Twilio => Box::new(Twilio),
        ProviderKind::Secret => Box::new(SharedSecret::new(options)),
    }
}
