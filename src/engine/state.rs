//! The engine itself: inputs in, effects out.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::model::{
    AuditKind, AuditNote, CheckPanel, ContactId, Event, KeyOverrides, LogLine, Marks, MessageRow, RecognisedBy,
    Rejection, StoreTrouble,
};
use crate::protocol::{
    BridgePanel, ClientId, ConfigFault, ConfigStatus, Figures, LookFigures, NodesPanel, Notice, PaneCall, Snapshot,
    StoreFigures, Update,
};
use crate::store::Projected;

use super::access::Access;
use super::checks::CheckBoard;
use super::clients::Follower;
use super::glance::Glance;
use super::panels::Panels;
use super::recent::Recent;
use super::tasks::Tasks;
use super::{Aftermath, Effect, Input, Occasion, Taken, rest};

/// Messages in a snapshot; a screen asks for older ones as it scrolls.
pub(super) const INBOX: usize = 200;
/// Events, refusals and log lines in a snapshot.
pub(super) const ACTIVITY: usize = 200;
/// Messages in one notice; in a burst the rest are counted and read from the store.
const ROWS_PER_NOTICE: usize = 64;

/// Between two ticks while something changes; while nothing does, the engine rests.
const TICK: Duration = Duration::from_secs(1);
/// First pause before a configuration that was refused is tried again by itself; doubled each time.
const TRY_AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// Longest pause.
const TRY_AGAIN_MAX: SignedDuration = SignedDuration::from_mins(10);

/// What the engine knows when it starts.
#[derive(Debug)]
pub(super) struct Beginning {
    pub node: String,
    pub state_dir: String,
    pub now: Timestamp,
    pub source: String,
    pub theme: String,
    pub keys: KeyOverrides,
    pub panels: Panels,
    pub checks: Vec<CheckPanel>,
    pub inbox: Vec<MessageRow>,
    pub events: Vec<Event>,
    pub rejections: Vec<Rejection>,
    pub dead_letters: u64,
    pub up_to: i64,
    pub next_wake: Option<Timestamp>,
    pub access: Access,
    pub bridge: BridgePanel,
    pub nodes: NodesPanel,
}

/// The one owner of everything that is shown.
#[derive(Debug)]
pub struct Engine {
    inputs: mpsc::Receiver<Input>,
    /// When the last tick was.
    ticked: Instant,
    pub(super) node: String,
    state_dir: String,
    started: Timestamp,
    config: ConfigStatus,
    /// When a configuration was last refused, and after which pause it is tried again: its secrets may come back.
    refused: Option<(Timestamp, SignedDuration)>,
    store: Option<StoreTrouble>,
    pub(super) panels: Panels,
    pub(super) checks: CheckBoard,
    isolated: Option<Timestamp>,
    pub(super) tasks: Tasks,
    inbox: Recent<MessageRow>,
    events: Recent<Event>,
    rejections: Recent<Rejection>,
    logs: Recent<LogLine>,
    /// Refused since the engine started, by channel and reason.
    turned_down: BTreeMap<(String, String), u64>,
    dead_letters: u64,
    up_to: i64,
    /// When the next snooze ends, as far as is known.
    pub(super) next_wake: Option<Timestamp>,
    pub(super) access: Access,
    bridge: BridgePanel,
    /// Panes that call a person.
    calls: Vec<PaneCall>,
    pub(super) nodes: NodesPanel,
    pub(super) glance: Glance,
    pub(super) clients: HashMap<ClientId, Follower>,
    stopping: bool,
}

