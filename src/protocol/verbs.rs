//! The orders that can be typed: what the palette offers and `aurora do` takes, and what each asks of the engine.

use std::fmt;
use std::str::FromStr;

use jiff::Zoned;

use crate::model::{Act, ActId, CheckState, Item, NOTE_MAX, Snooze, nearest, short_duration};

use super::{Reply, Request, bridge_verbs};

/// Longest line that is read, in bytes.
const MAX: usize = 4_096;

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub struct BadLine {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl BadLine {
    /// A mistake at `column`.
    pub(crate) fn new(column: usize, what: impl fmt::Display) -> Self {
        Self { column, what: what.to_string() }
    }
}

/// What follows a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// The ids of conversations or messages, one or more.
    Items,
    /// The same, and behind them a label.
    ItemsAndLabel,
    /// The same, and behind them the name of an operator, or `nobody`.
    ItemsAndOperator,
    /// The same, and behind them a time, as [`Snooze::parse`] reads it.
    ItemsAndTime,
    /// The same, and behind them words to the end of the line.
    ItemsAndText,
    /// The id of an act.
    Act,
    /// The name of a saved view.
    View,
    /// A name, a colon, and a query.
    NameAndQuery,
    /// The id of a contact.
    Contact,
    /// The id of a check.
    Check,
    /// The name of a task, as it is listed; it may hold spaces.
    Task,
    /// The name of a host.
    Host,
    /// A host or `@` and a label, a command, and its values.
    Command,
    /// The id of a job.
    Job,
    /// The id of a job, and whether it ran.
    Resolution,
    /// The id of an approval, and the hash that was seen.
    Approval,
}

impl Takes {
    /// How it is written in a list of verbs.
    #[must_use]
    pub fn written(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Items => "ID…",
            Self::ItemsAndLabel => "ID… LABEL",
            Self::ItemsAndOperator => "ID… OPERATOR",
            Self::ItemsAndTime => "ID… TIME",
            Self::ItemsAndText => "ID… TEXT",
            Self::Act => "ACT",
            Self::View => "VIEW",
            Self::NameAndQuery => "NAME: QUERY",
            Self::Contact => "CONTACT",
            Self::Check => "CHECK",
            Self::Task => "TASK",
            Self::Host => "HOST",
            Self::Command => "HOST COMMAND NAME=VALUE…",
            Self::Job => "JOB",
            Self::Resolution => "JOB ran|not-ran",
            Self::Approval => "APPROVAL HASH",
        }
    }

    /// What follows the ids of conversations and messages; `None` where no ids come first, empty where nothing follows.
    #[must_use]
    pub fn behind_items(self) -> Option<&'static str> {
        self.written().strip_prefix("ID…").map(str::trim)
    }
}

/// When an order is given, and by whom.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Now, in the zone of whoever gives it.
    pub now: Zoned,
    /// What an act is called that nobody has called so.
    pub act: ActId,
    /// The place of the newest event they have heard of, as in [`Request::Act`].
    pub seen: Option<i64>,
}

