//! The link to the panes of one host: which road carries it, what is watched over it, and what is made of what comes.
//! No I/O; time is given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::bridge::layer::LayerEvent;
use crate::config::TmuxConfig;
use crate::model::{LayerKind, PaneFacts, PaneId, rules};
use crate::protocol::{FromAgent, PaneSaid, WatchAsk};

use super::bounds;
use super::budget::Budget;
use super::kept::Kept;
use super::moment::Moment;
use super::watched::Watched;

/// First pause before the roads are tried again; doubled each time.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// A connection that lived this long was a good one: the pauses begin anew.
const GOOD: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LinkEffect {
    /// Open this road, and close the one there is.
    Open(LayerKind),
    /// Close the road there is.
    Close,
    /// Say this to the agent.
    Say(WatchAsk),
    /// Let whoever holds the link know.
    Tell(LinkNews),
}

/// What is told of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkNews {
    /// The list is this now.
    Listed(HostList),
    /// The agent says something about who drives.
    Drive(PaneSaid),
    /// The connection broke: nobody drives over it any more, and keys on their way are unsure.
    Broken(String),
}

/// The panes of a host, as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostList {
    /// The road, while there is one.
    pub layer: Option<LayerKind>,
    /// Since when it is so; while there is no road, since when it is old.
    pub at: Timestamp,
    /// Why it is old, or why there are none.
    pub why: Option<String>,
    /// Whether panes may be taken over there.
    pub may_drive: bool,
    /// The panes.
    pub panes: Vec<PaneFacts>,
    /// Whether the host has told anything yet, or could not be reached.
    pub is_known: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Road {
    /// This one of the roads is being opened.
    Opening(usize),
    /// It is open, since then.
    Open(usize, Instant),
    /// None could be opened; they are tried again then.
    Resting(Instant),
    /// It must not be used until a person has looked.
    Barred,
}

/// The link to one host.
#[derive(Debug)]
pub(super) struct Link {
    roads: Vec<LayerKind>,
    tmux: TmuxConfig,
    road: Road,
    tries: u32,
    /// Why each road that was tried since one was open could not be.
    failures: Vec<String>,
    heard: Timestamp,
    list: HostList,
    watched: BTreeMap<PaneId, Watched>,
    budget: Budget,
}

impl Link {
    /// A link over the first of `roads` that works, and what is to be done first.
    pub(super) fn new(roads: Vec<LayerKind>, tmux: TmuxConfig, now: Moment) -> (Self, Vec<LinkEffect>) {
        let list =
            HostList { layer: None, at: now.at, why: None, may_drive: false, panes: Vec::new(), is_known: false };
        let mut link = Self {
            roads,
            tmux,
            road: Road::Opening(0),
            tries: 0,
            failures: Vec::new(),
            heard: now.at,
            list,
            watched: BTreeMap::new(),
            budget: Budget::new(now.instant),
        };
        let effects = link.open(0);
        (link, effects)
    }

    fn open(&mut self, place: usize) -> Vec<LinkEffect> {
        self.road = Road::Opening(place);
        self.roads.get(place).map(|kind| LinkEffect::Open(*kind)).into_iter().collect()
    }

    fn is_open(&self) -> bool {
        matches!(self.road, Road::Open(..))
    }

    /// Watches a pane, if it is not watched.
    pub(super) fn watch(&mut self, kept: &Arc<Kept>, now: Moment) -> Vec<LinkEffect> {
        let mut watched = Watched::new(Arc::clone(kept), now.instant);
        let mut effects = Vec::new();
        if self.is_open() {
            effects.extend(watched.begin(now.instant).into_iter().map(LinkEffect::Say));
        } else if self.list.is_known {
            watched.broke(self.list.at, &self.why());
        }
        self.watched.insert(kept.pane(), watched);
        effects
    }

    /// Whether every byte of it is wanted is something else than before.
    pub(super) fn whole(&mut self, pane: PaneId) -> Vec<LinkEffect> {
        let is_open = self.is_open();
        self.of(pane, |watched| watched.whole().filter(|_| is_open))
    }