impl Engine {
    pub(super) fn new(inputs: mpsc::Receiver<Input>, beginning: Beginning) -> Self {
        Self {
            inputs,
            ticked: Instant::now(),
            node: beginning.node,
            state_dir: beginning.state_dir,
            started: beginning.now,
            config: ConfigStatus {
                loaded: beginning.now,
                source: beginning.source,
                theme: beginning.theme,
                keys: beginning.keys,
                last_change: Vec::new(),
                last_error: None,
            },
            refused: None,
            store: None,
            panels: beginning.panels,
            checks: CheckBoard::new(beginning.checks, beginning.now),
            isolated: None,
            tasks: Tasks::default(),
            inbox: Recent::new(INBOX, beginning.inbox),
            events: Recent::new(ACTIVITY, beginning.events),
            rejections: Recent::new(ACTIVITY, beginning.rejections),
            logs: Recent::new(ACTIVITY, Vec::new()),
            turned_down: BTreeMap::new(),
            dead_letters: beginning.dead_letters,
            up_to: beginning.up_to,
            next_wake: beginning.next_wake,
            access: beginning.access,
            bridge: beginning.bridge,
            calls: Vec::new(),
            nodes: beginning.nodes,
            glance: Glance::default(),
            clients: HashMap::new(),
            stopping: false,
        }
    }

