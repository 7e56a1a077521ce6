//! What the screen makes of what the engine says, by itself or because it was asked.

use crate::config::KeyMap;
use crate::model::{Act, ConversationRow, Item, KeyOverrides, Message, MessageId, short_duration};
use crate::protocol::{Notice, Order, Refusal, Reply, Request, Severity, Update};

use super::app::App;
use super::desk::DeskPurpose;
use super::keymap::Keymap;
use super::listed::Listed;
use super::msg::{Cmd, Purpose};
use super::opened::OpenMessage;
use super::recent::Recent;
use super::travel::History;
use super::window::Placed;

/// Messages of a conversation that are shown with the open one.
const CONVERSATION: usize = 50;

impl App {
    pub(super) fn hear(&mut self, update: Update) -> Vec<Cmd> {
        match update {
            Update::Link(link) => {
                self.link = link;
                if self.stale_since().is_some() {
                    self.panes_after_break();
                }
                Vec::new()
            }
            Update::Snapshot(snapshot) => {
                self.heard = self.now;
                self.take_keys(&snapshot.config.keys);
                self.inbox.node.clone_from(&snapshot.node);
                let request = self.inbox.refresh();
                self.activity.refreshed(&snapshot);
                self.panes.keep_hosts(&snapshot.bridge.hosts);
                self.snapshot = Some(snapshot);
                // A snapshot follows every greeting and every reload; either may have changed it.
                let mut commands = vec![Cmd::Ask(Purpose::Who, Request::WhoAmI)];
                commands.extend(self.rows(request));
                commands.extend(self.ask_conversation());
                commands.extend(self.ask_job());
                if let Some(place) = self.start.take() {
                    commands.extend(self.go_to_place(place));
                }
                commands
            }
            Update::Notice(notice) => {
                self.heard = self.now;
                self.notice(&notice)
            }
            Update::Pane(update) => self.pane_heard(update),
            // The driver of the screen turns these into `Msg::Reply`, as it knows their purpose.
            Update::Reply { .. } => Vec::new(),
        }
    }

    /// Takes the keys of the engine's configuration, unless this screen has its own.
    fn take_keys(&mut self, overrides: &KeyOverrides) {
        if self.own_keys || self.keymap.overrides() == overrides {
            return;
        }
        match KeyMap::with(overrides) {
            Ok(keys) => {
                self.keymap = Keymap::new(&keys);
                self.pending = None;
            }
            Err(why) => self.toast(Severity::Warn, format!("the engine's keys are not in use: {why}")),
        }
    }

