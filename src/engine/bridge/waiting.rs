//! Effects in their order: what has to be durable is written in one go, and what follows it waits for that.

use std::collections::{HashMap, VecDeque};

use crate::bridge::BridgeEffect;
use crate::model::{Job, JobId};
use crate::protocol::ToAgent;
use crate::store::JobBatch;

/// Bytes of output that may wait for a store that is slow. Beyond it roads are no longer listened to.
const FULL: usize = 32 << 20;
/// Effects of any kind that may wait for it.
const MANY: usize = 20_000;

/// Effects that were not performed yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    effects: VecDeque<BridgeEffect>,
    bytes: usize,
}

/// What is written together, and what may be done once it is.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// What is written.
    pub batch: JobBatch,
    /// What is done then, in this order.
    pub then: Vec<BridgeEffect>,
}

impl Group {
    /// The same when these jobs could not be written: an order that is not durable is not given.
    pub(super) fn without(mut self, lost: &[JobId]) -> Self {
        self.then.retain(|effect| match effect {
            BridgeEffect::Ask { question: ToAgent::Run(order), .. } => !lost.contains(&order.id),
            _ => true,
        });
        self
    }
}

impl Waiting {
    pub(super) fn add(&mut self, effects: Vec<BridgeEffect>) {
        for effect in effects {
            if let BridgeEffect::Output { chunk, .. } = &effect {
                self.bytes += chunk.bytes.len();
            }
            self.effects.push_back(effect);
        }
    }

    /// Whether more would be too much.
    pub(super) fn is_full(&self) -> bool {
        self.bytes > FULL || self.effects.len() > MANY
    }

    /// The next effect that waits for nothing.
    pub(super) fn free(&mut self) -> Option<BridgeEffect> {
        let waits = |effect: &BridgeEffect| {
            matches!(
                effect,
                BridgeEffect::Keep(_)
                    | BridgeEffect::KeepRollout(_)
                    | BridgeEffect::Output { .. }
                    | BridgeEffect::Note(_)
            )
        };
        if waits(self.effects.front()?) { None } else { self.effects.pop_front() }
    }

    /// Everything that waits, as one group. Of a job only its last state is written.
    pub(super) fn group(&mut self) -> Option<Group> {
        if self.effects.is_empty() {
            return None;
        }
        self.bytes = 0;
        let mut group = Group::default();
        let mut places: HashMap<JobId, usize> = HashMap::new();
        for effect in self.effects.drain(..) {
            match effect {
                BridgeEffect::Keep(job) => keep(&mut group.batch.jobs, &mut places, *job),
                BridgeEffect::KeepRollout(rollout) => group.batch.rollouts.push(*rollout),
                BridgeEffect::Output { id, chunk } => group.batch.output.push((id, chunk)),
                BridgeEffect::Note(note) => group.batch.notes.push(note),
                other => group.then.push(other),
            }
        }
        Some(group)
    }
}

fn keep(jobs: &mut Vec<Job>, places: &mut HashMap<JobId, usize>, job: Job) {
    match places.get(&job.id) {
        Some(place) => jobs[*place] = job,
        None => {
            places.insert(job.id, jobs.len());
            jobs.push(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{HostName, LayerKind, OutputChunk, Stream};

    use super::*;

    fn nudge(host: &str) -> BridgeEffect {
        BridgeEffect::Nudge { host: host.parse::<HostName>().expect("a name"), kind: LayerKind::Socket }
    }

    fn output(seq: u64, bytes: usize) -> BridgeEffect {
        let chunk = OutputChunk { seq, stream: Stream::Out, bytes: vec![0; bytes] };
        BridgeEffect::Output { id: JobId::from_uuid(uuid::Uuid::from_u128(1)), chunk }
    }

    #[test]
    fn what_follows_a_write_waits_for_it_and_keeps_its_order() {
        let mut waiting = Waiting::default();
        waiting.add(vec![nudge("a"), output(0, 1), nudge("b"), output(1, 1), nudge("c")]);
        assert_eq!(waiting.free(), Some(nudge("a")));
        assert_eq!(waiting.free(), None, "a write comes first");
        let group = waiting.group().expect("something");
        assert_eq!(group.batch.output.len(), 2);
        assert_eq!(group.then, [nudge("b"), nudge("c")]);
        assert!(waiting.group().is_none());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut waiting = Waiting::default();
        waiting.add(vec![output(0, FULL)]);
        assert!(!waiting.is_full());
        waiting.add(vec![output(1, 1)]);
        assert!(waiting.is_full());
        assert!(waiting.group().is_some());
        assert!(!waiting.is_full());
        waiting.add((0..=MANY).map(|_| nudge("a")).collect());
        assert!(waiting.is_full(), "and so is whatever else waits");
    }
}
