//! aurora: a control centre in a terminal.

pub mod config;
pub mod model;
pub mod provider;
pub mod store;