    /// Whether the loop is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stopping
    }

    /// The next input. The only place that waits.
    pub async fn select(&mut self) -> Input {
        let soon = self.ticked + TICK;
        let due = if self.moves() { soon } else { soon.max(self.wakes().min(rest::after(self.ticked))) };
        tokio::select! {
            // Inputs first: a tick is late under load, never an answer.
            biased;
            input = self.inputs.recv() => input.unwrap_or(Input::Stop),
            () = tokio::time::sleep_until(due) => Input::Tick,
        }
    }

    /// Decides what `input` means. Never blocks, never awaits.
    #[must_use = "effects do nothing until the driver performs them"]
    pub fn apply(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        let mut effects = match input {
            Input::Joined { client, credential, follow, read_only, .. } => {
                self.joined(client, &credential, follow, read_only, now)
            }
            Input::Left(client) => self.left(client),
            Input::Lagging(client) => self.lagging(client),
            Input::Asked { client, id, request } => self.asked(client, id, request, now),
            Input::Answered { client, id, reply, aftermath } => {
                let mut effects = aftermath.map_or_else(Vec::new, |aftermath| self.settle(aftermath, now));
                effects.push(Effect::Send(client, Box::new(Update::Reply { id, reply })));
                effects
            }
            Input::Projected(projected) => self.projected(projected, now),
            Input::Rejected(rejections) => self.rejected(rejections),
            Input::Task(generation, status) if self.tasks.changed(generation, &status) => {
                self.panels.task_changed(&status, now);
                vec![Effect::Publish(Notice::Task(status))]
            }
            Input::TaskGone(generation, name) if self.tasks.gone(generation, &name) => {
                self.panels.task_gone(&name);
                self.refresh(now)
            }
            Input::Task(..) | Input::TaskGone(..) => Vec::new(),
            Input::Reload => vec![Effect::Reload(Occasion::Asked)],
            Input::Reloaded(outcome) => self.reloaded(outcome, now),
            Input::Store(trouble) => {
                self.store = trouble;
                self.refresh(now)
            }
            Input::Log(line) => {
                self.logs.push(line.clone());
                vec![Effect::Publish(Notice::Log(line))]
            }
            Input::Checks(panels) => {
                self.checks.changed(panels);
                self.publish_checks()
            }
            Input::AllChecks(panels) => {
                self.checks.replace(panels, now);
                vec![Effect::Publish(Notice::AllChecks(self.checks.all()))]
            }
            Input::Bridge(notice) => {
                self.bridge.apply(&notice);
                vec![Effect::Publish(Notice::Bridge(notice))]
            }
            Input::Calls(calls) => {
                self.calls.clone_from(&calls);
                vec![Effect::Publish(Notice::Calls(calls))]
            }
            Input::Nodes(notice) => {
                self.nodes.apply(&notice);
                vec![Effect::Publish(Notice::Nodes(notice))]
            }
            Input::Isolated(since) => {
                self.isolated = since;
                vec![Effect::Publish(Notice::Isolated(since))]
            }
            Input::Woken(work) => self.woken(work, now),
            Input::Tick => self.tick(now),
            Input::Stop => {
                self.stopping = true;
                vec![Effect::Publish(Notice::Stopping)]
            }
        };
        // Tidy up, so that the next input meets a clean state.
        let changed = self.panels.take_changed();
        if !changed.is_empty() {
            effects.push(Effect::Publish(Notice::Channels(changed)));
        }
        effects
    }

    /// Everything a screen begins with.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        Snapshot {
            node: self.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state_dir: self.state_dir.clone(),
            started: self.started,
            config: self.config.clone(),
            store: self.store.clone(),
            at: now,
            clients: self.followers(),
            channels: self.panels.all(),
            checks: self.checks.all(),
            isolated: self.isolated,
            tasks: self.tasks.all(),
            inbox: self.inbox.to_vec(),
            events: self.events.to_vec(),
            rejections: self.rejections.to_vec(),
            logs: self.logs.to_vec(),
            dead_letters: self.dead_letters,
            bridge: self.bridge.clone(),
            calls: self.calls.clone(),
            nodes: self.nodes.clone(),
            up_to: self.up_to,
        }
    }

    /// What the engine itself can count; the driver adds what the store and the task of the checks count.
    pub(super) fn figures(&self) -> Figures {
        Figures {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            channels: self.panels.all(),
            refused: self
                .turned_down
                .iter()
                .map(|((channel, reason), count)| (channel.clone(), reason.clone(), *count))
                .collect(),
            dead_letters: self.dead_letters,
            clients: self.followers(),
            tasks: self.tasks.all(),
            checks: self.checks.figures(),
            looks: LookFigures::default(),
            store: StoreFigures::default(),
        }
    }

    pub(super) fn send_snapshot(&self, client: ClientId, now: Timestamp) -> Effect {
        Effect::Send(client, Box::new(Update::Snapshot(Box::new(self.snapshot(now)))))
    }

    /// Shows everybody everything again.
    fn refresh(&self, now: Timestamp) -> Vec<Effect> {
        let following = self.clients.iter().filter(|(_, client)| client.follow);
        following.map(|(client, _)| self.send_snapshot(*client, now)).collect()
    }

    fn reloaded(&mut self, outcome: Result<Box<Taken>, ConfigFault>, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        match outcome {
            Ok(taken) => {
                let Taken { config, changes, counts, inbox } = *taken;
                // Who may less now, or nothing any more, is that from here on.
                self.access.configure(config.operators.clone());
                effects = self.let_go(now);
                self.panels.configure(&config, &counts);
                self.bridge.hosts.retain(|host| config.hosts.contains_key(&host.name));
                self.bridge.commands = config.commands.values().cloned().collect();
                if let Some(inbox) = inbox {
                    self.inbox = Recent::new(INBOX, inbox);
                }
                self.config.source = config.source().to_owned();
                self.node = config.node;
                self.config.theme = config.theme.to_string();
                self.config.keys = config.keys.overrides().clone();
                self.config.loaded = now;
                self.config.last_error = None;
                self.refused = None;
                if !changes.is_empty() {
                    let what = changes.join("; ");
                    effects.push(Effect::Audit(AuditNote::new(now, None, AuditKind::Changed, "configuration", what)));
                    self.config.last_change = changes;
                }
            }
            Err(fault) => {
                let known = self.config.last_error.as_ref().is_some_and(|known| known.shown == fault.shown);
                let pause = self.refused.filter(|_| known).map_or(TRY_AGAIN, |(_, pause)| pause);
                self.refused = Some((now, pause));
                if known {
                    return Vec::new();
                }
                self.config.last_error = Some(fault);
            }
        }
        effects.extend(self.refresh(now));
        effects
    }

    fn settle(&mut self, aftermath: Aftermath, now: Timestamp) -> Vec<Effect> {
        match aftermath {
            Aftermath::TokenAdded(hash, token) => {
                self.access.add(hash, token);
                Vec::new()
            }
            Aftermath::TokenRevoked(id) => {
                self.access.revoke(id);
                self.let_go(now)
            }
            Aftermath::Desk(work) => self.desk(*work),
            Aftermath::Views => vec![Effect::Publish(Notice::Views)],
        }
    }

    /// Puts the marks that messages have now on those that are shown.
    pub(super) fn remark(&mut self, marks: &[(i64, Marks)]) {
        for row in self.inbox.iter_mut() {
            if let Some((_, now)) = marks.iter().find(|(seq, _)| *seq == row.seq) {
                row.marks.clone_from(now);
            }
        }
    }

    /// Puts whether a contact is a VIP on the messages that are shown.
    pub(super) fn turn_vip(&mut self, contact: ContactId, vip: bool) {
        for row in self.inbox.iter_mut().filter(|row| row.contact == Some(contact)) {
            row.vip = vip;
        }
    }

    fn projected(&mut self, projected: Projected, now: Timestamp) -> Vec<Effect> {
        let Projected { mut rows, conversations, mut events, up_to } = projected;
        self.panels.arrived(&events, &rows, now);
        self.dead_letters += events.iter().filter(|event| event.cause.is_some()).count() as u64;
        self.up_to = self.up_to.max(up_to);
        for row in &rows {
            self.inbox.push(row.clone());
        }
        for event in &events {
            self.events.push(event.clone());
        }
        let first = events.first().map_or(up_to, |event| event.seq);
        let omitted = rows.len().saturating_sub(ROWS_PER_NOTICE);
        rows.drain(..omitted);
        events.drain(..events.len().saturating_sub(ROWS_PER_NOTICE));
        let (dead_letters, up_to) = (self.dead_letters, self.up_to);
        let omitted = omitted as u64;
        let shown = (self.followers() > 0).then_some(Effect::Shown { first, last: up_to, at: now });
        let arrived = Notice::Arrived { rows, conversations, events, omitted, dead_letters, up_to };
        [Effect::Publish(arrived)].into_iter().chain(shown).collect()
    }

    fn rejected(&mut self, rejections: Vec<Rejection>) -> Vec<Effect> {
        for rejection in &rejections {
            self.panels.rejected(rejection);
            let key = (rejection.channel.clone().unwrap_or_default(), rejection.reason.clone());
            *self.turned_down.entry(key).or_default() += rejection.count;
            self.rejections.push(rejection.clone());
        }
        vec![Effect::KeepRejections(rejections.clone()), Effect::Publish(Notice::Rejected(rejections))]
    }

    fn publish_checks(&mut self) -> Vec<Effect> {
        let changed = self.checks.take_changed();
        if changed.is_empty() { Vec::new() } else { vec![Effect::Publish(Notice::Checks(changed))] }
    }

    /// When the next conversation wakes up, at most one rest from now.
    fn wakes(&self) -> Instant {
        let left = self.next_wake.map_or(rest::REST, |next| {
            Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default().min(rest::REST)
        });
        Instant::now() + left
    }

    /// Whether something changes every second that a tick sees to.
    fn moves(&self) -> bool {
        let ends = |client: &Follower| matches!(client.identity.by, RecognisedBy::Token(_));
        let clients = self.clients.values().any(|client| client.lagging || ends(client));
        clients || self.checks.waits() || self.panels.are_counting()
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        // A process that was stopped saw nothing of the time meanwhile.
        let seconds = self.ticked.elapsed().as_secs().clamp(1, rest::REST.as_secs());
        self.ticked = Instant::now();
        self.panels.tick(now);
        self.checks.tick(seconds);
        let mut effects = self.let_go(now);
        effects.extend(self.publish_checks());
        effects.extend(self.wake(now));
        let behind: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|(_, follower)| follower.lagging && follower.follow)
            .map(|(id, _)| *id)
            .collect();
        if let Some((at, pause)) = self.refused
            && now.duration_since(at).abs() >= pause
        {
            self.refused = Some((now, (pause * 2).min(TRY_AGAIN_MAX)));
            effects.push(Effect::Reload(Occasion::Again));
        }
        for client in behind {
            if let Some(follower) = self.clients.get_mut(&client) {
                // Should there still be no room, the driver says so again.
                follower.lagging = false;
            }
            effects.push(self.send_snapshot(client, now));
        }
        effects
    }
}
