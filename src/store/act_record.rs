//! The record of acts: who, when, what, how many, and what was before. Undoing goes by it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{Act, ActId, Acted, PersonAct, UNDO_OFFERED, Undone};

use super::acts::{ActOrder, json};
use super::desk::Field;
use super::events::timestamp;
use super::marks::{Marked, Sheet};
use super::tally::Deltas;
use super::{DeskWork, Store, StoreError, persons};

/// How much longer than it is offered undoing is possible: the order may come over a slow line.
const UNDO_GRACE: SignedDuration = SignedDuration::from_secs(15);
/// How long it is kept what was before an act, in microseconds: thirty days.
const KEPT: i64 = 30 * 86_400 * 1_000_000;
/// What is forgotten of it with each act.
const FORGOTTEN: i64 = 1_000;

/// Why an act is not undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUndone {
    /// Nobody knows it.
    #[error("no act has the id {0}")]
    Unknown(ActId),
    /// It was done by somebody else.
    #[error("it was done by {0}; only they undo it")]
    SomebodyElses(String),
    /// Its time is over.
    #[error("an act is undone within {offered} seconds; this one is older", offered = UNDO_OFFERED.as_secs())]
    TooLate,
}

/// The record of one act.
pub(super) struct Record(i64);

impl Record {
    /// What became of the act `id`, if it is known.
    pub(super) fn known(connection: &Connection, id: ActId) -> rusqlite::Result<Option<Acted>> {
        connection
            .prepare_cached("SELECT changed, unknown, full, more FROM act WHERE id = ?1")?
            .query_row([&id.as_uuid().as_bytes()[..]], |row| {
                Ok(Acted { id, changed: row.get(0)?, unknown: row.get(1)?, full: row.get(2)?, more: row.get(3)? })
            })
            .optional()
    }

    pub(super) fn begin(connection: &Connection, order: &ActOrder, now: Timestamp) -> rusqlite::Result<Self> {
        connection
            .prepare_cached(
                "DELETE FROM act_change WHERE (act, thing) IN (SELECT act, thing FROM act_change
                 WHERE act < coalesce((SELECT n FROM act WHERE at < ?1 ORDER BY at DESC LIMIT 1), 0) LIMIT ?2)",
            )?
            .execute([now.as_microsecond() - KEPT, FORGOTTEN])?;
        Self::write(connection, order.id, &order.who, &json(&order.act), now)
    }

    /// A record without changes.
    pub(super) fn write(
        connection: &Connection,
        id: ActId,
        who: &str,
        what: &str,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        connection.prepare_cached("INSERT INTO act (id, at, who, what) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            &id.as_uuid().as_bytes()[..],
            now.as_microsecond(),
            who,
            what
        ])?;
        Ok(Self(connection.last_insert_rowid()))
    }

    /// Its number, which no other ever has.
    pub(super) fn number(&self) -> i64 {
        self.0
    }

    /// Notes what one thing was before the act and is after it.
    pub(super) fn change(
        &self,
        connection: &Connection,
        thing: i64,
        before: Option<&str>,
        after: Option<&str>,
    ) -> rusqlite::Result<()> {
        connection
            .prepare_cached("INSERT INTO act_change (act, thing, before, after) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![self.0, thing, before, after])
            .map(drop)
    }

    pub(super) fn end(&self, connection: &Connection, acted: &Acted) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE act SET changed = ?2, unknown = ?3, full = ?4, more = ?5 WHERE n = ?1")?
            .execute(params![self.0, acted.changed, acted.unknown, acted.full, acted.more])
            .map(drop)
    }
}

/// An act as it was recorded.
struct Recorded {
    n: i64,
    at: Timestamp,
    who: String,
    what: String,
    undone: Option<Undone>,
}

fn recorded(connection: &Connection, id: ActId) -> rusqlite::Result<Option<Recorded>> {
    connection
        .prepare_cached("SELECT n, at, who, what, restored, left_alone FROM act WHERE id = ?1")?
        .query_row([&id.as_uuid().as_bytes()[..]], |row| {
            let undone = match (row.get(4)?, row.get(5)?) {
                (Some(restored), Some(left_alone)) => Some(Undone { restored, left_alone }),
                _ => None,
            };
            Ok(Recorded { n: row.get(0)?, at: timestamp(row.get(1)?), who: row.get(2)?, what: row.get(3)?, undone })
        })
        .optional()
}

/// What was done, as the record has it.
enum What {
    Act(Act),
    Person(PersonAct),
}

impl What {
    fn read(what: &str) -> Option<Self> {
        let act = serde_json::from_str(what).map(Self::Act);
        act.or_else(|_| serde_json::from_str(what).map(Self::Person)).ok()
    }
}

