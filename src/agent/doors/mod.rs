//! Where engines come in: the socket, standard input and output, the directory of trigger files, and the side door.

mod certificate;
mod place;
mod side;
mod socket;
mod stdio;
mod talk;
mod tally;
mod trigger;
mod trigger_dir;

pub use certificate::{CertificateError, certificate};
pub use side::{SideDoor, running};
pub use socket::{SocketDoor, SocketDoorError, beyond_loopback};
pub use stdio::stdio;
pub use trigger::{TriggerDoor, TriggerDoorError};
