//! The tokens of the API: their hashes and what is known about them.

use jiff::Timestamp;
use rusqlite::{Row, params};

use crate::model::{AuditEntry, AuditNote, Role, Scope, Token, TokenHash, TokenId};

use super::events::{corrupt, timestamp, uuid};
use super::{Store, StoreError, audit};

impl Store {
    /// All tokens, the oldest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn tokens(&self) -> Result<Vec<(TokenHash, Token)>, StoreError> {
        self.read(|connection| {
            let sql =
                "SELECT hash, id, operator, role, scopes, created, expires, used, configured FROM token ORDER BY n";
            connection.prepare(sql)?.query_map([], token)?.collect()
        })
    }

    /// Keeps a token, and what the audit log says of it.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn add_token(
        &self,
        hash: TokenHash,
        token: Token,
        note: AuditNote,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| {
            let scopes =
                token.scopes.map(|scopes| scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "));
            connection.execute(
                "INSERT INTO token (hash, id, operator, role, scopes, created, expires, used, configured)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, ?8)",
                params![
                    &hash.0[..],
                    &token.id.as_uuid().as_bytes()[..],
                    token.operator.as_str(),
                    token.role.as_str(),
                    scopes,
                    token.created.as_microsecond(),
                    token.expires.map(Timestamp::as_microsecond),
                    token.configured,
                ],
            )?;
            audit::append_all(connection, vec![note])
        })
        .await
    }

    /// Forgets a token, and keeps what the audit log says of it.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn revoke_token(&self, id: TokenId, note: AuditNote) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| {
            connection.execute("DELETE FROM token WHERE id = ?1", [&id.as_uuid().as_bytes()[..]])?;
            audit::append_all(connection, vec![note])
        })
        .await
    }

    /// Remembers when a token was used.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn token_used(&self, id: TokenId, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            let values = params![&id.as_uuid().as_bytes()[..], at.as_microsecond()];
            connection.execute("UPDATE token SET used = ?2 WHERE id = ?1", values).map(drop)
        })
        .await
    }
}

fn token(row: &Row<'_>) -> rusqlite::Result<(TokenHash, Token)> {
    let hash: [u8; 32] = row.get(0)?;
    let role: String = row.get(3)?;
    let scopes: Option<String> = row.get(4)?;
    let scopes = scopes.map(|names| names.split_whitespace().map(str::parse::<Scope>).collect::<Result<Vec<_>, _>>());
    Ok((
        TokenHash(hash),
        Token {
            id: TokenId::from_uuid(uuid(row, 1)?),
            operator: row.get_ref(2)?.as_str()?.parse().map_err(|e| corrupt(2, e))?,
            role: role.parse::<Role>().map_err(|e| corrupt(3, std::io::Error::other(e)))?,
            configured: row.get(8)?,
            scopes: scopes.transpose().map_err(|e| corrupt(4, std::io::Error::other(e)))?,
            created: timestamp(row.get(5)?),
            expires: row.get::<_, Option<i64>>(6)?.map(timestamp),
            used: row.get::<_, Option<i64>>(7)?.map(timestamp),
        },
    ))
}
