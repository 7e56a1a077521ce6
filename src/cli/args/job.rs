//! The command line of `aurora job` and `aurora rollout`.

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;

use crate::model::{CommandName, HostName, JobId};

use super::printed::{Json, Listing};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum JobCommand {
    /// List jobs, newest first
    List {
        /// Only on this host
        #[arg(long, value_name = "NAME")]
        host: Option<HostName>,
        /// Only this command
        #[arg(long, value_name = "NAME")]
        command: Option<CommandName>,
        /// Only those that are not over
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show one job, how it was brought to its host, and what it wrote
    Show {
        /// Its id
        id: JobId,
        /// Wait for its end, and print what it writes as it comes
        #[arg(long)]
        follow: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Take a job back if it waits, stop its processes if it runs
    Cancel {
        /// Its id
        id: JobId,
    },
    /// Say what became of a job whose end is unknown, or that was run by hand
    Resolve {
        /// Its id
        id: JobId,
        /// It ran
        #[arg(long, required_unless_present = "not_ran", conflicts_with = "not_ran")]
        ran: bool,
        /// It did not run
        #[arg(long)]
        not_ran: bool,
        /// How it is known
        #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
        note: String,
    },
    /// Print the lines that run a job by hand on its host, once, whatever else brings it there
    Manual {
        /// Its id
        id: JobId,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RolloutCommand {
    /// List rollouts: those that are not over first, each newest first
    List {
        /// Only those that are not over
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show one rollout: its stages, and where each host stands
    Show {
        /// Its id, that of its first job
        id: JobId,
        #[command(flatten)]
        json: Json,
    },
}
