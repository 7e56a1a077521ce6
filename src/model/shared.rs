//! What nodes tell each other: the entries of each node's log, chained by hashes, and the head that is signed.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{EpochId, NodeKey, NodeName, SharedId};

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedKind {
    /// How a check stands now.
    Check,
    /// The counts of a channel now.
    Counts,
    /// Something went wrong, or is well again.
    Incident,
    /// How a job stands now.
    Job,
    /// How a background task stands now.
    Task,
    /// A message came. Only where it is configured.
    Message,
    /// Somebody was told of an incident.
    Told,
}

impl SharedKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Check, Self::Counts, Self::Incident, Self::Job, Self::Task, Self::Message, Self::Told];

    /// The name used in configuration, on the wire and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Counts => "counts",
            Self::Incident => "incident",
            Self::Job => "job",
            Self::Task => "task",
            Self::Message => "message",
            Self::Told => "told",
        }
    }

    /// Whether the newest entry about a subject says everything about it, so that older ones are history only. A body of
    /// `null` then says that there is no such subject any more.
    #[must_use]
    pub fn is_state(self) -> bool {
        !matches!(self, Self::Message)
    }
}

impl fmt::Display for SharedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A hybrid logical clock: milliseconds since 1970 in the upper 48 bits, a counter in the lower 16. Orders entries of
/// different nodes, also where their clocks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hlc(u64);

impl Hlc {
    /// The clock of these bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The next one at `now`, after this one.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Self {
        let wall = u64::try_from(now.as_millisecond()).unwrap_or(0) << 16;
        Self(wall.max(self.0.saturating_add(1)))
    }

    /// The moment in it.
    #[must_use]
    pub fn at(self) -> Timestamp {
        i64::try_from(self.0 >> 16).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
    }
}

/// SHA-256 of an entry and of all before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChainHash([u8; 32]);

/// Text that is not the hash of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash of an entry has 64 hexadecimal digits")]
pub struct BadChainHash;

impl ChainHash {
    /// What the first entry of a log is chained to.
    pub const BEGINNING: Self = Self([0; 32]);

    /// The hash of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for ChainHash {
    type Error = BadChainHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(BadChainHash)
    }
}

impl From<ChainHash> for String {
    fn from(hash: ChainHash) -> Self {
        hash.to_string()
    }
}

/// One life of a node's log. A database that was restored begins another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// Whose.
    pub node: NodeName,
    /// Which life.
    pub epoch: EpochId,
}

/// One entry of a node's log. It is never changed and travels as it was written, relays included.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SharedEvent {
    /// Its id, made by its origin: a `UUIDv7`.
    pub id: SharedId,
    /// Its number in the log of its origin, counted from 1 without gaps.
    pub seq: u64,
    /// When, by the clock of its origin.
    pub hlc: Hlc,
    /// What it is about.
    pub kind: SharedKind,
    /// About which: the id of a check, of a channel, of a job; at most 256 bytes.
    pub subject: String,
    /// What it says: JSON, byte for byte as its origin wrote it. Text from outside; whoever shows it sanitises it.
    pub body: Box<RawValue>,
    /// The hash over all before it, and it.
    pub hash: ChainHash,
}

impl PartialEq for SharedEvent {
    fn eq(&self, other: &Self) -> bool {
        // The hash covers everything else, but who received it has not computed it yet.
        (self.id, self.seq, self.hlc, self.kind, self.hash) == (other.id, other.seq, other.hlc, other.kind, other.hash)
            && self.subject == other.subject
            && self.body.get() == other.body.get()
    }
}

impl Eq for SharedEvent {}

impl SharedEvent {
    /// Bytes it takes on the wire, at most.
    #[must_use]
    pub fn weight(&self) -> usize {
        // Names, numbers, id and hash of the JSON; each byte of the subject may be escaped with six.
        300 + 6 * self.subject.len() + self.body.get().len()
    }

