//! What keys do with panes, and why they do not.

use std::ops::ControlFlow;

use crate::model::{HostName, Label, PaneAddress};
use crate::protocol::{PaneMark, PanePace, PaneRequest, Request};

use super::action::{Action, View};
use super::app::App;
use super::bridge::{BridgeTab, Opened};
use super::list::moved;
use super::msg::{Cmd, Overlay};
use super::pane_asks::{PanePurpose, ask};
use super::pane_mark::MarkDialog;
use super::pane_tail::PaneTail;
use super::pane_watch::{BESIDE, BESIDE_LITE, Wanted};
use super::panes::{Listed, Panes};
use super::tail::Row;
use super::tiles::Tiles;
use super::view;

/// Panes whose last lines are told together, at most.
const TAILED: usize = 16;

impl App {
    /// Whether panes are what is shown.
    pub(super) fn on_panes(&self) -> bool {
        self.view == View::Bridge
            && match &self.bridge.open {
                Some(Opened::Pane(_) | Opened::Tiles(_) | Opened::Tail(_)) => true,
                Some(Opened::Host(_) | Opened::Job(_)) => false,
                None => self.bridge.tab == BridgeTab::Panes,
            }
    }

    /// The labels of a host.
    fn labels_of(&self, name: &HostName) -> &[Label] {
        let host = self.bridge_panel().hosts.iter().find(|host| host.name == *name);
        host.map(|host| host.labels.as_slice()).unwrap_or_default()
    }

