//! The desk of panes: who wants what of which host, in the order it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use crate::bridge::Term;
use crate::bridge::panes::LinkNews;
use crate::model::{HostName, OperatorName, PaneAddress, PaneId};
use crate::protocol::{ClientId, PaneReply, PaneRequest, PaneUpdate, Refusal, Reply, RequestId};

use super::super::Input;
use super::super::bridge::BridgeSet;
use super::host::Host;
use super::leases::Leases;
use super::marks::Mark;
use super::marks_file;
use super::recording::{Recording, mend};
use super::service::{Asking, Order, Panes};
use super::watching::Watch;

/// Pieces of news of links that may wait.
const NEWS: usize = 256;
/// The task takes a turn at least this often.
const TURN: Duration = Duration::from_secs(1);
/// Marks are looked at this often.
const LOOK: Duration = Duration::from_millis(500);
/// Searches at once, all clients together.
const SEARCHES: usize = 2;

/// A client that has asked something.
pub(super) struct Client {
    pub who: OperatorName,
    pub out: mpsc::Sender<PaneUpdate>,
    /// The version of each host it was told, while it follows.
    pub follows: Option<BTreeMap<HostName, u64>>,
    pub watches: BTreeMap<u64, Watch>,
}

/// A list somebody waits for.
pub(super) struct Listing {
    pub client: ClientId,
    pub id: RequestId,
    pub until: Instant,
}

/// Everything the task owns.
pub(super) struct Desk {
    pub(super) service: Arc<Panes>,
    pub(super) set: Arc<BridgeSet>,
    terms: watch::Receiver<Option<Term>>,
    term: Option<watch::Sender<Term>>,
    pub(super) hosts: BTreeMap<HostName, Host>,
    pub(super) clients: BTreeMap<ClientId, Client>,
    pub(super) leases: Leases,
    pub(super) marks: BTreeMap<PaneAddress, Mark>,
    pub(super) recordings: BTreeMap<PaneAddress, Recording>,
    /// Marks have changed and are not written yet.
    pub(super) unsaved: bool,
    news: mpsc::Receiver<(HostName, LinkNews)>,
    sender: mpsc::Sender<(HostName, LinkNews)>,
    pub(super) listing: Vec<Listing>,
    pub(super) replies: Vec<Input>,
    /// Something has happened that lists may tell of.
    pub(super) has_news: bool,
    /// When that is told at the earliest, and when it is looked for what changes by itself.
    pub(super) tell: Instant,
    pub(super) make: Instant,
    look: Instant,
    pub(super) searches: Arc<Semaphore>,
}

impl Desk {
    pub(super) async fn new(service: Arc<Panes>) -> Self {
        let (sender, news) = mpsc::channel(NEWS);
        let now = Instant::now();
        let mut desk = Self {
            set: service.bridges.set(),
            terms: service.bridges.terms(),
            term: None,
            hosts: BTreeMap::new(),
            clients: BTreeMap::new(),
            leases: Leases::default(),
            marks: BTreeMap::new(),
            recordings: BTreeMap::new(),
            unsaved: false,
            news,
            sender,
            listing: Vec::new(),
            replies: Vec::new(),
            has_news: true,
            tell: now,
            make: now,
            look: now,
            searches: Arc::new(Semaphore::new(SEARCHES)),
            service,
        };
        desk.take_term();
        desk.replaced();
        desk.read_marks().await;
        desk
    }

    /// Takes up what stood before the engine stopped.
    async fn read_marks(&mut self) {
        let dir = self.service.state_dir.clone();
        let read = tokio::task::spawn_blocking(move || {
            if let Err(error) = mend(&dir) {
                tracing::warn!(%error, "recordings cannot be looked at; one may end within a line");
            }
            marks_file::read(&dir)
        });
        let read = read.await;
        let kept = match read {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => return tracing::warn!(%error, "the marks of panes cannot be read; there are none"),
            Err(_) => return,
        };
        let now = Timestamp::now();
        for kept in kept {
            match Mark::new(kept.mark, kept.calls, now) {
                Ok(mark) => drop(self.marks.insert(kept.pane, mark)),
                Err(why) => tracing::warn!(why, "a mark of a pane cannot be taken up again"),
            }
        }
    }

