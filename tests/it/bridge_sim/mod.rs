//! The bridge against a made-up host, with faults: a virtual clock, one seed a run, and what must hold whatever happens.
//!
//! The engine's side is the real [`aurora::bridge::Bridge`]. The host follows the journal step by step; each step is a
//! point where a fault can strike. Used by `bridge_faults` in these tests, and by `cargo bench --bench bridge_faults`.

mod agent;
mod chance;
mod fault;
mod host;
mod matrix;
mod road;
mod world;

pub use fault::{Kind, Point};
pub use matrix::Matrix;
pub use world::{Mutation, simulate};
