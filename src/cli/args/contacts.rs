//! The command line of `aurora contact`.

use clap::Subcommand;

use crate::model::{ChannelId, ContactId};

use super::printed::{Json, Listing};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ContactCommand {
    /// List contacts, the last to write first: a line a person
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
    /// Show one contact, and the other addresses of the person
    Show {
        /// Its id
        id: ContactId,
        #[command(flatten)]
        json: Json,
    },
    /// Let the messages of a contact, and of its person, come first
    Vip {
        /// Its id
        id: ContactId,
        /// No longer
        #[arg(long)]
        remove: bool,
    },
    /// Say that two contacts are one person: one thread, whichever way they write
    Merge {
        /// The id of one
        contact: ContactId,
        /// The id of the other
        with: ContactId,
        #[command(flatten)]
        json: Json,
    },
    /// Say that a contact is a person by itself: what `merge` said of it no longer holds
    Split {
        /// Its id
        id: ContactId,
        #[command(flatten)]
        json: Json,
    },
}
