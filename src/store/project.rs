//! Projection: from stored events to messages, conversations, contacts, and then to the search index.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{
    Assurance, ChannelId, ContactId, ConversationRow, Event, EventFilter, EventId, EventState, Marks, MessageId,
    MessageRow, Parsed, TEXT_MAX,
};

use super::body_guard::BodyGuard;
use super::events::{MATCHES, timestamp};
use super::passages::Point;
use super::tally::{self, Counted};
use super::{Store, StoreError, attachments, conversations, names, once, repeats, reports, search_index};

/// An event behind the watermark.
#[derive(Debug, Clone)]
pub struct PendingEvent {
    /// Its place.
    pub seq: i64,
    /// Its id.
    pub id: EventId,
    /// Its channel.
    pub channel: ChannelId,
    /// Its channel's number.
    pub channel_n: i64,
    /// What happened.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// When it was received.
    pub received: Timestamp,
    /// When it happened, as the sender says, else when it was received.
    pub time: Timestamp,
    /// What its signature proves.
    pub assurance: Assurance,
    /// Why it is a dead letter: kept, but nothing to read.
    pub dead: Option<String>,
    /// Whether an equal body counts as a repeat.
    pub guarded: bool,
    /// SHA-256 of its bytes.
    pub body_hash: Vec<u8>,
    /// Its headers, as stored.
    pub head: Vec<u8>,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// What an event reads as.
#[derive(Debug, Clone)]
pub struct Projection {
    /// The event.
    pub event: PendingEvent,
    /// Its message; `None` for a dead letter.
    pub parsed: Option<Parsed>,
    /// Whether its contact is a VIP by configuration.
    pub vip: bool,
}

/// What a batch has changed.
#[derive(Debug, Clone, Default)]
pub struct Projected {
    /// Rows that are new, oldest first.
    pub rows: Vec<MessageRow>,
    /// The conversations they are in, as they stand now, the newest last; of many only the newest.
    pub conversations: Vec<ConversationRow>,
    /// The events of the batch, dead letters too, oldest first. Empty when it was projected again.
    pub events: Vec<Event>,
    /// The last event of the batch.
    pub up_to: i64,
}

/// Bytes of bodies after which a batch ends: a few large ones must not be in memory all at once.
const BATCH_BYTES: usize = 4 << 20;
pub(super) const MAX_SUBJECT: usize = 512;
const PREVIEW: usize = 160;
/// Conversations that a batch tells of at most.
const CONVERSATIONS: usize = 64;

const PENDING: &str = "SELECT e.seq, e.id, c.id, e.channel, e.kind, e.dedupe_key, e.received, e.dead,
    e.guarded, e.body_hash, e.head, e.body, coalesce(e.time, e.received), e.assurance
    FROM event e JOIN channel c ON c.n = e.channel";

impl Store {
    /// The next events behind the watermark of projection, oldest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn pending(&self, limit: usize) -> Result<Vec<PendingEvent>, StoreError> {
        self.read(|connection| {
            let sql = format!(
                "{PENDING} WHERE e.seq > (SELECT seq FROM watermark WHERE name = 'messages') ORDER BY e.seq LIMIT ?1"
            );
            collect(connection, &sql, params![clamp(limit)])
        })
    }

    /// The matching events after `after` that are projected, oldest first, to be projected again. What is not
    /// projected yet is left to the projector: nobody may overtake it.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn stored_after(
        &self,
        after: i64,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<Vec<PendingEvent>, StoreError> {
        self.read(|connection| {
            let sql = format!(
                "{PENDING} WHERE {MATCHES} AND e.seq > ?5
                 AND e.seq <= (SELECT seq FROM watermark WHERE name = 'messages') ORDER BY e.seq LIMIT ?6"
            );
            let channel = filter.channel.as_ref().map(ChannelId::as_str);
            let since = filter.since.map(Timestamp::as_microsecond);
            collect(connection, &sql, params![channel, filter.kind, since, filter.dead, after, clamp(limit)])
        })
    }

