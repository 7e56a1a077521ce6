//! The command line.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::config::{Context, period};
use crate::demo::Scene;
use crate::model::{
    ActId, ApprovalId, ChannelId, CheckId, CommandName, ContactId, EventFilter, EventId, HostName, HostSelector,
    InboxFilter, Item, JobId, Label, Lane, LayerKind, NodeKey, NodeName, OperatorName, Pace, Role, Scope, TokenId,
    Trust,
};

use super::elsewhere::GOES;
use super::exit::Failure;
use super::moment;
use super::pane_args::PaneCommand;

/// A control centre in a terminal: one durable inbox for every channel.
///
/// Without a command it opens the screen with the engine inside, or attaches to the engine that runs.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 fine, 1 failed, 2 usage or configuration, 3 degraded, 4 down, 5 denied."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct Global {
    /// Configuration file, instead of the default one
    #[arg(long, global = true, env = "AURORA_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// State directory, instead of the configured one
    #[arg(long, global = true, env = "AURORA_STATE_DIR", value_name = "DIR")]
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
pub(super) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
    Demo {
        /// What decides everything that chance would
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// What goes on: lively, still (nothing changes) or busy (40 checks, new figures every second)
        #[arg(long, value_name = "NAME", default_value_t)]
        scene: Scene,
        #[command(flatten)]
        picture: PictureArgs,
    },
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

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct AgentArgs {
    #[command(flatten)]
    pub doors: DoorArgs,
    #[command(subcommand)]
    pub command: Option<AgentCommand>,
}

/// Which doors are opened, and how.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct DoorArgs {
    /// Open this door alone, so that one failing leaves the other
    #[arg(long, value_enum, value_name = "DOOR")]
    pub only: Option<AgentDoor>,
    /// Look at trigger files every second and not when the kernel tells of one, as on a mount that hides it
    #[arg(long, hide = true)]
    pub no_inotify: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AgentDoor {
    /// The socket of `listen`
    Socket,
    /// The directory of `trigger`
    Trigger,
}

/// What an agent does.
#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
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
pub(super) struct ExecArgs {
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

#[derive(Debug, Clone, Args)]
pub(super) struct AttachArgs {
    /// Which engine: `unix:PATH` or `ssh://[user@]host[:port]`; the socket in the state directory when absent
    #[arg(help = "unix:PATH or ssh://[user@]host[:port]; the socket in the state directory when absent")]
    pub target: Option<String>,
    /// Where aurora is on the far side of ssh, when it is not in the PATH there
    #[arg(long, value_name = "PATH", requires = "target")]
    pub remote: Option<String>,
    /// Be the far end of an attach over ssh: the same frames on standard input and output
    #[arg(long, conflicts_with_all = ["target", "remote"])]
    pub stdio: bool,
    /// The name of the key that came in, for a forced command in `authorized_keys`
    #[arg(long = "as", value_name = "NAME", requires = "stdio", value_parser = key_name)]
    pub key: Option<String>,
}

/// One frame of the demo as a file, instead of the demo on the screen: for the documentation.
#[derive(Debug, Clone, Args)]
pub(super) struct PictureArgs {
    /// Write an SVG picture to this file
    #[arg(long, value_name = "FILE", hide = true)]
    pub picture: Option<PathBuf>,
    /// What is pressed before, as a terminal sends it; `\r` is enter, `\t` is tab, `\e` is escape
    #[arg(long, value_name = "KEYS", hide = true, default_value = "", requires = "picture")]
    pub keys: String,
    /// Columns and rows
    #[arg(long, value_name = "COLUMNSxROWS", hide = true, default_value = "120x36", value_parser = size, requires = "picture")]
    pub size: (u16, u16),
}

/// A size as `120x36`.
fn size(text: &str) -> Result<(u16, u16), String> {
    let read = |side: &str| side.parse::<u16>().ok().filter(|side| (1..=500).contains(side));
    let sides = text.split_once('x').and_then(|(columns, rows)| read(columns).zip(read(rows)));
    sides.ok_or_else(|| "a size is columns and rows of 1 to 500, as 120x36".to_owned())
}

/// A name as an operator's `ssh_key` has it: it is compared, logged and shown.
fn key_name(name: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
        return Err("a name is made of 1 to 64 letters, digits and . _ @ + -".to_owned());
    }
    Ok(name.to_owned())
}

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct RunArgs {
    /// A host, or `@LABEL` for all with that label
    #[arg(value_name = "HOST|@LABEL", help = "A host, or @LABEL for all with that label")]
    pub on: HostSelector,
    /// Which command
    pub command: CommandName,
    /// Its values
    #[arg(value_name = "NAME=VALUE", value_parser = named_value)]
    pub values: Vec<(String, String)>,
    /// Only over this layer: local, socket, tmux, trigger or exec
    #[arg(long, value_name = "LAYER")]
    pub layer: Option<LayerKind>,
    /// Who goes first: 0 or urgent, 1 or normal, 2 or bulk, 3 or idle
    #[arg(long, value_name = "N", default_value = "normal", value_parser = lane)]
    pub priority: Lane,
    /// Print the job's id and do not wait for its end
    #[arg(long, conflicts_with = "dry_run")]
    pub detach: bool,
    /// Print exactly what would run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Of several hosts only the one with the least load
    #[arg(long)]
    pub any: bool,
    /// What the job is called, a fresh `UUIDv7`: the same id again runs nothing again and answers the same
    #[arg(long, value_name = "ID", value_parser = job_name)]
    pub id: Option<JobId>,
    /// The host or label again; commands of high risk want it
    #[arg(long, value_name = "HOST|@LABEL")]
    pub confirm: Option<String>,
    /// To all hosts at once, in place of one first, then a part of them, then the rest
    #[arg(long, visible_alias = "no-canary")]
    pub all_at_once: bool,
    /// How long a stage is watched before the health of its hosts is looked at: 0s to 1h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = settle)]
    pub settle: Duration,
    /// Stop when it went wrong on so many hosts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_failures: u32,
    /// JSON with stable fields, one object a host
    #[arg(long)]
    pub json: bool,
}

