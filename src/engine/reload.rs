//! Reading the configuration again, and putting it in force while everything runs.
//!
//! Everything that can fail comes first: reading, validating, secrets, the numbers of new channels. Only then
//! what is in force is swapped, in one step. Listeners whose address stays are not touched.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::config::{Config, ConfigError, Difference, VipList, difference};
use crate::ingress::{Certificates, Channel};
use crate::model::InboxFilter;
use crate::protocol::ConfigFault;
use crate::store::StoreError;

use super::bridge::{BridgeSet, Bridges};
use super::checks::{CheckSet, Checks};
use super::doors::{self, Channels, Ingress, certificates, listener_task};
use super::nodes::{Nodes, NodesReady};
use super::panes::Panes;
use super::projector::{Projector, Reading, blocking};
use super::start::{StartError, number, prepare};
use super::state::INBOX;
use super::{Handle, Input, Taken, Tell, tell};

/// Where the configuration comes from, again and again.
pub struct Origin {
    /// The file to look at; `None` where there is no place for one.
    pub path: Option<PathBuf>,
    /// Reads and validates it, and applies what the command line says instead.
    pub load: Box<dyn Fn() -> Result<Config, Box<ConfigError>> + Send + Sync>,
}

/// What is in force.
struct InForce {
    config: Config,
    channels: Channels,
    /// Why the last one was not taken, so that the same is logged once.
    fault: Option<String>,
    /// Contacts may be VIPs by a list that is not in force: it was being applied when something failed.
    vips_are_open: bool,
    last: Option<Run>,
}

/// A reload that has ended.
struct Run {
    number: u64,
    /// Whether the service manager was told of it.
    is_told: bool,
    outcome: Result<(), ConfigFault>,
}

/// What has a configuration of its own beside the doors.
#[derive(Clone)]
pub(super) struct Followers {
    pub checks: Arc<Checks>,
    pub bridges: Arc<Bridges>,
    pub panes: Arc<Panes>,
    /// Where this node takes part.
    pub nodes: Option<Arc<Nodes>>,
    /// What is answered about nodes where it does not.
    pub alone: &'static str,
}

/// Puts configurations in force, one after the other.
pub(super) struct Reloader {
    origin: Origin,
    handle: Handle,
    projector: Arc<Projector>,
    ingress: Ingress,
    followers: Followers,
    in_force: Mutex<InForce>,
    /// Reloads that have begun.
    begun: AtomicU64,
}

/// A configuration that was read and can be taken.
struct Ready {
    config: Config,
    difference: Difference,
    /// Channels that stay as they are.
    kept: Channels,
    /// Channels that are new or have changed; not numbered yet.
    fresh: Vec<Channel>,
    certificates: Certificates,
    /// What is watched, with its secrets.
    watched: CheckSet,
    /// What is said of other nodes, where this one takes part.
    nodes: Option<NodesReady>,
}

impl Reloader {
    pub(super) fn new(
        origin: Origin,
        handle: Handle,
        projector: Arc<Projector>,
        ingress: Ingress,
        followers: Followers,
        config: Config,
        channels: Channels,
    ) -> Self {
        let in_force = Mutex::new(InForce { config, channels, fault: None, vips_are_open: false, last: None });
        Self { origin, handle, projector, ingress, followers, in_force, begun: AtomicU64::new(0) }
    }

    /// Reads the configuration again and takes it, whole or not at all. The engine, the log and the caller hear
    /// what became of it; the service manager only when somebody asked. Callers that wait share one reload.
    pub(super) async fn reload(self: Arc<Self>, is_asked: bool) -> Result<(), ConfigFault> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut in_force = self.in_force.lock().await;
        // What began after this was asked for has read what this would read.
        if let Some(run) = in_force.last.as_ref().filter(|run| run.number > begun) {
            if is_asked && !run.is_told {
                tell(Tell::Reloading).await;
                tell(Tell::Reloaded).await;
            }
            return run.outcome.clone();
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        if is_asked {
            tell(Tell::Reloading).await;
        }
        let outcome = Arc::clone(&self).run(&mut in_force).await;
        if is_asked {
            tell(Tell::Reloaded).await;
        }
        in_force.last = Some(Run { number, is_told: is_asked, outcome: outcome.clone() });
        outcome
    }

    async fn run(self: Arc<Self>, in_force: &mut InForce) -> Result<(), ConfigFault> {
        let Err(error) = Arc::clone(&self).take(in_force).await else { return Ok(()) };
        let fault = fault(&error);
        if in_force.fault.replace(fault.shown.clone()).as_ref() != Some(&fault.shown) {
            let what = if fault.place.is_some() { "is not in force" } else { "was not read again" };
            tracing::error!("the configuration {what}, what ran before goes on:\n{}", fault.shown);
        }
        // The engine is gone only when everything ends.
        let _ = self.handle.inputs.send(Input::Reloaded(Err(fault.clone()))).await;
        Err(fault)
    }

