//! Start and stop, in order.

use std::collections::HashMap;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ConfigError, VipList};
use crate::ingress::{BodyBudget, Certificates, Channel, Refusals, Spool, Swap};
use crate::model::{ChannelId, CheckPanel, EventFilter, InboxFilter, OperatorName, ProviderKind};
use crate::net::{NodeKeyError, NodeKeys};
use crate::protocol::NodesPanel;
use crate::store::{Blobs, Options, Pulse, Store, StoreError};

use super::access::{Access, Owner};
use super::bridge::{self, BridgeSet, Bridges};
use super::checks::{CheckSet, Checks};
use super::doors::{Channels, Ingress, certificates};
use super::driver::Driver;
use super::lifetime::see_through;
use super::nodes::{Ground, Named, Nodes, Ways};
use super::panels::Panels;
use super::panes::Panes;
use super::projector::{Projector, Reading};
use super::reading_mark::ReadingMark;
use super::reload::{Followers, Origin, Reloader};
use super::staged::{self, FIGURES_A_SECOND, Scenery};
use super::state::{ACTIVITY, Beginning, Engine, INBOX};
use super::supervisor::{Supervisor, TaskSpec};
use super::watch::watch_task;
use super::{Died, Handle, Input, Lock, LockError, LogLines, OpenRoad, Watchdog, doors};

/// Inputs that may wait for the loop.
const INPUTS: usize = 1024;

