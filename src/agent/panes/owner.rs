//! One tmux server of this host, as this process looks at it for everybody who asks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::{EngineId, PaneFacts, PaneFeedKind, PaneId};
use crate::tmux::{Found, Listing, TmuxError};

use super::feed::{Feed, History, Home, NoStill, Still, hear};
use super::leases::Leases;
use super::names::Names;
use super::ring::Ring;
use super::sight::Sight;

/// Connections that ask about panes at once.
const VISITORS_MAX: usize = 8;
/// How long what was learnt is kept after the last of them.
const LINGER: Duration = Duration::from_mins(1);
/// Between two looks while there is a session of whose changes nothing tells.
const LOOK: Duration = Duration::from_secs(2);
/// Between two looks while a control client in each session tells of changes. It tells nothing of titles.
const LOOK_TOLD: Duration = Duration::from_secs(5);
/// Changes within so long are one.
const COALESCE: Duration = Duration::from_millis(200);

/// The tmux servers somebody asks about, by the names of their sockets.
#[derive(Debug, Default)]
pub(in crate::agent) struct Owners {
    by_socket: Mutex<HashMap<Option<String>, Weak<Owner>>>,
    visitors: Arc<Mutex<Vec<Visitor>>>,
    connections: AtomicU64,
}

/// A connection that is told of panes.
#[derive(Debug)]
struct Visitor {
    by: u64,
    engine: EngineId,
    gives_way: CancellationToken,
}

/// What is known of the panes of a server.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The panes, each with the first session it is in.
    pub(super) panes: Vec<PaneFacts>,
    /// Those that are in further sessions too, as in a group, with each of these.
    pub(super) elsewhere: Vec<PaneFacts>,
    /// The connections that drive some.
    pub(super) driven_by: HashMap<PaneId, u64>,
    /// Why there are none, or not all.
    pub(super) why: Option<String>,
}

/// One tmux server.
#[derive(Debug)]
pub(super) struct Owner {
    sight: Sight,
    told: watch::Sender<Option<Arc<Told>>>,
    seen: Mutex<Seen>,
    feeds: Mutex<HashMap<Home, Arc<Feed>>>,
    leases: Mutex<Leases>,
    changed: Arc<Notify>,
    /// Connections that want to be told of it.
    visitors: AtomicUsize,
}

/// The last look.
#[derive(Debug, Default)]
struct Seen {
    listing: Option<Listing>,
    names: Names,
    looks: u64,
}

/// A connection that is told of a server. Dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Visiting {
    pub(super) owner: Arc<Owner>,
    /// Its number among all connections of this process.
    pub(super) by: u64,
    /// Its place is given to a newer connection of the same engine.
    pub(super) gives_way: CancellationToken,
    visitors: Arc<Mutex<Vec<Visitor>>>,
}

impl Owners {
    /// Begins to tell a connection of `engine` of the server at `socket`. Where there are too many, the oldest of the same
    /// engine gives way: a line that broke may look alive for hours.
    ///
    /// # Errors
    /// Why not, in one line.
    pub(super) fn visit(&self, socket: Option<&str>, engine: EngineId) -> Result<Visiting, String> {
        let mut by_socket = self.by_socket.lock().unwrap_or_else(PoisonError::into_inner);
        let mut visitors = self.visitors.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = visitors.iter().position(|visitor| visitor.engine == engine);
        if visitors.len() >= VISITORS_MAX && oldest.is_none() {
            return Err(format!("{VISITORS_MAX} connections are told of panes here, and that is the most"));
        }
        by_socket.retain(|_, owner| owner.strong_count() > 0);
        let found = by_socket.get(&socket.map(str::to_owned)).and_then(Weak::upgrade);
        let owner = match found {
            Some(owner) => owner,
            None => {
                let owner = Owner::start(Sight::new(socket).map_err(|error| error.to_string())?);
                by_socket.insert(socket.map(str::to_owned), Arc::downgrade(&owner));
                owner
            }
        };
        if let Some(oldest) = oldest.filter(|_| visitors.len() >= VISITORS_MAX) {
            visitors.remove(oldest).gives_way.cancel();
        }
        if owner.visitors.fetch_add(1, Ordering::Relaxed) == 0 {
            owner.forget();
        }
        owner.changed.notify_one();
        let by = self.connections.fetch_add(1, Ordering::Relaxed);
        let gives_way = CancellationToken::new();
        visitors.push(Visitor { by, engine, gives_way: gives_way.clone() });
        Ok(Visiting { owner, by, gives_way, visitors: Arc::clone(&self.visitors) })
    }
}

