//! How nodes prove to each other who says what: a signature over each request, and one over each answer.
//!
//! A request carries `Authorization: Aurora v=1, node=hub-1, to=hub-2, at=1790000000000, nonce=…, body=…, sig=…`, and a
//! second `sig` while its node changes its key. Signed are version, sender, receiver, method, path and query, the
//! moment, the nonce and the SHA-256 of the body; each part goes in with its length. As the hash of the body is named
//! beside it, who asks is known before a byte of the body is read. An answer carries `Aurora-Signed: v=1, node=hub-2,
//! sig=…` over status, body and the nonce of its question, so it is an answer to that question and no other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::model::{NodeKey, NodeName};

use super::node_key::{NodeKeys, is_signed};

/// The header of an answer.
pub const SIGNED: HeaderName = HeaderName::from_static("aurora-signed");
/// No header is longer.
const LONGEST: usize = 1024;
/// Signatures of one message at most: the key that stays, and the one before.
const SIGNATURES: usize = 2;

const REQUEST: &[u8] = b"aurora node request 1\0";
const ANSWER: &[u8] = b"aurora node answer 1\0";

/// What makes a request another one than all others.
pub type Nonce = [u8; 16];

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query, as they are sent.
    pub path: &'a str,
}

/// The proof a request carries. What it says is worth nothing before it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Who asks.
    pub node: NodeName,
    /// Whom.
    pub to: NodeName,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What makes it another one than all others.
    pub nonce: Nonce,
    /// SHA-256 of its body.
    pub digest: [u8; 32],
    signatures: Vec<Vec<u8>>,
}

/// SHA-256 of a body.
#[must_use]
pub fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

impl Proof {
    /// Proves that `me` asks `to` with `body` at `now`.
    #[must_use]
    pub fn new(keys: &NodeKeys, me: &NodeName, to: &NodeName, asked: &Asked<'_>, body: &[u8], now: Timestamp) -> Self {
        let mut proof = Self {
            node: me.clone(),
            to: to.clone(),
            at_ms: now.as_millisecond(),
            nonce: rand::random(),
            digest: digest(body),
            signatures: Vec::new(),
        };
        proof.signatures = keys.sign(&proof.message(asked)).into_iter().map(Vec::from).collect();
        proof
    }

    /// The proof in `headers`; nothing where there is none, or more than one, or one that makes no sense.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let fields = fields(headers, &AUTHORIZATION, "Aurora ")?;
        let one = |name| fields.one(name);
        Some(Self {
            node: one("node")?.parse().ok()?,
            to: one("to")?.parse().ok()?,
            at_ms: one("at")?.parse().ok()?,
            nonce: bytes(one("nonce")?)?.try_into().ok()?,
            digest: bytes(one("body")?)?.try_into().ok()?,
            signatures: fields.signatures()?,
        })
    }

    /// The value of the header.
    #[must_use]
    pub fn header(&self) -> String {
        let Self { node, to, at_ms, nonce, digest, signatures } = self;
        let (nonce, body) = (URL_SAFE_NO_PAD.encode(nonce), URL_SAFE_NO_PAD.encode(digest));
        let head = format!("Aurora v=1, node={node}, to={to}, at={at_ms}, nonce={nonce}, body={body}");
        head + &shown(signatures)
    }

    /// The first of `keys` that has signed it.
    #[must_use]
    pub fn proven_by(&self, asked: &Asked<'_>, keys: &[NodeKey]) -> Option<NodeKey> {
        signer(&self.message(asked), &self.signatures, keys)
    }

    /// How far its clock is from `now`, in milliseconds.
    #[must_use]
    pub fn skew_ms(&self, now: Timestamp) -> i64 {
        self.at_ms.saturating_sub(now.as_millisecond())
    }

    fn message(&self, asked: &Asked<'_>) -> Vec<u8> {
        let names = [self.node.as_str(), self.to.as_str(), asked.method, asked.path];
        let parts = names.map(str::as_bytes);
        sized(REQUEST, &[&parts[..], &[&self.at_ms.to_be_bytes(), &self.nonce, &self.digest]].concat())
    }
}

