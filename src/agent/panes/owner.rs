//! One tmux server of this host, as this process looks at it for everybody who asks.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::model::{PaneFacts, PaneFeedKind, PaneId};
use crate::tmux::{Listing, TmuxError};

use super::feed::{Feed, hear};
use super::leases::Leases;
use super::names::Names;
use super::ring::Ring;
use super::sight::Sight;

/// Connections that ask about panes at once.
const VISITORS_MAX: usize = 8;
/// How long what was learnt is kept after the last of them.
const LINGER: Duration = Duration::from_mins(1);
/// Between two looks while nothing tells of changes.
const LOOK: Duration = Duration::from_secs(2);
/// Between two looks while a control client tells of changes. It tells nothing of other sessions' titles.
const LOOK_TOLD: Duration = Duration::from_secs(5);
/// Changes within so long are one.
const COALESCE: Duration = Duration::from_millis(200);

/// The tmux servers somebody asks about, by the names of their sockets.
#[derive(Debug, Default)]
pub(in crate::agent) struct Owners {
    by_socket: Mutex<HashMap<Option<String>, Weak<Owner>>>,
    visitors: Arc<AtomicUsize>,
    connections: AtomicU64,
}

/// What is known of the panes of a server.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The panes.
    pub(super) panes: Vec<PaneFacts>,
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
    feeds: Mutex<HashMap<String, Arc<Feed>>>,
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
    visitors: Arc<AtomicUsize>,
}

impl Owners {
    /// Begins to tell a connection of the server at `socket`.
    ///
    /// # Errors
    /// Why not, in one line.
    pub(super) fn visit(&self, socket: Option<&str>) -> Result<Visiting, String> {
        let mut by_socket = self.by_socket.lock().unwrap_or_else(PoisonError::into_inner);
        if self.visitors.load(Ordering::Relaxed) >= VISITORS_MAX {
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
        self.visitors.fetch_add(1, Ordering::Relaxed);
        if owner.visitors.fetch_add(1, Ordering::Relaxed) == 0 {
            owner.forget();
        }
        owner.changed.notify_one();
        let by = self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Visiting { owner, by, visitors: Arc::clone(&self.visitors) })
    }
}

impl Drop for Visiting {
    fn drop(&mut self) {
        self.owner.visitors.fetch_sub(1, Ordering::Relaxed);
        self.visitors.fetch_sub(1, Ordering::Relaxed);
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

    /// The ring of a pane of a session, which is heard from now on, with what hears it.
    pub(super) fn ring(self: &Arc<Self>, session: &str, pane: u32) -> (Arc<Feed>, Arc<Ring>) {
        let mut feeds = self.feeds();
        let feed = feeds.entry(session.to_owned()).or_insert_with(|| {
            let (feed, asked) = Feed::new(self.sight.clone(), session.to_owned(), Arc::clone(&self.changed));
            let owner = Arc::clone(self);
            let is_over = move |feed: &Feed| owner.is_over(feed);
            tokio::spawn(hear(Arc::clone(&feed), asked, is_over));
            feed
        });
        let ring = feed.ring(pane);
        self.changed.notify_one();
        (Arc::clone(feed), ring)
    }

    /// Whether nobody needs `feed` any more; it is forgotten then.
    fn is_over(&self, feed: &Feed) -> bool {
        // Under the lock, so that nobody is given a ring of a feed that ends.
        let mut feeds = self.feeds();
        let is_over = feed.sweep();
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

    /// Whether the connection `by` may type into `pane`; it is busy then.
    pub(super) fn typing(&self, pane: PaneId, by: u64) -> bool {
        self.leases().typing(pane, by, Instant::now())
    }

    /// Nobody has looked for a while: what was seen then is not told any more.
    fn forget(&self) {
        self.seen().listing = None;
        self.told.send_replace(None);
    }

    async fn look_once(&self) {
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
        self.publish();
    }

    /// Puts together what is known, and tells it where it is something else than before.
    fn publish(&self) {
        let kinds: HashMap<(String, u32), PaneFeedKind> = {
            let feeds = self.feeds();
            let all = feeds.iter().flat_map(|(session, feed)| {
                feed.kinds().into_iter().map(|(pane, kind)| ((session.clone(), pane), kind))
            });
            all.collect()
        };
        let mut seen = self.seen();
        let Seen { listing: Some(listing), names, looks } = &mut *seen else { return };
        let leases = self.leases();
        let mut told = Told { why: listing.why.clone(), ..Told::default() };
        for found in &listing.panes {
            let id = PaneId { server: listing.server, number: found.number };
            let held = leases.of(id);
            told.driven_by.extend(held.map(|held| (id, held.by)));
            told.panes.push(PaneFacts {
                id,
                session: found.session.clone(),
                window: found.window,
                window_name: found.window_name.clone(),
                index: found.index,
                generation: names.generation((&found.session, found.window, found.index), id, *looks),
                command: found.command.clone(),
                title: found.title.clone(),
                pid: found.pid,
                cols: found.cols,
                rows: found.rows,
                dead: found.dead,
                mode: found.mode.clone(),
                alternate: found.alternate,
                active: found.active,
                attached: found.attached,
                feed: kinds.get(&(found.session.clone(), found.number)).copied(),
                driver: held.map(|held| held.driver.clone()),
            });
        }
        names.bound(*looks);
        self.told.send_if_modified(|before| {
            let same = before.as_ref().is_some_and(|before| {
                before.panes == told.panes && before.why == told.why && before.driven_by == told.driven_by
            });
            if !same {
                *before = Some(Arc::new(told));
            }
            !same
        });
    }

    /// Whether somebody tells of changes in every session there is.
    fn is_told_of_changes(&self) -> bool {
        let feeds = self.feeds();
        let mut kinds = feeds.values().flat_map(|feed| feed.kinds());
        kinds.any(|(_, kind)| kind == PaneFeedKind::Control)
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<String, Arc<Feed>>> {
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

    /// The sessions there are.
    pub(super) fn sessions(&self) -> HashSet<&str> {
        self.panes.iter().map(|pane| pane.session.as_str()).collect()
    }
}

/// Looks while anybody wants to be told, until nobody has the owner any more.
async fn look(owner: Weak<Owner>, changed: Arc<Notify>) {
    while let Some(owner) = owner.upgrade() {
        if owner.visitors.load(Ordering::Relaxed) > 0 {
            owner.look_once().await;
        }
        let pause = if owner.is_told_of_changes() { LOOK_TOLD } else { LOOK };
        drop(owner);
        tokio::time::sleep(COALESCE).await;
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
