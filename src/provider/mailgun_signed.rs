//! What a delivery of Mailgun is signed with, in a form or in JSON, and how old it may be.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::model::Reason;

use super::{Form, RawRequest, Rejected};

/// Mailgun tries for eight hours, and its documentation warns not to be strict about the time.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);
/// Clocks may differ.
const NEWEST: SignedDuration = SignedDuration::from_mins(5);

/// The fields that a stored form must not keep: beside the token they are what a replay needs.
pub(super) const SIGNATURES: [&str; 2] = ["signature", "parent-signature"];

/// What a delivery is signed with.
pub(super) struct Signed {
    pub timestamp: String,
    pub token: String,
    /// The signature, and the one of a parent account where there is one.
    pub signatures: Vec<String>,
}

impl Signed {
    pub(super) fn read(request: &RawRequest) -> Result<Self, Rejected> {
        let signed = match &request.form {
            Some(form) => Self::of_form(form)?,
            None => Self::of_json(&request.body)?,
        };
        signed
            .filter(|signed| !signed.timestamp.is_empty() && !signed.token.is_empty() && !signed.signatures.is_empty())
            .ok_or_else(|| Rejected::new(Reason::MissingHeader, "timestamp, token or signature is missing"))
    }

    /// User variables are fields too and come first, so the last of equal names is Mailgun's.
    fn of_form(form: &Form) -> Result<Option<Self>, Rejected> {
        let is_cut = |name: &&&str| form.field(name).is_some_and(|field| field.cut);
        if let Some(name) = ["timestamp", "token"].iter().chain(&SIGNATURES).find(is_cut) {
            return Err(Rejected::new(Reason::TooLarge, format!("field {name} is too long or no text")));
        }
        let last = |name: &str| form.last(name).map(str::to_owned);
        let signatures = SIGNATURES.iter().filter_map(|name| last(name)).collect();
        let (Some(timestamp), Some(token)) = (last("timestamp"), last("token")) else { return Ok(None) };
        Ok(Some(Self { timestamp, token, signatures }))
    }

    fn of_json(body: &[u8]) -> Result<Option<Self>, Rejected> {
        #[derive(Deserialize)]
        struct Head {
            signature: Option<Signature>,
        }

        #[derive(Deserialize)]
        struct Signature {
            #[serde(default)]
            timestamp: Value,
            token: Option<String>,
            signature: Option<String>,
            #[serde(rename = "parent-signature")]
            parent: Option<String>,
        }

        // A name that is there twice is refused here: serde's derive does not choose between them.
        let head: Head = serde_json::from_slice(body).map_err(|error| {
            Rejected::new(Reason::MalformedBody, format!("the body is not the JSON of an event: {error}"))
        })?;
        Ok(head.signature.map(|signature| Self {
            timestamp: match signature.timestamp {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                _ => String::new(),
            },
            token: signature.token.unwrap_or_default(),
            signatures: signature.signature.into_iter().chain(signature.parent).collect(),
        }))
    }
}

/// Refuses a time that is too far away.
pub(super) fn fresh(time: Timestamp, now: Timestamp) -> Result<(), Rejected> {
    let old = now.duration_since(time);
    if old > OLDEST {
        return Err(Rejected::new(
            Reason::Stale,
            format!("timestamp is {} s old; 24 hours are allowed", old.as_secs()),
        ));
    }
    if -old > NEWEST {
        let detail = format!("timestamp is {} s in the future; the clocks may differ by 300 s", -old.as_secs());
        return Err(Rejected::new(Reason::Stale, detail));
    }
    Ok(())
}
