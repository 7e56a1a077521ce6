//! What operators do with conversations and messages: one transaction an act, however many it is about.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{Act, ActId, Acted, Item, Marks, Snooze};

use super::act_record::Record;
use super::conversations::UNTIL_REPLY;
use super::desk::Field;
use super::marks::Sheet;
use super::tally::Deltas;
use super::{DeskWork, Store, StoreError};

/// Messages that one act changes at most: longer would keep deliveries waiting.
const MESSAGES: usize = 20_000;
/// Labels on one conversation.
const LABELS_EACH: i64 = 20;
/// Labels there are.
const LABELS: i64 = 500;
/// Notes beside one conversation.
const NOTES_EACH: i64 = 1_000;

/// An act that is wanted.
#[derive(Debug, Clone)]
pub struct ActOrder {
    /// What it is called by whoever wants it. An order that is known is not carried out again.
    pub id: ActId,
    /// What it is about.
    pub on: Vec<Item>,
    /// What is to be done.
    pub act: Act,
    /// Who wants it.
    pub who: String,
    /// The newest place they have heard of: what came later is left as it is. `None` is about everything.
    pub seen: Option<i64>,
}

impl Store {
    /// Carries out an act, and records what was before.
    ///
    /// The inner error is a sentence that says why it cannot be done.
    ///
    /// # Errors
    /// When the store cannot write; nothing is done then.
    pub async fn act(&self, order: ActOrder, now: Timestamp) -> Result<Result<(Acted, DeskWork), String>, StoreError> {
        self.write(move |connection| act(connection, &order, now)).await
    }
}

fn act(
    connection: &Connection,
    order: &ActOrder,
    now: Timestamp,
) -> rusqlite::Result<Result<(Acted, DeskWork), String>> {
    if let Some(acted) = Record::known(connection, order.id)? {
        return Ok(Ok((acted, DeskWork::default())));
    }
    let label = match &order.act {
        Act::Label(label) => match label_number(connection, label.as_str())? {
            Some(n) => Some(n),
            None => return Ok(Err(format!("there are {LABELS} labels already; use one of them"))),
        },
        Act::Unlabel(label) => connection
            .prepare_cached("SELECT n FROM label WHERE name = ?1")?
            .query_row([label.as_str()], |row| row.get(0))
            .optional()?,
        _ => None,
    };
    let mut acted = Acted { id: order.id, changed: 0, unknown: 0, full: 0, more: false };
    let found = resolve(connection, order, &mut acted)?;
    let record = Record::begin(connection, order, now)?;
    let work = if order.act.is_mark() {
        mark(connection, order, &found, &record, &mut acted, now)?
    } else {
        tend(connection, order, &found.conversations, label, &record, &mut acted, now)?
    };
    record.end(connection, &acted)?;
    Ok(Ok((acted, work)))
}

/// What the targets of an order are.
#[derive(Default)]
struct Found {
    conversations: BTreeSet<i64>,
    messages: BTreeSet<i64>,
}

fn resolve(connection: &Connection, order: &ActOrder, acted: &mut Acted) -> rusqlite::Result<Found> {
    let mut found = Found::default();
    let mut conversation = connection.prepare_cached("SELECT n FROM conversation WHERE id = ?1")?;
    let mut message = connection
        .prepare_cached("SELECT m.seq, m.conversation FROM event e JOIN message m ON m.seq = e.seq WHERE e.id = ?1")?;
    for item in &order.on {
        let known = match item {
            Item::Conversation(id) => {
                let n: Option<i64> =
                    conversation.query_row([&id.as_uuid().as_bytes()[..]], |row| row.get(0)).optional()?;
                found.conversations.extend(n);
                n.is_some()
            }
            Item::Message(id) => {
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                let of: Option<(i64, i64)> = message.query_row([&id.as_uuid().as_bytes()[..]], row).optional()?;
                if order.act.is_mark() {
                    found.messages.extend(of.map(|(seq, _)| seq));
                } else {
                    found.conversations.extend(of.map(|(_, n)| n));
                }
                of.is_some()
            }
        };
        acted.unknown += u64::from(!known);
    }
    Ok(found)
}

/// Puts a mark on messages.
fn mark(
    connection: &Connection,
    order: &ActOrder,
    found: &Found,
    record: &Record,
    acted: &mut Acted,
    now: Timestamp,
) -> rusqlite::Result<DeskWork> {
    let mut seqs = found.messages.clone();
    for conversation in &found.conversations {
        affected(connection, *conversation, order, &mut seqs)?;
        if seqs.len() > MESSAGES {
            break;
        }
    }
    acted.more = seqs.len() > MESSAGES;
    let mut deltas = Deltas::default();
    let mut marks: Vec<(i64, Marks)> = Vec::new();
    for seq in seqs.into_iter().rev().take(MESSAGES) {
        let Some(sheet) = Sheet::of(connection, seq)? else { continue };
        let after = sheet.marked.after(&order.act, &order.who, now);
        if after == sheet.marked {
            continue;
        }
        record.change(connection, seq, Some(&json(&sheet.marked)), Some(&json(&after)))?;
        sheet.put(connection, &after, &mut deltas)?;
        marks.push((seq, after.shown()));
        acted.changed += 1;
    }
    DeskWork::of_marks(connection, &order.who, deltas, marks)
}

/// Marks as the record keeps them.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| unreachable!("numbers and names are JSON: {error}"))
}

