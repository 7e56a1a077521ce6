//! Conversations: their list and what is in one.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::model::{
    Assignee, ContactId, ConversationId, ConversationList, ConversationPage, ConversationRow, Count, Entry,
    InboxFilter, Label, Note, Place, Repeats, Snooze,
};

use super::events::{channel_id, corrupt, event_id, timestamp, uuid};
use super::inbox::{AFTER_ROW, JOINS, ROW, row as message_row};
use super::project::cut;
use super::walk::Walk;
use super::{Patience, Store, StoreError, persons, search};

/// Bytes of a message's text in a page; the whole text is asked for by its id.
const TEXT: usize = 16 * 1024;

/// To how many repeats are counted; one more is asked for.
const REPEATS: u32 = 1_000;

/// What stands in `desk.snoozed` until a new message comes.
pub(super) const UNTIL_REPLY: i64 = i64::MAX;

/// Messages with the words of a filter whose conversations are listed: the newest.
const MATCHES: usize = 10_000;

/// `CROSS JOIN` keeps the order of the list, so that a page reads no more rows than it has.
const COLUMNS: &str = "v.n, v.id, v.tier, v.place, ch.id, m.id, m.kind, c.id,
    coalesce(nullif(c.name, ''), c.address, ''), v.vip, m.subject, m.preview, m.received, v.messages, v.unread,
    CASE WHEN v.open = 0 THEN m.acked_at END, CASE WHEN v.open = 0 THEN m.acked_by END,
    (SELECT group_concat(l.name, ' ') FROM labelled w JOIN label l ON l.n = w.label WHERE w.conversation = v.n),
    d.assignee, d.snoozed, (SELECT count(*) FROM note o WHERE o.conversation = v.n),
    (SELECT count(*) FROM (SELECT 1 FROM message a WHERE a.conversation = v.n AND a.alike = m.alike LIMIT 1001)),
    (SELECT received FROM message WHERE seq =
        (SELECT min(a.seq) FROM message a WHERE a.conversation = v.n AND a.alike = m.alike)),
    (SELECT count(*) FROM person p CROSS JOIN person q ON q.person = p.person WHERE p.contact = v.contact)
    FROM conversation v CROSS JOIN message m ON m.seq = v.last_seq
    CROSS JOIN channel ch ON ch.n = v.channel LEFT JOIN contact c ON c.n = v.contact
    LEFT JOIN desk d ON d.conversation = v.n";

impl Store {
    /// The first matching conversations behind `before`: unread ones first, each group by its newest message.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn conversations(
        &self,
        filter: &InboxFilter,
        before: Option<Place>,
        limit: usize,
    ) -> Result<ConversationList, StoreError> {
        self.read(|connection| list(connection, filter, before, limit))
    }

    /// The newest `limit` messages of a conversation before `before`, with the notes between them. Where whoever wrote
    /// last is one person under several addresses, what they wrote anywhere is among them.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn conversation(
        &self,
        id: ConversationId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Option<ConversationPage>, StoreError> {
        self.read(|connection| {
            let found: Option<(i64, Option<i64>)> = connection
                .prepare_cached("SELECT n, contact FROM conversation WHERE id = ?1")?
                .query_row([&id.as_uuid().as_bytes()[..]], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((n, contact)) = found else { return Ok(None) };
            let Some(row) = one(connection, n)? else { return Ok(None) };
            let mut contacts = contact.map_or(Ok(Vec::new()), |contact| persons::contacts_of(connection, contact))?;
            if contacts.len() < 2 {
                contacts.clear();
            }
            let before = before.unwrap_or(i64::MAX);
            let mut messages = messages(connection, (n, &contacts), before, limit.saturating_add(1))?;
            let has_older = messages.len() > limit;
            messages.truncate(limit);
            let first = messages.last().map_or(0, |(seq, _)| *seq);
            let older = has_older.then_some(first);
            let mut notes = notes(connection, n, if has_older { first } else { 0 }, before)?.into_iter().peekable();
            let mut entries = Vec::new();
            for (seq, message) in messages.into_iter().rev() {
                while let Some((_, note)) = notes.next_if(|(after, _)| *after < seq) {
                    entries.push(Entry::Note(note));
                }
                entries.push(message);
            }
            entries.extend(notes.map(|(_, note)| Entry::Note(note)));
            let person = persons::named(connection, &contacts)?;
            Ok(Some(ConversationPage { row, entries, older, person }))
        })
    }
}

/// How the conversation `n` stands in a list; `None` when no message is in it.
pub(super) fn one(connection: &Connection, n: i64) -> rusqlite::Result<Option<ConversationRow>> {
    connection.prepare_cached(&format!("SELECT {COLUMNS} WHERE v.n = ?1"))?.query_row([n], row).optional()
}

