//! The command line of `aurora pane`.

use clap::Subcommand;

use crate::model::PaneName;

use super::printed::Json;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PaneCommand {
    /// List the panes of every host; 0 all hosts answer, 3 some do, 4 none does
    List(Json),
    /// Print the lines of a pane as they come, without colours, until ctrl-c
    Watch {
        /// Which, as web-1:0.1
        pane: PaneName,
        #[command(flatten)]
        json: Json,
        /// Have the engine write what it shows to a file, too
        #[arg(long)]
        record: bool,
    },
    /// Take a pane over, type into it, and give it back
    Send {
        /// Which, as web-1:0.1
        pane: PaneName,
        /// What to type; no control characters
        text: Option<String>,
        /// Press Enter at the end
        #[arg(long)]
        enter: bool,
        /// Keys to press behind the text, by name: C-c, Enter, Tab, Escape, Up
        #[arg(long, num_args = 1.., value_name = "KEY")]
        keys: Vec<String>,
    },
}