    /// The rows of the list.
    pub(super) fn listed_panes(&self) -> Vec<Listed<'_>> {
        let text = self.bridge.filter.text().trim().to_lowercase();
        let mut listed = self.panes.listed(&text, |host| self.labels_of(host));
        listed.retain(|row| self.bridge.lists(row));
        listed
    }

    /// The pane that keys are about.
    pub(super) fn on_pane(&self) -> Option<PaneAddress> {
        if !self.on_panes() {
            return None;
        }
        match &self.bridge.open {
            Some(Opened::Pane(open)) => Some(open.pane.clone()),
            Some(Opened::Tiles(tiles)) => tiles.focused().cloned(),
            Some(Opened::Tail(tail)) => match tail.lines.rows().get(tail.lines.index()) {
                Some(Row::Told(line)) => Some(line.pane.clone()),
                _ => None,
            },
            _ => {
                let listed = self.listed_panes();
                let row = listed.get(self.panes.index(&listed))?;
                row.row.map(|pane| row.host.address(pane))
            }
        }
    }

    /// Panes for tiles: those that are picked, else all that are listed.
    fn for_tiles(&self) -> Vec<PaneAddress> {
        if !self.panes.picked.is_empty() {
            return self.panes.picked.clone();
        }
        self.listed_panes().iter().filter_map(|row| row.row.map(|pane| row.host.address(pane))).collect()
    }

    /// Why `action` cannot be done with panes; goes on where it is not about them here.
    pub(super) fn pane_missing(&self, action: Action) -> ControlFlow<Option<String>> {
        let here = self.on_panes();
        let elsewhere = || Some("no pane is selected; go to Bridge, panes".to_owned());
        let open = self.zoomed().map(|(open, _)| open);
        let is_list = here && self.bridge.open.is_none();
        ControlFlow::Break(match action {
            Action::Drive => self.no_drive(),
            Action::MarkPane => self.on_pane().map_or_else(elsewhere, |pane| self.denied_mark(&pane)),
            Action::RecordPane => self.on_pane().map_or_else(elsewhere, |pane| {
                self.denied(&Request::Pane(PaneRequest::Record { pane, on: true, stays: true }))
            }),
            Action::Tiles | Action::TailPicked if !here => elsewhere(),
            Action::Tiles if matches!(self.bridge.open, Some(Opened::Tiles(_))) => {
                Some("these are the tiles".to_owned())
            }
            Action::Tiles => self.for_tiles().is_empty().then(|| "no pane is listed".to_owned()),
            Action::TailPicked if matches!(self.bridge.open, Some(Opened::Tail(_))) => {
                Some("these are their last lines".to_owned())
            }
            Action::TailPicked => self.panes.picked.is_empty().then(|| {
                let key = self.key_of(Action::Pick).map(|key| format!(" ({key})")).unwrap_or_default();
                format!("no pane is picked; pick some in the list of panes{key}")
            }),
            Action::Left | Action::Right if matches!(self.bridge.open, Some(Opened::Tiles(_))) && here => None,
            Action::Left | Action::Right | Action::PanUp | Action::PanDown | Action::FollowCursor => {
                if here {
                    self.no_pan(action)
                } else {
                    Some("no pane is open".to_owned())
                }
            }
            Action::Pick if is_list => self.on_pane().is_none().then(|| "no pane is selected".to_owned()),
            Action::PickAll if is_list => {
                self.listed_panes().iter().all(|row| row.row.is_none()).then(|| "no pane is listed".to_owned())
            }
            Action::Find if here && open.is_some() => {
                self.live().is_none().then(|| "nothing is shown of it yet".to_owned())
            }
            Action::NextMatch | Action::PreviousMatch if here && open.is_some() => open
                .and_then(|open| open.find.as_ref())
                .is_none_or(|find| find.pattern.is_none())
                .then(|| "nothing is searched for in this pane".to_owned()),
            Action::Open if here => match &self.bridge.open {
                Some(Opened::Pane(_)) => Some("the pane is open already".to_owned()),
                _ => match self.on_pane() {
                    None => Some("no pane is selected".to_owned()),
                    Some(pane) => self.panes.name(&pane).is_none().then(|| "the pane is not there any more".to_owned()),
                },
            },
            Action::NextTab | Action::PreviousTab if here && self.bridge.open.is_some() => match open {
                Some(open) if self.beside(&open.pane, true).is_some() => None,
                Some(_) => Some("no other pane is listed".to_owned()),
                None => Some("nothing here has tabs".to_owned()),
            },
            Action::ProbeHost | Action::RunCommand if here => {
                Some("this is about hosts; go to Bridge, hosts".to_owned())
            }
            _ => return ControlFlow::Continue(()),
        })
    }

    fn denied_mark(&self, pane: &PaneAddress) -> Option<String> {
        if self.panes.row(pane).is_none() {
            return Some("the pane is not there any more".to_owned());
        }
        self.denied(&Request::Pane(PaneRequest::Mark { pane: pane.clone(), mark: PaneMark::default() }))
    }

    /// Why the pane cannot be taken over.
    fn no_drive(&self) -> Option<String> {
        let Some(pane) = self.on_pane() else { return Some("no pane is selected; go to Bridge, panes".to_owned()) };
        let Some((host, row)) = self.panes.row(&pane) else { return Some("the pane is not there any more".to_owned()) };
        if let Some(why) = self.denied(&Request::Pane(PaneRequest::Take { pane: pane.clone() })) {
            return Some(why);
        }
        if !host.may_drive {
            return Some(format!("panes of {} are only to be watched; its agent says so", host.host));
        }
        if row.facts.synchronized {
            let why = "synchronize-panes is on in its window: tmux would type into the other panes there, too";
            return Some(why.to_owned());
        }
        row.facts.dead.is_some().then(|| "its program has ended; nothing reads what is typed".to_owned())
    }

    /// Does what `action` says about panes; `None` where it is not about them here.
    pub(super) fn act_on_panes(&mut self, action: Action) -> Option<Vec<Cmd>> {
        match action {
            Action::Drive => {
                let pane = self.on_pane()?;
                let mut commands = self.open_selected_pane();
                if let Some(Opened::Pane(open)) = &mut self.bridge.open {
                    (open.back, open.find, open.pan) = (None, None, None);
                }
                commands.extend(self.take_over(pane));
                return Some(commands);
            }
            Action::MarkPane => {
                let pane = self.on_pane()?;
                let (_, row) = self.panes.row(&pane)?;
                let dialog = MarkDialog::new(pane.clone(), self.panes.shown_name(&pane), &row.mark);
                self.overlay = Some(Overlay::Mark(Box::new(dialog)));
            }
            Action::RecordPane => {
                let pane = self.on_pane()?;
                let on = self.panes.row(&pane).is_none_or(|(_, row)| row.recording.is_none());
                return Some(vec![ask(PanePurpose::Record(on), PaneRequest::Record { pane, on, stays: true })]);
            }
            Action::Tiles => {
                let on = self.on_pane();
                let panes = self.for_tiles();
                let focus = panes.iter().position(|pane| Some(pane) == on.as_ref()).unwrap_or(0);
                self.bridge.open = Some(Opened::Tiles(Tiles { panes, focus }));
            }
            Action::TailPicked => {
                let panes = self.panes.picked.iter().take(TAILED).cloned().collect();
                self.bridge.open = Some(Opened::Tail(Box::new(PaneTail::new(panes))));
            }
            Action::Left | Action::Right if matches!(self.bridge.open, Some(Opened::Tiles(_))) => {
                self.move_tiles(action);
            }
            Action::Left | Action::Right | Action::PanUp | Action::PanDown | Action::FollowCursor => self.pan(action),
            Action::Pick if self.on_panes() => self.pick_pane(),
            Action::PickAll if self.on_panes() => {
                let all: Vec<PaneAddress> =
                    self.listed_panes().iter().filter_map(|row| row.row.map(|pane| row.host.address(pane))).collect();
                let had = all.iter().all(|pane| self.panes.picked.contains(pane));
                self.panes.picked = if had { Vec::new() } else { all };
            }
            Action::Find if self.on_panes() => self.begin_pane_find(),
            Action::NextMatch | Action::PreviousMatch if self.on_panes() => {
                return Some(self.next_pane_match(action == Action::NextMatch));
            }
            Action::Open if self.on_panes() => return Some(self.open_selected_pane()),
            Action::NextTab | Action::PreviousTab if self.on_panes() && self.bridge.open.is_some() => {
                let pane = self.on_pane()?;
                let (next, name) = self.beside(&pane, action == Action::NextTab)?;
                return Some(self.open_pane(next, name));
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    /// The pane after this one in the list, or before it.
    fn beside(&self, pane: &PaneAddress, forward: bool) -> Option<(PaneAddress, crate::model::PaneName)> {
        let all: Vec<PaneAddress> =
            self.listed_panes().iter().filter_map(|row| row.row.map(|pane| row.host.address(pane))).collect();
        let len = all.len();
        let at = all.iter().position(|other| other == pane);
        let next = at.map_or(0, |at| if forward { (at + 1) % len } else { (at + len - 1) % len });
        let next = all.get(next).filter(|next| *next != pane)?;
        Some((next.clone(), self.panes.name(next)?))
    }

    fn open_selected_pane(&mut self) -> Vec<Cmd> {
        let Some(pane) = self.on_pane() else { return Vec::new() };
        if self.zoomed().is_some() {
            return Vec::new();
        }
        match self.panes.name(&pane) {
            Some(name) => self.open_pane(pane, name),
            None => Vec::new(),
        }
    }

    /// Picks the selected pane, or no longer, and goes on to the next.
    fn pick_pane(&mut self) {
        let Some(pane) = self.on_pane() else { return };
        match self.panes.picked.iter().position(|picked| *picked == pane) {
            Some(at) => drop(self.panes.picked.remove(at)),
            None => self.panes.picked.push(pane),
        }
        self.scroll_panes(Action::Down);
    }

    fn move_tiles(&mut self, action: Action) {
        let Some(Opened::Tiles(tiles)) = &self.bridge.open else { return };
        let division = view::tiles::division(self, tiles);
        if let Some(Opened::Tiles(tiles)) = &mut self.bridge.open {
            tiles.move_by(action, division);
        }
    }

    /// Moves through what is shown of panes.
    pub(super) fn scroll_panes(&mut self, action: Action) {
        match &self.bridge.open {
            Some(Opened::Pane(_)) => self.scroll_pane(action),
            Some(Opened::Tiles(_)) => self.move_tiles(action),
            Some(Opened::Tail(_)) => self.scroll_tail(action),
            _ => {
                let height = self.list_height().saturating_sub(view::bridge::below(self).into());
                let listed = self.listed_panes();
                if let Some(to) = moved(action, self.panes.index(&listed), listed.len(), height) {
                    let selection = Panes::key_at(&listed, to);
                    self.panes.select(selection);
                }
            }
        }
    }

    /// Selects by number what was clicked on; answers whether another one was selected before.
    pub(super) fn select_among_panes(&mut self, index: usize) -> bool {
        match &mut self.bridge.open {
            Some(Opened::Tiles(tiles)) => std::mem::replace(&mut tiles.focus, index) != index,
            Some(Opened::Tail(tail)) => {
                let before = tail.lines.index();
                tail.lines.select(index, usize::from(self.size.1.saturating_sub(3)));
                before != index
            }
            _ => {
                let listed = self.listed_panes();
                let before = self.panes.index(&listed);
                let selection = Panes::key_at(&listed, index);
                self.panes.select(selection);
                before != index
            }
        }
    }

    /// Leaves what is open among panes, one thing at a time; answers whether there was anything.
    pub(super) fn leave_pane(&mut self) -> bool {
        match &mut self.bridge.open {
            Some(Opened::Pane(open)) => {
                if open.find.take().is_some() || open.back.take().is_some() {
                    return true;
                }
                self.bridge.open = open.behind.take().map(Opened::Tiles);
                true
            }
            _ => self.bridge.open.take().is_some(),
        }
    }

    /// Brings what the engine tells of panes in line with what is shown of them.
    pub(super) fn look_at_panes(&mut self) -> Vec<Cmd> {
        let mut commands = Vec::new();
        if self.snapshot.is_none() || self.stale_since().is_some() {
            return commands;
        }
        let named = matches!(&self.overlay, Some(Overlay::Palette(palette)) if palette.names_panes());
        let follows = self.on_panes() || self.panes.sought.is_some() || named;
        if std::mem::replace(&mut self.panes.follows, follows) != follows {
            commands.push(ask(PanePurpose::Follow, PaneRequest::Follow(follows)));
        }
        let wanted = self.wanted_panes();
        let now = self.now;
        let listed: Vec<bool> = wanted.iter().map(|(pane, _)| self.panes.row(pane).is_some()).collect();
        let wanted: Vec<Wanted> =
            wanted.into_iter().zip(listed).map(|((pane, pace), listed)| Wanted { pane, pace, listed }).collect();
        commands.extend(self.panes.watches.want(&wanted, now));
        commands.extend(self.want_history());
        // Whoever leaves a pane does not type there any more.
        let drive = self.panes.drive.as_ref().map(|drive| &drive.pane);
        if drive.is_some() && drive != self.zoomed().map(|(open, _)| &open.pane) {
            commands.extend(self.give_back());
        }
        commands.extend(self.mirror());
        commands
    }

    /// The panes that are shown, and how much of each may come.
    fn wanted_panes(&self) -> Vec<(PaneAddress, PanePace)> {
        if !self.on_panes() {
            return Vec::new();
        }
        let lite = self.status.lite;
        let beside = if lite { BESIDE_LITE } else { BESIDE };
        match &self.bridge.open {
            Some(Opened::Pane(open)) => {
                vec![(open.pane.clone(), if lite { PanePace::LITE } else { PanePace::LIVE })]
            }
            Some(Opened::Tiles(tiles)) => {
                let division = view::tiles::division(self, tiles);
                tiles.page(division).map(|(_, pane)| (pane.clone(), beside)).collect()
            }
            Some(Opened::Tail(tail)) => tail.panes.iter().map(|pane| (pane.clone(), beside)).collect(),
            _ => Vec::new(),
        }
    }

    /// The line broke: what was asked for ended with it and is asked again on the next.
    pub(super) fn panes_after_break(&mut self) {
        self.drive_ends_with_line();
        self.panes.follows = false;
        self.panes.watches.line_broke(self.now);
        if let Some(Opened::Pane(open)) = &mut self.bridge.open
            && let Some(back) = &mut open.back
        {
            back.ask_again();
        }
    }
}
