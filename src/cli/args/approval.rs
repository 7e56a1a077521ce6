//! The command line of `aurora approval`.

use clap::Subcommand;

use crate::model::ApprovalId;

use super::printed::{Json, Listing};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ApprovalCommand {
    /// List plans that wait for other people's yes, newest first
    List {
        /// Those that were answered, too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show exactly what would run, and what was said
    Show {
        /// Which
        id: ApprovalId,
        #[command(flatten)]
        json: Json,
    },
    /// Say yes to exactly what has this hash
    Grant {
        /// To what
        id: ApprovalId,
        /// The hash that `show` prints, its first 12 digits at least
        #[arg(long)]
        hash: String,
        /// One line to go with it
        #[arg(long)]
        note: Option<String>,
    },
    /// Say no; it ends there
    Deny {
        /// To what
        id: ApprovalId,
        /// One line to go with it
        #[arg(long)]
        note: Option<String>,
    },
}