impl Drop for Visiting {
    fn drop(&mut self) {
        self.owner.visitors.fetch_sub(1, Ordering::Relaxed);
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner).retain(|visitor| visitor.by != self.by);
        let owner = Arc::clone(&self.owner);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Who comes back soon finds the same generations.
            runtime.spawn(async move {
                tokio::time::sleep(LINGER).await;
                drop(owner);
            });
        }
    }
}

impl Owner {
    fn start(sight: Sight) -> Arc<Self> {
        let owner = Arc::new(Self {
            sight,
            told: watch::Sender::new(None),
            seen: Mutex::default(),
            feeds: Mutex::default(),
            leases: Mutex::default(),
            changed: Arc::new(Notify::new()),
            visitors: AtomicUsize::new(0),
        });
        tokio::spawn(look(Arc::downgrade(&owner), Arc::clone(&owner.changed)));
        owner
    }

    /// What is known, now and at every change; `None` until the first look.
    pub(super) fn told(&self) -> watch::Receiver<Option<Arc<Told>>> {
        self.told.subscribe()
    }

    /// The ring of a pane, which is heard from now on in whichever session it is; `None` where it is not there.
    pub(super) fn ring(self: &Arc<Self>, pane: PaneId) -> Option<Arc<Ring>> {
        let homes = self.seen().listing.as_ref().map(homes).unwrap_or_default();
        let mut feeds = self.feeds();
        let ring = match feeds.values().find_map(|feed| of(feed, pane)) {
            Some(ring) => ring,
            None => {
                let homes = homes.get(&pane)?;
                let home = homes.iter().find(|home| feeds.contains_key(home)).or(homes.first())?;
                self.feed(&mut feeds, *home).ring(pane.number)
            }
        };
        self.changed.notify_one();
        Some(ring)
    }

    /// What a pane that is heard shows, at one exact place of its stream.
    ///
    /// # Errors
    /// Why that is not known.
    pub(super) async fn still(&self, pane: PaneId, history: History) -> Result<Still, NoStill> {
        let feed = self.feeds().values().find(|feed| of(feed, pane).is_some()).cloned();
        let feed = feed.ok_or(NoStill::Unheard)?;
        feed.still(pane.number, history).await
    }

    /// What hears a session, from now on.
    fn feed(self: &Arc<Self>, feeds: &mut HashMap<Home, Arc<Feed>>, home: Home) -> Arc<Feed> {
        let feed = feeds.entry(home).or_insert_with(|| {
            let (feed, asked) = Feed::new(self.sight.clone(), home, Arc::clone(&self.changed));
            let owner = Arc::clone(self);
            let is_over = move |feed: &Feed| owner.is_over(feed);
            tokio::spawn(hear(Arc::clone(&feed), asked, is_over));
            feed
        });
        Arc::clone(feed)
    }

    /// A pane that was moved to another session is heard there: its ring goes with it.
    fn rehouse(self: &Arc<Self>) {
        let homes = self.seen().listing.as_ref().map(homes).unwrap_or_default();
        let mut feeds = self.feeds();
        let mut moved = Vec::new();
        for feed in feeds.values() {
            for (number, _) in feed.kinds() {
                let now = homes.get(&PaneId { server: feed.home.server, number });
                let to = now.filter(|now| !now.contains(&feed.home)).and_then(|now| now.first());
                moved.extend(to.map(|to| (Arc::clone(feed), number, *to)));
            }
        }
        for (from, number, to) in moved {
            let to = self.feed(&mut feeds, to);
            if let Some(heeded) = from.lets_go(number) {
                to.takes_in(number, heeded);
            }
        }
    }

