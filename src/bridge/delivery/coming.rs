//! What comes in for a job: what became of a question, what the host says, and what people want.

use std::time::Duration;

use jiff::Timestamp;

use crate::bridge::scene::Scene;
use crate::bridge::table::Evidence;
use crate::bridge::{BridgeEffect, NotDelivered, Ticket};
use crate::model::{AuditKind, End, JobState, LayerKind, OperatorName, Outcome, OutputChunk, rules};
use crate::protocol::Journal;

use super::ending::ALL_AGAIN;
use super::going::ask_every;
use super::job::Delivery;
use super::stage::{Question, Reached, Stage, What};

/// An agent that has received an order and writes it down is given at least this long.
const WRITES: Duration = Duration::from_secs(2);
/// A journal that had a job and says so often in a row that it has nothing of it has lost it.
const MISSING: u8 = 3;

impl Delivery {
    /// Its turn has come.
    pub(in crate::bridge) fn start(&mut self, scene: &mut Scene<'_>) {
        if self.job.only == Some(LayerKind::Manual) {
            self.shown(scene);
        }
        let evidence = if self.handed() { Evidence::NoAnswer } else { Evidence::NeverSent };
        self.go(evidence, None, scene);
    }

    /// The lines for a person were shown: from now on it may run by hand, so it waits for its turn no longer.
    pub(in crate::bridge) fn shown(&mut self, scene: &mut Scene<'_>) {
        if self.is_over() || self.is_held() || self.unseen {
            return;
        }
        self.unseen = true;
        self.attempt(LayerKind::Manual, "the lines were shown to a person", scene.now);
        if self.waits() {
            self.stage = Stage::Resting(scene.now);
        }
        self.job.state = self.state();
        self.keep(scene);
    }

    /// Somebody else answers in the place of its host: nothing is said to it over any road.
    pub(in crate::bridge) fn barred(&mut self, why: &str, scene: &mut Scene<'_>) {
        if self.is_over() {
            return;
        }
        if !self.handed() {
            return self.not_run("barred".to_owned(), why.to_owned(), scene);
        }
        if let Stage::Asking(open) = self.stage {
            self.leave(open);
        }
        if !self.waits() {
            self.followed = None;
            self.remark(why);
            self.rest(scene);
        }
    }

    /// What became of handing over a question.
    pub(in crate::bridge) fn asked(
        &mut self,
        ticket: Ticket,
        result: &Result<(), NotDelivered>,
        scene: &mut Scene<'_>,
    ) {
        let Stage::Asking(open) = self.stage else { return };
        if open.ticket != ticket {
            return;
        }
        match result {
            Ok(()) => {
                let until = scene.now + open.patience;
                self.stage = Stage::Asking(Question { until, ..open });
            }
            Err(NotDelivered::NeverSent(why)) => {
                if open.what == What::Run
                    && let Some(place) = self.copies.iter().rposition(|kind| *kind == open.kind)
                {
                    self.copies.remove(place);
                }
                self.failed(open, &format!("not sent: {why}"), scene.now);
                let evidence = if open.what == What::Run { Evidence::NeverSent } else { Evidence::NoAnswer };
                self.go(evidence, None, scene);
            }
            Err(NotDelivered::Unknown(why)) => {
                self.leave(open);
                self.failed(open, &format!("handed over, and then: {why}"), scene.now);
                self.go(Evidence::NoAnswer, None, scene);
            }
        }
    }

    /// Gives up on a question, and for this round on its road.
    pub(super) fn failed(&mut self, open: Question, what: &str, now: Timestamp) {
        self.tried.push(open.kind);
        self.stage = Stage::Resting(now);
        if open.what == What::Run {
            self.remark(what);
        }
    }

    /// Waits no longer for the answer to a question; one that comes yet is too old to say *absent*.
    pub(super) fn leave(&mut self, open: Question) {
        if open.what != What::Run {
            *self.stale.entry(open.kind).or_default() += 1;
        }
    }

    /// The host has received the order; it is not durable yet.
    pub(in crate::bridge) fn received(&mut self, kind: LayerKind, scene: &mut Scene<'_>) {
        if let Stage::Asking(open) = self.stage
            && (open.kind, open.what) == (kind, What::Run)
        {
            let until = scene.now + open.patience.max(WRITES);
            self.stage = Stage::Asking(Question { until, ..open });
        }
    }

