//! Refused deliveries, kept for a look back.

use jiff::Timestamp;
use rusqlite::params;

use crate::model::Rejection;

use super::events::timestamp;
use super::{Store, StoreError};

/// Rows kept. Whoever is refused cannot fill the disk.
const KEPT: i64 = 10_000;

impl Store {
    /// Keeps `rejections`, and drops the oldest when there are too many.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn keep_rejections(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        self.write(move |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT INTO rejection (reason, alarm, channel, source, detail, count, first, last)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for rejection in &rejections {
                insert.execute(params![
                    rejection.reason,
                    rejection.alarm,
                    rejection.channel,
                    rejection.source,
                    rejection.detail,
                    rejection.count,
                    rejection.first.as_microsecond(),
                    rejection.last.as_microsecond(),
                ])?;
            }
            connection
                .prepare_cached("DELETE FROM rejection WHERE n <= (SELECT max(n) FROM rejection) - ?1")?
                .execute([KEPT])?;
            Ok(())
        })
        .await
    }

    /// The newest rejections since `since`, newest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn rejections(&self, since: Option<Timestamp>, limit: usize) -> Result<Vec<Rejection>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT reason, alarm, channel, source, detail, count, first, last FROM rejection
                     WHERE ?1 IS NULL OR last >= ?1 ORDER BY n DESC LIMIT ?2",
                )?
                .query_map(
                    params![since.map(Timestamp::as_microsecond), i64::try_from(limit).unwrap_or(i64::MAX)],
                    |row| {
                        Ok(Rejection {
                            reason: row.get(0)?,
                            alarm: row.get(1)?,
                            channel: row.get(2)?,
                            source: row.get(3)?,
                            detail: row.get(4)?,
                            count: row.get(5)?,
                            first: timestamp(row.get(6)?),
                            last: timestamp(row.get(7)?),
                        })
                    },
                )?
                .collect()
        })
    }
}
