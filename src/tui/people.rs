//! Who is one person: chosen in the palette, shown before it is said, and undone for a while.

use crate::client;
use crate::model::{Contact, ContactFilter, ContactId, PersonAct, PersonActed, UNDO_OFFERED, counted};
use crate::protocol::{Order, Request, Severity, Takes, Verb};

use super::app::App;
use super::choices::{Choice, Does};
use super::confirm::Confirm;
use super::desk::{DeskPurpose, Undoable};
use super::msg::{Cmd, Overlay, Purpose};
use super::palette::Palette;

/// Persons that are offered: those who wrote last. Others are named by the ids of their contacts.
const OFFERED: usize = 300;

/// Who there is to choose from.
#[derive(Debug, Default)]
pub(super) struct People {
    /// Persons, as far as anybody has asked.
    contacts: Vec<Contact>,
    /// The palette names contacts.
    is_named: bool,
}

impl People {
    /// A contact and its person, as far as they are here.
    fn find(&self, id: ContactId) -> Option<(&Contact, &Contact)> {
        self.contacts.iter().find_map(|person| person.all().find(|one| one.id == id).map(|contact| (contact, person)))
    }

    /// The same by the id as it is written.
    fn named(&self, id: &str) -> Option<(&Contact, &Contact)> {
        self.find(id.parse().ok()?)
    }
}

/// A contact in words.
fn told(contact: &Contact) -> String {
    let name = if contact.name.is_empty() { String::new() } else { format!("{}, ", contact.name) };
    let vip = if contact.vip { " (VIP)" } else { "" };
    format!("{name}{} on {}{vip}", contact.address, contact.channel)
}

/// Every contact of a person by its id, in words, which say when there are several.
fn named(person: &Contact) -> impl Iterator<Item = (String, String)> {
    let all = 1 + person.others.len();
    let of = if all > 1 { format!(", 1 of {all} addresses") } else { String::new() };
    person.all().map(move |contact| (contact.id.to_string(), format!("{}{of}", told(contact))))
}

/// Every address of a person, a line each.
fn addresses(person: &Contact) -> impl Iterator<Item = String> {
    person.all().map(|contact| format!("  {}, {}", told(contact), counted(contact.messages, "message")))
}

impl App {
    /// Asks who there is, when the palette comes to a verb about contacts.
    pub(super) fn look_for_people(&mut self) -> Option<Cmd> {
        let names = |palette: &Palette| {
            Verb::of(palette.line()).is_some_and(|(verb, _)| matches!(verb.takes, Takes::Contact | Takes::TwoContacts))
        };
        let is_named = matches!(&self.overlay, Some(Overlay::Palette(palette)) if names(palette));
        let was_named = std::mem::replace(&mut self.people.is_named, is_named);
        let request = Request::Contacts { filter: ContactFilter::default(), limit: OFFERED };
        (is_named && !was_named).then_some(Cmd::Ask(Purpose::Desk(DeskPurpose::Contacts), request))
    }

    /// Takes who there is.
    pub(super) fn know_people(&mut self, contacts: Vec<Contact>) {
        self.people.contacts = contacts;
    }

    /// Opens the palette, to choose who else the sender is.
    pub(super) fn choose_person(&mut self) -> Vec<Cmd> {
        if let Some(contact) = self.inbox.target().and_then(|target| target.contact) {
            self.overlay = Some(Overlay::Palette(Box::new(Palette::begun(&format!("merge {contact} ")))));
        }
        self.look_for_people().into_iter().collect()
    }

    /// What is asked for about a person, to know whether it may be.
    pub(super) fn wanted_person(contact: ContactId) -> Request {
        Request::Person { id: client::act_id(), act: PersonAct::Split { contact } }
    }

    /// Contacts by their ids, with what to call them: those who wrote last.
    pub(super) fn contacts_seen(&self) -> Vec<(String, String)> {
        let mut contacts: Vec<(String, String)> = self.people.contacts.iter().flat_map(named).collect();
        if !contacts.is_empty() {
            return contacts;
        }
        for row in self.snapshot.iter().flat_map(|snapshot| &snapshot.inbox) {
            let Some(contact) = row.contact.map(|contact| contact.to_string()) else { continue };
            if !contacts.iter().any(|(id, _)| *id == contact) {
                let vip = if row.vip { " (VIP)" } else { "" };
                contacts.push((contact, format!("{} on {}{vip}", row.from, row.channel)));
            }
        }
        contacts
    }

