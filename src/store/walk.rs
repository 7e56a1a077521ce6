//! From a filter to the places of its messages, the newest first: where to walk, and what else must hold.

use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params, params_from_iter};

use crate::model::{Assignee, InboxFilter};

use super::inbox::JOINS;
use super::patience::Patience;
use super::search::expression;
use super::search_index::{channel_word, parts};

/// VIPs whose messages are merged. With more of them, so many messages are theirs that walking them all is as good.
const MOST_VIPS: usize = 4_096;
/// Messages nobody has taken, up to which they are walked rather than those of a channel.
const FEW: i64 = 20_000;

/// Places in an order, each with what it takes to go on behind it.
#[derive(Debug)]
enum Source {
    /// Messages that hold these words.
    Words(String),
    /// Messages of these contacts.
    Contacts(Vec<i64>),
    /// What a statement lists: the place to begin before is its last parameter, after this number.
    Listed(&'static str, Option<i64>),
    /// Nothing can match.
    Nothing,
}

/// How the messages of a filter are found.
#[derive(Debug)]
pub(super) struct Walk {
    source: Source,
    /// What must hold besides, about message `m` at place `?1` with [`JOINS`].
    conditions: Vec<String>,
    /// The values of the parameters from `?2` on.
    values: Vec<Value>,
}

impl Walk {
    /// The way through the messages of `filter`.
    pub(super) fn new(connection: &Connection, filter: &InboxFilter) -> rusqlite::Result<Self> {
        let mut walk = Self { source: Source::Nothing, conditions: Vec::new(), values: Vec::new() };
        // The engine answers for its own node before it asks; no other has messages here.
        if filter.node.is_some() {
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
                let bytes = &id.as_uuid().as_bytes()[..];
                let n = number(connection, "SELECT n FROM contact WHERE id = ?1", bytes)?;
                if n.is_none() {
                    return Ok(walk);
                }
                n
            }
        };
        walk.source = if filter.text.is_some() || filter.from.is_some() {
            match expression(filter) {
                Some(words) => Source::Words(match channel {
                    Some(n) => format!("{words} AND \"{}\"", channel_word(n)),
                    None => words,
                }),
                // Nothing in it is a word, so nothing can hold it.
                None => Source::Nothing,
            }
        } else {
            listed(connection, filter, channel, contact)?
        };
        if filter.unread && !matches!(walk.source, Source::Listed(UNREAD | UNREAD_VIP | UNREAD_CHANNEL, _)) {
            walk.conditions.push("EXISTS (SELECT 1 FROM unread WHERE seq = ?1)".to_owned());
        }
        if filter.open && !matches!(walk.source, Source::Listed(UNACKED, _)) {
            walk.conditions.push("EXISTS (SELECT 1 FROM unacked WHERE seq = ?1)".to_owned());
        }
        if filter.vip && !matches!(walk.source, Source::Listed(UNREAD_VIP, _) | Source::Contacts(_)) {
            walk.conditions.push("c.vip".to_owned());
        }
        if let Some(n) =
            channel.filter(|_| !matches!(walk.source, Source::Words(_) | Source::Listed(UNREAD_CHANNEL | CHANNEL, _)))
        {
            walk.hold("m.channel =", n);
        }
        if let Some(n) = contact.filter(|_| !matches!(walk.source, Source::Listed(CONTACT, _))) {
            walk.hold("m.contact =", n);
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
            None => {}
            Some(Assignee::Operator(name)) => self.hold(&format!("{assignee} ="), name.as_str().to_owned()),
            Some(Assignee::Nobody) => self.conditions.push(format!("{assignee} IS NULL")),
            // The engine has put the name of whoever asks in its place.
            Some(Assignee::Me) => self.source = Source::Nothing,
        }
    }

    /// Notes a condition that ends in this value.
    fn hold(&mut self, what: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.conditions.push(format!("{what} ?{}", self.values.len() + 1));
    }