    /// The journal of the host says this.
    pub(in crate::bridge) fn told(&mut self, kind: LayerKind, journal: &Journal, scene: &mut Scene<'_>) {
        if self.waits() || self.is_over() {
            return;
        }
        let answered = match self.stage {
            Stage::Asking(open) if open.kind == kind && open.what != What::Run => Some(open.what),
            _ => None,
        };
        if answered.is_some() {
            self.stage = Stage::Resting(scene.now);
        }
        if *journal == Journal::Absent {
            // Nobody asked, or it answers an older question: an order that went since may be there.
            let Some(what) = answered else { return };
            if let Some(stale) = self.stale.get_mut(&kind).filter(|stale| **stale > 0) {
                *stale -= 1;
                return if what == What::Cancel {
                    self.forbid(Some(kind), scene);
                } else {
                    self.query_over(kind, scene);
                };
            }
            if let Some(reason) = self.lost_by_journal(scene) {
                // An answer may come later than anybody waits for it; one that is said again and again is true.
                self.missing += 1;
                return if self.missing < MISSING {
                    self.rest(scene);
                } else {
                    self.finish(Outcome::Unknown { reason }, scene);
                };
            }
        }
        self.missing = 0;
        self.note_progress(kind, journal, scene);
        match answered {
            Some(What::Cancel) => self.told = Some((scene.now, self.reached)),
            Some(What::Query) if *journal != Journal::Absent => self.followed = Some(kind),
            _ => {}
        }
        self.go(Evidence::Says(journal), Some(kind), scene);
    }

    /// Why a journal that has nothing of it proves nothing, if so.
    pub(super) fn lost_by_journal(&self, scene: &Scene<'_>) -> Option<String> {
        if self.job.spool.is_some() && scene.host.spool() != self.job.spool {
            return Some("the journal of the host is another one than it was sent to".to_owned());
        }
        (self.reached > Reached::Nothing)
            .then(|| "the host had it, and its journal has nothing of it any more".to_owned())
    }

    /// The host has it: which road brought it there, and since when it runs.
    pub(super) fn note_progress(&mut self, kind: LayerKind, journal: &Journal, scene: &mut Scene<'_>) {
        let reached = match journal {
            Journal::Accepted => Reached::Accepted,
            Journal::Started { at, .. } | Journal::Done { started: at, .. } => {
                self.job.started = Some(*at);
                Reached::Started
            }
            Journal::Absent | Journal::NotRun { .. } | Journal::Unknown { .. } => return,
        };
        if self.reached == Reached::Nothing {
            let by = if let [only] = self.copies[..] { only } else { kind };
            self.job.layer = self.job.layer.or(Some(by));
            self.remark(&format!("accepted, told over {kind}"));
            let what = format!("{} accepted it, over {by}", scene.host.name());
            scene.out.note(scene.now, None, AuditKind::Delivered, self.job.id, what);
        }
        self.reached = self.reached.max(reached);
    }

    /// An order was refused before anything was written down.
    pub(in crate::bridge) fn refuse(
        &mut self,
        via: Option<LayerKind>,
        rule: String,
        reason: String,
        scene: &mut Scene<'_>,
    ) {
        if self.is_over() || self.reached > Reached::Nothing {
            return;
        }
        if let Some(place) = self.copies.iter().position(|copy| Some(*copy) == via) {
            self.copies.remove(place);
        }
        if self.handed() {
            // Another copy may still be on its way, and be accepted when it comes.
            self.refused = Some((rule, reason));
            self.forbid(via, scene);
        } else {
            self.not_run(rule, reason, scene);
        }
    }

    /// An order was refused for its term, and the term is being raised: it is sent again then.
    pub(in crate::bridge) fn outranked(&mut self, kind: LayerKind, scene: &mut Scene<'_>) {
        if let Some(place) = self.copies.iter().position(|copy| *copy == kind) {
            self.copies.remove(place);
            self.remark("refused: the term of this engine is too low; it is raised");
        }
        self.rest(scene);
    }

