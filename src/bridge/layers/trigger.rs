//! The road of files: letters in a directory that the agent sees too, perhaps through a network mount.
//!
//! It is made to look like a connection, so that greeting, probes and their silence are those of every other road.
//! A question counts as handed over when it is on its way into the directory; when that fails the road goes down, and
//! whatever was asked is unsure.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::bridge::layer::{LayerNews, Term};
use crate::model::{HostName, LayerKind, SpoolId};
use crate::net::{
    Address, AgentKey, Answers, BEAT_NAME, BadLetter, Beat, FrameReader, FrameWriter, Way, open_letter, seal_letter,
};
use crate::protocol::{FromAgent, ToAgent};

use super::letter_files;
use super::stream::{Closed, Line, Open, Opening, StreamLayer};

/// Time for the agent to answer a greeting: it may look only every second.
const PATIENCE: Duration = Duration::from_secs(10);
/// A step in the directory that takes longer is taken for a mount that does not answer.
const STEP: Duration = Duration::from_secs(5);
/// Longest pause between two tries: a look at a directory costs little, and a beat has to be waited for besides.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(1);
/// An agent that is there leaves a beat every two seconds.
const BEAT_MAX: Duration = Duration::from_secs(7);
/// After a question the directory is looked at after this time, then after twice as long each time.
const LOOK: Duration = Duration::from_millis(4);
/// The longest pause while something is awaited.
const LOOK_MAX: Duration = Duration::from_millis(100);
/// The pause while nothing is.
const LOOK_IDLE: Duration = Duration::from_secs(1);
/// Answers are awaited no longer than this.
const AWAITED_MAX: Duration = Duration::from_mins(11);
/// Bytes on their way within this process.
const BUFFER: usize = 1 << 16;

/// Where the directory is, and how its letters are known.
#[derive(Debug, Clone)]
pub struct TriggerSpec {
    /// The directory, as this machine sees it.
    pub dir: PathBuf,
    /// The host's key.
    pub key: AgentKey,
}

/// Opens the road.
#[must_use]
pub fn open(
    spec: TriggerSpec,
    host: HostName,
    term: watch::Receiver<Term>,
    news: mpsc::Sender<LayerNews>,
) -> StreamLayer {
    StreamLayer::start(LayerKind::Trigger, Opener { spec, host: host.clone(), steps: Steps::new() }, host, term, news)
}

struct Opener {
    spec: TriggerSpec,
    host: HostName,
    steps: Steps,
}

impl Open for Opener {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async move {
            let spool = spool(&self.steps, &self.spec.dir).await?;
            let mut post = Post {
                spec: self.spec.clone(),
                host: self.host.clone(),
                steps: self.steps.clone(),
                spool,
                hello: None,
                awaited: BTreeMap::new(),
                beat: None,
            };
            // The one that is there may be of an agent that is gone; another shows that somebody writes them.
            post.look_at_beat().await?;
            let first = post.beat.map(|(beat, _)| beat);
            let until = Instant::now() + BEAT_MAX;
            while post.beat.map(|(beat, _)| beat) == first {
                if Instant::now() >= until {
                    return Err(Closed::Down(no_beat(&self.spec.dir)));
                }
                tokio::time::sleep(LOOK_MAX).await;
                post.look_at_beat().await?;
            }
            let (near, far) = duplex(BUFFER);
            let (reader, writer) = split(near);
            let (tell, told) = oneshot::channel();
            tokio::spawn(async move {
                let (reader, writer) = split(far);
                if let Err(closed) = post.carry(FrameReader::new(reader), FrameWriter::new(writer)).await {
                    // Nobody asks where the road was dropped.
                    let _ = tell.send(closed);
                }
            });
            Ok(Line {
                reader: FrameReader::new(Box::new(reader)),
                writer: FrameWriter::new(Box::new(writer)),
                patience: PATIENCE,
                last_words: Box::pin(async move { told.await.ok() }),
            })
        })
    }

    fn longest_pause(&self) -> Duration {
        PAUSE_MAX
    }
}

fn no_beat(dir: &Path) -> String {
    format!(
        "heartbeat: nobody leaves one in {}; is `aurora agent --only trigger` running there, and the mount alive?",
        dir.display()
    )
}

