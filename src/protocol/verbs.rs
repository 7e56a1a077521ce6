//! The orders that can be typed: what the palette offers and `aurora do` takes, and what each asks of the engine.

use std::fmt;
use std::str::FromStr;

use crate::model::{CheckState, Mark, MessageId, nearest, short_duration};

use super::{Reply, Request};

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
    /// The ids of one message or more.
    Messages,
    /// The id of a contact.
    Contact,
    /// The id of a check.
    Check,
    /// The name of a task, as it is listed; it may hold spaces.
    Task,
}

impl Takes {
    /// How it is written in a list of verbs.
    #[must_use]
    pub fn written(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Messages => "MESSAGE…",
            Self::Contact => "CONTACT",
            Self::Check => "CHECK",
            Self::Task => "TASK",
        }
    }
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
    make: fn(&[Word<'_>]) -> Result<Request, BadLine>,
}

/// Every verb, in the order of their names.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "ack",
        takes: Takes::Messages,
        words: "take messages: everybody sees who has them",
        example: "ack msg_01a1fbc1535071810000000000000001",
        make: |words| marked(words, Mark::Ack),
    },
    Verb {
        name: "check now",
        takes: Takes::Check,
        words: "look at a check now",
        example: "check now web",
        make: |words| Ok(Request::CheckNow(only(words, "check now")?.parsed()?)),
    },
    Verb {
        name: "read",
        takes: Takes::Messages,
        words: "mark messages read",
        example: "read msg_01a1fbc1535071810000000000000001",
        make: |words| marked(words, Mark::Read),
    },
    Verb {
        name: "reload",
        takes: Takes::Nothing,
        words: "read the configuration again",
        example: "reload",
        make: |words| match words {
            [] => Ok(Request::Reload),
            [word, ..] => Err(BadLine::new(word.column, "nothing follows `reload`")),
        },
    },
    Verb {
        name: "restart",
        takes: Takes::Task,
        words: "stop a task and start it again",
        example: "restart search index",
        // Names of tasks hold single spaces, as `listener 127.0.0.1:9296`.
        make: |words| Ok(Request::RestartTask(words.iter().map(|word| word.text).collect::<Vec<_>>().join(" "))),
    },
    Verb {
        name: "unack",
        takes: Takes::Messages,
        words: "give messages back",
        example: "unack msg_01a1fbc1535071810000000000000001",
        make: |words| marked(words, Mark::Unack),
    },
    Verb {
        name: "unread",
        takes: Takes::Messages,
        words: "let messages be new again",
        example: "unread msg_01a1fbc1535071810000000000000001",
        make: |words| marked(words, Mark::Unread),
    },
    Verb {
        name: "unvip",
        takes: Takes::Contact,
        words: "let a contact's messages no longer come first",
        example: "unvip con_01a1fbc1535071810000000000000001",
        make: |words| Ok(Request::SetVip { id: only(words, "unvip")?.parsed()?, vip: false }),
    },
    Verb {
        name: "vip",
        takes: Takes::Contact,
        words: "let a contact's messages come first",
        example: "vip con_01a1fbc1535071810000000000000001",
        make: |words| Ok(Request::SetVip { id: only(words, "vip")?.parsed()?, vip: true }),
    },
];

/// A word of a line.
#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    /// Where it begins, in characters from 1.
    column: usize,
    text: &'a str,
}

impl Word<'_> {
    fn parsed<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, BadLine> {
        self.text.parse().map_err(|error| BadLine::new(self.column, error))
    }
}

fn words(line: &str) -> Vec<Word<'_>> {
    let starts = line.split_whitespace().map(|text| (text.as_ptr() as usize - line.as_ptr() as usize, text));
    starts.map(|(at, text)| Word { column: line[..at].chars().count() + 1, text }).collect()
}

fn only<'a, 'b>(words: &'b [Word<'a>], verb: &str) -> Result<&'b Word<'a>, BadLine> {
    match words {
        [one, more, ..] => Err(BadLine::new(more.column, format!("`{verb}` takes one, which is `{}`", one.text))),
        [one] => Ok(one),
        [] => Err(BadLine::new(1, format!("`{verb}` needs to know which"))),
    }
}