/// How long a stage of a rollout is watched.
fn settle(text: &str) -> Result<Duration, String> {
    let most = Duration::from_millis(Pace::SETTLE_MAX_MS);
    period(text).and_then(|time| if time <= most { Ok(time) } else { Err("it is 1h at most".to_owned()) })
}

/// A value as `name=value`.
fn named_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a value is given as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A lane by its number or name.
fn lane(text: &str) -> Result<Lane, String> {
    let by_number = text.parse::<usize>().ok().and_then(|number| Lane::ALL.get(number).copied());
    let found = by_number.or_else(|| Lane::ALL.into_iter().find(|lane| lane.as_str() == text));
    found.ok_or_else(|| "the lanes are 0 urgent, 1 normal, 2 bulk, 3 idle".to_owned())
}

/// The id of a job, with or without its prefix.
fn job_name(text: &str) -> Result<JobId, String> {
    let bare = || text.parse().map(JobId::from_uuid).map_err(|_| ());
    text.parse().or_else(|error: crate::model::BadId| bare().map_err(|()| error.to_string()))
}

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// List jobs, newest first
    List {
        /// Only on this host
        #[arg(long, value_name = "NAME")]
        host: Option<HostName>,
        /// Only this command
        #[arg(long, value_name = "NAME")]
        command: Option<CommandName>,
        /// Only those that are not over
        #[arg(long)]
        open: bool,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Show one job, how it was brought to its host, and what it wrote
    Show {
        /// Its id
        id: JobId,
        /// Wait for its end, and print what it writes as it comes
        #[arg(long)]
        follow: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Take a job back if it waits, stop its processes if it runs
    Cancel {
        /// Its id
        id: JobId,
    },
    /// Say what became of a job whose end is unknown, or that was run by hand
    Resolve {
        /// Its id
        id: JobId,
        /// It ran
        #[arg(long, required_unless_present = "not_ran", conflicts_with = "not_ran")]
        ran: bool,
        /// It did not run
        #[arg(long)]
        not_ran: bool,
        /// How it is known
        #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
        note: String,
    },
    /// Print the lines that run a job by hand on its host, once, whatever else brings it there
    Manual {
        /// Its id
        id: JobId,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RolloutCommand {
    /// List rollouts: those that are not over first, each newest first
    List {
        /// Only those that are not over
        #[arg(long)]
        open: bool,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Show one rollout: its stages, and where each host stands
    Show {
        /// Its id, that of its first job
        id: JobId,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum HostCommand {
    /// List hosts and their layers
    List(Json),
    /// Ask the agent of a host now, over every layer; 0 all answer, 3 some do, 4 none does
    Check {
        /// Which host
        host: HostName,
        /// Since when, the last answer, what the agent says of itself
        #[arg(long, conflicts_with = "json")]
        explain: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Bring this program to a host over ssh, and compare it there; what is there already stays
    Install {
        /// Which host
        host: HostName,
        /// A script for any POSIX shell instead, where no binary runs; it promises less, and says what
        #[arg(long)]
        shim: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum NodeCommand {
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
    /// Print a configuration of NATS for these nodes
    NatsConfig,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Json {
    /// JSON with stable fields
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum TaskCommand {
    /// List the tasks
    List(Json),
    /// Stop a task and start it again
    Restart {
        /// Its name, as `aurora task list` shows it
        name: String,
    },
}

#[derive(Debug, Clone, Args)]
pub(super) struct EventArgs {
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
pub(super) enum EventsCommand {
    /// List events, newest first
    List {
        #[command(flatten)]
        filter: EventArgs,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        json: Json,
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

#[derive(Debug, Clone, Args)]
pub(super) struct InboxArgs {
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
    pub(super) fn filter(self) -> Result<InboxFilter, Failure> {
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
pub(super) fn query(text: &str) -> Result<InboxFilter, String> {
    format!("{text} ").parse::<InboxFilter>().map_err(|error| error.to_string())
}

#[derive(Debug, Subcommand)]
pub(super) enum InboxCommand {
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
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        json: Json,
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
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        json: Json,
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

#[derive(Debug, Subcommand)]
pub(super) enum ContactCommand {
    /// List contacts, the last to write first
    List {
        /// Only of this channel
        #[arg(long, value_name = "ID")]
        channel: Option<ChannelId>,
        /// Only VIPs
        #[arg(long)]
        vip: bool,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        json: Json,
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

#[derive(Debug, Subcommand)]
pub(super) enum ChannelCommand {
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

#[derive(Debug, Subcommand)]
pub(super) enum CheckCommand {
    /// List checks, worst first
    List(Json),
    /// Look once, now and from here; 0 ok, 3 warning, 4 critical, 1 unknown
    Run {
        /// Which check
        id: CheckId,
        /// Print every step, what the conditions were given, and where the time went
        #[arg(long, conflicts_with = "json")]
        explain: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Uptime and latencies by time, and the last failures in full
    History {
        /// Which check
        id: CheckId,
        /// Since: 30m, 2h, 7d, or a time; a day when absent
        #[arg(long, value_name = "TIME", value_parser = moment::parse)]
        since: Option<Timestamp>,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum AccessCommand {
    /// Tell who you are to the engine, and your role
    Whoami(Json),
    /// Tokens of the API
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print it, this once
    Add {
        /// Whose it is
        name: OperatorName,
        /// What it may do: viewer, operator, approver or admin; the operator's own role when absent
        #[arg(long)]
        role: Option<Role>,
        /// Only this part of the API: health, stats, metrics, updates or federation; may be repeated
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// When it ends: 12h, 90d, a time, or never
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = moment::parse_end)]
        expires: moment::End,
    },
    /// List tokens; the tokens themselves are kept nowhere
    List(Json),
    /// Let a token no longer count, at once
    Revoke {
        /// Its id, as `aurora access token list` shows it
        id: TokenId,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum ThemeCommand {
    /// List themes: built in, in the configuration, in files beside it
    List(Json),
    /// Say which roles have too little contrast, and which severities look alike and for whom
    Lint {
        /// A theme, or a file with one; all themes when absent
        #[arg(value_name = "NAME|FILE")]
        name: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum KeysCommand {
    /// List what every key does, and where that is said
    List {
        /// Only what counts here, as `inbox`; every context when absent
        #[arg(help = "Only what counts here, as inbox; every context when absent")]
        context: Option<Context>,
        #[command(flatten)]
        json: Json,
    },
    /// Tell mistakes, keys that were lost, and what no key reaches
    Check,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum ConfigCommand {
    /// Write the documented default configuration
    Init,
    /// Check the configuration and its secrets
    Check,
    /// Show what the configuration comes to
    Print(Json),
    /// Print the JSON Schema of the configuration file
    Schema,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List entries, newest first
    List {
        /// Only those about this: a job, an approval, a host, a task
        #[arg(long, value_name = "ID")]
        about: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Read the whole log and compare every hash
    Verify {
        /// A head that was kept elsewhere: fails when the log no longer holds it
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Print every entry as a line of JSON, oldest first, and then the head
    Export,
}

#[derive(Debug, Subcommand)]
pub(super) enum ApprovalCommand {
    /// List plans that wait for other people's yes, newest first
    List {
        /// Those that were answered, too
        #[arg(long)]
        all: bool,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Show exactly what would run, and what was said
    Show {
        /// Which
        id: ApprovalId,
        #[command(flatten)]
        json: Json,
    },
    /// Say yes to exactly what has this hash
    Grant {
        /// To what
        id: ApprovalId,
        /// The hash that `show` prints, its first 12 digits at least
        #[arg(long)]
        hash: String,
        /// One line to go with it
        #[arg(long)]
        note: Option<String>,
    },
    /// Say no; it ends there
    Deny {
        /// To what
        id: ApprovalId,
        /// One line to go with it
        #[arg(long)]
        note: Option<String>,
    },
}
