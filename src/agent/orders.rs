//! What is ordered: taken or refused, handed to a runner, stopped.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::{EngineId, JobId, Plan, rules};
use crate::policy::whitelist;
use crate::protocol::{FromAgent, JobOrder, Journal};

use super::Lease;
use super::audit::{self, Noted};
use super::desk::{Inner, blocking, trouble};
use super::journal::{CancelNote, Claim, Refused};
use super::output::drop_output;
use super::runner::Handover;
use super::session::Greeted;
use super::surroundings::MARK;
use super::tree::send;

/// Jobs that run at once.
const AT_ONCE: usize = 64;
/// A runner that dies before it starts anything is replaced so often.
const TRIES: u32 = 3;

impl Inner {
    /// Takes `order`, and tells `answers` what becomes of its job.
    pub(super) async fn order(self: Arc<Self>, order: Box<JobOrder>, answers: mpsc::Sender<FromAgent>) {
        let id = order.id;
        // Whoever ordered may go at any time; what was begun is not left half done.
        let taken = tokio::spawn(Arc::clone(&self).take(order)).await.map_err(io::Error::other);
        let starting = match taken.flatten() {
            Ok(Ok(starting)) => starting,
            // Here and below: who ordered may be gone, and asks again by the id of the job.
            Ok(Err(refused)) => {
                let _ = answers.send(refused.told(id)).await;
                return;
            }
            Err(error) => {
                let _ = answers.send(trouble(id, &error)).await;
                return;
            }
        };
        let follow = self.follow(id, 0, None, answers.clone());
        tokio::pin!(follow);
        if let Some(mut starting) = starting {
            tokio::select! {
                () = &mut follow => return,
                word = &mut starting => if let Ok(Some(word)) = word {
                    let _ = answers.send(FromAgent::Trouble { id: Some(id), reason: word }).await;
                },
            }
        }
        follow.await;
    }

    /// Writes `order` down and hands it to a runner, unless that was done before.
    async fn take(
        self: Arc<Self>,
        order: Box<JobOrder>,
    ) -> io::Result<Result<Option<JoinHandle<Option<String>>>, Refused>> {
        let (id, engine, epoch) = (order.id, order.engine, order.epoch);
        let inner = Arc::clone(&self);
        let admitted = blocking(move || {
            let now = Timestamp::now();
            let admitted = inner.admit(&order, now)?;
            match &admitted {
                Ok(Journal::Accepted) => audit::note(&inner.spool, &Noted::accepted(&order, now)),
                // It was ordered before.
                Ok(_) => {}
                Err(refused) => audit::note(&inner.spool, &Noted::refused(&order, refused, now)),
            }
            Ok(admitted)
        });
        Ok(admitted.await?.map(|journal| (journal == Journal::Accepted).then(|| self.start(id, engine, epoch))))
    }

    /// Writes `order` down when nothing speaks against it.
    fn admit(&self, order: &JobOrder, now: Timestamp) -> io::Result<Result<Journal, Refused>> {
        // What has been decided is told to whoever asks, by whatever rules it was decided.
        let known = self.spool.job(order.id)?.map(|job| job.accepted()).transpose()?.flatten();
        if known.is_some_and(|known| known.order.hash == order.hash && order.hash == order.plan.hash()) {
            let journal = self.look(order.id, now)?;
            if journal != Journal::Accepted {
                return Ok(Ok(journal));
            }
        }
        if let Err(refused) = self.allows(&order.plan) {
            return Ok(Err(refused));
        }
        if let Err(fenced) = Lease::take(&self.spool, order.engine, order.epoch, now)? {
            return Ok(Err(Refused::fenced(&fenced)));
        }
        if self.running().len() >= AT_ONCE {
            return Ok(Err(Refused::new("full", format!("{AT_ONCE} jobs run here already"))));
        }
        match self.spool.accept(order, now)? {
            Ok(_) => self.look(order.id, now).map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Whether the plan is exactly what this host's own whitelist makes of its values.
    fn allows(&self, plan: &Plan) -> Result<(), Refused> {
        if let Some(name) = self.config.name.as_ref().filter(|name| **name != plan.host) {
            return Err(Refused::new("host", format!("this is {name}, and the plan is for {}", plan.host)));
        }
        let Some(template) = self.config.commands.get(&plan.command) else {
            let reason =
                format!("this host has no command {}; add [commands.{}] to its own file", plan.command, plan.command);
            return Err(Refused::new("whitelist", reason));
        };
        whitelist::matches(template, plan).map(drop).map_err(|denied| Refused::new(denied.rule, denied.reason))
    }

    /// Hands the job `id` to a runner, unless this process has done so. What it says in the end is why nothing started.
    fn start(self: &Arc<Self>, id: JobId, engine: EngineId, epoch: u64) -> JoinHandle<Option<String>> {
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            if !inner.running().insert(id) {
                return None;
            }
            let word = Arc::clone(&inner).hand_over(id, engine, epoch).await;
            inner.running().remove(&id);
            word
        })
    }

