//! The desk of panes: who wants what of which host, in the order it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bridge::Term;
use crate::bridge::panes::LinkNews;
use crate::model::{HostName, OperatorName, PaneAddress, PaneId};
use crate::protocol::{ClientId, PaneCall, PaneReply, PaneRequest, PaneSaid, PaneUpdate, Refusal, Reply, RequestId};

use super::super::bridge::BridgeSet;
use super::super::{Input, rest};
use super::host::Host;
use super::leases::{LeaseEffect, Leases};
use super::marks::{Hits, Mark};
use super::marks_file;
use super::notes::{Notes, Unnoted};
use super::outlet::PaneOutlet;
use super::recorded::Recorded;
use super::recording::mend;
use super::service::{Asking, Order, Panes};
use super::watching::Watch;

/// Pieces of news of links that may wait.
const NEWS: usize = 256;
/// The task takes a turn at least this often while it looks at a host; otherwise it rests.
const TURN: Duration = Duration::from_secs(1);
/// Marks are looked at this often.
const LOOK: Duration = Duration::from_millis(500);
/// A marked pane whose watch was refused or has ended is watched again after so long.
const AGAIN: Duration = Duration::from_secs(30);
/// Searches at once, all clients together.
const SEARCHES: usize = 2;

/// A client that has asked something.
pub(super) struct Client {
    pub who: OperatorName,
    pub line: PaneOutlet,
    /// The version of each host it was told, while it follows.
    pub follows: Option<BTreeMap<HostName, u64>>,
    pub watches: BTreeMap<u64, Watch>,
    /// The room that is waited for, for the next list.
    pub room: Option<JoinHandle<Result<mpsc::OwnedPermit<PaneUpdate>, mpsc::error::SendError<()>>>>,
}

impl Client {
    /// Room for an update. Where there is none it is waited for in the same queue as the watches do, so that they do not
    /// keep lists out.
    pub(super) fn room(&mut self) -> Option<mpsc::OwnedPermit<PaneUpdate>> {
        if let Some(waited) = self.room.take_if(|waited| waited.is_finished()) {
            return waited.now_or_never()?.ok()?.ok();
        }
        if self.room.is_some() {
            return None;
        }
        match self.line.out.clone().try_reserve_owned() {
            Ok(room) => Some(room),
            Err(mpsc::error::TrySendError::Full(out)) => {
                self.room = Some(tokio::spawn(out.reserve_owned()));
                None
            }
            Err(mpsc::error::TrySendError::Closed(_)) => None,
        }
    }
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
    pub(super) recordings: BTreeMap<PaneAddress, Recorded>,
    /// Panes that were to be recorded by themselves and could not be; said once.
    pub(super) unrecorded: BTreeSet<PaneAddress>,
    /// What is noted of panes, and what could not be.
    pub(super) notes: Notes,
    unnoted: mpsc::UnboundedReceiver<Unnoted>,
    /// What the engine was told of panes that call; nothing yet at first.
    pub(super) calls: Option<Vec<PaneCall>>,
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
    /// Patterns that are looked for, away from this task.
    hunting: Option<JoinHandle<Vec<(PaneAddress, Hits)>>>,
    /// The marks that are being written.
    saving: Option<JoinHandle<()>>,
    /// When marked panes whose watch has ended are watched again.
    again: Instant,
    pub(super) searches: Arc<Semaphore>,
}

impl Desk {
    pub(super) async fn new(service: Arc<Panes>) -> Self {
        let (sender, news) = mpsc::channel(NEWS);
        let now = Instant::now();
        let (notes, unnoted) = Notes::begin(Arc::clone(&service.bridges), service.inputs.clone());
        let mut desk = Self {
            set: service.bridges.set(),
            terms: service.bridges.terms(),
            term: None,
            hosts: BTreeMap::new(),
            clients: BTreeMap::new(),
            leases: Leases::default(),
            marks: BTreeMap::new(),
            recordings: BTreeMap::new(),
            unrecorded: BTreeSet::new(),
            calls: None,
            notes,
            unnoted,
            unsaved: false,
            news,
            sender,
            listing: Vec::new(),
            replies: Vec::new(),
            has_news: true,
            tell: now,
            make: now,
            look: now,
            hunting: None,
            saving: None,
            again: now,
            searches: Arc::new(Semaphore::new(SEARCHES)),
            service,
        };
        desk.take_term();
        desk.replaced();
        desk.go_on();
        desk.read_marks().await;
        desk
    }