    /// Other hosts are there.
    pub(super) fn replaced(&mut self) {
        self.set = self.service.bridges.set();
        let now = Timestamp::now();
        let mut before = std::mem::take(&mut self.hosts);
        let mut lost = Vec::new();
        let set = Arc::clone(&self.set);
        for (name, config) in &set.config().hosts {
            let same = |host: &Host| host.config.layers == config.layers && host.config.tmux == config.tmux;
            let host = match before.remove(name) {
                Some(host) if same(&host) => host,
                Some(mut host) => {
                    host.end("its host was configured anew");
                    lost.push((name.clone(), "it was configured anew"));
                    let mut fresh = Host::new(config.clone(), now);
                    fresh.version = host.version + 1;
                    fresh
                }
                None => Host::new(config.clone(), now),
            };
            self.hosts.insert(name.clone(), host);
        }
        for (name, mut host) in before {
            host.end("its host is not configured any more");
            lost.push((name, "it is not configured any more"));
        }
        for (name, why) in lost {
            self.lost(&name, why);
        }
    }

    /// Nobody drives on this host any more.
    fn lost(&mut self, host: &HostName, why: &str) {
        let effects = self.leases.broken(host, why);
        self.driven(effects);
    }

    fn take_term(&mut self) {
        let Some(term) = *self.terms.borrow_and_update() else { return };
        match &self.term {
            Some(sender) => drop(sender.send_replace(term)),
            None => self.term = Some(watch::Sender::new(term)),
        }
    }

    /// Something that was ordered.
    pub(super) fn ordered(&mut self, order: Order) {
        let is_word = |asking: &Asking| {
            matches!(asking.request, PaneRequest::Seen { .. } | PaneRequest::Pace { .. } | PaneRequest::Keys { .. })
        };
        self.has_news |= !matches!(&order, Order::Asked(asking) if is_word(asking));
        match order {
            Order::Asked(asking) => self.asked(*asking),
            Order::Left(client) => {
                if self.clients.remove(&client).is_some() {
                    let effects = self.leases.left(client);
                    self.driven(effects);
                    self.listing.retain(|listing| listing.client != client);
                }
            }
            Order::Nudge(host) => {
                if let Some(link) = self.hosts.get(&host).and_then(Host::link) {
                    link.nudge();
                }
            }
        }
    }

    /// Waits for something that happens, and takes it in.
    pub(super) async fn hear(&mut self) {
        tokio::select! {
            Some((host, news)) = self.news.recv() => {
                self.has_news = true;
                self.heard(&host, news);
            }
            Ok(()) = self.terms.changed() => self.take_term(),
            else => std::future::pending().await,
        }
    }

    fn heard(&mut self, name: &HostName, news: LinkNews) {
        let Some(host) = self.hosts.get_mut(name).filter(|host| host.is_linked()) else { return };
        match news {
            LinkNews::Listed(list) => {
                host.list = list;
                host.note_drivers();
                if host.list.layer.is_some() {
                    // A pane that is gone never comes back under its number.
                    let before = self.marks.len();
                    self.marks.retain(|pane, _| pane.host != *name || host.facts(pane.pane).is_some());
                    self.unsaved |= self.marks.len() != before;
                }
            }
            LinkNews::Drive(said) => {
                let effects = self.leases.heard(name, said);
                self.driven(effects);
            }
            LinkNews::Broken(why) => self.lost(name, &why),
        }
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, client: ClientId, id: RequestId, reply: Result<PaneReply, Refusal>) {
        self.replies.push(Input::Answered { client, id, reply: reply.map(Reply::Pane), aftermath: None });
    }

    /// When there is something to do at the latest.
    pub(super) fn due(&self) -> Instant {
        let now = Instant::now();
        let follows = self.clients.values().any(|client| client.follows.is_some());
        let tells = follows.then_some(if self.has_news { self.tell.min(self.make) } else { self.make });
        let looks = (!self.marks.is_empty()).then_some(self.look);
        let lists = self.listing.iter().map(|listing| listing.until);
        let leases = self.leases.due();
        lists.chain(tells).chain(looks).chain(leases).fold(now + TURN, Instant::min)
    }

