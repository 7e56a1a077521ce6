//! One connection to an agent, from its greeting to its end.

use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::bridge::layer::{LayerEvent, LayerNews, NotDelivered, Term};
use crate::model::{HostName, LayerKind, SpoolId, rules};
use crate::net::FrameError;
use crate::protocol::{AGENT_VERSION, FromAgent, ToAgent};

use super::pulse::{Beat, Pulse};
use super::stream::{Closed, Line, Reading, Writing};

/// A question with the place for what becomes of it. It is answered in any case, even when it is only dropped.
#[derive(Debug)]
pub(super) struct Asking {
    question: ToAgent,
    done: Option<oneshot::Sender<Result<(), NotDelivered>>>,
    handed: bool,
}

impl Asking {
    pub(super) fn new(question: ToAgent, done: oneshot::Sender<Result<(), NotDelivered>>) -> Self {
        Self { question, done: Some(done), handed: false }
    }

    /// Says that it was not sent, because of `why`.
    pub(super) fn turn_away(mut self, why: &str) {
        self.answer(Err(NotDelivered::NeverSent(why.to_owned())));
    }

    fn answer(&mut self, result: Result<(), NotDelivered>) {
        if let Some(done) = self.done.take() {
            // Whoever asked may have stopped waiting.
            let _ = done.send(result);
        }
    }

    fn failed(&mut self, why: &str) {
        let why = why.to_owned();
        self.answer(Err(if self.handed { NotDelivered::Unknown(why) } else { NotDelivered::NeverSent(why) }));
    }

    async fn write(mut self, writer: &mut Writing) -> Result<(), Ended> {
        match writer.write_noting(&self.question, &mut self.handed).await {
            Ok(()) => {
                self.answer(Ok(()));
                Ok(())
            }
            Err(error) => {
                self.failed(&error.to_string());
                // The connection is as good as it was when not a byte was taken because there were too many.
                if self.handed || !matches!(error, FrameError::TooLong) {
                    return Err(Ended::Closed(Closed::Down(format!("send: {error}"))));
                }
                Ok(())
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.failed("the road was closed");
    }
}

/// Where news of one road go.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) host: HostName,
    pub(super) kind: LayerKind,
    pub(super) sink: mpsc::Sender<LayerNews>,
}

impl News {
    /// Tells what happened, and waits while the engine has much to hear.
    pub(super) async fn tell(&self, event: LayerEvent) -> Result<(), Ended> {
        let news = LayerNews { host: self.host.clone(), kind: self.kind, event };
        self.sink.send(news).await.map_err(|_| Ended::Dropped)
    }
}

/// Why a connection is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nobody wants the road any more.
    Dropped,
    /// The far side closed it.
    Line,
    /// Something is wrong with it.
    Closed(Closed),
}

/// What is the same for every connection of a road.
pub(super) struct Talk<'a> {
    pub(super) news: &'a News,
    pub(super) term: &'a mut watch::Receiver<Term>,
    pub(super) questions: &'a mut mpsc::Receiver<Asking>,
    pub(super) nudge: &'a Notify,
    /// The journal that answered first on this road.
    pub(super) spool: &'a mut Option<SpoolId>,
}

impl Talk<'_> {
    /// Greets, and then carries questions and news until the connection ends.
    pub(super) async fn run(&mut self, line: &mut Line) -> Ended {
        let Line { reader, writer, patience, .. } = line;
        if let Err(ended) = self.greet(reader, writer, *patience).await {
            return ended;
        }
        let (probes, mut wanted) = mpsc::channel(4);
        tokio::select! {
            ended = hear(reader, self.news, self.nudge, &probes) => ended,
            ended = say(writer, &self.news.host, self.term, self.questions, &mut wanted) => ended,
        }
    }

    async fn greet(&mut self, reader: &mut Reading, writer: &mut Writing, patience: Duration) -> Result<(), Ended> {
        let hello = hello(&self.news.host, &mut *self.term);
        let greeting = async {
            writer.write(&hello).await?;
            reader.read().await
        };
        let greeted = turning_away(self.questions, "it is being opened", tokio::time::timeout(patience, greeting));
        let down = |why: String| Ended::Closed(Closed::Down(format!("greeting: {why}")));
        let answer = match greeted.await? {
            Ok(Ok(Some(answer))) => answer,
            // A pipe that breaks says less than whoever broke it.
            Ok(Ok(None) | Err(FrameError::Broken(_))) => return Err(Ended::Line),
            Ok(Err(error)) => return Err(down(format!("{error}; a start-up file there may print something"))),
            Err(_) => return Err(down(format!("no answer within {} s", patience.as_secs()))),
        };
        let verdict = match &answer {
            FromAgent::Welcome { version: AGENT_VERSION, spool, .. } => {
                let first = *self.spool.get_or_insert(*spool);
                if first == *spool { Ok(()) } else { Err(Closed::Barred(foreign(first, *spool))) }
            }
            FromAgent::Welcome { version, aurora, .. } => Err(Closed::Down(format!(
                "greeting: the agent (aurora {aurora}) speaks version {version}, this engine {AGENT_VERSION}; use the same aurora on both sides"
            ))),
            FromAgent::Goodbye { rule, reason } => Err(refused(rule, reason)),
            _ => Err(Closed::Down("greeting: the agent spoke before it greeted".to_owned())),
        };
        self.news.tell(LayerEvent::Heard(Box::new(answer))).await?;
        verdict.map_err(Ended::Closed)
    }
}

