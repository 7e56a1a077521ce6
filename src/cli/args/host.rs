//! The command line of `aurora host`.

use clap::Subcommand;

use crate::model::HostName;

use super::printed::Json;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum HostCommand {
    /// List hosts and their layers
    List(Json),
    /// Ask the agent of a host now, over every layer; 0 all answer, 3 some do, 4 none does
    Check {
        /// Which host
        host: HostName,
        /// Since when, the last answer, what the agent says of itself
        #[arg(long, conflicts_with = "json")]
        explain: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Bring this program to a host over ssh, and compare it there; what is there already stays
    Install {
        /// Which host
        host: HostName,
        /// A script for any POSIX shell instead, where no binary runs; it promises less, and says what
        #[arg(long)]
        shim: bool,
    },
}
