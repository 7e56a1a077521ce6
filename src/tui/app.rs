//! The state of the screen, and what changes it.

use std::cell::RefCell;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEvent};
use jiff::Timestamp;
use tui_textarea::TextArea;

use crate::config::{Context, KeyMap};
use crate::model::{
    Act, CheckId, ConversationId, ConversationRow, Identity, Item, KeyOverrides, Message, MessageId, NOTE_MAX,
    OperatorName, short_duration,
};
use crate::protocol::{Link, Notice, Order, Refusal, Reply, Request, Severity, Snapshot, Update};
use crate::screen::InputModes;

use super::action::{Action, View};
use super::activity::Activity;
use super::approvals::Approvals;
use super::background::Background;
use super::bridge::{Bridge, Opened};
use super::bridge_asks::BridgePurpose;
use super::bulk::Bulk;
use super::confirm::Confirm;
use super::desk::{DeskPurpose, Undoable};
use super::dialog::Dialog;
use super::drawer::Drawer;
use super::health::Health;
use super::help::Help;
use super::inbox::Inbox;
use super::input::{Answer, PASTE_MAX};
use super::keymap::Keymap;
use super::listed::Listed;
use super::memory::Kept;
use super::mouse::Regions;
use super::node_dialog::{NodeDialog, NodePurpose};
use super::nodes::Nodes;
use super::note::Note;
use super::opened::OpenMessage;
use super::palette::Palette;
use super::pane_asks::PanePurpose;
use super::pane_mark::MarkDialog;
use super::panes::Panes;
use super::place::Place;
use super::pressing::Pending;
use super::recent::Recent;
use super::run_dialog::RunDialog;
use super::saving::{Save, Saving};
use super::status::Status;
use super::styles::Look;
use super::theme_picker::ThemePicker;
use super::themes::{Offer, ThemeStep};
use super::travel::History;
use super::urgent::Round;
use super::view;
use super::view_picker::{Step, ViewPicker};
use super::window::Placed;
use super::zone::Zone;
use super::zoom::Zoom;

/// Messages of a conversation that are shown with the open one.
const CONVERSATION: usize = 50;

/// What reaches the screen.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted; it is text and never keys.
    Paste(String),
    /// So many bytes were pasted, which is too much.
    PasteTooLong(usize),
    /// The mouse did something; columns and rows count from 0.
    Mouse(MouseEvent),
    /// While somebody types into a pane: bytes, exactly as the terminal sent them.
    Typed(Vec<u8>),
    /// The key that gives a pane back.
    GiveBack,
    /// The terminal answers what it was asked.
    Terminal(Answer),
    /// The terminal has another size: columns and rows.
    Resize(u16, u16),
    /// The engine says something.
    Update(Update),
    /// The answer to a request.
    Reply(Purpose, Result<Reply, Refusal>),
    /// What was remembered of this operator, or why it cannot be used.
    Remembered(Result<Kept, String>),
    /// Files were written to this directory, or could not be.
    Saved(Result<String, String>),
    /// The themes there are, to choose one.
    Themes(Vec<Offer>),
    /// The screen looks like this from now on, or stays as it is because of what is wrong with the theme.
    Look(Result<Look, String>),
    /// Time has passed.
    Tick,
}

/// Why something was asked; the answer comes back under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The first rows of what is to be shown; an answer to an older question is dropped.
    Rows(u64),
    /// Rows behind the last.
    Older(u64),
    /// A message, to open it.
    Open(MessageId),
    /// The selected message, to show it beside the list.
    Preview,
    /// The next unread message.
    Next,
    /// The configuration is read again.
    Reload,
    /// The past of a check, to show it.
    CheckHistory(CheckId),
    /// A look at a check.
    Look(CheckId),
    /// A part of a file that is saved.
    Save,
    /// Something was changed; this says what in case it failed.
    Change(&'static str),
    /// Who this screen is to the engine.
    Who,
    /// The conversation of the message that is open.
    Conversation(ConversationId),
    /// The way of the message that is open.
    Trace(MessageId),
    /// Something about what operators do with conversations.
    Desk(DeskPurpose),
    /// Something about hosts, jobs and approvals.
    Bridge(BridgePurpose),
    /// Something about nodes.
    Node(NodePurpose),
    /// Something about panes.
    Pane(PanePurpose),
    /// This line of the palette was ordered.
    Order(String),
}

