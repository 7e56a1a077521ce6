//! The query language of the inbox: a filter as one line of text, and back.
//!
//! Terms with blanks between, in any order; all must hold. `unread`, `vip`, `open` and `snoozed` are conditions, as are
//! `channel:ID`, `contact:ID`, `from:TEXT`, `label:NAME`, `assignee:NAME` (or `me`, `nobody`) and `@NODE`. Everything
//! else is words to look for. In quotation marks anything is: `"unread"` is a word, `from:"anna smith"` two of a name.

use std::fmt;
use std::str::FromStr;

use super::{Assignee, InboxFilter, OperatorName, nearest};

/// Longest query, in bytes.
const MAX: usize = 1_024;
/// Words that are looked for at most, in `from:` and beside it each: more only cost time.
pub const WORDS_MAX: usize = 16;
const KEYS: [&str; 5] = ["channel", "contact", "from", "label", "assignee"];
const FLAGS: [&str; 4] = ["unread", "vip", "open", "snoozed"];

/// A query that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub struct BadQuery {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What stands between blanks.
#[derive(Debug, Default)]
struct Term {
    /// Where it begins, in characters from 1.
    column: usize,
    text: String,
    /// Bytes of it before the first quotation mark; all of it when there is none.
    bare: usize,
    is_quoted: bool,
}

impl Term {
    /// The key before a colon and what follows it. A time of day and an address of the web are words.
    fn key(&self) -> Option<(&str, &str)> {
        let (key, value) = self.text.split_once(':')?;
        let is_key = key.len() < self.bare && !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase());
        (is_key && !value.starts_with("//")).then_some((key, value))
    }

    fn flag(&self) -> Option<&'static str> {
        FLAGS.into_iter().find(|flag| !self.is_quoted && *flag == self.text)
    }

    fn node(&self) -> Option<&str> {
        self.text.strip_prefix('@').filter(|_| self.bare > 0)
    }

    fn wrong(&self, what: impl Into<String>) -> BadQuery {
        BadQuery { column: self.column, what: what.into() }
    }
}

fn terms(query: &str) -> Result<Vec<Term>, BadQuery> {
    let mut terms = Vec::new();
    let mut term: Option<Term> = None;
    let mut open = None;
    for (column, c) in (1..).zip(query.chars()) {
        if c == '"' {
            let term = term.get_or_insert_with(|| Term { column, ..Term::default() });
            if !std::mem::replace(&mut term.is_quoted, true) {
                term.bare = term.text.len();
            }
            open = if open.is_some() { None } else { Some(column) };
        } else if c.is_whitespace() && open.is_none() {
            terms.extend(term.take());
        } else {
            let term = term.get_or_insert_with(|| Term { column, ..Term::default() });
            // Other blanks and controls end a word as a space does.
            term.text.push(if c.is_whitespace() { ' ' } else { c });
            if !term.is_quoted {
                term.bare = term.text.len();
            }
        }
    }
    if let Some(column) = open {
        return Err(BadQuery { column, what: "this quotation mark is never closed".to_owned() });
    }
    terms.extend(term);
    Ok(terms)
}

impl FromStr for InboxFilter {
    type Err = BadQuery;

    fn from_str(query: &str) -> Result<Self, Self::Err> {
        if query.len() > MAX {
            return Err(BadQuery { column: MAX + 1, what: format!("a query has at most {MAX} bytes") });
        }
        let mut filter = Self::default();
        let mut words: Vec<String> = Vec::new();
        let mut is_finished = true;
        for term in &terms(query)? {
            is_finished = true;
            if let Some((key, value)) = term.key() {
                filter.set(term, key, value)?;
            } else if let Some(flag) = term.flag() {
                filter.raise(flag);
            } else if let Some(node) = term.node() {
                once(&mut filter.node, "@", value(term, "@", node)?, term)?;
            } else {
                words.extend(term.text.split_whitespace().map(str::to_owned));
                few(words.iter().map(String::as_str), term)?;
                is_finished = term.is_quoted;
            }
        }
        if !words.is_empty() {
            let end = if is_finished || query.ends_with(char::is_whitespace) { " " } else { "" };
            filter.text = Some(words.join(" ") + end);
        }
        Ok(filter)
    }
}

