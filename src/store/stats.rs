//! Counts per channel, kept with what they count, or from an index alone.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::model::ChannelStats;

use super::events::channel_id;
use super::{Store, StoreError};

impl Store {
    /// What every channel has brought, and how much of it since `midnight`.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn channel_stats(&self, midnight: Timestamp) -> Result<Vec<ChannelStats>, StoreError> {
        self.read(|connection| {
            // A UUIDv7 begins with 48 bits of milliseconds (RFC 9562), so the index over them finds the first event of the day.
            let day = u128::try_from(midnight.as_millisecond()).unwrap_or_default() << 80;
            let first: Option<i64> = connection
                .prepare_cached("SELECT seq FROM event WHERE id >= ?1 ORDER BY id LIMIT 1")?
                .query_row([&day.to_be_bytes()[..]], |row| row.get(0))
                .optional()?;
            connection
                .prepare_cached(
                    "SELECT id, k.messages, k.unread + k.unread_vip,
                            (SELECT coalesce(sum(messages), 0) FROM contact WHERE channel = c.n AND vip),
                            (SELECT count(*) FROM message WHERE channel = c.n AND seq >= ?1)
                     FROM channel c JOIN channel_count k ON k.channel = c.n ORDER BY id",
                )?
                .query_map(params![first.unwrap_or(i64::MAX)], |row| {
                    Ok(ChannelStats {
                        channel: channel_id(row, 0)?,
                        messages: row.get(1)?,
                        unread: row.get(2)?,
                        vip: row.get(3)?,
                        processed_today: row.get(4)?,
                    })
                })?
                .collect()
        })
    }
}