    /// Watches it no more.
    pub(super) fn unwatch(&mut self, pane: PaneId) -> Vec<LinkEffect> {
        let was = self.watched.remove(&pane);
        let says = was.is_some_and(|was| self.is_open() && !was.is_over());
        says.then_some(LinkEffect::Say(WatchAsk::Unwatch { pane })).into_iter().collect()
    }

    fn why(&self) -> String {
        self.list.why.clone().unwrap_or_default()
    }

    /// Something happened on the road of this kind.
    pub(super) fn news(&mut self, kind: LayerKind, event: LayerEvent, now: Moment) -> Vec<LinkEffect> {
        let (Road::Opening(place) | Road::Open(place, _)) = self.road else { return Vec::new() };
        // A road that was given up may still be talking.
        if self.roads.get(place) != Some(&kind) {
            return Vec::new();
        }
        match event {
            LayerEvent::Connecting => Vec::new(),
            LayerEvent::Alive { .. } => {
                self.heard = now.at;
                Vec::new()
            }
            LayerEvent::Heard(said) => {
                self.heard = now.at;
                self.hear(place, *said, now)
            }
            LayerEvent::Down { why } => self.down(place, &bounds::why(why), now),
            LayerEvent::Barred { why } => {
                let why = bounds::why(why);
                let mut effects = self.broke(&why, now);
                self.road = Road::Barred;
                effects.push(LinkEffect::Close);
                effects
            }
        }
    }

    fn down(&mut self, place: usize, why: &str, now: Moment) -> Vec<LinkEffect> {
        match self.road {
            Road::Open(_, since) => {
                if now.instant - since >= GOOD {
                    self.tries = 0;
                }
                let mut effects = self.broke(why, now);
                effects.push(self.rest(now.instant));
                effects
            }
            _ => {
                let kind = self.roads.get(place).map_or("", |kind| kind.as_str());
                self.failures.push(format!("{kind}: {why}"));
                if place + 1 < self.roads.len() {
                    return self.open(place + 1);
                }
                let why = self.failures.join("; ");
                let mut effects = self.broke(&bounds::why(why), now);
                effects.push(self.rest(now.instant));
                effects
            }
        }
    }

    fn rest(&mut self, now: Instant) -> LinkEffect {
        let pause = PAUSE.saturating_mul(1 << self.tries.min(16)).min(PAUSE_MAX);
        self.tries = self.tries.saturating_add(1);
        self.road = Road::Resting(now + pause);
        LinkEffect::Close
    }

    /// What is shown is old from now on.
    fn broke(&mut self, why: &str, now: Moment) -> Vec<LinkEffect> {
        self.failures.clear();
        let was_up = self.list.layer.take().is_some();
        let since = if was_up { self.heard } else { self.list.at };
        let is_new = was_up || !self.list.is_known || self.list.why.as_deref() != Some(why);
        self.list.at = if self.list.is_known { since } else { now.at };
        self.list.why = Some(why.to_owned());
        self.list.is_known = true;
        for watched in self.watched.values_mut() {
            watched.broke(since, why);
        }
        let mut effects = Vec::new();
        if was_up {
            effects.push(LinkEffect::Tell(LinkNews::Broken(why.to_owned())));
        }
        if is_new {
            effects.push(LinkEffect::Tell(LinkNews::Listed(self.list.clone())));
        }
        effects
    }

    fn hear(&mut self, place: usize, said: FromAgent, now: Moment) -> Vec<LinkEffect> {
        match said {
            FromAgent::Welcome { .. } => {
                self.road = Road::Open(place, now.instant);
                let TmuxConfig { session, socket, .. } = self.tmux.clone();
                vec![LinkEffect::Say(WatchAsk::List { socket, session })]
            }
            FromAgent::Pane(said) if self.is_open() => self.said(said, now),
            // The rest is about commands, and none was given here; a goodbye is followed by the end.
            _ => Vec::new(),
        }
    }

