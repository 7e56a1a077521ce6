//! What the engine's loop is told of the bridge: no more often than a screen needs it, and nothing that did not change.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{AuditEntry, HostName, HostPanel, JobId, JobRow, RolloutRow};
use crate::protocol::BridgeNotice;

/// Between two notices about jobs.
const JOBS: Duration = Duration::from_millis(50);
/// Between two notices about hosts.
const HOSTS: Duration = Duration::from_millis(300);
/// Between two hints that one job wrote something.
const WROTE: Duration = Duration::from_millis(200);
/// Between two notices about a host of which only figures have changed.
const FIGURES: Duration = Duration::from_mins(1);
/// A time to a host and back is told again when it is so many times what was told, or a part of it.
const FACTOR: u32 = 3;
/// Times that short are all alike.
const ALIKE: Duration = Duration::from_millis(2);

#[derive(Debug)]
struct Host {
    panel: HostPanel,
    /// When it was told, and as what.
    told: Option<(Instant, HostPanel)>,
}

#[derive(Debug)]
struct Wrote {
    next: u64,
    told: u64,
    at: Option<Instant>,
}

/// Changes that nobody was told of yet.
#[derive(Debug)]
pub(super) struct Telling {
    jobs: BTreeMap<JobId, JobRow>,
    rollouts: BTreeMap<JobId, RolloutRow>,
    jobs_told: Instant,
    hosts: BTreeMap<HostName, Host>,
    hosts_told: Instant,
    wrote: BTreeMap<JobId, Wrote>,
    audited: Vec<AuditEntry>,
}

impl Telling {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            jobs: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            jobs_told: now,
            hosts: BTreeMap::new(),
            hosts_told: now,
            wrote: BTreeMap::new(),
            audited: Vec::new(),
        }
    }

    /// A job has changed.
    pub(super) fn job(&mut self, row: JobRow) {
        self.jobs.insert(row.id, row);
    }

    /// A rollout has changed.
    pub(super) fn rollout(&mut self, row: RolloutRow) {
        self.rollouts.insert(row.id, row);
    }

    /// Entries were added to the audit log.
    pub(super) fn audited(&mut self, entries: Vec<AuditEntry>) {
        self.audited.extend(entries);
    }

    /// A host has changed.
    pub(super) fn host(&mut self, panel: HostPanel) {
        match self.hosts.get_mut(&panel.name) {
            Some(host) => host.panel = panel,
            None => {
                self.hosts.insert(panel.name.clone(), Host { panel, told: None });
            }
        }
    }

    /// Only these hosts are left.
    pub(super) fn keep_hosts(&mut self, is_there: impl Fn(&HostName) -> bool) {
        self.hosts.retain(|name, _| is_there(name));
    }

    /// A job wrote the piece before `next`, and it can be read.
    pub(super) fn wrote(&mut self, id: JobId, next: u64) {
        let wrote = self.wrote.entry(id).or_insert(Wrote { next, told: 0, at: None });
        wrote.next = wrote.next.max(next);
    }

    /// When there is something to tell at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_nothing = self.jobs.is_empty() && self.audited.is_empty() && self.rollouts.is_empty();
        let jobs = (!is_nothing).then(|| self.jobs_told + JOBS);
        let hosts = self
            .hosts
            .values()
            .filter_map(|host| host.due(self.hosts_told))
            .min()
            .map(|due| due.max(self.hosts_told + HOSTS));
        let wrote = self.wrote.values().filter(|wrote| wrote.next > wrote.told);
        let wrote = wrote.map(|wrote| wrote.at.map_or(self.jobs_told, |at| at + WROTE)).min();
        [jobs, hosts, wrote].into_iter().flatten().min()
    }

    /// What is to be told now.
    pub(super) fn take(&mut self, now: Instant) -> Vec<BridgeNotice> {
        let mut notices = Vec::new();
        if !self.audited.is_empty() && now >= self.jobs_told + JOBS {
            notices.push(BridgeNotice::Audited(std::mem::take(&mut self.audited)));
        }
        let rollouts = if now >= self.jobs_told + JOBS { std::mem::take(&mut self.rollouts) } else { BTreeMap::new() };
        if !self.jobs.is_empty() && now >= self.jobs_told + JOBS {
            self.jobs_told = now;
            let rows: Vec<JobRow> = std::mem::take(&mut self.jobs).into_values().collect();
            for row in rows.iter().filter(|row| row.state.outcome().is_some()) {
                self.wrote.remove(&row.id);
            }
            notices.push(BridgeNotice::Jobs(rows));
        }
        // After their jobs: who follows a rollout knows what undoes it before they hear that it is over.
        notices.extend(rollouts.into_values().map(|row| BridgeNotice::Rollout(Box::new(row))));
        if now >= self.hosts_told + HOSTS {
            let before = self.hosts_told;
            let is_due = |host: &Host| host.due(before).is_some_and(|due| due <= now);
            let due: Vec<&mut Host> = self.hosts.values_mut().filter(|host| is_due(host)).collect();
            if !due.is_empty() {
                self.hosts_told = now;
                let tell = |host: &mut Host| {
                    host.told = Some((now, host.panel.clone()));
                    host.panel.clone()
                };
                notices.push(BridgeNotice::Hosts(due.into_iter().map(tell).collect()));
            }
        }
        for (id, wrote) in self.wrote.iter_mut().filter(|(_, wrote)| wrote.next > wrote.told) {
            if wrote.at.is_none_or(|at| now >= at + WROTE) {
                (wrote.told, wrote.at) = (wrote.next, Some(now));
                notices.push(BridgeNotice::Wrote { id: *id, next: wrote.next });
            }
        }
        notices
    }
}

