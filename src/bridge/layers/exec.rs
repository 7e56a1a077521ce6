//! The road of one fresh ssh connection a question. It needs nothing that stays open, so it is the last that works.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bridge::layer::{Asked, Layer, LayerEvent, LayerNews, NotDelivered, Term};
use crate::bridge::ssh::{Answers, Failure, SshCall, SshChild, Stage, letter, mark};
use crate::model::{HostName, LayerKind, SpoolId};
use crate::protocol::{FromAgent, Journal, ToAgent};

use super::stream::{Closed, pause};
use super::talk::{News, foreign, hello, refused};

/// Connections at once. sshd starts to drop new ones when ten are not let in yet (`MaxStartups`).
const SLOTS: usize = 8;
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
        nudge: Notify::new(),
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
}

#[derive(Debug)]
struct Road {
    call: SshCall,
    news: News,
    term: watch::Receiver<Term>,
    slots: Semaphore,
    nudge: Notify,
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
            if barred {
                self.nudge.notified().await;
                // Somebody has looked: whatever answers now is taken.
                self.seen(|seen| *seen = Seen::default());
                tries = 0;
                continue;
            }
            let wait = if up { EVERY } else { pause(tries, rand::random_range(0.5..=1.0)) };
            tries = if up { 0 } else { tries.saturating_add(1) };
            // Either way it is asked again.
            let _ = tokio::time::timeout(wait, self.nudge.notified()).await;
        }
    }

    async fn question(&self, question: ToAgent, done: Done) {
        let follows = matches!(question, ToAgent::Query { follow: true, .. });
        let settled = matches!(question, ToAgent::Fin { .. });
        let mut way = Way { begun: Instant::now(), done: Some(done), follows, settled };
        let never = |why: String| Err(NotDelivered::NeverSent(why));
        if let Some(why) = self.seen(|seen| seen.barred.clone()) {
            return way.tell(never(why));
        }
        let Ok(Ok(_slot)) = tokio::time::timeout(TURN, self.slots.acquire()).await else {
            return way.tell(never(format!("all {SLOTS} connections of this road are in use")));
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
        let closed = self.converse(&line, &word, &mut way).await;
        let Err(closed) = closed else { return };
        let (was_up, event) = self.seen(|seen| {
            let was_up = std::mem::replace(&mut seen.up, false);
            let event = match closed {
                Closed::Down(why) => LayerEvent::Down { why },
                Closed::Barred(why) => {
                    seen.barred = Some(why.clone());
                    LayerEvent::Barred { why }
                }
            };
            (was_up, event)
        });
        if self.news.tell(event).await.is_ok() && was_up {
            // The one that keeps it waits for a minute while the road is well.
            self.nudge.notify_one();
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

/// What a question is about, for lists of processes and logs.
fn about(question: &ToAgent) -> String {
    let id = match question {
        ToAgent::Run(order) => order.id,
        ToAgent::Query { id, .. } | ToAgent::Cancel { id, .. } | ToAgent::Fin { id } => *id,
        ToAgent::Hello { .. } | ToAgent::Probe { .. } => return "0".repeat(32),
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
