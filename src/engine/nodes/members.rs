//! The task that drives the membership: it beats, asks others, notices who is late, and tells screens.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::federation::{MemberEffect, MemberInput, SkewLevel};
use crate::model::{NodeName, NodeState};
use crate::protocol::Probe;
use crate::store::KeepShared;

use super::super::supervisor::{TaskContext, TaskSpec};
use super::panels::Told;
use super::service::Nodes;

/// Screens hear of changes so often at most.
const PULSE: Duration = Duration::from_millis(250);
/// And of figures alone.
const FIGURES: Duration = Duration::from_secs(10);
/// Time to say goodbye.
const GOODBYE: Duration = Duration::from_millis(1_500);
/// Nothing is shared before all have said what they hold, or for so long.
const SETTLED: Duration = Duration::from_secs(5);
/// How often what is too old is swept, and how much at once.
const SWEEP: Duration = Duration::from_mins(1);
const SLICE: usize = 2_000;

impl Nodes {
    /// The task that drives the membership.
    pub(super) fn membership(this: &Arc<Self>) -> TaskSpec {
        let nodes = Arc::clone(this);
        TaskSpec::new("nodes", move |context| Arc::clone(&nodes).drive(context))
    }

    async fn drive(self: Arc<Self>, context: TaskContext) -> Result<(), String> {
        let mut work = JoinSet::new();
        let mut told = Told::default();
        let mut witnesses = self.checks.witnesses();
        witnesses.mark_changed();
        let (mut pulse, mut figures, mut sweep) = (Instant::now(), Instant::now(), Instant::now() + SWEEP);
        context.running();
        loop {
            context.turn();
            let (todo, wake, dirty, telling) = self.with(|desk, now| {
                if now.mono >= desk.members.next_wake() {
                    desk.tell(MemberInput::Tick, now);
                }
                (std::mem::take(&mut desk.todo), desk.members.next_wake(), desk.dirty, desk.incidents.next_due())
            });
            for effect in todo {
                self.perform(effect, &mut work);
            }
            let now = Instant::now();
            if now >= figures || (dirty && now >= pulse) {
                let with_figures = now >= figures;
                if with_figures {
                    figures = now + FIGURES;
                }
                pulse = now + PULSE;
                self.hand_votes();
                self.tell_screens(&mut told, with_figures).await;
            }
            let telling = telling.map(|due| self.instant(due));
            if telling.is_some_and(|due| now >= due) {
                self.tell_of_incidents().await;
            }
            if now >= sweep {
                let more =
                    self.store.forget_shared(KeepShared::default(), Timestamp::now(), SLICE).await.unwrap_or(false);
                sweep = now + if more { PULSE } else { SWEEP };
                self.settle_keys().await;
            }
            let told_at = if dirty { pulse.min(figures) } else { figures };
            let wake = telling.map_or(self.instant(wake), |due| due.min(self.instant(wake)));
            tokio::select! {
                () = context.stop.cancelled() => break,
                () = self.stirred.notified() => {}
                Ok(()) = witnesses.changed() => {
                    let answer = *witnesses.borrow_and_update();
                    self.tell(MemberInput::Witnesses(answer));
                }
                Some(done) = work.join_next() => if let Err(error) = done {
                    tracing::error!(%error, "something asked of another node ended in a panic");
                },
                () = tokio::time::sleep_until(wake.min(told_at).min(sweep)) => {}
            }
        }
        self.say_goodbye(work).await;
        Ok(())
    }