    /// Whether nobody needs `feed` any more, or its server has given way to another; it is forgotten then.
    fn is_over(&self, feed: &Feed) -> bool {
        let server = self.seen().listing.as_ref().map_or(0, |listing| listing.server);
        // Under the lock, so that nobody is given a ring of a feed that ends.
        let mut feeds = self.feeds();
        let is_over = feed.sweep() || (server != 0 && server != feed.home.server);
        if is_over {
            feeds.retain(|_, kept| !std::ptr::eq(Arc::as_ptr(kept), feed));
        }
        is_over
    }

    /// Does something with the leases, and tells everybody of what changed.
    pub(super) fn lease<T>(&self, change: impl FnOnce(&mut Leases) -> T) -> T {
        let done = change(&mut self.leases());
        self.publish();
        done
    }

    /// When the connection `by` has to give something back, if it types nothing.
    pub(super) fn lease_idle_at(&self, by: u64) -> Option<Instant> {
        self.leases().idle_at(by)
    }

    /// Into which process of `pane` the connection `by` may type, if it may; it is busy then.
    pub(super) fn typing(&self, pane: PaneId, by: u64) -> Option<u32> {
        self.leases().typing(pane, by, Instant::now())
    }

    /// Nobody has looked for a while: what was seen then is not told any more.
    fn forget(&self) {
        self.seen().listing = None;
        self.told.send_replace(None);
    }

    async fn look_once(self: &Arc<Self>) {
        let looked = self.sight.list().await;
        {
            let mut seen = self.seen();
            seen.looks += 1;
            let kept = seen.listing.take();
            seen.listing = Some(match (looked, kept) {
                (Ok(listing), _) => listing,
                // It is as it was, as far as anybody knows.
                (Err(error @ (TmuxError::Slow(_) | TmuxError::Io(_) | TmuxError::Strange(_))), Some(kept)) => {
                    Listing { why: Some(error.to_string()), ..kept }
                }
                (Err(error), _) => Listing { why: Some(error.to_string()), ..Listing::default() },
            });
        }
        self.rehouse();
        self.publish();
    }

    /// Puts together what is known, and tells it where it is something else than before.
    fn publish(&self) {
        let kinds: HashMap<PaneId, PaneFeedKind> = {
            let feeds = self.feeds();
            let all = feeds.values().flat_map(|feed| {
                let server = feed.home.server;
                feed.kinds().into_iter().map(move |(number, kind)| (PaneId { server, number }, kind))
            });
            all.collect()
        };
        let mut seen = self.seen();
        let Seen { listing: Some(listing), names, looks } = &mut *seen else { return };
        let leases = self.leases();
        let mut told = Told { why: listing.why.clone(), ..Told::default() };
        for Found { facts, .. } in &listing.panes {
            let (id, pid) = (facts.id, facts.pid);
            let held = leases.of(id).filter(|held| held.pid == pid);
            let is_first = told.pane(id).is_none();
            told.driven_by.extend(held.map(|held| (id, held.by)));
            let panes = if is_first { &mut told.panes } else { &mut told.elsewhere };
            panes.push(PaneFacts {
                generation: names.generation(facts.place(), (id, pid), *looks),
                feed: kinds.get(&id).copied(),
                driver: held.map(|held| held.driver.clone()),
                ..facts.clone()
            });
        }
        names.bound(*looks);
        self.told.send_if_modified(|before| {
            let same = before.as_ref().is_some_and(|before| {
                before.panes == told.panes
                    && before.elsewhere == told.elsewhere
                    && before.why == told.why
                    && before.driven_by == told.driven_by
            });
            if !same {
                *before = Some(Arc::new(told));
            }
            !same
        });
    }

