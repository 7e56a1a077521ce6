//! The engine: one owner, one loop.
//!
//! [`Engine::select`] is the only place that waits and [`Engine::apply`] the only place that decides; it
//! answers with [`Effect`]s, which the driver performs and brings back as inputs. Background work is
//! supervised: a task that ends comes back, and says why.
//!
//! Deliveries do not pass through the loop: they end at the store's commit. The loop hears of them when
//! they are projected.

mod access;
mod answers;
mod bridge;
mod caught;
mod checks;
mod clients;
mod desk;
mod doors;
mod driver;
mod effect;
mod files;
mod glance;
mod handle;
mod in_turn;
mod input;
mod lifetime;
mod lock;
mod log_sink;
mod mint;
mod nodes;
mod pace;
mod panels;
mod panes;
mod projector;
mod reading_mark;
mod recent;
mod reload;
#[cfg(test)]
mod reload_tests;
mod rest;
mod service;
mod staged;
mod staged_panes;
mod start;
mod state;
#[cfg(test)]
mod state_tests;
mod supervisor;
mod tasks;
#[cfg(test)]
mod unattended_tests;
mod views;
mod watch;
mod watchdog;

pub use access::{Credential, TurnedAway};
pub use bridge::{BridgeSet, Bridges, CommandScript, OpenRoad, Opened};
pub use checks::{CheckMeasures, CheckSet, Checks, Script};
pub use doors::certificates;
pub use effect::{Effect, Occasion, TokenEffect};
pub use handle::{Handle, Joined};
pub use input::{Aftermath, Input, Taken};
pub use lifetime::Died;
pub use lock::{Lock, LockError};
pub use log_sink::{LogLines, LogSink};
pub use reload::Origin;
pub use service::{Tell, is_managed, tell};
pub use staged::{Delivery, Remote, Scenery, Stage, stage};
pub use staged_panes::PaneScript;
pub use start::{Doors, Running, StartError, start};
pub use state::Engine;
pub use supervisor::{TaskContext, TaskSpec};
pub use watchdog::Watchdog;
