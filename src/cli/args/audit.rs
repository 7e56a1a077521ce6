//! The command line of `aurora audit`.

use clap::Subcommand;

use super::printed::{Json, Listing};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AuditCommand {
    /// List entries, newest first
    List {
        /// Only those about this: a job, an approval, a host, a task
        #[arg(long, value_name = "ID")]
        about: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// Read the whole log and compare every hash
    Verify {
        /// A head that was kept elsewhere: fails when the log no longer holds it
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Print every entry as a line of JSON, oldest first, and then the head
    Export,
}
