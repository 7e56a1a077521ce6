//! What the operator does with conversations: one or many, asked first where it is many, and undone again.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::client;
use crate::model::{Act, ActId, Acted, Item, NOTE_MAX, UNDO_OFFERED, Undone};
use crate::protocol::{Asking, Reply, Request, Severity};

use super::action::{Action, View};
use super::app::App;
use super::bulk::Bulk;
use super::dialog::{About, Dialog, Question};
use super::keying::type_into;
use super::msg::{Cmd, Overlay, Purpose};
use super::note::Note;
use super::window::Placed;

/// Why conversations are asked about beyond what is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeskPurpose {
    /// An act, and what it is called in a sentence once it is done.
    Act(ActId, Box<Act>),
    /// An act is undone.
    Undo,
    /// The labels there are.
    Labels,
    /// The operators there are.
    Operators,
    /// The contacts there are.
    Contacts,
    /// Something is said about who is one person.
    Person,
    /// The views there are.
    Views,
    /// What the view of this name is, to go there.
    GoView(String),
    /// The view of this name is kept.
    SaveView(String),
    /// The view of this name is forgotten.
    DeleteView(String),
}

/// An act that can be undone for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Undoable {
    pub id: ActId,
    /// What was done.
    pub words: String,
    /// Until when it is offered.
    pub until: Timestamp,
}

impl App {
    fn zoned(&self) -> Zoned {
        self.now.to_zoned(TimeZone::system())
    }

    /// What an act would be about: everything that is picked, else the open or selected one.
    fn about(&self) -> About {
        let picked = self.inbox.picked();
        if picked.is_empty() || self.inbox.open.is_some() {
            About::One(self.inbox.target().map(|target| target.item))
        } else {
            About::Picked(picked)
        }
    }

    /// Asks before an act. What it is about is decided now, whatever becomes of the list meanwhile.
    fn ask(&mut self, mut dialog: Dialog) {
        dialog.about = self.about();
        self.overlay = Some(Overlay::Dialog(Box::new(dialog)));
    }

    /// The act an action stands for without asking further.
    pub(super) fn plain_act(&self, action: Action) -> Option<Act> {
        let target = self.inbox.target()?;
        match action {
            Action::Ack if target.acked => Some(Act::Unack),
            Action::Ack => Some(Act::Ack),
            Action::ToggleRead if target.unread => Some(Act::Read),
            Action::ToggleRead => Some(Act::Unread),
            _ => None,
        }
    }

    /// Does `act` to what is selected; to what is picked only after it was shown.
    fn begin_act(&mut self, about: About, act: Act) -> Vec<Cmd> {
        let picked = match about {
            About::One(item) => return self.order_act(item.into_iter().collect(), act),
            About::Picked(picked) => picked,
        };
        let bulk = Bulk::new(act, &picked, &self.inbox.list, self.now);
        if bulk.on.is_empty() {
            self.toast(Severity::Info, "nothing to do: all of them are so already");
        } else {
            self.overlay = Some(Overlay::Bulk(Box::new(bulk)));
        }
        Vec::new()
    }

    fn order_act(&self, on: Vec<Item>, act: Act) -> Vec<Cmd> {
        if on.is_empty() { Vec::new() } else { vec![Self::undoably(self.wanted(on, act))] }
    }

    /// What asks for `act`: of conversations about no more than this screen has heard of.
    pub(super) fn wanted(&self, on: Vec<Item>, act: Act) -> Request {
        let Asking { act: id, seen, .. } = self.asking();
        Request::Act { id, on, act, seen }
    }

    /// What an order means when it is given here and now.
    pub(super) fn asking(&self) -> Asking {
        let seen = self.snapshot.as_ref().map(|snapshot| snapshot.up_to);
        Asking { now: self.zoned(), act: client::act_id(), seen }
    }

    /// Asks for an act, and remembers it for whoever wants it undone.
    fn undoably(request: Request) -> Cmd {
        let purpose = match &request {
            Request::Act { id, act, .. } => Purpose::Desk(DeskPurpose::Act(*id, Box::new(act.clone()))),
            _ => Purpose::Change("not done"),
        };
        Cmd::Ask(purpose, request)
    }

