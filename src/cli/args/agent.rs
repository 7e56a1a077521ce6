//! The command line of `aurora agent`.

use clap::{Args, Subcommand, ValueEnum};

use super::printed::Json;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct AgentArgs {
    #[command(flatten)]
    pub doors: DoorArgs,
    #[command(subcommand)]
    pub command: Option<AgentCommand>,
}

/// Which doors are opened, and how.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct DoorArgs {
    /// Open this door alone, so that one failing leaves the other
    #[arg(long, value_enum, value_name = "DOOR")]
    pub only: Option<AgentDoor>,
    /// Look at trigger files every second and not when the kernel tells of one, as on a mount that hides it
    #[arg(long, hide = true)]
    pub no_inotify: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum AgentDoor {
    /// The socket of `listen`
    Socket,
    /// The directory of `trigger`
    Trigger,
}

/// What an agent does.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AgentCommand {
    /// Serve one engine on standard input and output, as ssh and this machine's own engine start it
    Stdio,
    /// Print what an engine pins where the socket leaves this machine: SHA-256 of the agent's certificate
    Fingerprint,
    /// Read the agent's own log and compare every hash; 1 where one does not fit
    Audit(Json),
    /// Answer one letter, for the layer that opens a fresh connection a question
    Exec(ExecArgs),
    /// Carry out one job
    #[command(hide = true)]
    Runner,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExecArgs {
    /// Read the letter from what the client of ssh asked for, where a key is bound to this agent
    #[arg(long, conflicts_with_all = ["id", "b64", "mark"])]
    pub from_ssh: bool,
    /// The job, for `ps` and logs
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// The letter: base64url of a JSON array, a hello and a question
    #[arg(long, value_name = "LETTER")]
    pub b64: Option<String>,
    /// A word of 16 letters a-z and digits that begins every line of the answer
    #[arg(long, value_name = "WORD")]
    pub mark: Option<String>,
}
