//! What nodes say to each other: `/fed/v1/*`, one JSON document a request and an answer.
//!
//! Each request is signed by the node that makes it (`net/node_auth.rs`); what is applied is covered by the signed head
//! of its origin's log, whoever brings it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{BootId, EpochId, Head, Hlc, Identity, NodeKey, NodeName, NodeState, Origin, SharedEvent, Trust};

use super::{NodeOrder, NodeReply, Refusal};

/// Version of these documents; one more whenever a shape changes. Nodes of another one are refused, and say so.
pub const FEDERATION_VERSION: u32 = 1;

/// Entries of one page at most.
pub const PAGE_EVENTS: usize = 500;
/// Bytes of one page at most.
pub const PAGE_BYTES: usize = 1 << 20;
/// Bytes of one entry's body at most; what is longer is not shared.
pub const BODY_BYTES: usize = 64 << 10;
/// Longest wait of an empty page, in seconds.
pub const WAIT_MAX: u64 = 25;
/// Nodes a heartbeat names at most.
pub const SEES_MAX: usize = 512;
/// Keys of one node that a heartbeat names at most: the one that counts, and while it is changed the one before.
pub const KEYS_MAX: usize = 2;
/// Relays between an origin and whoever applies its entries, at most.
pub const HOPS_MAX: u8 = 2;

/// A node says that it is there: `POST /fed/v1/heartbeat`, every 5 s ± 10 %.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The version of these documents.
    pub version: u32,
    /// Who.
    pub node: NodeName,
    /// Which run of its process. Another one is a restart, not an outage.
    pub boot: BootId,
    /// When that began.
    pub started: Timestamp,
    /// Counted up with every heartbeat of a run, so that none counts twice.
    pub number: u64,
    /// Raised by the node when it hears that it is suspected.
    pub incarnation: u64,
    /// The life of its log.
    pub epoch: EpochId,
    /// The newest entry of its log.
    pub high: u64,
    /// Its clock when it was sent.
    pub sent: Timestamp,
    /// Its hybrid clock.
    pub hlc: Hlc,
    /// How slow it is itself, 0 to 8.
    pub slowness: u8,
    /// The version of its program. Text from outside.
    pub program: String,
    /// Whether it goes and says so.
    pub leaving: bool,
    /// Whether `sees` names every node it knows. Otherwise it names the receiver and those that the receiver does not hear
    /// itself; what was said of others before still holds.
    pub whole: bool,
    /// How it sees the others; [`SEES_MAX`] at most.
    pub sees: Vec<Seen>,
    /// Its keys: the one that counts, and while they are changed the other one.
    pub keys: Vec<NodeKey>,
}

/// How one node sees another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Whom.
    pub node: NodeName,
    /// How it stands.
    pub state: NodeState,
    /// Which raise of its own it answers.
    pub incarnation: u64,
    /// Milliseconds since it was heard, when it ever was.
    pub heard_ms: Option<u64>,
    /// The life of its log, as far as it is known.
    pub epoch: Option<EpochId>,
    /// The newest entry of it that is held and can be had here.
    pub held: u64,
    /// Whether it is heard directly.
    pub direct: bool,
    /// Its keys as they are pinned there, the one that stays first; [`KEYS_MAX`] at most. None: the node does not vouch
    /// for it.
    pub keys: Vec<NodeKey>,
}

/// The answer to a heartbeat: the other's own, and when it was received and answered, for the difference of clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatAnswer {
    /// The other's own.
    pub beat: Beat,
    /// Its clock when the heartbeat came.
    pub received: Timestamp,
    /// What it holds of the asking node's log: life, number and hash. A log that was restored from a backup sees by it
    /// that others know more than it does.
    pub holds: Option<Head>,
    /// Whether it has no way to call the asking node, and wants it to fetch what it is asked: [`Errand`].
    pub asks: bool,
}

impl BeatAnswer {
    /// Whether it is one of `node`, in this version.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_of(&self, node: &NodeName) -> Result<(), String> {
        if self.beat.node == *node && self.beat.version == FEDERATION_VERSION {
            return Ok(());
        }
        Err("it answers with a heartbeat of another node or version".to_owned())
    }
}

/// Which entries somebody wants: `GET /fed/v1/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageAsk {
    /// Of whose log.
    pub origin: NodeName,
    /// Which life of it is known; `None` at the beginning.
    pub epoch: Option<EpochId>,
    /// Only later ones.
    pub after: u64,
    /// How many at most.
    pub limit: usize,
    /// Seconds to wait for the first one.
    pub wait: u64,
}