/// One thing an act changed.
pub(super) struct Change {
    pub thing: i64,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Store {
    /// Restores what was before the act `id`, where nobody has changed it since. Undoing is an act of its own, by the
    /// name `by`; asking again answers the same.
    ///
    /// # Errors
    /// When the store cannot write; nothing is undone then.
    pub async fn undo(
        &self,
        id: ActId,
        by: ActId,
        who: String,
        now: Timestamp,
    ) -> Result<Result<(Undone, DeskWork), NotUndone>, StoreError> {
        self.write(move |connection| {
            let Some(act) = recorded(connection, id)? else { return Ok(Err(NotUndone::Unknown(id))) };
            if act.who != who {
                return Ok(Err(NotUndone::SomebodyElses(act.who)));
            }
            if let Some(undone) = act.undone {
                return Ok(Ok((undone, DeskWork::default())));
            }
            let Some(what) = What::read(&act.what) else { return Ok(Err(NotUndone::Unknown(id))) };
            if now.duration_since(act.at) > UNDO_OFFERED + UNDO_GRACE {
                return Ok(Err(NotUndone::TooLate));
            }
            let undone = restore(connection, &act, &what, &who, now)?;
            connection
                .prepare_cached("UPDATE act SET restored = ?2, left_alone = ?3 WHERE n = ?1")?
                .execute(params![act.n, undone.0.restored, undone.0.left_alone])?;
            let what = json(&serde_json::json!({ "undo": id }));
            let acted = Acted { id: by, changed: undone.0.restored, unknown: 0, full: 0, more: false };
            Record::write(connection, by, &who, &what, now)?.end(connection, &acted)?;
            Ok(Ok(undone))
        })
        .await
    }
}

fn restore(
    connection: &Connection,
    act: &Recorded,
    what: &What,
    who: &str,
    now: Timestamp,
) -> rusqlite::Result<(Undone, DeskWork)> {
    let changes: Vec<Change> = connection
        .prepare_cached("SELECT thing, before, after FROM act_change WHERE act = ?1 ORDER BY thing DESC")?
        .query_map([act.n], |row| Ok(Change { thing: row.get(0)?, before: row.get(1)?, after: row.get(2)? }))?
        .collect::<Result<_, _>>()?;
    let what = match what {
        What::Act(what) => what,
        What::Person(what) => return persons::restore(connection, &changes, (what, who), now),
    };
    let all = changes.len() as u64;
    let (restored, work) = if what.is_mark() {
        restore_marks(connection, changes, who)?
    } else {
        restore_fields(connection, changes, what, who, act.at)?
    };
    Ok((Undone { restored, left_alone: all - restored }, work))
}

fn restore_marks(connection: &Connection, changes: Vec<Change>, who: &str) -> rusqlite::Result<(u64, DeskWork)> {
    let mut deltas = Deltas::default();
    let mut marks = Vec::new();
    for change in changes {
        let Some(sheet) = Sheet::of(connection, change.thing)? else { continue };
        let before = change.before.as_deref().and_then(|before| serde_json::from_str::<Marked>(before).ok());
        if let Some(before) = before
            && change.after == Some(json(&sheet.marked))
        {
            sheet.put(connection, &before, &mut deltas)?;
            marks.push((change.thing, before.shown()));
        }
    }
    let restored = marks.len() as u64;
    Ok((restored, DeskWork::of_marks(connection, who, deltas, marks)?))
}

/// Whether a conversation has had a message since.
fn has_news(connection: &Connection, conversation: i64, since: Timestamp) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM conversation c JOIN event e ON e.seq = c.last_seq
             WHERE c.n = ?1 AND e.received > ?2)",
        )?
        .query_row(params![conversation, since.as_microsecond()], |row| row.get(0))
}

fn restore_fields(
    connection: &Connection,
    changes: Vec<Change>,
    what: &Act,
    who: &str,
    at: Timestamp,
) -> rusqlite::Result<(u64, DeskWork)> {
    let label = match what {
        Act::Label(label) | Act::Unlabel(label) => connection
            .prepare_cached("SELECT n FROM label WHERE name = ?1")?
            .query_row([label.as_str()], |row| row.get(0))
            .optional()?
            .unwrap_or_default(),
        _ => 0,
    };
    let mut touched = BTreeSet::new();
    for Change { thing, before, after } in changes {
        let field = match what {
            Act::Note(_) => {
                let gone = connection.prepare_cached("DELETE FROM note WHERE n = ?1")?.execute([after])?;
                touched.extend((gone == 1).then_some(thing));
                continue;
            }
            Act::Assign(_) | Act::Unassign => Field::Assignee,
            Act::Label(_) | Act::Unlabel(_) => Field::Label(label),
            _ => Field::Snoozed,
        };
        // What came since would be hidden, although a new message always ends a snooze.
        let hides = matches!(field, Field::Snoozed) && before.is_some() && has_news(connection, thing, at)?;
        if !hides && field.get(connection, thing)? == after {
            field.set(connection, thing, before.as_deref())?;
            touched.insert(thing);
        }
    }
    Ok((touched.len() as u64, DeskWork::of(connection, who, &touched)?))
}
