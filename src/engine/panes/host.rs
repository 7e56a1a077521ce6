//! One host as the task of panes holds it: its link, its list, and the screens that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::bridge::Term;
use crate::bridge::panes::{HostLink, HostList, Kept, LinkNews};
use crate::config::HostConfig;
use crate::model::{HostName, LayerKind, PaneAddress, PaneFacts, PaneId};
use crate::protocol::{HostPanes, PaneLost, PaneMark, PaneRow, ProgramState};

use super::super::bridge::BridgeSet;
use super::leases::Leases;
use super::service::Panes;

/// A connection, and a kept screen, outlive the last who wanted them by so much.
const LINGER: Duration = Duration::from_mins(1);
/// Screens of one host that are kept at once: an agent lets as many be watched.
const KEPT: usize = 64;
/// When a pane printed last is told this coarsely: lists are not sent because something scrolls.
const PRINTED: SignedDuration = SignedDuration::from_secs(10);

/// A kept screen, and since when nobody wants it.
struct Shown {
    kept: Arc<Kept>,
    unwanted: Option<Instant>,
}

/// A host.
pub(super) struct Host {
    pub config: HostConfig,
    pub list: HostList,
    link: Option<HostLink>,
    shown: BTreeMap<PaneId, Shown>,
    unwanted: Option<Instant>,
    /// As it was told last, and how often that was something else.
    pub told: HostPanes,
    pub version: u64,
}

/// The layers of a host that carry panes: connections that stay open.
fn roads(config: &HostConfig) -> Vec<LayerKind> {
    let stays = |kind: &LayerKind| matches!(kind, LayerKind::Local | LayerKind::Socket | LayerKind::Tmux);
    config.kinds().into_iter().filter(stays).collect()
}

impl Host {
    /// A host nobody has looked at.
    pub(super) fn new(config: HostConfig, now: Timestamp) -> Self {
        let has_road = !roads(&config).is_empty();
        let why = if has_road { "nobody looks at it" } else { "panes need one of the layers local, socket and tmux" };
        let list = HostList {
            layer: None,
            at: now,
            why: Some(why.to_owned()),
            may_drive: false,
            panes: Vec::new(),
            is_known: !has_road,
        };
        let told = HostPanes {
            host: config.name.clone(),
            layer: None,
            at: now,
            why: list.why.clone(),
            may_drive: false,
            panes: Vec::new(),
        };
        Self { config, list, link: None, shown: BTreeMap::new(), unwanted: None, told, version: 1 }
    }

    /// Whether it can be looked at.
    pub(super) fn has_road(&self) -> bool {
        !roads(&self.config).is_empty()
    }

    /// Whether a connection is kept open.
    pub(super) fn is_linked(&self) -> bool {
        self.link.is_some()
    }

    /// Opens the link.
    pub(super) fn open(
        &mut self,
        service: &Panes,
        set: &Arc<BridgeSet>,
        term: watch::Receiver<Term>,
        news: mpsc::Sender<(HostName, LinkNews)>,
    ) {
        let (open, set, host) = (Arc::clone(&service.open), Arc::clone(set), self.config.clone());
        let opener = move |kind: LayerKind, news: mpsc::Sender<_>| {
            let layer = host.layers.iter().find(|layer| layer.kind() == kind);
            let layer = layer.ok_or_else(|| format!("there is no layer {kind}"))?;
            open(set.config(), &host, layer, term.clone(), news)
        };
        let tmux = self.config.tmux.clone();
        let link = HostLink::open(self.config.name.clone(), roads(&self.config), tmux, Box::new(opener), news);
        for shown in self.shown.values() {
            link.watch(Arc::clone(&shown.kept));
        }
        self.link = Some(link);
    }

    /// The link, while there is one.
    pub(super) fn link(&self) -> Option<&HostLink> {
        self.link.as_ref()
    }

    /// Closes the link; what is known of the host is old from now on.
    pub(super) fn close(&mut self, why: &str, now: Timestamp) {
        self.link = None;
        let since = if self.list.layer.take().is_some() { now } else { self.list.at };
        (self.list.at, self.list.why, self.list.is_known) = (since, Some(why.to_owned()), !self.has_road());
        for shown in self.shown.values() {
            shown.kept.change(|screen| screen.stale.get_or_insert_with(|| (since, why.to_owned())).0);
        }
    }

    /// Ends every watch.
    pub(super) fn end(&mut self, why: &str) {
        for shown in self.shown.values() {
            shown.kept.change(|screen| screen.ended = Some(why.to_owned()));
        }
        self.shown.clear();
        self.link = None;
    }

    /// The screen of a pane, if it is kept.
    pub(super) fn kept(&self, pane: PaneId) -> Option<&Arc<Kept>> {
        self.shown.get(&pane).map(|shown| &shown.kept)
    }

