//! Who drives which pane, and which keys are on their way. No I/O; time is given.
//!
//! The agent of the host has the last word: one person has a pane at a time, over all engines. Here it is known which
//! client of this engine that is, so that nobody else's keys go there and so that it is given back when the client goes.
//!
//! Keys are typed without a hole or not at all: once some were refused, or had no answer, nothing more is typed until the pane
//! is taken over again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{AuditKind, HostName, OperatorName, PaneAddress, PaneDriver, PaneId, rules};
use crate::protocol::{ClientId, DriveAsk, PaneReply, PaneSaid, Refusal, RequestId};

/// Time for an agent to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest keys of one request.
const KEYS_ONCE: usize = 64 << 10;
/// Bytes of keys for one pane that may be on their way: eight requests of the longest, as many as a client has open.
const KEYS: usize = 8 * KEYS_ONCE;
/// Requests with keys for one pane that may be on their way.
const PIECES: usize = 1_024;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LeaseEffect {
    /// Say this to the agent of the host.
    Say(HostName, DriveAsk),
    /// Answer.
    Answer(ClientId, RequestId, Result<PaneReply, Refusal>),
    /// Somebody else, or nobody, drives, and why.
    Driver(PaneAddress, Option<PaneDriver>, String),
    /// Write down what was done about a pane.
    Note(PaneAddress, OperatorName, AuditKind, String),
}

use LeaseEffect::{Answer, Driver, Note, Say};

/// Keys that were said and not typed yet.
#[derive(Debug)]
struct Keys {
    seq: u64,
    id: RequestId,
    bytes: usize,
    until: Instant,
}

#[derive(Debug)]
enum Hold {
    /// The agent was asked, by this request.
    Taking(RequestId, Instant),
    Held(PaneDriver),
}

#[derive(Debug)]
struct Lease {
    client: ClientId,
    who: OperatorName,
    hold: Hold,
    keys: VecDeque<Keys>,
    /// Some keys were not typed, or perhaps not.
    has_hole: bool,
}

impl Lease {
    fn is_held(&self) -> bool {
        matches!(self.hold, Hold::Held(_))
    }

    /// What was said and not answered may have been typed.
    fn unsure(&self) -> Vec<LeaseEffect> {
        self.keys.iter().map(|keys| Answer(self.client, keys.id, Err(Refusal::Unanswered))).collect()
    }
}

/// All leases of this engine.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: BTreeMap<PaneAddress, Lease>,
    /// The number of the last keys, of whatever pane: an answer that comes late is nobody else's.
    seq: u64,
}

impl Leases {
    /// Whether anything on this host is driven.
    pub(super) fn any_on(&self, host: &HostName) -> bool {
        self.held.keys().any(|pane| pane.host == *host)
    }

    /// Who drives `pane`, where it is a client of this engine.
    pub(super) fn driver(&self, pane: &PaneAddress) -> Option<&PaneDriver> {
        match &self.held.get(pane)?.hold {
            Hold::Held(driver) => Some(driver),
            Hold::Taking(..) => None,
        }
    }

    /// The panes that clients of this engine drive, and who does.
    pub(super) fn driven(&self) -> impl Iterator<Item = (&PaneAddress, &OperatorName)> {
        self.held.iter().filter(|(_, lease)| lease.is_held()).map(|(pane, lease)| (pane, &lease.who))
    }

    /// Whether a client of this engine wants to drive `pane`, and the agent has not answered.
    pub(super) fn is_asked_for(&self, pane: &PaneAddress) -> bool {
        self.held.get(pane).is_some_and(|lease| !lease.is_held())
    }

    /// Hosts on which something is driven.
    pub(super) fn hosts(&self) -> BTreeSet<HostName> {
        self.held.keys().map(|pane| pane.host.clone()).collect()
    }

    /// A client wants to drive.
    pub(super) fn take(
        &mut self,
        client: ClientId,
        id: RequestId,
        who: &OperatorName,
        pane: PaneAddress,
        now: Instant,
    ) -> Vec<LeaseEffect> {
        if let Some(lease) = self.held.get_mut(&pane) {
            if lease.client == client && lease.has_hole && lease.is_held() {
                // The agent, too, types nothing more before it hears this.
                lease.hold = Hold::Taking(id, now + PATIENCE);
                lease.has_hole = false;
                return vec![Say(pane.host.clone(), DriveAsk::Take { pane: pane.pane, who: who.clone() })];
            }
            let answer = match &lease.hold {
                Hold::Held(driver) if lease.client == client => Ok(PaneReply::Taken(driver.clone())),
                _ if lease.client == client => Err(Refusal::Failed("it is being taken over already".to_owned())),
                _ => Err(Refusal::Denied(format!("{} drives it", lease.who))),
            };
            return vec![Answer(client, id, answer)];
        }
        let ask = DriveAsk::Take { pane: pane.pane, who: who.clone() };
        let effects = vec![Say(pane.host.clone(), ask)];
        let hold = Hold::Taking(id, now + PATIENCE);
        self.held.insert(pane, Lease { client, who: who.clone(), hold, keys: VecDeque::new(), has_hole: false });
        effects
    }