    /// How long until the next look, where nothing tells of changes before.
    fn pause(&self) -> Duration {
        let homes = self.seen().listing.as_ref().map(homes).unwrap_or_default();
        let feeds = self.feeds();
        let told =
            |home: &Home| feeds.get(home).is_some_and(|feed| feed.kinds().iter().any(|(_, kind)| kind.is_by_control()));
        pause(&homes, told)
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<Home, Arc<Feed>>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// The pane `id`, if it is there.
    pub(super) fn pane(&self, id: PaneId) -> Option<&PaneFacts> {
        self.panes.iter().find(|pane| pane.id == id)
    }

    /// The panes of a session.
    pub(super) fn of<'a>(&'a self, session: &'a str) -> impl Iterator<Item = &'a PaneFacts> {
        self.panes.iter().chain(&self.elsewhere).filter(move |pane| pane.session == session)
    }
}

/// The sessions each pane is in.
fn homes(listing: &Listing) -> HashMap<PaneId, Vec<Home>> {
    let server = listing.server;
    let mut homes: HashMap<PaneId, Vec<Home>> = HashMap::new();
    for found in &listing.panes {
        homes.entry(found.facts.id).or_default().push(Home { server, session: found.session_id });
    }
    homes
}

/// Between two looks at panes in `homes`. A control client hears of splits, exits and other programs in its own session
/// only.
fn pause(homes: &HashMap<PaneId, Vec<Home>>, told: impl Fn(&Home) -> bool) -> Duration {
    let mut all = homes.values().flatten().peekable();
    if all.peek().is_some() && all.all(told) { LOOK_TOLD } else { LOOK }
}

/// The ring of `pane`, if `feed` hears it.
fn of(feed: &Arc<Feed>, pane: PaneId) -> Option<Arc<Ring>> {
    if feed.home.server == pane.server { feed.of(pane.number) } else { None }
}

/// Looks while anybody wants to be told, until nobody has the owner any more.
async fn look(owner: Weak<Owner>, changed: Arc<Notify>) {
    while let Some(owner) = owner.upgrade() {
        if owner.visitors.load(Ordering::Relaxed) > 0 {
            owner.look_once().await;
        }
        let pause = owner.pause();
        drop(owner);
        tokio::time::sleep(COALESCE).await;
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_session_nobody_tells_of_is_looked_at_as_often_as_without_any_client() {
        let home = |session| Home { server: 7, session };
        let pane = |number, sessions: &[u32]| {
            (PaneId { server: 7, number }, sessions.iter().map(|session| home(*session)).collect::<Vec<_>>())
        };
        let told = |of: &'static [u32]| move |home: &Home| of.contains(&home.session);
        let homes: HashMap<_, _> = [pane(1, &[1]), pane(2, &[1]), pane(3, &[2])].into();
        assert_eq!(pause(&homes, told(&[1, 2])), LOOK_TOLD);
        assert_eq!(pause(&homes, told(&[1])), LOOK, "nothing tells of the other session");
        let group: HashMap<_, _> = [pane(1, &[1, 2])].into();
        assert_eq!(pause(&group, told(&[1])), LOOK, "a window that is new in the other is not heard of");
        assert_eq!(pause(&HashMap::new(), told(&[1])), LOOK, "no server, or none that is known");
    }

    #[tokio::test]
    async fn the_oldest_line_of_the_same_engine_gives_way_and_no_other() {
        let owners = Owners::default();
        let visit = |engine| owners.visit(Some("aurora-test-nowhere"), EngineId::from_uuid(Uuid::from_u128(engine)));
        let first = visit(1).expect("a place");
        let others: Vec<_> = (1..VISITORS_MAX).map(|_| visit(2).expect("a place")).collect();
        visit(3).expect_err("nobody else's line is cut");
        let again = visit(1).expect("its own gives way");
        assert!(first.gives_way.is_cancelled() && !others[0].gives_way.is_cancelled());
        drop(first);
        visit(3).expect_err("it had no place any more");
        drop(again);
        visit(3).expect("a place");
    }
}