    fn perform(self: &Arc<Self>, effect: MemberEffect, work: &mut JoinSet<()>) {
        match effect {
            MemberEffect::Beat { to, within } => {
                let nodes = Arc::clone(self);
                work.spawn(async move {
                    nodes.beat_to(&to, within).await;
                });
            }
            MemberEffect::Probe { ticket, whom, through, within } => {
                let nodes = Arc::clone(self);
                work.spawn(async move {
                    let probe = Probe { whom };
                    let result = match nodes.link_of(&through) {
                        None => Err("it is not reached directly".to_owned()),
                        Some(link) => match tokio::time::timeout(within, link.probe(&probe)).await {
                            Ok(Ok(answer)) => Ok(answer),
                            Ok(Err(error)) => Err(error.to_string()),
                            Err(_) => Err("no answer in time".to_owned()),
                        },
                    };
                    nodes.tell(MemberInput::Probed { ticket, result });
                });
            }
            MemberEffect::Changed { node, to, why, from } => self.changed(&node, from, to, &why),
            MemberEffect::Restarted { node, .. } => tracing::info!(%node, "node has started again"),
            MemberEffect::Skewed { node, level, ms } if level != SkewLevel::Fine => {
                tracing::warn!(%node, ms, "the clock of a node differs from ours");
            }
            MemberEffect::Skewed { node, ms, .. } => tracing::info!(%node, ms, "the clock of a node is right again"),
            MemberEffect::ClockMoved { ms } => tracing::warn!(ms, "the clock of this machine was put"),
            MemberEffect::WasAway(time) => {
                tracing::info!(?time, "this node was stopped or had no time; no other one is late because of it");
            }
            MemberEffect::Untrue { node, why } => {
                let nodes = Arc::clone(self);
                work.spawn(async move { nodes.quarantine(node, why).await });
            }
        }
    }

    fn changed(&self, node: &NodeName, from: NodeState, to: NodeState, why: &str) {
        let (from, to) = (from.as_str(), to.as_str());
        if matches!(to, "alive" | "left") {
            tracing::info!(%node, from, why, "node is {to}");
        } else {
            tracing::warn!(%node, from, why, "node is {to}");
        }
        self.logs.notify_one();
    }

    /// Sends one heartbeat and takes in what comes back.
    pub(super) async fn beat_to(&self, to: &NodeName, within: Duration) -> Option<u64> {
        let incarnation = self.exchange(to, within).await;
        self.with(|desk, _| desk.asked.insert(to.clone()));
        incarnation
    }

    async fn exchange(&self, to: &NodeName, within: Duration) -> Option<u64> {
        let link = self.link_of(to)?;
        let (beat, asked) = self.with(|desk, now| (desk.beat(to, self.keys.public(), now), now));
        let mut answer = match tokio::time::timeout(within, link.beat(&beat)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                self.tell(MemberInput::Unanswered { by: to.clone(), why: error.to_string() });
                return None;
            }
            Err(_) => {
                self.tell(MemberInput::Unanswered { by: to.clone(), why: "no answer in time".to_owned() });
                return None;
            }
        };
        let incarnation = answer.beat.incarnation;
        if answer.asks {
            self.with(|desk, _| desk.asking.insert(to.clone()));
            self.asking.notify_one();
        }
        if let Some(held) = &answer.holds {
            self.may_begin_anew(held).await;
        }
        self.keep_learned().await;
        self.heard(to, &mut answer.beat).await;
        self.tell(MemberInput::Answered { by: to.clone(), asked, answer: Box::new(answer) });
        Some(incarnation)
    }

    /// Tells the others that this node goes, as far as they hear it in time.
    async fn say_goodbye(self: &Arc<Self>, mut work: JoinSet<()>) {
        work.abort_all();
        self.tell(MemberInput::Leave);
        let mut goodbyes = JoinSet::new();
        for effect in self.with(|desk, _| std::mem::take(&mut desk.todo)) {
            if matches!(effect, MemberEffect::Beat { .. }) {
                self.perform(effect, &mut goodbyes);
            }
        }
        // Who does not hear it notices by itself.
        let _ = tokio::time::timeout(GOODBYE, async { while goodbyes.join_next().await.is_some() {} }).await;
    }

    /// Waits until every node that is reached directly had its chance to say what it holds of this node's log: what is
    /// written before, after a backup was restored, would be another end of the log than they know.
    pub(super) async fn settle(&self) {
        let all = async {
            while !self.with(|desk, _| desk.called().all(|node| desk.asked.contains(node))) {
                tokio::time::sleep(PULSE).await;
            }
        };
        // Who does not answer in time is asked for ever.
        let _ = tokio::time::timeout(SETTLED, all).await;
    }

    fn instant(&self, mono: Duration) -> Instant {
        Instant::from_std(self.began + mono)
    }
}