impl InboxFilter {
    fn set(&mut self, term: &Term, key: &str, typed: &str) -> Result<(), BadQuery> {
        let value = |what: &str| value(term, what, typed);
        match key {
            "channel" => {
                let id = value("channel:")?.parse().map_err(|error| term.wrong(format!("{error}")))?;
                once(&mut self.channel, "channel:", id, term)
            }
            "contact" => {
                let id = value("contact:")?.parse().map_err(|error| term.wrong(format!("{error}")))?;
                once(&mut self.contact, "contact:", id, term)
            }
            "from" => {
                let from = value("from:")?;
                few([from.as_str()].into_iter(), term)?;
                once(&mut self.from, "from:", from, term)
            }
            "label" => once(&mut self.label, "label:", value("label:")?, term),
            "assignee" => {
                let assignee = match value("assignee:")?.as_str() {
                    "me" => Assignee::Me,
                    "nobody" => Assignee::Nobody,
                    name => {
                        let name: Result<OperatorName, _> = name.parse();
                        Assignee::Operator(name.map_err(|error| term.wrong(error.to_string()))?)
                    }
                };
                once(&mut self.assignee, "assignee:", assignee, term)
            }
            unknown => {
                let meant = nearest(unknown, KEYS).map_or_else(
                    || format!("the conditions are {}:", KEYS.join(":, ")),
                    |near| format!("did you mean `{near}:`?"),
                );
                Err(term.wrong(format!(
                    "no condition is called `{unknown}:`; {meant} In quotation marks it is a word to look for"
                )))
            }
        }
    }

    fn raise(&mut self, flag: &'static str) {
        match flag {
            "unread" => self.unread = true,
            "vip" => self.vip = true,
            "open" => self.open = true,
            "snoozed" => self.snoozed = true,
            _ => unreachable!("the flags are listed above"),
        }
    }

    /// Answers what depends on who asks whom: `me` is `operator`, and `@NODE` must be `node`.
    ///
    /// # Errors
    /// When another node is meant: a sentence that says which there is.
    pub fn answer(&mut self, node: &str, operator: &OperatorName) -> Result<(), String> {
        if let Some(asked) = self.node.take().filter(|asked| asked != node) {
            return Err(format!(
                "the messages of @{asked} are kept there: this is the node @{node}; a screen lists what @{asked} shares"
            ));
        }
        if self.assignee == Some(Assignee::Me) {
            self.assignee = Some(Assignee::Operator(operator.clone()));
        }
        Ok(())
    }
}

/// The words that `text` is looked for by: runs of letters and digits.
pub fn search_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Refuses more words than are looked for.
fn few<'a>(texts: impl Iterator<Item = &'a str>, term: &Term) -> Result<(), BadQuery> {
    if texts.flat_map(search_words).nth(WORDS_MAX).is_some() {
        return Err(term.wrong(format!("a query looks for {WORDS_MAX} words at most; leave some out")));
    }
    Ok(())
}

/// What was typed as a value, with single blanks.
fn value(term: &Term, what: &str, typed: &str) -> Result<String, BadQuery> {
    let value = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    if value.is_empty() { Err(term.wrong(format!("something must follow `{what}`"))) } else { Ok(value) }
}

fn once<T: PartialEq>(slot: &mut Option<T>, what: &str, value: T, term: &Term) -> Result<(), BadQuery> {
    match slot {
        Some(before) if *before != value => {
            Err(term.wrong(format!("`{what}` is said twice; a query takes one of each")))
        }
        slot => {
            *slot = Some(value);
            Ok(())
        }
    }
}

