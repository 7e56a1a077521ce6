//! The task behind the link to the panes of one host: it opens roads, carries words, and wakes when something is due.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bridge::layer::{Layer, LayerEvent, LayerNews};
use crate::config::TmuxConfig;
use crate::model::{HostName, LayerKind, PaneId};
use crate::protocol::{DriveAsk, ToAgent, WatchAsk};

use super::kept::Kept;
use super::link::{Link, LinkEffect, LinkNews};
use super::moment::Moment;

/// Pieces of news of a road that may wait: each may be as long as a frame.
const NEWS: usize = 16;
/// Words that may wait for a road. One that takes so few is stuck.
const WORDS: usize = 1_024;

/// Opens a road of a kind, or says why it cannot even be tried.
pub type OpenLayer = Box<dyn Fn(LayerKind, mpsc::Sender<LayerNews>) -> Result<Arc<dyn Layer>, String> + Send + Sync>;

/// What whoever holds a link wants of it.
enum Order {
    Watch(Arc<Kept>),
    Unwatch(PaneId),
    Whole(PaneId),
    Drive(DriveAsk),
    Nudge,
}

/// The link to the panes of one host. Dropping it closes the connection.
#[derive(Debug)]
pub struct HostLink {
    /// As many as their holder gives.
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
}

impl HostLink {
    /// Opens the first of `roads` that works, and keeps one open. What happens is told with the name of the host.
    #[must_use]
    pub fn open(
        host: HostName,
        roads: Vec<LayerKind>,
        tmux: TmuxConfig,
        open: OpenLayer,
        news: mpsc::Sender<(HostName, LinkNews)>,
    ) -> Self {
        let (orders, ordered) = mpsc::unbounded_channel();
        let (link, effects) = Link::new(roads, tmux, Moment::now());
        let (_, heard) = mpsc::channel(1);
        let keeper = Keeper { host, link, open, news, heard, road: None };
        Self { orders, task: tokio::spawn(keeper.keep(effects, ordered)) }
    }

    /// Keeps this screen as the pane shows it.
    pub fn watch(&self, kept: Arc<Kept>) {
        self.order(Order::Watch(kept));
    }

    /// Keeps it no more.
    pub fn unwatch(&self, pane: PaneId) {
        self.order(Order::Unwatch(pane));
    }

    /// Whether every byte of it is wanted has changed on its kept screen.
    pub fn whole(&self, pane: PaneId) {
        self.order(Order::Whole(pane));
    }

    /// Says this, as somebody who drives. Where there is no road it is not said, and nothing comes of it.
    pub fn drive(&self, ask: DriveAsk) {
        self.order(Order::Drive(ask));
    }

    /// Tries the roads now.
    pub fn nudge(&self) {
        self.order(Order::Nudge);
    }

    fn order(&self, order: Order) {
        // A link whose task has ended is found so by its holder.
        let _ = self.orders.send(order);
    }

    /// Whether its task has ended, which is a defect.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for HostLink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A road that is open or being opened, and the one task that speaks over it.
struct Speaking {
    kind: LayerKind,
    watching: Watching,
    driving: Driving,
    task: JoinHandle<()>,
}

/// The mouth of whoever watches: there is no word in it that types.
struct Watching(mpsc::Sender<ToAgent>);

impl Watching {
    fn say(&self, ask: WatchAsk) -> bool {
        self.0.try_send(ToAgent::Watch(ask)).is_ok()
    }
}

/// The mouth of whoever drives.
struct Driving(mpsc::Sender<ToAgent>);

impl Driving {
    fn say(&self, ask: DriveAsk) -> bool {
        self.0.try_send(ToAgent::Drive(ask)).is_ok()
    }
}

impl Speaking {
    fn over(kind: LayerKind, layer: Arc<dyn Layer>) -> Self {
        let (words, mut said) = mpsc::channel(WORDS);
        let task = tokio::spawn(async move {
            while let Some(word) = said.recv().await {
                // A road that takes no word closes, and says so itself.
                let _ = layer.ask(word).await;
            }
        });
        Self { kind, watching: Watching(words.clone()), driving: Driving(words), task }
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    host: HostName,
    link: Link,
    open: OpenLayer,
    news: mpsc::Sender<(HostName, LinkNews)>,
    heard: mpsc::Receiver<LayerNews>,
    road: Option<Speaking>,
}

impl Keeper {
    async fn keep(mut self, first: Vec<LinkEffect>, mut ordered: mpsc::UnboundedReceiver<Order>) {
        let mut effects = first;
        loop {
            if !self.perform(effects).await {
                return;
            }
            let pause = self.link.pause();
            let hears = pause <= Instant::now();
            let due = self.link.due();
            effects = tokio::select! {
                order = ordered.recv() => match order {
                    Some(order) => self.ordered(order),
                    None => return,
                },
                Some(news) = self.heard.recv(), if hears => self.link.news(news.kind, news.event, Moment::now()),
                () = tokio::time::sleep_until(pause), if !hears => Vec::new(),
                () = sleep_until(due) => self.link.tick(Moment::now()),
            };
        }
    }

    fn ordered(&mut self, order: Order) -> Vec<LinkEffect> {
        match order {
            Order::Watch(kept) => self.link.watch(&kept, Moment::now()),
            Order::Unwatch(pane) => self.link.unwatch(pane),
            Order::Whole(pane) => self.link.whole(pane),
            Order::Nudge => self.link.nudge(),
            Order::Drive(ask) => match &self.road {
                Some(road) if !road.driving.say(ask) => self.stuck(),
                _ => Vec::new(),
            },
        }
    }

    fn stuck(&mut self) -> Vec<LinkEffect> {
        let Some(road) = &self.road else { return Vec::new() };
        let why = format!("send: {WORDS} words wait, and the agent takes none");
        self.link.news(road.kind, LayerEvent::Down { why }, Moment::now())
    }

    /// Does what the link wants, in order. Answers whether anybody still wants to hear of it.
    async fn perform(&mut self, effects: Vec<LinkEffect>) -> bool {
        let mut effects: std::collections::VecDeque<LinkEffect> = effects.into();
        while let Some(effect) = effects.pop_front() {
            match effect {
                LinkEffect::Open(kind) => {
                    let (sink, heard) = mpsc::channel(NEWS);
                    self.heard = heard;
                    match (self.open)(kind, sink) {
                        Ok(layer) => self.road = Some(Speaking::over(kind, layer)),
                        Err(why) => {
                            self.road = None;
                            effects.extend(self.link.news(kind, LayerEvent::Down { why }, Moment::now()));
                        }
                    }
                }
                LinkEffect::Close => self.road = None,
                LinkEffect::Say(ask) => {
                    if self.road.as_ref().is_some_and(|road| !road.watching.say(ask)) {
                        effects.extend(self.stuck());
                    }
                }
                LinkEffect::Tell(news) => {
                    if self.news.send((self.host.clone(), news)).await.is_err() {
                        return false;
                    }
                }
            }
        }
        true
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
