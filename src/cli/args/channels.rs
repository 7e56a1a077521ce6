//! The command line of `aurora channel`.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;

use crate::model::ChannelId;

use super::super::moment;
use super::printed::Json;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ChannelCommand {
    /// List channels
    List(Json),
    /// Post a good, an altered and a repeated sample, and see that each is answered as it should be
    Test {
        /// Which channel
        id: ChannelId,
    },
    /// Check a captured request against the channel's secrets, without storing it
    Verify {
        /// Which channel
        id: ChannelId,
        /// File with the request: request line, headers, empty line, body; `-` is standard input
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
        /// The moment it is checked for; now when absent
        #[arg(long, value_name = "TIME", value_parser = moment::parse)]
        at: Option<Timestamp>,
        /// Say how every candidate failed; the expected value is never shown
        #[arg(long)]
        explain: bool,
    },
}
