//! The orders that can be typed, in the palette and behind `aurora do`: how a line is read, and what became of it.

use crate::model::{CheckState, nearest, short_duration};

use super::order_words::{BadLine, words};
use super::verbs::{Asking, Takes, VERBS, Verb};
use super::{Reply, Request};

/// Longest line that is read, in bytes.
const MAX: usize = 4_096;

/// A line that was read.
#[derive(Debug)]
pub struct Order {
    /// Its verb.
    pub verb: &'static Verb,
    /// What it asks of the engine.
    pub request: Request,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// How many things are otherwise now.
    pub changed: u64,
    /// The sentence that says so. It may hold text from outside.
    pub text: String,
    /// Whether something of it could not be done.
    pub is_whole: bool,
}

impl Order {
    /// Reads an order as it is meant by whoever is `asking`.
    ///
    /// # Errors
    /// Where the mistake is, and what may have been meant.
    pub fn parse(line: &str, asking: &Asking) -> Result<Self, BadLine> {
        if line.len() > MAX {
            return Err(BadLine::new(1, format!("a line has at most {MAX} bytes")));
        }
        let Some((verb, _)) = Verb::of(line) else { return Err(unknown(line)) };
        let words = words(line);
        let rest = &words[verb.name.split(' ').count()..];
        if rest.is_empty() && verb.takes != Takes::Nothing {
            let column = line.trim_end().chars().count() + 2;
            return Err(BadLine::new(column, format!("`{}` needs {}", verb.name, verb.takes.written())));
        }
        Ok(Self { verb, request: (verb.make)(rest, asking)? })
    }
}