/// Adds the messages of a conversation that `order` may change, the newest first. The counts of the conversation say
/// when there are no more, so that a long one is not read to its end.
fn affected(connection: &Connection, n: i64, order: &ActOrder, seqs: &mut BTreeSet<i64>) -> rusqlite::Result<()> {
    const UNREAD: &str = "SELECT m.seq FROM message m CROSS JOIN unread u ON u.seq = m.seq WHERE m.conversation = ?1
        AND m.seq <= ?3 ORDER BY m.seq DESC LIMIT min(?2, (SELECT unread FROM conversation WHERE n = ?1))";
    const OPEN: &str = "SELECT m.seq FROM message m LEFT JOIN mark k ON k.seq = m.seq WHERE m.conversation = ?1
        AND m.seq <= ?3 AND k.acked_at IS NULL ORDER BY m.seq DESC LIMIT min(?2, (SELECT open FROM conversation WHERE n = ?1))";
    const TAKEN: &str = "SELECT m.seq FROM message m CROSS JOIN mark k ON k.seq = m.seq WHERE m.conversation = ?1
        AND m.seq <= ?3 AND k.acked_at IS NOT NULL ORDER BY m.seq DESC
        LIMIT min(?2, (SELECT messages - open FROM conversation WHERE n = ?1))";
    const NEWEST: &str = "SELECT m.seq FROM message m WHERE m.conversation = ?1 AND m.seq <= ?3 AND ?2 > 0
        ORDER BY m.seq DESC LIMIT 1";
    let queries: &[&str] = match &order.act {
        Act::Read => &[UNREAD],
        Act::Ack => &[OPEN, UNREAD],
        Act::Unack => &[TAKEN],
        _ => &[NEWEST],
    };
    for sql in queries {
        let room = i64::try_from(MESSAGES + 1 - seqs.len().min(MESSAGES)).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([n, room, order.seen.unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            seqs.insert(row.get(0)?);
        }
    }
    Ok(())
}

/// Does what is about conversations.
fn tend(
    connection: &Connection,
    order: &ActOrder,
    conversations: &BTreeSet<i64>,
    label: Option<i64>,
    record: &Record,
    acted: &mut Acted,
    now: Timestamp,
) -> rusqlite::Result<DeskWork> {
    let (field, after): (Field, Option<String>) = match &order.act {
        Act::Snooze(Snooze::Until(moment)) => (Field::Snoozed, Some(moment.as_microsecond().to_string())),
        Act::Snooze(Snooze::Reply) => (Field::Snoozed, Some(UNTIL_REPLY.to_string())),
        Act::Wake => (Field::Snoozed, None),
        Act::Assign(name) => (Field::Assignee, Some(name.to_string())),
        Act::Unassign => (Field::Assignee, None),
        Act::Label(_) => (Field::Label(label.unwrap_or_default()), Some("1".to_owned())),
        Act::Unlabel(_) => (Field::Label(label.unwrap_or_default()), None),
        Act::Note(text) => return note(connection, order, text, conversations, record, acted, now),
        Act::Read | Act::Unread | Act::Ack | Act::Unack => unreachable!("marks are put on messages"),
    };
    let mut touched = BTreeSet::new();
    for n in conversations {
        let before = field.get(connection, *n)?;
        // What came after the snooze was wanted would have ended it.
        let over = matches!(order.act, Act::Snooze(_)) && has_newer(connection, *n, order.seen)?;
        if before == after || over {
            continue;
        }
        if matches!(order.act, Act::Label(_)) && count(connection, "labelled", *n)? >= LABELS_EACH {
            acted.full += 1;
            continue;
        }
        record.change(connection, *n, before.as_deref(), after.as_deref())?;
        field.set(connection, *n, after.as_deref())?;
        touched.insert(*n);
        acted.changed += 1;
    }
    DeskWork::of(connection, &order.who, &touched)
}

fn note(
    connection: &Connection,
    order: &ActOrder,
    text: &str,
    conversations: &BTreeSet<i64>,
    record: &Record,
    acted: &mut Acted,
    now: Timestamp,
) -> rusqlite::Result<DeskWork> {
    let mut touched = BTreeSet::new();
    for n in conversations {
        if count(connection, "note", *n)? >= NOTES_EACH {
            acted.full += 1;
            continue;
        }
        connection
            .prepare_cached(
                "INSERT INTO note (conversation, after, at, who, text)
                 SELECT n, last_seq, ?2, ?3, ?4 FROM conversation WHERE n = ?1",
            )?
            .execute(params![n, now.as_microsecond(), order.who, text])?;
        record.change(connection, *n, None, Some(&connection.last_insert_rowid().to_string()))?;
        touched.insert(*n);
        acted.changed += 1;
    }
    DeskWork::of(connection, &order.who, &touched)
}

/// Whether the conversation has a message that came after `seen`.
fn has_newer(connection: &Connection, conversation: i64, seen: Option<i64>) -> rusqlite::Result<bool> {
    let Some(seen) = seen else { return Ok(false) };
    connection
        .prepare_cached("SELECT last_seq > ?2 FROM conversation WHERE n = ?1")?
        .query_row([conversation, seen], |row| row.get(0))
}

/// Rows of `table` that belong to a conversation.
fn count(connection: &Connection, table: &str, conversation: i64) -> rusqlite::Result<i64> {
    let sql = format!("SELECT count(*) FROM {table} WHERE conversation = ?1");
    connection.prepare_cached(&sql)?.query_row([conversation], |row| row.get(0))
}

/// The number of a label, which is made when it is new; `None` when there are too many.
fn label_number(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO label (name) SELECT ?1 WHERE (SELECT count(*) FROM label) < ?2")?
        .execute(params![name, LABELS])?;
    connection.prepare_cached("SELECT n FROM label WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}
