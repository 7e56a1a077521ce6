//! The bridge of a made-up world: no road is opened; what is asked for ends at once, and a script says what it wrote.
//!
//! Everything before it is real: what may run, whose yes it needs, and what is written down. Rollouts wait for ever.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use crate::bridge::BridgeInput;
use crate::model::{
    Attempt, AuditKind, AuditNote, End, HostPanel, Job, JobId, JobState, LayerKind, LayerState, Outcome, OutputChunk,
    Plan, Stream,
};
use crate::protocol::BridgeNotice;
use crate::store::{JobBatch, StoreError};

use super::super::supervisor::{TaskContext, TaskSpec};
use super::audit::note;
use super::service::Bridges;

/// What a command writes on a made-up host.
pub type CommandScript = fn(&Plan) -> String;

/// How long a command runs there: long enough to be seen running.
const RUNS: Duration = Duration::from_millis(600);

impl Bridges {
    /// The task that lets what is asked for happen on `hosts`, which stand as they are.
    pub(in super::super) fn played(this: &Arc<Self>, hosts: &[HostPanel], script: CommandScript) -> TaskSpec {
        for panel in hosts {
            this.live.host(panel.clone());
        }
        this.has_task.store(true, Ordering::Relaxed);
        let bridge = Arc::clone(this);
        TaskSpec::new("bridge", move |context| Arc::clone(&bridge).play(script, context))
    }

    async fn play(self: Arc<Self>, script: CommandScript, context: TaskContext) -> Result<(), String> {
        let mut received = self.received.lock().await;
        context.running();
        let playing = async {
            while let Some(input) = received.recv().await {
                self.happen(input, script).await.map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        tokio::select! {
            () = context.stop.cancelled() => Ok(()),
            ended = playing => ended,
        }
    }

    async fn happen(&self, input: BridgeInput, script: CommandScript) -> Result<(), StoreError> {
        let (id, outcome) = match input {
            BridgeInput::Submit(job) if matches!(job.state, JobState::AwaitingApproval(_)) => {
                return self.stands(&job, None, None).await;
            }
            BridgeInput::Submit(job) => return self.carry(*job, script).await,
            BridgeInput::Release(id) => {
                let Some(job) = self.store.job(id)? else { return Ok(()) };
                return self.carry(job, script).await;
            }
            BridgeInput::Refuse { id, rule, reason } => (id, Outcome::NotRun { rule, reason }),
            BridgeInput::Cancel { id, by } => {
                (id, Outcome::NotRun { rule: "cancelled".to_owned(), reason: format!("{by} took it back") })
            }
            BridgeInput::Resolve { id, ran: true, .. } => (id, Outcome::Done(End::Told)),
            BridgeInput::Resolve { id, ran: false, by, note } => {
                let words = note.map(|words| format!(": {words}")).unwrap_or_default();
                (id, Outcome::NotRun { rule: "resolved".to_owned(), reason: format!("{by} says so{words}") })
            }
            // Hosts stand as they are, whoever asks them; of the rest nothing is heard here.
            _ => return Ok(()),
        };
        let Some(mut job) = self.store.job(id)? else { return Ok(()) };
        // What runs is stopped by a signal.
        let runs = matches!((&job.state, &outcome), (JobState::Running, Outcome::NotRun { .. }));
        end(&mut job, if runs { Outcome::Done(End::Signal(15)) } else { outcome });
        self.stands(&job, None, Some(ended(&job))).await
    }

    /// Has `job` run over the road that carries there; without one it waits.
    async fn carry(&self, mut job: Job, script: CommandScript) -> Result<(), StoreError> {
        let Some(layer) = self.road_of(&job) else {
            job.state = JobState::Queued { position: 0, why: format!("no road leads to {}", job.plan.host) };
            return self.stands(&job, None, None).await;
        };
        let now = Timestamp::now();
        let what = "accepted by the journal of its host".to_owned();
        job.attempts.push(Attempt { layer, at: now, what });
        (job.state, job.layer, job.started) = (JobState::Running, Some(layer), Some(now));
        let what = format!("{} on {} over {layer}", job.title(), job.plan.host);
        self.stands(&job, None, Some(note(None, AuditKind::Delivered, job.id, what))).await?;
        tokio::time::sleep(RUNS).await;
        let bytes = script(&job.plan).into_bytes();
        job.output.out = bytes.len() as u64;
        end(&mut job, Outcome::Done(End::Exit(0)));
        let wrote = OutputChunk { seq: 0, stream: Stream::Out, bytes };
        self.stands(&job, Some(wrote), Some(ended(&job))).await
    }

    /// The road that would carry `job`.
    fn road_of(&self, job: &Job) -> Option<LayerKind> {
        let hosts = self.live.hosts();
        let host = hosts.iter().find(|host| host.name == job.plan.host)?;
        let is_up =
            |kind: &LayerKind| host.layers.iter().any(|layer| layer.kind == *kind && layer.state == LayerState::Up);
        job.only.or(host.active).filter(is_up)
    }

    /// `job` stands like this now: written down first, then told.
    async fn stands(&self, job: &Job, wrote: Option<OutputChunk>, note: Option<AuditNote>) -> Result<(), StoreError> {
        let wrote: Vec<(JobId, OutputChunk)> = wrote.map(|chunk| (job.id, chunk)).into_iter().collect();
        let next = wrote.len() as u64;
        let notes = note.into_iter().collect();
        let batch = JobBatch { output: wrote, jobs: vec![job.clone()], notes, ..JobBatch::default() };
        let entries = self.store.keep_jobs(batch).await?;
        self.live.job(&job.row());
        self.tell_all(BridgeNotice::Audited(entries)).await;
        self.tell_all(BridgeNotice::Jobs(vec![job.row()])).await;
        if next > 0 {
            self.tell_all(BridgeNotice::Wrote { id: job.id, next }).await;
        }
        Ok(())
    }
}

fn end(job: &mut Job, outcome: Outcome) {
    (job.state, job.ended) = (JobState::Ended(outcome), Some(Timestamp::now()));
}

fn ended(job: &Job) -> AuditNote {
    let what = format!("{} on {}: {}", job.title(), job.plan.host, job.state.word());
    note(None, AuditKind::Ended, job.id, what)
}
