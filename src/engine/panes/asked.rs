//! What clients ask of panes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::bridge::panes::Kept;
use crate::model::{AuditKind, AuditNote, OperatorName, PaneAddress, Role};
use crate::protocol::{ClientId, PaneMark, PanePace, PaneReply, PaneRequest, Refusal, Reply, RequestId};
use crate::screen;

use super::super::Input;
use super::desk::{Client, Desk, Listing};
use super::host::Host;
use super::leases::LeaseEffect;
use super::lines;
use super::marks::{Mark, is_mark};
use super::recorded::Recorded;
use super::recording::Recording;
use super::service::Asking;
use super::watching::Watch;

/// Time for hosts to say which panes they have, when a list is asked for.
const LISTING: Duration = Duration::from_secs(5);
/// Watches of one client.
const WATCHES: usize = 128;
/// Panes that are recorded at once.
const RECORDINGS: usize = 64;
/// Marks of all clients together.
const MARKS: usize = 200;

fn told(recording: &Recording) -> PaneReply {
    PaneReply::Recording(recording.path.display().to_string())
}

impl Desk {
    /// A client asks.
    pub(super) fn asked(&mut self, asking: Asking) {
        let Asking { client, id, identity, line, request } = asking;
        let known = self.clients.entry(client).or_insert_with(|| Client {
            who: identity.operator.clone(),
            line,
            follows: None,
            room: None,
            watches: std::collections::BTreeMap::new(),
        });
        known.who = identity.operator.clone();
        let who = &identity.operator;
        let now = Instant::now();
        if identity.role == Role::Viewer {
            // It may have been an operator's before the configuration was read again.
            let effects = self.leases.left(client, "who drove it may not any more");
            self.driven(effects);
        }
        let Some(known) = self.clients.get_mut(&client) else { return };
        let reply = match request {
            PaneRequest::List => return self.listing.push(Listing { client, id, until: now + LISTING }),
            PaneRequest::Follow(follows) => {
                known.follows = follows.then(std::collections::BTreeMap::new);
                // Whoever begins to follow is told at once.
                self.tell = now;
                Ok(PaneReply::Done)
            }
            PaneRequest::Watch { watch, pane, pace } => self.watch(client, watch, &pane, pace),
            // Of one that has ended the client may not have heard yet.
            PaneRequest::Pace { watch, pace } => {
                if let Some(watch) = known.watches.get(&watch) {
                    watch.pace(pace);
                    // It comes to the front, or was there.
                    let pane = watch.pane.clone();
                    self.looked(&pane);
                }
                Ok(PaneReply::Done)
            }
            PaneRequest::Unwatch { watch } => {
                known.watches.remove(&watch);
                Ok(PaneReply::Done)
            }
            PaneRequest::History { pane, before, limit } => {
                self.shown(&pane).and_then(|kept| lines::history(kept, before, limit))
            }
            PaneRequest::Search { pane, pattern, before, limit } => match self.shown(&pane).cloned() {
                Ok(kept) => return self.search(client, id, kept, &pattern, before, limit),
                Err(refusal) => Err(refusal),
            },
            PaneRequest::Take { pane } => match self.may_drive(&pane) {
                Ok(()) => {
                    let effects = self.leases.take(client, id, who, pane, now);
                    return self.driven(effects);
                }
                Err(refusal) => Err(refusal),
            },
            PaneRequest::Keys { pane, bytes } => {
                let effects = self.leases.keys(client, id, &pane, bytes, now);
                return self.driven(effects);
            }
            PaneRequest::Release { pane } => {
                let effects = self.leases.release(client, id, &pane);
                return self.driven(effects);
            }
            PaneRequest::Record { pane, on: true, stays } => self.record(client, who, &pane, stays),
            PaneRequest::Record { pane, on: false, stays } => Ok(self.record_no_more(client, who, &pane, stays)),
            PaneRequest::Mark { pane, mark } => self.mark(who, pane, mark),
        };
        self.answer(client, id, reply);
    }

    fn host(&self, pane: &PaneAddress) -> Result<&Host, Refusal> {
        let host = self.hosts.get(&pane.host);
        host.ok_or_else(|| Refusal::Unknown(format!("no host is called {}; `aurora host list` names them", pane.host)))
    }

