//! The bridge as it is this moment, for whoever asks beside its task.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::model::{HostName, HostPanel, JobFilter, JobId, JobRow, LayerKind, LayerPanel, LayerState};
use crate::protocol::BridgePanel;
use crate::store::{Store, StoreError};

use jiff::Timestamp;

/// Jobs that are over, approvals and entries of the audit log in a snapshot.
const OVER: usize = 200;

/// Hosts, and jobs that are not over.
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    hosts: BTreeMap<HostName, HostPanel>,
    jobs: BTreeMap<JobId, JobRow>,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Known> {
        // What is kept here is replaced whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host is like this now.
    pub(super) fn host(&self, panel: HostPanel) {
        self.lock().hosts.insert(panel.name.clone(), panel);
    }

    /// A job is like this now.
    pub(super) fn job(&self, row: &JobRow) {
        let mut known = self.lock();
        if row.state.outcome().is_some() {
            known.jobs.remove(&row.id);
        } else {
            known.jobs.insert(row.id, row.clone());
        }
    }

    /// There are these hosts; of those nobody has heard anything yet.
    pub(super) fn take(&self, config: &Config, now: Timestamp) {
        let mut known = self.lock();
        let mut before = std::mem::take(&mut known.hosts);
        for panel in unheard(config, now) {
            let panel = before.remove(&panel.name).filter(|before| same_roads(before, &panel)).unwrap_or(panel);
            known.hosts.insert(panel.name.clone(), panel);
        }
    }

    /// All hosts, by name.
    pub(super) fn hosts(&self) -> Vec<HostPanel> {
        self.lock().hosts.values().cloned().collect()
    }

    /// What was seen on a road of `host` that must not be used until a person has looked.
    pub(super) fn barred(&self, host: &HostName) -> Option<String> {
        let known = self.lock();
        let layers = known.hosts.get(host)?.layers.iter();
        layers.into_iter().find(|layer| layer.state == LayerState::Barred).map(|layer| layer.why.clone())
    }

    /// Shows `rows`, which were read from the store, as they are this moment: a place in the queue is not written down.
    pub(super) fn overlay(&self, rows: &mut [JobRow]) {
        let known = self.lock();
        for row in rows.iter_mut().filter(|row| row.state.outcome().is_none()) {
            if let Some(now) = known.jobs.get(&row.id) {
                row.clone_from(now);
            }
        }
    }
}

fn same_roads(one: &HostPanel, other: &HostPanel) -> bool {
    one.labels == other.labels
        && one.layers.iter().map(|layer| layer.kind).eq(other.layers.iter().map(|layer| layer.kind))
}

/// The hosts of `config` before anything is heard of them.
fn unheard(config: &Config, now: Timestamp) -> Vec<HostPanel> {
    let layer = |kind: LayerKind| LayerPanel {
        kind,
        state: LayerState::Unknown,
        since: now,
        rtt: None,
        last_good: None,
        why: String::new(),
        flaps: 0,
    };
    let panel = |host: &crate::config::HostConfig| HostPanel {
        name: host.name.clone(),
        labels: host.labels.clone(),
        layers: host.kinds().into_iter().map(layer).collect(),
        active: None,
        running: 0,
        queued: 0,
        agent: None,
    };
    config.hosts.values().map(panel).collect()
}

/// What a screen begins with.
pub(in super::super) fn beginning(config: &Config, store: &Store, now: Timestamp) -> Result<BridgePanel, StoreError> {
    let mut jobs = store.jobs(&JobFilter::default(), None, OVER)?;
    for job in store.open_jobs()? {
        if !jobs.iter().any(|row| row.id == job.id) {
            jobs.push(job.row());
        }
    }
    jobs.sort_by_key(|row| std::cmp::Reverse(row.id));
    Ok(BridgePanel {
        hosts: unheard(config, now),
        commands: config.commands.values().cloned().collect(),
        jobs,
        rollouts: store.rollouts(false, OVER)?,
        approvals: store.approvals(true, OVER)?,
        audit: store.audited(None, None, OVER)?,
    })
}
