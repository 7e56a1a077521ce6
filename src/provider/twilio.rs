//! Twilio webhooks for WhatsApp and SMS: `X-Twilio-Signature` over the address and the parameters
//! (twilio.com/docs/usage/security).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::model::{Assurance, Parsed, Reason, Secret};

use super::api::active;
use super::twilio_name::{self, Name};
use super::twilio_url::{candidates, pairs};
use super::{Answer, Envelope, Outcome, Provider, RawRequest, Rejected, Sample, Stored, Verified, mac, twilio_read};

const SIGNATURE: &str = "x-twilio-signature";
const BODY_HASH: &str = "bodySHA256";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
/// No reply is sent in the answer; the REST API is for that.
const TWIML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// WhatsApp and SMS at Twilio.
#[derive(Debug)]
pub(super) struct Twilio;

/// Names and values, as bytes.
pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

impl Provider for Twilio {
    fn methods(&self) -> &'static [&'static str] {
        &["GET", "POST"]
    }

    fn accepts(&self, media_type: Option<&str>) -> bool {
        matches!(media_type, None | Some(FORM | JSON))
    }

    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        match secret.expose().get(..2) {
            Some("AC" | "SK") if twilio_name::is_sid(secret.expose()) => {
                Err("that is the id of an account or a key; the auth token stands beside it".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn verify(&self, secrets: &[Secret], request: &RawRequest, now: Timestamp) -> Result<Verified, Rejected> {
        let header = request.required(SIGNATURE)?;
        let signature = BASE64.decode(header).unwrap_or_default();
        if !matches!(signature.len(), 20 | 32) {
            let detail = format!("{SIGNATURE} is not the base64 of 20 or 32 bytes");
            return Err(Rejected::new(Reason::MalformedHeader, detail));
        }
        let parameters = parameters(request)?;
        let candidates = candidates(&request.address, &request.query);
        let mut tried = Vec::new();
        let secrets = active(secrets, now, &mut tried);
        // The usual address comes first. Whoever signed rightly may know by the time which one it was; a wrong signature
        // is compared with all of them.
        let known = candidates.iter().any(|candidate| {
            let signed = signed(&candidate.url, &parameters);
            secrets.iter().any(|(_, secret)| verifies(secret, &signed, &signature))
        });
        if known {
            return Ok(Verified { assurance: Assurance::Params, time: None, id: None });
        }
        for (number, _) in &secrets {
            tried.extend(candidates.iter().map(|candidate| {
                format!(
                    "secret {number}: the HMAC over {} ({}) and {} parameters does not match",
                    candidate.url,
                    candidate.how(),
                    parameters.len()
                )
            }));
        }
        let detail = "no active secret made this signature over the public address and these parameters";
        Err(Rejected { tried, ..Rejected::new(Reason::Signature, detail) })
    }

    fn identify(&self, request: &RawRequest, _verified: &Verified) -> Vec<Envelope> {
        let data =
            if request.method == Method::GET { Bytes::from(request.query.clone()) } else { request.body.clone() };
        let is_json = request.method != Method::GET && request.media_type().as_deref() == Some(JSON);
        let Name { kind, key, dead } = twilio_name::name(&data, is_json);
        vec![Envelope { kind, time: None, key: Some(key), body_window: None, data, content: None, dead }]
    }

    fn parse(&self, stored: &Stored<'_>) -> Parsed {
        twilio_read::read(stored)
    }

    fn answer(&self, outcome: Outcome) -> Answer {
        match outcome {
            Outcome::Stored | Outcome::Repeated | Outcome::Refused(Reason::Replay) => {
                Answer::new(200, TWIML).content_type("text/xml")
            }
            Outcome::Refused(_) => match Answer::usual(outcome) {
                unauthorized if unauthorized.status == 401 => Answer::new(403, "forbidden\n"),
                other => other,
            },
        }
    }

    fn sample(&self, secrets: &[Secret], now: Timestamp, id: &str, text: &str, url: &str) -> Result<Sample, String> {
        let secret = secrets.iter().find(|secret| secret.is_active(now)).ok_or("no active secret")?;
        let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(32).collect();
        let sid = format!("SM{digits:0>32}");
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("SmsMessageSid", sid.as_str()),
                ("NumMedia", "0"),
                ("ProfileName", "Ann Example"),
                ("WaId", "491700000000"),
                ("SmsStatus", "received"),
                ("Body", text),
                ("To", "whatsapp:+491700000001"),
                ("MessageSid", sid.as_str()),
                ("AccountSid", "AC00000000000000000000000000000000"),
                ("From", "whatsapp:+491700000000"),
            ])
            .finish();
        let parameters = sorted(body.as_bytes());
        let signature = mac::sign_sha1(secret.expose().as_bytes(), &signed(url, &parameters));
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(FORM));
        headers.insert("user-agent", HeaderValue::from_static("aurora-send-test"));
        headers.insert(SIGNATURE, HeaderValue::from_str(&BASE64.encode(signature)).map_err(|e| e.to_string())?);
        Ok(Sample { headers, body: body.into() })
    }
}