    /// A host that has a pane, or has not said yet what it has.
    fn host_of(&self, pane: &PaneAddress) -> Result<&Host, Refusal> {
        let host = self.host(pane)?;
        if host.list.layer.is_some() && host.facts(pane.pane).is_none() {
            return Err(Refusal::Unknown(format!("{} has no such pane; `aurora pane list` names them", pane.host)));
        }
        if !host.has_road() {
            return Err(Refusal::Failed(host.list.why.clone().unwrap_or_default()));
        }
        Ok(host)
    }

    fn shown(&self, pane: &PaneAddress) -> Result<&Arc<Kept>, Refusal> {
        let kept = self.host(pane)?.kept(pane.pane);
        kept.ok_or_else(|| {
            Refusal::Unknown("nobody watches this pane; its history is kept while it is watched".to_owned())
        })
    }

    /// Keeps the screen of a pane, for whoever wants it.
    pub(super) fn keep(&mut self, pane: &PaneAddress) -> Result<Arc<Kept>, Refusal> {
        self.host_of(pane)?;
        let kept = self.hosts.get_mut(&pane.host).and_then(|host| host.keep(pane.pane));
        kept.ok_or_else(|| Refusal::Failed(format!("of {} as many panes are watched as can be", pane.host)))
    }

    fn watch(
        &mut self,
        client: ClientId,
        number: u64,
        pane: &PaneAddress,
        pace: PanePace,
    ) -> Result<PaneReply, Refusal> {
        let kept = self.keep(pane)?;
        let Some(known) = self.clients.get_mut(&client) else { return Ok(PaneReply::Done) };
        known.watches.retain(|_, watch| !watch.is_over());
        if known.watches.contains_key(&number) {
            return Err(Refusal::Failed(format!("there is a watch {number} already")));
        }
        if known.watches.len() >= WATCHES {
            return Err(Refusal::Failed(format!("a client watches at most {WATCHES} panes")));
        }
        known.watches.insert(number, Watch::begin(number, pane.clone(), pace, kept, known.line.clone()));
        self.looked(pane);
        Ok(PaneReply::Done)
    }

    /// Somebody looks: it calls nobody any more.
    fn looked(&mut self, pane: &PaneAddress) {
        if let Some(mark) = self.marks.get_mut(pane) {
            let called = mark.calls.take().is_some();
            self.unsaved |= called;
            self.has_news |= called;
        }
    }

    fn search(
        &mut self,
        client: ClientId,
        id: RequestId,
        kept: Arc<Kept>,
        pattern: &str,
        before: Option<u64>,
        limit: usize,
    ) {
        let regex = match screen::pattern(pattern) {
            Ok(regex) => regex,
            Err(error) => return self.answer(client, id, Err(Refusal::Failed(error.to_string()))),
        };
        let (turns, inputs) = (Arc::clone(&self.searches), self.service.inputs.clone());
        tokio::spawn(async move {
            // It is never closed.
            let turn = turns.acquire_owned().await;
            let found =
                tokio::task::spawn_blocking(move || lines::search(&kept, &regex, before, limit, lines::PATIENCE)).await;
            drop(turn);
            let found = found.unwrap_or_else(|_| Err(Refusal::Failed("the search failed: a defect".to_owned())));
            let reply = found.map(Reply::Pane);
            // The engine is gone only when everything ends.
            let _ = inputs.send(Input::Answered { client, id, reply, aftermath: None }).await;
        });
    }

    fn may_drive(&self, pane: &PaneAddress) -> Result<(), Refusal> {
        let host = self.host_of(pane)?;
        if host.list.layer.is_none() {
            let why = host.list.why.as_deref().unwrap_or("it is being looked at");
            return Err(Refusal::Failed(format!("{} is not connected: {why}", pane.host)));
        }
        if !host.list.may_drive {
            return Err(Refusal::Denied(format!(
                "panes of {} may be watched only; `panes = \"drive\"` in the [agent] of its file lets them be taken over",
                pane.host
            )));
        }
        Ok(())
    }

