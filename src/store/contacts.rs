//! Contacts, and who of them is a VIP: a contact is when any contact of its person is.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{ChannelId, Contact, ContactFilter, ContactId};

use super::events::{channel_id, timestamp, uuid};
use super::tally::Deltas;
use super::{DeskWork, Store, StoreError, persons};

const COLUMNS: &str = "c.id, ch.id, c.address, c.name, c.vip, c.messages,
    (SELECT received FROM event WHERE seq = c.last_seq)
    FROM contact c JOIN channel ch ON ch.n = c.channel";

impl Store {
    /// The contacts who wrote last, newest first: of each person the one that did, with its others.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn contacts(&self, filter: &ContactFilter, limit: usize) -> Result<Vec<Contact>, StoreError> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} WHERE (?1 IS NULL OR ch.id = ?1) AND (NOT ?2 OR c.vip) AND NOT EXISTS (
                     SELECT 1 FROM person p CROSS JOIN person q ON q.person = p.person CROSS JOIN contact o ON o.n = q.contact
                     WHERE p.contact = c.n AND (?1 IS NULL OR o.channel = c.channel)
                     AND (o.last_seq, o.n) > (c.last_seq, c.n))
                 ORDER BY c.last_seq DESC LIMIT ?3"
            );
            let channel = filter.channel.as_ref().map(ChannelId::as_str);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_map(params![channel, filter.vip, limit], contact)?;
            found.map(|contact| with_others(connection, contact?)).collect()
        })
    }

    /// One contact.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn contact(&self, id: ContactId) -> Result<Option<Contact>, StoreError> {
        self.read(|connection| one(connection, id))
    }

    /// Makes a contact a VIP or not, whatever the configuration says, and with it all contacts of the person.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn set_vip(&self, id: ContactId, vip: bool) -> Result<Option<(Contact, DeskWork)>, StoreError> {
        self.write(move |connection| {
            let Some(n) = persons::number(connection, id)? else { return Ok(None) };
            let contacts = persons::contacts_of(connection, n)?;
            for n in &contacts {
                connection
                    .prepare_cached(
                        "INSERT INTO vip (channel, address, vip) SELECT channel, address, ?2 FROM contact WHERE n = ?1
                         ON CONFLICT (channel, address) DO UPDATE SET vip = excluded.vip",
                    )?
                    .execute(params![n, vip])?;
                set_own(connection, *n, vip)?;
            }
            let mut deltas = Deltas::default();
            let vips = settle_vips(connection, &contacts, &mut deltas)?;
            let unread = deltas.settle(connection)?;
            let work = DeskWork { unread, vips, ..DeskWork::of(connection, "", &BTreeSet::new())? };
            Ok(one(connection, id)?.map(|contact| (contact, work)))
        })
        .await
    }

    /// The list by which the configuration's VIPs were last brought up to date, whole; `None` when that is not known.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn vips_are_by(&self) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            connection.query_row("SELECT value FROM remembered WHERE name = 'vips'", [], |row| row.get(0)).optional()
        })
    }

    /// Remembers that list; `None` before something else is begun.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn set_vips_are_by(&self, list: Option<String>) -> Result<(), StoreError> {
        self.write(move |connection| {
            match list {
                Some(list) => connection.execute("INSERT OR REPLACE INTO remembered VALUES ('vips', ?1)", [list])?,
                None => connection.execute("DELETE FROM remembered WHERE name = 'vips'", [])?,
            };
            Ok(())
        })
        .await
    }

    /// What it takes to bring the VIPs by configuration up to date; what an operator said stays.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn vip_changes(&self, is_vip: impl Fn(&str) -> bool) -> Result<Vec<VipChange>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT c.n, c.address, c.own_vip FROM contact c
                 WHERE NOT EXISTS (SELECT 1 FROM vip v WHERE v.channel = c.channel AND v.address = c.address)",
            )?;
            let mut rows = statement.query([])?;
            let mut changes = Vec::new();
            while let Some(row) = rows.next()? {
                let vip: bool = row.get(2)?;
                if is_vip(row.get_ref(1)?.as_str()?) != vip {
                    changes.push(VipChange { n: row.get(0)?, vip: !vip });
                }
            }
            Ok(changes)
        })
    }

    /// Applies `changes` in slices, between which deliveries are committed; answers how many contacts changed. Whom
    /// an operator decided about meanwhile is left alone.
    ///
    /// # Errors
    /// When the store cannot write; slices before that stay applied.
    pub async fn change_vips(&self, mut changes: Vec<VipChange>) -> Result<usize, StoreError> {
        let mut changed = 0;
        while !changes.is_empty() {
            let slice = changes.split_off(changes.len().saturating_sub(VIP_SLICE));
            changed += self
                .write(move |connection| {
                    let mut changed = 0;
                    for VipChange { n, vip } in slice {
                        if !is_decided(connection, n)? {
                            set_own(connection, n, vip)?;
                            // Whoever asks counts the unread ones again.
                            settle_vips(connection, &persons::contacts_of(connection, n)?, &mut Deltas::default())?;
                            changed += 1;
                        }
                    }
                    Ok(changed)
                })
                .await?;
        }
        Ok(changed)
    }
}

