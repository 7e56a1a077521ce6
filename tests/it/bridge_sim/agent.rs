//! The made-up agent: the journal's steps, each of them a point where a fault can strike.

use std::time::Duration;

use aurora::model::{End, JobId, LayerKind};
use aurora::protocol::{FromAgent, JobOrder, Journal, ToAgent};
use uuid::Uuid;

use super::fault::{Kind, Point};
use super::host::{Entry, Listener, Page, piece, work};
use super::world::{Event, Mutation, World};

impl World {
    /// A question is at the host.
    pub fn arrives(&mut self, from: Listener, question: ToAgent) {
        let back = self.host.up_at.max(self.road(from.road).shut);
        if back > self.now {
            // A file waits for whoever comes back; what came over a line is gone with it.
            if from.road == LayerKind::Trigger {
                self.at(back + Duration::from_secs(1), Event::Arrives(from, Box::new(question)));
            }
            return;
        }
        match question {
            ToAgent::Run(order) => self.run(from, *order),
            ToAgent::Query { id, from: seq, follow } => self.query(from, id, seq, follow),
            ToAgent::Cancel { id, epoch, .. } => self.cancel(from, id, epoch),
            ToAgent::Probe { nonce } => {
                let clock = self.host.clock(self.now);
                self.reply(from, FromAgent::Alive { nonce, clock, load_percent: None, running: 0 });
            }
            ToAgent::Hello { .. } | ToAgent::Fin { .. } | ToAgent::Watch(_) | ToAgent::Drive(_) => {}
        }
    }

    fn reply(&mut self, to: Listener, answer: FromAgent) {
        let wait = self.one_way(to.road);
        self.later(wait, Event::Heard(to, Box::new(answer)));
    }

    fn trouble(&mut self, to: Listener, id: JobId) {
        self.reply(to, FromAgent::Trouble { id: Some(id), reason: "no space left on device".to_owned() });
    }

    fn state(&mut self, to: Listener, id: JobId) {
        let journal = self.host.says(&self.page_of(id));
        self.reply(to, FromAgent::State { id, journal });
    }

    /// The entry that is meant by an id: the newest copy, where the naive engine made some.
    fn page_of(&self, id: JobId) -> JobId {
        self.copies.iter().rev().find(|(_, of)| **of == id).map_or(id, |(copy, _)| *copy)
    }

    /// The job an entry is about.
    fn original(&self, id: JobId) -> JobId {
        self.copies.get(&id).copied().unwrap_or(id)
    }

    fn is_full(&self) -> bool {
        self.host.full_until > self.now
    }

    fn run(&mut self, from: Listener, mut order: JobOrder) {
        let id = order.id;
        self.reply(from, FromAgent::Received { id, nonce: order.nonce.clone() });
        if order.epoch < self.host.epoch {
            let reason = format!("the term is {}", self.host.epoch);
            let term = Some(self.host.epoch);
            return self.reply(from, FromAgent::Refused { id, rule: "fenced".to_owned(), reason, term });
        }
        if self.mutation == Mutation::NaiveFailover && self.host.journal.contains_key(&id) {
            let copy = JobId::from_uuid(Uuid::from_u128(u128::MAX - self.copies.len() as u128));
            self.copies.insert(copy, id);
            order.id = copy;
        }
        let page = self.host.journal.get(&order.id).map(|entry| entry.page.clone());
        let known = page.as_ref().is_some_and(|page| *page != Page::Made);
        if known && self.mutation != Mutation::ForgetfulJournal {
            self.listen(from, order.id);
            return self.state(from, id);
        }
        if self.is_full() {
            return self.trouble(from, id);
        }
        if self.host.refuses_early && page.is_none() && self.host.clock(self.now) > order.not_after {
            let (rule, reason) = ("expired".to_owned(), "late".to_owned());
            return self.reply(from, FromAgent::Refused { id, rule, reason, term: None });
        }
        let id = order.id;
        let entry = Entry { order, via: from.road, page: Page::Made, died: false, written: 0, listeners: vec![from] };
        self.host.journal.insert(id, entry);
        match self.strike(Point::AfterMkdir, from.road) {
            Some(Kind::Stall) => self.later(Duration::from_secs(30), Event::Accepts(from, id)),
            Some(fault) => {
                self.hit(fault, from.road, None);
                if !matches!(fault, Kind::Kill | Kind::Reboot) {
                    self.later(Duration::from_millis(1), Event::Accepts(from, id));
                }
            }
            None => self.later(Duration::from_micros(200), Event::Accepts(from, id)),
        }
    }