    /// Takes each place before `before`, the newest first, until `take` has enough or `patience` is over. Answers where
    /// to go on, `None` at the end. Each place that is taken is one of the source; [`Walk::check`] judges the rest.
    pub(super) fn each(
        &self,
        connection: &Connection,
        before: i64,
        patience: &Patience,
        mut take: impl FnMut(i64) -> rusqlite::Result<ControlFlow<()>>,
    ) -> rusqlite::Result<Option<i64>> {
        match &self.source {
            Source::Nothing => Ok(None),
            Source::Words(words) => {
                let parts = parts(connection, before)?;
                for (index, part) in parts.iter().enumerate() {
                    let n = part.n;
                    let mut statement = connection.prepare_cached(&format!(
                        "SELECT rowid FROM search_{n} WHERE search_{n} MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC"
                    ))?;
                    let mut rows = statement.query(params![words, before])?;
                    while let Some(row) = rows.next()? {
                        let seq = row.get(0)?;
                        if take(seq)?.is_break() {
                            return Ok(Some(seq));
                        }
                    }
                    if index + 1 < parts.len() && patience.is_over() {
                        return Ok(Some(part.first));
                    }
                }
                Ok(None)
            }
            Source::Listed(sql, parameter) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(params_from_iter(parameter.iter().chain([&before])))?;
                while let Some(row) = rows.next()? {
                    let seq = row.get(0)?;
                    if take(seq)?.is_break() {
                        return Ok(Some(seq));
                    }
                }
                Ok(None)
            }
            Source::Contacts(contacts) => {
                let mut older = connection.prepare_cached(
                    "SELECT seq FROM message INDEXED BY message_contact WHERE contact = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1",
                )?;
                let mut older = |contact: i64, before: i64| -> rusqlite::Result<Option<(i64, i64)>> {
                    let seq = older.query_row([contact, before], |row| row.get(0)).optional()?;
                    Ok(seq.map(|seq| (seq, contact)))
                };
                let mut newest = BinaryHeap::with_capacity(contacts.len());
                for contact in contacts {
                    newest.extend(older(*contact, before)?);
                }
                while let Some((seq, contact)) = newest.pop() {
                    if take(seq)?.is_break() {
                        return Ok(Some(seq));
                    }
                    newest.extend(older(contact, seq)?);
                }
                Ok(None)
            }
        }
    }

    /// Whether every place of the source matches.
    pub(super) fn is_exact(&self) -> bool {
        self.conditions.is_empty()
    }

    /// A statement that gives `columns` of the message at a place when it matches; run it with [`Walk::parameters`].
    pub(super) fn check<'c>(&self, connection: &'c Connection, columns: &str) -> rusqlite::Result<CachedStatement<'c>> {
        let mut sql = format!("SELECT {columns} FROM message m {JOINS} WHERE m.seq = ?1");
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

/// The shortest list in the right order that holds everything a filter without words wants.
fn listed(
    connection: &Connection,
    filter: &InboxFilter,
    channel: Option<i64>,
    contact: Option<i64>,
) -> rusqlite::Result<Source> {
    if contact.is_some() {
        return Ok(Source::Listed(CONTACT, contact));
    }
    if filter.unread {
        return Ok(match (filter.vip, channel) {
            (true, _) => Source::Listed(UNREAD_VIP, None),
            (false, Some(_)) => Source::Listed(UNREAD_CHANNEL, channel),
            (false, None) => Source::Listed(UNREAD, None),
        });
    }
    if filter.vip {
        let vips: Vec<i64> = connection
            .prepare_cached("SELECT n FROM contact INDEXED BY contact_vips WHERE vip LIMIT ?1")?
            .query_map([MOST_VIPS + 1], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if vips.len() <= MOST_VIPS {
            return Ok(Source::Contacts(vips));
        }
    }
    if filter.open {
        let few: i64 = connection
            .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM unacked LIMIT ?1)")?
            .query_row([FEW], |row| row.get(0))?;
        if channel.is_none() || few < FEW {
            return Ok(Source::Listed(UNACKED, None));
        }
    }
    Ok(channel.map_or(Source::Listed(ALL, None), |n| Source::Listed(CHANNEL, Some(n))))
}

const ALL: &str = "SELECT seq FROM message WHERE seq < ?1 ORDER BY seq DESC";
const CHANNEL: &str =
    "SELECT seq FROM message INDEXED BY message_channel WHERE channel = ?1 AND seq < ?2 ORDER BY seq DESC";
const CONTACT: &str =
    "SELECT seq FROM message INDEXED BY message_contact WHERE contact = ?1 AND seq < ?2 ORDER BY seq DESC";
const UNREAD: &str = "SELECT seq FROM unread WHERE seq < ?1 ORDER BY seq DESC";
const UNREAD_VIP: &str = "SELECT seq FROM unread INDEXED BY unread_vips WHERE vip AND seq < ?1 ORDER BY seq DESC";
const UNREAD_CHANNEL: &str =
    "SELECT seq FROM unread INDEXED BY unread_channel WHERE channel = ?1 AND seq < ?2 ORDER BY seq DESC";
const UNACKED: &str = "SELECT seq FROM unacked WHERE seq < ?1 ORDER BY seq DESC";

fn number(connection: &Connection, sql: &str, id: impl rusqlite::ToSql) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
}
