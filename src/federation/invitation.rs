//! Invitations: a token that is good for one join, what who joins proves by it, and who is let in.
//!
//! The token holds a key that was made for it. Who joins signs its own key and name with it, so whoever listens learns
//! nothing to join with, and the inviting node keeps only the public half. The token also holds the inviting node's key
//! and, where its listener has TLS, the pin of its certificate's key: each side knows the other before it says a word.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{is_local_url, is_node_url};
use crate::model::{NodeKey, NodeName, PinnedKeys, hex_pin};
use crate::net::{self, InvitationKey};
use crate::protocol::{FEDERATION_VERSION, Join, SEES_MAX};

/// How long an invitation counts.
pub const INVITED_FOR: Duration = Duration::from_mins(15);
/// How every token begins, so that a leaked one can be found by a scanner.
const PREFIX: &str = "aurora-join-";
/// No token is longer.
const LONGEST: usize = 2048;

/// What `aurora node invite` prints. It is a secret until it was used.
#[derive(Clone, Serialize, Deserialize)]
pub struct JoinToken {
    /// Who invites.
    pub node: NodeName,
    /// Where it is reached.
    pub url: String,
    /// Its key.
    pub key: NodeKey,
    /// SHA-256 of the public key in the certificate of its listener (SPKI), where that has TLS of its own.
    #[serde(default, with = "hex_pin")]
    pub pin: Option<[u8; 32]>,
    /// The moment after which it no longer counts.
    pub expires: Timestamp,
    secret: InvitationKey,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("node", &self.node).field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why nobody joins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinFault {
    /// It is something else.
    #[error("this is no token of `aurora node invite`; it begins with {PREFIX} and is one line")]
    NoToken,
    /// It was made here.
    #[error("this token was made on this node; give it to `aurora node join` on the other one")]
    Own,
    /// It is over.
    #[error("the invitation was good until {0}; ask for another one")]
    Over(Timestamp),
    /// The name is taken.
    #[error(
        "the name {0} belongs to another node here; set another name under [node] and start again, or remove the other \
         one with `aurora node remove {0}`"
    )]
    NameTaken(NodeName),
    /// The key is another node's.
    #[error("the key of {0} is known here as that of {1}; no two nodes share one: remove its secrets/node.key")]
    KeyTaken(NodeName, NodeName),
    /// No heartbeat could name one more.
    #[error("{SEES_MAX} other nodes are known already, which is the most; `aurora node remove` forgets one")]
    TooMany,
}

impl JoinToken {
    /// An invitation of `node`, which counts until [`INVITED_FOR`] after `now`.
    #[must_use]
    pub fn new(node: NodeName, url: String, key: NodeKey, pin: Option<[u8; 32]>, now: Timestamp) -> Self {
        let expires = now.checked_add(INVITED_FOR).unwrap_or(Timestamp::MAX);
        Self { node, url, key, pin, expires, secret: InvitationKey::fresh() }
    }

    /// What the inviting node keeps of it.
    #[must_use]
    pub fn public(&self) -> NodeKey {
        self.secret.public()
    }

    /// The wish of `me` to join by it at `now`; `url` is where it is reached. An address of this machine alone is kept to
    /// itself where the other node is on another one. Whoever has TLS of its own adds its pin.
    ///
    /// # Errors
    /// When the token is this node's own, or over.
    pub fn wish(&self, me: &NodeName, key: NodeKey, url: Option<String>, now: Timestamp) -> Result<Join, JoinFault> {
        if self.key == key || self.node == *me {
            return Err(if self.key == key { JoinFault::Own } else { JoinFault::NameTaken(me.clone()) });
        }
        if now > self.expires {
            return Err(JoinFault::Over(self.expires));
        }
        let url = url.filter(|url| is_local_url(&self.url) || !is_local_url(url));
        let proof = self.secret.sign(&Join::proven(me, &key, &self.node));
        Ok(Join {
            version: FEDERATION_VERSION,
            invitation: self.public(),
            proof,
            node: me.clone(),
            url,
            pin: None,
            key,
        })
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for JoinToken {
    type Err = JoinFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let bytes = text.strip_prefix(PREFIX).filter(|text| text.len() <= LONGEST);
        let bytes = bytes.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let token: Option<Self> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        token.filter(|token| is_node_url(&token.url)).ok_or(JoinFault::NoToken)
    }
}

/// Whether a node of this name and key fits in among those that are known: `known` are their names and keys, `me` is this
/// node and its key. Whether its invitation still counts is the store's to say, in the same step that keeps it.
///
/// # Errors
/// When its name or its key is another one's, or too many are known.
pub fn fits<'a>(
    (node, key): (&NodeName, NodeKey),
    (me, own): (&NodeName, NodeKey),
    known: impl IntoIterator<Item = (&'a NodeName, &'a PinnedKeys)>,
    now: Timestamp,
) -> Result<(), JoinFault> {
    if node == me {
        return Err(JoinFault::NameTaken(me.clone()));
    }
    if key == own {
        return Err(JoinFault::KeyTaken(node.clone(), me.clone()));
    }
    let mut others = 0;
    for (name, keys) in known {
        match (name == node, keys.counting(now).contains(&key)) {
            (true, false) => return Err(JoinFault::NameTaken(name.clone())),
            (false, true) => return Err(JoinFault::KeyTaken(node.clone(), name.clone())),
            (is_it, _) => others += usize::from(!is_it),
        }
    }
    if others < SEES_MAX { Ok(()) } else { Err(JoinFault::TooMany) }
}

