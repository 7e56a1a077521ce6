//! The command line of `aurora contact`.

use clap::Subcommand;

use crate::model::{ChannelId, ContactId};

use super::printed::{Json, Listing};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ContactCommand {
    /// List contacts, the last to write first
    List {
        /// Only of this channel
        #[arg(long, value_name = "ID")]
        channel: Option<ChannelId>,
        /// Only VIPs
        #[arg(long)]
        vip: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show one contact
    Show {
        /// Its id
        id: ContactId,
        #[command(flatten)]
        json: Json,
    },
    /// Let a contact's messages come first
    Vip {
        /// Its id
        id: ContactId,
        /// No longer
        #[arg(long)]
        remove: bool,
    },
}