fn unknown(line: &str) -> BadLine {
    let words = words(line);
    let Some(first) = words.first() else { return BadLine::new(1, "nothing is asked") };
    let names = || VERBS.iter().map(|verb| verb.name);
    // Half of a name of two words is no typing mistake.
    let begun = names().find(|name| name.strip_prefix(first.text).is_some_and(|rest| rest.starts_with(' ')));
    let meant = begun.or_else(|| nearest(first.text, names())).map_or_else(
        || format!("the verbs are {}", names().collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    BadLine::new(first.column, format!("no verb is called `{}`; {meant}", first.text))
}

impl Order {
    /// What `reply` says became of it; `None` when it answers something else.
    #[must_use]
    pub fn told(&self, reply: &Reply) -> Option<Told> {
        let told = |changed, text| Some(Told { changed, text, is_whole: true });
        match (&self.request, reply) {
            (Request::Act { on, act, .. }, Reply::Acted(acted)) => {
                let mut text = act.done(acted.changed);
                if acted.unknown > 0 {
                    text = format!("{} of {} are not known; {text}", acted.unknown, on.len());
                }
                if acted.full > 0 {
                    text = format!("{text}; {} have as many labels or notes as they may", acted.full);
                }
                if acted.more {
                    text.push_str("; there are more, and the same again takes the next");
                }
                let is_whole = acted.unknown == 0 && acted.full == 0;
                Some(Told { changed: acted.changed, text, is_whole })
            }
            (Request::Undo(_), Reply::Undone(undone)) => {
                let rest = match undone.left_alone {
                    0 => String::new(),
                    left => format!("; {left} left alone, as somebody has changed them since"),
                };
                told(undone.restored, format!("{} as before{rest}", undone.restored))
            }
            (Request::SaveView { name, .. }, Reply::Done) => told(1, format!("the view {name} is kept")),
            (Request::DeleteView(name), Reply::Done) => told(1, format!("there is no view {name} any more")),
            (Request::SetVip { id, .. }, Reply::Contact(None)) => {
                Some(Told { changed: 0, text: format!("no contact has the id {id}"), is_whole: false })
            }
            (Request::SetVip { .. }, Reply::Contact(Some(contact))) => {
                let now = if contact.vip { "is a VIP" } else { "is no VIP" };
                told(1, format!("{} {now}", contact.address))
            }
            (Request::Person { .. }, Reply::Person(acted)) => told(acted.changed, acted.told()),
            (Request::RestartTask(name), Reply::Done) => told(1, format!("{name} is started again")),
            (Request::Reload, Reply::Done) => told(1, "the configuration was read again".to_owned()),
            (Request::CheckNow(id), Reply::Observation(seen)) => {
                let state = CheckState::from(seen.verdict).as_str();
                let cause = seen.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
                told(1, format!("{id} is {state} after {}{cause}", short_duration(seen.took)))
            }
            (Request::Bridge(request), reply) => request.told(reply),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use jiff::tz::TimeZone;

    use crate::model::{Act, ActId, Acted, ContactId, Item, MessageId, Snooze};

    use super::*;

    fn asking() -> Asking {
        let now = jiff::Timestamp::from_second(1_800_000_000).expect("in range").to_zoned(TimeZone::UTC);
        Asking { now, act: ActId::from_uuid(uuid::Uuid::nil()), seen: Some(7) }
    }

    fn read(line: &str) -> Order {
        Order::parse(line, &asking()).expect(line)
    }

    fn error(line: &str) -> String {
        Order::parse(line, &asking()).expect_err("cannot be read").to_string()
    }

    #[test]
    fn every_example_is_read_as_its_verb() {
        assert!(VERBS.is_sorted_by_key(|verb| verb.name));
        for verb in VERBS {
            let order = read(verb.example);
            assert_eq!(order.verb.name, verb.name);
            assert!(order.request.writes(), "{}: what changes nothing is no order", verb.name);
        }
    }

    #[test]
    fn orders_are_read_to_the_end() {
        let request = |line: &str| read(line).request;
        assert_eq!(
            request(" restart  listener  127.0.0.1:9296 "),
            Request::RestartTask("listener 127.0.0.1:9296".into())
        );
        assert_eq!(request("check now web"), Request::CheckNow("web".parse().expect("an id")));
        let on: Vec<Item> = [1, 2].map(|n| MessageId::from_uuid(uuid::Uuid::from_u128(n)).into()).to_vec();
        let (one, two) = (on[0], on[1]);
        let act = |act| Request::Act { id: asking().act, on: on.clone(), act, seen: Some(7) };
        assert_eq!(request(&format!("ack {one} {two}")), act(Act::Ack));
        assert_eq!(request(&format!("label {one} {two}  Late ")), act(Act::Label("late".parse().expect("a label"))));
        assert_eq!(request(&format!("assign {one} {two} nobody")), act(Act::Unassign));
        assert_eq!(request(&format!("note {one} {two} she  waits")), act(Act::Note("she waits".into())));
        let until = Snooze::Until(asking().now.timestamp() + jiff::SignedDuration::from_hours(2));
        assert_eq!(request(&format!("snooze {one} {two} 2h")), act(Act::Snooze(until)));
        let save = |name: &str, query: &str| Request::SaveView { name: name.into(), query: query.into() };
        assert_eq!(request("save view late orders: unread  from:x"), save("late orders", "unread from:x"));
        assert_eq!(request("save view x:vip"), save("x", "vip"));
        assert_eq!(request("delete view late  orders"), Request::DeleteView("late orders".into()));
    }

    #[test]
    fn mistakes_have_a_column_and_a_suggestion() {
        assert_eq!(error(""), "column 1: nothing is asked");
        assert_eq!(error("  akc x"), "column 3: no verb is called `akc`; did you mean `ack`?");
        assert_eq!(error("check web"), "column 1: no verb is called `check`; did you mean `check now`?");
        assert_eq!(error("ack"), "column 5: `ack` needs ID…");
        assert_eq!(error("reload now"), "column 8: nothing follows `reload`");
        assert!(
            error("ack msg_1").starts_with("column 5: \"msg_1\" is neither a conversation nor a message; expected"),
            "{}",
            error("ack msg_1")
        );
        assert_eq!(error("vip é x").split(';').next(), Some("column 7: `vip` takes one, which is `é`"));
        assert!(error("frobnicate").contains("the verbs are ack, assign, cancel"));
        let id = "cnv_01a1fbc1535071810000000000000001";
        assert_eq!(error(&format!("label {id}")), "column 44: something is missing behind the ids");
        assert!(error("label billing").starts_with("column 7: \"billing\" is neither"), "{}", error("label billing"));
        assert!(error(&format!("label {id} !")).starts_with("column 44: "), "{}", error(&format!("label {id} !")));
        assert!(error(&format!("snooze {id} never")).starts_with("column 45: \"never\" is no time"));
        assert_eq!(error("save view late"), "column 11: a colon ends the name, and the query follows it");
        assert_eq!(error("save view a b:"), "column 13: a name stands before the colon and a query behind it");
        assert!(error(&"x".repeat(5_000)).contains("at most 4096 bytes"));
    }

    #[test]
    fn what_became_of_it_counts_what_is_missing() {
        let order = read("ack msg_01a1fbc1535071810000000000000001 msg_01a1fbc1535071810000000000000002");
        let acted = Acted { id: asking().act, changed: 1, unknown: 1, full: 0, more: false };
        let told = order.told(&Reply::Acted(acted)).expect("an answer");
        assert_eq!((told.text.as_str(), told.changed, told.is_whole), ("1 of 2 are not known; 1 taken", 1, false));
        assert_eq!(order.told(&Reply::Done), None);
        let id = ContactId::from_uuid(uuid::Uuid::nil());
        let order = read(&format!("vip {id}"));
        assert!(!order.told(&Reply::Contact(None)).expect("an answer").is_whole);
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_or_refused(line in "(ack|vip|check now|restart|reload|label|snooze|save view|undo)?[ :a-z0-9_\u{a0}é日]{0,40}") {
            if let Err(error) = Order::parse(&line, &asking()) {
                prop_assert!(error.column >= 1 && error.column <= line.chars().count() + 2, "{error}");
            }
        }
    }
}
