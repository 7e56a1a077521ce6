//! What goes out for a job: the step the table names, over the best road that may carry it.

use std::time::Duration;

use crate::bridge::host::Fare;
use crate::bridge::road::Road;
use crate::bridge::scene::Scene;
use crate::bridge::table::{Evidence, Step, decide};
use crate::model::{Class, JobState, LayerKind, Outcome};
use crate::protocol::{JobOrder, Journal, ToAgent};

use super::job::{BACKOFF, Delivery};
use super::stage::{Question, Stage, What};

/// How long processes have between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);

impl Delivery {
    /// Does what the table says.
    pub(super) fn go(&mut self, evidence: Evidence<'_>, via: Option<LayerKind>, scene: &mut Scene<'_>) {
        match decide(evidence, self.facts(scene)) {
            Step::Send => self.send(via, scene),
            Step::AskFirst => self.query(scene),
            Step::Attach => self.attach(via, scene),
            Step::Forbid => self.forbid(via, scene),
            Step::Take => {
                if let Evidence::Says(journal) = evidence {
                    self.take(journal, scene);
                }
            }
            Step::NotRun => {
                let (rule, reason) = self.why_not_run(scene);
                self.not_run(rule, reason, scene);
            }
            Step::Stop => {
                if let Evidence::Says(Journal::Unknown { reason }) = evidence {
                    self.finish(Outcome::Unknown { reason: reason.clone() }, scene);
                }
            }
            Step::Probe => self.rest(scene),
        }
    }

    /// The best road of those that were not asked in vain in this round.
    pub(super) fn next(&self, fare: Fare, scene: &Scene<'_>) -> Option<LayerKind> {
        scene.host.open(fare).into_iter().find(|kind| !self.tried.contains(kind))
    }

    /// What a road has to fulfil for a question about the job. Once a copy is out, any that is strong enough will do.
    pub(super) fn question_fare(scene: &Scene<'_>) -> Fare {
        Fare { only: None, weakest: scene.rule.and_then(|rule| rule.weakest), class: None }
    }

    pub(super) fn ask(&mut self, kind: LayerKind, what: What, question: ToAgent, scene: &mut Scene<'_>) {
        if let Stage::Asking(open) = self.stage {
            self.leave(open);
        }
        let patience = scene.host.road(kind).map(Road::patience).unwrap_or_default();
        let ticket = scene.out.ask(Some(self.job.id), scene.host.name(), kind, question);
        self.stage = Stage::Asking(Question { ticket, kind, what, patience, until: scene.now + patience });
    }

    pub(super) fn send(&mut self, via: Option<LayerKind>, scene: &mut Scene<'_>) {
        let Some(rule) = scene.rule else {
            let reason = format!("`{}` is no command of the configuration any more", self.job.plan.command);
            return self.refuse(via, "whitelist".to_owned(), reason, scene);
        };
        let fare = self.fare(rule.weakest);
        if scene.host.wrong_clock().is_some() {
            return self.go(Evidence::NoRoad, None, scene);
        }
        let open = scene.host.open(fare);
        let same = via.filter(|kind| open.contains(kind) && !self.tried.contains(kind));
        let Some(kind) = same.or_else(|| self.next(fare, scene)) else {
            return self.go(Evidence::NoRoad, None, scene);
        };
        let not_after = scene.host.to_host(self.job.not_after);
        self.deadline = self.deadline.max(not_after);
        self.job.spool = self.job.spool.or_else(|| scene.host.spool());
        let order = JobOrder {
            id: self.job.id,
            plan: self.job.plan.clone(),
            hash: self.job.hash.clone(),
            engine: scene.term.engine,
            epoch: scene.term.epoch,
            nonce: format!("{:016x}", scene.out.nonce()),
            not_after,
        };
        self.attempt(kind, "on its way", scene.now);
        self.copies.push(kind);
        self.job.state = JobState::Sending;
        // The host may have it from the next effect on, so this one comes before it.
        self.keep(scene);
        self.ask(kind, What::Run, ToAgent::Run(Box::new(order)), scene);
    }

    pub(super) fn query(&mut self, scene: &mut Scene<'_>) {
        match self.next(Self::question_fare(scene), scene) {
            Some(kind) => self.query_over(kind, scene),
            None => self.go(Evidence::NoRoad, None, scene),
        }
    }

    pub(super) fn query_over(&mut self, kind: LayerKind, scene: &mut Scene<'_>) {
        let follow = self.followed != Some(kind) || self.end.is_some();
        self.ask(kind, What::Query, ToAgent::Query { id: self.job.id, from: self.pieces.next(), follow }, scene);
        self.show(scene);
    }

    pub(super) fn attach(&mut self, via: Option<LayerKind>, scene: &mut Scene<'_>) {
        match self.followed {
            Some(kind) => {
                self.stage = Stage::Following { kind, ask: scene.now + ask_every(kind) };
                self.begin_anew();
                self.show(scene);
            }
            None => match via {
                Some(kind) => self.query_over(kind, scene),
                None => self.query(scene),
            },
        }
    }

    pub(super) fn forbid(&mut self, via: Option<LayerKind>, scene: &mut Scene<'_>) {
        let fare = Fare { class: Some(Class::Idempotent), ..Self::question_fare(scene) };
        let open = scene.host.open(fare);
        let same = via.filter(|kind| open.contains(kind) && !self.tried.contains(kind));
        let Some(kind) = same.or_else(|| self.next(fare, scene)) else { return self.rest(scene) };
        let grace_ms = u64::try_from(GRACE.as_millis()).unwrap_or(u64::MAX);
        self.ask(kind, What::Cancel, ToAgent::Cancel { id: self.job.id, grace_ms, epoch: scene.term.epoch }, scene);
        self.show(scene);
    }

    /// Waits before the next round over the roads.
    pub(super) fn rest(&mut self, scene: &mut Scene<'_>) {
        self.stage = Stage::Resting(scene.now + self.backoff);
        self.backoff = (self.backoff * 2).min(BACKOFF.1);
        self.tried.clear();
        self.show(scene);
    }

    pub(super) fn begin_anew(&mut self) {
        self.tried.clear();
        self.backoff = BACKOFF.0;
    }
}

/// How long a followed job may say nothing before the host is asked whether it is still there.
pub(super) fn ask_every(kind: LayerKind) -> Duration {
    Duration::from_secs(match kind {
        // Nobody follows over files: each answer is asked for.
        LayerKind::Trigger => 2,
        LayerKind::Exec => 30,
        LayerKind::Local | LayerKind::Socket | LayerKind::Tmux | LayerKind::Manual => 15,
    })
}
