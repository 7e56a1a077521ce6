//! Configuration: what was typed ([`ConfigFile`]) becomes what is needed ([`Config`]), validated once.
//!
//! A mistake carries the file, the line and the column, and what was probably meant. A secret is a
//! reference ([`SecretRef`]); its value is read when the engine starts and never printed.

mod agent;
mod changes;
mod check_file;
mod check_schema;
mod check_shown;
mod check_target;
mod checks;
mod cidr;
mod colour;
mod command_file;
mod command_guard;
mod commands;
mod commands_shown;
#[cfg(test)]
mod commands_tests;
mod difference;
mod effective;
mod error;
mod federation;
mod federation_file;
mod file;
mod host_file;
mod host_shown;
mod hosts;
mod key;
mod key_context;
mod key_lookup;
mod key_map;
mod key_notes;
mod listeners;
mod load;
mod mistake;
mod operators;
mod period;
mod policy;
mod prompts;
mod public;
mod read_secrets;
mod resolved;
mod secret;
mod size;
mod sources;
mod theme;
mod theme_lint;
mod themes;
mod tui;
mod vip;

pub use agent::{AgentConfig, AgentFile, AgentListen, AgentPanes};
pub use changes::FileChanges;
pub use check_file::{AlertFile, CheckFile, HealthFile, StepFile};
pub use check_schema::{check_defaults, check_schema};
pub use check_target::target_line;
pub use checks::{Alert, CheckConfig, HealthConfig};
pub use cidr::Cidr;
pub use colour::Colour;
pub use command_file::{ArgumentFile, CommandFile, PolicyFile, ScalarFile};
pub use commands::Commands;
pub use difference::{Difference, difference};
pub use error::ConfigError;
pub use federation::{FederationConfig, KnownNodeConfig, Vantage, is_local_url, is_node_url};
pub use federation_file::{FederationFile, KnownNodeFile, VantageFile};
pub use file::{
    ChannelFile, ConfigFile, ContactsFile, KeysFile, KeysTable, LimitsFile, ListenFile, NodeFile, OperatorFile,
    SecretFile, StoreFile, TlsFile, TuiFile,
};
pub use host_file::{HostFile, SocketFile, SshFile, TmuxFile, TriggerFile};
pub use hosts::{
    HostConfig, Hosts, LayerConfig, PaneRecord, SocketConfig, SocketPlace, SshConfig, TmuxConfig, TriggerConfig,
};
pub use key::{Chord, Held, Key, KeyCap};
pub use key_context::Context;
pub use key_lookup::{Found, Reached};
pub use key_map::{KeyBinding, KeyMap};
pub use key_notes::KeyNote;
pub use listeners::{Exposure, TlsFiles};
pub use load::{EXAMPLE, default_config_path, load, parse, state_dir};
pub use operators::{OperatorConfig, Operators};
pub use period::period;
pub use policy::PolicyConfig;
pub use read_secrets::ReadSecrets;
pub use resolved::{ChannelConfig, Config, ConfiguredSecret, Limits};
pub use secret::{SecretError, SecretRef, read_private_file};
pub use size::ByteSize;
pub use sources::{ValuePath, lines_of_keys};
pub use theme::{ColoursFile, Role, Theme, ThemeError, ThemeFile, Vision};
pub use theme_lint::{Alike, Contrast, ThemeLint};
pub use themes::{ThemeChoice, ThemeChoiceFile, ThemeLibrary, ThemeOrigin, read_theme};
pub use tui::{Switch, TerminalConfig};
pub use vip::VipList;
