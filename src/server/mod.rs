//! The doors to an engine from outside its process. Everything they answer is a request to the engine.

mod api;
mod caller;
mod in_flight;
mod metrics;
mod openapi;
mod problem;
mod seats;
mod socket;
mod updates;

pub use api::{Settings, api};
pub use socket::{socket_path, unix_socket};
