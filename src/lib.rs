//! aurora: a control centre in a terminal.

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
