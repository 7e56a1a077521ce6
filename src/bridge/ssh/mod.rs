//! The system's `ssh` as every road uses it: one way to call it, and what its end means.

mod answers;
mod call;
mod child;
mod mark;
mod run;
mod said;

pub(super) use answers::{Answers, letter};
pub use call::SshCall;
pub(super) use child::SshChild;
pub(super) use mark::{Marked, mark};
pub use run::Ran;
pub(super) use said::{Failure, Said, Stage};
