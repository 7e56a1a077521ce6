//! Who is one person, as it is chosen in the palette.

use crate::protocol::{Order, Verb};

use super::app::App;
use super::choices::{Choice, Does};

impl App {
    /// Contacts whose messages are here, by their ids, with what to call them.
    pub(super) fn contacts_seen(&self) -> Vec<(String, String)> {
        let mut contacts: Vec<(String, String)> = Vec::new();
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
        let others = contacts.filter(|(id, _)| id != one);
        let choice = |(id, words): (String, String)| {
            let line = format!("{} {one} {id}", verb.name);
            let request = Order::parse(&line, &self.asking()).ok()?.request;
            Some(self.ordered(&line, &format!("same person as {words}"), request))
        };
        (others.filter_map(choice).collect(), typed.to_owned())
    }
}
