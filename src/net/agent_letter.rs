//! Letters: a question, or answers to one, as a file that proves who wrote it, for which host, journal and question.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{HostName, SpoolId};
use crate::protocol::FromAgent;

use super::agent_seal::AgentKey;

/// Which way a letter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From an engine to an agent.
    Question,
    /// From an agent to an engine: the answer of this number, counted from 1; 0 is a beat.
    Answer(u32),
}

/// What a letter is about; all of it is under the mark, so a letter is worth nothing elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host.
    pub host: HostName,
    /// Its journal.
    pub spool: SpoolId,
    /// The name of the question: 1 to 80 of `0-9 a-f .`, beginning with a digit of the job.
    pub name: String,
    /// Which way.
    pub way: Way,
}

/// A part of the answer to a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// What the agent said.
    pub said: Vec<FromAgent>,
    /// Whether nothing more comes.
    pub last: bool,
}

/// What an agent leaves in the directory every two seconds, as the answer 0 to [`BEAT_NAME`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    /// Another number at every start of the agent.
    pub agent: u64,
    /// One more each time.
    pub count: u64,
}

/// The name under which a beat is marked.
pub const BEAT_NAME: &str = "0";

/// A letter as it stands in a file. What is under the mark are the very bytes of `letter`, so it does not matter how
/// two readers understand JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    letter: &'a RawValue,
    host: HostName,
    spool: SpoolId,
    mac: String,
}

/// A letter that is not opened. It names no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLetter {
    /// It is no envelope.
    #[error("it is no letter")]
    Form,
    /// It is for another host.
    #[error("it is for the host {0}")]
    Host(HostName),
    /// It is for another journal.
    #[error("it is for the journal {0}; the directory belongs to another agent, or the host was set up anew")]
    Spool(SpoolId),
    /// The mark is not that of this letter.
    #[error("its mark does not fit: another key, or it was altered or copied")]
    Mark,
    /// It was marked and makes no sense.
    #[error("its content is no message of this version")]
    Content,
}

/// Whether `name` can be that of a question: it is part of file names on both sides.
#[must_use]
pub fn is_letter_name(name: &str) -> bool {
    let first = name.as_bytes().first().is_some_and(u8::is_ascii_hexdigit);
    first && name.len() <= 80 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'.'))
}

/// The file of `messages`.
///
/// # Errors
/// When they cannot be written as JSON.
pub fn seal_letter<M: Serialize>(key: &AgentKey, address: &Address, messages: &[M]) -> serde_json::Result<Vec<u8>> {
    let letter = serde_json::value::to_raw_value(messages)?;
    let mac = hex::encode(key.mark(&[&under(address), letter.get().as_bytes()]));
    let Address { host, spool, .. } = address.clone();
    serde_json::to_vec(&Envelope { letter: &letter, host, spool, mac })
}

/// What the file `bytes` says, when it is a letter to `address`.
///
/// # Errors
/// When it is not, in words that may be shown.
pub fn open_letter<M: serde::de::DeserializeOwned>(
    key: &AgentKey,
    address: &Address,
    bytes: &[u8],
) -> Result<Vec<M>, BadLetter> {
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|_| BadLetter::Form)?;
    let mac = hex::decode(&envelope.mac).map_err(|_| BadLetter::Form)?;
    if envelope.host != address.host {
        return Err(BadLetter::Host(envelope.host));
    }
    if envelope.spool != address.spool {
        return Err(BadLetter::Spool(envelope.spool));
    }
    let letter = envelope.letter.get();
    if !key.fits(&[&under(address), letter.as_bytes()], &mac) {
        return Err(BadLetter::Mark);
    }
    serde_json::from_str(letter).map_err(|_| BadLetter::Content)
}

