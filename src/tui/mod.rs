//! The screen. Update changes, draw only looks.
//!
//! ```text
//! ┌ header: the views ─────────────────────────────┐   view::header
//! │ body: the view that is open                    │   view::{overview, channels, inbox, bridge, activity}
//! │   ┌ overlay: help, palette, problems... ┐      │   view::{help, palette, drawer, quit}
//! └ footer: the line, the node, what keys do now ──┘   view::footer, and below it the tour of the demo, view::tour
//! ```
//!
//! [`App`] holds view state only; the engine's state reaches it as values, through the client. It answers
//! every message with [`Cmd`]s, which [`run()`] carries out.

mod acting;
mod action;
mod activity;
mod allowed;
mod app;
mod approvals;
mod background;
mod bridge;
mod bridge_asks;
mod bridge_choices;
mod bridge_keys;
mod bridge_signs;
#[cfg(test)]
mod bridge_tests;
mod bulk;
mod channels;
mod choices;
mod confirm;
mod degrade;
mod desk;
mod dialog;
mod drawer;
mod encode;
mod fuzzy;
mod guard;
mod headless;
mod health;
mod hearing;
mod help;
mod inbox;
mod inbox_there;
pub mod input;
mod job;
mod keying;
mod keymap;
mod keys;
mod known;
mod ladder;
mod list;
mod listed;
mod memory;
mod meter;
mod mouse;
#[cfg(test)]
mod move_tests;
mod msg;
mod narrow;
mod node_dialog;
#[cfg(test)]
mod node_sample;
mod node_signs;
#[cfg(test)]
mod node_tests;
mod nodes;
mod nodes_keys;
mod not_ok;
mod note;
mod offered;
mod opened;
mod output;
mod pace;
mod painter;
mod palette;
mod pane_asks;
mod pane_back;
mod pane_drive;
#[cfg(test)]
mod pane_drive_tests;
mod pane_keys;
mod pane_mark;
mod pane_open;
mod pane_row;
#[cfg(test)]
mod pane_sample;
mod pane_style;
mod pane_tail;
#[cfg(test)]
mod pane_tests;
mod pane_watch;
mod panes;
mod people;
mod picked;
mod picture;
mod place;
#[cfg(test)]
mod place_tests;
mod pressing;
mod preview;
mod recent;
mod run;
mod run_dialog;
#[cfg(test)]
mod sample;
mod saver;
mod saving;
mod screen;
mod shift;
mod signs;
mod status;
mod styles;
mod tail;
mod terminal;
mod theme_picker;
mod themes;
mod tiles;
mod title;
mod tour;
mod travel;
mod typing;
mod urgency;
mod urgent;
mod view;
mod view_picker;
mod window;
mod zone;
mod zoom;

pub use action::{Action, View};
pub use activity::ActivityTab;
pub use app::App;
pub use background::Background;
pub use bridge::{BridgeShown, BridgeTab};
pub use bridge_asks::BridgePurpose;
pub use desk::DeskPurpose;
pub use headless::Headless;
pub use known::Known;
pub use ladder::{ColourMode, is_ascii_locale};
pub use memory::{Kept, Memory};
pub use msg::{Cmd, Msg, Purpose, Quit};
pub use node_dialog::NodePurpose;
pub use nodes::NodesTab;
pub use painter::Settings;
pub use pane_asks::PanePurpose;
pub use picture::picture;
pub use place::{CheckOf, Place};
pub use run::{Beginning, Ended, run};
pub use saving::{Part, Save};
pub use styles::Look;
pub use terminal::{TerminalGuard, logs_in};
pub use themes::{Display, Offer, ThemeStep, Themes};