/// The address of a joining node that may be kept: one that nodes may use.
#[must_use]
pub fn kept_url(join: &Join) -> Option<String> {
    join.url.clone().filter(|url| is_node_url(url) && url.len() <= 256)
}

/// Whether the key of its invitation has signed `join`, for `me`.
#[must_use]
pub fn is_invited(join: &Join, me: &NodeName) -> bool {
    net::is_signed(&join.invitation, &Join::proven(&join.node, &join.key, me), &join.proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NodeName {
        text.parse().expect("a name")
    }

    fn key(byte: u8) -> NodeKey {
        NodeKey::from_bytes([byte; 32])
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn token() -> JoinToken {
        JoinToken::new(name("hub-1"), "http://127.0.0.1:9292".into(), key(1), Some([7; 32]), at(0))
    }

    #[test]
    fn a_token_is_one_line_that_comes_through() {
        let made = token();
        let text = made.to_string();
        assert!(text.len() < 512 && !text.contains(char::is_whitespace), "{text}");
        let read: JoinToken = format!(" {text}\n").parse().expect("a token");
        assert_eq!((read.node, read.key, read.pin, read.expires), (name("hub-1"), key(1), Some([7; 32]), at(900)));
        assert_eq!(read.secret.public(), made.public());
        assert!(!format!("{made:?}").contains("secret"));
        for bad in ["", "aurora-join-", "aurora-join-AAAA", "aur_x", &text[..text.len() - 4]] {
            assert_eq!(bad.parse::<JoinToken>().expect_err(bad), JoinFault::NoToken);
        }
        let elsewhere = JoinToken { url: "http://hub.example.org".into(), ..made };
        assert!(elsewhere.to_string().parse::<JoinToken>().is_err(), "nothing is said without TLS beyond this machine");
    }

    #[test]
    fn a_wish_is_proven_for_one_node_and_one_key() {
        let token = token();
        let join = token.wish(&name("hub-2"), key(2), None, at(900)).expect("it counts");
        assert!(is_invited(&join, &name("hub-1")));
        assert!(!is_invited(&join, &name("hub-3")));
        assert!(!is_invited(&Join { key: key(3), ..join.clone() }, &name("hub-1")), "who listens cannot join");
        assert!(!is_invited(&Join { node: name("hub-4"), ..join }, &name("hub-1")));
        assert_eq!(token.wish(&name("hub-2"), key(2), None, at(901)), Err(JoinFault::Over(at(900))));
        assert_eq!(token.wish(&name("hub-1"), key(1), None, at(0)), Err(JoinFault::Own));
        assert_eq!(token.wish(&name("hub-1"), key(2), None, at(0)), Err(JoinFault::NameTaken(name("hub-1"))));
    }

    #[test]
    fn names_and_keys_belong_to_one_node_each() {
        let keys = |byte| PinnedKeys::of(key(byte), at(0));
        let (hub_1, hub_2) = (name("hub-1"), name("hub-2"));
        let fit = |known: &[(NodeName, PinnedKeys)]| {
            fits((&hub_2, key(2)), (&hub_1, key(1)), known.iter().map(|(name, keys)| (name, keys)), at(0))
        };
        assert_eq!(fit(&[]), Ok(()));
        assert_eq!(fit(&[(name("hub-3"), keys(3))]), Ok(()));
        assert_eq!(fit(&[(name("hub-2"), keys(2))]), Ok(()), "it is known");
        assert_eq!(fit(&[(name("hub-2"), keys(3))]), Err(JoinFault::NameTaken(name("hub-2"))));
        assert_eq!(fit(&[(name("hub-3"), keys(2))]), Err(JoinFault::KeyTaken(name("hub-2"), name("hub-3"))));
        let fits = |node: &NodeName, own| fits((node, key(2)), (&hub_1, own), [], at(0));
        assert_eq!(fits(&hub_1, key(1)), Err(JoinFault::NameTaken(name("hub-1"))));
        assert!(matches!(fits(&hub_2, key(2)), Err(JoinFault::KeyTaken(..))), "a copied key");
        let mut many: Vec<_> = (0..SEES_MAX).map(|n| (name(&format!("x{n}")), keys(9))).collect();
        assert_eq!(fit(&many), Err(JoinFault::TooMany));
        many[0] = (name("hub-2"), keys(2));
        assert_eq!(fit(&many), Ok(()), "it is one of them");
    }

    #[test]
    fn an_address_is_kept_only_when_nodes_may_use_it() {
        let join = |url: &str| token().wish(&name("hub-2"), key(2), Some(url.into()), at(0)).expect("it counts");
        assert_eq!(join("http://127.0.0.1:9293").url.as_deref(), Some("http://127.0.0.1:9293"), "on one machine");
        let elsewhere = JoinToken { url: "https://hub.example.org:9292".into(), ..token() };
        let wish = |url: &str| elsewhere.wish(&name("hub-2"), key(2), Some(url.into()), at(0)).expect("it counts").url;
        assert_eq!(wish("http://127.0.0.1:9292"), None, "there it would be the other node itself");
        assert!(wish("https://hub-2.example.org").is_some());
        assert!(kept_url(&join("https://hub-2.example.org:9292")).is_some());
        for bad in ["http://hub-2.example.org", "file:///etc/passwd", "https://a/\u{1b}[2J"] {
            assert_eq!(kept_url(&join(bad)), None, "{bad}");
        }
    }
}