    /// What may follow a verb that takes two contacts: the one, then the other; and the part of `rest` that narrows it.
    pub(super) fn two_contacts(&self, verb: &Verb, rest: &str) -> (Vec<Choice>, String) {
        let contacts = self.contacts_seen().into_iter();
        let Some((one, typed)) = rest.split_once(char::is_whitespace) else {
            let choice = |(id, words): (String, String)| {
                let words = format!("{words}: same person as");
                Choice::new(format!("{} {id} ", verb.name), words, Does::Continue)
            };
            return (contacts.map(choice).collect(), rest.to_owned());
        };
        let mine = self.people.named(one);
        let is_mine = |id: &str| {
            id == one || mine.zip(self.people.named(id)).is_some_and(|((_, mine), (_, other))| mine.id == other.id)
        };
        // Nobody is taken for somebody else by a guess; who is called the same elsewhere only comes first.
        let is_namesake = |id: &str| {
            mine.zip(self.people.named(id)).is_some_and(|((mine, _), (other, _))| {
                let is_same = mine.name.to_lowercase() == other.name.to_lowercase();
                is_same && !mine.name.is_empty() && mine.channel != other.channel
            })
        };
        let mut others: Vec<(String, String)> = contacts.filter(|(id, _)| !is_mine(id)).collect();
        others.sort_by_cached_key(|(id, _)| !is_namesake(id));
        let choice = |(id, words): (String, String)| {
            let line = format!("{} {one} {id}", verb.name);
            let request = Order::parse(&line, &self.asking()).ok()?.request;
            Some(self.ordered(&line, &format!("same person as {words}"), request))
        };
        (others.into_iter().filter_map(choice).collect(), typed.to_owned())
    }

    /// Shows what would be said, and says it once somebody has confirmed it.
    pub(super) fn confirm_person(&mut self, act: PersonAct) -> Vec<Cmd> {
        let person = |id: ContactId| self.people.find(id).map(|(_, person)| person);
        let unknown = |id: ContactId| {
            let seen = self.contacts_seen().into_iter().find(|(seen, _)| *seen == id.to_string());
            vec![format!("  {}", seen.map_or_else(|| id.to_string(), |(_, words)| words))]
        };
        let lines_of = |id: ContactId| person(id).map_or_else(|| unknown(id), |person| addresses(person).collect());
        let lines = match act {
            PersonAct::Merge { contact, with } => {
                let mut lines: Vec<String> = lines_of(contact);
                lines.push("and".to_owned());
                lines.extend(lines_of(with));
                lines.push("are one person: what they write is one thread, whatever the channel.".to_owned());
                let vips = [contact, with].map(|id| person(id).map(|person| person.vip));
                if matches!(vips, [Some(one), Some(other)] if one != other) {
                    lines.push("One is a VIP, so all of them are, as long as this holds.".to_owned());
                }
                lines.push("Nothing they wrote changes; a split takes it back at any time.".to_owned());
                lines
            }
            PersonAct::Split { contact } => {
                let mut lines: Vec<String> = lines_of(contact);
                let alone = self.people.find(contact);
                let alone = alone.map_or_else(|| contact.to_string(), |(contact, _)| contact.address.clone());
                lines.push(format!("{alone} is a person by itself again; the others, if any, stay together."));
                lines
            }
        };
        self.overlay = Some(Overlay::Confirm(Box::new(Confirm::person(act, lines, self.now))));
        Vec::new()
    }

    /// Says it.
    pub(super) fn say_person(act: PersonAct) -> Vec<Cmd> {
        let request = Request::Person { id: client::act_id(), act };
        vec![Cmd::Ask(Purpose::Desk(DeskPurpose::Person), request)]
    }

