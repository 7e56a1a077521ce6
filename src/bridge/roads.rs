//! What happens on roads and to hosts, and which jobs that concerns.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{HostName, JobId, LayerKind, LayerState};
use crate::protocol::ToAgent;

use super::delivery::Delivery;
use super::host::Host;
use super::road::Road;
use super::state::Bridge;
use super::{BridgeEffect, HostSpec, LayerEvent, LayerNews, Term};

impl Bridge {
    pub(super) fn set_term(&mut self, term: Term, now: Timestamp) {
        self.term = term;
        self.raised = self.raised.max(term.epoch);
        let free: Vec<HostName> = self.hosts.values_mut().filter_map(Host::new_term).collect();
        for host in free {
            self.wake_jobs(&host, now);
            self.touched.insert(host);
        }
    }

    pub(super) fn set_hosts(&mut self, specs: Vec<HostSpec>, now: Timestamp) {
        let named: BTreeSet<HostName> = specs.iter().map(|spec| spec.name.clone()).collect();
        for spec in specs {
            self.touched.insert(spec.name.clone());
            match self.hosts.get_mut(&spec.name) {
                Some(host) => host.configure(spec, now),
                None => {
                    self.hosts.insert(spec.name.clone(), Host::new(spec, now));
                }
            }
        }
        let gone: Vec<HostName> = self.hosts.keys().filter(|name| !named.contains(*name)).cloned().collect();
        for name in gone {
            for id in self.waiting_on(&name) {
                let reason = format!("{name} left the configuration");
                self.act(id, now, |job, scene| job.not_run("host".to_owned(), reason, scene));
            }
            if self.jobs.values().any(|job| job.job().plan.host == name) {
                if let Some(host) = self.hosts.get_mut(&name) {
                    host.configure(Host::stranger(name.clone(), now).spec, now);
                }
            } else {
                self.hosts.remove(&name);
                self.touched.remove(&name);
            }
        }
        self.stirred = true;
        self.judge_again(now);
    }

    /// Jobs for a host that have not left this machine.
    pub(super) fn waiting_on(&self, host: &HostName) -> Vec<JobId> {
        let waits = |(id, job): (&JobId, &Delivery)| (job.waits() && job.job().plan.host == *host).then_some(*id);
        self.jobs.iter().filter_map(waits).collect()
    }

    /// Jobs that are on their way to a host, or there.
    pub(super) fn away_on(&self, host: &HostName) -> Vec<JobId> {
        self.away.get(host).map(|ids| ids.iter().copied().collect()).unwrap_or_default()
    }

    pub(super) fn wake_jobs(&mut self, host: &HostName, now: Timestamp) {
        for id in self.away_on(host) {
            self.act(id, now, Delivery::woken);
        }
        self.stirred = true;
    }

    pub(super) fn news(&mut self, LayerNews { host: name, kind, event }: LayerNews, now: Timestamp) {
        let Some(host) = self.hosts.get_mut(&name) else { return };
        let Some(road) = host.road_mut(kind) else { return };
        self.touched.insert(name.clone());
        match event {
            LayerEvent::Connecting => road.connecting(now),
            LayerEvent::Alive { rtt } => self.alive(&name, kind, rtt, now),
            LayerEvent::Heard(heard) => self.heard(&name, kind, *heard, now),
            LayerEvent::Down { why } => {
                road.down(why.clone(), now);
                self.closed(&name, kind, &why, now);
            }
            LayerEvent::Barred { why } => {
                road.bar(why.clone(), now);
                self.closed(&name, kind, &why, now);
                self.shut(&name, now);
            }
        }
    }

    /// The agent has answered over a road. When that was out of use, whoever waits goes on, and the other roads try.
    pub(super) fn alive(&mut self, name: &HostName, kind: LayerKind, rtt: Duration, now: Timestamp) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        if !host.road_mut(kind).is_some_and(|road| road.alive(rtt, now)) {
            return;
        }
        for other in host.roads_mut().filter(|road| road.kind != kind) {
            if matches!(other.state, LayerState::Down | LayerState::Connecting) {
                self.out.effects.push(BridgeEffect::Nudge { host: name.clone(), kind: other.kind });
            }
        }
        self.wake_jobs(name, now);
    }

    /// A road is closed.
    pub(super) fn closed(&mut self, name: &HostName, kind: LayerKind, why: &str, now: Timestamp) {
        for id in self.away_on(name) {
            self.act(id, now, |job, scene| job.down(kind, why, scene));
        }
    }

    /// Ends what has not left this machine when nothing may be sent to its host any more.
    pub(super) fn shut(&mut self, name: &HostName, now: Timestamp) {
        let Some(host) = self.hosts.get(name) else { return };
        let barred = host.barred();
        let Some((rule, why)) = host.closed() else { return };
        for id in self.waiting_on(name) {
            self.act(id, now, |job, scene| job.not_run(rule.to_owned(), why.clone(), scene));
        }
        if let Some(why) = barred {
            for id in self.away_on(name) {
                self.act(id, now, |job, scene| job.barred(&why, scene));
            }
        }
    }

    pub(super) fn probe(&mut self, name: &HostName, kind: LayerKind, now: Timestamp) {
        let nonce = self.out.nonce();
        if let Some(host) = self.hosts.get_mut(name) {
            host.probe_sent(kind, nonce, now);
            self.out.ask(None, name, kind, ToAgent::Probe { nonce });
        }
    }

    pub(super) fn probe_all(&mut self, name: &HostName, now: Timestamp) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        host.roads_mut().for_each(Road::looked_at);
        let roads: Vec<(LayerKind, LayerState)> = host.states().collect();
        for (kind, state) in roads {
            match state {
                LayerState::Up | LayerState::Proving => self.probe(name, kind, now),
                _ => self.out.effects.push(BridgeEffect::Nudge { host: name.clone(), kind }),
            }
        }
    }
}