impl fmt::Display for InboxFilter {
    /// The query that reads as this filter: conditions first, words last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |value: &str| if value.contains(' ') { format!("\"{value}\"") } else { value.to_owned() };
        let mut terms = Vec::new();
        let flags = [self.unread, self.vip, self.open, self.snoozed];
        terms.extend(FLAGS.into_iter().zip(flags).filter(|(_, is_raised)| *is_raised).map(|(flag, _)| flag.to_owned()));
        terms.extend(self.channel.as_ref().map(|channel| format!("channel:{channel}")));
        terms.extend(self.contact.as_ref().map(|contact| format!("contact:{contact}")));
        terms.extend(self.from.as_ref().map(|from| format!("from:{}", quoted(from))));
        terms.extend(self.label.as_ref().map(|label| format!("label:{}", quoted(label))));
        terms.extend(self.assignee.as_ref().map(|assignee| format!("assignee:{assignee}")));
        terms.extend(self.node.as_ref().map(|node| format!("@{}", quoted(node))));
        if let Some(text) = &self.text {
            let is_word = |word: &&str| {
                let term = Term { text: (*word).to_owned(), bare: word.len(), ..Term::default() };
                term.key().is_none() && term.flag().is_none() && term.node().is_none()
            };
            let words: Vec<&str> = text.split_whitespace().collect();
            let last = words.len().saturating_sub(1);
            for (index, word) in words.into_iter().enumerate() {
                let end = if index == last && text.ends_with(' ') { " " } else { "" };
                terms.push(if is_word(&word) { format!("{word}{end}") } else { format!("\"{word}\"{end}") });
            }
        }
        f.write_str(&terms.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> InboxFilter {
        query.parse().unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    fn mistake(query: &str) -> BadQuery {
        query.parse::<InboxFilter>().expect_err(query)
    }

    #[test]
    fn conditions_and_words_are_told_apart() {
        let filter = read("from:stripe unread late  label:billing vip assignee:me channel:mail @hub-1 orde");
        assert_eq!(filter.from.as_deref(), Some("stripe"));
        assert_eq!(filter.label.as_deref(), Some("billing"));
        assert_eq!(filter.assignee, Some(Assignee::Me));
        assert_eq!(filter.channel.as_ref().map(ToString::to_string).as_deref(), Some("mail"));
        assert_eq!(filter.node.as_deref(), Some("hub-1"));
        assert!(filter.unread && filter.vip && !filter.open && !filter.snoozed);
        assert_eq!(filter.text.as_deref(), Some("late orde"));
        assert_eq!(read(" "), InboxFilter::default());
        assert_eq!(read("assignee:anna").assignee, "anna".parse().ok().map(Assignee::Operator));
    }

    #[test]
    fn the_last_word_is_finished_when_something_follows_it() {
        for (query, text) in [
            ("orde", "orde"),
            ("order ", "order "),
            ("order vip", "order "),
            ("vip order", "order"),
            ("\"order\"", "order "),
        ] {
            assert_eq!(read(query).text.as_deref(), Some(text), "{query}");
        }
    }

    #[test]
    fn quotation_marks_make_words() {
        assert_eq!(read("\"unread\" \"from:x\" \"@a\" ").text.as_deref(), Some("unread from:x @a "));
        assert_eq!(read("from:\"anna  smith\"").from.as_deref(), Some("anna smith"));
        assert_eq!(
            read("12:30 https://example.org a@example.org").text.as_deref(),
            Some("12:30 https://example.org a@example.org")
        );
    }

    #[test]
    fn mistakes_say_where_and_what_was_meant() {
        let wrong = mistake("late form:stripe");
        assert_eq!(wrong.column, 6);
        assert!(wrong.what.contains("`form:`") && wrong.what.contains("did you mean `from:`?"), "{wrong}");
        assert!(mistake("zzzzzzzz:x").what.contains("channel:, contact:, from:, label:, assignee:"));
        assert_eq!(mistake("ä from:").column, 3);
        assert_eq!(mistake("vip \"late").column, 5);
        assert!(mistake("from:a from:b").what.contains("twice"));
        assert!(mistake("channel:/x").what.contains("channel id"));
        assert!(mistake("contact:x").what.contains("con_"));
        assert!(mistake("@").what.contains('@'));
        assert_eq!(mistake(&"x".repeat(2_000)).column, 1_025);
        let many = "a ".repeat(14) + "b-c d";
        assert_eq!(mistake(&many).to_string(), "column 33: a query looks for 16 words at most; leave some out");
        assert!(mistake(&format!("from:\"{many}\"")).what.contains("16 words"));
        assert_eq!(read(&("vip ".to_owned() + &"a ".repeat(16))).text.map(|text| text.len()), Some(32));
    }

    #[test]
    fn who_asks_whom_is_answered() {
        let anna: OperatorName = "anna".parse().expect("a name");
        let mut filter = read("assignee:me @hub-1");
        filter.answer("hub-1", &anna).expect("this node");
        assert_eq!(filter, read("assignee:anna"));
        let why = read("@hub-2").answer("hub-1", &anna).expect_err("another node");
        assert!(why.contains("@hub-2") && why.contains("@hub-1"), "{why}");
    }

    proptest! {
        #[test]
        fn whatever_is_read_prints_as_what_reads_the_same(
            terms in proptest::collection::vec(
                prop_oneof![
                    "(unread|vip|open|snoozed|\"vip\")",
                    "(from|label):[a-z0-9.@:/_-]{1,8}",
                    "(from|label|):\"[a-z@: ]{0,9}\"",
                    "assignee:(me|nobody|anna)",
                    "channel:[a-z][a-z0-9.-]{0,5}",
                    "@[a-z0-9-]{1,5}",
                    "\"?[a-zA-Zäß0-9:@.,/-]{1,8}\"?",
                ],
                0..6,
            ),
            blank in "[ \t]{1,2}",
            end in "[ ]?",
        ) {
            let query = terms.join(&blank) + &end;
            if let Ok(filter) = query.parse::<InboxFilter>() {
                let printed = filter.to_string();
                prop_assert_eq!(printed.parse::<InboxFilter>(), Ok(filter), "{} -> {}", query, printed);
            }
        }

        #[test]
        fn no_text_is_too_odd(query in ".{0,80}") {
            if let Ok(filter) = query.parse::<InboxFilter>() {
                prop_assert_eq!(filter.to_string().parse::<InboxFilter>(), Ok(filter));
            }
        }
    }
}
