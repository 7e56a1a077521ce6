//! Which contacts are one person. Saying so links them and rewrites nothing that they are or wrote, so it can be taken back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{
    ActId, Acted, AuditKind, AuditNote, Contact, ContactId, OperatorName, PersonAct, PersonActed, Undone,
};

use super::act_record::{Change, Record};
use super::acts::json;
use super::contacts::{one, settle_vips};
use super::events::uuid;
use super::tally::Deltas;
use super::{DeskWork, Store, StoreError, audit, desk};

/// Contacts of one person at most: whoever lists what it wrote walks through the list of each.
const CONTACTS: usize = 32;

/// Something that is said about who somebody is.
#[derive(Debug, Clone)]
pub struct PersonOrder {
    /// What it is called by whoever says it. An order that is known is not carried out again.
    pub id: ActId,
    /// What is said.
    pub act: PersonAct,
    /// Who says it.
    pub who: OperatorName,
}

/// Why it cannot be so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSaid {
    /// Nobody knows a contact.
    #[error("no contact has the id {0}; `aurora contact list` names them")]
    Unknown(ContactId),
    /// A contact with itself.
    #[error("{0} is one contact; two are needed to be one person")]
    Itself(ContactId),
    /// More than one person has.
    #[error("together they would have {0} addresses; a person has {CONTACTS} at most")]
    Many(usize),
}

impl Store {
    /// Says that contacts are one person, or that one is not; and records what was before.
    ///
    /// # Errors
    /// When the store cannot write; nothing is said then.
    pub async fn say_person(
        &self,
        order: PersonOrder,
        now: Timestamp,
    ) -> Result<Result<(PersonActed, DeskWork), NotSaid>, StoreError> {
        self.write(move |connection| say(connection, &order, now)).await
    }
}

fn say(
    connection: &Connection,
    order: &PersonOrder,
    now: Timestamp,
) -> rusqlite::Result<Result<(PersonActed, DeskWork), NotSaid>> {
    let PersonOrder { id, act, who } = order;
    let first = act.contact();
    let Some(n) = number(connection, first)? else { return Ok(Err(NotSaid::Unknown(first))) };
    let (mut changed, mut work) = (0, DeskWork::default());
    if let Some(acted) = Record::known(connection, *id)? {
        changed = acted.changed;
    } else {
        let parts = match parts(connection, act, n)? {
            Ok(parts) => parts,
            Err(why) => return Ok(Err(why)),
        };
        let record = Record::write(connection, *id, who.as_str(), &json(act), now)?;
        changed += link(connection, act, &parts, &record)?;
        record.end(connection, &Acted { id: *id, changed, unknown: 0, full: 0, more: false })?;
        if changed > 0 {
            let note = AuditNote::new(now, Some(who), AuditKind::Changed, first, act.to_string());
            work = told(connection, who.as_str(), &parts.concat(), note)?;
        }
    }
    let Some(contact) = one(connection, first)? else { return Ok(Err(NotSaid::Unknown(first))) };
    Ok(Ok((PersonActed { id: *id, changed, contact }, work)))
}

/// The contacts that the act is about, by person: what they come to when it is done is for [`link`].
fn parts(connection: &Connection, act: &PersonAct, n: i64) -> rusqlite::Result<Result<Vec<Vec<i64>>, NotSaid>> {
    let mine = contacts_of(connection, n)?;
    let PersonAct::Merge { contact, with } = act else {
        // The one alone, then those who stay.
        let rest = mine.into_iter().filter(|other| *other != n).collect();
        return Ok(Ok(vec![vec![n], rest]));
    };
    if contact == with {
        return Ok(Err(NotSaid::Itself(*contact)));
    }
    let Some(other) = number(connection, *with)? else { return Ok(Err(NotSaid::Unknown(*with))) };
    if mine.contains(&other) {
        return Ok(Ok(vec![mine]));
    }
    let theirs = contacts_of(connection, other)?;
    let all = mine.len() + theirs.len();
    Ok(if all > CONTACTS { Err(NotSaid::Many(all)) } else { Ok(vec![mine, theirs]) })
}

