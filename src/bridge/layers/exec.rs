//! The road of one fresh ssh connection a question. It needs nothing that stays open, so it is the last that works.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bridge::layer::{Asked, Layer, LayerEvent, LayerNews, NotDelivered, Term};
use crate::bridge::ssh::{Answers, Failure, SshCall, SshChild, Stage, letter, mark};
use crate::model::{HostName, JobId, LayerKind, SpoolId};
use crate::protocol::{FromAgent, Journal, ToAgent};

use super::stream::{BACKOFF_MAX, Closed, forget_nudges, pause};
use super::talk::{News, foreign, hello, refused};

/// Connections at once. sshd starts to drop new ones when ten are not let in yet (`MaxStartups`).
const SLOTS: usize = 8;
/// How many of them may be kept by jobs that are run or followed: a question and a cancel always have room.
const LONG: usize = 6;
/// Time to wait for one of them.
const TURN: Duration = Duration::from_secs(5);
/// Time to the first answer: ssh connects, is let in, the files of the host's shell run.
const FIRST: Duration = Duration::from_secs(30);
/// Pause between two answers of a question that is not followed.
const NEXT: Duration = Duration::from_secs(20);
/// Pause between two probes of a road that is well. Each is a connection, and leaves a line in the host's log.
const EVERY: Duration = Duration::from_mins(1);

/// The road. Dropping it ends the connections; what the host runs goes on.
#[derive(Debug)]
pub struct ExecLayer {
    road: Arc<Road>,
    _stop: DropGuard,
}

/// Opens the road.
#[must_use]
pub fn open(call: SshCall, host: HostName, term: watch::Receiver<Term>, news: mpsc::Sender<LayerNews>) -> ExecLayer {
    let stop = CancellationToken::new();
    let road = Arc::new(Road {
        call,
        news: News { host, kind: LayerKind::Exec, sink: news },
        term,
        slots: Semaphore::new(SLOTS),
        long: Semaphore::new(LONG),
        nudge: Notify::new(),
        lost: Notify::new(),
        seen: Mutex::default(),
        stop: stop.clone(),
    });
    let keeper = Arc::clone(&road);
    tokio::spawn(async move {
        tokio::select! {
            () = keeper.stop.cancelled() => {}
            () = keeper.keep() => {}
        }
    });
    ExecLayer { road, _stop: stop.drop_guard() }
}

impl Layer for ExecLayer {
    fn kind(&self) -> LayerKind {
        LayerKind::Exec
    }

    fn ask(&self, question: ToAgent) -> Asked<'_> {
        let road = Arc::clone(&self.road);
        Box::pin(async move {
            let (done, answer) = oneshot::channel();
            tokio::spawn(async move {
                tokio::select! {
                    () = road.stop.cancelled() => {}
                    () = road.question(question, done) => {}
                }
            });
            answer.await.unwrap_or_else(|_| Err(NotDelivered::Unknown("the road ended".to_owned())))
        })
    }

    fn nudge(&self) {
        self.road.nudge.notify_one();
    }
}

/// What was seen of the host so far.
#[derive(Debug, Default)]
struct Seen {
    up: bool,
    barred: Option<String>,
    spool: Option<SpoolId>,
    /// What ends the connection that was answered last about a job it runs or follows.
    lines: HashMap<JobId, CancellationToken>,
}

#[derive(Debug)]
struct Road {
    call: SshCall,
    news: News,
    term: watch::Receiver<Term>,
    slots: Semaphore,
    long: Semaphore,
    nudge: Notify,
    /// The road was well and is not any more.
    lost: Notify,
    seen: Mutex<Seen>,
    stop: CancellationToken,
}

/// Where it is told what became of a question.
type Done = oneshot::Sender<Result<(), NotDelivered>>;

/// One question on its way: whether it was answered at all, and for good.
struct Way {
    begun: Instant,
    done: Option<Done>,
    follows: bool,
    settled: bool,
    /// The job that is run or followed over it.
    job: Option<JobId>,
    /// Whether it is the line of that job.
    listed: bool,
    /// Another connection has taken its place, or the road is barred.
    over: CancellationToken,
}

impl Way {
    fn tell(&mut self, result: Result<(), NotDelivered>) {
        if let Some(done) = self.done.take() {
            // Whoever asked may have stopped waiting.
            let _ = done.send(result);
        }
    }
}

