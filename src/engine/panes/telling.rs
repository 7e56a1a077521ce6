//! Lists of panes, for whoever asks and whoever follows.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::bridge::panes::Kept;
use crate::model::{HostName, OperatorName, PaneAddress, PaneFacts};
use crate::protocol::{HostPanes, PaneReply, PaneRow, PaneUpdate};

use super::desk::Desk;
use super::host::bare;

/// Pause between two lists: the first after a rest is told at once.
const EVERY: Duration = Duration::from_millis(500);

impl Desk {
    /// Tells whoever follows of the hosts whose panes are something else than they were told.
    pub(super) fn tell_lists(&mut self, now: Instant) {
        if now < self.tell || !self.clients.values().any(|client| client.follows.is_some()) {
            return;
        }
        let mut has_news = self.make_lists();
        for client in self.clients.values_mut() {
            let Some(told) = &mut client.follows else { continue };
            let fresh: Vec<(&HostName, u64)> = self
                .hosts
                .iter()
                .filter(|(name, host)| told.get(*name) != Some(&host.version))
                .map(|(name, host)| (name, host.version))
                .collect();
            // A host that is gone is told by all of them.
            let gone = told.keys().any(|name| !self.hosts.contains_key(name));
            if fresh.is_empty() && !gone {
                continue;
            }
            has_news = true;
            // One with no room is told later, and then all of it.
            let Ok(room) = client.out.try_reserve() else { continue };
            let lists: Vec<HostPanes> = if gone {
                self.hosts.values().map(|host| host.told.clone()).collect()
            } else {
                fresh.iter().filter_map(|(name, _)| self.hosts.get(*name)).map(|host| host.told.clone()).collect()
            };
            *told = self.hosts.iter().map(|(name, host)| (name.clone(), host.version)).collect();
            room.send(PaneUpdate::Panes(lists));
        }
        if has_news {
            self.tell = now + EVERY;
        }
    }

    /// Answers who waits for a list, once every host has said something or the time is over.
    pub(super) fn answer_lists(&mut self, now: Instant) {
        if self.listing.is_empty() {
            return;
        }
        let all_known = self.hosts.values().all(|host| host.list.is_known);
        let (done, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.listing).into_iter().partition(|listing| all_known || listing.until <= now);
        self.listing = waiting;
        if done.is_empty() {
            return;
        }
        self.make_lists();
        let lists: Vec<HostPanes> = self.hosts.values().map(|host| host.told.clone()).collect();
        for listing in done {
            self.answer(listing.client, listing.id, Ok(PaneReply::Panes(lists.clone())));
        }
    }

    /// Makes every list anew; answers whether one is something else.
    fn make_lists(&mut self) -> bool {
        let mut is_new = false;
        let mut hosts = std::mem::take(&mut self.hosts);
        for (name, host) in &mut hosts {
            is_new |= host.tell(|facts, kept| self.row(name, facts, kept));
        }
        self.hosts = hosts;
        is_new
    }

    fn row(&self, host: &HostName, facts: &PaneFacts, kept: Option<&Arc<Kept>>) -> PaneRow {
        let mut row = bare(facts);
        let pane = PaneAddress { host: host.clone(), pane: facts.id };
        if let Some(mark) = self.marks.get(&pane) {
            row.mark = mark.mark.clone();
            row.calls.clone_from(&mark.calls);
        }
        let Some(kept) = kept else { return row };
        {
            let screen = kept.look();
            (row.printed, row.lost) = (screen.printed, screen.lost);
        }
        let watching = self.clients.values().filter(|client| client.watches.values().any(|watch| watch.pane == pane));
        let mut watchers: Vec<OperatorName> = watching.map(|client| client.who.clone()).collect();
        watchers.sort();
        watchers.dedup();
        row.watchers = watchers;
        row
    }
}