    pub fn accepts(&mut self, from: Listener, id: JobId) {
        let full = self.is_full();
        let Some(entry) = self.host.journal.get_mut(&id).filter(|entry| entry.page == Page::Made) else { return };
        if full {
            // The order could not be written: nothing of it is kept.
            self.host.journal.remove(&id);
            return self.trouble(from, self.original(id));
        }
        entry.page = Page::Accepted;
        let boot = self.host.boot;
        match self.strike(Point::AfterReq, from.road) {
            Some(Kind::Stall) => self.later(Duration::from_secs(30), Event::Starts(id, boot)),
            Some(fault) => {
                self.hit(fault, from.road, None);
                if !matches!(fault, Kind::Kill | Kind::Reboot) {
                    self.later(Duration::from_millis(1), Event::Starts(id, boot));
                }
            }
            None => self.later(Duration::from_micros(200), Event::Starts(id, boot)),
        }
        self.tell_listeners(id);
    }

    /// An agent that comes back goes on with what was accepted and not started.
    pub fn agent_back(&mut self) {
        let boot = self.host.boot;
        let open: Vec<JobId> =
            self.host.journal.iter().filter(|(_, entry)| entry.page == Page::Accepted).map(|(id, _)| *id).collect();
        for id in open {
            self.later(Duration::from_millis(5), Event::Starts(id, boot));
        }
    }

    pub fn starts(&mut self, id: JobId, boot: u32) {
        let (now, clock, full) = (self.now, self.host.clock(self.now), self.is_full());
        let Some(entry) = self.host.journal.get_mut(&id).filter(|entry| entry.page == Page::Accepted) else { return };
        if boot != self.host.boot || self.host.up_at > now {
            return;
        }
        if full {
            return self.later(Duration::from_secs(1), Event::Starts(id, boot));
        }
        let via = entry.via;
        if clock > entry.order.not_after {
            entry.page = Page::Over(Journal::NotRun { rule: "expired".to_owned(), reason: "too late".to_owned() });
            return self.tell_listeners(id);
        }
        entry.page = Page::Started { boot, at: clock };
        match self.strike(Point::AfterStarted, via) {
            Some(Kind::Stall) => self.later(Duration::from_secs(30), Event::Execs(id, boot)),
            Some(fault) => {
                self.hit(fault, via, Some(id));
                self.later(Duration::from_millis(1), Event::Execs(id, boot));
            }
            None => self.later(Duration::from_micros(500), Event::Execs(id, boot)),
        }
        self.tell_listeners(id);
    }

    /// Whether the runner of a job is there and has not ended it.
    fn is_run(&self, id: JobId, boot: u32) -> bool {
        let running = |entry: &Entry| !entry.died && matches!(entry.page, Page::Started { .. });
        boot == self.host.boot && self.host.journal.get(&id).is_some_and(running)
    }

    pub fn execs(&mut self, id: JobId, boot: u32) {
        if !self.is_run(id, boot) {
            return;
        }
        let original = self.original(id);
        self.host.truth.entry(original).or_default().executions += 1;
        let via = self.host.journal.get(&id).map_or(LayerKind::Socket, |entry| entry.via);
        if let Some(fault) = self.strike(Point::AfterExec, via) {
            self.hit(fault, via, Some(id));
            if self.host.journal.get(&id).is_some_and(|entry| entry.died) {
                self.host.truth.entry(original).or_default().died = true;
            }
        }
        let (takes, pieces) = work(&original);
        for n in 1..=pieces {
            let wait = takes * u32::try_from(n).unwrap_or(1) / u32::try_from(pieces + 1).unwrap_or(1);
            self.later(wait, Event::Writes(id, boot));
        }
        self.later(takes, Event::Finishes(id, boot));
    }

    pub fn writes(&mut self, id: JobId, boot: u32) {
        if !self.is_run(id, boot) {
            return;
        }
        let original = self.original(id);
        let Some(entry) = self.host.journal.get_mut(&id) else { return };
        let chunk = piece(entry.written);
        entry.written += 1;
        for to in entry.listeners.clone() {
            self.reply(to, FromAgent::Output { id: original, chunk: chunk.clone() });
        }
    }