    /// A client types.
    pub(super) fn keys(
        &mut self,
        client: ClientId,
        id: RequestId,
        pane: &PaneAddress,
        bytes: Vec<u8>,
        now: Instant,
    ) -> Vec<LeaseEffect> {
        let refused = |why: &str| vec![Answer(client, id, Err(Refusal::Denied(why.to_owned())))];
        let Some(lease) = self.held.get_mut(pane).filter(|lease| lease.client == client) else {
            return refused("it is not taken over; nothing was typed");
        };
        if !lease.is_held() {
            return refused("it is still being taken over; nothing was typed");
        }
        if lease.has_hole {
            return refused("what was typed before this was not, or perhaps not; take the pane over again to go on");
        }
        let waiting: usize = lease.keys.iter().map(|keys| keys.bytes).sum();
        if bytes.len() > KEYS_ONCE {
            lease.has_hole = true;
            return refused("keys are at most 64 KiB at once; nothing was typed");
        }
        if waiting + bytes.len() > KEYS || lease.keys.len() >= PIECES {
            lease.has_hole = true;
            return refused("the host is behind with what was typed before; this was not typed");
        }
        self.seq += 1;
        let seq = self.seq;
        lease.keys.push_back(Keys { seq, id, bytes: bytes.len(), until: now + PATIENCE });
        vec![Say(pane.host.clone(), DriveAsk::Keys { pane: pane.pane, seq, bytes })]
    }

    /// A client gives a pane back.
    pub(super) fn release(&mut self, client: ClientId, id: RequestId, pane: &PaneAddress) -> Vec<LeaseEffect> {
        if self.held.get(pane).is_none_or(|lease| lease.client != client) {
            return vec![Answer(client, id, Err(Refusal::Denied("it is not taken over".to_owned())))];
        }
        let mut effects = self.end(pane, "given back", true);
        effects.push(Answer(client, id, Ok(PaneReply::Done)));
        effects
    }

    /// A pane is given back because of `why`, where a client has it.
    pub(super) fn gives_back(&mut self, client: ClientId, pane: &PaneAddress, why: &str) -> Vec<LeaseEffect> {
        if self.held.get(pane).is_none_or(|lease| lease.client != client) {
            return Vec::new();
        }
        self.end(pane, why, true)
    }

    /// A client has gone, or may not drive any more: what it drives is given back.
    pub(super) fn left(&mut self, client: ClientId, why: &str) -> Vec<LeaseEffect> {
        let its: Vec<PaneAddress> =
            self.held.iter().filter(|(_, lease)| lease.client == client).map(|(pane, _)| pane.clone()).collect();
        its.iter().flat_map(|pane| self.end(pane, why, true)).collect()
    }

    /// The connection to a host broke, and with it every lease there.
    pub(super) fn broken(&mut self, host: &HostName, why: &str) -> Vec<LeaseEffect> {
        let its: Vec<PaneAddress> = self.held.keys().filter(|pane| pane.host == *host).cloned().collect();
        let why = format!("the connection broke: {why}");
        its.iter().flat_map(|pane| self.end(pane, &why, false)).collect()
    }

    /// Ends a lease; with `say` the agent is told.
    fn end(&mut self, pane: &PaneAddress, why: &str, say: bool) -> Vec<LeaseEffect> {
        let Some(lease) = self.held.remove(pane) else { return Vec::new() };
        let mut effects = Vec::new();
        if say {
            effects.push(Say(pane.host.clone(), DriveAsk::Release { pane: pane.pane }));
        }
        effects.extend(lease.unsure());
        match lease.hold {
            Hold::Taking(id, _) => {
                effects.push(Answer(lease.client, id, Err(Refusal::Failed(format!("not taken over: {why}")))));
            }
            Hold::Held(_) => {
                effects.push(Driver(pane.clone(), None, why.to_owned()));
                effects.push(Note(pane.clone(), lease.who, AuditKind::Changed, format!("the pane is released: {why}")));
            }
        }
        effects
    }