impl Road {
    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks now and then whether anybody is there.
    async fn keep(&self) {
        let mut tries = 0;
        loop {
            if self.seen(|seen| !seen.up) && self.news.tell(LayerEvent::Connecting).await.is_err() {
                return;
            }
            let (done, _) = oneshot::channel();
            self.question(ToAgent::Probe { nonce: rand::random() }, done).await;
            let (up, barred) = self.seen(|seen| (seen.up, seen.barred.is_some()));
            let wait = if up { EVERY } else { pause(tries, BACKOFF_MAX, rand::random_range(0.5..=1.0)) };
            tries = if up { 0 } else { tries.saturating_add(1) };
            // It is asked again either way, but what is barred waits for a person.
            let nudged = tokio::select! {
                () = self.nudge.notified() => true,
                () = self.lost.notified(), if !barred => false,
                () = tokio::time::sleep(wait), if !barred => false,
            };
            if nudged && self.seen(|seen| seen.barred.is_some()) {
                // Somebody has looked: whatever answers now is taken.
                self.seen(|seen| *seen = Seen::default());
                tries = 0;
            }
        }
    }

    /// A place for a connection; one for a job that is run or followed is `long`.
    async fn turn(&self, long: bool) -> Result<(Option<SemaphorePermit<'_>>, SemaphorePermit<'_>), String> {
        let none = |most: usize, what: &str| format!("all {most} connections of this road{what} are in use");
        let long = if long {
            Some(within(TURN, self.long.acquire()).await.ok_or_else(|| none(LONG, " for jobs"))?)
        } else {
            None
        };
        Ok((long, within(TURN, self.slots.acquire()).await.ok_or_else(|| none(SLOTS, ""))?))
    }

    /// Makes `way` the line of its job; the one before ends.
    fn list(&self, way: &mut Way) {
        if let Some(job) = way.job.filter(|_| !way.listed) {
            way.listed = true;
            self.seen(|seen| seen.lines.insert(job, way.over.clone()).inspect(CancellationToken::cancel));
        }
    }

    /// `way` has ended, and is no line of its job any more.
    fn unlist(&self, way: &Way) {
        self.seen(|seen| {
            if let Some(job) = way.job.filter(|_| way.listed && !way.over.is_cancelled()) {
                seen.lines.remove(&job);
            }
        });
    }

    async fn question(&self, question: ToAgent, done: Done) {
        let follows = matches!(question, ToAgent::Query { follow: true, .. });
        let settled = matches!(question, ToAgent::Fin { .. });
        let job = match &question {
            ToAgent::Run(order) => Some(order.id),
            ToAgent::Query { id, follow: true, .. } => Some(*id),
            _ => None,
        };
        let over = CancellationToken::new();
        let mut way =
            Way { begun: Instant::now(), done: Some(done), follows, settled, job, listed: false, over: over.clone() };
        let never = |why: String| Err(NotDelivered::NeverSent(why));
        if let Some(why) = self.seen(|seen| seen.barred.clone()) {
            return way.tell(never(why));
        }
        if let Some(older) = job.filter(|_| follows).and_then(|job| self.seen(|seen| seen.lines.remove(&job))) {
            // Its place is needed, and it has nothing to say that this one would not.
            older.cancel();
        }
        let _places = match self.turn(job.is_some()).await {
            Ok(places) => places,
            Err(why) => return way.tell(never(why)),
        };
        let word = mark();
        let line = match letter(&hello(&self.news.host, &mut self.term.clone()), &question) {
            Ok(letter) => {
                let id = about(&question);
                self.call.agent_line(&format!("exec --id {id} --b64 {letter} --mark {word}"))
            }
            Err(why) => return way.tell(never(why)),
        };
        way.begun = Instant::now();
        let closed = tokio::select! {
            () = over.cancelled() => Ok(()),
            closed = self.converse(&line, &word, &mut way) => closed,
        };
        self.unlist(&way);
        if let Err(closed) = closed {
            self.close(closed).await;
        }
    }

    /// The road is closed, for every connection of it.
    async fn close(&self, closed: Closed) {
        let (was_up, event) = self.seen(|seen| {
            let was_up = std::mem::replace(&mut seen.up, false);
            match closed {
                // It is told already.
                _ if seen.barred.is_some() => (false, None),
                Closed::Down(why) => (was_up, Some(LayerEvent::Down { why })),
                Closed::Barred(why) => {
                    seen.barred = Some(why.clone());
                    seen.lines.drain().for_each(|(_, line)| line.cancel());
                    (was_up, Some(LayerEvent::Barred { why }))
                }
            }
        });
        let Some(event) = event else { return };
        let bars = matches!(event, LayerEvent::Barred { .. });
        if self.news.tell(event).await.is_err() {
            return;
        }
        if bars {
            forget_nudges(&self.nudge);
        }
        if was_up {
            // The one that keeps it waits for a minute while the road is well.
            self.lost.notify_one();
        }
    }