    /// Goes on telling whoever followed when the task before this one ended.
    fn go_on(&mut self) {
        let followers = std::mem::take(&mut *self.service.followers.lock().unwrap_or_else(PoisonError::into_inner));
        for (client, who, line) in followers {
            let (follows, watches) = (Some(BTreeMap::new()), BTreeMap::new());
            self.clients.insert(client, Client { who, line, follows, watches, room: None });
        }
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
            let same =
                |host: &Host| host.config.layers == config.layers && host.config.tmux.is_same_server(&config.tmux);
            let host = match before.remove(name) {
                Some(mut host) if same(&host) => {
                    host.config.tmux.record = config.tmux.record;
                    host
                }
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
        let is_word = |asking: &Asking| matches!(asking.request, PaneRequest::Pace { .. } | PaneRequest::Keys { .. });
        self.has_news |= !matches!(&order, Order::Asked(asking) if is_word(asking));
        match order {
            Order::Asked(asking) => self.asked(*asking),
            Order::Left(client) => {
                if let Some(known) = self.clients.remove(&client) {
                    let effects = self.leases.left(client, "its client has gone");
                    self.driven(effects);
                    self.listing.retain(|listing| listing.client != client);
                    let recorded: Vec<PaneAddress> = self.recordings.keys().cloned().collect();
                    for pane in recorded {
                        self.record_no_more(client, &known.who, &pane, false);
                    }
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
            Some((client, pane)) = self.unnoted.recv() => {
                let effects = self.leases.gives_back(client, &pane, "it could not be written to the audit log");
                self.driven(effects);
            }
            found = joined(&mut self.hunting) => {
                self.hunting = None;
                self.found(found.unwrap_or_default());
            }
            _ = joined(&mut self.saving) => self.saving = None,
            else => std::future::pending().await,
        }
    }

    fn heard(&mut self, name: &HostName, news: LinkNews) {
        let Some(host) = self.hosts.get_mut(name).filter(|host| host.is_linked()) else { return };
        match news {
            LinkNews::Listed(list) => {
                host.list = list;
                host.note_drivers(&self.leases);
                let before = self.marks.len();
                self.marks.retain(|pane, _| pane.host != *name || !host.is_gone(pane.pane));
                self.unsaved |= self.marks.len() != before;
            }
            LinkNews::Drive(said) => {
                let is_refused = matches!(said, PaneSaid::Refused { seq: None, .. });
                let effects = self.leases.heard(name, said);
                self.driven(effects);
                if let Some(host) = self.hosts.get(name).filter(|_| is_refused) {
                    // While it was asked for, lists said nothing of it.
                    host.note_drivers(&self.leases);
                }
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
        let turn = if self.hosts.values().any(Host::is_linked) { now + TURN } else { rest::after(now) };
        lists.chain(tells).chain(looks).chain(leases).fold(turn, Instant::min)
    }

    /// What is due now.
    pub(super) async fn step(&mut self) {
        let now = Instant::now();
        let effects = self.leases.tick(now);
        self.driven(effects);
        for client in self.clients.values_mut() {
            client.watches.retain(|_, watch| !watch.is_over());
        }
        self.recordings.retain(|_, recorded| !recorded.recording.is_over());
        self.record_by_itself(now);
        self.settle(now);
        if now >= self.look {
            self.look = now + LOOK;
            self.look_at_marks();
        }
        self.tell_lists(now);
        self.answer_lists(now);
        self.tell_calls();
        if self.saving.is_none() && std::mem::take(&mut self.unsaved) {
            self.saving = Some(self.save_marks());
        }
        self.send_replies().await;
    }

    /// Answers whoever has an answer by now.
    async fn send_replies(&mut self) {
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
        let mut recorded: BTreeMap<&HostName, BTreeSet<PaneId>> = BTreeMap::new();
        for pane in self.recordings.keys() {
            recorded.entry(&pane.host).or_default().insert(pane.pane);
        }
        let none = BTreeSet::new();
        let mut broken = Vec::new();
        for (name, host) in &mut self.hosts {
            let is_needed = follows || self.leases.any_on(name);
            let panes = wanted.get(name).unwrap_or(&none);
            let opens = host.settle(panes, is_needed, now);
            host.record(recorded.get(name).unwrap_or(&none));
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
                (true, false) => {
                    // It is being looked at; whoever waits for its panes goes on waiting.
                    host.list.why = None;
                    match &self.term {
                        Some(term) => host.open(&self.service, &self.set, term.subscribe(), self.sender.clone()),
                        None => self.service.bridges.wake(),
                    }
                }
                (false, true) => host.close("nobody looks at it", Timestamp::now()),
                _ => {}
            }
        }
        for name in broken {
            self.lost(&name, "the link was closed");
        }
        self.keep_marked(now);
    }

    /// Marked panes are kept, whoever watches them.
    fn keep_marked(&mut self, now: Instant) {
        let is_again = now >= self.again;
        if is_again {
            self.again = now + AGAIN;
        }
        for pane in self.marks.keys() {
            let is_kept =
                |host: &Host| host.kept(pane.pane).is_some_and(|kept| !is_again || kept.look().ended.is_none());
            if let Some(host) = self.hosts.get_mut(&pane.host).filter(|host| !is_kept(host)) {
                // One too many is looked at once there is room.
                let _ = host.keep(pane.pane);
            }
        }
    }

    fn look_at_marks(&mut self) {
        let now = Timestamp::now();
        let mut hunts = Vec::new();
        for (pane, mark) in &mut self.marks {
            let kept = self.hosts.get(&pane.host).and_then(|host| host.kept(pane.pane));
            if let Some(kept) = kept {
                let screen = kept.look();
                let calls = mark.look(&screen, now);
                self.unsaved |= calls;
                self.has_news |= calls;
                if self.hunting.is_none() {
                    hunts.extend(mark.hunt(&screen).map(|hunt| (pane.clone(), hunt)));
                }
            }
        }
        if !hunts.is_empty() {
            // What a pattern costs holds up no keys.
            let hits = move || hunts.into_iter().map(|(pane, hunt)| (pane, hunt.hits())).collect();
            self.hunting = Some(tokio::task::spawn_blocking(hits));
        }
    }

    fn found(&mut self, found: Vec<(PaneAddress, Hits)>) {
        for (pane, hits) in found {
            let calls = self.marks.get_mut(&pane).is_some_and(|mark| mark.found(hits, Timestamp::now()));
            self.unsaved |= calls;
            self.has_news |= calls;
        }
    }

    fn save_marks(&self) -> JoinHandle<()> {
        let kept = self.marks.iter().map(|(pane, mark)| super::marks::KeptMark {
            pane: pane.clone(),
            mark: mark.mark.clone(),
            calls: mark.calls.clone(),
        });
        let (dir, kept) = (self.service.state_dir.clone(), kept.collect());
        // Keys do not wait for the disk.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = marks_file::write(&dir, kept) {
                tracing::warn!(%error, "the marks of panes cannot be written; they are forgotten when the engine stops");
            }
        })
    }

    /// Says that it is over to whoever waits. Nothing is opened any more.
    pub(super) async fn close(mut self) {
        for host in self.leases.hosts() {
            self.lost(&host, "the task that looks at panes ends");
        }
        for host in self.hosts.values_mut() {
            host.end("the task that looks at panes ends; watch it again");
        }
        for (_, recorded) in std::mem::take(&mut self.recordings) {
            recorded.recording.end().await;
        }
        if let Some(saving) = self.saving.take() {
            // A failure was logged.
            let _ = saving.await;
        }
        if std::mem::take(&mut self.unsaved) {
            let _ = self.save_marks().await;
        }
        self.send_replies().await;
        self.notes.written().await;
    }
}

impl Drop for Desk {
    /// A task that ends, whyever, leaves nobody waiting for what it has to tell, and who follows is told on by the next.
    fn drop(&mut self) {
        let why = "the task that looks at panes has ended; ask again";
        let lists = self.listing.drain(..).map(|list| (list.client, list.id, Err(Refusal::Failed(why.to_owned()))));
        let mut answers: Vec<_> = lists.collect();
        for host in self.leases.hosts() {
            for effect in self.leases.broken(&host, why) {
                if let LeaseEffect::Answer(client, id, reply) = effect {
                    answers.push((client, id, reply));
                }
            }
        }
        for (client, id, reply) in answers {
            self.answer(client, id, reply);
        }
        for reply in std::mem::take(&mut self.replies) {
            // An engine that is so far behind answers with the end of the line.
            let _ = self.service.inputs.try_send(reply);
        }
        let mut followers = self.service.followers.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, client) in std::mem::take(&mut self.clients) {
            client.watches.into_values().for_each(Watch::finish);
            if client.follows.is_some() {
                followers.push((id, client.who, client.line));
            }
        }
    }
}

async fn joined<T>(task: &mut Option<JoinHandle<T>>) -> Option<T> {
    match task {
        Some(task) => task.await.ok(),
        None => std::future::pending().await,
    }
}
