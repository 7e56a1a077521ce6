//! One look at a target: what it does, how long each part takes, what the conditions make of it.

mod certificate;
mod connect;
mod disk;
mod failure;
mod http;
mod look;
mod lookup;
mod machine;
mod process;
mod record;
mod stream;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod tools;

pub use look::look;
pub use tools::Tools;