/// What is under the mark beside the letter. No part of it can hold a line feed.
fn under(Address { host, spool, name, way }: &Address) -> Vec<u8> {
    let way = match way {
        Way::Question => "question".to_owned(),
        Way::Answer(number) => format!("answer {number}"),
    };
    format!("aurora letter 1\n{way}\n{host}\n{spool}\n{name}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::protocol::ToAgent;

    fn key(text: &str) -> AgentKey {
        AgentKey::new(text.repeat(32).into()).expect("long enough")
    }

    fn address() -> Address {
        Address {
            host: "web-1".parse().expect("a name"),
            spool: SpoolId::from_uuid(Uuid::from_u128(1)),
            name: "0a.1".to_owned(),
            way: Way::Question,
        }
    }

    #[test]
    fn a_letter_is_worth_nothing_anywhere_else() {
        let probe = [ToAgent::Probe { nonce: 7 }];
        let file = seal_letter(&key("k"), &address(), &probe).expect("a letter");
        assert_eq!(open_letter::<ToAgent>(&key("k"), &address(), &file), Ok(probe.to_vec()));
        let other = |change: fn(&mut Address)| {
            let mut address = address();
            change(&mut address);
            open_letter::<ToAgent>(&key("k"), &address, &file).expect_err("another address")
        };
        assert!(matches!(other(|to| to.host = "web-2".parse().expect("a name")), BadLetter::Host(_)));
        assert!(matches!(other(|to| to.spool = SpoolId::from_uuid(Uuid::nil())), BadLetter::Spool(_)));
        assert_eq!(other(|to| to.name = "0a.2".to_owned()), BadLetter::Mark);
        assert_eq!(other(|to| to.way = Way::Answer(1)), BadLetter::Mark);
        assert_eq!(open_letter::<ToAgent>(&key("l"), &address(), &file), Err(BadLetter::Mark));
        // The address inside is under the mark too.
        let text = String::from_utf8(file).expect("text");
        let renamed = text.replace("web-1", "web-2");
        let mut there = address();
        there.host = "web-2".parse().expect("a name");
        assert_eq!(open_letter::<ToAgent>(&key("k"), &there, renamed.as_bytes()), Err(BadLetter::Mark));
    }

    #[test]
    fn what_is_no_letter_is_refused() {
        let file = seal_letter(&key("k"), &address(), &[ToAgent::Probe { nonce: 7 }]).expect("a letter");
        let text = String::from_utf8(file).expect("text");
        let open = |text: &str| open_letter::<ToAgent>(&key("k"), &address(), text.as_bytes());
        assert_eq!(open(&text.replace("\"nonce\":7", "\"nonce\":8")), Err(BadLetter::Mark));
        assert_eq!(open(&text.replace("\"nonce\":7", "\"nonce\": 7")), Err(BadLetter::Mark), "the very bytes count");
        assert_eq!(open(&text.replacen('{', "{\"sudo\":true,", 1)), Err(BadLetter::Form));
        assert_eq!(open(&text.replacen('{', "{\"letter\":[],", 1)), Err(BadLetter::Form), "a doubled field");
        assert_eq!(open(&text[..text.len() - 1]), Err(BadLetter::Form));
        assert_eq!(open(&format!("{}{}", "[".repeat(9_999), "]".repeat(9_999))), Err(BadLetter::Form));
        let deep = format!("[{}{}]", "[".repeat(9_999), "]".repeat(9_999));
        assert_eq!(open(&format!("{{\"letter\":{deep},\"host\":\"web-1\"}}")), Err(BadLetter::Form));
        let unknown = seal_letter(&key("k"), &address(), &["sudo"]).expect("a letter");
        assert_eq!(open_letter::<ToAgent>(&key("k"), &address(), &unknown), Err(BadLetter::Content));
    }

    #[test]
    fn names_are_safe_in_a_path() {
        for good in ["0", "0af1.9c", &"a".repeat(80)] {
            assert!(is_letter_name(good), "{good}");
        }
        for bad in ["", ".", "..", ".a", "a/b", "A", "a b", "g", &"a".repeat(81), "a\n", "../a"] {
            assert!(!is_letter_name(bad), "{bad}");
        }
    }
}
