//! How soon a road that is back carries first again: the core and a connection together, by a clock that nobody waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{DuplexStream, duplex, split};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use crate::bridge::road::{HOLD_MAX, PROVE_EVERY};
use crate::bridge::{Bridge, BridgeEffect, BridgeInput, HostSpec, Layer, LayerNews, Term};
use crate::model::{EngineId, HostPanel, LayerKind, LayerState, SpoolId};
use crate::net::{FrameReader, FrameWriter};
use crate::protocol::{AGENT_VERSION, FromAgent, ToAgent};

use super::stream::{BACKOFF_MAX, Closed, Line, Open, Opening, StreamLayer};
use super::trigger::PAUSE_MAX;

/// What is promised of a road whose far side is back.
const BACK: Duration = Duration::from_secs(12);

/// How a kind of road is when it is slowest.
#[derive(Debug, Clone, Copy)]
struct Slow {
    kind: LayerKind,
    /// Between two tries.
    pause: Duration,
    /// Until a connection is there.
    opens: Duration,
    /// Until a question is answered.
    answers: Duration,
}

/// ssh has connected, is let in, and has started the agent; a question over `exec` is one connection.
const SSH: Slow = Slow {
    kind: LayerKind::Tmux,
    pause: BACKOFF_MAX,
    opens: Duration::from_secs(2),
    answers: Duration::from_millis(400),
};
/// An agent that looks every second writes a beat every third time it looks, and is woken by nothing; the near side looks
/// ten times a second.
const FILES: Slow = Slow {
    kind: LayerKind::Trigger,
    pause: PAUSE_MAX,
    opens: Duration::from_millis(3_100),
    answers: Duration::from_millis(1_100),
};

#[test]
fn what_a_road_that_is_back_waits_for_is_less_than_twelve_seconds_in_sum() {
    for slow in [SSH, FILES] {
        // The greeting and the first probe.
        let answered = slow.pause + slow.opens + 2 * slow.answers;
        // A question may be on its way when the time is up; then one more is needed.
        let proven = HOLD_MAX + PROVE_EVERY + slow.answers;
        assert!(answered + proven < BACK, "{slow:?}: {:?}", answered + proven);
    }
}

/// The far side, which is there or not.
struct Far {
    begun: Instant,
    there: AtomicBool,
    killed: Notify,
}

impl Far {
    /// What every clock shows.
    fn clock(&self) -> Timestamp {
        Timestamp::from_second(1_790_000_000).expect("in range") + self.begun.elapsed()
    }
}

/// Makes connections to a far side.
struct Opener(Arc<Far>, Slow);

impl Open for Opener {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async move {
            let gone = || Closed::Down("connect: refused".to_owned());
            if !self.0.there.load(Ordering::Relaxed) {
                return Err(gone());
            }
            tokio::select! {
                () = self.0.killed.notified() => return Err(gone()),
                () = tokio::time::sleep(self.1.opens) => {}
            }
            let (near, far) = duplex(4096);
            let (state, answers) = (Arc::clone(&self.0), self.1.answers);
            tokio::spawn(async move {
                tokio::select! {
                    () = state.killed.notified() => {}
                    () = serve(&state, far, answers) => {}
                }
            });
            let (reader, writer) = split(near);
            Ok(Line {
                reader: FrameReader::new(Box::new(reader)),
                writer: FrameWriter::new(Box::new(writer)),
                patience: Duration::from_secs(10),
                last_words: Box::pin(async { None }),
            })
        })
    }

    fn longest_pause(&self) -> Duration {
        self.1.pause
    }
}

