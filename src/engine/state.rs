//! The engine itself: inputs in, effects out.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use crate::model::{CheckPanel, Event, Identity, LogLine, MessageRow, Rejection, StoreTrouble, TaskStatus};
use crate::policy;
use crate::protocol::{
    ClientId, ConfigFault, ConfigStatus, Figures, LookFigures, Notice, Refusal, Reply, Request, RequestId, Snapshot,
    StoreFigures, Update,
};
use crate::store::Projected;

use super::access::Access;
use super::checks::CheckBoard;
use super::panels::Panels;
use super::recent::Recent;
use super::{Aftermath, Credential, Effect, Input, Taken, TokenEffect};

/// Messages in a snapshot; a screen asks for older ones as it scrolls.
pub(super) const INBOX: usize = 200;
/// Events, refusals and log lines in a snapshot.
pub(super) const ACTIVITY: usize = 200;
/// Messages in one notice; in a burst the rest are counted and read from the store.
const ROWS_PER_NOTICE: usize = 64;

/// How often a configuration that was refused is tried again by itself.
const TRY_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// What the engine knows when it starts.
#[derive(Debug)]
pub(super) struct Beginning {
    pub node: String,
    pub state_dir: String,
    pub now: Timestamp,
    pub source: String,
    pub theme: String,
    pub panels: Panels,
    pub checks: Vec<CheckPanel>,
    pub inbox: Vec<MessageRow>,
    pub events: Vec<Event>,
    pub rejections: Vec<Rejection>,
    pub dead_letters: u64,
    pub up_to: i64,
    pub access: Access,
}

#[derive(Debug)]
struct Follower {
    identity: Identity,
    follow: bool,
    read_only: bool,
    /// It has missed notices; it gets a snapshot as soon as it has room for one.
    lagging: bool,
}

/// The one owner of everything that is shown.
#[derive(Debug)]
pub struct Engine {
    inputs: mpsc::Receiver<Input>,
    ticks: Interval,
    node: String,
    state_dir: String,
    started: Timestamp,
    config: ConfigStatus,
    /// When a configuration was last refused: it is tried again by and by, as its secrets may come back.
    refused: Option<Timestamp>,
    store: Option<StoreTrouble>,
    panels: Panels,
    checks: CheckBoard,
    isolated: Option<Timestamp>,
    tasks: BTreeMap<String, TaskStatus>,
    inbox: Recent<MessageRow>,
    events: Recent<Event>,
    rejections: Recent<Rejection>,
    logs: Recent<LogLine>,
    /// Refused since the engine started, by channel and reason.
    turned_down: BTreeMap<(String, String), u64>,
    dead_letters: u64,
    up_to: i64,
    access: Access,
    clients: HashMap<ClientId, Follower>,
    stopping: bool,
}

impl Engine {
    pub(super) fn new(inputs: mpsc::Receiver<Input>, beginning: Beginning) -> Self {
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            inputs,
            ticks,
            node: beginning.node,
            state_dir: beginning.state_dir,
            started: beginning.now,
            config: ConfigStatus {
                loaded: beginning.now,
                source: beginning.source,
                theme: beginning.theme,
                last_change: Vec::new(),
                last_error: None,
            },
            refused: None,
            store: None,
            panels: beginning.panels,
            checks: CheckBoard::new(beginning.checks, beginning.now),
            isolated: None,
            tasks: BTreeMap::new(),
            inbox: Recent::new(INBOX, beginning.inbox),
            events: Recent::new(ACTIVITY, beginning.events),
            rejections: Recent::new(ACTIVITY, beginning.rejections),
            logs: Recent::new(ACTIVITY, Vec::new()),
            turned_down: BTreeMap::new(),
            dead_letters: beginning.dead_letters,
            up_to: beginning.up_to,
            access: beginning.access,
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
        tokio::select! {
            // Inputs first: a tick is late under load, never an answer.
            biased;
            input = self.inputs.recv() => input.unwrap_or(Input::Stop),
            _ = self.ticks.tick() => Input::Tick,
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
            Input::Task(status) => {
                self.panels.task_changed(&status, now);
                self.tasks.insert(status.name.clone(), status.clone());
                vec![Effect::Publish(Notice::Task(status))]
            }
            Input::TaskGone(name) => {
                self.tasks.remove(&name);
                self.panels.task_gone(&name);
                self.refresh(now)
            }
            Input::Reload => vec![Effect::Reload(None)],
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
            Input::Isolated(since) => {
                self.isolated = since;
                vec![Effect::Publish(Notice::Isolated(since))]
            }
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
            tasks: self.tasks.values().cloned().collect(),
            inbox: self.inbox.to_vec(),
            events: self.events.to_vec(),
            rejections: self.rejections.to_vec(),
            logs: self.logs.to_vec(),
            dead_letters: self.dead_letters,
            up_to: self.up_to,
        }
    }

