//! Nodes that know each other: membership (pure), the logs they keep in step, and the links between them.

mod chain;
#[cfg(test)]
mod chain_tests;
#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
mod conformance_asks;
mod errands;
mod feed;
mod feed_fetch;
mod http_bodies;
mod http_call;
#[cfg(test)]
mod http_conformance_tests;
mod http_door;
mod http_join;
mod http_limits;
mod http_link;
mod http_seeds;
#[cfg(test)]
mod http_tests;
mod http_wire;
mod hybrid;
mod invitation;
mod judgement;
mod link;
mod membership;
mod now;
mod owner;
mod phi;
mod skew;
mod slowness;
mod sync;
mod sync_answers;
mod sync_log;
mod sync_pace;
#[cfg(test)]
mod sync_rough_tests;
#[cfg(test)]
mod sync_tests;
mod telling;
mod vantage;

pub use chain::{Follows, PageFault, SUBJECT_BYTES, check};
pub use errands::{ErrandFault, Errands, run_errand};
pub use feed::{Feed, SignHead, begins_anew, epoch_after};
pub use feed_fetch::{Fetched, Outcome, fetch};
pub use http_door::{DoorMemory, DoorSettings, HttpDoor, RefusedQuestion, serve_nodes};
pub use http_join::join_at;
pub use http_link::HttpLink;
pub use http_seeds::{TokenAnswerer, TokenRefusal};
pub use hybrid::{FarAhead, HybridClock, is_far_ahead};
pub use invitation::{INVITED_FOR, JoinFault, JoinToken, fits, is_invited, kept_url};
pub use judgement::{Judgement, Own};
pub use link::{Answer, Answered, Answerer, EventLink, LinkError};
pub use membership::{
    BEAT_WITHIN, HeldLog, Me, MemberEffect, MemberInput, Membership, OwnLog, PROBE_WITHIN, PeerSpec, ProbeTicket, Reach,
};
pub use now::Now;
pub use owner::{order_of, owner};
pub use phi::BEAT_EVERY;
pub use skew::{SKEW_REFUSE, SKEW_WARN, SkewLevel};
pub use sync::{Question, Standing, Sync, SyncEffect};
pub use telling::{TELL_STEP, TOO_OLD, Telling};
pub use vantage::Vantage;
