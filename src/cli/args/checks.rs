//! The command line of `aurora check`.

use clap::Subcommand;
use jiff::Timestamp;

use crate::model::CheckId;

use super::super::moment;
use super::printed::Json;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CheckCommand {
    /// List checks, worst first
    List(Json),
    /// Look once, now and from here; 0 ok, 3 warning, 4 critical, 1 unknown
    Run {
        /// Which check
        id: CheckId,
        /// Print every step, what the conditions were given, and where the time went
        #[arg(long, conflicts_with = "json")]
        explain: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Uptime and latencies by time, and the last failures in full
    History {
        /// Which check
        id: CheckId,
        /// Since: 30m, 2h, 7d, or a time; a day when absent
        #[arg(long, value_name = "TIME", value_parser = moment::parse)]
        since: Option<Timestamp>,
        #[command(flatten)]
        json: Json,
    },
}
