//! The command line: what counts for every command, and the commands.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::{ChannelId, EventId, NodeName};

use super::super::elsewhere::GOES;
use super::access::AccessCommand;
use super::agent::AgentArgs;
use super::approval::ApprovalCommand;
use super::audit::AuditCommand;
use super::channels::ChannelCommand;
use super::checks::CheckCommand;
use super::contacts::ContactCommand;
use super::events::EventsCommand;
use super::host::HostCommand;
use super::inbox::InboxCommand;
use super::job::{JobCommand, RolloutCommand};
use super::node::NodeCommand;
use super::pane::PaneCommand;
use super::printed::Json;
use super::run::RunArgs;
use super::screen::{AttachArgs, DemoArgs};
use super::settings::{ConfigCommand, KeysCommand, ThemeCommand};
use super::tasks::TaskCommand;

/// A control centre in a terminal: one durable inbox for every channel.
///
/// Without a command it opens the screen with the engine inside, or attaches to the engine that runs.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "New here? `aurora demo --tour` shows a made-up world and leads through it.\n\n\
                  Exit codes: 0 fine, 1 failed, 2 usage or configuration, 3 degraded, 4 down, 5 denied."
)]
pub(in crate::cli) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(in crate::cli) struct Global {
    /// Configuration file, instead of the default one
    #[arg(long, global = true, env = "AURORA_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// State directory, instead of the configured one
    // What the configuration names in it stays there, wherever its own file is.
    #[arg(
        long,
        global = true,
        env = "AURORA_STATE_DIR",
        value_name = "DIR",
        value_parser = PathBufValueParser::new().try_map(std::path::absolute)
    )]
    pub state_dir: Option<PathBuf>,
    /// Change nothing: the engine refuses every write of this client
    #[arg(long, global = true)]
    pub read_only: bool,
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true,
        help = format!("Have it done on this other node, which trusts this one with commands: {GOES}"))]
    pub node: Option<NodeName>,
    /// Theme of the screen; `aurora theme list` has the names
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,
    /// Colours: auto follows `NO_COLOR` and the terminal
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: When,
    /// Do with less on the screen, as on a slow line: figures in steps, nothing that moves by itself
    #[arg(long, global = true)]
    pub lite: bool,
    /// Put no marks around frames, for a terminal that takes them amiss (DEC mode 2026)
    #[arg(long, global = true)]
    pub no_sync: bool,
    /// Draw with ASCII characters only
    #[arg(long, global = true)]
    pub ascii: bool,
    /// More in the log file; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Run the engine without a screen
    Serve {
        /// Exit when a port is taken, instead of trying again
        #[arg(long)]
        strict: bool,
        /// Store events and let their messages wait; for benchmarks
        #[arg(long, hide = true)]
        ingest_only: bool,
    },
    /// Open the screen on a running engine
    Attach(AttachArgs),
    /// Tell how things are; the exit code says it too
    Status(Json),
    /// A made-up world to try everything in; needs no network and no configuration
    Demo(DemoArgs),
    /// Print what happens, one line an event
    Watch {
        #[command(flatten)]
        json: Json,
        /// Sentences without columns, for a screen reader
        #[arg(long, conflicts_with = "json")]
        plain: bool,
        /// Begin after this event instead of now
        #[arg(long, value_name = "EVENT")]
        since: Option<EventId>,
    },
    /// Open the screen at a place: `aurora open 'health /tls'`, `aurora open inbox unread`
    Open {
        /// overview, channels, inbox QUERY, inbox view NAME, inbox message ID, health CHECK, health /TEXT, activity LIST
        #[arg(required = true, value_name = "PLACE")]
        place: Vec<String>,
    },
    /// Do what the palette does, on the running engine: `aurora do restart search`
    Do {
        /// A line as it is typed after `:`
        #[arg(required_unless_present = "list", value_name = "LINE")]
        line: Vec<String>,
        /// List what can be done
        #[arg(long, conflicts_with = "line")]
        list: bool,
        #[command(flatten)]
        json: Json,
    },
    /// The end of the bridge on a managed host; without a command it opens the host's doors
    Agent(AgentArgs),
    /// The engine's background tasks
    #[command(subcommand)]
    Task(TaskCommand),
    /// Everything that was received
    #[command(subcommand)]
    Events(EventsCommand),
    /// Messages
    #[command(subcommand)]
    Inbox(InboxCommand),
    /// Who writes
    #[command(subcommand)]
    Contact(ContactCommand),
    /// Configured accounts
    #[command(subcommand)]
    Channel(ChannelCommand),
    /// What is watched, and how it is
    #[command(subcommand)]
    Check(CheckCommand),
    /// Plans that wait for other people's yes
    #[command(subcommand)]
    Approval(ApprovalCommand),
    /// Who did what: a log that shows when it was changed
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Run a command of the whitelist on a host: `aurora run web-1 todo action=list`
    Run(RunArgs),
    /// Commands that were run, or wait
    #[command(subcommand)]
    Job(JobCommand),
    /// Commands on their way over several hosts
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// The machines commands run on, and the roads to them
    #[command(subcommand)]
    Host(HostCommand),
    /// Other nodes: how they are, how one joins, what each may do
    #[command(subcommand)]
    Node(NodeCommand),
    /// The terminals of hosts
    #[command(subcommand)]
    Pane(PaneCommand),
    /// Sign a sample as the provider would and post it through the real socket
    SendTest {
        /// Which channel
        channel: ChannelId,
        /// How many
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// What it is about
        #[arg(long, default_value = "Hello from aurora")]
        text: String,
    },
    /// Who may do what
    #[command(subcommand)]
    Access(AccessCommand),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// What keys do
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The colours of the screen
    #[command(subcommand)]
    Theme(ThemeCommand),
}
