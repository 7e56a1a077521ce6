//! Where engines come in: the socket, standard input and output, and the directory of trigger files.

mod certificate;
mod place;
mod socket;
mod stdio;
mod talk;
mod tally;
mod trigger;
mod trigger_dir;

pub use certificate::{CertificateError, certificate};
pub use socket::{SocketDoor, SocketDoorError, beyond_loopback};
pub use stdio::stdio;
pub use trigger::{TriggerDoor, TriggerDoorError};