/// One thing that can be ordered.
#[derive(Debug)]
pub struct Verb {
    /// What is typed first; one word or two.
    pub name: &'static str,
    /// What follows.
    pub takes: Takes,
    /// What it does, in plain words.
    pub words: &'static str,
    /// A line that can be read.
    pub example: &'static str,
    make: fn(&[Word<'_>], &Asking) -> Result<Request, BadLine>,
}

/// Every verb, in the order of their names.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "ack",
        takes: Takes::Items,
        words: "take conversations or messages: everybody sees who has them",
        example: "ack msg_01a1fbc1535071810000000000000001",
        make: |words, asking| plain(words, asking, Act::Ack),
    },
    Verb {
        name: "assign",
        takes: Takes::ItemsAndOperator,
        words: "give conversations to an operator, or to nobody",
        example: "assign cnv_01a1fbc1535071810000000000000001 anna",
        make: |words, asking| {
            with_value(words, asking, |value| match value.text.as_str() {
                "nobody" => Ok(Act::Unassign),
                _ => value.parsed().map(Act::Assign),
            })
        },
    },
    Verb {
        name: "cancel",
        takes: Takes::Job,
        words: "take a job back, or stop its processes",
        example: "cancel job_01a1fbc1535071810000000000000001",
        make: bridge_verbs::cancel,
    },
    Verb {
        name: "check now",
        takes: Takes::Check,
        words: "look at a check now",
        example: "check now web",
        make: |words, _| Ok(Request::CheckNow(only(words, "check now")?.parsed()?)),
    },
    Verb {
        name: "delete view",
        takes: Takes::View,
        words: "forget a saved view, for everybody",
        example: "delete view late orders",
        make: |words, _| Ok(Request::DeleteView(joined(words))),
    },
    Verb {
        name: "deny",
        takes: Takes::Approval,
        words: "say no to a plan that waits",
        example: "deny apr_01a1fbc1535071810000000000000001 3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e",
        make: |words, _| bridge_verbs::vote(words, false),
    },
    Verb {
        name: "grant",
        takes: Takes::Approval,
        words: "say yes to exactly this plan",
        example: "grant apr_01a1fbc1535071810000000000000001 3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e3b1e",
        make: |words, _| bridge_verbs::vote(words, true),
    },
    Verb {
        name: "label",
        takes: Takes::ItemsAndLabel,
        words: "put a label on conversations",
        example: "label cnv_01a1fbc1535071810000000000000001 billing",
        make: |words, asking| with_value(words, asking, |value| value.parsed().map(Act::Label)),
    },
    Verb {
        name: "note",
        takes: Takes::ItemsAndText,
        words: "write a note beside conversations; it never leaves aurora",
        example: "note cnv_01a1fbc1535071810000000000000001 she waits for a call",
        make: |words, asking| {
            with_value(words, asking, |value| match value.text.len() {
                ..=NOTE_MAX => Ok(Act::Note(value.text.clone())),
                len => Err(BadLine::new(value.column, format!("a note has {NOTE_MAX} bytes at most, not {len}"))),
            })
        },
    },
    Verb {
        name: "probe",
        takes: Takes::Host,
        words: "ask a host's agent over every layer",
        example: "probe web-1",
        make: bridge_verbs::probe,
    },
    Verb {
        name: "read",
        takes: Takes::Items,
        words: "mark conversations or messages read",
        example: "read msg_01a1fbc1535071810000000000000001",
        make: |words, asking| plain(words, asking, Act::Read),
    },
    Verb {
        name: "reload",
        takes: Takes::Nothing,
        words: "read the configuration again",
        example: "reload",
        make: |words, _| match words {
            [] => Ok(Request::Reload),
            [word, ..] => Err(BadLine::new(word.column, "nothing follows `reload`")),
        },
    },
    Verb {
        name: "resolve",
        takes: Takes::Resolution,
        words: "say whether a job with an unknown end ran",
        example: "resolve job_01a1fbc1535071810000000000000001 not-ran",
        make: bridge_verbs::resolve,
    },
    Verb {
        name: "restart",
        takes: Takes::Task,
        words: "stop a task and start it again",
        example: "restart search index",
        // Names of tasks hold single spaces, as `listener 127.0.0.1:9296`.
        make: |words, _| Ok(Request::RestartTask(joined(words))),
    },
    Verb {
        name: "run",
        takes: Takes::Command,
        words: "run a command on a host",
        example: "run web-1 restart-worker name=mail",
        make: bridge_verbs::run,
    },
    Verb {
        name: "save view",
        takes: Takes::NameAndQuery,
        words: "give a query a name, for everybody; a view of this name is replaced",
        example: "save view late orders: unread label:late",
        make: |words, _| view(words),
    },
    Verb {
        name: "snooze",
        takes: Takes::ItemsAndTime,
        words: "put conversations out of sight until a time, or until-reply",
        example: "snooze cnv_01a1fbc1535071810000000000000001 tomorrow 9:00",
        make: |words, asking| {
            with_value(words, asking, |value| {
                let snooze = Snooze::parse(&value.text, &asking.now);
                snooze.map(Act::Snooze).map_err(|error| BadLine::new(value.column, error))
            })
        },
    },
    Verb {
        name: "unack",
        takes: Takes::Items,
        words: "give conversations or messages back",
        example: "unack msg_01a1fbc1535071810000000000000001",
        make: |words, asking| plain(words, asking, Act::Unack),
    },
    Verb {
        name: "undo",
        takes: Takes::Act,
        words: "undo an act within 10 seconds",
        example: "undo act_01a1fbc1535071810000000000000001",
        make: |words, _| Ok(Request::Undo(only(words, "undo")?.parsed()?)),
    },
    Verb {
        name: "unlabel",
        takes: Takes::ItemsAndLabel,
        words: "take a label off conversations",
        example: "unlabel cnv_01a1fbc1535071810000000000000001 billing",
        make: |words, asking| with_value(words, asking, |value| value.parsed().map(Act::Unlabel)),
    },
    Verb {
        name: "unread",
        takes: Takes::Items,
        words: "let conversations or messages be new again",
        example: "unread msg_01a1fbc1535071810000000000000001",
        make: |words, asking| plain(words, asking, Act::Unread),
    },
    Verb {
        name: "unvip",
        takes: Takes::Contact,
        words: "let a contact's messages no longer come first",
        example: "unvip con_01a1fbc1535071810000000000000001",
        make: |words, _| Ok(Request::SetVip { id: only(words, "unvip")?.parsed()?, vip: false }),
    },
    Verb {
        name: "vip",
        takes: Takes::Contact,
        words: "let a contact's messages come first",
        example: "vip con_01a1fbc1535071810000000000000001",
        make: |words, _| Ok(Request::SetVip { id: only(words, "vip")?.parsed()?, vip: true }),
    },
    Verb {
        name: "wake",
        takes: Takes::Items,
        words: "bring snoozed conversations back",
        example: "wake cnv_01a1fbc1535071810000000000000001",
        make: |words, asking| plain(words, asking, Act::Wake),
    },
];

