//! The command line of `aurora inbox`.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::{ActId, ChannelId, ContactId, InboxFilter, Item, Label};

use super::super::exit::Failure;
use super::printed::{Json, Listing};

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct InboxArgs {
    /// Which: conditions and words, as `from:stripe unread channel:mail late`
    #[arg(value_parser = query)]
    pub query: Option<InboxFilter>,
    /// Only of this channel
    #[arg(long, value_name = "ID")]
    pub channel: Option<ChannelId>,
    /// Only by this contact
    #[arg(long, value_name = "ID")]
    pub contact: Option<ContactId>,
    /// Only what nobody has read
    #[arg(long)]
    pub unread: bool,
    /// Only by VIPs
    #[arg(long)]
    pub vip: bool,
    /// Only what nobody has taken
    #[arg(long)]
    pub open: bool,
}

impl InboxArgs {
    /// What is asked for by the query and the options together.
    pub(in crate::cli) fn filter(self) -> Result<InboxFilter, Failure> {
        let query = self.query.unwrap_or_default();
        Ok(InboxFilter {
            channel: one("channel", self.channel, query.channel)?,
            contact: one("contact", self.contact, query.contact)?,
            unread: self.unread || query.unread,
            vip: self.vip || query.vip,
            open: self.open || query.open,
            ..query
        })
    }
}

/// What an option and a query say about the same thing.
fn one<T: PartialEq + fmt::Display>(what: &str, option: Option<T>, query: Option<T>) -> Result<Option<T>, Failure> {
    match (option, query) {
        (Some(option), Some(query)) if option != query => Err(Failure::usage(format!(
            "--{what} {option} and `{what}:{query}` in the query contradict each other; say one of them"
        ))),
        (option, query) => Ok(option.or(query)),
    }
}

/// Reads a query. On a command line every word is finished.
pub(in crate::cli) fn query(text: &str) -> Result<InboxFilter, String> {
    format!("{text} ").parse::<InboxFilter>().map_err(|error| error.to_string())
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum InboxCommand {
    /// List messages, newest first
    List {
        #[command(flatten)]
        filter: InboxArgs,
        /// What a saved view shows; `aurora inbox views` has the names
        #[arg(long, value_name = "NAME", conflicts_with_all = ["query", "channel", "contact", "unread", "vip", "open"])]
        view: Option<String>,
        /// Conversations instead, unread ones first
        #[arg(long)]
        conversations: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// List the saved views, and how many unread conversations each has
    Views(Json),
    /// Show one message, or a conversation with its notes
    Show {
        /// Its id
        id: Item,
        /// Write the files that came with a message into this directory; no file is ever overwritten
        #[arg(long, value_name = "DIR")]
        save: Option<PathBuf>,
        /// Every step of its way, with times
        #[arg(long, conflicts_with = "save")]
        trace: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Find messages that hold every word, newest first
    Search {
        /// The words, and conditions as in `from:stripe unread late`
        #[arg(required = true)]
        words: Vec<String>,
        /// What fits best first, of the newest that match
        #[arg(long)]
        best: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// Print how many messages match
    Count {
        #[command(flatten)]
        filter: InboxArgs,
    },
    /// Take conversations or messages: everybody sees who has them
    Ack {
        /// Their ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<Item>,
        /// Give them back instead
        #[arg(long)]
        undo: bool,
    },
    /// Put conversations out of sight; a new message brings them back
    Snooze {
        /// Their ids, or those of messages in them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<Item>,
        /// Until when: 1h, 18:00, `tomorrow 9:00`, monday, `next week`, 2030-01-31, until-reply; now brings them back
        when: String,
    },
    /// Give conversations to an operator
    Assign {
        /// Their ids, or those of messages in them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<Item>,
        /// To whom: an operator, me, or nobody
        who: String,
    },
    /// Put a label on conversations
    Label {
        /// Their ids, or those of messages in them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<Item>,
        /// Which: 1 to 32 letters, digits and `. _ -`
        label: Label,
        /// Take it off instead
        #[arg(long)]
        remove: bool,
    },
    /// Write a note beside a conversation; it never leaves aurora
    Note {
        /// Its id, or that of a message in it
        id: Item,
        /// What it says, at most 4096 bytes
        text: String,
    },
    /// Undo an act within 10 seconds, where nobody has changed anything since
    Undo {
        /// Its id, as the command printed it
        id: ActId,
    },
    /// Print matching messages in full, one JSON object a line, newest first
    Export {
        #[command(flatten)]
        filter: InboxArgs,
    },
}