    /// The screen of a pane, kept from now on; `None` where too many are.
    pub(super) fn keep(&mut self, pane: PaneId) -> Option<Arc<Kept>> {
        if let Some(shown) = self.shown.get_mut(&pane)
            && shown.kept.look().ended.is_none()
        {
            shown.unwanted = None;
            return Some(Arc::clone(&shown.kept));
        }
        if self.shown.len() >= KEPT {
            return None;
        }
        let kept = Kept::new(pane);
        if let Some(link) = &self.link {
            // It may have been watched before, and ended.
            link.unwatch(pane);
            link.watch(Arc::clone(&kept));
        }
        self.shown.insert(pane, Shown { kept: Arc::clone(&kept), unwanted: None });
        Some(kept)
    }

    /// Lets go of what nobody has wanted for a while. Answers whether the link is to be open.
    pub(super) fn settle(&mut self, wanted: &BTreeSet<PaneId>, is_followed: bool, now: Instant) -> bool {
        let link = &self.link;
        self.shown.retain(|pane, shown| {
            if wanted.contains(pane) {
                shown.unwanted = None;
                return true;
            }
            let stays = now < *shown.unwanted.get_or_insert(now) + LINGER;
            if !stays && let Some(link) = link {
                link.unwatch(*pane);
            }
            stays
        });
        if is_followed || !wanted.is_empty() {
            self.unwanted = None;
            return self.has_road();
        }
        self.link.is_some() && now < *self.unwanted.get_or_insert(now) + LINGER
    }

    /// These panes are recorded, and no others: every byte of them is wanted.
    pub(super) fn record(&self, recorded: &BTreeSet<PaneId>) {
        for (pane, shown) in &self.shown {
            let wanted = recorded.contains(pane);
            if std::mem::replace(&mut shown.kept.look().whole, wanted) != wanted
                && let Some(link) = &self.link
            {
                link.whole(*pane);
            }
        }
    }

    /// What the host says of a pane.
    pub(super) fn facts(&self, pane: PaneId) -> Option<&PaneFacts> {
        self.list.panes.iter().find(|facts| facts.id == pane)
    }

    /// Whether a pane is gone for good: its tmux server has told of all its panes and this one is not among them, or is
    /// another one by now. A pane that is gone never comes back under its number. A list that says why it is short or empty
    /// says nothing of what is not in it.
    pub(super) fn is_gone(&self, pane: PaneId) -> bool {
        let panes = &self.list.panes;
        let is_told = self.list.why.is_none() || panes.iter().any(|facts| facts.id.server != pane.server);
        self.list.layer.is_some() && is_told && self.facts(pane).is_none()
    }

    /// How a person names a pane of it, for the audit log.
    pub(super) fn name_of(&self, pane: PaneId) -> String {
        match self.facts(pane) {
            Some(facts) => facts.name(&self.config.name, &self.list.panes).to_string(),
            None => format!("{}:%{}", self.config.name, pane.number),
        }
    }

    /// Notes who drives what: of what clients of this engine have, as `leases` say, of the rest as the list says. A list may
    /// have been made before one of them took a pane over and come after it.
    pub(super) fn note_drivers(&self, leases: &Leases) {
        for facts in &self.list.panes {
            let Some(kept) = self.kept(facts.id) else { continue };
            let pane = PaneAddress { host: self.config.name.clone(), pane: facts.id };
            if leases.is_asked_for(&pane) {
                // The answer says it.
                continue;
            }
            let driver = leases.driver(&pane).or(facts.driver.as_ref());
            let is_new = kept.look().driver() != driver;
            if is_new {
                let why = match driver {
                    Some(driver) => format!("{} drives it", driver.who),
                    None => "nobody drives it any more".to_owned(),
                };
                kept.change(|screen| screen.driven(driver, &why));
            }
        }
    }

    /// Makes what is told of it anew, `row` by row; answers whether it is something else.
    pub(super) fn tell(
        &mut self,
        row: impl Fn(&PaneFacts, Option<&Arc<Kept>>, Option<&ProgramState>) -> PaneRow,
    ) -> bool {
        let mut rows = Vec::new();
        for facts in &self.list.panes {
            // Lists seldom change their order.
            let same = self.told.panes.get(rows.len()).filter(|before| before.facts.id == facts.id);
            let before = same.or_else(|| self.told.panes.iter().find(|before| before.facts.id == facts.id));
            let mut row = row(facts, self.kept(facts.id), before.and_then(|before| before.program.as_ref()));
            let near = before.and_then(|before| before.printed).zip(row.printed);
            if let Some((before, printed)) = near
                && printed.duration_since(before) < PRINTED
            {
                row.printed = Some(before);
            }
            rows.push(row);
        }
        let told = HostPanes {
            host: self.config.name.clone(),
            layer: self.list.layer,
            at: self.list.at,
            why: self.list.why.clone(),
            may_drive: self.list.may_drive,
            panes: rows,
        };
        let is_new = told != self.told;
        if is_new {
            self.told = told;
            self.version += 1;
        }
        is_new
    }
}

/// A row of a pane nobody watches or has marked.
pub(super) fn bare(facts: &PaneFacts) -> PaneRow {
    PaneRow {
        facts: facts.clone(),
        program: None,
        printed: None,
        watchers: Vec::new(),
        recording: None,
        mark: PaneMark::default(),
        calls: None,
        lost: PaneLost::default(),
    }
}
