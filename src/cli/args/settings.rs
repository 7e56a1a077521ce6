//! The command line of what is configured: `aurora config`, `aurora keys`, `aurora theme`.

use clap::Subcommand;

use crate::config::Context;

use super::printed::Json;

#[derive(Debug, Clone, Copy, Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Write the documented default configuration
    Init,
    /// Check the configuration and its secrets
    Check,
    /// Show what the configuration comes to, and where each value comes from
    Print(Json),
    /// Print the JSON Schema of the configuration file
    Schema,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(in crate::cli) enum KeysCommand {
    /// List what every key does, and where that is said
    List {
        /// Only what counts here, as `inbox`; every context when absent
        #[arg(help = "Only what counts here, as inbox; every context when absent")]
        context: Option<Context>,
        #[command(flatten)]
        json: Json,
    },
    /// Tell mistakes, keys that were lost, and what no key reaches
    Check,
}

#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli) enum ThemeCommand {
    /// List themes: built in, in the configuration, in files beside it
    List(Json),
    /// Say which roles have too little contrast, and which severities look alike and for whom
    Lint {
        /// A theme, or a file with one; all themes when absent
        #[arg(value_name = "NAME|FILE")]
        name: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}