    /// Gives an order that was typed or chosen as `line`.
    pub(super) fn give(line: String, request: Request) -> Cmd {
        match request {
            Request::Act { .. } => Self::undoably(request),
            _ => Cmd::Ask(Purpose::Order(line), request),
        }
    }

    /// Does what `action` says about conversations; `None` when it says nothing about them.
    pub(super) fn act_on_desk(&mut self, action: Action) -> Option<Vec<Cmd>> {
        match action {
            Action::Ack | Action::ToggleRead => {
                let act = self.plain_act(action)?;
                return Some(self.begin_act(self.about(), act));
            }
            Action::Snooze => self.ask(Dialog::snooze(self.zoned())),
            Action::Label => {
                let has = self.inbox.target().map(|target| target.labels).unwrap_or_default();
                self.ask(Dialog::label(&has, self.zoned()));
                return Some(vec![Cmd::Ask(Purpose::Desk(DeskPurpose::Labels), Request::Labels)]);
            }
            Action::Assign => {
                let me = self.identity.as_ref().map(|identity| identity.operator.clone());
                self.ask(Dialog::assign(me.as_ref(), self.zoned()));
                return Some(vec![Cmd::Ask(Purpose::Desk(DeskPurpose::Operators), Request::Operators)]);
            }
            Action::Note => self.overlay = Some(Overlay::Note(Box::new(Note::new(self.about().all())))),
            Action::Undo => {
                let id = self.undoable()?.id;
                self.undo = None;
                return Some(vec![Cmd::Ask(Purpose::Desk(DeskPurpose::Undo), Request::Undo(id))]);
            }
            Action::Pick => {
                let index = self.inbox.list.index();
                if let Some(key) = self.inbox.list.selected().map(Placed::key) {
                    self.inbox.picked.toggle(key);
                }
                self.inbox.list.select((index + 1).min(self.inbox.list.rows().len().saturating_sub(1)));
                return Some(self.older());
            }
            Action::PickRange => self.inbox.pick_range(),
            Action::PickAll => self.inbox.pick_all(),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Why `action` on conversations cannot be done; `None` when it can, or is about something else.
    pub(super) fn desk_missing(&self, action: Action) -> Option<String> {
        let list = self.view == View::Inbox && self.inbox.open.is_none() && self.inbox.list.selected().is_some();
        match action {
            Action::Ack | Action::ToggleRead | Action::Snooze | Action::Label | Action::Assign | Action::Note => {
                self.no_message().or_else(|| self.denied(&self.wanted(Vec::new(), Act::Read)))
            }
            Action::Pick | Action::PickRange | Action::PickAll => {
                (!list).then(|| "conversations are picked in the list of the Inbox".to_owned())
            }
            Action::Undo => match self.undoable() {
                Some(undo) => self.denied(&Request::Undo(undo.id)),
                None => Some("nothing was done in the last 10 seconds that could be undone".to_owned()),
            },
            _ => None,
        }
    }

    /// What can still be undone.
    pub(super) fn undoable(&self) -> Option<&Undoable> {
        self.undo.as_ref().filter(|undo| undo.until > self.now)
    }

    /// Takes an answer about conversations.
    pub(super) fn desk_answered(&mut self, purpose: DeskPurpose, reply: Reply) -> Vec<Cmd> {
        match (purpose, reply) {
            (DeskPurpose::Act(id, act), Reply::Acted(acted)) => self.acted(id, &act, &acted),
            (DeskPurpose::Undo, Reply::Undone(Undone { restored, left_alone })) => {
                let rest = if left_alone > 0 {
                    format!("; {left_alone} left alone, as somebody has changed them since")
                } else {
                    String::new()
                };
                self.toast(Severity::Info, format!("undone: {restored} as before{rest}"));
            }
            (DeskPurpose::Labels, Reply::Labels(labels)) => {
                if let Some(Overlay::Dialog(dialog)) = &mut self.overlay
                    && dialog.question == Question::Label
                {
                    dialog.know_labels(&labels);
                }
            }
            (DeskPurpose::Operators, Reply::Operators(operators)) => {
                if let Some(Overlay::Dialog(dialog)) = &mut self.overlay
                    && dialog.question == Question::Assign
                {
                    dialog.know_operators(&operators);
                }
            }
            (DeskPurpose::Contacts, Reply::Contacts(contacts)) => self.know_people(contacts),
            (DeskPurpose::Person, Reply::Person(acted)) => self.said_person(&acted),
            (DeskPurpose::Views, Reply::Views(views)) => return self.take_views(views),
            (DeskPurpose::GoView(name), Reply::Views(views)) => return self.found_view(&name, views),
            (DeskPurpose::SaveView(name), Reply::Done) => {
                self.toast(Severity::Info, format!("what is shown is the view {name} now"));
                return self.go_to_view(name);
            }
            (DeskPurpose::DeleteView(name), Reply::Done) => {
                self.toast(Severity::Info, format!("the view {name} is deleted"));
            }
            _ => {}
        }
        Vec::new()
    }

    fn acted(&mut self, id: ActId, act: &Act, acted: &Acted) {
        if acted.changed == 0 {
            let why = if acted.full > 0 { "it has as many as it may" } else { "it is so already" };
            self.toast(Severity::Info, format!("nothing changed: {why}"));
            return;
        }
        let mut words = act.done(acted.changed);
        if acted.full > 0 {
            words = format!("{words}; {} have as many as they may", acted.full);
        }
        if acted.more {
            words.push_str("; more are left: do it again");
        } else {
            self.inbox.picked.clear();
        }
        let until = self.now.checked_add(UNDO_OFFERED).unwrap_or(self.now);
        self.undo = Some(Undoable { id, words, until });
    }

    // Keys

    pub(super) fn key_in_bulk(&mut self, key: KeyEvent, bulk: Box<Bulk>) -> Vec<Cmd> {
        match key.code {
            _ if key.modifiers.contains(KeyModifiers::CONTROL) => self.overlay = Some(Overlay::Bulk(bulk)),
            KeyCode::Char('y') if bulk.hears(self.now) => return self.order_act(bulk.on, bulk.act),
            KeyCode::Esc | KeyCode::Char('n' | 'q') if bulk.hears(self.now) => {}
            _ => self.overlay = Some(Overlay::Bulk(bulk)),
        }
        Vec::new()
    }

    pub(super) fn key_in_dialog(&mut self, key: KeyEvent, mut dialog: Box<Dialog>) -> Vec<Cmd> {
        let answers = dialog.answers();
        match key.code {
            KeyCode::Esc => return Vec::new(),
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Vec::new(),
            KeyCode::Enter => {
                if let Some(choice) = answers.into_iter().nth(dialog.selected) {
                    return self.begin_act(dialog.about, choice.act);
                }
            }
            KeyCode::Down => dialog.selected = (dialog.selected + 1).min(answers.len().saturating_sub(1)),
            KeyCode::Up => dialog.selected = dialog.selected.saturating_sub(1),
            _ => {
                type_into(&mut dialog.field, key);
                dialog.selected = 0;
            }
        }
        self.overlay = Some(Overlay::Dialog(dialog));
        Vec::new()
    }

    pub(super) fn key_in_note(&mut self, key: KeyEvent, mut note: Box<Note>) -> Vec<Cmd> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('s') if control => {
                let text = note.text();
                if text.is_empty() {
                    self.toast(Severity::Info, "the note is empty");
                    return Vec::new();
                }
                if text.len() <= NOTE_MAX {
                    return self.order_act(note.on, Act::Note(text));
                }
                let over = text.len() - NOTE_MAX;
                self.toast(Severity::Warn, format!("a note has {NOTE_MAX} bytes at most: {over} are too many"));
            }
            KeyCode::Esc | KeyCode::Char('c') if key.code == KeyCode::Esc || control => {
                if note.leaving || note.text().is_empty() {
                    return Vec::new();
                }
                note.leaving = true;
            }
            _ => {
                note.leaving = false;
                note.field.input(key);
            }
        }
        self.overlay = Some(Overlay::Note(note));
        Vec::new()
    }
}
