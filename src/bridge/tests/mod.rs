//! The core from order to end, through the one door it has.

mod desk;
mod engines;
mod orders;
mod queue;
mod roads;
