//! The store as a whole: what is recorded, projected, marked and found again.

mod faults;
mod kept;
mod projecting;
mod recording;
mod rig;

pub(super) use rig::{act, at, channels, event, open, project, record, refresh_vips};