fn list(
    connection: &Connection,
    filter: &InboxFilter,
    before: Option<Place>,
    limit: usize,
) -> rusqlite::Result<ConversationList> {
    let (sql, Conditions { mut values, partly, .. }) = page(connection, filter, before)?;
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let rows = connection.prepare_cached(&sql)?.query_map(params_from_iter(values), row)?.collect::<Result<_, _>>()?;
    Ok(ConversationList { rows, partly })
}

#[cfg(test)]
pub(super) fn sql_of(connection: &Connection, filter: &InboxFilter) -> String {
    page(connection, filter, Some(Place { tier: 1, seq: 1, n: 1 })).expect("a query").0
}

/// The conversations with a message that holds the words of `filter`, as a JSON array: those of the newest `most`
/// messages, or of as many as there is time for. And whether older ones were left out.
pub(super) fn found(connection: &Connection, filter: &InboxFilter, most: usize) -> rusqlite::Result<(String, bool)> {
    let words = InboxFilter { text: filter.text.clone(), from: filter.from.clone(), ..InboxFilter::default() };
    let patience = Patience::for_answer();
    let mut conversation = connection.prepare_cached("SELECT conversation FROM message WHERE seq = ?1")?;
    let (mut found, mut seen) = (BTreeSet::<i64>::new(), 0);
    let next = Walk::new(connection, &words)?.each(connection, i64::MAX, most, &patience, |seq| {
        found.insert(conversation.query_row([seq], |row| row.get(0))?);
        seen += 1;
        let enough = seen >= most || patience.is_over();
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok((search::numbers(&found.into_iter().collect::<Vec<_>>()), next.is_some()))
}

/// The query for a page; the last value, which is still missing, is its length.
fn page(
    connection: &Connection,
    filter: &InboxFilter,
    before: Option<Place>,
) -> rusqlite::Result<(String, Conditions)> {
    let mut conditions = conditions(connection, filter)?;
    let mut sql = format!("SELECT {COLUMNS} WHERE {}", conditions.sql);
    if let Some(place) = before {
        sql += " AND (v.tier, v.place, v.n) < (?, ?, ?)";
        conditions.values.extend([i64::from(place.tier).into(), place.seq.into(), place.n.into()]);
    }
    sql += " ORDER BY v.tier DESC, v.place DESC, v.n DESC LIMIT ?";
    Ok((sql, conditions))
}

/// What must hold of a conversation `v` and what is decided about it, `d`.
pub(super) struct Conditions {
    pub sql: String,
    /// The values of its parameters.
    pub values: Vec<Value>,
    /// Whether more conversations may match than these conditions find.
    pub partly: bool,
}

/// The conditions of `filter`.
pub(super) fn conditions(connection: &Connection, filter: &InboxFilter) -> rusqlite::Result<Conditions> {
    let mut partly = false;
    let mut conditions = vec![if filter.snoozed { "v.hidden = 1" } else { "v.hidden = 0" }];
    let mut values: Vec<Value> = Vec::new();
    if filter.unread {
        conditions.push("v.tier = 2");
    }
    if filter.vip {
        conditions.push("v.vip");
    }
    if filter.open {
        conditions.push("v.open > 0");
    }
    if let Some(channel) = &filter.channel {
        conditions.push("v.channel = (SELECT n FROM channel WHERE id = ?)");
        values.push(channel.as_str().to_owned().into());
    }
    if let Some(contact) = &filter.contact {
        conditions.push(
            "v.n IN (SELECT m.conversation FROM json_each(?) AS wanted CROSS JOIN message m ON m.contact = wanted.value)",
        );
        let n = persons::number(connection, *contact)?;
        values.push(search::numbers(&n.map_or(Ok(Vec::new()), |n| persons::contacts_of(connection, n))?).into());
    }
    if let Some(label) = &filter.label {
        conditions
            .push("v.n IN (SELECT conversation FROM labelled WHERE label = (SELECT n FROM label WHERE name = ?))");
        values.push(label.to_lowercase().into());
    }
    match &filter.assignee {
        Some(Assignee::Operator(name)) => {
            conditions.push("v.n IN (SELECT conversation FROM desk WHERE assignee = ?)");
            values.push(name.as_str().to_owned().into());
        }
        Some(Assignee::Nobody) => conditions.push("d.assignee IS NULL"),
        // The engine has put the name of whoever asks in its place.
        Some(Assignee::Me) => conditions.push("0"),
        None => {}
    }
    if search::expression(filter).is_some() {
        conditions.push("v.n IN (SELECT value FROM json_each(?))");
        let (found, cut) = found(connection, filter, MATCHES)?;
        values.push(found.into());
        partly = cut;
    } else if filter.text.is_some() || filter.from.is_some() {
        // Nothing in it can be a word, so nothing can hold it.
        conditions.push("0");
    }
    if filter.node.is_some() {
        // The engine answers for its own node before it asks.
        conditions.push("0");
    }
    Ok(Conditions { sql: conditions.join(" AND "), values, partly })
}

fn row(row: &Row<'_>) -> rusqlite::Result<ConversationRow> {
    let contact = match row.get_ref(7)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(ContactId::from_uuid(uuid(row, 7)?)),
    };
    let labels = row.get::<_, Option<String>>(17)?.unwrap_or_default();
    let labels = labels.split_whitespace().map(str::parse).collect::<Result<Vec<Label>, _>>();
    let mut labels = labels.map_err(|e| corrupt(17, e))?;
    labels.sort();
    let received = timestamp(row.get(12)?);
    let equal: u32 = row.get(21)?;
    let first = row.get::<_, Option<i64>>(22)?.filter(|_| equal > 1);
    let count = Count { n: equal.min(REPEATS), more: equal > REPEATS };
    let repeats = first.map(|first| Repeats { count, first: timestamp(first), last: received });
    let assignee = row.get::<_, Option<String>>(18)?.map(|name| name.parse()).transpose();
    Ok(ConversationRow {
        id: ConversationId::from_uuid(uuid(row, 1)?),
        place: Place { tier: row.get(2)?, seq: row.get(3)?, n: row.get(0)? },
        channel: channel_id(row, 4)?,
        newest: event_id(row, 5)?.into(),
        kind: row.get(6)?,
        contact,
        from: row.get(8)?,
        vip: row.get(9)?,
        subject: row.get(10)?,
        preview: row.get(11)?,
        received,
        messages: row.get(13)?,
        unread: row.get(14)?,
        acked: row.get::<_, Option<i64>>(15)?.map(timestamp),
        acked_by: row.get(16)?,
        labels,
        assignee: assignee.map_err(|e| corrupt(18, e))?,
        snoozed: row.get::<_, Option<i64>>(19)?.map(snooze),
        notes: row.get(20)?,
        repeats,
        addresses: row.get::<_, u64>(23)?.max(1),
    })
}

fn snooze(until: i64) -> Snooze {
    if until == UNTIL_REPLY { Snooze::Reply } else { Snooze::Until(timestamp(until)) }
}

/// Messages of a conversation, and of these contacts anywhere, before `before`: newest first, by place.
fn messages(
    connection: &Connection,
    (n, contacts): (i64, &[i64]),
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, Entry)>> {
    const OF: &str = "SELECT seq FROM message INDEXED BY message_conversation
        WHERE conversation = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";
    const BY: &str = "SELECT seq FROM message INDEXED BY message_contact
        WHERE contact = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";
    let mut seqs = BTreeSet::new();
    for (sql, n) in [(OF, n)].into_iter().chain(contacts.iter().map(|contact| (BY, *contact))) {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![n, before, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            seqs.insert(row.get(0)?);
        }
    }
    let seqs: Vec<i64> = seqs.into_iter().rev().take(limit).collect();
    let sql = format!(
        "SELECT {ROW}, substr(t.text, 1, {TEXT}), length(t.text), m.conversation <> ?2
         FROM json_each(?1) AS wanted CROSS JOIN message m ON m.seq = wanted.value {JOINS}
         JOIN message_text t ON t.seq = m.seq ORDER BY m.seq DESC"
    );
    connection
        .prepare_cached(&sql)?
        .query_map(params![search::numbers(&seqs), n], |found| {
            let text: String = found.get(AFTER_ROW)?;
            let characters: usize = found.get(AFTER_ROW + 1)?;
            let shown = cut(&text, TEXT);
            let is_cut = shown.len() < text.len() || characters > TEXT;
            let row = Box::new(message_row(found)?);
            let elsewhere = found.get(AFTER_ROW + 2)?;
            Ok((row.seq, Entry::Message { text: shown.to_owned(), cut: is_cut, elsewhere, row }))
        })?
        .collect()
}

/// Notes written after the message at `from`, or it, and before the one at `before`, by that place.
fn notes(connection: &Connection, n: i64, from: i64, before: i64) -> rusqlite::Result<Vec<(i64, Note)>> {
    connection
        .prepare_cached(
            "SELECT after, n, at, who, text FROM note WHERE conversation = ?1 AND after >= ?2 AND after < ?3
             ORDER BY after, n",
        )?
        .query_map(params![n, from, before], |row| {
            let note = Note { n: row.get(1)?, at: timestamp(row.get(2)?), who: row.get(3)?, text: row.get(4)? };
            Ok((row.get(0)?, note))
        })?
        .collect()
}
