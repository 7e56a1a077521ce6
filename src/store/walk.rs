//! From a filter to the places of its messages, the newest first: where to walk, and what else must hold.

use std::ops::ControlFlow;

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params_from_iter};

use crate::model::{Assignee, InboxFilter};

use super::lists::{self, List};
use super::patience::Patience;
use super::persons;
use super::search::expression;
use super::search_index::channel_word;

/// How the messages of a filter are found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The lists that hold what is looked for, each with the number that its statement begins with. Without any list,
    /// and without words, nothing can match.
    lists: Vec<(&'static str, Option<i64>)>,
    /// The words, which are a list as well.
    words: Option<String>,
    /// The contacts of one person, when there are several: what any of them wrote is one list.
    person: Vec<i64>,
    /// What must hold besides, about message `m`.
    conditions: Vec<String>,
    /// The values of the parameters from `?2` on.
    values: Vec<Value>,
}

impl Walk {
    /// The way through the messages of `filter`.
    pub(super) fn new(connection: &Connection, filter: &InboxFilter) -> rusqlite::Result<Self> {
        let mut walk = Self::default();
        // The engine answers for its own node before it asks, and has put a name in the place of `me`.
        if filter.node.is_some() || filter.assignee == Some(Assignee::Me) {
            return Ok(walk);
        }
        let channel = match &filter.channel {
            None => None,
            Some(id) => {
                let n = number(connection, "SELECT n FROM channel WHERE id = ?1", id.as_str())?;
                if n.is_none() {
                    return Ok(walk);
                }
                n
            }
        };
        let contact = match &filter.contact {
            None => None,
            Some(id) => {
                let Some(n) = persons::number(connection, *id)? else { return Ok(walk) };
                walk.person = persons::contacts_of(connection, n)?;
                if walk.person.len() > 1 {
                    None
                } else {
                    walk.person.clear();
                    Some(n)
                }
            }
        };
        let has_words = filter.text.is_some() || filter.from.is_some();
        if has_words {
            // Where nothing in it is a word, nothing can hold it.
            let Some(words) = expression(filter) else { return Ok(walk) };
            walk.words = Some(match channel {
                Some(n) => format!("{words} AND \"{}\"", channel_word(n)),
                None => words,
            });
        }
        walk.lists = lists_of(filter, channel.filter(|_| !has_words), contact);
        if walk.lists.is_empty() && walk.person.is_empty() && !has_words {
            walk.lists.push((ALL, None));
        }
        walk.conversation(filter);
        Ok(walk)
    }

    /// What must hold of the conversation that a message is in.
    fn conversation(&mut self, filter: &InboxFilter) {
        if filter.snoozed {
            self.conditions.push("(SELECT hidden FROM conversation WHERE n = m.conversation)".to_owned());
        }
        if let Some(label) = &filter.label {
            self.values.push(label.to_lowercase().into());
            self.conditions.push(format!(
                "EXISTS (SELECT 1 FROM labelled WHERE conversation = m.conversation
                 AND label = (SELECT n FROM label WHERE name = ?{}))",
                self.values.len() + 1
            ));
        }
        let assignee = "(SELECT assignee FROM desk WHERE conversation = m.conversation)";
        match &filter.assignee {
            None | Some(Assignee::Me) => {}
            Some(Assignee::Operator(name)) => self.hold(&format!("{assignee} ="), name.as_str().to_owned()),
            Some(Assignee::Nobody) => self.conditions.push(format!("{assignee} IS NULL")),
        }
    }

    /// Notes a condition that ends in this value.
    fn hold(&mut self, what: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.conditions.push(format!("{what} ?{}", self.values.len() + 1));
    }

    /// Takes each place before `before` that all lists hold, the newest first, until `take` has enough or `patience` is
    /// over; `wanted` is how many it hopes for. Answers where to go on, `None` at the end. [`Walk::check`] judges the
    /// rest.
    pub(super) fn each(
        &self,
        connection: &Connection,
        before: i64,
        wanted: usize,
        patience: &Patience,
        take: impl FnMut(i64) -> rusqlite::Result<ControlFlow<()>>,
    ) -> rusqlite::Result<Option<i64>> {
        let words = self.words.iter().map(|words| List::words(connection, words, before));
        let tables = self.lists.iter().map(|(sql, parameter)| List::table(connection, sql, *parameter));
        let person = (!self.person.is_empty()).then(|| List::any_of(connection, CONTACT, &self.person));
        lists::each(tables.chain(person).chain(words).collect::<Result<_, _>>()?, before, wanted, patience, take)
    }

    /// Whether every place that the lists hold matches.
    pub(super) fn is_exact(&self) -> bool {
        self.conditions.is_empty()
    }

    /// A statement that gives `columns` of the message at a place when it matches; run it with [`Walk::parameters`].
    pub(super) fn check<'c>(&self, connection: &'c Connection, columns: &str) -> rusqlite::Result<CachedStatement<'c>> {
        let mut sql = format!("SELECT {columns} FROM message m WHERE m.seq = ?1");
        for condition in &self.conditions {
            sql.push_str(" AND ");
            sql.push_str(condition);
        }
        connection.prepare_cached(&sql)
    }

    /// What a [`Walk::check`] of the message at `seq` is run with.
    pub(super) fn parameters(&self, seq: i64) -> impl rusqlite::Params + '_ {
        params_from_iter(std::iter::once(Value::from(seq)).chain(self.values.iter().cloned()))
    }
}