    async fn take(self: Arc<Self>, in_force: &mut InForce) -> Result<(), StartError> {
        let (this, config, channels) = (Arc::clone(&self), in_force.config.clone(), in_force.channels.clone());
        let read = tokio::task::spawn_blocking(move || this.read(&config, &channels));
        let Ready { config, difference, kept, fresh, certificates, watched, nodes } =
            read.await.unwrap_or(Err(StoreError::Closed.into()))?;
        let mut channels = number(&self.ingress.store, fresh).await?;
        let comes = channels.keys().any(|id| !in_force.channels.contains_key(id));
        channels.extend(kept);

        let vips = in_force.vips_are_open || config.vip != in_force.config.vip;
        if vips {
            in_force.vips_are_open = true;
            self.ingress.store.set_vips_are_by(None).await?;
            self.refresh_vips(&config.vip).await?;
        }
        // Projection waits, so that what is counted now is what the loop knows.
        let _turn = self.projector.turn.lock().await;
        if vips {
            // Who wrote for the first time meanwhile was looked up in the old list.
            self.refresh_vips(&config.vip).await?;
        }
        let store = Arc::clone(&self.ingress.store);
        let (counts, inbox) = blocking(move || {
            let counts = if comes || vips { store.channel_counts()? } else { HashMap::new() };
            let inbox =
                vips.then(|| store.inbox(&InboxFilter::default(), None, INBOX)).transpose()?.map(|page| page.rows);
            Ok((counts, inbox))
        })
        .await?;
        let nodes = self.followers.nodes.as_ref().zip(nodes);
        if let Some((running, ready)) = &nodes {
            running.take_nodes(ready).await?;
        }

        // From here on nothing fails.
        let (before, after) = (doors::addresses(&in_force.config), doors::addresses(&config));
        // First, as a new one may want the same port.
        for address in before.difference(&after) {
            self.handle.supervisor.stop(&listener_task(*address));
        }
        let behind = self.ingress.behind.get();
        let same_limit = config.limits.failures_per_minute == in_force.config.limits.failures_per_minute;
        let limit = same_limit.then(|| Arc::clone(&behind.limit));
        let newer = doors::receiving(&config, &channels, certificates, limit, Some(&behind));
        self.ingress.behind.set(newer);
        behind.give_way(&self.ingress.behind.get());
        self.projector.reading.set(Reading { channels: channels.clone(), vip: config.vip.clone() });
        self.followers.checks.replace(watched);
        self.followers.bridges.replace(BridgeSet::new(config.clone()));
        self.followers.panes.replaced();
        if let Some((running, ready)) = nodes {
            Nodes::replace(running, ready);
        }
        for address in after.difference(&before) {
            self.handle.supervise(self.ingress.listener(*address, config.limits));
        }
        if difference.lines.is_empty() {
            tracing::info!("the configuration was read again; nothing has changed");
        } else {
            tracing::info!("the configuration was read again and is in force");
            difference.lines.iter().for_each(|line| tracing::info!("{line}"));
        }
        in_force.config = config.clone();
        in_force.channels = channels;
        in_force.fault = None;
        in_force.vips_are_open = false;
        if vips {
            // Should this fail, the next start looks at every contact again.
            let _ = self.ingress.store.set_vips_are_by(Some(config.vip.patterns().join("\n"))).await;
        }
        let mut config = config;
        if let Some(nodes) = &self.followers.nodes {
            config.node = nodes.me().to_string();
        }
        let taken = Taken { config, changes: difference.lines, counts, inbox };
        // The engine is gone only when everything ends.
        let _ = self.handle.inputs.send(Input::Reloaded(Ok(Box::new(taken)))).await;
        Ok(())
    }

    /// Brings who is a VIP by `vip` up to date, without keeping deliveries from being committed.
    async fn refresh_vips(&self, vip: &VipList) -> Result<(), StoreError> {
        let (store, vip) = (Arc::clone(&self.ingress.store), vip.clone());
        let changes = blocking(move || store.vip_changes(|address| vip.matches(address))).await?;
        self.ingress.store.change_vips(changes).await?;
        Ok(())
    }

    /// Reads the configuration and its secrets; may wait for programs that print one.
    fn read(&self, old: &Config, running: &Channels) -> Result<Ready, StartError> {
        let mut config = (self.origin.load)()?;
        if let (Some(_), None) = (old.text(), config.text()) {
            return Err(Box::new(gone(old.source())).into());
        }
        let mut difference = difference(old, &config);
        // It stays where it is until the next start.
        config.move_to(&old.state_dir);
        prepare(&config)?;
        let (mut kept, mut fresh) = (Channels::new(), Vec::new());
        for configured in config.channels.values() {
            let id = &configured.id;
            let channel = Channel::new(&config, configured.clone())?;
            match running.get(id) {
                Some(same) if !difference.channels.contains(id) => {
                    if same.secrets.iter().zip(&channel.secrets).all(|(old, new)| old.is_same(new)) {
                        kept.insert(id.clone(), Arc::clone(same));
                    } else {
                        difference.lines.push(format!("channels.{id}.secrets: another value"));
                        fresh.push(channel);
                    }
                }
                _ => fresh.push(channel),
            }
        }
        let certificates = certificates(&config, &self.ingress.behind.get().certificates)?;
        // Whether it takes part at all, and under which name, waits for the next start.
        let me = self.followers.nodes.as_ref().map(|nodes| nodes.me().clone());
        let watched = CheckSet::new(&config)?.seen_from(me);
        let nodes = self.followers.nodes.as_ref().filter(|_| config.federation.enabled);
        let nodes = nodes.map(|nodes| nodes.ready(&config)).transpose()?;
        Ok(Ready { config, difference, kept, fresh, certificates, watched, nodes })
    }
}

/// A file that was in force and is not there any more. The defaults would open other doors than it did.
fn gone(file: &str) -> ConfigError {
    ConfigError {
        file: file.to_owned(),
        source: String::new(),
        span: None,
        message: "the configuration file is gone".to_owned(),
        help: Some("an empty file means the defaults".to_owned()),
    }
}

fn fault(error: &StartError) -> ConfigFault {
    let at = Timestamp::now();
    let StartError::Config(error) = error else {
        return ConfigFault { at, place: None, what: error.to_string(), shown: error.to_string() };
    };
    let place = match error.position() {
        Some((line, column)) => format!("{}:{line}:{column}", error.file),
        None => error.file.clone(),
    };
    ConfigFault { at, place: Some(place), what: error.message.clone(), shown: error.to_string() }
}
