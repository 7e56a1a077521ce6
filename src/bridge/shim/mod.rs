//! `aurora agent exec` for hosts without the binary: a script for any POSIX shell.

/// The script. It keeps a journal of its own, and says in its greeting what it cannot promise.
pub const SHIM: &str = include_str!("shim.sh");