/// Waits for `step`; what is asked meanwhile is turned away at once, because of `why`.
pub(super) async fn turning_away<T>(
    questions: &mut mpsc::Receiver<Asking>,
    why: &str,
    step: impl Future<Output = T>,
) -> Result<T, Ended> {
    tokio::pin!(step);
    loop {
        tokio::select! {
            done = &mut step => return Ok(done),
            asked = questions.recv() => asked.ok_or(Ended::Dropped)?.turn_away(why),
        }
    }
}

/// Who asks, and of which host.
pub(super) fn hello(host: &HostName, term: &mut watch::Receiver<Term>) -> ToAgent {
    let Term { engine, epoch } = *term.borrow_and_update();
    ToAgent::Hello { version: AGENT_VERSION, engine, epoch, host: host.clone() }
}

/// An agent that refuses a host is not the agent of that host.
pub(super) fn refused(rule: &str, reason: &str) -> Closed {
    let why = format!("greeting: refused by the agent ({rule}): {reason}");
    if rule == rules::OTHER_HOST { Closed::Barred(why) } else { Closed::Down(why) }
}

/// Says that another journal answers than before.
pub(super) fn foreign(first: SpoolId, now: SpoolId) -> String {
    format!(
        "greeting: another journal answers, {now}; until now it was {first}. If the host was set up anew, ask again with `aurora host check`"
    )
}

/// Hears what the agent says, and watches that it goes on saying something.
async fn hear(reader: &mut Reading, news: &News, nudge: &Notify, probes: &mpsc::Sender<u64>) -> Ended {
    let mut pulse = Pulse::new(Instant::now(), rand::random());
    let mut seen = reader.heard();
    loop {
        tokio::select! {
            frame = reader.read::<FromAgent>() => {
                let said = match frame {
                    Ok(Some(said)) => said,
                    Ok(None) | Err(FrameError::Broken(_)) => return Ended::Line,
                    Err(error) => return Ended::Closed(Closed::Down(format!("receive: {error}"))),
                };
                let rtt = match &said {
                    FromAgent::Alive { nonce, .. } => pulse.answered(*nonce, Instant::now()),
                    _ => None,
                };
                let goodbye = match &said {
                    FromAgent::Goodbye { rule, reason } => Some(refused(rule, reason)),
                    _ => None,
                };
                if let Err(ended) = news.tell(LayerEvent::Heard(Box::new(said))).await {
                    return ended;
                }
                if let Some(closed) = goodbye {
                    return Ended::Closed(closed);
                }
                if let Some(rtt) = rtt
                    && let Err(ended) = news.tell(LayerEvent::Alive { rtt }).await
                {
                    return ended;
                }
                // The engine may have taken its time; that is no silence.
                pulse.heard(Instant::now());
            }
            () = tokio::time::sleep_until(pulse.due()) => {
                let now = Instant::now();
                if reader.heard() != seen {
                    seen = reader.heard();
                    pulse.heard(now);
                }
                match pulse.beat(now) {
                    Beat::Rest => {}
                    // Where none fits a write is stuck, and that ends by itself.
                    Beat::Probe(nonce) => drop(probes.try_send(nonce)),
                    Beat::Silent(silence) => {
                        let why = format!("receive: 3 probes were not answered, nothing was heard for {} s", silence.as_secs());
                        return Ended::Closed(Closed::Down(why));
                    }
                }
            }
            () = nudge.notified() => pulse.hurry(Instant::now()),
        }
    }
}

/// Says what is asked.
async fn say(
    writer: &mut Writing,
    host: &HostName,
    term: &mut watch::Receiver<Term>,
    questions: &mut mpsc::Receiver<Asking>,
    probes: &mut mpsc::Receiver<u64>,
) -> Ended {
    loop {
        let message = tokio::select! {
            biased;
            Some(nonce) = probes.recv() => ToAgent::Probe { nonce },
            changed = term.changed() => match changed {
                Ok(()) => hello(host, term),
                Err(_) => return Ended::Dropped,
            },
            asked = questions.recv() => {
                let Some(asked) = asked else { return Ended::Dropped };
                if let Err(ended) = asked.write(writer).await {
                    return ended;
                }
                continue;
            }
        };
        if let Err(error) = writer.write(&message).await {
            return Ended::Closed(Closed::Down(format!("send: {error}")));
        }
    }
}
