//! What time brings: questions that were not answered, jobs whose turn has come, and where the others stand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{HostName, JobId, LayerKind};

use super::delivery::Delivery;
use super::host::Host;
use super::queue::{Load, Turn};
use super::state::Bridge;
use super::{BridgeEffect, Caps};

/// Places in the queue are told no more often than this.
pub(super) const PLACES_EVERY: Duration = Duration::from_millis(500);
/// Jobs that wait whose places are told; those further back hear theirs when they come nearer.
const PLACES_TOLD: usize = 200;

impl Bridge {
    pub(super) fn due(&mut self, now: Timestamp) {
        let due = |(id, job): (&JobId, &Delivery)| job.wake().is_some_and(|wake| wake <= now).then_some(*id);
        let jobs: Vec<JobId> = self.jobs.iter().filter_map(due).collect();
        for id in jobs {
            self.act(id, now, Delivery::due);
        }
        let due = |host: &Host| host.probe_at().is_some_and(|at| at <= now);
        let hosts: Vec<HostName> =
            self.hosts.values().filter(|host| due(host)).map(|host| host.name().clone()).collect();
        for name in hosts {
            let kinds = self.hosts.get(&name).map(|host| host.unproven(now)).unwrap_or_default();
            for kind in kinds {
                self.probe(&name, kind, now);
            }
        }
    }

    /// Lets those go whose turn has come.
    pub(super) fn let_go(&mut self, now: Timestamp) {
        while std::mem::take(&mut self.stirred) {
            let mut load = self.load();
            let Self { queue, hosts, jobs, caps, .. } = self;
            let ready = queue.ready(&mut load, caps, &|turn| door(turn, hosts, jobs, caps), now);
            self.places.1 = true;
            for id in ready {
                self.act(id, now, Delivery::start);
            }
        }
    }

    /// What runs now.
    pub(super) fn load(&self) -> Load {
        let mut load = Load::default();
        for id in self.away.values().flatten() {
            if let Some(job) = self.jobs.get(id) {
                load.add(&job.turn(job.job().asked), job.is_stranded());
            }
        }
        load
    }

    /// Tells those that wait where they stand, now and then.
    pub(super) fn tell_places(&mut self, now: Timestamp) {
        let (told, changed) = self.places;
        if changed && now >= told + PLACES_EVERY {
            self.count_places(now);
        }
    }

    /// Tells a job that is new where it stands; in a long queue it hears with the others.
    pub(super) fn tell_place(&mut self, now: Timestamp) {
        if self.queue.len() <= PLACES_TOLD {
            self.count_places(now);
        }
    }

    fn count_places(&mut self, now: Timestamp) {
        self.places = (now, false);
        let load = self.load();
        let Self { queue, hosts, jobs, caps, .. } = &*self;
        let places = queue.places(&load, caps, &|turn| door(turn, hosts, jobs, caps), now);
        for (id, place) in places.into_iter().take(PLACES_TOLD) {
            if let Some(row) = self.jobs.get_mut(&id).and_then(|job| job.stands(place)) {
                self.out.effects.push(BridgeEffect::Tell(row));
            }
        }
    }

    pub(super) fn tell_hosts(&mut self, now: Timestamp) {
        for name in std::mem::take(&mut self.touched) {
            let running = self.away.get(&name).map(BTreeSet::len).unwrap_or_default();
            let queued = self.queue.iter().filter(|turn| turn.host == name).count();
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            if let Some(panel) =
                self.hosts.get_mut(&name).and_then(|host| host.news(count(running), count(queued), now))
            {
                self.out.effects.push(BridgeEffect::Panel(panel));
            }
        }
    }
}

/// How many jobs the host of this one takes at once, or why it takes none now.
fn door(
    turn: &Turn,
    hosts: &BTreeMap<HostName, Host>,
    jobs: &BTreeMap<JobId, Delivery>,
    caps: &Caps,
) -> Result<u32, String> {
    let (Some(host), Some(job)) = (hosts.get(&turn.host), jobs.get(&turn.id)) else { return Ok(0) };
    let weakest = caps.commands.get(&turn.command).and_then(|rule| rule.weakest);
    let by_hand = job.job().only == Some(LayerKind::Manual);
    let open = host.wrong_clock().is_none() && !host.open(job.fare(weakest)).is_empty();
    if by_hand || open { Ok(host.spec.at_once) } else { Err(host.silence()) }
}
