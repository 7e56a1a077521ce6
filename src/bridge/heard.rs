//! What an agent says, and who of the bridge it concerns.

use jiff::Timestamp;

use crate::model::{HostName, JobId, LayerKind, rules};
use crate::protocol::{FromAgent, Journal};

use super::delivery::Delivery;
use super::scene::Scene;
use super::state::Bridge;
use super::term::{Standing, judge};

/// A host that has taken no order of ours, and refuses each for its term, has the term raised so often. One that goes on
/// is left to whoever drives it, or one host would use up the terms.
const RAISES: u8 = 3;

/// The largest number a job is kept with. Numbers beyond it are not meant: what is counted in bytes ends long before.
const LARGEST: u64 = i64::MAX.unsigned_abs();

impl Bridge {
    /// Takes in what an agent said over a road.
    pub(super) fn heard(&mut self, name: &HostName, kind: LayerKind, heard: FromAgent, now: Timestamp) {
        match heard {
            FromAgent::Welcome { aurora, spool, clock, epoch, lost, .. } => {
                let Some(host) = self.hosts.get_mut(name) else { return };
                host.set_card(aurora, lost);
                host.set_clock(clock, kind, now);
                host.set_spool(kind, spool);
                self.served(name, epoch, now);
            }
            FromAgent::Goodbye { rule, reason } => {
                let why = format!("the agent does not serve ({rule}): {reason}");
                if let Some(road) = self.hosts.get_mut(name).and_then(|host| host.road_mut(kind)) {
                    road.down(why.clone(), now);
                }
                self.closed(name, kind, &why, now);
            }
            FromAgent::Alive { nonce, clock, load_percent, .. } => {
                let Some(host) = self.hosts.get_mut(name) else { return };
                host.set_clock(clock, kind, now);
                // One that was set right again lets those go who waited for it.
                self.stirred = true;
                host.set_load(load_percent);
                if let Some(rtt) = host.probe_back(nonce, now) {
                    self.alive(name, kind, rtt, now);
                }
            }
            FromAgent::Received { id, .. } => self.about(name, kind, id, now, |job, scene| job.received(kind, scene)),
            FromAgent::Refused { id, rule, reason, term } if rule == rules::FENCED => {
                self.fenced(name, kind, id, (reason, term), now);
            }
            FromAgent::Refused { id, rule, reason, .. } => {
                self.about(name, kind, id, now, |job, scene| job.refuse(Some(kind), rule, reason, scene));
            }
            FromAgent::State { id, mut journal } => {
                bound(&mut journal);
                if matches!(journal, Journal::Accepted | Journal::Started { .. })
                    && let Some(host) = self.hosts.get_mut(name)
                {
                    (host.proved, host.raises) = (true, 0);
                }
                self.about(name, kind, id, now, |job, scene| job.told(kind, &journal, scene));
            }
            // No job writes so many pieces; one with such a number would keep the true ones out.
            FromAgent::Output { chunk, .. } if chunk.seq >= LARGEST => {}
            FromAgent::Output { id, chunk } => {
                self.about(name, kind, id, now, |job, scene| job.output(kind, chunk, scene));
            }
            // Panes have connections of their own; nothing of this road has asked for any.
            FromAgent::Pane(_) => {}
            FromAgent::Trouble { id, reason } => {
                if let Some(id) = id {
                    self.about(name, kind, id, now, |job, scene| job.trouble(kind, &reason, scene));
                }
            }
        }
    }

    /// Something was said about a job. It counts only from the host the job is for, over a road that is strong enough
    /// for it and leads to the host's own journal.
    fn about(
        &mut self,
        name: &HostName,
        kind: LayerKind,
        id: JobId,
        now: Timestamp,
        happens: impl FnOnce(&mut Delivery, &mut Scene<'_>),
    ) {
        if self.job(&id).is_some_and(|job| job.plan.host == *name) {
            self.act(id, now, |job, scene| {
                if scene.host.may_speak(kind, scene.rule.and_then(|rule| rule.weakest)) {
                    happens(job, scene);
                }
            });
        }
    }

    /// The agent told of the highest term it has served.
    fn served(&mut self, name: &HostName, epoch: u64, now: Timestamp) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        host.wrong_term = None;
        match judge(self.term, epoch, host.drove) {
            Standing::Drives => (host.drove, host.fenced) = (true, None),
            Standing::Wrong(why) => {
                host.wrong_term = Some(why);
                self.shut(name, now);
            }
            Standing::Raise(to) => self.raise(to),
            Standing::Fenced(why) => {
                host.fenced = Some(why);
                self.shut(name, now);
            }
        }
    }

    /// An order was refused for its term: another engine had this term too, or has come since.
    fn fenced(
        &mut self,
        name: &HostName,
        kind: LayerKind,
        id: JobId,
        (reason, served): (String, Option<u64>),
        now: Timestamp,
    ) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        let served = served.unwrap_or(self.term.epoch).max(self.term.epoch);
        if let Standing::Wrong(why) = judge(self.term, served, false) {
            host.wrong_term = Some(why);
        }
        if host.proved || host.wrong_term.is_some() || host.raises == RAISES {
            let why = format!("another engine drives it: {reason}; start this one again to take it back");
            host.fenced = Some(why.clone());
            self.about(name, kind, id, now, |job, scene| job.refuse(Some(kind), rules::FENCED.to_owned(), why, scene));
            self.shut(name, now);
        } else {
            host.raises += 1;
            self.raise(served.saturating_add(1));
            self.about(name, kind, id, now, |job, scene| job.outranked(kind, scene));
        }
    }

    /// Asks for a higher term, once.
    fn raise(&mut self, to: u64) {
        if to > self.raised {
            self.raised = to;
            self.out.effects.push(super::BridgeEffect::Raise(to));
        }
    }
}

/// Cuts what an agent counts down to what can be kept.
fn bound(journal: &mut Journal) {
    if let Journal::Done { output, .. } = journal {
        for count in [&mut output.out, &mut output.err, &mut output.cut] {
            *count = (*count).min(LARGEST);
        }
    }
}