    /// The agent of a host says something about who drives.
    pub(super) fn heard(&mut self, host: &HostName, said: PaneSaid) -> Vec<LeaseEffect> {
        let at = |pane: PaneId| PaneAddress { host: host.clone(), pane };
        match said {
            PaneSaid::Taken { pane, driver } => self.taken(at(pane), driver),
            PaneSaid::Released { pane, why } => {
                let pane = at(pane);
                match self.held.get(&pane).map(|lease| &lease.hold) {
                    Some(Hold::Held(_)) => self.end(&pane, &why, false),
                    // One that was given back before this one was asked for.
                    Some(Hold::Taking(..)) | None => vec![Driver(pane, None, why)],
                }
            }
            PaneSaid::Typed { pane, seq } => self.typed(&at(pane), seq, Ok(PaneReply::Done)),
            PaneSaid::Refused { pane, rule, reason, seq } => {
                let pane = at(pane);
                let words = format!("{reason} ({rule})");
                match seq {
                    // What tmux was given in pieces may be typed in part.
                    Some(seq) if rule == rules::TMUX => {
                        self.typed(&pane, seq, Err(Refusal::Failed(format!("perhaps typed in part: {words}"))))
                    }
                    Some(seq) => self.typed(&pane, seq, Err(Refusal::Denied(format!("not typed: {words}")))),
                    None => self.not_taken(&pane, &words),
                }
            }
            _ => Vec::new(),
        }
    }

    fn taken(&mut self, pane: PaneAddress, driver: PaneDriver) -> Vec<LeaseEffect> {
        let Some(lease) = self.held.get_mut(&pane) else {
            // Another engine has it; or whoever asked has gone meanwhile, and then it was given back.
            let why = format!("{} has taken it over", driver.who);
            return vec![Driver(pane, Some(driver), why)];
        };
        let Hold::Taking(id, _) = lease.hold else { return Vec::new() };
        if driver.who != lease.who {
            return Vec::new();
        }
        lease.hold = Hold::Held(driver.clone());
        let (client, who) = (lease.client, lease.who.clone());
        vec![
            Note(pane.clone(), who.clone(), AuditKind::Changed, "the pane is taken over".to_owned()),
            Driver(pane, Some(driver.clone()), format!("{who} has taken it over")),
            Answer(client, id, Ok(PaneReply::Taken(driver))),
        ]
    }

    fn not_taken(&mut self, pane: &PaneAddress, words: &str) -> Vec<LeaseEffect> {
        let Some(Hold::Taking(id, _)) = self.held.get(pane).map(|lease| &lease.hold) else { return Vec::new() };
        let id = *id;
        let Some(lease) = self.held.remove(pane) else { return Vec::new() };
        let mut effects = lease.unsure();
        effects.extend([
            Note(pane.clone(), lease.who, AuditKind::Refused, format!("the pane is not taken over: {words}")),
            Answer(lease.client, id, Err(Refusal::Denied(words.to_owned()))),
        ]);
        effects
    }

    fn typed(&mut self, pane: &PaneAddress, seq: u64, answer: Result<PaneReply, Refusal>) -> Vec<LeaseEffect> {
        let Some(lease) = self.held.get_mut(pane) else { return Vec::new() };
        let Some(place) = lease.keys.iter().position(|keys| keys.seq == seq) else { return Vec::new() };
        let Some(keys) = lease.keys.remove(place) else { return Vec::new() };
        // One that comes while it is taken over again is of before, and so is its hole.
        lease.has_hole |= answer.is_err() && lease.is_held();
        vec![Answer(lease.client, keys.id, answer)]
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let of = |lease: &Lease| {
            let taking = match lease.hold {
                Hold::Taking(_, until) => Some(until),
                Hold::Held(_) => None,
            };
            taking.into_iter().chain(lease.keys.front().map(|keys| keys.until)).min()
        };
        self.held.values().filter_map(of).min()
    }

