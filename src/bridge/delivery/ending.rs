//! How a job ends, and what time does to it until then.

use std::time::Duration;

use jiff::Timestamp;

use crate::bridge::pieces::Pieces;
use crate::bridge::road::apart;
use crate::bridge::scene::Scene;
use crate::bridge::table::Evidence;
use crate::model::{AuditKind, JobState, Outcome, rules};
use crate::protocol::{Journal, ToAgent};

use super::job::Delivery;
use super::stage::{Question, Reached, Stage};

/// How long the rest of the output is waited for once the end is known.
const REST: Duration = Duration::from_secs(30);
/// The second time the output is asked for after the end, all of it is.
pub(super) const ALL_AGAIN: u8 = 2;

impl Delivery {
    /// When it has to be looked at, if nothing happens before.
    pub(in crate::bridge) fn wake(&self) -> Option<Timestamp> {
        let at = match self.stage {
            Stage::Waiting => Some(self.job.not_after),
            Stage::Held | Stage::Over => None,
            Stage::Asking(open) => Some(open.until),
            Stage::Resting(until) => Some(until),
            Stage::Following { ask, .. } => Some(ask),
        };
        match (&self.end, at) {
            (Some((_, taken)), Some(at)) => Some(at.min(*taken)),
            (_, at) => at,
        }
    }

    /// Does what is due.
    pub(in crate::bridge) fn due(&mut self, scene: &mut Scene<'_>) {
        if self.wake().is_none_or(|wake| wake > scene.now) {
            return;
        }
        if let Some((journal, _)) = self.end.take_if(|(_, until)| *until <= scene.now) {
            self.remark("the rest of its output did not come");
            return self.ended(&journal, scene);
        }
        match self.stage {
            Stage::Held | Stage::Over => {}
            Stage::Waiting => self.go(Evidence::NoRoad, None, scene),
            Stage::Asking(open) => {
                if let Some(road) = scene.host.road_mut(open.kind) {
                    road.silent(open.patience, scene.now);
                }
                self.leave(open);
                self.failed(open, &format!("no answer within {} ms", open.patience.as_millis()), scene.now);
                self.go(Evidence::NoAnswer, None, scene);
            }
            Stage::Resting(_) => self.start(scene),
            Stage::Following { kind, .. } => {
                if scene.host.open(Self::question_fare(scene)).contains(&kind) {
                    self.query_over(kind, scene);
                } else {
                    self.followed = None;
                    self.go(Evidence::NoAnswer, None, scene);
                }
            }
        }
    }

    /// Takes the end the journal tells, once all of the output is there.
    pub(super) fn take(&mut self, journal: &Journal, scene: &mut Scene<'_>) {
        let Journal::Done { sha256, .. } = journal else { return self.ended(journal, scene) };
        if self.pieces.are(sha256) || self.fetched >= ALL_AGAIN {
            if !self.pieces.are(sha256) {
                self.remark("its output is not what the host says it is");
            }
            return self.ended(journal, scene);
        }
        // First what has not come yet, then all of it again.
        self.fetched += 1;
        if self.fetched == ALL_AGAIN {
            self.pieces = Pieces::default();
        }
        if self.end.is_none() {
            self.end = Some((journal.clone(), scene.now + REST));
        }
        self.begin_anew();
        self.query(scene);
    }

    /// Ends it as the journal says.
    pub(super) fn ended(&mut self, journal: &Journal, scene: &mut Scene<'_>) {
        match journal {
            Journal::Done { end, started, ended, output, cut_short, left, .. } => {
                self.job.started = Some(*started);
                self.job.ended = Some(*ended);
                self.job.output = output.clone();
                self.job.left = in_words(cut_short.as_deref(), left, self.cancelled.is_some());
                if self.pieces.gaps() > 0 {
                    self.remark(&format!("{} pieces of its output were left out of the middle", self.pieces.gaps()));
                }
                self.finish(Outcome::Done(*end), scene);
            }
            Journal::NotRun { rule, reason } => {
                // The host was told to forbid it; why is ours to say.
                let ours = rule == rules::CANCELLED && (self.refused.is_some() || scene.now >= self.job.not_after);
                let (rule, reason) = if ours || self.cancelled.is_some() {
                    self.why_not_run(scene)
                } else {
                    (rule.clone(), reason.clone())
                };
                self.not_run(rule, reason, scene);
            }
            Journal::Absent | Journal::Accepted | Journal::Started { .. } | Journal::Unknown { .. } => {}
        }
    }

    /// The rule and the sentence of a job that is not wanted any more.
    pub(super) fn why_not_run(&self, scene: &Scene<'_>) -> (String, String) {
        if let Some(by) = &self.cancelled {
            return (rules::CANCELLED.to_owned(), format!("{by} took it back before it started"));
        }
        if let Some(refused) = &self.refused {
            return refused.clone();
        }
        let mut reason = match apart(self.job.asked, self.job.not_after).as_secs() {
            // The clock was put back since.
            0 => "it was not started in time".to_owned(),
            seconds => format!("it was not started within {seconds} s"),
        };
        if !self.handed() {
            if let JobState::Queued { why, .. } = &self.job.state {
                reason = format!("{reason}: {why}");
            } else if scene.host.open(self.fare(None)).is_empty() {
                reason = format!("{reason}: {}", scene.host.silence());
            }
        }
        ("expired".to_owned(), reason)
    }

    /// Ends it: it has not run and never will.
    pub(in crate::bridge) fn not_run(&mut self, rule: String, reason: String, scene: &mut Scene<'_>) {
        self.finish(Outcome::NotRun { rule, reason }, scene);
    }

    pub(super) fn finish(&mut self, outcome: Outcome, scene: &mut Scene<'_>) {
        let what = match &outcome {
            Outcome::Done(end) => format!("done: {end}"),
            Outcome::NotRun { rule, reason } => format!("not run ({rule}): {reason}"),
            Outcome::Unknown { reason } => format!("unknown: {reason}"),
        };
        scene.out.note(scene.now, None, AuditKind::Ended, self.job.id, what);
        let fin = match (&outcome, self.stage) {
            (
                Outcome::Done(_) | Outcome::NotRun { .. },
                Stage::Asking(Question { kind, .. }) | Stage::Following { kind, .. },
            ) => Some(kind),
            _ => None,
        };
        self.job.ended = self.job.ended.or(Some(scene.now));
        self.job.state = JobState::Ended(outcome);
        self.stage = Stage::Over;
        self.keep(scene);
        if let Some(kind) = fin.filter(|_| self.reached > Reached::Nothing) {
            scene.out.ask(None, scene.host.name(), kind, ToAgent::Fin { id: self.job.id });
        }
    }
}

/// What a stop left behind.
fn in_words(cut_short: Option<&str>, left: &[u32], cancelled: bool) -> Option<String> {
    let stopped = cut_short.map(str::to_owned).or_else(|| cancelled.then(|| "it ended by itself".to_owned()))?;
    Some(match left {
        [] => format!("{stopped}; nothing of it is left"),
        left => {
            let pids: Vec<String> = left.iter().map(u32::to_string).collect();
            format!("{stopped}; these processes could not be stopped: {}", pids.join(", "))
        }
    })
}