    /// What is due now.
    pub(super) async fn step(&mut self) {
        let now = Instant::now();
        let effects = self.leases.tick(now);
        self.driven(effects);
        for client in self.clients.values_mut() {
            client.watches.retain(|_, watch| !watch.is_over());
        }
        self.recordings.retain(|_, recording| !recording.is_over());
        self.settle(now);
        if now >= self.look {
            self.look = now + LOOK;
            self.look_at_marks();
        }
        self.tell_lists(now);
        self.answer_lists(now);
        if std::mem::take(&mut self.unsaved) {
            self.save_marks().await;
        }
        for reply in std::mem::take(&mut self.replies) {
            // The engine is gone only when everything ends.
            let _ = self.service.inputs.send(reply).await;
        }
    }

    /// Opens and closes links as they are wanted.
    fn settle(&mut self, now: Instant) {
        let follows = !self.listing.is_empty() || self.clients.values().any(|client| client.follows.is_some());
        let mut wanted: BTreeMap<&HostName, BTreeSet<PaneId>> = BTreeMap::new();
        let watched = self.clients.values().flat_map(|client| client.watches.values()).map(|watch| &watch.pane);
        for pane in watched.chain(self.marks.keys()).chain(self.recordings.keys()) {
            wanted.entry(&pane.host).or_default().insert(pane.pane);
        }
        let none = BTreeSet::new();
        let mut broken = Vec::new();
        for (name, host) in &mut self.hosts {
            let is_needed = follows || self.leases.any_on(name);
            let panes = wanted.get(name).unwrap_or(&none);
            let opens = host.settle(panes, is_needed, now);
            if host.link().is_some_and(crate::bridge::panes::HostLink::is_dead) {
                tracing::error!(host = %name, "the link to its panes ended by itself, and is opened again");
                host.close("the link ended by itself: a defect, its log line says more", Timestamp::now());
                broken.push(name.clone());
            }
            let barred = if opens { self.service.bridges.barred(name) } else { None };
            match (opens, host.is_linked()) {
                (true, _) if barred.is_some() => {
                    let why = barred.unwrap_or_default();
                    if host.is_linked() || host.list.why.as_ref() != Some(&why) {
                        host.close(&why, Timestamp::now());
                        broken.push(name.clone());
                    }
                    host.list.is_known = true;
                }
                (true, false) => match &self.term {
                    Some(term) => host.open(&self.service, &self.set, term.subscribe(), self.sender.clone()),
                    None => self.service.bridges.wake(),
                },
                (false, true) => host.close("nobody looks at it", Timestamp::now()),
                _ => {}
            }
        }
        for name in broken {
            self.lost(&name, "the link was closed");
        }
        self.keep_marked();
    }

    /// Marked panes are kept, whoever watches them.
    fn keep_marked(&mut self) {
        for pane in self.marks.keys() {
            if let Some(host) = self.hosts.get_mut(&pane.host).filter(|host| host.kept(pane.pane).is_none()) {
                // One too many is looked at once there is room.
                let _ = host.keep(pane.pane);
            }
        }
    }

    fn look_at_marks(&mut self) {
        let now = Timestamp::now();
        for (pane, mark) in &mut self.marks {
            let kept = self.hosts.get(&pane.host).and_then(|host| host.kept(pane.pane));
            if let Some(kept) = kept {
                let calls = mark.look(&kept.look(), now);
                self.unsaved |= calls;
                self.has_news |= calls;
            }
        }
    }

    async fn save_marks(&mut self) {
        let kept = self.marks.iter().map(|(pane, mark)| super::marks::KeptMark {
            pane: pane.clone(),
            mark: mark.mark.clone(),
            calls: mark.calls.clone(),
        });
        let (dir, kept) = (self.service.state_dir.clone(), kept.collect());
        let written = tokio::task::spawn_blocking(move || marks_file::write(&dir, kept)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "the marks of panes cannot be written; they are forgotten when the engine stops");
        }
    }

    /// Says that it is over to whoever waits.
    pub(super) async fn close(mut self) {
        for host in self.hosts.values_mut() {
            host.end("the engine stops");
        }
        for (_, recording) in std::mem::take(&mut self.recordings) {
            recording.end().await;
        }
        self.step().await;
    }
}

impl Drop for Desk {
    /// A task that ends, whyever, leaves nobody waiting for what a watch has to tell.
    fn drop(&mut self) {
        for client in self.clients.values() {
            for watch in client.watches.keys() {
                let why = "the task that looks at panes has ended; ask again".to_owned();
                // One with no room hears of the end of its line instead.
                let _ = client.out.try_send(PaneUpdate::Ended { watch: *watch, why });
            }
        }
    }
}