    /// One connection. Its exit status is never taken for an answer: ssh, a shell and a signal all end with 255.
    async fn converse(&self, line: &str, word: &str, way: &mut Way) -> Result<(), Closed> {
        let (ssh, (stdin, mut stdout)) = match SshChild::start(&self.call, line) {
            Ok(started) => started,
            Err(why) => {
                way.tell(Err(NotDelivered::NeverSent(why.clone())));
                return Err(Closed::Down(why));
            }
        };
        drop(stdin);
        let mut answers = Answers::new(word);
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let reading = stdout.read(&mut chunk);
            let read = match (&way.done, way.follows) {
                (Some(_), _) => tokio::time::timeout(FIRST, reading).await,
                (None, false) => tokio::time::timeout(NEXT, reading).await,
                // ssh itself notices when nobody is there any more.
                (None, true) => Ok(reading.await),
            };
            let Ok(read) = read else {
                let why =
                    format!("receive: nothing was heard for {} s", FIRST.as_secs().min(way.begun.elapsed().as_secs()));
                way.tell(Err(NotDelivered::Unknown(why.clone())));
                return if way.settled { Ok(()) } else { Err(Closed::Down(why)) };
            };
            let Ok(count @ 1..) = read else { break };
            let heard = match answers.feed(&chunk[..count]) {
                Ok(heard) => heard,
                Err(why) => {
                    let why = format!("receive: {why}");
                    way.tell(Err(NotDelivered::Unknown(why.clone())));
                    return Err(Closed::Down(why));
                }
            };
            for answer in heard {
                self.hear(answer, way).await?;
            }
        }
        let end = ssh.ended().await;
        if way.done.is_none() && way.settled {
            return Ok(());
        }
        let stage = end.stage();
        let closed = match end.failure(&self.call).await {
            Failure::OtherKey(why) => Closed::Barred(why),
            Failure::NoKey(why) | Failure::Other(why) => Closed::Down(why),
        };
        let (Closed::Down(why) | Closed::Barred(why)) = &closed;
        way.tell(Err(match stage {
            Stage::Outside => NotDelivered::NeverSent(why.clone()),
            Stage::Inside => NotDelivered::Unknown(why.clone()),
        }));
        Err(closed)
    }

    async fn hear(&self, answer: FromAgent, way: &mut Way) -> Result<(), Closed> {
        // Another connection may have found out.
        if let Some(why) = self.seen(|seen| seen.barred.clone()) {
            way.tell(Err(NotDelivered::Unknown(why.clone())));
            return Err(Closed::Barred(why));
        }
        let closed = match &answer {
            FromAgent::Goodbye { rule, reason } => Some(refused(rule, reason)),
            FromAgent::Welcome { spool, .. } => self.seen(|seen| {
                let first = *seen.spool.get_or_insert(*spool);
                (first != *spool).then(|| Closed::Barred(foreign(first, *spool)))
            }),
            _ => None,
        };
        way.settled |= settles(&answer, way.follows);
        let welcome = matches!(answer, FromAgent::Welcome { .. });
        way.tell(Ok(()));
        self.list(way);
        let gone = |_| Closed::Down("the engine ended".to_owned());
        self.news.tell(LayerEvent::Heard(Box::new(answer))).await.map_err(gone)?;
        if let Some(closed) = closed {
            return Err(closed);
        }
        if welcome {
            self.seen(|seen| seen.up = true);
            self.news.tell(LayerEvent::Alive { rtt: way.begun.elapsed() }).await.map_err(gone)?;
        }
        Ok(())
    }
}

/// Waits for a place, no longer than `time`.
async fn within<T, E>(time: Duration, place: impl Future<Output = Result<T, E>>) -> Option<T> {
    tokio::time::timeout(time, place).await.ok()?.ok()
}

/// What a question is about, for lists of processes and logs.
fn about(question: &ToAgent) -> String {
    let id = match question {
        ToAgent::Run(order) => order.id,
        ToAgent::Query { id, .. } | ToAgent::Cancel { id, .. } | ToAgent::Fin { id } => *id,
        ToAgent::Hello { .. } | ToAgent::Probe { .. } | ToAgent::Watch(_) | ToAgent::Drive(_) => return "0".repeat(32),
    };
    id.as_uuid().simple().to_string()
}

/// Whether nothing is missing when the connection ends after this answer.
fn settles(answer: &FromAgent, follows: bool) -> bool {
    match answer {
        FromAgent::Welcome { .. } | FromAgent::Received { .. } | FromAgent::Output { .. } => false,
        FromAgent::State { journal: Journal::Accepted | Journal::Started { .. }, .. } => !follows,
        _ => true,
    }
}

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