/// What the screen wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cmd {
    /// Ask the engine.
    Ask(Purpose, Request),
    /// Say that all below this place of a watched pane was taken.
    Seen {
        /// The number of the watch.
        watch: u64,
        /// The place.
        offset: u64,
    },
    /// Leave.
    Quit(Quit),
    /// Give the terminal back to the shell until it resumes us.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Ask something of the themes.
    Theme(ThemeStep),
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// What is typed from now on goes to a pane as it is, or is keys again.
    Drive(bool),
    /// The terminal is to send cursor keys, the keypad and pastes as the program in a pane asked for.
    Mirror(InputModes),
    /// Do with less where that is not done, and the other way round.
    ToggleLite,
    /// Write a file that came with a message.
    Save(Save),
    /// Read what was remembered of this operator.
    Recall(OperatorName),
    /// Remember this of an operator.
    Remember(OperatorName, Kept),
}

/// How to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quit {
    /// The engine stops.
    StopEngine,
    /// The engine goes on without a screen.
    KeepEngine,
    /// The engine is in another process and not concerned.
    Leave,
}

/// What lies over the view.
#[derive(Debug)]
pub(super) enum Overlay {
    Help(Box<Help>),
    Palette(Box<Palette>),
    Problems(Box<Drawer>),
    Themes(Box<ThemePicker>),
    Quit,
    Dialog(Box<Dialog>),
    Bulk(Box<Bulk>),
    Note(Box<Note>),
    Views(Box<ViewPicker>),
    Run(Box<RunDialog>),
    Confirm(Box<Confirm>),
    Node(Box<NodeDialog>),
    Mark(Box<MarkDialog>),
}

/// A sentence at the bottom until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Toast {
    pub severity: Severity,
    pub text: String,
}

/// The screen.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each on or off")]
pub struct App {
    pub(super) look: Look,
    pub(super) keymap: Keymap,
    /// Whether the keys are this machine's own; otherwise they are the engine's.
    own_keys: bool,
    /// A chord that was begun.
    pub(super) pending: Option<Pending>,
    pub(super) size: (u16, u16),
    pub(super) zone: Zone,
    pub(super) zoom: Zoom,
    pub(super) now: Timestamp,
    pub(super) link: Link,
    pub(super) read_only: bool,
    /// Who this screen is to the engine, and so what it may; known shortly after every snapshot.
    pub(super) identity: Option<Identity>,
    pub(super) snapshot: Option<Box<Snapshot>>,
    /// When something last came from the engine: what is shown is not newer.
    pub(super) heard: Timestamp,
    pub(super) view: View,
    pub(super) inbox: Inbox,
    pub(super) activity: Activity,
    pub(super) channel: usize,
    /// The node whose channels are shown; those of all without one.
    pub(super) channels_of: Option<String>,
    pub(super) nodes: Nodes,
    pub(super) health: Health,
    pub(super) bridge: Bridge,
    pub(super) panes: Panes,
    pub(super) approvals: Approvals,
    pub(super) overlay: Option<Overlay>,
    pub(super) toast: Option<Toast>,
    /// The last act, while it can be undone.
    pub(super) undo: Option<Undoable>,
    /// The message whose answer is awaited. Whoever moves on meanwhile does not want it any more.
    pub(super) opening: Option<MessageId>,
    /// The next that needs somebody is awaited.
    pub(super) going: bool,
    /// Files on their way to the disk.
    pub(super) saving: Option<Saving>,
    /// Where somebody has been.
    pub(super) history: History,
    /// What was chosen in the palette.
    pub(super) recent: Recent,
    /// Where to begin, until there is something to see.
    start: Option<Place>,
    /// The engine ends with this screen, whoever wants what.
    pub(super) ends_with_screen: bool,
    /// What needs somebody, one after the other.
    pub(super) round: Round,
    pub(super) status: Status,
    /// What is where on the frame that was drawn last.
    pub(super) regions: RefCell<Regions>,
    generation: u64,
}