/// Whether an engine listens to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doors {
    /// Listeners and background tasks.
    Open,
    /// Listeners alone: events are stored, and their messages wait. For measuring the one without the other.
    IngestOnly,
    /// Only the store: for a command on a state directory no engine runs on.
    Closed,
    /// Background tasks, and nobody from outside: no listeners, and a script in place of looks.
    Staged,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another engine runs, or the directory cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The state directory cannot be used.
    #[error("failed to use the state directory {path}: {source}")]
    Directory {
        /// Which directory.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The configuration holds a mistake, or names a secret or a certificate that cannot be used.
    #[error(transparent)]
    Config(#[from] Box<ConfigError>),
    /// The key by which other nodes know this one cannot be read or made.
    #[error(transparent)]
    NodeKey(#[from] NodeKeyError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A running engine.
#[derive(Debug)]
pub struct Running {
    /// The way to it.
    pub handle: Handle,
    pulse: Pulse,
    ended: JoinHandle<Result<(), Died>>,
}

impl Running {
    /// What says whether it still advances.
    #[must_use]
    pub fn watchdog(&self) -> Watchdog {
        let Handle { supervisor, stop, .. } = &self.handle;
        Watchdog { parts: Arc::clone(&supervisor.parts), pulse: self.pulse.clone(), stop: stop.clone() }
    }

    /// Waits until the engine has ended: no task runs, everything queued is committed, the lock is free.
    ///
    /// # Errors
    /// When it ended by itself, and not because it was asked to.
    pub async fn ended(self) -> Result<(), Died> {
        self.ended.await.unwrap_or(Err(Died))
    }
}

/// Starts an engine on `config`. `logs` are the log lines it shows; `origin` is where a newer configuration
/// would come from, if it is to follow one.
///
/// # Errors
/// When the state directory is taken or unusable, or a secret or a certificate cannot be read.
pub async fn start(
    config: Config,
    doors: Doors,
    logs: Option<LogLines>,
    origin: Option<Origin>,
) -> Result<Running, StartError> {
    begin(config, doors, logs, origin, None).await.map(|begun| begun.running)
}

/// An engine that has just been started, and what is needed to play deliveries to it.
pub(super) struct Begun {
    pub running: Running,
    pub store: Arc<Store>,
    pub channels: Channels,
}

/// Starts an engine, perhaps in a made-up world.
pub(super) async fn begin(
    config: Config,
    doors: Doors,
    logs: Option<LogLines>,
    origin: Option<Origin>,
    scenery: Option<Scenery>,
) -> Result<Begun, StartError> {
    prepare(&config)?;
    let lock = Lock::take(&config.state_dir)?;
    let configured = config.channels.values();
    let channels = configured.map(|channel| Channel::new(&config, channel.clone())).collect::<Result<_, _>>()?;
    let listens = !matches!(doors, Doors::Closed | Doors::Staged);
    let certificates = if listens { certificates(&config, &Certificates::new())? } else { Certificates::new() };
    let options = Options { commit_batch: config.commit_batch, queue: config.limits.queue };
    let store = Arc::new(Store::open(&config.state_dir, options)?);
    let channels = number(&store, channels).await?;
    let blobs = Blobs::open(&config.state_dir).map_err(|source| StartError::Directory {
        path: config.state_dir.join("blobs").display().to_string(),
        source,
    })?;
    let blobs = Arc::new(blobs);
    refresh_vips(&store, &config.vip).await?;

    let (inputs, received) = mpsc::channel(INPUTS);
    let stop = CancellationToken::new();
    let projector = Arc::new(Projector {
        store: Arc::clone(&store),
        blobs: Arc::clone(&blobs),
        mark: ReadingMark::open(&config.state_dir),
        reading: Swap::new(Reading { channels: channels.clone(), vip: config.vip.clone() }),
        inputs: inputs.clone(),
        projected: Notify::new(),
        turn: Mutex::default(),
    });
    if doors == Doors::Closed {
        projector.catch_up().await?;
        store.wake_due(Timestamp::now()).await?;
    }
    // A made-up world may begin at any time.
    let now = scenery.as_ref().map_or_else(Timestamp::now, |scenery| scenery.looked.1);
    let checks = Checks::new(CheckSet::new(&config)?, Arc::clone(&store), inputs.clone());
    let checks = Arc::new(checks.scripted(scenery.as_ref().map(|scenery| Arc::clone(&scenery.script))));
    let shown = match &scenery {
        Some(scenery) => scenery.happen(&config, &store, &channels, &projector).await?,
        None => checks.panels().await?,
    };
    let mut engine = Engine::new(received, beginning(&config, &store, shown.clone(), now, scenery.as_ref())?);
    let played = scenery.as_ref().and_then(Scenery::pane_roads);
    let has_panes = matches!(doors, Doors::Open | Doors::Closed) || played.is_some();
    let mut followers = followers(&config, doors, &store, checks, &inputs, played);
    let supervisor = Arc::new(Supervisor::new(inputs.clone(), stop.clone()));
    let handle = Handle {
        inputs: inputs.clone(),
        supervisor: Arc::clone(&supervisor),
        next_client: Arc::new(AtomicU64::new(1)),
        stop: stop.clone(),
    };
    followers.nodes = Box::pin(nodes(&config, doors, &store, &handle, &followers)).await?;
    if let Some(nodes) = &followers.nodes {
        engine.nodes = nodes.panel();
    }
    if matches!(doors, Doors::Open | Doors::Staged) {
        follow(&handle, &projector);
    }
    set_going(&handle, doors, &followers, scenery.as_ref(), shown);
    if has_panes {
        handle.supervise(Panes::task(&followers.panes));
    }
    if doors == Doors::Staged {
        engine.checks.send_figures(FIGURES_A_SECOND);
    }
    let mut reloader = None;
    let (begun_store, begun_channels) = (Arc::clone(&store), channels.clone());
    if matches!(doors, Doors::Open | Doors::IngestOnly) {
        let ingress = listen(&handle, &config, &channels, certificates, &store, &blobs);
        if let Some(origin) = origin {
            if let Some(path) = origin.path.clone() {
                handle.supervise(watch_task(path, config.text().map(str::to_owned), inputs.clone()));
            }
            let (handle, projector) = (handle.clone(), Arc::clone(&projector));
            reloader =
                Some(Arc::new(Reloader::new(origin, handle, projector, ingress, followers.clone(), config, channels)));
        }
    }
    handle.supervise(trouble_task(&store, inputs.clone()));
    if let Some(logs) = logs {
        tokio::spawn(forward_logs(logs, inputs.clone(), stop.clone()));
    }
    let (pulse, closing) = (store.pulse(), Arc::clone(&store));
    let driver =
        Driver::new(store, Arc::clone(&projector), Arc::clone(&supervisor), reloader, followers, inputs.clone());
    let ended = tokio::spawn(async move {
        let ended = see_through(|turns| driver.run(engine, turns), &supervisor, inputs, stop).await;
        // Not as its last owner goes: connections that outlived their listener may hold it, and what SQLite keeps beside
        // the database would stay there.
        let _ = tokio::task::spawn_blocking(move || closing.close()).await;
        drop(lock);
        ended
    });
    Ok(Begun { running: Running { handle, pulse, ended }, store: begun_store, channels: begun_channels })
}

/// Lets what looks at services and what brings commands to hosts go, or what plays them in a made-up world.
fn set_going(handle: &Handle, doors: Doors, followers: &Followers, scenery: Option<&Scenery>, shown: Vec<CheckPanel>) {
    if matches!(doors, Doors::Open | Doors::Staged) {
        handle.supervise(match scenery {
            Some(scenery) => scenery.looking(&followers.checks, shown, handle.inputs.clone()),
            None => Checks::task(&followers.checks),
        });
    }
    if matches!(doors, Doors::Open | Doors::Closed) {
        handle.supervise(Bridges::task(&followers.bridges));
    }
    if let Some(commanding) = scenery.and_then(|scenery| scenery.commanding(&followers.bridges)) {
        handle.supervise(commanding);
    }
}

/// What looks at services, at hosts and at their panes.
fn followers(
    config: &Config,
    doors: Doors,
    store: &Arc<Store>,
    checks: Arc<Checks>,
    inputs: &mpsc::Sender<Input>,
    played: Option<OpenRoad>,
) -> Followers {
    let (set, lazy) = (BridgeSet::new(config.clone()), doors == Doors::Closed);
    let opens = bridge::every_layer();
    let bridges = Bridges::new(set, Arc::clone(store), inputs.clone(), Arc::clone(&checks), opens, lazy);
    let bridges = Arc::new(bridges);
    if played.is_some() {
        // No road carries orders there, so nobody else says in which term they would be given.
        bridges.begin(staged::TERM);
    }
    let opens = played.unwrap_or_else(bridge::every_layer);
    let panes = Panes::new(Arc::clone(&bridges), inputs.clone(), opens, config.state_dir.clone());
    let alone = match doors {
        Doors::Staged => "this is the demo: its nodes are made up, and nothing can be asked of them",
        _ => "this node knows no others: set `enabled = true` under [federation] and start again",
    };
    Followers { checks, bridges, panes: Arc::new(panes), nodes: None, alone }
}

/// The other nodes, where this one takes part.
async fn nodes(
    config: &Config,
    doors: Doors,
    store: &Arc<Store>,
    handle: &Handle,
    followers: &Followers,
) -> Result<Option<Arc<Nodes>>, StartError> {
    let takes_part = config.federation.enabled && matches!(doors, Doors::Open | Doors::Closed);
    let Some(me) = config.federation.me.clone().filter(|_| takes_part) else { return Ok(None) };
    let keys = Arc::new(NodeKeys::open(&config.state_dir.join("secrets"), Timestamp::now())?);
    let ground = Ground {
        config: config.federation.clone(),
        named: Named::of(config)?,
        store: Arc::clone(store),
        handle: handle.clone(),
        bridges: Arc::clone(&followers.bridges),
        checks: Arc::clone(&followers.checks),
        ways: Ways::new(me.clone(), config, Arc::clone(&keys), handle.stop.clone())?,
        keys,
    };
    let nodes = Nodes::new(me, ground).await?;
    if doors == Doors::Open {
        for task in Nodes::tasks(&nodes) {
            handle.supervise(task);
        }
    }
    Ok(Some(nodes))
}

/// Brings who is a VIP by `vip` up to date, unless that was done by the same list. It looks at every contact.
async fn refresh_vips(store: &Store, vip: &VipList) -> Result<(), StoreError> {
    let list = vip.patterns().join("\n");
    let known = store.vips_are_by()?;
    if known.as_ref() == Some(&list) {
        return Ok(());
    }
    if known.is_some() {
        store.set_vips_are_by(None).await?;
    }
    store.change_vips(store.vip_changes(|address| vip.matches(address))?).await?;
    store.set_vips_are_by(Some(list)).await
}

/// Numbers `channels` as the store does; those that are new to it get a number.
pub(super) async fn number(store: &Store, channels: Vec<Channel>) -> Result<Channels, StoreError> {
    let ids = channels.iter().map(|channel| channel.config.id.clone()).collect();
    let numbers: HashMap<ChannelId, i64> = store.channel_numbers(ids).await?.into_iter().collect();
    let numbered = channels.into_iter().map(|mut channel| {
        let id = channel.config.id.clone();
        channel.number = numbers.get(&id).copied().unwrap_or_default();
        (id, Arc::new(channel))
    });
    Ok(numbered.collect())
}

/// Starts the listeners.
fn listen(
    handle: &Handle,
    config: &Config,
    channels: &Channels,
    certificates: Certificates,
    store: &Arc<Store>,
    blobs: &Arc<Blobs>,
) -> Ingress {
    let ingress = Ingress {
        store: Arc::clone(store),
        behind: Arc::new(Swap::new(doors::receiving(config, channels, certificates, None, None))),
        refusals: Arc::new(Refusals::default()),
        budget: Arc::new(BodyBudget::default()),
        spool: Arc::new(Spool::new(Arc::clone(blobs))),
    };
    for address in doors::addresses(config) {
        handle.supervise(ingress.listener(address, config.limits));
    }
    handle.supervise(doors::refusals_task(Arc::clone(&ingress.refusals), handle.inputs.clone()));
    ingress
}

/// Starts everything that follows the watermarks.
fn follow(handle: &Handle, projector: &Arc<Projector>) {
    let projecting = Arc::clone(projector);
    handle.supervise(TaskSpec::new("projector", move |context| Arc::clone(&projecting).run(context)));
    let indexing = Arc::clone(projector);
    handle.supervise(TaskSpec::new("search index", move |context| Arc::clone(&indexing).run_index(context)));
}

/// The task that tells the engine whether the store can write.
fn trouble_task(store: &Store, inputs: mpsc::Sender<Input>) -> TaskSpec {
    let trouble = store.trouble();
    TaskSpec::new("store watch", move |context| {
        let (mut trouble, inputs) = (trouble.clone(), inputs.clone());
        async move {
            context.running();
            trouble.mark_changed();
            loop {
                tokio::select! {
                    () = context.stop.cancelled() => return Ok(()),
                    changed = trouble.changed() => changed.map_err(|_| "the store is closed".to_owned())?,
                }
                let now = trouble.borrow_and_update().clone();
                // The engine is gone only when everything ends.
                let _ = inputs.send(Input::Store(now)).await;
            }
        }
    })
}

fn beginning(
    config: &Config,
    store: &Store,
    checks: Vec<CheckPanel>,
    now: Timestamp,
    scenery: Option<&Scenery>,
) -> Result<Beginning, StoreError> {
    let mut bridge = bridge::beginning(config, store, now)?;
    if let Some(scenery) = scenery {
        scenery.bridge(&mut bridge);
    }
    // What is not projected yet is left out here: it arrives as soon as the projector runs.
    let up_to = store.projected_up_to()?;
    Ok(Beginning {
        node: config.node.clone(),
        state_dir: config.state_dir.display().to_string(),
        now,
        source: config.source().to_owned(),
        theme: config.theme.to_string(),
        keys: config.keys.overrides().clone(),
        panels: Panels::new(config, &store.channel_counts()?),
        checks,
        inbox: store.inbox(&InboxFilter::default(), None, INBOX)?.rows,
        events: store.events(&EventFilter::default(), Some(up_to + 1), ACTIVITY)?,
        rejections: store.rejections(None, ACTIVITY)?,
        dead_letters: store.dead_letters()?,
        up_to,
        next_wake: store.next_wake()?,
        access: Access::new(owner(), config.operators.clone(), store.tokens()?),
        bridge,
        nodes: scenery.map_or_else(NodesPanel::default, |scenery| scenery.nodes.clone()),
    })
}

/// The owner of the state directory is whoever runs the engine: the directory is private to them.
fn owner() -> Owner {
    let name = |text: &str| text.parse::<OperatorName>().ok();
    let own = std::env::var("USER").ok().and_then(|user| name(&user));
    Owner {
        uid: rustix::process::geteuid().as_raw(),
        name: own.unwrap_or_else(OperatorName::unnamed),
        root: name("root").unwrap_or_else(OperatorName::unnamed),
    }
}

async fn forward_logs(mut logs: LogLines, inputs: mpsc::Sender<Input>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            line = logs.next() => {
                let Some(line) = line else { return };
                if inputs.send(Input::Log(line)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Makes the state directory, private to its owner, and the secrets of default channels.
pub(super) fn prepare(config: &Config) -> Result<(), StartError> {
    let unusable = |path: &Path| {
        let path = path.display().to_string();
        move |source| StartError::Directory { path, source }
    };
    let secrets = config.state_dir.join("secrets");
    let logs = config.state_dir.join("logs");
    let mut private = std::fs::DirBuilder::new();
    private.recursive(true).mode(0o700);
    for dir in [&config.state_dir, &secrets, &logs] {
        private.create(dir).map_err(unusable(dir))?;
    }
    if config.default_channels {
        for channel in config.channels.values() {
            let path = config.generated_secret_path(&channel.id);
            let made = generate_secret(&path, channel.provider);
            made.map_err(unusable(&path))?;
        }
    }
    Ok(())
}

/// Writes a fresh secret to `path`, unless one is there.
fn generate_secret(path: &Path, provider: ProviderKind) -> std::io::Result<()> {
    use std::io::Write;

    let bytes: [u8; 32] = rand::random();
    let secret = match provider {
        ProviderKind::Standard => format!("whsec_{}", STANDARD.encode(bytes)),
        // As Twilio's own look.
        ProviderKind::Twilio => hex::encode(&bytes[..16]),
        ProviderKind::Github | ProviderKind::Mailgun | ProviderKind::Typeform | ProviderKind::Secret => {
            URL_SAFE_NO_PAD.encode(bytes)
        }
    };
    if path.exists() {
        return Ok(());
    }
    // Written beside it first: on a full disk, or in a crash, half a secret would stay for good.
    let beside = path.with_extension(hex::encode(&bytes[..4]));
    let write = || {
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
        writeln!(file, "{secret}")?;
        file.sync_all()?;
        std::fs::hard_link(&beside, path)
    };
    let written = write();
    // What cannot be removed is a file nobody reads.
    let _ = std::fs::remove_file(&beside);
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
