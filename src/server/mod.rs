//! The doors to an engine from outside its process. Everything they answer is a request to the engine.

mod socket;

pub use socket::{socket_path, unix_socket};