impl App {
    /// A screen of `size` that has heard nothing yet.
    #[must_use]
    pub fn new(look: Look, size: (u16, u16), link: Link, read_only: bool, now: Timestamp) -> Self {
        Self {
            look,
            keymap: Keymap::new(&KeyMap::default()),
            own_keys: false,
            pending: None,
            size,
            zone: Zone::default(),
            zoom: Zoom::default(),
            now,
            link,
            read_only,
            identity: None,
            snapshot: None,
            heard: now,
            view: View::Overview,
            inbox: Inbox::default(),
            activity: Activity::default(),
            channel: 0,
            channels_of: None,
            nodes: Nodes::default(),
            health: Health::default(),
            bridge: Bridge::default(),
            panes: Panes::default(),
            approvals: Approvals::default(),
            overlay: None,
            toast: None,
            undo: None,
            opening: None,
            going: false,
            saving: None,
            history: History::default(),
            recent: Recent::default(),
            start: None,
            ends_with_screen: false,
            round: Round::default(),
            status: Status::default(),
            regions: RefCell::default(),
            generation: 0,
        }
    }

    /// Takes these keys from now on, whatever the engine's configuration says.
    pub fn set_keys(&mut self, keys: &KeyMap) {
        self.keymap = Keymap::new(keys);
        self.own_keys = true;
    }

    /// The engine ends with this screen from now on: there is nothing to choose when it is left.
    pub fn end_engine(&mut self) {
        self.ends_with_screen = true;
    }

    /// Begins at `place`.
    pub fn start_at(&mut self, place: Place) {
        self.start = Some(place);
    }

    /// Draws the screen. Only looks.
    pub fn draw(&self, frame: &mut ratatui::Frame<'_>) {
        view::draw(self, frame);
    }

    /// Takes a message at `now`.
    pub fn update(&mut self, msg: Msg, now: Timestamp) -> Vec<Cmd> {
        self.now = now;
        // What the engine says leads nobody anywhere.
        let before = (!matches!(msg, Msg::Update(_) | Msg::Tick)).then(|| self.here());
        let mut commands = self.take(msg);
        if let Some(before) = before {
            self.track(before);
        }
        self.inbox.list.looked_at(self.view == View::Inbox);
        self.activity.height = self.list_height();
        let (body, zone) = (view::message::body_area(self), self.zone().clone());
        if let Some(open) = &mut self.inbox.open {
            open.wrap((body.width, body.height), &zone);
        }
        if let Some(open) = self.bridge.open_job_mut() {
            open.output.fit(self.size.0.saturating_sub(view::job::MARGIN).into());
        }
        commands.extend(self.preview());
        commands.extend(self.look_at_panes());
        if let Some(shown) = &mut self.inbox.preview.shown {
            shown.wrap((body.width, body.height), &zone);
        }
        commands
    }

    fn take(&mut self, msg: Msg) -> Vec<Cmd> {
        match msg {
            Msg::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
            Msg::Key(key) => {
                self.toast = None;
                self.key(key)
            }
            Msg::Paste(text) => self.paste(&text),
            Msg::PasteTooLong(bytes) => {
                let most = PASTE_MAX >> 10;
                self.toast(Severity::Warn, format!("{} KiB were pasted and at most {most} are taken", bytes >> 10));
                Vec::new()
            }
            Msg::Resize(columns, rows) => {
                self.size = (columns, rows);
                Vec::new()
            }
            Msg::Update(update) => self.hear(update),
            Msg::Typed(bytes) => self.typed(&bytes),
            Msg::GiveBack => self.give_back(),
            Msg::Reply(Purpose::Bridge(purpose), reply) => self.bridge_replied(purpose, reply),
            Msg::Reply(Purpose::Node(purpose), reply) => self.node_replied(purpose, reply),
            Msg::Reply(Purpose::Pane(purpose), reply) => self.pane_replied(purpose, reply),
            Msg::Reply(Purpose::Preview, reply) => {
                self.take_preview(reply.ok());
                Vec::new()
            }
            Msg::Reply(purpose, reply) => self.answered(purpose, reply),
            Msg::Remembered(kept) => self.remembered(kept),
            Msg::Saved(result) => {
                self.saved(&result);
                Vec::new()
            }
            Msg::Themes(offers) => {
                self.pick_theme(offers);
                Vec::new()
            }
            Msg::Look(Ok(look)) => {
                self.look_like(look);
                Vec::new()
            }
            Msg::Look(Err(why)) => {
                self.toast(Severity::Warn, why);
                Vec::new()
            }
            Msg::Terminal(answer) => {
                let background = Background::of(answer).map(ThemeStep::Background);
                background.map(Cmd::Theme).into_iter().collect()
            }
            Msg::Mouse(event) => self.mouse(event),
            Msg::Tick => Vec::new(),
        }
    }