    /// The host could not answer.
    pub(in crate::bridge) fn trouble(&mut self, kind: LayerKind, reason: &str, scene: &mut Scene<'_>) {
        if let Stage::Asking(open) = self.stage
            && open.kind == kind
        {
            self.remark(&format!("{}: {reason}", scene.host.name()));
            self.failed(open, reason, scene.now);
            self.go(Evidence::NoAnswer, None, scene);
        }
    }

    /// A piece of output. When all of it is asked for again, it is taken from that road only: what comes late over
    /// another would stand in the way of what comes in order.
    pub(in crate::bridge) fn output(&mut self, kind: LayerKind, chunk: OutputChunk, scene: &mut Scene<'_>) {
        let asked = matches!(self.stage, Stage::Asking(open) if open.kind == kind);
        if self.fetched >= ALL_AGAIN && !asked {
            return;
        }
        if !self.waits() && !self.is_over() && self.pieces.take(&chunk) {
            scene.out.effects.push(BridgeEffect::Output { id: self.job.id, chunk });
            if let Stage::Following { kind, .. } = self.stage {
                self.stage = Stage::Following { kind, ask: scene.now + ask_every(kind) };
            }
        }
    }

    /// A road is closed. What was asked over it and not answered is unsure.
    pub(in crate::bridge) fn down(&mut self, kind: LayerKind, why: &str, scene: &mut Scene<'_>) {
        if self.followed == Some(kind) {
            self.followed = None;
        }
        match self.stage {
            Stage::Asking(open) if open.kind == kind => {
                self.leave(open);
                self.failed(open, &format!("handed over, and then: {why}"), scene.now);
                self.go(Evidence::NoAnswer, None, scene);
            }
            Stage::Following { kind: over, .. } if over == kind => self.go(Evidence::NoAnswer, None, scene),
            _ => {}
        }
        // What was asked over a closed line is not answered any more; a file or another connection may still come.
        if !matches!(kind, LayerKind::Trigger | LayerKind::Exec) {
            self.stale.remove(&kind);
        }
    }

    /// A road is open again: who waits for one goes on at once.
    pub(in crate::bridge) fn woken(&mut self, scene: &mut Scene<'_>) {
        if matches!(self.stage, Stage::Resting(_)) {
            self.begin_anew();
            self.start(scene);
        }
    }

    /// Somebody takes it back.
    pub(in crate::bridge) fn cancel(&mut self, by: &OperatorName, scene: &mut Scene<'_>) {
        if self.is_over() || self.cancelled.is_some() {
            return;
        }
        scene.out.note(scene.now, Some(by), AuditKind::Cancelled, self.job.id, "taken back".to_owned());
        self.cancelled = Some(by.clone());
        if !self.handed() {
            return self.go(Evidence::NoRoad, None, scene);
        }
        self.begin_anew();
        let via = match self.stage {
            Stage::Asking(Question { kind, .. }) | Stage::Following { kind, .. } => Some(kind),
            _ => None,
        };
        self.forbid(via, scene);
    }

    /// A person says what became of it. Says whether that was theirs to say.
    pub(in crate::bridge) fn resolve(
        &mut self,
        ran: bool,
        by: &OperatorName,
        note: Option<&str>,
        scene: &mut Scene<'_>,
    ) -> bool {
        if !self.is_open_question() {
            return false;
        }
        let told = note.map_or_else(|| format!("{by} says so"), |note| format!("{by} says so: {note}"));
        let what = format!("{}: {told}", if ran { "it ran" } else { "it did not run" });
        scene.out.note(scene.now, Some(by), AuditKind::Resolved, self.job.id, what);
        let not_run = Outcome::NotRun { rule: rules::RESOLVED.to_owned(), reason: told };
        let outcome = if ran { Outcome::Done(End::Told) } else { not_run };
        self.finish(outcome, scene);
        true
    }

    /// Whether a person may say what became of it: it may have run, and the host does not say.
    pub(in crate::bridge) fn is_open_question(&self) -> bool {
        let unknown = matches!(self.job.state, JobState::Ended(Outcome::Unknown { .. }));
        unknown || (!self.is_over() && self.handed() && (self.reached == Reached::Nothing || self.is_stranded()))
    }
}