    /// What is due at `now`: an agent that does not answer has perhaps done it.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<LeaseEffect> {
        let mut effects = Vec::new();
        let late: Vec<PaneAddress> = self
            .held
            .iter()
            .filter(|(_, lease)| matches!(lease.hold, Hold::Taking(_, until) if until <= now))
            .map(|(pane, _)| pane.clone())
            .collect();
        for pane in late {
            effects.extend(self.end(&pane, "the agent does not answer", true));
        }
        for lease in self.held.values_mut() {
            while let Some(keys) = lease.keys.pop_front_if(|keys| keys.until <= now) {
                lease.has_hole |= lease.is_held();
                effects.push(Answer(lease.client, keys.id, Err(Refusal::Unanswered)));
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const ANNA: ClientId = ClientId(1);
    const OTTO: ClientId = ClientId(2);

    fn host() -> HostName {
        "web-1".parse().expect("a name")
    }

    fn pane() -> PaneAddress {
        PaneAddress { host: host(), pane: PaneId { server: 7, number: 3 } }
    }

    fn name(text: &str) -> OperatorName {
        text.parse().expect("a name")
    }

    fn taken(who: &str) -> PaneSaid {
        PaneSaid::Taken { pane: pane().pane, driver: PaneDriver { who: name(who), since: Timestamp::UNIX_EPOCH } }
    }

    /// What clients are answered: the request, and whether it was done.
    fn answers(effects: &[LeaseEffect]) -> Vec<(u64, Result<(), Refusal>)> {
        let of = |effect: &LeaseEffect| match effect {
            Answer(_, id, reply) => Some((id.0, reply.clone().map(drop))),
            _ => None,
        };
        effects.iter().filter_map(of).collect()
    }

    fn said(effects: &[LeaseEffect]) -> Vec<&DriveAsk> {
        effects.iter().filter_map(|effect| if let Say(_, ask) = effect { Some(ask) } else { None }).collect()
    }

    fn driving(now: Instant) -> Leases {
        let mut leases = Leases::default();
        leases.take(ANNA, RequestId(1), &name("anna"), pane(), now);
        assert_eq!(answers(&leases.heard(&host(), taken("anna"))), [(1, Ok(()))]);
        leases
    }

    #[test]
    fn one_drives_and_nobody_else_types() {
        let now = Instant::now();
        let mut leases = driving(now);
        let refused = leases.take(OTTO, RequestId(2), &name("otto"), pane(), now);
        assert_eq!(answers(&refused), [(2, Err(Refusal::Denied("anna drives it".to_owned())))]);
        assert!(said(&refused).is_empty(), "the agent is not asked");
        let keys = leases.keys(OTTO, RequestId(3), &pane(), b"rm".to_vec(), now);
        assert!(said(&keys).is_empty() && answers(&keys)[0].1.is_err());
        assert!(answers(&leases.release(OTTO, RequestId(4), &pane()))[0].1.is_err());
        let typed = leases.keys(ANNA, RequestId(5), &pane(), b"ls\r".to_vec(), now);
        let [DriveAsk::Keys { seq, bytes, .. }] = said(&typed)[..] else { panic!("{typed:?}") };
        assert_eq!(bytes, b"ls\r");
        assert!(answers(&typed).is_empty(), "not yet");
        let done = leases.heard(&host(), PaneSaid::Typed { pane: pane().pane, seq: *seq });
        assert_eq!(answers(&done), [(5, Ok(()))]);
        assert!(leases.heard(&host(), PaneSaid::Typed { pane: pane().pane, seq: 1 }).is_empty(), "once");
    }

    #[test]
    fn a_client_that_goes_gives_back_and_the_next_may_take() {
        let now = Instant::now();
        let mut leases = driving(now);
        let left = leases.left(ANNA, "its client has gone");
        assert!(matches!(said(&left)[..], [DriveAsk::Release { .. }]));
        let notes: Vec<_> = left.iter().filter(|effect| matches!(effect, Note(..))).collect();
        assert_eq!(notes.len(), 1, "{left:?}");
        assert!(answers(&leases.take(OTTO, RequestId(9), &name("otto"), pane(), now)).is_empty());
        // The word that the first lease is over comes after that.
        leases.heard(&host(), PaneSaid::Released { pane: pane().pane, why: "given back".to_owned() });
        assert_eq!(answers(&leases.heard(&host(), taken("otto"))), [(9, Ok(()))]);
        assert!(leases.left(ANNA, "its client has gone").is_empty());
    }

    #[test]
    fn keys_that_are_not_answered_are_unsure_and_never_said_again() {
        let now = Instant::now();
        let mut leases = driving(now);
        leases.keys(ANNA, RequestId(5), &pane(), b"a".to_vec(), now);
        let late = leases.tick(now + PATIENCE);
        assert_eq!((answers(&late), said(&late).len()), (vec![(5, Err(Refusal::Unanswered))], 0));
        leases.take(ANNA, RequestId(8), &name("anna"), pane(), now);
        leases.heard(&host(), taken("anna"));
        leases.keys(ANNA, RequestId(6), &pane(), b"b".to_vec(), now);
        let broken = leases.broken(&host(), "cut");
        assert_eq!(answers(&broken), [(6, Err(Refusal::Unanswered))]);
        assert!(said(&broken).is_empty());
        let keys = leases.keys(ANNA, RequestId(7), &pane(), b"c".to_vec(), now);
        assert!(matches!(&answers(&keys)[..], [(7, Err(Refusal::Denied(why)))] if why.contains("nothing was typed")));
    }

    #[test]
    fn nothing_is_typed_behind_a_hole_until_the_pane_is_taken_over_again() {
        let now = Instant::now();
        let mut leases = driving(now);
        for id in 2..5 {
            leases.keys(ANNA, RequestId(id), &pane(), b"x".to_vec(), now);
        }
        let refused = |seq| {
            let (rule, reason) = ("mode".to_owned(), "copy-mode".to_owned());
            PaneSaid::Refused { pane: pane().pane, rule, reason, seq: Some(seq) }
        };
        assert!(matches!(&answers(&leases.heard(&host(), refused(1)))[..], [(2, Err(Refusal::Denied(_)))]));
        let later = leases.keys(ANNA, RequestId(5), &pane(), b"y".to_vec(), now);
        assert!(said(&later).is_empty(), "{later:?}");
        assert!(matches!(&answers(&later)[..], [(5, Err(Refusal::Denied(why)))] if why.contains("take the pane over")));
        let again = leases.take(ANNA, RequestId(6), &name("anna"), pane(), now);
        assert!(matches!(said(&again)[..], [DriveAsk::Take { .. }]), "the agent waits for it, too");
        // The agent refuses what was behind the hole, and hears of the taking after that.
        assert_eq!(answers(&leases.heard(&host(), refused(2))).len(), 1);
        assert_eq!(answers(&leases.heard(&host(), refused(3))).len(), 1);
        assert_eq!(answers(&leases.heard(&host(), taken("anna"))), [(6, Ok(()))]);
        assert_eq!(said(&leases.keys(ANNA, RequestId(7), &pane(), b"z".to_vec(), now)).len(), 1);
        let silent = leases.tick(now + PATIENCE);
        assert_eq!(answers(&silent), [(7, Err(Refusal::Unanswered))]);
        assert!(said(&leases.keys(ANNA, RequestId(8), &pane(), b"z".to_vec(), now)).is_empty());
    }

    #[test]
    fn as_much_as_a_client_has_open_fits() {
        let now = Instant::now();
        let mut leases = driving(now);
        for id in 0..8 {
            let keys = leases.keys(ANNA, RequestId(id), &pane(), vec![b'x'; KEYS_ONCE], now);
            assert_eq!(said(&keys).len(), 1, "{id}");
        }
    }

    #[test]
    fn what_waits_for_a_host_is_bounded() {
        let now = Instant::now();
        let mut leases = driving(now);
        let taken = (0..100).filter(|n| {
            let effects = leases.keys(ANNA, RequestId(*n), &pane(), vec![b'x'; 60_000], now);
            !said(&effects).is_empty()
        });
        assert_eq!(taken.count(), KEYS / 60_000);
        let mut leases = driving(now);
        assert!(answers(&leases.keys(ANNA, RequestId(1), &pane(), vec![b'x'; KEYS_ONCE + 1], now))[0].1.is_err());
    }

    #[test]
    fn an_agent_that_refuses_or_is_silent_takes_nothing_over() {
        let now = Instant::now();
        let mut leases = Leases::default();
        leases.take(ANNA, RequestId(1), &name("anna"), pane(), now);
        let (rule, reason) = ("taken".to_owned(), "otto drives it".to_owned());
        let refused = leases.heard(&host(), PaneSaid::Refused { pane: pane().pane, rule, reason, seq: None });
        assert!(matches!(&answers(&refused)[..], [(1, Err(Refusal::Denied(why)))] if why.contains("otto")));
        leases.take(ANNA, RequestId(2), &name("anna"), pane(), now);
        assert_eq!(leases.due(), Some(now + PATIENCE));
        let late = leases.tick(now + PATIENCE);
        assert!(matches!(said(&late)[..], [DriveAsk::Release { .. }]), "it may have been taken after all");
        assert!(answers(&late)[0].1.is_err());
        assert!(answers(&leases.heard(&host(), taken("anna"))).is_empty());
    }
}