/// The lists of what a filter asks for beside words. `channel` is to be one of them, unless the words hold it.
fn lists_of(filter: &InboxFilter, channel: Option<i64>, contact: Option<i64>) -> Vec<(&'static str, Option<i64>)> {
    let mut lists = Vec::new();
    match (filter.unread, filter.vip, channel) {
        (true, true, _) => lists.push((UNREAD_VIP, None)),
        (true, false, Some(_)) => lists.push((UNREAD_CHANNEL, channel)),
        (true, false, None) => lists.push((UNREAD, None)),
        (false, true, _) => lists.push((VIP, None)),
        (false, false, _) => {}
    }
    if filter.open {
        lists.push((UNACKED, None));
    }
    if contact.is_some() {
        lists.push((CONTACT, contact));
    }
    if channel.is_some() && (filter.vip || !filter.unread) {
        lists.push((CHANNEL, channel));
    }
    lists
}

const ALL: &str = "SELECT seq FROM message WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2";
const CHANNEL: &str =
    "SELECT seq FROM message INDEXED BY message_channel WHERE channel = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT ?3";
const CONTACT: &str =
    "SELECT seq FROM message INDEXED BY message_contact WHERE contact = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT ?3";
const UNREAD: &str = "SELECT seq FROM unread WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2";
const UNREAD_VIP: &str =
    "SELECT seq FROM unread INDEXED BY unread_vips WHERE vip AND seq <= ?1 ORDER BY seq DESC LIMIT ?2";
const UNREAD_CHANNEL: &str =
    "SELECT seq FROM unread INDEXED BY unread_channel WHERE channel = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT ?3";
const UNACKED: &str = "SELECT seq FROM unacked WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2";
const VIP: &str = "SELECT seq FROM vip_message WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2";

fn number(connection: &Connection, sql: &str, id: impl rusqlite::ToSql) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::migrate::migrate;

    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("prepares");
        let values = vec![Value::Null; statement.parameter_count()];
        let lines = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).expect("explains");
        lines.collect::<Result<Vec<_>, _>>().expect("a plan").join("\n")
    }

    #[test]
    fn a_hit_costs_one_look_up_and_no_list_is_sorted() {
        let mut connection = Connection::open_in_memory().expect("opens");
        migrate(&mut connection).expect("migrates");
        let queries = ["late", "late unread vip", "vip open", "channel:x open", "from:ann unread", ""];
        for query in queries {
            connection.execute("INSERT OR IGNORE INTO channel (id) VALUES ('x')", []).expect("inserts");
            let walk = Walk::new(&connection, &query.parse().expect("a query")).expect("a walk");
            let check = format!("SELECT {} FROM message m WHERE m.seq = ?1", crate::store::inbox::LINE);
            assert!(walk.is_exact(), "{query}: what its lists hold is what it looks for");
            assert_eq!(plan(&connection, &check), "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)");
            for list in walk.lists.iter().map(|(list, _)| *list).chain([CONTACT]) {
                let plan = plan(&connection, list);
                assert!(!plan.contains("TEMP B-TREE") && !plan.contains('\n'), "{query}: {plan}");
            }
        }
    }
}
