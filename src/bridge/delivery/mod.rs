//! One job on its way to its host, through every fault of every road.

mod coming;
mod ending;
mod going;
mod job;
mod stage;

pub(super) use job::Delivery;