    /// Where keys count now, innermost first.
    pub(super) fn contexts(&self) -> Vec<Context> {
        let inner: &[Context] = match self.view {
            View::Inbox if self.inbox.open.is_some() => &[Context::Message, Context::List],
            View::Inbox => &[Context::Inbox, Context::List],
            View::Channels => &[Context::Channels, Context::List],
            View::Nodes => &[Context::Nodes, Context::List],
            View::Health if self.health.open.is_some() => &[Context::Check, Context::List],
            View::Health => &[Context::Health, Context::List],
            View::Bridge => match &self.bridge.open {
                Some(Opened::Pane(open)) if open.find.is_some() => {
                    &[Context::PaneMatches, Context::Pane, Context::List]
                }
                Some(Opened::Pane(_)) => &[Context::Pane, Context::List],
                Some(Opened::Tiles(_)) => &[Context::Tiles, Context::List],
                _ if self.on_panes() => &[Context::Panes, Context::Bridge, Context::List],
                _ => &[Context::Bridge, Context::List],
            },
            View::Approvals => &[Context::Approvals, Context::List],
            View::Activity if self.activity.find.is_some() => {
                &[Context::Matches, Context::Lines, Context::Activity, Context::List]
            }
            View::Activity if self.activity.has_lines() => &[Context::Lines, Context::Activity, Context::List],
            View::Activity => &[Context::Tasks, Context::Activity, Context::List],
            View::Overview => &[],
        };
        [inner, &[Context::Global]].concat()
    }

    /// Since when nothing new can come, so that what is shown is at least as old.
    pub(super) fn stale_since(&self) -> Option<Timestamp> {
        match &self.link {
            Link::Reconnecting { since, .. } => Some(self.heard.min(*since)),
            _ => None,
        }
    }

    /// Rows a list has on this screen: header, title and footer take one each.
    pub(super) fn list_height(&self) -> usize {
        usize::from(self.size.1.saturating_sub(3))
    }

    pub(super) fn toast(&mut self, severity: Severity, text: impl Into<String>) {
        self.toast = Some(Toast { severity, text: text.into() });
    }

    // Hearing