/// Contacts that become VIPs, or cease to be, in one transaction: about as long as a batch of deliveries.
const VIP_SLICE: usize = 256;

/// A contact that is to become a VIP by configuration, or to cease to be one.
#[derive(Debug)]
pub struct VipChange {
    n: i64,
    vip: bool,
}

/// Whether an operator said what a contact is.
fn is_decided(connection: &Connection, n: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM contact c JOIN vip v ON v.channel = c.channel AND v.address = c.address
             WHERE c.n = ?1)",
        )?
        .query_row([n], |row| row.get(0))
}

/// Writes what a contact is by itself; [`settle_vips`] makes of it what its person is.
fn set_own(connection: &Connection, n: i64, vip: bool) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE contact SET own_vip = ?2 WHERE n = ?1")?.execute(params![n, vip]).map(drop)
}

/// Makes VIPs of those of these contacts whose person is one by now, and the contrary; their unread messages move to the
/// front or back, as `deltas` says. Answers who changed.
pub(super) fn settle_vips(
    connection: &Connection,
    contacts: &[i64],
    deltas: &mut Deltas,
) -> rusqlite::Result<Vec<(ContactId, bool)>> {
    let mut changed = Vec::new();
    for n in contacts {
        let (id, channel, is, shall) = connection
            .prepare_cached(
                "SELECT c.id, c.channel, c.vip, coalesce(
                     (SELECT max(o.own_vip) FROM person p CROSS JOIN person q ON q.person = p.person
                      CROSS JOIN contact o ON o.n = q.contact WHERE p.contact = c.n), c.own_vip)
                 FROM contact c WHERE c.n = ?1",
            )?
            .query_row([n], |row| {
                let id = ContactId::from_uuid(uuid(row, 0)?);
                Ok((id, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?, row.get::<_, bool>(3)?))
            })?;
        if is == shall {
            continue;
        }
        connection.prepare_cached("UPDATE contact SET vip = ?2 WHERE n = ?1")?.execute(params![n, shall])?;
        connection.prepare_cached("UPDATE conversation SET vip = ?2 WHERE contact = ?1")?.execute(params![n, shall])?;
        let moved = connection
            .prepare_cached(
                "UPDATE unread SET vip = ?2 WHERE vip <> ?2 AND seq IN (SELECT seq FROM message WHERE contact = ?1)",
            )?
            .execute(params![n, shall])?;
        let moved = i64::try_from(moved).unwrap_or(i64::MAX);
        deltas.unread(channel, shall, moved);
        deltas.unread(channel, is, -moved);
        changed.push((id, shall));
    }
    Ok(changed)
}

/// A contact with the others of its person.
pub(super) fn one(connection: &Connection, id: ContactId) -> rusqlite::Result<Option<Contact>> {
    let found = connection
        .prepare_cached(&format!("SELECT {COLUMNS} WHERE c.id = ?1"))?
        .query_row([&id.as_uuid().as_bytes()[..]], contact)
        .optional()?;
    found.map(|contact| with_others(connection, contact)).transpose()
}

fn with_others(connection: &Connection, mut contact: Contact) -> rusqlite::Result<Contact> {
    let sql = format!(
        "SELECT {COLUMNS} WHERE c.id <> ?1 AND c.n IN (
             SELECT q.contact FROM person p CROSS JOIN person q ON q.person = p.person
             WHERE p.contact = (SELECT n FROM contact WHERE id = ?1))
         ORDER BY c.last_seq DESC, c.n"
    );
    let id = contact.id.as_uuid();
    contact.others =
        connection.prepare_cached(&sql)?.query_map([&id.as_bytes()[..]], self::contact)?.collect::<Result<_, _>>()?;
    Ok(contact)
}

fn contact(row: &Row<'_>) -> rusqlite::Result<Contact> {
    Ok(Contact {
        id: ContactId::from_uuid(uuid(row, 0)?),
        channel: channel_id(row, 1)?,
        address: row.get(2)?,
        name: row.get(3)?,
        vip: row.get(4)?,
        messages: row.get(5)?,
        last: row.get::<_, Option<i64>>(6)?.map(timestamp),
        others: Vec::new(),
    })
}
