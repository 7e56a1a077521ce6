//! Health: looks at what is watched, and what they mean.

pub mod probe;
