//! The command line of `aurora node`.

use clap::Subcommand;

use crate::model::{NodeKey, NodeName, Trust};

use super::printed::Json;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NodeCommand {
    /// List this node and those it knows, with trust, state, fingerprint, and how far behind their entries are here
    List(Json),
    /// Print a token by which one other node may join, once, within 15 minutes
    Invite {
        /// What that node may do here: observe, report or command
        #[arg(long, default_value = "report")]
        trust: Trust,
        #[command(flatten)]
        json: Json,
    },
    /// Join the node that made a token: each pins the key of the other
    Join {
        /// What `aurora node invite` printed there; - reads it from standard input
        token: String,
        /// What that node may do here: observe, report or command
        #[arg(long, default_value = "report")]
        trust: Trust,
    },
    /// Know a node by its key, which was brought over by hand
    Add {
        /// Its name, as its own configuration says it
        name: NodeName,
        /// Where it listens: `https://hub-2.example.org:9292`
        url: String,
        /// Its key: `ed25519:` and 44 characters, as `aurora node list --json` shows it there
        key: NodeKey,
        /// What it may do here: observe, report or command
        #[arg(long, default_value = "report")]
        trust: Trust,
    },
    /// Say what a node may do here, and end its quarantine
    Trust {
        /// Which
        name: NodeName,
        /// observe (read what this node shares), report (what it shares is shown here), command (its operators may run here)
        trust: Trust,
    },
    /// Forget a node: its key no longer counts, and what it shared is dropped
    Remove {
        /// Which
        name: NodeName,
    },
    /// Change the key of this node; the one before counts for 24 hours more
    Rotate,
    /// Print a configuration of NATS for these nodes: comes in a later version with the link over NATS, until then it fails
    /// and exits with 1
    NatsConfig,
}
