//! Frames on a socket: a 32-bit length and one JSON value.

use serde::{Deserialize, Serialize};

use super::{Notice, PaneUpdate, Refusal, Reply, Request, RequestId, Snapshot};

/// Version of these frames; one more whenever a shape changes. An engine refuses a client of another version, with a
/// sentence that says so.
pub const VERSION: u32 = 6;

/// Longest frame of an engine. A raw body of 64 MiB as base64 fits.
pub const CODEC_MAX: usize = 96 << 20;

/// Longest frame of a client. An act on 10 000 conversations fits several times.
pub const ASK_MAX: usize = 4 << 20;

/// From a client to its engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToEngine {
    /// The first frame.
    Hello {
        /// The client's version of the frames.
        version: u32,
        /// Whether it wants a snapshot and notices, or only answers.
        follow: bool,
        /// Whether it promises to change nothing.
        read_only: bool,
        /// The name of the ssh key it came with, as `aurora attach --stdio --as NAME` says it on the far side. Only the
        /// owner's processes may name one, and become that operator by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ssh_key: Option<String>,
    },
    /// A request.
    Ask {
        /// Its number.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// All bytes of a watched pane below this place were taken. Nothing answers: a watch that is over has taken all it will.
    Seen {
        /// The number of the watch.
        watch: u64,
        /// The place in the stream.
        offset: u64,
    },
    /// Are you there?
    Ping(u64),
}

/// From an engine to its client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromEngine {
    /// The client is in.
    Welcome {
        /// Version of the engine.
        version: String,
    },
    /// The client is not in.
    Goodbye {
        /// Why, and what to do.
        reason: String,
        /// Whether it is known and may not, or is not known. Otherwise something is wrong.
        #[serde(default)]
        denied: bool,
    },
    /// The state to begin with.
    Snapshot(Box<Snapshot>),
    /// A change to it.
    Notice(Notice),
    /// What is heard of panes.
    Pane(PaneUpdate),
    /// The answer to a request.
    Reply {
        /// Which request.
        id: RequestId,
        /// The answer.
        reply: Result<Reply, Refusal>,
    },
    /// Yes.
    Pong(u64),
}