    pub fn finishes(&mut self, id: JobId, boot: u32) {
        if !self.is_run(id, boot) {
            return;
        }
        if self.is_full() {
            return self.later(Duration::from_secs(1), Event::Finishes(id, boot));
        }
        self.ends(id, End::Exit(0), None);
    }

    fn ends(&mut self, id: JobId, end: End, cut_short: Option<&str>) {
        let Some(journal) = self.host.end(&id, end, cut_short, self.now) else { return };
        let Some(entry) = self.host.journal.get_mut(&id) else { return };
        entry.page = Page::Over(journal);
        let via = entry.via;
        match self.strike(Point::AfterResult, via) {
            Some(fault @ (Kind::Kill | Kind::Reboot)) => return self.hit(fault, via, None),
            Some(fault) => self.hit(fault, via, None),
            None => {}
        }
        self.tell_listeners(id);
        if let Some(fault) = self.strike(Point::AfterAck, via) {
            self.hit(fault, via, None);
        }
    }

    fn listen(&mut self, to: Listener, id: JobId) {
        if let Some(entry) = self.host.journal.get_mut(&id)
            && !entry.listeners.contains(&to)
        {
            entry.listeners.push(to);
        }
    }

    fn tell_listeners(&mut self, id: JobId) {
        let listeners = self.host.journal.get(&id).map(|entry| entry.listeners.clone()).unwrap_or_default();
        let original = self.original(id);
        for to in listeners {
            let journal = self.host.says(&id);
            self.reply(to, FromAgent::State { id: original, journal });
        }
    }

    fn query(&mut self, from: Listener, id: JobId, seq: u64, follow: bool) {
        let page = self.page_of(id);
        let written = self.host.journal.get(&page).map(|entry| entry.written).unwrap_or_default();
        if follow {
            self.listen(from, page);
            for seq in seq..written {
                self.reply(from, FromAgent::Output { id, chunk: piece(seq) });
            }
        }
        self.state(from, id);
    }

    /// Stops a job, or writes down that it never starts: whatever copy comes late finds that.
    fn cancel(&mut self, from: Listener, id: JobId, epoch: u64) {
        if epoch < self.host.epoch {
            let reason = format!("the term is {}", self.host.epoch);
            return self.reply(from, FromAgent::Trouble { id: Some(id), reason });
        }
        if self.is_full() {
            return self.trouble(from, id);
        }
        let page = self.page_of(id);
        let never = Journal::NotRun { rule: "cancelled".to_owned(), reason: "before it started".to_owned() };
        match self.host.journal.get_mut(&page) {
            Some(entry) => match entry.page {
                Page::Made | Page::Accepted => entry.page = Page::Over(never),
                Page::Started { boot, .. } => {
                    if self.is_run(page, boot) {
                        let original = self.original(page);
                        // What is stopped between the mark and the start of its program counts as run: nobody can tell.
                        let truth = self.host.truth.entry(original).or_default();
                        truth.executions = truth.executions.max(1);
                        self.ends(page, End::Signal(15), Some("cancelled"));
                    }
                }
                Page::Over(_) => {}
            },
            None if self.host.remembers => self.forbid(from, page, never),
            None => {}
        }
        self.state(from, id);
    }

    fn forbid(&mut self, from: Listener, id: JobId, never: Journal) {
        let plan = aurora::model::Plan {
            host: super::world::name(),
            command: "todo".parse().expect("a name"),
            args: std::collections::BTreeMap::new(),
            argv: Vec::new(),
            keys: None,
            cwd: None,
            env: std::collections::BTreeMap::new(),
            class: aurora::model::Class::Idempotent,
            timeout_ms: 1,
        };
        let order = JobOrder {
            id,
            hash: plan.hash(),
            plan,
            engine: aurora::model::EngineId::from_uuid(Uuid::nil()),
            epoch: 0,
            nonce: String::new(),
            not_after: self.now,
        };
        let listeners = vec![from];
        let entry = Entry { order, via: from.road, page: Page::Over(never), died: false, written: 0, listeners };
        self.host.journal.insert(id, entry);
    }
}