    /// Writes the messages of a batch. With `advance` the watermark moves to its end.
    ///
    /// Projecting an event twice leaves one message, with the marks operators gave it.
    ///
    /// # Errors
    /// When the store cannot write; nothing of the batch is kept then.
    pub async fn project(&self, batch: Vec<Projection>, advance: bool) -> Result<Projected, StoreError> {
        let passages = self.passages().clone();
        self.write_guarded(move |connection, guards| {
            let mut filed = 0;
            if advance {
                // What is filed is forgotten one batch later, when its commit is known to have succeeded.
                filed = connection
                    .prepare_cached("SELECT seq FROM watermark WHERE name = 'messages'")?
                    .query_row([], |row| row.get(0))?;
                guards.forget(filed);
            }
            let mut projected = Projected::default();
            let mut touched = Vec::new();
            for projection in &batch {
                if let Some((row, conversation)) = project_one(connection, projection)? {
                    // What is found to be a message only when it is read again has missed its turn.
                    if !advance && is_indexed(connection, row.seq)? {
                        search_index::replace(connection, row.seq)?;
                    }
                    projected.rows.push(row);
                    touched.retain(|known| *known != conversation);
                    touched.push(conversation);
                }
            }
            for conversation in touched.split_off(touched.len().saturating_sub(CONVERSATIONS)) {
                projected.conversations.extend(conversations::one(connection, conversation)?);
            }
            let new: Vec<i64> = projected.rows.iter().map(|row| row.seq).collect();
            count(connection, &batch, &new, advance)?;
            projected.up_to = batch.last().map_or(0, |projection| projection.event.seq);
            if advance {
                let bodies: Vec<(i64, Vec<u8>)> = batch
                    .iter()
                    .filter(|projection| projection.event.guarded)
                    .map(|projection| (projection.event.seq, projection.event.body_hash.clone()))
                    .collect();
                BodyGuard::file(connection, &bodies)?;
                guards.tokens.file(connection, filed, projected.up_to)?;
                if let Some(last) = batch.last() {
                    once::forget(connection, last.event.received)?;
                }
                connection
                    .prepare_cached("UPDATE watermark SET seq = ?1 WHERE name = 'messages'")?
                    .execute([projected.up_to])?;
                let first = batch.first().map_or(0, |projection| projection.event.seq);
                passages.note(Point::Projected, first, projected.up_to, Timestamp::now());
                passages.write(connection)?;
                projected.events = batch.into_iter().map(listed).collect();
            }
            Ok(projected)
        })
        .await
    }
}

/// The event of `message`.
pub(super) fn one(connection: &Connection, message: MessageId) -> rusqlite::Result<Option<PendingEvent>> {
    let found = collect(connection, &format!("{PENDING} WHERE e.id = ?1"), [&message.as_uuid().as_bytes()[..]])?;
    Ok(found.into_iter().next())
}

fn clamp(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn collect(connection: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<PendingEvent>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let event = pending(row)?;
        bytes += event.body.len();
        events.push(event);
        if bytes > BATCH_BYTES {
            break;
        }
    }
    Ok(events)
}

fn pending(row: &Row<'_>) -> rusqlite::Result<PendingEvent> {
    Ok(PendingEvent {
        seq: row.get(0)?,
        id: super::events::event_id(row, 1)?,
        channel: super::events::channel_id(row, 2)?,
        channel_n: row.get(3)?,
        kind: row.get(4)?,
        key: row.get(5)?,
        received: timestamp(row.get(6)?),
        dead: row.get(7)?,
        guarded: row.get(8)?,
        body_hash: row.get(9)?,
        head: row.get(10)?,
        body: row.get(11)?,
        time: timestamp(row.get(12)?),
        assurance: Assurance::from_rank(row.get(13)?),
    })
}

/// The event as it is listed from now on.
fn listed(projection: Projection) -> Event {
    let Projection { event, parsed, .. } = projection;
    Event {
        seq: event.seq,
        id: event.id,
        channel: event.channel,
        kind: event.kind,
        time: event.time,
        received: event.received,
        subject: parsed.as_ref().map(listed_subject),
        dedupe_key: event.key,
        assurance: event.assurance,
        state: if event.dead.is_some() { EventState::Dead } else { EventState::Projected },
        cause: event.dead,
    }
}

