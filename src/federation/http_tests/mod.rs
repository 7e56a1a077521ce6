//! The listener and the link over real sockets: what is let in, what is refused, and how keys change meanwhile.

mod answers;
mod keys;
mod questions;
mod rig;
mod tokens;
