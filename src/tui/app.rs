//! The state of the screen, and what changes it.

use std::cell::RefCell;

use crossterm::event::KeyEventKind;
use jiff::Timestamp;

use crate::config::{Context, KeyMap};
use crate::model::{Identity, MessageId};
use crate::protocol::{Link, Severity, Snapshot};

use super::action::View;
use super::activity::Activity;
use super::approvals::Approvals;
use super::background::Background;
use super::bridge::{Bridge, Opened};
use super::channels::Channels;
use super::desk::Undoable;
use super::health::Health;
use super::inbox::Inbox;
use super::input::PASTE_MAX;
use super::keymap::Keymap;
use super::mouse::Regions;
use super::msg::{Cmd, Msg, Overlay, Purpose, Toast};
use super::nodes::Nodes;
use super::panes::Panes;
use super::people::People;
use super::place::Place;
use super::pressing::Pending;
use super::recent::Recent;
use super::saving::Saving;
use super::status::Status;
use super::styles::Look;
use super::themes::ThemeStep;
use super::tour::Tour;
use super::travel::History;
use super::urgent::Round;
use super::view;
use super::zone::Zone;
use super::zoom::Zoom;

/// The screen.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each on or off")]
pub struct App {
    pub(super) look: Look,
    pub(super) keymap: Keymap,
    /// Whether the keys are this machine's own; otherwise they are the engine's.
    pub(super) own_keys: bool,
    /// A chord that was begun.
    pub(super) pending: Option<Pending>,
    /// Of the views: the terminal's without the rows of the tour.
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
    pub(super) people: People,
    pub(super) activity: Activity,
    pub(super) channels: Channels,
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
    pub(super) start: Option<Place>,
    /// The engine ends with this screen, whoever wants what.
    pub(super) ends_with_screen: bool,
    /// What needs somebody, one after the other.
    pub(super) round: Round,
    /// The tour, while there is one.
    pub(super) tour: Option<Tour>,
    pub(super) status: Status,
    /// What is where on the frame that was drawn last.
    pub(super) regions: RefCell<Regions>,
    pub(super) generation: u64,
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
            people: People::default(),
            activity: Activity::default(),
            channels: Channels::default(),
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
            tour: None,
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
        self.go_on_tour();
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
        commands.extend(self.look_for_people());
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
                self.fit((columns, rows));
                Vec::new()
            }
            Msg::Update(update) => self.hear(update),
            Msg::Typed(bytes) => self.typed(&bytes),
            Msg::GiveBack => self.give_back(),
            Msg::Reply(Purpose::Bridge(purpose), reply) => self.bridge_replied(purpose, reply),
            Msg::Reply(Purpose::Node(purpose), reply) => self.node_replied(purpose, reply),
            Msg::Reply(Purpose::Pane(purpose), reply) => self.pane_replied(purpose, reply),
            Msg::Reply(Purpose::Save(part), reply) => self.part(part, reply),
            Msg::Reply(Purpose::Preview, reply) => {
                self.take_preview(reply.ok());
                Vec::new()
            }
            Msg::Reply(purpose, reply) => self.answered(purpose, reply),
            Msg::Remembered(kept) => self.remembered(kept),
            Msg::Saved(done) => self.saved(done),
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
        let tour: &[Context] = if self.tour.is_some() { &[Context::Tour] } else { &[] };
        [inner, tour, &[Context::Global]].concat()
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
}