impl Host {
    /// When it has to be told again, if it has; `now` when it never was.
    fn due(&self, now: Instant) -> Option<Instant> {
        let Some((at, told)) = &self.told else { return Some(now) };
        if without_figures(told) != without_figures(&self.panel) {
            return Some(*at);
        }
        let moved = told.layers.iter().zip(&self.panel.layers).any(|(told, now)| has_moved(told.rtt, now.rtt));
        moved.then(|| *at + FIGURES)
    }
}

/// The panel without what changes all the time.
fn without_figures(panel: &HostPanel) -> HostPanel {
    let mut plain = panel.clone();
    for layer in &mut plain.layers {
        (layer.rtt, layer.last_good) = (None, None);
    }
    if let Some(agent) = &mut plain.agent {
        (agent.skew_ms, agent.load_percent) = (agent.skew_ms / 1_000, None);
    }
    plain
}

/// Whether a time to a host and back is another by more than it always is.
fn has_moved(told: Option<Duration>, now: Option<Duration>) -> bool {
    match (told, now) {
        (Some(told), Some(now)) => {
            let (told, now) = (told.max(ALIKE), now.max(ALIKE));
            told.max(now) >= told.min(now) * FACTOR
        }
        (told, now) => told.is_some() != now.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::model::{AgentCard, LayerKind, LayerPanel, LayerState};

    use super::*;

    fn panel(rtt_us: u64, state: LayerState) -> HostPanel {
        let layer = LayerPanel {
            kind: LayerKind::Socket,
            state,
            since: Timestamp::UNIX_EPOCH,
            rtt: Some(Duration::from_micros(rtt_us)),
            last_good: Some(Timestamp::from_microsecond(i64::try_from(rtt_us).expect("small")).expect("in range")),
            why: String::new(),
            flaps: 0,
        };
        let agent = AgentCard { version: "1".into(), lost: Vec::new(), skew_ms: 3, load_percent: Some(7) };
        HostPanel {
            name: "web-1".parse().expect("a name"),
            labels: Vec::new(),
            layers: vec![layer],
            active: Some(LayerKind::Socket),
            running: 0,
            queued: 0,
            agent: Some(agent),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_stands_still_is_told_once_however_often_it_is_measured() {
        let mut telling = Telling::new(Instant::now());
        let mut notices = 0;
        for n in 0..600 {
            let mut now = panel(300 + 37 * (n % 40), LayerState::Up);
            now.agent.as_mut().expect("one").load_percent = Some(u32::try_from(n % 90).expect("small"));
            telling.host(now);
            tokio::time::advance(Duration::from_secs(1)).await;
            notices += telling.take(Instant::now()).len();
            assert_eq!(telling.due(), None);
        }
        assert_eq!(notices, 1);
        telling.host(panel(90_000, LayerState::Up));
        assert_eq!(telling.take(Instant::now()).len(), 1, "a line that became slow is told");
        telling.host(panel(90_000, LayerState::Down));
        assert!(telling.take(Instant::now()).is_empty(), "not more than three times a second");
        tokio::time::advance(HOSTS).await;
        assert!(telling.due().is_some_and(|due| due <= Instant::now()));
        assert_eq!(telling.take(Instant::now()).len(), 1, "another state at once");
    }

    #[tokio::test(start_paused = true)]
    async fn hints_of_output_come_five_times_a_second_at_most_and_the_last_is_not_lost() {
        let mut telling = Telling::new(Instant::now());
        let id = JobId::from_uuid(uuid::Uuid::from_u128(1));
        let (mut hints, mut last) = (0, 0);
        let mut hear = |telling: &mut Telling| {
            for notice in telling.take(Instant::now()) {
                if let BridgeNotice::Wrote { next, .. } = notice {
                    (hints, last) = (hints + 1, next);
                }
            }
            (hints, last)
        };
        for next in 1..=1_000 {
            telling.wrote(id, next);
            hear(&mut telling);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        tokio::time::advance(WROTE).await;
        let (hints, last) = hear(&mut telling);
        assert!((4..=7).contains(&hints), "{hints}");
        assert_eq!((last, telling.due()), (1_000, None));
    }
}