    fn hear(&mut self, update: Update) -> Vec<Cmd> {
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
        let open = self.inbox.open.as_ref().map(|open| open.message.conversation);
        if open.is_some_and(|open| omitted > 0 || changed.iter().any(|row| row.id == open)) {
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

    fn answered(&mut self, purpose: Purpose, reply: Result<Reply, Refusal>) -> Vec<Cmd> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(refusal) if purpose == Purpose::Reload => {
                // The mark below the mistake has its place in the log and in the file.
                let first = refusal.to_string().lines().take(2).map(str::trim).collect::<Vec<_>>().join(" ");
                self.toast(Severity::Crit, format!("not reloaded: {first}"));
                return Vec::new();
            }
            Err(refusal) if purpose == Purpose::Save => {
                self.saved(&Err(refusal.to_string()));
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
            (Purpose::Save, Reply::Attachment(part)) => return self.part(part),
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

    // Keys

    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Cmd> {
        let is_chosen = match &self.overlay {
            Some(Overlay::Views(picker)) => !matches!(picker.step, Step::Name(_)),
            Some(Overlay::Confirm(confirm)) => !confirm.has_note(),
            Some(overlay) => {
                use Overlay::{Bulk, Node, Problems, Quit, Themes};
                matches!(overlay, Quit | Bulk(_) | Problems(_) | Themes(_) | Node(_))
            }
            None => false,
        };
        if is_chosen && key.modifiers.contains(KeyModifiers::ALT) {
            // Escape and what came right behind it. Nothing here is done with alt, and much with a letter.
            let mut commands = self.key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
            commands.extend(self.key(KeyEvent { modifiers: key.modifiers - KeyModifiers::ALT, ..key }));
            return commands;
        }
        match self.overlay.take() {
            Some(Overlay::Quit) => self.key_in_quit(key),
            Some(Overlay::Help(help)) => self.key_in_help(key, help),
            Some(Overlay::Palette(palette)) => self.key_in_palette(key, palette),
            Some(Overlay::Problems(drawer)) => self.key_in_drawer(key, drawer),
            Some(Overlay::Themes(picker)) => self.key_in_themes(key, picker),
            Some(Overlay::Dialog(dialog)) => self.key_in_dialog(key, dialog),
            Some(Overlay::Bulk(bulk)) => self.key_in_bulk(key, bulk),
            Some(Overlay::Note(note)) => self.key_in_note(key, note),
            Some(Overlay::Views(picker)) => self.key_in_views(key, picker),
            Some(Overlay::Run(dialog)) => self.key_in_run(key, dialog),
            Some(Overlay::Confirm(confirm)) => self.key_in_confirm(key, confirm),
            Some(Overlay::Node(dialog)) => self.key_in_node(key, dialog),
            Some(Overlay::Mark(dialog)) => self.key_in_mark(key, dialog),
            None => {
                if self.view == View::Inbox
                    && self.inbox.search.as_ref().is_some_and(|search| search.typing)
                    && let Some(commands) = self.key_in_search(key)
                {
                    return commands;
                }
                if let Some(commands) = self.key_in_field(key) {
                    return commands;
                }
                self.press(key)
            }
        }
    }

    fn paste(&mut self, text: &str) -> Vec<Cmd> {
        if let Some(Overlay::Note(note)) = &mut self.overlay {
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            if note.text().len() + text.len() > NOTE_MAX {
                let pasted = text.len();
                self.toast(Severity::Warn, format!("{pasted} bytes were pasted; a note has {NOTE_MAX} at most"));
            } else {
                note.field.insert_str(text);
            }
            return Vec::new();
        }
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        if let Some(Overlay::Palette(palette)) = &mut self.overlay {
            palette.field.insert_str(text);
            palette.select(0);
        } else if let Some(Overlay::Help(help)) = &mut self.overlay {
            help.field.insert_str(text);
            help.selected = 0;
        } else if let Some(Overlay::Dialog(dialog)) = &mut self.overlay {
            dialog.field.insert_str(text);
            dialog.selected = 0;
        } else if let Some(Overlay::Views(picker)) = &mut self.overlay
            && let Step::Name(field) = &mut picker.step
        {
            field.insert_str(text);
        } else if self.overlay.is_some() || self.is_field() {
            self.paste_into_field(text);
        } else if self.view == View::Inbox
            && let Some(search) = self.inbox.search.as_mut().filter(|search| search.typing)
        {
            search.field.insert_str(text);
            let request = self.inbox.request();
            return self.rows(request);
        }
        Vec::new()
    }

    fn key_in_quit(&mut self, key: KeyEvent) -> Vec<Cmd> {
        let plain = !key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('s') if plain => vec![Cmd::Quit(Quit::StopEngine)],
            KeyCode::Char('k') if plain => vec![Cmd::Quit(Quit::KeepEngine)],
            KeyCode::Esc | KeyCode::Char('q' | 'c') => Vec::new(),
            _ => {
                self.overlay = Some(Overlay::Quit);
                Vec::new()
            }
        }
    }

    /// Keys while a search is typed; `None` where the key moves or opens as always.
    fn key_in_search(&mut self, key: KeyEvent) -> Option<Vec<Cmd>> {
        let search = self.inbox.search.as_mut()?;
        match key.code {
            KeyCode::Esc => Some(self.act(Action::Back)),
            KeyCode::Enter => {
                search.typing = false;
                Some(Vec::new())
            }
            KeyCode::Down => {
                search.typing = false;
                Some(self.act(Action::Down))
            }
            KeyCode::PageDown | KeyCode::PageUp | KeyCode::Up => None,
            KeyCode::Char('c' | 'z' | 'l') if key.modifiers.contains(KeyModifiers::CONTROL) => None,
            _ => {
                if !type_into(&mut search.field, key) {
                    return Some(Vec::new());
                }
                let request = self.inbox.request();
                Some(self.rows(request))
            }
        }
    }
}

/// Lets a field of one line take a key; answers whether its text changed.
pub(super) fn type_into(field: &mut TextArea<'static>, key: KeyEvent) -> bool {
    // A line break would make a second line that nobody sees.
    let breaks = matches!(key.code, KeyCode::Enter | KeyCode::Tab)
        || (matches!(key.code, KeyCode::Char('m' | 'j')) && key.modifiers.contains(KeyModifiers::CONTROL));
    !breaks && field.input(key)
}
