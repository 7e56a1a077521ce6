//! A made-up world to try aurora in: channels, messages, checks, refusals, told by a seed and a scene.
//!
//! The world is data, made without a clock or a network. What plays it is a real engine with its doors closed, in a
//! directory that is gone when it ends, so that search, marks and everything else work as ever.

mod chance;
mod fillers;
mod letter;
mod nodes;
mod panes;
mod play;
mod refused;
mod remote;
mod scene;
mod story;
mod watched;
mod world;

pub use play::{Demo, DemoError};
pub use scene::Scene;
pub use world::World;