/// What an answer is an answer to, and says.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// Who answers.
    pub node: &'a NodeName,
    /// Whom.
    pub to: &'a NodeName,
    /// The nonce of the question.
    pub nonce: &'a Nonce,
    /// The status.
    pub status: u16,
    /// All of the body.
    pub body: &'a [u8],
}

impl Answered<'_> {
    /// The value of the header that proves it.
    #[must_use]
    pub fn header(&self, keys: &NodeKeys) -> String {
        let signatures: Vec<Vec<u8>> = keys.sign(&self.message()).into_iter().map(Vec::from).collect();
        format!("v=1, node={}{}", self.node, shown(&signatures))
    }

    /// The first of `keys` that has signed it as `headers` say.
    #[must_use]
    pub fn proven_by(&self, headers: &HeaderMap, keys: &[NodeKey]) -> Option<NodeKey> {
        let fields = fields(headers, &SIGNED, "")?;
        signer(&self.message(), &fields.signatures()?, keys)
    }

    fn message(&self) -> Vec<u8> {
        let names = [self.node.as_str().as_bytes(), self.to.as_str().as_bytes()];
        sized(ANSWER, &[&names[..], &[self.nonce, &self.status.to_be_bytes(), &digest(self.body)]].concat())
    }
}

fn signer(message: &[u8], signatures: &[Vec<u8>], keys: &[NodeKey]) -> Option<NodeKey> {
    keys.iter().find(|key| signatures.iter().any(|signature| is_signed(key, message, signature))).copied()
}

/// Each part with its length, so that no two lists of parts have the same bytes.
fn sized(what: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut message = what.to_vec();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

fn shown(signatures: &[Vec<u8>]) -> String {
    let fields: Vec<String> =
        signatures.iter().map(|signature| format!(", sig={}", URL_SAFE_NO_PAD.encode(signature))).collect();
    fields.concat()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

struct Fields<'a>(Vec<(&'a str, &'a str)>);

/// The fields of the one header `name`, after its `scheme`. The version has to be ours.
fn fields<'a>(headers: &'a HeaderMap, name: &HeaderName, scheme: &str) -> Option<Fields<'a>> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok().filter(|value| value.len() <= LONGEST)?;
    if values.next().is_some() {
        return None;
    }
    let fields: Option<Vec<_>> =
        value.strip_prefix(scheme)?.split(',').map(|field| field.trim().split_once('=')).collect();
    Some(Fields(fields?)).filter(|fields| fields.one("v") == Some("1"))
}

impl<'a> Fields<'a> {
    /// The value of a field that stands there once.
    fn one(&self, name: &str) -> Option<&'a str> {
        let mut found = self.0.iter().filter(|(field, _)| *field == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }

    fn signatures(&self) -> Option<Vec<Vec<u8>>> {
        let found: Option<Vec<_>> =
            self.0.iter().filter(|(field, _)| *field == "sig").map(|(_, value)| bytes(value)).collect();
        found.filter(|found| (1..=SIGNATURES).contains(&found.len()))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn name(text: &str) -> NodeName {
        text.parse().expect("a name")
    }

    fn keys() -> (tempfile::TempDir, NodeKeys) {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = NodeKeys::open(dir.path(), Timestamp::UNIX_EPOCH).expect("a key");
        (dir, keys)
    }

    const ASKED: Asked<'_> = Asked { method: "POST", path: "/fed/v1/heartbeat" };

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    #[test]
    fn every_part_of_a_request_is_proven() {
        let (_dir, keys) = keys();
        let proof = Proof::new(&keys, &name("hub-1"), &name("hub-2"), &ASKED, b"{}", Timestamp::UNIX_EPOCH);
        let read = Proof::read(&headers(&AUTHORIZATION, &[&proof.header()])).expect("it reads");
        assert_eq!(read, proof);
        let own = [keys.key()];
        assert_eq!(read.proven_by(&ASKED, &own), Some(keys.key()));
        assert_eq!(read.proven_by(&ASKED, &[NodeKey::from_bytes([5; 32])]), None);
        assert_eq!(read.proven_by(&Asked { method: "GET", ..ASKED }, &own), None);
        assert_eq!(read.proven_by(&Asked { path: "/fed/v1/probe", ..ASKED }, &own), None);
        let changes: [fn(&mut Proof); 5] = [
            |proof| proof.node = name("hub-3"),
            |proof| proof.to = name("hub-3"),
            |proof| proof.at_ms += 1,
            |proof| proof.nonce[0] ^= 1,
            |proof| proof.digest[0] ^= 1,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut other = read.clone();
            change(&mut other);
            assert_eq!(other.proven_by(&ASKED, &own), None, "change {number}");
        }
    }

    #[test]
    fn while_a_key_is_changed_either_is_believed() {
        let (_dir, keys) = keys();
        let old = keys.key();
        let (new, _) = keys.rotate(Timestamp::UNIX_EPOCH).expect("it is changed");
        let proof = Proof::new(&keys, &name("hub-1"), &name("hub-2"), &ASKED, b"", Timestamp::UNIX_EPOCH);
        let proof = Proof::read(&headers(&AUTHORIZATION, &[&proof.header()])).expect("it reads");
        for key in [old, new] {
            assert_eq!(proof.proven_by(&ASKED, &[key]), Some(key));
        }
        assert_eq!(proof.proven_by(&ASKED, &[new, old]), Some(new), "the one that stays, where both are known");
    }

    #[test]
    fn what_makes_no_sense_is_no_proof() {
        let (_dir, keys) = keys();
        let good = Proof::new(&keys, &name("a"), &name("b"), &ASKED, b"", Timestamp::UNIX_EPOCH).header();
        let sig = good.rsplit_once(", sig=").expect("a signature").1.to_owned();
        let cases = [
            String::new(),
            "Bearer aur_x".to_owned(),
            good.replace("v=1", "v=2"),
            good.replace("node=a", "node=a, node=a"),
            good.replace("node=a", "node=-"),
            good.replace("to=b, ", ""),
            good.replace("at=0", "at=x"),
            good.replace("nonce=", "nonce=A"),
            good.replace("body=", "body=!"),
            good.split(", sig=").next().expect("a head").to_owned(),
            format!("{good}, sig={sig}, sig={sig}"),
            format!("{good}, junk"),
            format!("{good}, {}", "x=y, ".repeat(300)),
        ];
        for case in cases {
            assert_eq!(Proof::read(&headers(&AUTHORIZATION, &[&case])), None, "{case}");
        }
        assert_eq!(Proof::read(&headers(&AUTHORIZATION, &[&good, &good])), None, "two of them");
        assert_eq!(Proof::read(&HeaderMap::new()), None);
    }

    #[test]
    fn an_answer_is_the_answer_to_its_question() {
        let (_dir, keys) = keys();
        let (node, to, nonce) = (name("hub-2"), name("hub-1"), [1; 16]);
        let answer = Answered { node: &node, to: &to, nonce: &nonce, status: 200, body: b"{}" };
        let said = headers(&SIGNED, &[&answer.header(&keys)]);
        let own = [keys.key()];
        assert_eq!(answer.proven_by(&said, &own), Some(keys.key()));
        let others = [
            Answered { node: &to, ..answer },
            Answered { to: &node, ..answer },
            Answered { nonce: &[2; 16], ..answer },
            Answered { status: 500, ..answer },
            Answered { body: b"{ }", ..answer },
        ];
        for other in others {
            assert_eq!(other.proven_by(&said, &own), None, "{other:?}");
        }
        assert_eq!(answer.proven_by(&HeaderMap::new(), &own), None);
    }
}
