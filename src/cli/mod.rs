//! The commands, and the place where everything is put together.

mod access;
mod args;
mod channels;
mod checks;
mod config_command;
mod contacts;
mod demo;
mod desk;
mod events;
mod exit;
mod export;
mod inbox;
mod keys;
mod load;
mod logging;
mod managed;
mod moment;
mod orders;
mod output;
mod plain;
mod run;
mod save;
mod screen;
mod send_test;
mod serve;
mod session;
mod status;
mod stdio;
mod tasks;
mod theme;
mod trace;
mod verify;
mod views;
mod watch;

pub use run::main;