/// A word of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    /// Where it begins, in characters from 1.
    pub column: usize,
    pub text: &'a str,
}

impl Word<'_> {
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, BadLine> {
        self.text.parse().map_err(|error| BadLine::new(self.column, error))
    }
}

fn words(line: &str) -> Vec<Word<'_>> {
    let starts = line.split_whitespace().map(|text| (text.as_ptr() as usize - line.as_ptr() as usize, text));
    starts.map(|(at, text)| Word { column: line[..at].chars().count() + 1, text }).collect()
}

pub(super) fn only<'a, 'b>(words: &'b [Word<'a>], verb: &str) -> Result<&'b Word<'a>, BadLine> {
    match words {
        [one, more, ..] => Err(BadLine::new(more.column, format!("`{verb}` takes one, which is `{}`", one.text))),
        [one] => Ok(one),
        [] => Err(BadLine::new(1, format!("`{verb}` needs to know which"))),
    }
}

/// The words as they were typed, with single blanks.
pub(super) fn joined(words: &[Word<'_>]) -> String {
    words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
}

/// What stands behind the ids.
struct Value {
    /// Where it begins, in characters from 1.
    column: usize,
    text: String,
}

impl Value {
    fn parsed<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, BadLine> {
        self.text.parse().map_err(|error| BadLine::new(self.column, error))
    }
}

/// The ids that a line begins with, and how many words they are. What looks like one has to be one.
fn items(words: &[Word<'_>]) -> Result<Vec<Item>, BadLine> {
    let begun = |word: &&Word<'_>| word.text.starts_with("msg_") || word.text.starts_with("cnv_");
    words.iter().take_while(begun).map(Word::parsed).collect()
}

/// An act that needs no more than ids.
fn plain(words: &[Word<'_>], asking: &Asking, act: Act) -> Result<Request, BadLine> {
    let on = words.iter().map(Word::parsed).collect::<Result<_, _>>()?;
    Ok(Request::Act { id: asking.act, on, act, seen: asking.seen })
}

/// An act that needs ids and what stands behind them.
fn with_value(
    words: &[Word<'_>],
    asking: &Asking,
    act: impl FnOnce(&Value) -> Result<Act, BadLine>,
) -> Result<Request, BadLine> {
    let on = items(words)?;
    match (&words[..on.len()], &words[on.len()..]) {
        ([], [first, ..]) => Err(first.parsed::<Item>().err().unwrap_or_else(|| BadLine::new(first.column, "which?"))),
        ([.., last], []) => {
            let end = last.column + last.text.chars().count() + 1;
            Err(BadLine::new(end, "something is missing behind the ids"))
        }
        (_, value) => {
            let column = value.first().map_or(1, |word| word.column);
            let act = act(&Value { column, text: joined(value) })?;
            Ok(Request::Act { id: asking.act, on, act, seen: asking.seen })
        }
    }
}

/// A view to be kept: the first colon ends its name, which cannot hold one.
fn view(words: &[Word<'_>]) -> Result<Request, BadLine> {
    let Some(last) = words.iter().position(|word| word.text.contains(':')) else {
        let column = words.first().map_or(1, |word| word.column);
        return Err(BadLine::new(column, "a colon ends the name, and the query follows it"));
    };
    let line = joined(&words[..=last]);
    let (name, begun) = line.split_once(':').unwrap_or((&line, ""));
    let query = [begun.to_owned(), joined(&words[last + 1..])].join(" ").trim().to_owned();
    let column = words[last].column;
    if name.trim().is_empty() || query.is_empty() {
        return Err(BadLine::new(column, "a name stands before the colon and a query behind it"));
    }
    Ok(Request::SaveView { name: name.trim().to_owned(), query })
}

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

impl Verb {
    /// What `rest`, as it follows this verb, is made of: the ids at its beginning, and what is typed behind them. `None`
    /// where no ids come first, or none is complete.
    #[must_use]
    pub fn behind_items(&self, rest: &str) -> Option<(String, String)> {
        self.takes.behind_items().filter(|behind| !behind.is_empty())?;
        let words = words(rest);
        let count = items(&words).ok()?.len();
        // The last id is complete when something follows it.
        let is_complete = count > 0 && (words.len() > count || rest.ends_with(char::is_whitespace));
        is_complete.then(|| (joined(&words[..count]), joined(&words[count..])))
    }

    /// The verb `line` begins with, and what follows it, from the first character that is no space.
    #[must_use]
    pub fn of(line: &str) -> Option<(&'static Self, &str)> {
        let line = line.trim_start();
        VERBS.iter().find_map(|verb| {
            let rest = line.strip_prefix(verb.name)?;
            (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| (verb, rest.trim_start()))
        })
    }
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

    use crate::model::{Acted, ContactId, MessageId};

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
