//! The nodes that are known: what each may do here, its keys as they were pinned, its quarantine, and invitations.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{AuditEntry, AuditNote, NodeKey, NodeName, PinnedKey, PinnedKeys, Trust};

use super::events::{corrupt, timestamp};
use super::nodes_log::{drop_logs, name};
use super::{Store, StoreError, audit};

/// A node that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNode {
    /// Its name.
    pub name: NodeName,
    /// Where it listens, when it is reached directly.
    pub url: Option<String>,
    /// SHA-256 of the public key in its listener's certificate, where only that one is believed.
    pub pin: Option<[u8; 32]>,
    /// Who vouched for it. `None`: it was added or invited here.
    pub via: Option<NodeName>,
    /// What it may do here.
    pub trust: Trust,
    /// Whether the configuration names it.
    pub configured: bool,
    /// Since when it is known.
    pub added: Timestamp,
    /// Its keys, the oldest first. Those that no longer count for requests still prove what was signed with them.
    pub keys: Vec<PinnedKey>,
    /// Why nothing of it is taken over, when that is so.
    pub quarantine: Option<Quarantine>,
}

impl KnownNode {
    /// Whether it is known by the word of another node alone: nobody here added, invited or named it.
    #[must_use]
    pub fn is_vouched(&self) -> bool {
        self.via.is_some() && !self.configured
    }
}

/// Why nothing of a node is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Since when.
    pub since: Timestamp,
    /// What it did, in one line. It may hold text from outside.
    pub why: String,
}

/// What became of the word of one node for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// It is known now.
    Pinned,
    /// It was known before. Nothing has changed: who vouches adds no keys.
    Known,
    /// An operator has removed it. It stays so.
    Removed,
}

impl Store {
    /// The nodes that are known, by name.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn nodes(&self) -> Result<Vec<KnownNode>, StoreError> {
        self.read(|connection| {
            let mut nodes: Vec<KnownNode> = connection
                .prepare_cached(
                    "SELECT name, url, via, trust, configured, added, quarantined, why, pin FROM node
                     WHERE removed IS NULL ORDER BY name",
                )?
                .query_map([], node)?
                .collect::<Result<_, _>>()?;
            for node in &mut nodes {
                node.keys = keys(connection, &node.name)?;
            }
            Ok(nodes)
        })
    }

    /// Keeps a node as it is now, its keys and the end of its quarantine included. Only this brings back a node that was
    /// removed.
    ///
    /// # Errors
    /// When the store cannot write; nothing is kept then.
    pub async fn keep_node(&self, node: KnownNode, notes: Vec<AuditNote>) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| {
            put(connection, &node)?;
            audit::append_all(connection, notes)
        })
        .await
    }

    /// Changes what a node may do here, and ends its quarantine. A node that is not known, or no longer, stays so.
    ///
    /// # Errors
    /// When the store cannot write; nothing is changed then.
    pub async fn trust_node(
        &self,
        name: NodeName,
        trust: Trust,
        notes: Vec<AuditNote>,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| {
            let known = connection
                .prepare_cached(
                    "UPDATE node SET trust = ?2, quarantined = NULL, why = NULL WHERE name = ?1 AND removed IS NULL",
                )?
                .execute(params![name.as_str(), trust.as_str()])?;
            if known == 0 { Ok(Vec::new()) } else { audit::append_all(connection, notes) }
        })
        .await
    }

    /// Keeps these as the keys of a node, and changes nothing else of it. A node that is not known, or no longer, stays
    /// so.
    ///
    /// # Errors
    /// When the store cannot write; nothing is changed then.
    pub async fn keep_keys(
        &self,
        name: NodeName,
        keys: PinnedKeys,
        notes: Vec<AuditNote>,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| {
            let known = connection
                .prepare_cached("SELECT 1 FROM node WHERE name = ?1 AND removed IS NULL")?
                .exists([name.as_str()])?;
            if !known {
                return Ok(Vec::new());
            }
            put_keys(connection, &name, &keys.0)?;
            audit::append_all(connection, notes)
        })
        .await
    }

    /// Forgets a node: its keys no longer count and what it shared is dropped. Its name stays, so that no other node's
    /// word brings it back. Who is known by its word alone is forgotten with it, and without a trace: the word of another
    /// node may bring them back.
    ///
    /// # Errors
    /// When the store cannot write; nothing is forgotten then.
    pub async fn remove_node(
        &self,
        name: NodeName,
        now: Timestamp,
        notes: Vec<AuditNote>,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached("UPDATE node SET removed = ?2, quarantined = NULL, why = NULL WHERE name = ?1")?
                .execute(params![name.as_str(), now.as_microsecond()])?;
            connection.prepare_cached("DELETE FROM node_key WHERE node = ?1")?.execute([name.as_str()])?;
            drop_logs(connection, &name)?;
            let vouched: Vec<NodeName> = connection
                .prepare_cached("SELECT name FROM node WHERE via = ?1 AND NOT configured AND removed IS NULL")?
                .query_map([name.as_str()], |row| self::name(row, 0))?
                .collect::<Result<_, _>>()?;
            for vouched in vouched {
                connection.prepare_cached("DELETE FROM node_key WHERE node = ?1")?.execute([vouched.as_str()])?;
                connection.prepare_cached("DELETE FROM node WHERE name = ?1")?.execute([vouched.as_str()])?;
                drop_logs(connection, &vouched)?;
            }
            audit::append_all(connection, notes)
        })
        .await
    }

    /// Takes over nothing of a node from now on, and says why. An earlier reason stays.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn quarantine_node(
        &self,
        name: NodeName,
        quarantine: Quarantine,
        notes: Vec<AuditNote>,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| {
            let new = connection
                .prepare_cached(
                    "UPDATE node SET quarantined = ?2, why = ?3
                     WHERE name = ?1 AND quarantined IS NULL AND removed IS NULL",
                )?
                .execute(params![name.as_str(), quarantine.since.as_microsecond(), quarantine.why])?;
            if new == 0 { Ok(Vec::new()) } else { audit::append_all(connection, notes) }
        })
        .await
    }

    /// Takes the word of one node for another: pins it when nothing is known of it, and changes nothing otherwise.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn vouch(&self, node: KnownNode) -> Result<Vouched, StoreError> {
        self.write(move |connection| {
            let removed: Option<Option<i64>> = connection
                .prepare_cached("SELECT removed FROM node WHERE name = ?1")?
                .query_row([node.name.as_str()], |row| row.get(0))
                .optional()?;
            match removed {
                Some(Some(_)) => Ok(Vouched::Removed),
                Some(None) => Ok(Vouched::Known),
                None => put(connection, &node).map(|()| Vouched::Pinned),
            }
        })
        .await
    }

    /// Keeps the hash of an invitation's secret until it is used or over; forgets those that are over at `now`.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn invite(
        &self,
        hash: [u8; 32],
        trust: Trust,
        now: Timestamp,
        expires: Timestamp,
        notes: Vec<AuditNote>,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM node_invitation WHERE expires <= ?1")?
                .execute([now.as_microsecond()])?;
            connection
                .prepare_cached("INSERT INTO node_invitation (hash, trust, expires) VALUES (?1, ?2, ?3)")?
                .execute(params![&hash[..], trust.as_str(), expires.as_microsecond()])?;
            audit::append_all(connection, notes)
        })
        .await
    }

    /// Uses up an invitation and keeps the node that came with it, both or neither. `None`: nobody was invited by this
    /// secret, or it is over. The node's trust is what the invitation says, and
    /// what the configuration says where that names it.
    ///
    /// # Errors
    /// When the store cannot write; the invitation still counts then.
    pub async fn accept_invitation(
        &self,
        hash: [u8; 32],
        node: KnownNode,
        now: Timestamp,
        notes: Vec<AuditNote>,
    ) -> Result<Option<(Trust, Vec<AuditEntry>)>, StoreError> {
        self.write(move |connection| {
            let trust: Option<String> = connection
                .prepare_cached("DELETE FROM node_invitation WHERE hash = ?1 AND expires > ?2 RETURNING trust")?
                .query_row(params![&hash[..], now.as_microsecond()], |row| row.get(0))
                .optional()?;
            let Some(trust) = trust else { return Ok(None) };
            let trust = trust.parse().map_err(|error: String| corrupt(0, std::io::Error::other(error)))?;
            let trust = if node.configured { node.trust } else { trust };
            put(connection, &KnownNode { trust, ..node })?;
            Ok(Some((trust, audit::append_all(connection, notes)?)))
        })
        .await
    }
}

