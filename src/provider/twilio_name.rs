//! What a Twilio delivery is called: its type, and what makes it the same when it is sent again.
//!
//! Names and values are signed without anything between them, so other parameters can be signed alike: a name may end
//! later and its value begin later. An id of exactly 34 characters cannot grow or shrink that way. What has none is a
//! dead letter under the hash of what was signed, which is the same however it is cut. No time is signed: a key counts
//! for good.

use sha2::{Digest, Sha256};

use super::standard;
use super::twilio::sorted;
use super::twilio_read::Fields;

/// Parameters that decide what a delivery is. Equal values count once in the signature, and their order does not.
const DECISIVE: [&str; 7] = ["MessageSid", "SmsMessageSid", "SmsSid", "MessageStatus", "SmsStatus", "From", "To"];

/// Type and key of a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub kind: String,
    pub key: String,
    /// Why it is a dead letter.
    pub dead: Option<String>,
}

/// Names the delivery whose parameters or JSON are `data`.
pub(super) fn name(data: &[u8], is_json: bool) -> Name {
    let named = Fields::read(data, is_json).and_then(|fields| by_fields(&fields, data, is_json));
    match named {
        Ok((kind, key)) => Name { kind, key, dead: None },
        Err(why) => Name { kind: "twilio.unknown".to_owned(), key: hash(data, is_json), dead: Some(why) },
    }
}

fn by_fields(fields: &Fields, data: &[u8], is_json: bool) -> Result<(String, String), String> {
    if let Some(name) = DECISIVE.iter().find(|name| fields.count(name) > 1) {
        return Err(format!("{name} is there more than once"));
    }
    let Some(sid) = fields.sid() else {
        if !is_json {
            return Err("MessageSid is missing".to_owned());
        }
        // Other products than messages send JSON.
        let kind = standard::kind(data).unwrap_or_else(|| "event".to_owned());
        return Ok((format!("twilio.{kind}"), hash(data, is_json)));
    };
    if !is_sid(sid) {
        return Err("MessageSid is not two capitals and 32 letters or digits".to_owned());
    }
    match fields.status() {
        None => Ok((format!("{}.message", fields.service()), sid.to_owned())),
        Some(status) if is_status(status) => Ok((format!("twilio.status.{status}"), format!("{sid}:{status}"))),
        Some(_) => Err("MessageStatus is not a word".to_owned()),
    }
}

/// The hash of what was signed: of a JSON body, or of the parameters in their order.
fn hash(data: &[u8], is_json: bool) -> String {
    let hash = if is_json {
        Sha256::digest(data)
    } else {
        let add = |hash: Sha256, (name, value): &(Vec<u8>, Vec<u8>)| hash.chain_update(name).chain_update(value);
        sorted(data).iter().fold(Sha256::new(), add).finalize()
    };
    format!("sha256:{}", hex::encode(hash))
}

/// Two capitals and 32 more characters (twilio.com/docs/glossary/what-is-a-sid).
pub(super) fn is_sid(text: &str) -> bool {
    let bytes = text.as_bytes();
    let capitals = bytes.iter().take(2).all(u8::is_ascii_uppercase);
    bytes.len() == 34 && capitals && bytes.iter().all(u8::is_ascii_alphanumeric)
}

fn is_status(text: &str) -> bool {
    !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "SM0123456789abcdef0123456789abcdef";

    fn of(form: &str) -> Name {
        name(form.as_bytes(), false)
    }

    #[test]
    fn messages_and_their_statuses_have_keys_of_their_own() {
        let named = |kind: &str, key: &str| Name { kind: kind.to_owned(), key: key.to_owned(), dead: None };
        let sid = format!("MessageSid={SID}");
        assert_eq!(of(&format!("{sid}&From=whatsapp:%2B49170")), named("whatsapp.message", SID));
        assert_eq!(of(&format!("{sid}&From=%2B49170&SmsStatus=received")), named("sms.message", SID));
        assert_eq!(of(&format!("{sid}&From=messenger:1")), named("twilio.message", SID));
        let delivered = of(&format!("{sid}&MessageStatus=delivered&SmsStatus=delivered"));
        assert_eq!(delivered, named("twilio.status.delivered", &format!("{SID}:delivered")));
        assert_eq!(of(&format!("SmsSid={SID}&SmsStatus=sent")), named("twilio.status.sent", &format!("{SID}:sent")));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_a_dead_letter() {
        let twice = format!("MessageSid={SID}&MessageSid={SID}");
        let longer = format!("MessageSid={SID}NumMedia0");
        let shorter = format!("MessageSid={}", &SID[..33]);
        let inside = format!("MessageSid{SID}=");
        let status = format!("MessageSid={SID}&MessageStatus=sentSmsSid");
        for form in ["", "a=1", "MessageSid=", &twice, &longer, &shorter, &inside, &status, "MessageSid=%FF"] {
            let name = of(form);
            assert!(name.dead.is_some() && name.key.starts_with("sha256:"), "{form}: {name:?}");
        }
        let deep = "[".repeat(100_000);
        for json in ["{", "\"x\"", "\u{feff}{}", &deep] {
            assert!(name(json.as_bytes(), true).dead.is_some());
        }
    }

    #[test]
    fn parameters_that_are_signed_alike_share_a_key() {
        let one = of("CallSid=CA1&From=x").key;
        for form in ["From=x&CallSid=CA1", "CallSid=CA1From&x=", "CallSidCA1Fromx", "CallSid=CA1&From=x&From=x"] {
            assert_eq!(of(form).key, one, "{form}");
        }
        assert_ne!(of("CallSid=CA1&From=y").key, one);
    }

    #[test]
    fn json_of_other_products_is_kept_under_its_hash() {
        let name = name(br#"{"type":"com.example.done"}"#, true);
        assert_eq!((name.kind.as_str(), name.dead), ("twilio.com.example.done", None));
        assert!(name.key.starts_with("sha256:"));
    }
}