    async fn hand_over(self: Arc<Self>, id: JobId, engine: EngineId, epoch: u64) -> Option<String> {
        let (spool, proc) = (self.spool.path().to_owned(), self.spool.machine().proc().to_owned());
        let handover = Handover { spool, proc, id, engine, epoch };
        let mut word = None;
        for _ in 0..TRIES {
            let said = self.runners.carry_out(&handover).await;
            word = Some(said.unwrap_or_else(|error| format!("failed to start a runner: {error}")));
            let inner = Arc::clone(&self);
            if !matches!(blocking(move || inner.look(id, Timestamp::now())).await, Ok(Journal::Accepted)) {
                return None;
            }
        }
        word
    }

    /// Starts the job `id` if it was written down and nobody started it: an agent died between the two.
    pub(super) fn revive(self: &Arc<Self>, id: JobId, by: Greeted) {
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let asked = Arc::clone(&inner);
            let is_ours = blocking(move || asked.is_to_be_started(id, by)).await;
            if matches!(is_ours, Ok(true)) {
                // Whoever follows the job sees what comes of it.
                drop(inner.start(id, by.engine, by.epoch));
            }
        });
    }

    fn is_to_be_started(&self, id: JobId, by: Greeted) -> io::Result<bool> {
        if self.running().contains(&id) || self.look(id, Timestamp::now())? != Journal::Accepted {
            return Ok(false);
        }
        let drives =
            Lease::held(&self.spool)?.is_some_and(|lease| (lease.engine, lease.epoch) == (by.engine, by.epoch));
        let Some(job) = self.spool.job(id)?.filter(|_| drives) else { return Ok(false) };
        let Some(accepted) = job.accepted()? else { return Ok(false) };
        // The whitelist may be another one since.
        let Err(Refused { rule, reason, .. }) = self.allows(&accepted.order.plan) else { return Ok(true) };
        self.spool.claim(&job, &Claim::never(&rule, reason))?;
        Ok(false)
    }

    /// Stops the job `id`, and tells `answers` what becomes of it.
    pub(super) async fn cancel(
        self: Arc<Self>,
        id: JobId,
        grace_ms: u64,
        by: Greeted,
        answers: mpsc::Sender<FromAgent>,
    ) {
        let inner = Arc::clone(&self);
        let stopped = tokio::spawn(blocking(move || inner.stop(id, grace_ms, by, Timestamp::now())));
        let answer = match stopped.await.map_err(io::Error::other).flatten() {
            Ok(Ok(())) => return self.follow(id, 0, None, answers).await,
            Ok(Err(refused)) => refused.told(id),
            Err(error) => trouble(id, &error),
        };
        // Whoever asked may be gone.
        let _ = answers.send(answer).await;
    }

    fn stop(&self, id: JobId, grace_ms: u64, by: Greeted, now: Timestamp) -> io::Result<Result<(), Refused>> {
        if let Err(fenced) = Lease::take(&self.spool, by.engine, by.epoch, now)? {
            return Ok(Err(Refused::fenced(&fenced)));
        }
        let never = Claim::never(rules::CANCELLED, "it was taken back before it ran");
        let journal = self.look(id, now)?;
        if journal == Journal::Absent && self.spool.forbid(id, &never, now)? {
            audit::note(&self.spool, &Noted::cancelled(id, by.engine, by.epoch, now));
        }
        let Some(job) = self.spool.job(id)? else { return Ok(Ok(())) };
        match journal {
            Journal::Accepted | Journal::Started { .. } => {}
            Journal::Unknown { .. } => {
                // Nobody looks after them any more.
                for process in self.spool.machine().marked(MARK, &id.to_string()) {
                    send(self.spool.machine(), &process, Signal::KILL);
                }
                return Ok(Ok(()));
            }
            _ => return Ok(Ok(())),
        }
        audit::note(&self.spool, &Noted::cancelled(id, by.engine, by.epoch, now));
        // First the wish, then the word: a runner looks for the wish after it has said that it starts.
        job.cancel(CancelNote { grace_ms, at: now })?;
        self.spool.claim(&job, &never)?;
        if let Some(Claim::Runner { pid, start, boot, .. }) = job.claim()?
            && boot == self.boot
            && let Some(runner) = self.spool.machine().process(pid).filter(|process| process.start == start)
        {
            send(self.spool.machine(), &runner, Signal::USR1);
        }
        Ok(Ok(()))
    }

    /// The end of the job `id` was taken: its output is not needed here any more.
    pub(super) fn drop_output(&self, id: JobId) -> io::Result<()> {
        match self.spool.job(id)? {
            Some(job) if job.result()?.is_some() => drop_output(&job),
            _ => Ok(()),
        }
    }
}