/// The journal that the directory belongs to.
async fn spool(steps: &Steps, dir: &Path) -> Result<SpoolId, Closed> {
    let path = dir.to_owned();
    let text = steps.take("open", move || letter_files::spool_id(&path)).await?;
    text.parse().map_err(|_| Closed::Down(format!("open: SPOOL_ID in {} holds no id", dir.display())))
}

/// Steps in the directory, off the runtime's threads and one at a time: one that hangs in a mount keeps its thread, and
/// however often that is tried again there must not be a second.
#[derive(Debug, Clone)]
struct Steps(Arc<Semaphore>);

impl Steps {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    async fn take<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Closed> {
        let turn = Arc::clone(&self.0);
        let taken = async move {
            let turn = turn.acquire_owned().await.map_err(io::Error::other)?;
            let work = move || {
                let _turn = turn;
                work()
            };
            tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
        };
        match tokio::time::timeout(STEP, taken).await {
            Ok(taken) => taken.map_err(|error| Closed::Down(format!("{what}: {error}"))),
            Err(_) => Err(Closed::Down(format!("{what}: the mount did not answer within {} s", STEP.as_secs()))),
        }
    }
}

type FarReader = FrameReader<ReadHalf<DuplexStream>>;
type FarWriter = FrameWriter<WriteHalf<DuplexStream>>;

/// A letter whose answers are awaited.
#[derive(Debug)]
struct Awaited {
    /// The number of the next answer.
    next: u32,
    since: Instant,
    /// Whether it is a greeting, whose welcome is news.
    greets: bool,
}

/// Carries frames as letters, and answers as frames.
struct Post {
    spec: TriggerSpec,
    host: HostName,
    steps: Steps,
    spool: SpoolId,
    hello: Option<ToAgent>,
    awaited: BTreeMap<String, Awaited>,
    /// The last beat, and when it was another.
    beat: Option<(Beat, Instant)>,
}

impl Post {
    async fn carry(mut self, mut reader: FarReader, mut writer: FarWriter) -> Result<(), Closed> {
        let (mut pause, mut beaten) = (LOOK, Instant::now());
        let mut look = Instant::now() + LOOK_IDLE;
        loop {
            tokio::select! {
                question = reader.read::<ToAgent>() => match question {
                    Ok(Some(question)) => {
                        self.send(question).await?;
                        pause = LOOK;
                        look = look.min(Instant::now() + pause);
                    }
                    // The road was dropped, or is opened anew.
                    Ok(None) | Err(_) => return Ok(()),
                },
                () = tokio::time::sleep_until(look) => {
                    pause = (pause * 2).min(LOOK_MAX);
                    for said in self.collect().await? {
                        if writer.write(&said).await.is_err() {
                            return Ok(());
                        }
                        pause = LOOK;
                    }
                    if beaten.elapsed() >= LOOK_IDLE {
                        self.look_at_beat().await?;
                        beaten = Instant::now();
                    }
                    look = Instant::now() + if self.awaited.is_empty() { LOOK_IDLE } else { pause };
                }
            }
        }
    }

    fn address(&self, name: &str, way: Way) -> Address {
        Address { host: self.host.clone(), spool: self.spool, name: name.to_owned(), way }
    }

    /// Writes `question` as a letter, with the greeting in front of it.
    async fn send(&mut self, question: ToAgent) -> Result<(), Closed> {
        let nonce = format!("{:016x}", rand::random::<u64>());
        let name = match &question {
            ToAgent::Run(order) => format!("{}.{nonce}", order.id.as_uuid().simple()),
            ToAgent::Query { id, .. } | ToAgent::Cancel { id, .. } | ToAgent::Fin { id } => {
                format!("{}.{nonce}", id.as_uuid().simple())
            }
            ToAgent::Hello { .. } | ToAgent::Probe { .. } | ToAgent::Watch(_) | ToAgent::Drive(_) => nonce,
        };
        let greets = matches!(question, ToAgent::Hello { .. });
        let letter = if greets {
            self.hello = Some(question.clone());
            vec![question]
        } else {
            self.hello.iter().cloned().chain([question]).collect()
        };
        let sealed = seal_letter(&self.spec.key, &self.address(&name, Way::Question), &letter)
            .map_err(|error| Closed::Down(format!("send: {error}")))?;
        let (dir, file) = (self.spec.dir.clone(), name.clone());
        // Before it is written: an answer may be there before this is known.
        self.awaited.insert(name, Awaited { next: 1, since: Instant::now(), greets });
        self.steps.take("send", move || letter_files::send(&dir, &file, &sealed)).await
    }

