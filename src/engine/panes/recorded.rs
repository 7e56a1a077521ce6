//! For whom a pane is recorded, and what is recorded by itself: a recording ends with the last who wanted it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::PaneRecord;
use crate::model::{AuditKind, OperatorName, PaneAddress};
use crate::protocol::ClientId;

use super::desk::Desk;
use super::recording::Recording;

/// What is recorded by itself goes on for so long after the last reason: who looks away for a moment begins no other file.
const LINGER: Duration = Duration::from_mins(1);

/// A recording, and who wants it.
pub(super) struct Recorded {
    pub recording: Recording,
    /// It goes on without any client.
    stays: bool,
    /// It goes on as long as one of these is there.
    clients: BTreeSet<ClientId>,
    /// When the configuration wanted it last.
    by_itself: Option<Instant>,
}

impl Recorded {
    /// One that nobody wants yet.
    pub(super) fn new(recording: Recording) -> Self {
        Self { recording, stays: false, clients: BTreeSet::new(), by_itself: None }
    }

    /// `client` wants it, and with `stays` also once it has gone.
    pub(super) fn wants(&mut self, client: ClientId, stays: bool) {
        if stays {
            self.stays = true;
        } else {
            self.clients.insert(client);
        }
    }

    /// `client` wants it no more, nor that it goes on without a client where it says so with `stays`.
    pub(super) fn lets_go(&mut self, client: ClientId, stays: bool) {
        self.stays &= !stays;
        self.clients.remove(&client);
    }

    /// Whether anybody wants it.
    pub(super) fn is_wanted(&self) -> bool {
        self.stays || !self.clients.is_empty() || self.by_itself.is_some()
    }
}

impl Desk {
    /// Begins and ends what is recorded because the configuration of its host says so.
    pub(super) fn record_by_itself(&mut self, now: Instant) {
        let due = self.due_by_itself();
        self.unrecorded.retain(|pane| due.contains_key(pane));
        let mut over = Vec::new();
        for (pane, recorded) in &mut self.recordings {
            if due.contains_key(pane) {
                recorded.by_itself = Some(now);
            } else if recorded.by_itself.take_if(|last| now >= *last + LINGER).is_some() && !recorded.is_wanted() {
                over.push(pane.clone());
            }
        }
        for pane in over {
            self.recordings.remove(&pane);
            self.note(None, &pane, AuditKind::Changed, "its recording ends".to_owned());
        }
        for (pane, who) in due {
            if self.recordings.contains_key(&pane) || self.unrecorded.contains(&pane) {
                continue;
            }
            match self.begin_recording(Some(&who), &pane) {
                Ok(recorded) => recorded.by_itself = Some(now),
                Err(refusal) => {
                    tracing::error!(host = %pane.host, pane = pane.pane.number, %refusal, "a pane that is to be recorded is not");
                    self.unrecorded.insert(pane);
                }
            }
        }
    }

    /// The panes that are to be recorded now, each with one for whom.
    fn due_by_itself(&self) -> BTreeMap<PaneAddress, OperatorName> {
        let when = |pane: &PaneAddress| self.hosts.get(&pane.host).map(|host| host.config.tmux.record);
        let watches = self
            .clients
            .values()
            .flat_map(|client| client.watches.values().map(move |watch| (&watch.pane, &client.who)));
        let watched = watches.filter(|(pane, _)| when(pane) == Some(PaneRecord::Watch));
        let driven = self.leases.driven().filter(|(pane, _)| when(pane).is_some_and(|when| when != PaneRecord::Off));
        watched.chain(driven).map(|(pane, who)| (pane.clone(), who.clone())).collect()
    }
}
