//! Reading the configuration again, and putting it in force while everything runs.
//!
//! Everything that can fail comes first: reading, validating, secrets, the numbers of new channels. Only then
//! what is in force is swapped, in one step. Listeners whose address stays are not touched.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::config::{Config, ConfigError, Difference, difference};
use crate::ingress::{Certificates, Channel};
use crate::model::InboxFilter;
use crate::protocol::ConfigFault;
use crate::store::StoreError;

use super::checks::{CheckSet, Checks};
use super::doors::{self, Channels, Ingress, certificates, listener_task};
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
}

/// Puts configurations in force, one after the other.
pub(super) struct Reloader {
    origin: Origin,
    handle: Handle,
    projector: Arc<Projector>,
    ingress: Ingress,
    checks: Arc<Checks>,
    in_force: Mutex<InForce>,
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
}

impl Reloader {
    pub(super) fn new(
        origin: Origin,
        handle: Handle,
        projector: Arc<Projector>,
        ingress: Ingress,
        checks: Arc<Checks>,
        config: Config,
        channels: Channels,
    ) -> Self {
        Self {
            origin,
            handle,
            projector,
            ingress,
            checks,
            in_force: Mutex::new(InForce { config, channels, fault: None }),
        }
    }

    /// Reads the configuration again and takes it, whole or not at all. The engine, the log and the caller hear
    /// what became of it.
    pub(super) async fn reload(self: Arc<Self>) -> Result<(), ConfigFault> {
        let mut in_force = self.in_force.lock().await;
        tell(Tell::Reloading).await;
        let taken = Arc::clone(&self).take(&mut in_force).await;
        tell(Tell::Reloaded).await;
        let Err(error) = taken else { return Ok(()) };
        let fault = fault(&error, &in_force.config);
        if in_force.fault.replace(fault.shown.clone()).as_ref() != Some(&fault.shown) {
            tracing::error!("the configuration is not in force, what ran before goes on:\n{}", fault.shown);
        }
        // The engine is gone only when everything ends.
        let _ = self.handle.inputs.send(Input::Reloaded(Err(fault.clone()))).await;
        Err(fault)
    }

    async fn take(self: Arc<Self>, in_force: &mut InForce) -> Result<(), StartError> {
        let (this, config, channels) = (Arc::clone(&self), in_force.config.clone(), in_force.channels.clone());
        let read = tokio::task::spawn_blocking(move || this.read(&config, &channels));
        let Ready { config, difference, kept, fresh, certificates, watched } =
            read.await.unwrap_or(Err(StoreError::Closed.into()))?;
        let mut channels = number(&self.ingress.store, fresh).await?;
        let comes = channels.keys().any(|id| !in_force.channels.contains_key(id));
        channels.extend(kept);

        // Projection waits, so that what is counted now is what the loop knows.
        let _turn = self.projector.turn.lock().await;
        let vips = config.vip != in_force.config.vip;
        if vips {
            let vip = config.vip.clone();
            self.ingress.store.refresh_vips(move |address| vip.matches(address)).await?;
        }
        let store = Arc::clone(&self.ingress.store);
        let (counts, inbox) = blocking(move || {
            let counts = if comes || vips { store.channel_counts()? } else { HashMap::new() };
            let inbox = vips.then(|| store.inbox(&InboxFilter::default(), None, INBOX)).transpose()?;
            Ok((counts, inbox))
        })
        .await?;

        // From here on nothing fails.
        let same_limit = config.limits.failures_per_minute == in_force.config.limits.failures_per_minute;
        let limit = same_limit.then(|| Arc::clone(&self.ingress.behind.get().limit));
        self.ingress.behind.set(doors::receiving(&config, &channels, certificates, limit));
        self.projector.reading.set(Reading { channels: channels.clone(), vip: config.vip.clone() });
        self.checks.replace(watched);
        let (before, after) = (doors::addresses(&in_force.config), doors::addresses(&config));
        for address in after.difference(&before) {
            self.handle.supervise(self.ingress.listener(*address, config.limits));
        }
        for address in before.difference(&after) {
            self.handle.supervisor.stop(&listener_task(*address));
        }
        if difference.lines.is_empty() {
            tracing::info!("the configuration was read again; nothing has changed");
        } else {
            tracing::info!("the configuration was read again and is in force");
            difference.lines.iter().for_each(|line| tracing::info!("{line}"));
        }
        *in_force = InForce { config: config.clone(), channels, fault: None };
        let taken = Taken { config, changes: difference.lines, counts, inbox };
        // The engine is gone only when everything ends.
        let _ = self.handle.inputs.send(Input::Reloaded(Ok(Box::new(taken)))).await;
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
        let watched = CheckSet::new(&config)?;
        Ok(Ready { config, difference, kept, fresh, certificates, watched })
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

fn fault(error: &StartError, in_force: &Config) -> ConfigFault {
    let at = Timestamp::now();
    let StartError::Config(error) = error else {
        return ConfigFault {
            at,
            place: in_force.source().to_owned(),
            what: error.to_string(),
            shown: error.to_string(),
        };
    };
    let place = match error.position() {
        Some((line, column)) => format!("{}:{line}:{column}", error.file),
        None => error.file.clone(),
    };
    ConfigFault { at, place, what: error.message.clone(), shown: error.to_string() }
}