/// An agent that takes its time, for each question as long.
async fn serve(state: &Far, far: DuplexStream, answers: Duration) {
    let (reader, writer) = split(far);
    let (mut reader, mut writer) = (FrameReader::new(reader), FrameWriter::new(writer));
    // Its far end asks once a second.
    let (asked, mut waiting) = mpsc::unbounded_channel();
    let hears = async move {
        while let Ok(Some(question)) = reader.read::<ToAgent>().await {
            // Whoever answers is there as long as the connection.
            let _ = asked.send((Instant::now() + answers, question));
        }
    };
    let says = async move {
        while let Some((due, question)) = waiting.recv().await {
            tokio::time::sleep_until(due).await;
            if writer.write(&answer(&question, state.clock())).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(hears, says);
}

fn answer(question: &ToAgent, clock: Timestamp) -> FromAgent {
    match question {
        ToAgent::Probe { nonce } => FromAgent::Alive { nonce: *nonce, clock, load_percent: None, running: 0 },
        _ => FromAgent::Welcome {
            version: AGENT_VERSION,
            aurora: "1".to_owned(),
            spool: SpoolId::from_uuid(Uuid::nil()),
            boot: "b".to_owned(),
            clock,
            epoch: 1,
            lost: Vec::new(),
        },
    }
}

/// The core, one road, and the news of it.
struct Rig {
    bridge: Bridge,
    road: Arc<StreamLayer>,
    news: mpsc::Receiver<LayerNews>,
    far: Arc<Far>,
    panel: Option<HostPanel>,
    _term: watch::Sender<Term>,
}

impl Rig {
    fn new(slow: Slow) -> Self {
        let term = Term { engine: EngineId::from_uuid(Uuid::nil()), epoch: 1 };
        let (sender, watched) = watch::channel(term);
        let (sink, news) = mpsc::channel(64);
        let far = Arc::new(Far { begun: Instant::now(), there: AtomicBool::new(false), killed: Notify::new() });
        let host: crate::model::HostName = "web-1".parse().expect("a name");
        let road = StreamLayer::start(slow.kind, Opener(Arc::clone(&far), slow), host.clone(), watched, sink);
        let (bridge, road) = (Bridge::new(term, 7), Arc::new(road));
        let mut rig = Self { bridge, road, news, far, panel: None, _term: sender };
        rig.tell(BridgeInput::Hosts(vec![HostSpec {
            name: host,
            labels: Vec::new(),
            layers: vec![slow.kind],
            at_once: 2,
        }]));
        rig
    }

    fn tell(&mut self, input: BridgeInput) {
        for effect in self.bridge.apply(input, self.far.clock()) {
            match effect {
                BridgeEffect::Panel(panel) => self.panel = Some(panel),
                BridgeEffect::Nudge { .. } => self.road.nudge(),
                BridgeEffect::Ask { question, .. } => {
                    let road = Arc::clone(&self.road);
                    tokio::spawn(async move { road.ask(question).await });
                }
                _ => {}
            }
        }
    }

    /// Lets time pass until `until`, or until the road carries first; whether it does.
    async fn goes_on(&mut self, until: Instant, wants: bool) -> bool {
        loop {
            let is_up = self.panel.iter().flat_map(|panel| &panel.layers).any(|layer| layer.state == LayerState::Up);
            if wants && is_up {
                return true;
            }
            let wake = self.bridge.next_wake().map(|wake| Duration::try_from(wake.duration_since(self.far.clock())));
            let wake = Instant::now() + wake.map_or(Duration::from_hours(1), Result::unwrap_or_default);
            tokio::select! {
                news = self.news.recv() => self.tell(BridgeInput::News(news.expect("news"))),
                () = tokio::time::sleep_until(wake.min(until)) => {
                    if Instant::now() >= until {
                        return false;
                    }
                    self.tell(BridgeInput::Tick);
                }
            }
        }
    }

    fn kill(&self) {
        self.far.there.store(false, Ordering::Relaxed);
        self.far.killed.notify_waiters();
    }
}

#[tokio::test(start_paused = true)]
async fn a_far_side_that_was_killed_carries_first_again_within_twelve_seconds_of_its_return_however_often() {
    for slow in [SSH, FILES] {
        let mut rig = Rig::new(slow);
        let mut longest = Duration::ZERO;
        for away in 0..120_u64 {
            // Away for a moment, or for so long that every pause is the longest.
            rig.goes_on(Instant::now() + Duration::from_millis(37 + away * 331), false).await;
            rig.far.there.store(true, Ordering::Relaxed);
            let back = Instant::now();
            assert!(rig.goes_on(back + BACK, true).await, "{slow:?}, {away}: {longest:?}");
            longest = longest.max(back.elapsed());
            rig.kill();
        }
        assert!(longest > HOLD_MAX, "it had to prove itself: {longest:?}");
        println!("{}: {longest:?} at most", slow.kind);
    }
}