/// Writes one message; answers its row and its conversation when it is new.
fn project_one(connection: &Connection, projection: &Projection) -> rusqlite::Result<Option<(MessageRow, i64)>> {
    let Projection { event, parsed: Some(parsed), vip } = projection else { return Ok(None) };
    if let Some(report) = &parsed.report {
        reports::write(connection, event, report, &listed_subject(parsed))?;
        if !report.needs_somebody {
            return Ok(None);
        }
    }
    let contact = contact(connection, event, parsed, *vip)?;
    let contact_n = contact.as_ref().map(|contact| contact.n);
    let conversation = match names::conversation(connection, event, contact_n, parsed)? {
        Some(known) => known,
        None => conversation(connection, event, parsed)?,
    };
    names::remember(connection, event.channel_n, contact_n, conversation, parsed)?;
    let subject = listed_subject(parsed);
    let preview = cut(&one_line(cut(&parsed.text, 4 * PREVIEW)), PREVIEW).to_owned();
    let text = cut(&parsed.text, TEXT_MAX);
    let alike = repeats::key(&event.kind, parsed);
    let new = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO message (seq, channel, conversation, contact, alike, received, id, kind, subject, preview)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            event.seq,
            event.channel_n,
            conversation,
            contact_n,
            alike,
            event.received.as_microsecond(),
            &event.id.as_uuid().as_bytes()[..],
            event.kind,
            subject,
            preview,
        ])?
        == 1;
    connection
        .prepare_cached(
            "INSERT INTO message_text (seq, text) VALUES (?1, ?2) ON CONFLICT (seq) DO UPDATE SET text = excluded.text",
        )?
        .execute(params![event.seq, text])?;
    attachments::write(connection, event.seq, &parsed.attachments, new)?;
    if !new {
        project_again(connection, event.seq, conversation, contact_n, (&subject, &preview, alike))?;
        return Ok(None);
    }
    if let Some(n) = contact_n {
        connection
            .prepare_cached("UPDATE contact SET messages = messages + 1, last_seq = max(last_seq, ?2) WHERE n = ?1")?
            .execute([n, event.seq])?;
    }
    let vip = contact.as_ref().is_some_and(|contact| contact.vip);
    let counted = counted(connection, event.seq)?;
    if counted.unread {
        connection.prepare_cached("INSERT INTO unread (seq, channel, vip) VALUES (?1, ?2, ?3)")?.execute(params![
            event.seq,
            event.channel_n,
            vip
        ])?;
    }
    tally::arrived(connection, conversation, &counted, contact_n, vip)?;
    let from = parsed.from.as_ref().map(|person| if person.name.is_empty() { &person.address } else { &person.name });
    let row = MessageRow {
        seq: event.seq,
        id: event.id.into(),
        channel: event.channel.clone(),
        kind: event.kind.clone(),
        contact: contact.map(|contact| contact.id),
        from: cut(&from.map(|from| one_line(from)).unwrap_or_default(), MAX_SUBJECT).to_owned(),
        vip,
        subject,
        preview,
        received: event.received,
        marks: Marks::default(),
    };
    Ok(Some((row, conversation)))
}

/// What a message counts, by the marks it has.
fn counted(connection: &Connection, seq: i64) -> rusqlite::Result<Counted> {
    let marks = connection
        .prepare_cached("SELECT read_at IS NULL, acked_at IS NULL FROM mark WHERE seq = ?1")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (unread, open) = marks.unwrap_or((true, true));
    Ok(Counted { seq, unread, open })
}

/// Writes a message that is there already, and its search entry if it has one.
fn project_again(
    connection: &Connection,
    seq: i64,
    conversation: i64,
    contact: Option<i64>,
    (subject, preview, alike): (&str, &str, i64),
) -> rusqlite::Result<()> {
    let (before, came_from): (Option<i64>, i64) = connection
        .prepare_cached("SELECT contact, conversation FROM message WHERE seq = ?1")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
    connection
        .prepare_cached(
            "UPDATE message SET conversation = ?2, contact = ?3, subject = ?4, preview = ?5, alike = ?6 WHERE seq = ?1",
        )?
        .execute(params![seq, conversation, contact, subject, preview, alike])?;
    if before != contact {
        let mut add = connection.prepare_cached("UPDATE contact SET messages = messages + ?2 WHERE n = ?1")?;
        add.execute(params![before, -1])?;
        add.execute(params![contact, 1])?;
        connection
            .prepare_cached(
                "UPDATE unread SET vip = coalesce((SELECT vip FROM contact WHERE n = ?2), 0) WHERE seq = ?1",
            )?
            .execute(params![seq, contact])?;
    }
    if came_from != conversation {
        tally::moved(connection, came_from, conversation, &counted(connection, seq)?)?;
    } else if before != contact {
        tally::newest(connection, conversation)?;
    }
    if is_indexed(connection, seq)? { search_index::replace(connection, seq) } else { Ok(()) }
}