fn marked(words: &[Word<'_>], mark: Mark) -> Result<Request, BadLine> {
    let ids: Result<Vec<MessageId>, BadLine> = words.iter().map(Word::parsed).collect();
    Ok(Request::Mark { ids: ids?, mark })
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

impl FromStr for Order {
    type Err = BadLine;

    fn from_str(line: &str) -> Result<Self, BadLine> {
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
        Ok(Self { verb, request: (verb.make)(rest)? })
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
            (Request::Mark { ids, mark }, Reply::Marked(marked)) => {
                let done = match mark {
                    Mark::Read => "read",
                    Mark::Unread => "new again",
                    Mark::Ack => "taken",
                    Mark::Unack => "given back",
                };
                let missing = ids.len().saturating_sub(marked.len());
                let text = match missing {
                    0 => format!("{} {done}", marked.len()),
                    _ => format!("{missing} of {} messages are not known; {} {done}", ids.len(), marked.len()),
                };
                Some(Told { changed: marked.len() as u64, text, is_whole: missing == 0 })
            }
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
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::{ContactId, Marks};

    use super::*;

    fn error(line: &str) -> String {
        line.parse::<Order>().expect_err("cannot be read").to_string()
    }

    #[test]
    fn every_example_is_read_as_its_verb() {
        assert!(VERBS.is_sorted_by_key(|verb| verb.name));
        for verb in VERBS {
            let order: Order = verb.example.parse().expect("is read");
            assert_eq!(order.verb.name, verb.name);
            assert!(order.request.writes(), "{}: what changes nothing is no order", verb.name);
        }
    }

    #[test]
    fn orders_are_read_to_the_end() {
        let request = |line: &str| line.parse::<Order>().expect("is read").request;
        assert_eq!(
            request(" restart  listener  127.0.0.1:9296 "),
            Request::RestartTask("listener 127.0.0.1:9296".into())
        );
        assert_eq!(request("check now web"), Request::CheckNow("web".parse().expect("an id")));
        let ids: Vec<MessageId> = [1, 2].map(|n| MessageId::from_uuid(uuid::Uuid::from_u128(n))).to_vec();
        let line = format!("ack {} {}", ids[0], ids[1]);
        assert_eq!(request(&line), Request::Mark { ids, mark: Mark::Ack });
    }

    #[test]
    fn mistakes_have_a_column_and_a_suggestion() {
        assert_eq!(error(""), "column 1: nothing is asked");
        assert_eq!(error("  akc x"), "column 3: no verb is called `akc`; did you mean `ack`?");
        assert_eq!(error("check web"), "column 1: no verb is called `check`; did you mean `check now`?");
        assert_eq!(error("ack"), "column 5: `ack` needs MESSAGE…");
        assert_eq!(error("reload now"), "column 8: nothing follows `reload`");
        assert!(
            error("ack msg_1").starts_with("column 5: \"msg_1\" is not a message id; expected"),
            "{}",
            error("ack msg_1")
        );
        assert_eq!(error("vip é x").split(';').next(), Some("column 7: `vip` takes one, which is `é`"));
        assert!(error("frobnicate").contains("the verbs are ack, check now, read"));
        assert!(error(&"x".repeat(5_000)).contains("at most 4096 bytes"));
    }

    #[test]
    fn what_became_of_it_counts_what_is_missing() {
        let order: Order =
            "ack msg_01a1fbc1535071810000000000000001 msg_01a1fbc1535071810000000000000002".parse().expect("read");
        let told = order.told(&Reply::Marked(vec![(1, Marks::default())])).expect("an answer");
        assert_eq!(
            (told.text.as_str(), told.changed, told.is_whole),
            ("1 of 2 messages are not known; 1 taken", 1, false)
        );
        assert_eq!(order.told(&Reply::Done), None);
        let id = ContactId::from_uuid(uuid::Uuid::nil());
        let order: Order = format!("vip {id}").parse().expect("read");
        assert!(!order.told(&Reply::Contact(None)).expect("an answer").is_whole);
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_or_refused(line in "(ack|vip|check now|restart|reload)?[ a-z0-9_\u{a0}é日]{0,40}") {
            if let Err(error) = line.parse::<Order>() {
                prop_assert!(error.column >= 1 && error.column <= line.chars().count() + 2, "{error}");
            }
        }
    }
}
