//! Membership from heartbeats to panels, without a network and by a clock that only these tests move.

mod claims;
mod rig;
mod silence;
mod telling;