    fn notice(&mut self, notice: &Notice) -> Vec<Cmd> {
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.apply(notice);
        }
        self.activity.heard(notice);
        match notice {
            Notice::Arrived { conversations, omitted, .. } => {
                let request = self.inbox.arrived(conversations, *omitted);
                return self.rows_and_open(request, conversations, *omitted);
            }
            Notice::Acted(change) => {
                let request = self.inbox.changed(change);
                return self.rows_and_open(request, &change.conversations, change.omitted);
            }
            Notice::Vip { contact, vip } => self.inbox.vip_changed(*contact, *vip),
            Notice::Checks(changed) => {
                let open = self.health.open.as_ref().filter(|open| open.id.node.is_none()).map(|open| &open.id.id);
                // A new failure belongs to what is shown; while all is well the past may be as old as it is.
                let failed = changed.iter().any(|check| Some(&check.id) == open && check.cause.is_some());
                return if failed { self.past() } else { Vec::new() };
            }
            Notice::Views => return self.views_changed(),
            Notice::Bridge(notice) => return self.bridge_heard(notice),
            Notice::Stopping => self.toast(Severity::Warn, "the engine stops"),
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn rows(&mut self, request: Option<Request>) -> Vec<Cmd> {
        self.generation += 1;
        request.map(|request| Cmd::Ask(Purpose::Rows(self.generation), request)).into_iter().collect()
    }

    /// Asks for rows where `request` says so, and for the open conversation where it is another now.
    fn rows_and_open(&mut self, request: Option<Request>, changed: &[ConversationRow], omitted: u64) -> Vec<Cmd> {
        let mut commands = if request.is_some() { self.rows(request) } else { Vec::new() };
        let open = self.inbox.open.as_ref();
        if open.is_some_and(|open| omitted > 0 || changed.iter().any(|row| open.shows(row))) {
            commands.extend(self.ask_conversation());
        }
        commands
    }

    /// Asks for the conversation of the open message.
    fn ask_conversation(&self) -> Option<Cmd> {
        let id = self.inbox.open.as_ref()?.message.conversation;
        let request = Request::Conversation { id, before: None, limit: CONVERSATION };
        Some(Cmd::Ask(Purpose::Conversation(id), request))
    }

    pub(super) fn older(&mut self) -> Vec<Cmd> {
        let request = self.inbox.older();
        request.map(|request| Cmd::Ask(Purpose::Older(self.generation), request)).into_iter().collect()
    }

    pub(super) fn answered(&mut self, purpose: Purpose, reply: Result<Reply, Refusal>) -> Vec<Cmd> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(refusal) if purpose == Purpose::Reload => {
                // The mark below the mistake has its place in the log and in the file.
                let first = refusal.to_string().lines().take(2).map(str::trim).collect::<Vec<_>>().join(" ");
                self.toast(Severity::Crit, format!("not reloaded: {first}"));
                return Vec::new();
            }
            Err(Refusal::Superseded) => return Vec::new(),
            Err(refusal) => {
                if matches!(purpose, Purpose::Rows(asked) | Purpose::Older(asked) if asked == self.generation) {
                    self.inbox.list.failed();
                }
                let what = match &purpose {
                    Purpose::Change(what) => what,
                    Purpose::Desk(DeskPurpose::SaveView(_)) => "not saved",
                    Purpose::Order(line) => line.as_str(),
                    _ => "the engine could not answer",
                };
                self.toast(Severity::Crit, format!("{what}: {refusal}"));
                return Vec::new();
            }
        };
        match (purpose, reply) {
            (purpose @ (Purpose::Rows(generation) | Purpose::Older(generation)), Reply::Page(part))
                if generation == self.generation =>
            {
                if let Some(rest) = self.inbox.gather(part) {
                    return vec![Cmd::Ask(purpose, rest)];
                }
                let rows = self.inbox.gathered();
                return self.take_rows(&purpose, rows);
            }
            (purpose @ (Purpose::Rows(generation) | Purpose::Older(generation)), Reply::Conversations(list))
                if generation == self.generation =>
            {
                self.inbox.partly = list.partly;
                let rows = list.rows.into_iter().map(|row| Listed::Conversation(Box::new(row))).collect();
                return self.take_rows(&purpose, rows);
            }
            (Purpose::Conversation(id), Reply::Conversation(Some(page))) => {
                if let Some(open) = self.inbox.open.as_mut().filter(|open| open.message.conversation == id) {
                    open.take(page);
                }
            }
            (Purpose::Trace(id), Reply::Trace(trace)) => {
                if let Some(open) = self.inbox.open.as_mut().filter(|open| open.message.row.id == id) {
                    open.take_trace(trace.map_or_else(Vec::new, |trace| trace.steps));
                }
            }
            (Purpose::Desk(purpose), reply) => return self.desk_answered(purpose, reply),
            (Purpose::Who, Reply::Identity(identity)) => {
                self.inbox.me = Some(identity.operator.clone());
                let known = self.identity.replace(identity.clone()).map(|known| known.operator);
                if known.as_ref() == Some(&identity.operator) {
                    return Vec::new();
                }
                if known.is_some() {
                    // Somebody else to the engine from now on: what the one before did is not theirs.
                    (self.recent, self.history) = (Recent::default(), History::default());
                }
                return vec![Cmd::Recall(identity.operator)];
            }
            (Purpose::Order(line), reply) => {
                let told = Order::parse(&line, &self.asking()).ok().and_then(|order| order.told(&reply));
                if let Some(told) = told {
                    self.toast(if told.is_whole { Severity::Info } else { Severity::Warn }, told.text);
                }
            }
            (Purpose::Reload, _) => self.toast(Severity::Info, "the configuration was read again"),
            (Purpose::Open(id), _) if self.opening != Some(id) => {}
            (Purpose::Next, _) if !self.going => {}
            (Purpose::Open(_), Reply::Message(None)) => self.toast(Severity::Warn, "this message is gone"),
            (Purpose::Open(id), Reply::Message(Some(message))) => {
                self.opening = None;
                return self.opened(id, message);
            }
            (Purpose::Next, Reply::Messages(rows)) => return self.go_on(rows),
            (Purpose::CheckHistory(id), Reply::CheckHistory(Some(history))) => {
                if let Some(open) = self.health.open.as_mut().filter(|open| open.id == id.into()) {
                    open.history = Some(history);
                }
            }
            (Purpose::Look(id), Reply::Observation(seen)) => {
                let took = short_duration(seen.took);
                match seen.cause {
                    None => self.toast(Severity::Info, format!("{id}: ok after {took}")),
                    Some(cause) => self.toast(Severity::Warn, format!("{id}: {cause}, after {took}")),
                }
                return self.past();
            }
            _ => {}
        }
        Vec::new()
    }

    fn take_rows(&mut self, purpose: &Purpose, rows: Vec<Listed>) -> Vec<Cmd> {
        if matches!(purpose, Purpose::Rows(_)) {
            self.inbox.list.take_first(rows);
        } else {
            self.inbox.list.take_older(rows);
        }
        let request = self.inbox.catch_up();
        if request.is_some() { self.rows(request) } else { Vec::new() }
    }

    /// Shows a message; where the list has its conversation, as that. It counts as read then.
    fn opened(&mut self, id: MessageId, message: Box<Message>) -> Vec<Cmd> {
        let conversation = message.conversation;
        self.inbox.list.select_where(|row| row.message() == id || row.key() == conversation.into());
        let listed = self.inbox.list.rows().iter().find(|row| row.key() == conversation.into());
        let item: Item = listed.map_or(id.into(), Placed::key);
        let unread = listed.map_or(message.row.marks.read.is_none(), Listed::is_unread);
        self.inbox.open = Some(OpenMessage::new(message, listed.is_some()));
        let mut commands: Vec<Cmd> = self.ask_conversation().into_iter().collect();
        let request = self.wanted(vec![item], Act::Read);
        if unread && self.denied(&request).is_none() {
            commands.push(Cmd::Ask(Purpose::Change("not marked"), request));
        }
        commands
    }
}
