//! The verbs of orders: what each takes, and what it asks of the engine.

use jiff::Zoned;

use crate::model::{Act, ActId, Item, NOTE_MAX, PersonAct, Snooze};

use super::order_words::{BadLine, Value, Word, items, joined, only, words};
use super::{Request, bridge_verbs};

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
    /// The ids of two contacts.
    TwoContacts,
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
            Self::TwoContacts => "CONTACT CONTACT",
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
    pub(super) make: fn(&[Word<'_>], &Asking) -> Result<Request, BadLine>,
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
        name: "merge",
        takes: Takes::TwoContacts,
        words: "same person as another contact: one thread, whichever way they write",
        example: "merge con_01a1fbc1535071810000000000000001 con_01a1fbc1535071810000000000000002",
        make: |words, asking| match words {
            [contact, with] => {
                let act = PersonAct::Merge { contact: contact.parsed()?, with: with.parsed()? };
                Ok(Request::Person { id: asking.act, act })
            }
            [only] => {
                let end = only.column + only.text.chars().count() + 1;
                Err(BadLine::new(end, "the id of another contact is expected"))
            }
            [_, _, more, ..] => Err(BadLine::new(more.column, "`merge` takes two contacts")),
            [] => Err(BadLine::new(1, "`merge` takes two contacts")),
        },
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
        name: "split",
        takes: Takes::Contact,
        words: "a person by itself again: take a contact out of its person",
        example: "split con_01a1fbc1535071810000000000000001",
        make: |words, asking| {
            let act = PersonAct::Split { contact: only(words, "split")?.parsed()? };
            Ok(Request::Person { id: asking.act, act })
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
