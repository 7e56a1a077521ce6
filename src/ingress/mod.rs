//! Where deliveries come in: verify, make durable, answer. In this order and no other.

mod body;
mod budget;
mod channel;
mod door;
mod form;
mod limit;
mod receiving;
mod refusals;

pub use budget::BodyBudget;
pub use channel::Channel;
pub use door::{Door, events};
pub use form::Spool;
pub use limit::FailureLimit;
pub use receiving::{Certificates, Receiving, Route, Routes, Swap};
pub use refusals::Refusals;