    /// Takes what became of it.
    pub(super) fn said_person(&mut self, acted: &PersonActed) {
        if acted.changed == 0 {
            return self.toast(Severity::Info, acted.told());
        }
        let until = self.now.checked_add(UNDO_OFFERED).unwrap_or(self.now);
        self.undo = Some(Undoable { id: acted.id, words: acted.told(), until });
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use jiff::{SignedDuration, Timestamp};

    use crate::model::{Role, Undone};
    use crate::protocol::Reply;

    use super::super::action::Action;
    use super::super::msg::Msg;
    use super::super::sample;
    use super::*;

    fn contact(n: u128, name: &str, channel: &str) -> Contact {
        Contact {
            id: ContactId::from_uuid(uuid::Uuid::from_u128(n)),
            channel: channel.parse().expect("an id"),
            address: format!("{n}@{channel}.example"),
            name: name.to_owned(),
            vip: n == 2,
            messages: 3,
            last: None,
            others: Vec::new(),
        }
    }

    fn press(app: &mut App, code: KeyCode, now: Timestamp) -> Vec<Cmd> {
        app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), now)
    }

    /// The Inbox with rows by contact 1.
    fn inbox() -> App {
        let mut snapshot = sample::snapshot();
        for row in &mut snapshot.inbox {
            row.contact = Some(contact(1, "", "mail").id);
        }
        let mut app = sample::app(snapshot, Role::Operator, false);
        press(&mut app, KeyCode::Char('3'), sample::at(0));
        app
    }

    /// The palette opened by `=`, and who there is: a namesake on another channel comes last.
    fn chosen(app: &mut App) {
        let asked = press(app, KeyCode::Char('='), sample::at(0));
        let is_asked =
            |command: &Cmd| matches!(command, Cmd::Ask(Purpose::Desk(DeskPurpose::Contacts), Request::Contacts { .. }));
        assert!(asked.iter().any(is_asked), "{asked:?}");
        let mut other = contact(3, "Zoe\u{1b}[2J", "mail");
        other.others = vec![contact(5, "Zoe", "wa")];
        let all = vec![contact(4, "ann", "mail"), other, contact(1, "Ann", "mail"), contact(2, "ann", "wa")];
        app.update(Msg::Reply(Purpose::Desk(DeskPurpose::Contacts), Ok(Reply::Contacts(all))), sample::at(0));
    }

    fn offered(app: &App) -> Vec<String> {
        let Some(Overlay::Palette(palette)) = &app.overlay else { panic!("the palette is open") };
        app.matches(palette).0.into_iter().map(|found| found.choice.words).collect()
    }

    #[test]
    fn another_contact_is_chosen_and_shown_before_they_are_one_person() {
        let mut app = inbox();
        chosen(&mut app);
        let words = offered(&app);
        assert_eq!(
            words[..2],
            ["same person as ann, 2@wa.example on wa (VIP)", "same person as ann, 4@mail.example on mail"],
            "a namesake on another channel comes first"
        );
        assert!(words[2].contains("1 of 2 addresses") && !words[2].contains('\u{1b}'), "{words:?}");
        assert_eq!(words.len(), 4, "nobody is the same person as themselves: {words:?}");
        let asked = press(&mut app, KeyCode::Enter, sample::at(0));
        assert!(!asked.iter().any(|command| matches!(command, Cmd::Ask(_, request) if request.writes())), "{asked:?}");
        let Some(Overlay::Confirm(confirm)) = &app.overlay else { panic!("{:?}", app.overlay) };
        let told = confirm.lines.join("\n");
        for words in
            ["Ann, 1@mail.example on mail, 3 messages", "ann, 2@wa.example on wa (VIP), 3 messages", "One is a VIP"]
        {
            assert!(told.contains(words), "{told}");
        }
        let later = sample::at(0) + SignedDuration::from_secs(1);
        let asked = press(&mut app, KeyCode::Char('y'), later);
        let [Cmd::Ask(purpose, Request::Person { id, act: PersonAct::Merge { contact: one, with } })] = &asked[..]
        else {
            panic!("{asked:?}");
        };
        assert_eq!((*one, *with), (contact(1, "", "mail").id, contact(2, "", "wa").id));
        let mut now = contact(1, "Ann", "mail");
        now.others = vec![contact(2, "ann", "wa")];
        let acted = |changed| Reply::Person(Box::new(PersonActed { id: *id, changed, contact: now.clone() }));
        app.update(Msg::Reply(purpose.clone(), Ok(acted(2))), later);
        assert_eq!(app.undoable().map(|undo| undo.id), Some(*id));
        let undone = press(&mut app, KeyCode::Char('u'), later);
        assert!(matches!(&undone[..], [Cmd::Ask(_, Request::Undo(act))] if act == id), "{undone:?}");
        let reply = Ok(Reply::Undone(Undone { restored: 2, left_alone: 0 }));
        app.update(Msg::Reply(Purpose::Desk(DeskPurpose::Undo), reply), later);
        app.update(Msg::Reply(purpose.clone(), Ok(acted(0))), later);
        assert!(app.toast.as_ref().is_some_and(|toast| toast.text.ends_with("already")), "{:?}", app.toast);
        assert!(app.undoable().is_none());
    }

    #[test]
    fn nothing_is_said_without_a_yes_and_a_viewer_says_nothing() {
        let mut app = inbox();
        chosen(&mut app);
        press(&mut app, KeyCode::Enter, sample::at(0));
        let later = sample::at(0) + SignedDuration::from_secs(1);
        assert_eq!(press(&mut app, KeyCode::Esc, later), []);
        assert!(app.overlay.is_none());
        let mut snapshot = sample::snapshot();
        snapshot.inbox[0].contact = Some(contact(1, "", "mail").id);
        let mut app = sample::app(snapshot, Role::Viewer, false);
        press(&mut app, KeyCode::Char('3'), sample::at(0));
        let why = app.why_not(Action::SamePerson).expect("refused");
        assert!(why.contains("operator") || why.contains("nobody is known"), "{why}");
    }
}
