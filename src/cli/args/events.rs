//! The command line of `aurora events`.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::model::{ChannelId, EventFilter, EventId};

use super::super::moment;
use super::printed::{Json, Listing};

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct EventArgs {
    /// Only of this channel
    #[arg(long, value_name = "ID")]
    pub channel: Option<ChannelId>,
    /// Only of this type; `github.*` is all that begin so
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only since: 30m, 2h, 7d, or a time
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub since: Option<Timestamp>,
    /// Only dead letters: verified and kept, but not understood
    #[arg(long)]
    pub dead: bool,
}

impl From<EventArgs> for EventFilter {
    fn from(args: EventArgs) -> Self {
        Self { channel: args.channel, kind: args.kind, since: args.since, dead: args.dead }
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum EventsCommand {
    /// List events, newest first
    List {
        #[command(flatten)]
        filter: EventArgs,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show one event
    Show {
        /// Its id
        id: EventId,
        /// Only the stored bytes, exactly
        #[arg(long, conflicts_with = "json")]
        raw: bool,
        /// Every step of its way, with times
        #[arg(long, conflicts_with = "raw")]
        trace: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Print how many events match
    Count {
        #[command(flatten)]
        filter: EventArgs,
    },
    /// Read messages out of stored events again
    Replay {
        #[command(flatten)]
        filter: EventArgs,
    },
}