/// Writes who is one person from now on; answers how many contacts changed. All of a person that changes are recorded, so
/// that undoing sees whether it still is as it was left.
fn link(connection: &Connection, act: &PersonAct, parts: &[Vec<i64>], record: &Record) -> rusqlite::Result<u64> {
    let mut wanted: BTreeMap<i64, Option<i64>> = BTreeMap::new();
    match (act, parts) {
        (PersonAct::Merge { .. }, [mine, theirs]) => {
            let numbers = [theirs, mine].map(|part| part.first().map_or(Ok(None), |n| person_of(connection, *n)));
            let [theirs_is, mine_is] = numbers;
            let person = theirs_is?.or(mine_is?).unwrap_or_else(|| record.number());
            wanted.extend(mine.iter().chain(theirs).map(|n| (*n, Some(person))));
        }
        (PersonAct::Split { .. }, [alone, rest]) if !rest.is_empty() => {
            wanted.extend(alone.iter().map(|n| (*n, None)));
            for n in rest {
                // Whoever is left alone is a person by itself.
                let stays = if rest.len() > 1 { person_of(connection, *n)? } else { None };
                wanted.insert(*n, stays);
            }
        }
        _ => {}
    }
    let mut changed = 0;
    for (n, after) in wanted {
        let before = person_of(connection, n)?;
        record.change(connection, n, text(before).as_deref(), text(after).as_deref())?;
        if before != after {
            put(connection, n, after)?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// Restores what was before an act, all or nothing: only where every person it was about is as it was left.
pub(super) fn restore(
    connection: &Connection,
    changes: &[Change],
    (act, who): (&PersonAct, &str),
    now: Timestamp,
) -> rusqlite::Result<(Undone, DeskWork)> {
    let differs = |change: &&Change| change.before != change.after;
    let changed = changes.iter().filter(differs).count() as u64;
    let mut sizes: BTreeMap<&str, i64> = BTreeMap::new();
    let mut is_as_left = true;
    for Change { thing, after, .. } in changes {
        is_as_left &= text(person_of(connection, *thing)?) == *after;
        *sizes.entry(after.as_deref().unwrap_or_default()).or_default() += 1;
    }
    for (person, size) in sizes.into_iter().filter(|(person, _)| !person.is_empty()) {
        is_as_left &= size_of(connection, person)? == size;
    }
    if !is_as_left || changed == 0 {
        return Ok((Undone { restored: 0, left_alone: changed }, DeskWork::default()));
    }
    for Change { thing, before, .. } in changes.iter().filter(differs) {
        put(connection, *thing, before.as_deref().and_then(|before| before.parse().ok()))?;
    }
    let affected: Vec<i64> = changes.iter().map(|change| change.thing).collect();
    let by = who.parse::<OperatorName>().ok();
    let note = AuditNote::new(now, by.as_ref(), AuditKind::Changed, act.contact(), format!("undone: {act}"));
    Ok((Undone { restored: changed, left_alone: 0 }, told(connection, who, &affected, note)?))
}

/// What everybody hears when these contacts are other persons now: who is a VIP, and their conversations.
fn told(connection: &Connection, who: &str, contacts: &[i64], note: AuditNote) -> rusqlite::Result<DeskWork> {
    let mut deltas = Deltas::default();
    let vips = settle_vips(connection, contacts, &mut deltas)?;
    let mut touched = BTreeSet::new();
    let mut newest =
        connection.prepare_cached("SELECT n FROM conversation WHERE contact = ?1 ORDER BY n DESC LIMIT ?2")?;
    for n in contacts {
        let mut rows = newest.query([*n, i64::try_from(desk::ROWS + 1).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            touched.insert(row.get(0)?);
        }
    }
    let audited = audit::append_all(connection, vec![note])?;
    let unread = deltas.settle(connection)?;
    Ok(DeskWork { unread, vips, audited, ..DeskWork::of(connection, who, &touched)? })
}

/// The number of a contact.
pub(super) fn number(connection: &Connection, id: ContactId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT n FROM contact WHERE id = ?1")?
        .query_row([&id.as_uuid().as_bytes()[..]], |row| row.get(0))
        .optional()
}

/// The contacts of the person whose contact `n` is, itself among them.
pub(super) fn contacts_of(connection: &Connection, n: i64) -> rusqlite::Result<Vec<i64>> {
    let mut contacts: Vec<i64> = connection
        .prepare_cached(
            "SELECT q.contact FROM person p CROSS JOIN person q ON q.person = p.person WHERE p.contact = ?1
             ORDER BY q.contact",
        )?
        .query_map([n], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if contacts.is_empty() {
        contacts.push(n);
    }
    Ok(contacts)
}

/// These contacts of one person, the last to write first.
pub(super) fn named(connection: &Connection, contacts: &[i64]) -> rusqlite::Result<Vec<Contact>> {
    let Some(first) = contacts.first() else { return Ok(Vec::new()) };
    let id = connection
        .prepare_cached("SELECT id FROM contact WHERE n = ?1")?
        .query_row([first], |row| Ok(ContactId::from_uuid(uuid(row, 0)?)))?;
    let Some(mut contact) = one(connection, id)? else { return Ok(Vec::new()) };
    let mut all = std::mem::take(&mut contact.others);
    all.push(contact);
    all.sort_by_key(|contact| std::cmp::Reverse(contact.last));
    Ok(all)
}

/// The person a contact is one of several of.
fn person_of(connection: &Connection, n: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT person FROM person WHERE contact = ?1")?
        .query_row([n], |row| row.get(0))
        .optional()
}

fn put(connection: &Connection, n: i64, person: Option<i64>) -> rusqlite::Result<()> {
    match person {
        Some(person) => connection
            .prepare_cached("INSERT OR REPLACE INTO person (contact, person) VALUES (?1, ?2)")?
            .execute(params![n, person])?,
        None => connection.prepare_cached("DELETE FROM person WHERE contact = ?1")?.execute([n])?,
    };
    Ok(())
}

fn size_of(connection: &Connection, person: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT count(*) FROM person WHERE person = cast(?1 AS INTEGER)")?
        .query_row([person], |row| row.get(0))
}

/// A number of a person as the record keeps it.
fn text(person: Option<i64>) -> Option<String> {
    person.map(|person| person.to_string())
}
