//! Saved views: their queries, and how many unread conversations match one.

use rusqlite::{params, params_from_iter};

use crate::model::{Count, InboxFilter};

use super::conversations::{self, Conditions};
use super::{Store, StoreError};

/// Views there are beside those that are always there.
const VIEWS: usize = 50;
/// Unread conversations a count looks at, the newest; and how many it counts to.
const LOOKED_AT: u32 = 20_000;
const COUNTED: u32 = 1_000;

impl Store {
    /// The saved views: name and query, by name.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn views(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT name, query FROM view ORDER BY name")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// Keeps a view; another of this name is replaced. Answers whether there is room for it.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn save_view(&self, name: String, query: String) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let saved = connection.execute(
                "INSERT INTO view (name, query) SELECT ?1, ?2
                 WHERE (SELECT count(*) FROM view WHERE name <> ?1) < ?3
                 ON CONFLICT (name) DO UPDATE SET name = excluded.name, query = excluded.query",
                params![name, query, VIEWS],
            )?;
            Ok(saved == 1)
        })
        .await
    }

    /// Forgets a view; answers whether it was there.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn delete_view(&self, name: String) -> Result<bool, StoreError> {
        self.write(move |connection| Ok(connection.execute("DELETE FROM view WHERE name = ?1", [name])? == 1)).await
    }

    /// How many unread conversations match, 1,000 at most. Only the newest 20,000 unread ones are looked at, so a count
    /// takes a bounded time however large the inbox is.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn unread_conversations(&self, filter: &InboxFilter) -> Result<Count, StoreError> {
        self.read(|connection| {
            let Conditions { sql: conditions, values, partly } = conversations::conditions(connection, filter)?;
            let sql = format!(
                "WITH u AS MATERIALIZED (SELECT n FROM conversation WHERE hidden = {} AND tier = 2 ORDER BY place DESC
                LIMIT {LOOKED_AT})
             SELECT (SELECT count(*) FROM (SELECT 1 FROM u CROSS JOIN conversation v ON v.n = u.n
                LEFT JOIN desk d ON d.conversation = v.n WHERE {conditions} LIMIT {COUNTED} + 1)),
                (SELECT count(*) FROM u)",
                u8::from(filter.snoozed)
            );
            connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| {
                let (matching, looked_at): (u32, u32) = (row.get(0)?, row.get(1)?);
                Ok(Count { n: matching.min(COUNTED), more: partly || matching > COUNTED || looked_at == LOOKED_AT })
            })
        })
    }
}