/// Whether the message at `seq` is behind the watermark of the search index.
fn is_indexed(connection: &Connection, seq: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT ?1 <= seq FROM watermark WHERE name = 'search'")?
        .query_row([seq], |row| row.get(0))
}

/// Counts what a batch brought to its channels; `new` are the events of its new messages.
fn count(connection: &Connection, batch: &[Projection], new: &[i64], advance: bool) -> rusqlite::Result<()> {
    let mut counts: HashMap<i64, (u64, u64, u64)> = HashMap::new();
    for Projection { event, .. } in batch {
        let (events, dead, messages) = counts.entry(event.channel_n).or_default();
        if advance {
            *events += 1;
            *dead += u64::from(event.dead.is_some());
        }
        *messages += u64::from(new.binary_search(&event.seq).is_ok());
    }
    let mut add = connection.prepare_cached(
        "UPDATE channel_count SET events = events + ?2, dead = dead + ?3, messages = messages + ?4 WHERE channel = ?1",
    )?;
    for (channel, (events, dead, messages)) in counts {
        add.execute(params![channel, events, dead, messages])?;
    }
    Ok(())
}

struct ContactRef {
    n: i64,
    id: ContactId,
    vip: bool,
}

fn contact(
    connection: &Connection,
    event: &PendingEvent,
    parsed: &Parsed,
    vip: bool,
) -> rusqlite::Result<Option<ContactRef>> {
    let Some(person) = &parsed.from else { return Ok(None) };
    let address = cut(&person.address, MAX_SUBJECT);
    let known = connection
        .prepare_cached("SELECT n, id, vip, name FROM contact WHERE channel = ?1 AND address = ?2")?
        .query_row(params![event.channel_n, address], |row| {
            let id = ContactId::from_uuid(super::events::uuid(row, 1)?);
            Ok((ContactRef { n: row.get(0)?, id, vip: row.get(2)? }, row.get::<_, String>(3)?))
        })
        .optional()?;
    let name = cut(&person.name, MAX_SUBJECT);
    if let Some((contact, known_name)) = known {
        if !name.is_empty() && known_name != name {
            connection
                .prepare_cached("UPDATE contact SET name = ?2 WHERE n = ?1")?
                .execute(params![contact.n, name])?;
        }
        return Ok(Some(contact));
    }
    let said: Option<bool> = connection
        .prepare_cached("SELECT vip FROM vip WHERE channel = ?1 AND address = ?2")?
        .query_row(params![event.channel_n, address], |row| row.get(0))
        .optional()?;
    let vip = said.unwrap_or(vip);
    let id = ContactId::from_uuid(uuid::Uuid::now_v7());
    connection
        .prepare_cached(
            "INSERT INTO contact (id, channel, address, name, vip, own_vip) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        )?
        .execute(params![&id.as_uuid().as_bytes()[..], event.channel_n, address, name, vip])?;
    Ok(Some(ContactRef { n: connection.last_insert_rowid(), id, vip }))
}

fn conversation(connection: &Connection, event: &PendingEvent, parsed: &Parsed) -> rusqlite::Result<i64> {
    let thread = cut(&parsed.thread, MAX_SUBJECT);
    let known = connection
        .prepare_cached("SELECT n FROM conversation WHERE channel = ?1 AND thread = ?2")?
        .query_row(params![event.channel_n, thread], |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let subject = cut(&parsed.subject, MAX_SUBJECT);
    connection
        .prepare_cached("INSERT INTO conversation (id, channel, thread, subject) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![uuid::Uuid::now_v7().into_bytes(), event.channel_n, thread, subject])?;
    Ok(connection.last_insert_rowid())
}

fn listed_subject(parsed: &Parsed) -> String {
    cut(&one_line(&parsed.subject), MAX_SUBJECT).to_owned()
}

/// At most `max` bytes of `text`, cut between characters.
pub(super) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