    /// The hash of an entry of `origin` with these parts after `before`. Each part goes in with its length, so that
    /// no two entries have the same bytes.
    #[must_use]
    pub fn chained(&self, origin: &Origin, before: &ChainHash) -> ChainHash {
        let mut hash = Sha256::new();
        hash.update(b"aurora entry 1\0");
        hash.update(before.0);
        hash.update(origin.epoch.as_uuid().as_bytes());
        hash.update(self.id.as_uuid().as_bytes());
        hash.update(self.seq.to_be_bytes());
        hash.update(self.hlc.bits().to_be_bytes());
        for part in [origin.node.as_str(), self.kind.as_str(), &self.subject, self.body.get()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        ChainHash(hash.finalize().into())
    }
}

/// How far a log goes, signed by its node: whoever has it knows that every entry up to it is the node's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Of which log.
    #[serde(flatten)]
    pub origin: Origin,
    /// The number of the entry.
    pub seq: u64,
    /// Its hash.
    pub hash: ChainHash,
    /// Under which of the node's keys.
    pub key: NodeKey,
    /// Ed25519 over [`Head::signed`].
    #[serde(with = "super::base64_bytes")]
    pub signature: Vec<u8>,
}

impl Head {
    /// The bytes that are signed.
    #[must_use]
    pub fn signed(origin: &Origin, seq: u64, hash: &ChainHash) -> Vec<u8> {
        let mut bytes = b"aurora head 1\0".to_vec();
        bytes.extend_from_slice(origin.epoch.as_uuid().as_bytes());
        bytes.extend_from_slice(&seq.to_be_bytes());
        bytes.extend_from_slice(&hash.0);
        bytes.extend_from_slice(origin.node.as_str().as_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> (Origin, SharedEvent) {
        let origin =
            Origin { node: "hub-1".parse().expect("a name"), epoch: EpochId::from_uuid(uuid::Uuid::from_u128(1)) };
        let event = SharedEvent {
            id: SharedId::from_uuid(uuid::Uuid::from_u128(2)),
            seq: 1,
            hlc: Hlc::from_bits(3),
            kind: SharedKind::Check,
            subject: "web".into(),
            body: RawValue::from_string(r#"{"state": "ok"}"#.into()).expect("JSON"),
            hash: ChainHash::BEGINNING,
        };
        (origin, event)
    }

    #[test]
    fn every_part_of_an_entry_is_in_its_hash() {
        let (origin, event) = entry();
        let own = event.chained(&origin, &ChainHash::BEGINNING);
        let changed: [fn(&mut Origin, &mut SharedEvent); 8] = [
            |origin, _| origin.node = "hub-2".parse().expect("a name"),
            |origin, _| origin.epoch = EpochId::from_uuid(uuid::Uuid::from_u128(9)),
            |_, event| event.id = SharedId::from_uuid(uuid::Uuid::from_u128(9)),
            |_, event| event.seq = 9,
            |_, event| event.hlc = Hlc::from_bits(9),
            |_, event| event.kind = SharedKind::Job,
            |_, event| event.subject = "we".into(),
            |_, event| event.body = RawValue::from_string(r#"{"state":"ok"}"#.into()).expect("JSON"),
        ];
        for (number, change) in changed.into_iter().enumerate() {
            let (mut origin, mut event) = entry();
            change(&mut origin, &mut event);
            assert_ne!(event.chained(&origin, &ChainHash::BEGINNING), own, "change {number}");
        }
        assert_ne!(event.chained(&origin, &own), own);
    }

    #[test]
    fn a_body_keeps_its_bytes_over_the_wire() {
        let (_, event) = entry();
        let wire = serde_json::to_string(&event).expect("JSON");
        let back: SharedEvent = serde_json::from_str(&wire).expect("an entry");
        assert_eq!(back, event);
        assert_eq!(back.body.get(), r#"{"state": "ok"}"#);
    }

    #[test]
    fn no_entry_is_longer_on_the_wire_than_its_weight() {
        let (_, mut event) = entry();
        (event.seq, event.hlc) = (u64::MAX, Hlc::from_bits(u64::MAX));
        event.kind = SharedKind::Incident;
        for subject in [String::new(), "\u{1}".repeat(256), "\u{e9}\"\\".repeat(64)] {
            event.subject = subject;
            let wire = serde_json::to_string(&event).expect("JSON");
            assert!(wire.len() < event.weight(), "{} {}", wire.len(), event.weight());
        }
    }

    #[test]
    fn the_clock_never_goes_back() {
        let early = Timestamp::from_second(1_000).expect("in range");
        let late = Timestamp::from_second(2_000).expect("in range");
        let clock = Hlc::default().next(late);
        assert_eq!(clock.at(), late);
        assert!(clock.next(early) > clock);
        assert!(clock.next(late) > clock);
    }
}