/// The account's auth token signs by HMAC-SHA1, a shared key by HMAC-SHA256; the lengths tell them apart.
fn verifies(secret: &Secret, signed: &[&[u8]], signature: &[u8]) -> bool {
    let key = secret.expose().as_bytes();
    if signature.len() == 20 {
        mac::verifies_sha1(key, signed, signature)
    } else {
        mac::verifies(key, signed, signature)
    }
}

/// The parameters that are signed beside the address: those of a form. A JSON body is signed by its hash in the
/// address, and all parameters of a GET stand there.
fn parameters(request: &RawRequest) -> Result<Pairs, Rejected> {
    if request.method == Method::GET {
        return if request.body.is_empty() {
            Ok(Vec::new())
        } else {
            Err(Rejected::new(Reason::Signature, "nothing covers the body of a GET"))
        };
    }
    match request.media_type().as_deref() {
        Some(FORM) => Ok(sorted(&request.body)),
        Some(_) => hashed(request).map(|()| Vec::new()),
        None => Err(Rejected::new(Reason::ContentType, "a POST without a content type")),
    }
}

/// Sorted by the bytes of the name; equal names by their values, equal values once.
pub(super) fn sorted(form: &[u8]) -> Pairs {
    let mut pairs: Pairs = pairs(form).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn signed<'a>(url: &'a str, parameters: &'a Pairs) -> Vec<&'a [u8]> {
    let parts = parameters.iter().flat_map(|(name, value)| [&name[..], &value[..]]);
    std::iter::once(url.as_bytes()).chain(parts).collect()
}

/// Whether the address names the hash of the body.
fn hashed(request: &RawRequest) -> Result<(), Rejected> {
    let mut hashes = pairs(request.query.as_bytes()).filter(|(name, _)| name == BODY_HASH.as_bytes());
    let Some((_, hash)) = hashes.next() else {
        let detail = format!("{BODY_HASH} is missing in the address, so nothing covers the body");
        return Err(Rejected::new(Reason::MissingHeader, detail));
    };
    if hashes.next().is_some() {
        let detail = format!("{BODY_HASH} is there more than once");
        return Err(Rejected::new(Reason::DoubledHeader, detail));
    }
    let mut expected = [0; 32];
    if hex::decode_to_slice(&hash, &mut expected).is_err() {
        let detail = format!("{BODY_HASH} is not 64 hexadecimal digits");
        return Err(Rejected::new(Reason::MalformedHeader, detail));
    }
    if mac::same_secret(&expected, &Sha256::digest(&request.body)) {
        Ok(())
    } else {
        Err(Rejected::new(Reason::Signature, format!("{BODY_HASH} is not the hash of this body")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "https://hub.example.org/whatsapp/webhook";
    const SID: &str = "SM0123456789abcdef0123456789abcdef";

    fn secrets(values: &[&str]) -> Vec<Secret> {
        values.iter().map(|value| Secret::new((*value).into(), None)).collect()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).expect("in range")
    }

    /// A request as Twilio signs it.
    fn request(method: Method, media: &str, query: &str, body: &str) -> RawRequest {
        let url = if query.is_empty() { ADDRESS.to_owned() } else { format!("{ADDRESS}?{query}") };
        let form = if method == Method::POST && media == FORM { sorted(body.as_bytes()) } else { Vec::new() };
        let signature = BASE64.encode(mac::sign_sha1(b"token", &signed(&url, &form)));
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, HeaderValue::from_str(&signature).expect("a value"));
        if !media.is_empty() {
            headers.insert("content-type", HeaderValue::from_str(media).expect("a value"));
        }
        RawRequest {
            method,
            address: ADDRESS.into(),
            query: query.to_owned(),
            headers,
            body: body.to_owned().into(),
            form: None,
        }
    }

    fn verify(request: &RawRequest) -> Result<Assurance, Reason> {
        let verified = Twilio.verify(&secrets(&["old", "token"]), request, now());
        verified.map(|verified| verified.assurance).map_err(|rejected| rejected.reason)
    }

    fn identified(request: &RawRequest) -> Envelope {
        let verified = Verified { assurance: Assurance::Params, time: None, id: None };
        Twilio.identify(request, &verified).remove(0)
    }

    #[test]
    fn a_form_is_covered_in_any_order_and_nothing_is_trimmed() {
        let good = request(Method::POST, FORM, "a=1", "b=+x+&a=1&a=2&new=");
        assert_eq!(verify(&good), Ok(Assurance::Params));
        for (body, same) in [("a=2&new=&a=1&a=1&b=+x+", true), ("b=x&a=1&a=2&new=", false), ("b=+x+&a=1&new=", false)] {
            let other = RawRequest { body: body.into(), ..good.clone() };
            assert_eq!(verify(&other).is_ok(), same, "{body}");
        }
        let moved = RawRequest { address: "https://other.example.org/whatsapp/webhook".into(), ..good.clone() };
        assert_eq!(verify(&moved), Err(Reason::Signature));
        assert_eq!(verify(&RawRequest { query: "a=2".into(), ..good }), Err(Reason::Signature));
    }

    #[test]
    fn a_shared_key_signs_by_sha_256() {
        let mut good = request(Method::POST, FORM, "", "a=1");
        let by = |key: &[u8]| BASE64.encode(mac::sign(key, &signed(ADDRESS, &sorted(b"a=1"))));
        good.headers.insert(SIGNATURE, HeaderValue::from_str(&by(b"token")).expect("a value"));
        assert_eq!(verify(&good), Ok(Assurance::Params));
        good.headers.insert(SIGNATURE, HeaderValue::from_str(&by(b"other")).expect("a value"));
        assert_eq!(verify(&good), Err(Reason::Signature));
    }

    #[test]
    fn bytes_that_are_no_text_are_told_apart() {
        let good = request(Method::POST, FORM, "", "a=%EF%BF%BD");
        assert!(verify(&RawRequest { body: "a=%FF".into(), ..good }).is_err());
    }

    #[test]
    fn json_is_covered_by_its_hash_in_the_address() {
        let body = r#"{"property": "value", "boolean": true}"#;
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        let good = request(Method::POST, JSON, &format!("bodySHA256={hash}"), body);
        assert_eq!(verify(&good), Ok(Assurance::Params));
        assert_eq!(verify(&RawRequest { body: "{}".into(), ..good }), Err(Reason::Signature));
        assert_eq!(verify(&request(Method::POST, JSON, "", body)), Err(Reason::MissingHeader));
        let twice = format!("bodySHA256={hash}&bodySHA256={hash}");
        assert_eq!(verify(&request(Method::POST, JSON, &twice, body)), Err(Reason::DoubledHeader));
        assert_eq!(verify(&request(Method::POST, JSON, "bodySHA256=xyz", body)), Err(Reason::MalformedHeader));
        assert_eq!(verify(&request(Method::POST, "", "", "")), Err(Reason::ContentType));
    }

    #[test]
    fn a_get_has_its_parameters_in_the_address_and_no_body() {
        let query = format!("MessageSid={SID}&From=%2B491700000000&Body=hi");
        let good = request(Method::GET, "", &query, "");
        assert_eq!(verify(&good), Ok(Assurance::Params));
        let envelope = identified(&good);
        assert_eq!((envelope.kind.as_str(), envelope.key.as_deref()), ("sms.message", Some(SID)));
        assert_eq!(envelope.data, query.as_bytes());
        assert_eq!(verify(&RawRequest { body: "x".into(), ..good }), Err(Reason::Signature));
    }

    #[test]
    fn headers_missing_doubled_or_malformed_are_refused() {
        let mut bad = request(Method::POST, FORM, "", "a=1");
        let right = bad.headers.remove(SIGNATURE).expect("a signature");
        assert_eq!(verify(&bad), Err(Reason::MissingHeader));
        for value in ["x", "YWJj", "sha1=", "AAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            bad.headers.insert(SIGNATURE, HeaderValue::from_static(value));
            assert_eq!(verify(&bad), Err(Reason::MalformedHeader), "{value}");
        }
        bad.headers.insert(SIGNATURE, right.clone());
        assert!(verify(&bad).is_ok());
        bad.headers.append(SIGNATURE, right);
        assert_eq!(verify(&bad), Err(Reason::DoubledHeader));
    }

    #[test]
    fn each_secret_and_address_that_was_tried_is_named_without_its_signature() {
        let request = request(Method::POST, FORM, "", "a=1");
        let rejected = Twilio.verify(&secrets(&["a", "b"]), &request, now()).expect_err("neither");
        assert_eq!(rejected.tried.len(), 4, "{:?}", rejected.tried);
        assert!(rejected.tried[1].contains("https://hub.example.org:443/whatsapp/webhook (default port added"));
        let expected = BASE64.encode(mac::sign_sha1(b"a", &signed(ADDRESS, &sorted(b"a=1"))));
        assert!(rejected.tried.iter().all(|tried| !tried.contains(&expected)));
    }

    #[test]
    fn answers_are_twiml_or_403() {
        for outcome in [Outcome::Stored, Outcome::Repeated] {
            let answer = Twilio.answer(outcome);
            assert_eq!((answer.status, answer.content_type), (200, "text/xml"));
            assert!(answer.body.ends_with("<Response/>"));
        }
        assert_eq!(Twilio.answer(Outcome::Refused(Reason::Signature)).status, 403);
        assert_eq!(Twilio.answer(Outcome::Refused(Reason::StoreFailed)).status, 503);
    }

    #[test]
    fn an_account_is_no_token() {
        assert!(Twilio.check_secret(&secrets(&["AC0123456789abcdef0123456789abcdef"])[0]).is_err());
        assert!(Twilio.check_secret(&secrets(&["0123456789abcdef0123456789abcdef"])[0]).is_ok());
    }
}
