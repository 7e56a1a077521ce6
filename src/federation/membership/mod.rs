//! Who is there: heartbeats, suspicion, indirect probes and hearsay come to one state for each node. Pure: told what
//! happened, it says what to do.

mod beating;
mod claims;
mod effect;
mod input;
mod judging;
mod peer;
mod relayed;
mod state;
#[cfg(test)]
mod tests;
mod view;

pub use beating::{BEAT_WITHIN, PROBE_WITHIN};
pub use effect::MemberEffect;
pub use input::{HeldLog, Me, MemberInput, OwnLog, PeerSpec, ProbeTicket, Reach};
pub use state::Membership;