    /// Does what leases want done.
    pub(super) fn driven(&mut self, effects: Vec<LeaseEffect>) {
        // What is said of it waits for its note.
        let mut noted = None;
        for effect in effects {
            match effect {
                LeaseEffect::Say(host, ask) => {
                    if let Some(link) = self.hosts.get(&host).and_then(Host::link) {
                        link.drive(ask);
                    }
                }
                LeaseEffect::Answer(client, id, reply) => match &noted {
                    Some(pane) => self.notes.answer(client, id, reply, PaneAddress::clone(pane)),
                    None => self.answer(client, id, reply),
                },
                LeaseEffect::Driver(pane, driver, why) => {
                    if let Some(kept) = self.hosts.get(&pane.host).and_then(|host| host.kept(pane.pane)) {
                        kept.change(|screen| screen.driven(driver.as_ref(), &why));
                    }
                }
                LeaseEffect::Note(pane, who, kind, what) => {
                    self.note(Some(&who), &pane, kind, what);
                    noted = Some(pane);
                }
            }
        }
    }

    /// Writes down what was done about a pane.
    pub(super) fn note(&self, who: Option<&OperatorName>, pane: &PaneAddress, kind: AuditKind, what: String) {
        let name = match self.hosts.get(&pane.host) {
            Some(host) => host.name_of(pane.pane),
            None => format!("{}:%{}", pane.host, pane.pane.number),
        };
        self.notes.note(AuditNote::new(Timestamp::now(), who, kind, format!("pane {name}"), what));
    }

    fn record(
        &mut self,
        client: ClientId,
        who: &OperatorName,
        pane: &PaneAddress,
        stays: bool,
    ) -> Result<PaneReply, Refusal> {
        if let Some(recorded) = self.recordings.get_mut(pane).filter(|recorded| !recorded.recording.is_over()) {
            recorded.wants(client, stays);
            return Ok(told(&recorded.recording));
        }
        let recorded = self.begin_recording(Some(who), pane)?;
        recorded.wants(client, stays);
        Ok(told(&recorded.recording))
    }

    /// Begins to record a pane, for nobody yet; `who` is why.
    pub(super) fn begin_recording(
        &mut self,
        who: Option<&OperatorName>,
        pane: &PaneAddress,
    ) -> Result<&mut Recorded, Refusal> {
        if self.recordings.len() >= RECORDINGS {
            return Err(Refusal::Failed(format!("at most {RECORDINGS} panes are recorded at once")));
        }
        let kept = self.keep(pane)?;
        let title = self.host(pane)?.name_of(pane.pane);
        let begun = Recording::begin(&self.service.state_dir, pane, title, kept, self.set.known(), Timestamp::now());
        let recording = begun.map_err(|error| Refusal::Failed(format!("failed to record it: {error}")))?;
        self.note(who, pane, AuditKind::Changed, format!("it is recorded to {}", recording.path.display()));
        Ok(self.recordings.entry(pane.clone()).insert_entry(Recorded::new(recording)).into_mut())
    }

    /// A client wants a pane recorded no more; others may.
    pub(super) fn record_no_more(
        &mut self,
        client: ClientId,
        who: &OperatorName,
        pane: &PaneAddress,
        stays: bool,
    ) -> PaneReply {
        let Some(recorded) = self.recordings.get_mut(pane) else { return PaneReply::Done };
        recorded.lets_go(client, stays);
        if recorded.is_wanted() {
            return told(&recorded.recording);
        }
        self.recordings.remove(pane);
        self.note(Some(who), pane, AuditKind::Changed, "its recording ends".to_owned());
        PaneReply::Done
    }

    fn mark(&mut self, who: &OperatorName, pane: PaneAddress, mark: PaneMark) -> Result<PaneReply, Refusal> {
        if !is_mark(&mark) {
            if self.marks.remove(&pane).is_some() {
                self.unsaved = true;
                self.note(Some(who), &pane, AuditKind::Changed, "its mark is taken away".to_owned());
            }
            return Ok(PaneReply::Done);
        }
        self.host_of(&pane)?;
        if !self.marks.contains_key(&pane) && self.marks.len() >= MARKS {
            return Err(Refusal::Failed(format!("there are at most {MARKS} marks")));
        }
        let fresh = Mark::new(mark, None, Timestamp::now()).map_err(Refusal::Failed)?;
        self.keep(&pane)?;
        self.note(Some(who), &pane, AuditKind::Changed, "it is marked".to_owned());
        self.marks.insert(pane, fresh);
        self.unsaved = true;
        Ok(PaneReply::Done)
    }
}