/// Entries of one log in order, without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Whose log, which life.
    #[serde(flatten)]
    pub origin: Origin,
    /// The entries. Empty when none came in time.
    pub events: Vec<SharedEvent>,
    /// The signed head that covers the last of `events`. Absent only when there are none.
    pub head: Option<Head>,
    /// The newest entry the answering node holds.
    pub high: u64,
    /// The oldest entry it holds.
    pub low: u64,
    /// Whether there is more to have at once.
    pub more: bool,
    /// Relays they have come over so far.
    pub hops: u8,
}

impl Page {
    /// The page, when it can be the answer to `ask`.
    ///
    /// # Errors
    /// When it is of another log, or longer.
    pub fn answers(self, ask: &PageAsk) -> Result<Self, String> {
        if self.origin.node == ask.origin && self.events.len() <= ask.limit {
            return Ok(self);
        }
        Err("it is not what was asked for".to_owned())
    }
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "problem")]
pub enum PageRefusal {
    /// 409: the log has another life than was asked for.
    #[error("the log has begun anew: it holds {low} to {high}")]
    OtherEpoch {
        /// Which it has.
        epoch: EpochId,
        /// Its oldest entry.
        low: u64,
        /// Its newest entry.
        high: u64,
    },
    /// 410: what was asked for was swept.
    #[error("everything before {low} is gone")]
    Gone {
        /// The oldest entry there is.
        low: u64,
        /// The hash of the entry before it, which `low` is chained to.
        before: crate::model::ChainHash,
    },
    /// 404: nothing is known of that log, or it has come over too many relays.
    #[error("nothing of that log is to be had there")]
    Unknown,
}

/// A node that was invited says who it is: `POST /fed/v1/join`, signed with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The version of these documents.
    pub version: u32,
    /// By which invitation: the public half of the key in its token. It counts once.
    pub invitation: NodeKey,
    /// Ed25519 with that key over [`Join::proven`], so that whoever hears this cannot join with another key.
    #[serde(with = "crate::model::base64_bytes")]
    pub proof: Vec<u8>,
    /// Its name.
    pub node: NodeName,
    /// Where it listens, when it can be reached.
    pub url: Option<String>,
    /// SHA-256 of the public key in the certificate of its listener (SPKI), where that has TLS of its own.
    #[serde(default, with = "crate::model::hex_pin")]
    pub pin: Option<[u8; 32]>,
    /// Its key.
    pub key: NodeKey,
}

impl Join {
    /// The bytes that the key of the invitation signs: `node` joins `whom` with `key`. Names hold no zero.
    #[must_use]
    pub fn proven(node: &NodeName, key: &NodeKey, whom: &NodeName) -> Vec<u8> {
        let mut bytes = b"aurora join 1\0".to_vec();
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(node.as_str().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(whom.as_str().as_bytes());
        bytes
    }
}

/// The answer to a [`Join`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinAnswer {
    /// The name of who invited.
    pub node: NodeName,
    /// Its key.
    pub key: NodeKey,
    /// What the joining node may do there.
    pub trust: Trust,
}

/// Somebody wants to know whether a third node can be reached from there: `POST /fed/v1/probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Which node.
    pub whom: NodeName,
}

/// The answer to a [`Probe`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// Whether it answered, and with which incarnation.
    pub reached: Option<u64>,
}

/// An order of another node's operator: `POST /fed/v1/act`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteAct {
    /// Who it is there.
    pub by: Identity,
    /// What.
    pub order: NodeOrder,
}

/// The answer to a [`RemoteAct`].
pub type RemoteActAnswer = Result<NodeReply, Refusal>;

/// A question for a node that cannot be called. It fetches them with `GET /fed/v1/errands?wait=SECONDS`, and brings each
/// answer to `POST /fed/v1/errand?number=N`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Its number, by chance.
    pub number: u64,
    /// What is asked.
    pub ask: ErrandAsk,
}

/// What is asked of a node that fetches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrandAsk {
    /// Entries of a log.
    Page(PageAsk),
    /// The asking node is there.
    Beat(Box<Beat>),
    /// To look for a third node.
    Probe(Probe),
    /// An order of an operator.
    Act(Box<RemoteAct>),
}

/// The answer to an [`Errand`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrandAnswer {
    /// Entries, or why there are none.
    Page(Box<Result<Page, PageRefusal>>),
    /// Its own heartbeat, or why not.
    Beat(Result<Box<BeatAnswer>, String>),
    /// Whether it reached the third node.
    Probe(ProbeAnswer),
    /// What became of the order.
    Act(Box<RemoteActAnswer>),
}
