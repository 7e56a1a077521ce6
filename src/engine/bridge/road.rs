//! One road as the bridge holds it: a layer that panics or ends by itself ends alone, and is opened again.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, mpsc};

use crate::bridge::{Layer, LayerEvent, LayerNews, NotDelivered, Ticket};
use crate::model::{HostName, LayerKind};
use crate::protocol::ToAgent;

/// Longest time for a layer to hand a question over. One that takes longer hangs.
const HANDING_OVER: Duration = Duration::from_secs(10);
/// First pause before a layer that ended by itself is opened again; doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Pieces of news of one layer that may wait.
const NEWS: usize = 256;

/// What became of handing a question over.
pub(super) type Handed = (Ticket, Result<(), NotDelivered>);
type Handing = Pin<Box<dyn Future<Output = Handed> + Send>>;

/// Opens the layer; it says its news through the sender.
pub(super) type Reopen = Box<dyn Fn(mpsc::Sender<LayerNews>) -> Result<Arc<dyn Layer>, String> + Send + Sync>;

/// A road, from the side of the task that holds it.
pub(super) struct Road {
    pub host: HostName,
    pub kind: LayerKind,
    pub reopen: Reopen,
    pub news: mpsc::Sender<LayerNews>,
    pub handed: mpsc::UnboundedSender<Handed>,
    pub questions: mpsc::UnboundedReceiver<(Ticket, ToAgent)>,
    pub nudge: Arc<Notify>,
}