    /// What has been answered meanwhile, in order within each letter.
    async fn collect(&mut self) -> Result<Vec<FromAgent>, Closed> {
        self.awaited.retain(|_, awaited| awaited.since.elapsed() < AWAITED_MAX);
        let wanted: Vec<(String, u32)> =
            self.awaited.iter().map(|(name, awaited)| (name.clone(), awaited.next)).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let dir = self.spec.dir.clone();
        let files = self.steps.take("receive", move || letter_files::collect(&dir, &wanted)).await?;
        let mut heard = Vec::new();
        for (name, number, bytes) in files {
            let answers = open_letter::<Answers>(&self.spec.key, &self.address(&name, Way::Answer(number)), &bytes);
            let answers = answers.map_err(|error| barred(&self.spec.dir, &error))?;
            let Some(awaited) = self.awaited.get_mut(&name) else { continue };
            awaited.next = number + 1;
            let greets = awaited.greets;
            for Answers { said, last } in answers {
                // Every letter is greeted; only the first welcome is news.
                heard.extend(said.into_iter().filter(|said| greets || !matches!(said, FromAgent::Welcome { .. })));
                if last {
                    self.awaited.remove(&name);
                }
            }
        }
        Ok(heard)
    }

    /// Reads the beat: whose it is, whether it is another, and whether the agent is still the same.
    async fn look_at_beat(&mut self) -> Result<(), Closed> {
        let dir = self.spec.dir.clone();
        let bytes = self.steps.take("heartbeat", move || letter_files::beat(&dir)).await?;
        let now = Instant::now();
        if let Some(bytes) = bytes {
            let address = self.address(BEAT_NAME, Way::Answer(0));
            let beats = open_letter::<Beat>(&self.spec.key, &address, &bytes);
            let fresh = beats.map_err(|error| barred(&self.spec.dir, &error))?.first().copied();
            let known = self.beat.map(|(beat, _)| beat);
            if let Some(fresh) = fresh.filter(|fresh| known != Some(*fresh)) {
                if self.hello.is_some() && known.is_some_and(|known| known.agent != fresh.agent) {
                    return Err(Closed::Down("the agent was started again".to_owned()));
                }
                self.beat = Some((fresh, now));
            }
        }
        match self.beat {
            Some((_, since)) if now - since > BEAT_MAX && self.hello.is_some() => {
                Err(Closed::Down(no_beat(&self.spec.dir)))
            }
            _ => Ok(()),
        }
    }
}

/// What came from somebody else than the agent of this host.
fn barred(dir: &Path, error: &BadLetter) -> Closed {
    let why = format!("letter in {}: {error}", dir.display());
    match error {
        // Half a file on a mount that is not atomic.
        BadLetter::Form | BadLetter::Content => Closed::Down(why),
        BadLetter::Host(_) | BadLetter::Spool(_) | BadLetter::Mark => {
            Closed::Barred(format!("{why}; compare `trigger.dir` and the key here with [agent] on the host"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_mount_that_hangs_keeps_one_thread_and_answers_when_it_is_back() {
        let steps = Steps::new();
        let (back, hangs) = std::sync::mpsc::channel::<()>();
        let hanging = steps.take("open", move || hangs.recv().map_err(io::Error::other));
        tokio::pin!(hanging);
        // The clock stands still while a thread works, but for this.
        assert!(futures_util::poll!(&mut hanging).is_pending());
        tokio::time::advance(STEP).await;
        let why = hanging.await.expect_err("it hangs");
        assert_eq!(why, Closed::Down("open: the mount did not answer within 5 s".to_owned()));
        let again = steps.take("open", || -> io::Result<()> { panic!("a second thread") });
        tokio::pin!(again);
        assert!(futures_util::poll!(&mut again).is_pending());
        tokio::time::advance(STEP).await;
        assert!(again.await.is_err_and(|closed| matches!(closed, Closed::Down(why) if why.contains("did not answer"))));
        back.send(()).expect("it waits");
        assert_eq!(steps.take("open", || Ok(7)).await, Ok(7));
    }
}
