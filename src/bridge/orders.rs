//! Jobs that are new to the bridge: from people, from approvals, and from before a restart.

use jiff::Timestamp;

use crate::model::{Job, JobId};

use super::BridgeEffect;
use super::delivery::Delivery;
use super::host::{Fare, Host};
use super::state::Bridge;

impl Bridge {
    pub(super) fn submit(&mut self, job: Job, now: Timestamp) {
        if let Some(known) = self.jobs.get(&job.id) {
            self.out.effects.push(BridgeEffect::Tell(known.job().row()));
            return;
        }
        if self.dropped.remove(&job.id) {
            return;
        }
        let id = job.id;
        let refusal = self.refusal(&job).or_else(|| self.full());
        let name = job.plan.host.clone();
        let delivery = Delivery::new(job);
        let held = delivery.is_held();
        if refusal.is_none() && !held {
            self.queue.push(delivery.turn(now));
        }
        self.jobs.insert(id, delivery);
        if let Some((rule, reason)) = refusal {
            self.refused += u64::from(rule == "full");
            // A job on a host nobody knows ends like any other.
            let stranger = !self.hosts.contains_key(&name);
            if stranger {
                self.hosts.insert(name.clone(), Host::stranger(name.clone(), now));
            }
            self.act(id, now, |job, scene| job.not_run(rule.to_owned(), reason, scene));
            if stranger {
                self.hosts.remove(&name);
                self.touched.remove(&name);
            }
            return;
        }
        self.touched.insert(name);
        self.stirred = true;
        self.let_go(now);
        // Whoever goes at once was kept as it went; whoever stays is kept as it waits.
        if self.jobs.get(&id).is_some_and(Delivery::waits) {
            self.tell_place(now);
            self.act(id, now, |job, scene| job.keep(scene));
        }
    }

    /// The rule that refuses a job that has not left this machine, and the reason.
    fn refusal(&self, job: &Job) -> Option<(&'static str, String)> {
        let Some(host) = self.hosts.get(&job.plan.host) else {
            return Some(("host", format!("no host is called {}", job.plan.host)));
        };
        let Some(rule) = self.caps.commands.get(&job.plan.command) else {
            return Some(("whitelist", format!("`{}` is no command of the configuration", job.plan.command)));
        };
        let fare = Fare { only: job.only, weakest: rule.weakest, class: Some(job.plan.class) };
        host.closed().or_else(|| host.never(fare).map(|why| ("layer", why)))
    }

    /// Why nothing more may wait, if so.
    fn full(&self) -> Option<(&'static str, String)> {
        let waiting = self.queue.len();
        (waiting >= self.caps.waiting)
            .then(|| ("full", format!("{waiting} jobs wait already; try again when some are over")))
    }

    /// Ends what waits and would be refused by the rules of now.
    pub(super) fn judge_again(&mut self, now: Timestamp) {
        let waits = |job: &&Delivery| job.waits() && !job.is_held();
        let refused = |job: &Delivery| self.refusal(job.job()).map(|refusal| (job.job().id, refusal));
        let refused: Vec<_> = self.jobs.values().filter(waits).filter_map(refused).collect();
        for (id, (rule, reason)) in refused {
            self.act(id, now, |job, scene| job.not_run(rule.to_owned(), reason, scene));
        }
    }

    pub(super) fn know(&mut self, jobs: Vec<Job>, now: Timestamp) {
        for job in jobs {
            let (id, host, asked) = (job.id, job.plan.host.clone(), job.asked);
            let refusal = self.refusal(&job);
            // A job on a host that left the configuration waits for a person.
            self.hosts.entry(host.clone()).or_insert_with(|| Host::stranger(host.clone(), now));
            let delivery = Delivery::known(job, now);
            if delivery.is_over() || delivery.is_held() {
                // Nothing is asked of anybody for it.
            } else if delivery.waits() {
                self.queue.push(delivery.turn(asked));
            } else {
                self.away.entry(host.clone()).or_default().insert(id);
            }
            let waits = delivery.waits() && !delivery.is_held();
            self.jobs.insert(id, delivery);
            self.touched.insert(host);
            if let Some((rule, reason)) = refusal.filter(|_| waits) {
                self.dropped.insert(id);
                self.act(id, now, |job, scene| job.not_run(rule.to_owned(), reason, scene));
            }
        }
        self.stirred = true;
        self.resume_rollouts(now);
    }

    /// The approval of a job came: it waits for its turn, or for its stage.
    pub(super) fn release(&mut self, id: JobId, now: Timestamp) {
        if self.jobs.get(&id).is_some_and(Delivery::is_held) && !self.stage(id, now) {
            self.let_wait(id, now);
        }
    }

    /// A job that was held waits for its turn from now on.
    pub(super) fn let_wait(&mut self, id: JobId, now: Timestamp) {
        if self.jobs.get(&id).is_some_and(Delivery::is_held) {
            self.act(id, now, Delivery::release);
            if let Some(job) = self.jobs.get(&id) {
                self.queue.push(job.turn(now));
                self.stirred = true;
            }
            self.judge_again(now);
        }
    }
}