    /// What the engine itself can count; the driver adds what the store and the task of the checks count.
    fn figures(&self) -> Figures {
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
            tasks: self.tasks.values().cloned().collect(),
            checks: self.checks.figures(),
            looks: LookFigures::default(),
            store: StoreFigures::default(),
        }
    }

    fn followers(&self) -> usize {
        self.clients.values().filter(|client| client.follow).count()
    }

    fn send_snapshot(&self, client: ClientId, now: Timestamp) -> Effect {
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
                if let Some(inbox) = inbox {
                    self.inbox = Recent::new(INBOX, inbox);
                }
                self.config.source = config.source().to_owned();
                self.node = config.node;
                self.config.theme = config.theme;
                self.config.loaded = now;
                self.config.last_error = None;
                self.refused = None;
                if !changes.is_empty() {
                    self.config.last_change = changes;
                }
            }
            Err(fault) => {
                self.refused = Some(now);
                let known = self.config.last_error.as_ref().is_some_and(|known| known.shown == fault.shown);
                if known {
                    return Vec::new();
                }
                self.config.last_error = Some(fault);
            }
        }
        effects.extend(self.refresh(now));
        effects
    }

    fn joined(
        &mut self,
        client: ClientId,
        credential: &Credential,
        follow: bool,
        read_only: bool,
        now: Timestamp,
    ) -> Vec<Effect> {
        let identity = match self.access.admit(credential, follow, now) {
            Ok(identity) => identity,
            Err(turned_away) => return vec![Effect::Admit(client, Err(turned_away))],
        };
        let mut effects = vec![Effect::Admit(client, Ok(identity.clone()))];
        effects.extend(self.access.used(&identity, now).map(|token| Effect::Token(TokenEffect::Used(token, now))));
        self.clients.insert(client, Follower { identity, follow, read_only, lagging: false });
        if follow {
            // The snapshot first: whatever is published next changes it.
            effects.push(self.send_snapshot(client, now));
            effects.push(Effect::Publish(Notice::Clients(self.followers())));
        }
        effects
    }

    fn left(&mut self, client: ClientId) -> Vec<Effect> {
        match self.clients.remove(&client) {
            Some(Follower { follow: true, .. }) => {
                vec![Effect::Drop(client), Effect::Publish(Notice::Clients(self.followers()))]
            }
            _ => vec![Effect::Drop(client)],
        }
    }

    fn lagging(&mut self, client: ClientId) -> Vec<Effect> {
        if let Some(follower) = self.clients.get_mut(&client) {
            follower.lagging = true;
        }
        Vec::new()
    }

    fn asked(&mut self, client: ClientId, id: RequestId, request: Request, now: Timestamp) -> Vec<Effect> {
        let Some(follower) = self.clients.get(&client) else { return Vec::new() };
        let answer = |reply| vec![Effect::Send(client, Box::new(Update::Reply { id, reply }))];
        if follower.read_only && request.writes() {
            return answer(Err(Refusal::Denied("this client is read-only".to_owned())));
        }
        if let Err(why) = policy::may(&follower.identity, &request) {
            return answer(Err(Refusal::Denied(why)));
        }
        let identity = &follower.identity;
        match request {
            Request::Overall => answer(Ok(Reply::Overall(self.snapshot(now).overall(now)))),
            Request::Health => answer(Ok(Reply::Health(self.checks.health()))),
            Request::Figures => vec![Effect::Figures { client, id, figures: Box::new(self.figures()) }],
            Request::WhoAmI => answer(Ok(Reply::Identity(identity.clone()))),
            Request::Tokens => answer(Ok(Reply::Tokens(self.access.tokens()))),
            Request::AddToken(wish) => match self.access.grant(wish, now) {
                Ok(wish) => vec![Effect::Token(TokenEffect::Add { client, id, wish })],
                Err(why) => answer(Err(Refusal::Failed(why))),
            },
            Request::RevokeToken(token) if self.access.knows(token) => {
                vec![Effect::Token(TokenEffect::Revoke { client, id, token })]
            }
            Request::RevokeToken(token) => answer(Err(Refusal::Unknown(format!(
                "no token has the id {token}; `aurora access token list` names them"
            )))),
            Request::Snapshot => answer(Ok(Reply::Snapshot(Box::new(self.snapshot(now))))),
            Request::Mark { ids, mark } => {
                vec![Effect::Mark { client, id, ids, mark, who: identity.operator.clone() }]
            }
            Request::SetVip { id: contact, vip } => vec![Effect::SetVip { client, id, contact, vip }],
            Request::Replay(filter) => vec![Effect::Replay { client, id, filter }],
            Request::Reload => vec![Effect::Reload(Some((client, id)))],
            Request::RestartTask(name) if self.tasks.contains_key(&name) => {
                let mut effects = vec![Effect::RestartTask(name)];
                effects.extend(answer(Ok(Reply::Done)));
                effects
            }
            Request::RestartTask(name) => {
                answer(Err(Refusal::Unknown(format!("no task is called {name:?}; `aurora task list` names them"))))
            }
            Request::CheckNow(check) => vec![Effect::CheckNow { client, id, check }],
            request => vec![Effect::Read { client, id, request }],
        }
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
            Aftermath::Marked { marks, unread } => {
                for row in self.inbox.iter_mut() {
                    if let Some((_, now)) = marks.iter().find(|(seq, _)| *seq == row.seq) {
                        row.marks.clone_from(now);
                    }
                }
                self.panels.unread_changed(&unread);
                vec![Effect::Publish(Notice::Marked(marks))]
            }
            Aftermath::Vip { contact, vip, unread } => {
                for row in self.inbox.iter_mut().filter(|row| row.contact == Some(contact)) {
                    row.vip = vip;
                }
                self.panels.unread_changed(&unread);
                vec![Effect::Publish(Notice::Vip { contact, vip })]
            }
        }
    }

    /// Recognises every client again, and drops those nobody knows any more. A screen on a token that ended ends too.
    fn let_go(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut gone = Vec::new();
        for (client, follower) in &mut self.clients {
            match self.access.again(&follower.identity, now) {
                Ok(identity) => follower.identity = identity,
                Err(_) => gone.push(*client),
            }
        }
        gone.into_iter().flat_map(|client| self.left(client)).collect()
    }

    fn projected(&mut self, projected: Projected, now: Timestamp) -> Vec<Effect> {
        let Projected { mut rows, mut events, up_to } = projected;
        self.panels.arrived(&events, &rows, now);
        self.dead_letters += events.iter().filter(|event| event.cause.is_some()).count() as u64;
        self.up_to = self.up_to.max(up_to);
        for row in &rows {
            self.inbox.push(row.clone());
        }
        for event in &events {
            self.events.push(event.clone());
        }
        let omitted = rows.len().saturating_sub(ROWS_PER_NOTICE);
        rows.drain(..omitted);
        events.drain(..events.len().saturating_sub(ROWS_PER_NOTICE));
        let (dead_letters, up_to) = (self.dead_letters, self.up_to);
        vec![Effect::Publish(Notice::Arrived { rows, events, omitted: omitted as u64, dead_letters, up_to })]
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

    fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        self.panels.tick(now);
        self.checks.tick();
        let mut effects = self.let_go(now);
        effects.extend(self.publish_checks());
        let behind: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|(_, follower)| follower.lagging && follower.follow)
            .map(|(id, _)| *id)
            .collect();
        if self.refused.is_some_and(|refused| now.duration_since(refused).abs() >= TRY_AGAIN) {
            self.refused = Some(now);
            effects.push(Effect::Reload(None));
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::config;
    use crate::model::{Mark, Marks, Role, Token, TokenHash, TokenId};
    use crate::store::Unread;

    use super::super::TurnedAway;
    use super::super::access::Owner;
    use super::*;

    const OWNER: Credential = Credential::Local { uid: 1000, ssh_key: None };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("in range")
    }

    fn row(seq: i64) -> MessageRow {
        let id = uuid::Uuid::from_u128(u128::try_from(seq).expect("positive"));
        MessageRow {
            seq,
            id: crate::model::MessageId::from_uuid(id),
            channel: "github".parse().expect("an id"),
            kind: "note".into(),
            contact: None,
            from: "ann".into(),
            vip: false,
            subject: format!("s{seq}"),
            preview: String::new(),
            received: at(seq),
            marks: Marks::default(),
        }
    }

    fn name(text: &str) -> crate::model::OperatorName {
        text.parse().expect("a name")
    }

    /// A viewer's token that counts until second 10.
    fn token() -> Token {
        Token {
            id: TokenId::from_uuid(uuid::Uuid::from_u128(1)),
            operator: name("ci"),
            role: Role::Viewer,
            scopes: None,
            created: at(0),
            expires: Some(at(10)),
            used: None,
        }
    }

    fn engine() -> Engine {
        let operators = "[operators.vera]\nrole = \"viewer\"\nunix = 1001\n";
        let config = config::parse(operators, None).expect("no mistake");
        let (_, inputs) = mpsc::channel(1);
        let panels = Panels::new(&config, &HashMap::new());
        Engine::new(
            inputs,
            Beginning {
                node: "test".into(),
                state_dir: "/nowhere".into(),
                now: at(0),
                source: "test.toml".into(),
                theme: "terminal".into(),
                panels,
                checks: Vec::new(),
                inbox: vec![row(1)],
                events: Vec::new(),
                rejections: Vec::new(),
                dead_letters: 0,
                up_to: 1,
                access: Access::new(
                    Owner { uid: 1000, name: name("otto"), root: name("root") },
                    config.operators,
                    vec![(TokenHash([1; 32]), token())],
                ),
            },
        )
    }

    fn join(engine: &mut Engine, client: u64, read_only: bool) -> Vec<Effect> {
        join_as(engine, client, OWNER, read_only)
    }

    fn join_as(engine: &mut Engine, client: u64, credential: Credential, read_only: bool) -> Vec<Effect> {
        let (outbox, _) = mpsc::channel(1);
        let client = ClientId(client);
        let input = Input::Joined { client, outbox, admission: None, credential, follow: true, read_only };
        engine.apply(input, at(0))
    }

    fn ask(engine: &mut Engine, client: u64, request: Request) -> Vec<Effect> {
        engine.apply(Input::Asked { client: ClientId(client), id: RequestId(7), request }, at(0))
    }

    #[tokio::test]
    async fn a_client_gets_the_snapshot_before_any_notice() {
        let mut engine = engine();
        let effects = join(&mut engine, 1, false);
        assert!(matches!(effects[0], Effect::Admit(ClientId(1), Ok(_))));
        assert!(matches!(&effects[1], Effect::Send(ClientId(1), update) if matches!(**update, Update::Snapshot(_))));
        assert!(matches!(effects[2], Effect::Publish(Notice::Clients(1))));
    }

    #[tokio::test]
    async fn a_stranger_is_turned_away_and_leaves_nothing_behind() {
        let mut engine = engine();
        let effects = join_as(&mut engine, 1, Credential::Local { uid: 2000, ssh_key: None }, false);
        assert!(matches!(effects[..], [Effect::Admit(ClientId(1), Err(TurnedAway::Unrecognised(_)))]));
        assert_eq!(engine.snapshot(at(0)).clients, 0);
        assert!(ask(&mut engine, 1, Request::Snapshot).is_empty(), "it has no answer to wait for");
    }

    #[tokio::test]
    async fn a_role_is_checked_for_every_request() {
        let mut engine = engine();
        join_as(&mut engine, 1, Credential::Local { uid: 1001, ssh_key: None }, false);
        let effects = ask(&mut engine, 1, Request::Mark { ids: vec![row(1).id], mark: Mark::Ack });
        let [Effect::Send(_, update)] = &effects[..] else { panic!("{effects:?}") };
        let Update::Reply { reply: Err(Refusal::Denied(why)), .. } = &**update else { panic!("{update:?}") };
        assert_eq!(why, "this needs the role operator; vera has the role viewer");
        join(&mut engine, 2, false);
        let effects = ask(&mut engine, 2, Request::Mark { ids: vec![row(1).id], mark: Mark::Ack });
        assert!(matches!(&effects[..], [Effect::Mark { who, .. }] if who.as_str() == "otto"), "{effects:?}");
    }

    #[tokio::test]
    async fn a_client_goes_with_its_token() {
        let mut engine = engine();
        let effects = join_as(&mut engine, 1, Credential::Token(TokenHash([1; 32])), true);
        assert!(matches!(effects[1], Effect::Token(TokenEffect::Used(..))), "{effects:?}");
        assert!(engine.apply(Input::Tick, at(10)).is_empty(), "it counts to the last second");
        assert!(matches!(engine.apply(Input::Tick, at(11))[..], [Effect::Drop(ClientId(1)), ..]));
        join_as(&mut engine, 2, Credential::Token(TokenHash([1; 32])), true);
        let aftermath = Some(Aftermath::TokenRevoked(token().id));
        let input = Input::Answered { client: ClientId(9), id: RequestId(1), reply: Ok(Reply::Done), aftermath };
        assert!(matches!(engine.apply(input, at(1))[0], Effect::Drop(ClientId(2))));
        let effects = join_as(&mut engine, 3, Credential::Token(TokenHash([1; 32])), true);
        assert!(matches!(effects[..], [Effect::Admit(ClientId(3), Err(_))]));
    }

    #[tokio::test]
    async fn a_read_only_client_is_refused_every_write() {
        let mut engine = engine();
        join(&mut engine, 1, true);
        let effects = ask(&mut engine, 1, Request::Mark { ids: vec![row(1).id], mark: Mark::Read });
        let [Effect::Send(_, update)] = &effects[..] else { panic!("{effects:?}") };
        assert!(matches!(&**update, Update::Reply { reply: Err(Refusal::Denied(_)), .. }));
        assert!(matches!(ask(&mut engine, 1, Request::NextUnread)[..], [Effect::Read { .. }]));
    }

    #[tokio::test]
    async fn everybody_hears_of_marks_and_the_snapshot_has_them() {
        let mut engine = engine();
        join(&mut engine, 1, false);
        let marks = Marks { read: Some(at(5)), ..Marks::default() };
        let unread = Unread::from([(row(1).channel, (0, -1))]);
        let aftermath = Some(Aftermath::Marked { marks: vec![(1, marks.clone())], unread });
        let input = Input::Answered { client: ClientId(1), id: RequestId(7), reply: Ok(Reply::Done), aftermath };
        let effects = engine.apply(input, at(5));
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Publish(Notice::Marked(_)))));
        assert_eq!(engine.snapshot(at(6)).inbox[0].marks, marks);
    }

    #[tokio::test]
    async fn a_burst_is_cut_and_counted() {
        let mut engine = engine();
        let rows: Vec<MessageRow> = (2..302).map(row).collect();
        let effects = engine.apply(Input::Projected(Projected { rows, events: Vec::new(), up_to: 301 }), at(1));
        let Effect::Publish(Notice::Arrived { rows, omitted, up_to, .. }) = &effects[0] else { panic!("{effects:?}") };
        assert_eq!((rows.len(), *omitted, *up_to), (64, 236, 301));
        assert_eq!(rows.last().map(|row| row.seq), Some(301), "the newest are kept");
        let snapshot = engine.snapshot(at(2));
        assert_eq!((snapshot.inbox.len(), snapshot.inbox[0].seq), (INBOX, 301));
    }

    #[tokio::test]
    async fn a_lagging_client_gets_a_snapshot_at_the_next_tick() {
        let mut engine = engine();
        join(&mut engine, 1, false);
        assert!(engine.apply(Input::Tick, at(1)).is_empty());
        assert!(engine.apply(Input::Lagging(ClientId(1)), at(1)).is_empty());
        assert!(matches!(engine.apply(Input::Tick, at(2))[..], [Effect::Send(..)]));
        assert!(engine.apply(Input::Tick, at(3)).is_empty(), "once is enough");
    }

    fn shown(effects: &[Effect]) -> Vec<&Snapshot> {
        let mut shown = Vec::new();
        for effect in effects {
            if let Effect::Send(_, update) = effect
                && let Update::Snapshot(snapshot) = &**update
            {
                shown.push(&**snapshot);
            }
        }
        shown
    }

    fn taken(text: &str) -> Input {
        let config = config::parse(text, None).expect("a configuration");
        let changes = vec!["node.name: test -> hub".to_owned()];
        Input::Reloaded(Ok(Box::new(Taken { config, changes, counts: HashMap::new(), inbox: None })))
    }

    fn refused() -> Input {
        let (place, what, shown) = ("test.toml:1:1".into(), "wrong".into(), "error: wrong".into());
        Input::Reloaded(Err(ConfigFault { at: at(0), place, what, shown }))
    }

    #[tokio::test]
    async fn a_new_configuration_is_shown_to_everybody() {
        let mut engine = engine();
        join(&mut engine, 1, false);
        let before = engine.snapshot(at(0)).channels;
        let text = "[node]\nname = \"hub\"\n[channels.x]\nprovider = \"github\"\nsecrets = [\"env:X\"]\n";
        let effects = engine.apply(taken(text), at(9));
        let [snapshot] = shown(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!((snapshot.node.as_str(), snapshot.config.loaded), ("hub", at(9)));
        assert_eq!(snapshot.config.last_change, ["node.name: test -> hub"]);
        let ids: Vec<&str> = snapshot.channels.iter().map(|panel| panel.id.as_str()).collect();
        assert_eq!(ids, ["x"]);
        assert!(before.len() > 1);
    }

    #[tokio::test]
    async fn a_refused_configuration_is_a_problem_until_a_good_one_comes_and_is_tried_again() {
        let mut engine = engine();
        join(&mut engine, 1, false);
        assert_eq!(shown(&engine.apply(refused(), at(1))).len(), 1);
        let problems = engine.snapshot(at(1)).problems(at(1));
        assert!(problems.iter().any(|problem| problem.what.contains("test.toml:1:1: wrong")), "{problems:?}");
        assert!(engine.apply(Input::Tick, at(2)).is_empty());
        assert!(matches!(engine.apply(Input::Tick, at(31))[..], [Effect::Reload(None)]));
        assert!(engine.apply(refused(), at(32)).is_empty(), "the same is shown once");
        assert_eq!(shown(&engine.apply(taken(""), at(33))).len(), 1);
        assert!(engine.snapshot(at(33)).config.last_error.is_none());
        assert!(engine.apply(Input::Tick, at(99)).is_empty());
    }

    #[tokio::test]
    async fn a_store_that_cannot_write_is_the_worst_problem_until_it_can() {
        use crate::model::StoreFault;
        use crate::protocol::Severity;

        let mut engine = engine();
        join(&mut engine, 1, false);
        let trouble = StoreTrouble { since: at(0), fault: StoreFault::DiskFull, detail: "full".into() };
        let effects = engine.apply(Input::Store(Some(trouble)), at(1));
        let problems = shown(&effects)[0].problems(at(1));
        assert_eq!(problems[0].severity, Severity::Crit);
        assert!(problems[0].what.contains("disk full on /nowhere; senders get 503"), "{problems:?}");
        let effects = engine.apply(Input::Store(None), at(2));
        assert!(shown(&effects)[0].problems(at(2)).is_empty());
    }

    #[tokio::test]
    async fn a_task_that_is_gone_is_not_listed() {
        let mut engine = engine();
        join(&mut engine, 1, false);
        let status = TaskStatus {
            name: "t".into(),
            state: crate::model::TaskState::Stopped,
            since: at(0),
            restarts: 0,
            last_error: None,
            next_try: None,
            trouble: None,
        };
        let _ = engine.apply(Input::Task(status), at(0));
        let effects = engine.apply(Input::TaskGone("t".into()), at(1));
        assert!(shown(&effects)[0].tasks.is_empty());
    }

    #[tokio::test]
    async fn an_unknown_task_is_named() {
        let mut engine = engine();
        join(&mut engine, 1, false);
        let effects = ask(&mut engine, 1, Request::RestartTask("nope".into()));
        let [Effect::Send(_, update)] = &effects[..] else { panic!("{effects:?}") };
        assert!(matches!(&**update, Update::Reply { reply: Err(Refusal::Unknown(_)), .. }));
    }
}
