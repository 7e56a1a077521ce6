//! The command line of `aurora task`.

use clap::Subcommand;

use super::printed::Json;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TaskCommand {
    /// List the tasks
    List(Json),
    /// Stop a task and start it again
    Restart {
        /// Its name, as `aurora task list` shows it
        name: String,
    },
}