impl Road {
    /// Keeps the layer open until nobody asks any more.
    pub(super) async fn keep(mut self) {
        let mut pause = PAUSE;
        loop {
            let (sender, mut heard) = mpsc::channel(NEWS);
            let opened = std::panic::catch_unwind(AssertUnwindSafe(|| (self.reopen)(sender)));
            let why = match opened.unwrap_or_else(|_| Err("opening it panicked".to_owned())) {
                Ok(layer) => match self.serve(layer, &mut heard).await {
                    Some(why) => why,
                    None => return,
                },
                Err(why) => why,
            };
            tracing::warn!(host = %self.host, layer = %self.kind, why, "a layer ended; it is opened again");
            if !self.tell(LayerEvent::Down { why: why.clone() }).await || !self.rest(pause, &why).await {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Lets questions through, and news back. Answers why the layer ended; `None` when nobody asks any more.
    async fn serve(&mut self, layer: Arc<dyn Layer>, heard: &mut mpsc::Receiver<LayerNews>) -> Option<String> {
        let mut asking: FuturesUnordered<Handing> = FuturesUnordered::new();
        loop {
            tokio::select! {
                news = heard.recv() => match news {
                    // The runner ends only with the whole bridge.
                    Some(news) => self.news.send(news).await.ok()?,
                    None => return Some("it ended by itself: a defect, its log line says more".to_owned()),
                },
                question = self.questions.recv() => {
                    let (ticket, question) = question?;
                    let mut handing = hand(Arc::clone(&layer), ticket, question);
                    // Begun at once, so that questions reach the layer in their order.
                    let begun = poll_fn(|context| Poll::Ready(handing.as_mut().poll(context))).await;
                    match begun {
                        Poll::Ready(handed) => self.handed.send(handed).ok()?,
                        Poll::Pending => asking.push(handing),
                    }
                }
                Some(handed) = asking.next() => self.handed.send(handed).ok()?,
                () = self.nudge.notified() => layer.nudge(),
            }
        }
    }

    async fn tell(&self, event: LayerEvent) -> bool {
        self.news.send(LayerNews { host: self.host.clone(), kind: self.kind, event }).await.is_ok()
    }

    /// Waits; what is asked meanwhile is not sent. Answers whether anybody may still ask.
    async fn rest(&mut self, pause: Duration, why: &str) -> bool {
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return true,
                () = self.nudge.notified() => return true,
                question = self.questions.recv() => {
                    let Some((ticket, _)) = question else { return false };
                    if self.handed.send((ticket, Err(NotDelivered::NeverSent(why.to_owned())))).is_err() {
                        return false;
                    }
                }
            }
        }
    }
}

/// Hands a question to `layer`. A layer that panics over it, or takes too long, may have sent it.
fn hand(layer: Arc<dyn Layer>, ticket: Ticket, question: ToAgent) -> Handing {
    Box::pin(async move {
        let asked = AssertUnwindSafe(async { tokio::time::timeout(HANDING_OVER, layer.ask(question)).await });
        let result = match asked.catch_unwind().await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(NotDelivered::Unknown(format!("it was not handed over within {HANDING_OVER:?}"))),
            Err(_) => Err(NotDelivered::Unknown("the layer panicked: a defect, its log line says more".to_owned())),
        };
        (ticket, result)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use crate::bridge::Asked;

    use super::*;

    /// A layer that does with question N what its nonce says: 1 takes it, 2 panics, 3 hangs.
    struct Odd(#[expect(dead_code, reason = "held, as a layer holds it")] mpsc::Sender<LayerNews>);

    impl Layer for Odd {
        fn kind(&self) -> LayerKind {
            LayerKind::Socket
        }

        fn ask(&self, question: ToAgent) -> Asked<'_> {
            Box::pin(async move {
                match question {
                    ToAgent::Probe { nonce: 2 } => panic!("a defect"),
                    ToAgent::Probe { nonce: 3 } => std::future::pending().await,
                    _ => Ok(()),
                }
            })
        }

        fn nudge(&self) {}
    }

    struct Rig {
        questions: mpsc::UnboundedSender<(Ticket, ToAgent)>,
        handed: mpsc::UnboundedReceiver<Handed>,
        news: mpsc::Receiver<LayerNews>,
        opened: Arc<AtomicU32>,
    }

    fn rig(
        make: impl Fn(u32, mpsc::Sender<LayerNews>) -> Result<Arc<dyn Layer>, String> + Send + Sync + 'static,
    ) -> Rig {
        let (questions, asked) = mpsc::unbounded_channel();
        let (hands, handed) = mpsc::unbounded_channel();
        let (sender, news) = mpsc::channel(16);
        let opened = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&opened);
        let road = Road {
            host: "web-1".parse().expect("a name"),
            kind: LayerKind::Socket,
            reopen: Box::new(move |sender| make(count.fetch_add(1, Ordering::Relaxed), sender)),
            news: sender,
            handed: hands,
            questions: asked,
            nudge: Arc::default(),
        };
        tokio::spawn(road.keep());
        Rig { questions, handed, news, opened }
    }

    /// Tickets as the core makes them.
    fn ask(rig: &Rig, nonce: u64) {
        rig.questions.send((ticket(), ToAgent::Probe { nonce })).expect("somebody listens");
    }

    fn ticket() -> Ticket {
        Ticket::default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_over_which_a_layer_panics_or_hangs_is_unsure_and_the_next_one_goes_on() {
        let mut rig = rig(|_, sender| Ok(Arc::new(Odd(sender))));
        for (nonce, words) in [(2, "panicked"), (1, ""), (3, "within 10s"), (1, "")] {
            ask(&rig, nonce);
            let (_, result) = rig.handed.recv().await.expect("an answer");
            match result {
                Ok(()) => assert!(words.is_empty()),
                Err(NotDelivered::Unknown(why)) => assert!(why.contains(words) && !words.is_empty(), "{why}"),
                Err(other) => panic!("{other}"),
            }
        }
        // A question that hangs keeps no other waiting.
        ask(&rig, 3);
        ask(&rig, 1);
        assert_eq!(rig.handed.recv().await.expect("an answer").1, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_layer_that_ends_is_told_down_and_opened_again() {
        let mut rig = rig(|number, sender| match number {
            0 => Err("its key cannot be read".to_owned()),
            1 => panic!("a defect"),
            // Nobody holds its sender: its own task has died.
            2 => {
                drop(sender);
                let (other, _) = mpsc::channel(1);
                Ok(Arc::new(Odd(other)))
            }
            _ => Ok(Arc::new(Odd(sender))),
        });
        for words in ["key cannot be read", "panicked", "ended by itself"] {
            let LayerEvent::Down { why } = rig.news.recv().await.expect("news").event else { panic!("it is down") };
            assert!(why.contains(words), "{why}");
        }
        ask(&rig, 1);
        let first = rig.handed.recv().await.expect("an answer").1;
        assert!(matches!(first, Err(NotDelivered::NeverSent(_))), "while it rests: {first:?}");
        tokio::time::sleep(Duration::from_secs(5)).await;
        ask(&rig, 1);
        assert_eq!(rig.handed.recv().await.expect("an answer").1, Ok(()));
        assert_eq!(rig.opened.load(Ordering::Relaxed), 4);
    }
}
