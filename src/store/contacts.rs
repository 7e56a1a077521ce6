//! Contacts, and who of them is a VIP.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{ChannelId, Contact, ContactFilter, ContactId};

use super::events::{channel_id, timestamp, uuid};
use super::{Store, StoreError, Unread};

const COLUMNS: &str = "c.id, ch.id, c.address, c.name, c.vip, c.messages,
    (SELECT received FROM event WHERE seq = c.last_seq)
    FROM contact c JOIN channel ch ON ch.n = c.channel";

impl Store {
    /// The contacts who wrote last, newest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn contacts(&self, filter: &ContactFilter, limit: usize) -> Result<Vec<Contact>, StoreError> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} WHERE (?1 IS NULL OR ch.id = ?1) AND (NOT ?2 OR c.vip) ORDER BY c.last_seq DESC LIMIT ?3"
            );
            let channel = filter.channel.as_ref().map(ChannelId::as_str);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            connection.prepare_cached(&sql)?.query_map(params![channel, filter.vip, limit], contact)?.collect()
        })
    }

    /// One contact.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn contact(&self, id: ContactId) -> Result<Option<Contact>, StoreError> {
        self.read(|connection| one(connection, id))
    }

    /// Makes a contact a VIP or not, whatever the configuration says; answers how the unread counts changed.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn set_vip(&self, id: ContactId, vip: bool) -> Result<Option<(Contact, Unread)>, StoreError> {
        self.write(move |connection| {
            let bytes = &id.as_uuid().as_bytes()[..];
            connection.execute(
                "INSERT INTO vip (channel, address, vip) SELECT channel, address, ?2 FROM contact WHERE id = ?1
                 ON CONFLICT (channel, address) DO UPDATE SET vip = excluded.vip",
                params![bytes, vip],
            )?;
            let moved = apply_vip(connection, bytes, vip)?;
            let delta = if vip { (moved, -moved) } else { (-moved, moved) };
            let contact = one(connection, id)?;
            Ok(contact.map(|contact| {
                let unread = Unread::from([(contact.channel.clone(), delta)]);
                (contact, unread)
            }))
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
                "SELECT c.id, c.address, c.vip FROM contact c
                 WHERE NOT EXISTS (SELECT 1 FROM vip v WHERE v.channel = c.channel AND v.address = c.address)",
            )?;
            let mut rows = statement.query([])?;
            let mut changes = Vec::new();
            while let Some(row) = rows.next()? {
                let vip: bool = row.get(2)?;
                if is_vip(row.get_ref(1)?.as_str()?) != vip {
                    changes.push(VipChange { id: row.get(0)?, vip: !vip });
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
                    for VipChange { id, vip } in slice {
                        if !is_decided(connection, &id)? {
                            apply_vip(connection, &id, vip)?;
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
    id: Vec<u8>,
    vip: bool,
}

/// Whether an operator said what a contact is.
fn is_decided(connection: &Connection, id: &[u8]) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM contact c JOIN vip v ON v.channel = c.channel AND v.address = c.address
             WHERE c.id = ?1)",
        )?
        .query_row([id], |row| row.get(0))
}

/// Writes what a contact is, and moves its unread messages to the front or back; answers how many.
fn apply_vip(connection: &Connection, id: &[u8], vip: bool) -> rusqlite::Result<i64> {
    connection.prepare_cached("UPDATE contact SET vip = ?2 WHERE id = ?1")?.execute(params![id, vip])?;
    connection
        .prepare_cached("UPDATE conversation SET vip = ?2 WHERE contact = (SELECT n FROM contact WHERE id = ?1)")?
        .execute(params![id, vip])?;
    let moved = connection
        .prepare_cached(
            "UPDATE unread SET vip = ?2 WHERE vip <> ?2 AND seq IN
             (SELECT m.seq FROM message m JOIN contact c ON c.n = m.contact WHERE c.id = ?1)",
        )?
        .execute(params![id, vip])?;
    Ok(i64::try_from(moved).unwrap_or(i64::MAX))
}

fn one(connection: &Connection, id: ContactId) -> rusqlite::Result<Option<Contact>> {
    connection
        .query_row(&format!("SELECT {COLUMNS} WHERE c.id = ?1"), [&id.as_uuid().as_bytes()[..]], contact)
        .optional()
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
    })
}
