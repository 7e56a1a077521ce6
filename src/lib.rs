//! aurora: a control centre in a terminal. ARCHITECTURE.md says what may use what; what is pure does no I/O.
//!
//! The words all share:
//! - [`model`]: the nouns. Pure.
//! - [`condition`]: the language of conditions. Pure.
//! - [`protocol`]: what engines, screens, agents and nodes say to each other. Pure.
//! - [`policy`]: who may what, and what a command needs before it runs. Pure.
//! - [`config`]: what was typed, and what is needed.
//!
//! What an engine is made of:
//! - [`net`]: sockets for HTTP, and frames between engine and agent.
//! - [`store`]: what is kept, in `SQLite`.
//! - [`provider`]: the services that deliver: how they sign, what they mean. Pure.
//! - [`ingress`]: one delivery: verify, make durable, answer.
//! - [`health`]: checks: the looks, and what they come to.
//! - [`bridge`]: commands and panes on other hosts, from the near end.
//! - [`federation`]: nodes that know each other.
//! - [`engine`]: the loop that owns all of it.
//! - [`server`]: the doors to an engine: its socket and its API.
//! - [`demo`]: a made-up world on a real engine.
//!
//! On a managed host:
//! - [`agent`]: the journal, the processes, the doors.
//! - [`tmux`]: talking to the tmux there.
//!
//! In front of a person:
//! - [`screen`]: text from outside on its way to a terminal. Pure.
//! - [`client`]: the only door to an engine for the screen and the commands.
//! - [`tui`]: the screen.
//! - [`cli`]: the commands, and where everything is put together.

pub mod agent;
pub mod bridge;
pub mod cli;
pub mod client;
pub mod condition;
pub mod config;
pub mod demo;
pub mod engine;
pub mod federation;
pub mod health;
pub mod ingress;
pub mod model;
pub mod net;
pub mod policy;
pub mod protocol;
pub mod provider;
pub mod screen;
pub mod server;
pub mod store;
pub mod tmux;
pub mod tui;