fn put(connection: &Connection, node: &KnownNode) -> rusqlite::Result<()> {
    let quarantine = node.quarantine.as_ref();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO node (name, url, via, trust, configured, added, quarantined, why, pin)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            node.name.as_str(),
            node.url,
            node.via.as_ref().map(NodeName::as_str),
            node.trust.as_str(),
            node.configured,
            node.added.as_microsecond(),
            quarantine.map(|quarantine| quarantine.since.as_microsecond()),
            quarantine.map(|quarantine| &quarantine.why),
            node.pin.as_ref().map(|pin| &pin[..]),
        ])?;
    put_keys(connection, &node.name, &node.keys)
}

fn put_keys(connection: &Connection, node: &NodeName, keys: &[PinnedKey]) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM node_key WHERE node = ?1")?.execute([node.as_str()])?;
    for PinnedKey { key, since, until } in keys {
        connection
            .prepare_cached("INSERT OR REPLACE INTO node_key (node, key, since, until) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                node.as_str(),
                &key.as_bytes()[..],
                since.as_microsecond(),
                until.map(Timestamp::as_microsecond),
            ])?;
    }
    Ok(())
}

fn keys(connection: &Connection, node: &NodeName) -> rusqlite::Result<Vec<PinnedKey>> {
    connection
        .prepare_cached("SELECT key, since, until FROM node_key WHERE node = ?1 ORDER BY since, key")?
        .query_map([node.as_str()], |row| {
            Ok(PinnedKey {
                key: NodeKey::from_bytes(row.get(0)?),
                since: timestamp(row.get(1)?),
                until: row.get::<_, Option<i64>>(2)?.map(timestamp),
            })
        })?
        .collect()
}

fn node(row: &Row<'_>) -> rusqlite::Result<KnownNode> {
    let trust: String = row.get(3)?;
    let since: Option<i64> = row.get(6)?;
    let why: Option<String> = row.get(7)?;
    Ok(KnownNode {
        name: name(row, 0)?,
        url: row.get(1)?,
        pin: row.get(8)?,
        via: row.get_ref(2)?.as_str_or_null()?.map(str::parse).transpose().map_err(|error| corrupt(2, error))?,
        trust: trust.parse().map_err(|error: String| corrupt(3, std::io::Error::other(error)))?,
        configured: row.get(4)?,
        added: timestamp(row.get(5)?),
        keys: Vec::new(),
        quarantine: since.map(|since| Quarantine { since: timestamp(since), why: why.unwrap_or_default() }),
    })
}
