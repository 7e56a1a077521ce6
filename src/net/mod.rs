//! The one place that opens sockets for others: bound HTTP listeners with their limits, the HTTP client, and frames to
//! agents and clients.

mod agent_auth;
mod agent_frames;
mod agent_letter;
mod agent_seal;
mod client;
mod data_headers;
mod forwarded;
mod last_words;
mod limit;
mod line_frames;
mod listen;
mod node_auth;
mod node_gate;
mod node_key;
mod tls;

pub use agent_auth::{AuthError, Seals, prove_agent, prove_engine};
pub use agent_frames::{FrameError, FrameReader, FrameWriter};
pub use agent_letter::{Address, Answers, BEAT_NAME, BadLetter, Beat, Way, is_letter_name, open_letter, seal_letter};
pub use agent_seal::{AgentKey, Seal, WeakKey};
pub use client::{HttpClient, http_client, node_client};
pub use data_headers::mark_as_data;
pub use forwarded::client_address;
pub use last_words::LastWords;
pub use limit::{RateLimit, source};
pub use line_frames::LineCodec;
pub use listen::{DoorLimits, Handler, Manner, RefusedConnection, bind, serve, take_over};
pub use node_auth::{Answered, Asked, Nonce, Proof, SIGNED, digest};
pub use node_gate::{Barred, KnownNodes, NodeGate, Proven, SKEW_MAX_MS};
pub use node_key::{InvitationKey, NodeKeyError, NodeKeys, is_signed, is_signed_head};
pub use tls::{
    AgentTls, Distrust, HandshakeError, ListenerTls, ProbeTls, Shown, TlsError, certificate_pin, client_tls,
    follow_files, install_provider, pinned_tls, pinned_to, probe_tls,
};