    fn said(&mut self, said: PaneSaid, now: Moment) -> Vec<LinkEffect> {
        let size = match &said {
            PaneSaid::Seed(seed) | PaneSaid::Captured(seed) => seed.bytes.len(),
            PaneSaid::Chunk(chunk) => chunk.bytes.len(),
            PaneSaid::Panes { panes, .. } => panes.len() * 256,
            _ => 0,
        };
        self.budget.take(size, now.instant);
        match said {
            PaneSaid::Panes { panes, why, may_drive } => self.listed(panes, why, may_drive, now),
            PaneSaid::Seed(seed) => self.of(seed.pane, |watched| watched.seed(&seed, now)),
            PaneSaid::Chunk(chunk) => self.of(chunk.pane, |watched| watched.chunk(&chunk, now)),
            PaneSaid::Captured(seed) => self.of(seed.pane, |watched| watched.captured(&seed)),
            PaneSaid::Ended { pane, why } => self.of(pane, |watched| watched.end(&bounds::why(why))),
            PaneSaid::Refused { pane, ref rule, ref reason, seq: None } => {
                let is_watch = matches!(rule.as_str(), rules::UNKNOWN_PANE | rules::POLICY | rules::TOO_MANY);
                if is_watch && let Some(watched) = self.watched.get_mut(&pane) {
                    watched.refused(&bounds::why(reason.clone()));
                }
                // Only a watch can be one too many: a take-over that waits for its answer is not meant.
                if rule == rules::TOO_MANY {
                    return Vec::new();
                }
                vec![LinkEffect::Tell(LinkNews::Drive(said))]
            }
            PaneSaid::Taken { .. } | PaneSaid::Released { .. } | PaneSaid::Typed { .. } | PaneSaid::Refused { .. } => {
                vec![LinkEffect::Tell(LinkNews::Drive(said))]
            }
        }
    }

    /// Something about a pane that is watched; what was not asked for is left out.
    fn of(&mut self, pane: PaneId, take: impl FnOnce(&mut Watched) -> Option<WatchAsk>) -> Vec<LinkEffect> {
        let says = self.watched.get_mut(&pane).and_then(take);
        says.map(LinkEffect::Say).into_iter().collect()
    }

    fn listed(&mut self, panes: Vec<PaneFacts>, why: Option<String>, may_drive: bool, now: Moment) -> Vec<LinkEffect> {
        let (panes, why) = (bounds::panes(panes), why.map(bounds::why));
        let Road::Open(place, _) = self.road else { return Vec::new() };
        let is_first = self.list.layer.is_none();
        let mut effects = Vec::new();
        if is_first {
            // Only who has listed may watch.
            effects
                .extend(self.watched.values_mut().flat_map(|watched| watched.begin(now.instant)).map(LinkEffect::Say));
        }
        let list =
            HostList { layer: self.roads.get(place).copied(), at: now.at, why, may_drive, panes, is_known: true };
        let same = !is_first
            && (list.panes == self.list.panes && list.why == self.list.why && list.may_drive == self.list.may_drive);
        if !same {
            self.list = list;
            effects.push(LinkEffect::Tell(LinkNews::Listed(self.list.clone())));
        }
        effects
    }

    /// Somebody wants the roads tried now: a road that was barred, too.
    pub(super) fn nudge(&mut self) -> Vec<LinkEffect> {
        match self.road {
            Road::Resting(_) | Road::Barred => self.open(0),
            Road::Opening(_) | Road::Open(..) => Vec::new(),
        }
    }

    /// Until when nothing more is to be heard, where that is later than now.
    pub(super) fn pause(&self) -> Instant {
        self.budget.pause()
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let rests = match self.road {
            Road::Resting(until) => Some(until),
            _ => None,
        };
        let paid = self.budget.paid();
        let watched = self.watched.values().filter(|_| self.is_open()).filter_map(|watched| watched.due(paid));
        rests.into_iter().chain(watched).min()
    }

    /// What is due at `now`.
    pub(super) fn tick(&mut self, now: Moment) -> Vec<LinkEffect> {
        match self.road {
            Road::Resting(until) if until <= now.instant => self.open(0),
            Road::Open(..) => {
                let paid = self.budget.paid();
                let says = self.watched.values_mut().flat_map(|watched| watched.tick(paid, now.instant));
                says.map(LinkEffect::Say).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
