//! Lists of panes, for whoever asks and whoever follows.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::bridge::panes::{Kept, Screen};
use crate::bridge::program::{Seen, ToolPatterns, judge};
use crate::model::{HostName, OperatorName, PaneAddress, PaneFacts};
use crate::protocol::{HostPanes, PaneCall, PaneReply, PaneRow, PaneUpdate, ProgramState};

use super::super::Input;
use super::desk::Desk;
use super::host::bare;

/// Pause between two lists: the first after a rest is told at once.
const EVERY: Duration = Duration::from_millis(500);
/// How often it is looked for what changes without a word: what prints, what programs do.
const BY_ITSELF: Duration = Duration::from_secs(1);

impl Desk {
    /// Tells whoever follows of the hosts whose panes are something else than they were told.
    pub(super) fn tell_lists(&mut self, now: Instant) {
        let is_due = (self.has_news && now >= self.tell) || now >= self.make;
        if !is_due || !self.clients.values().any(|client| client.follows.is_some()) {
            return;
        }
        (self.has_news, self.make) = (false, now + BY_ITSELF);
        let mut has_news = self.make_lists();
        for client in self.clients.values_mut() {
            let Some(told) = &client.follows else { continue };
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
            let Some(room) = client.room() else {
                self.has_news = true;
                continue;
            };
            let lists: Vec<HostPanes> = if gone {
                self.hosts.values().map(|host| host.told.clone()).collect()
            } else {
                fresh.iter().filter_map(|(name, _)| self.hosts.get(*name)).map(|host| host.told.clone()).collect()
            };
            client.follows = Some(self.hosts.iter().map(|(name, host)| (name.clone(), host.version)).collect());
            room.send(PaneUpdate::Panes(lists));
        }
        if has_news {
            self.tell = now + EVERY;
        }
    }

    /// Tells the engine which panes call, where that has changed: every screen is led to them.
    pub(super) fn tell_calls(&mut self) {
        let calling = self.marks.iter().filter_map(|(pane, mark)| {
            let (since, why) = mark.calls.clone()?;
            // Nobody can look at a host that is not configured any more.
            let name = self.hosts.get(&pane.host)?.name_of(pane.pane);
            Some(PaneCall { pane: pane.clone(), name, since, why })
        });
        let calls: Vec<PaneCall> = calling.collect();
        if self.calls.as_ref() != Some(&calls) {
            self.replies.push(Input::Calls(calls.clone()));
            self.calls = Some(calls);
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
            is_new |= host.tell(|facts, kept, program| self.row(name, facts, kept, program));
        }
        self.hosts = hosts;
        is_new
    }

    fn row(
        &self,
        host: &HostName,
        facts: &PaneFacts,
        kept: Option<&Arc<Kept>>,
        before: Option<&ProgramState>,
    ) -> PaneRow {
        let mut row = bare(facts);
        let pane = PaneAddress { host: host.clone(), pane: facts.id };
        if let Some(mark) = self.marks.get(&pane) {
            row.mark = mark.mark.clone();
            row.calls.clone_from(&mark.calls);
        }
        row.recording = self.recordings.get(&pane).map(|recorded| recorded.recording.path.display().to_string());
        let Some(kept) = kept else { return row };
        {
            let screen = kept.look();
            (row.printed, row.lost) = (screen.printed, screen.lost);
            row.program = program(&screen, facts, before);
        }
        let watching = self.clients.values().filter(|client| client.watches.values().any(|watch| watch.pane == pane));
        let mut watchers: Vec<OperatorName> = watching.map(|client| client.who.clone()).collect();
        watchers.sort();
        watchers.dedup();
        row.watchers = watchers;
        row
    }
}

/// What the program in a pane does. As long as it does the same, the same is told of it: what counts up on its screen is
/// no news of a list.
fn program(screen: &Screen, facts: &PaneFacts, before: Option<&ProgramState>) -> Option<ProgramState> {
    let (glass, now) = (screen.glass()?, Timestamp::now());
    let silence = screen.printed.map_or(SignedDuration::ZERO, |printed| now.duration_since(printed));
    let silence = Duration::try_from(silence).unwrap_or_default();
    let judged = judge(Seen { glass, command: &facts.command, silence, before }, ToolPatterns::known(), now)?;
    let same = before.filter(|before| {
        (&before.tool, before.doing, before.confidence) == (&judged.tool, judged.doing, judged.confidence)
    });
    Some(same.cloned().unwrap_or(judged))
}
