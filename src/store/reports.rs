//! Reports about messages that went out: every one is kept, and the highest rank holds.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::Report;

use super::PendingEvent;
use super::project::{MAX_SUBJECT, cut};

/// Writes the report of an event; writing it again leaves one.
pub(super) fn write(
    connection: &Connection,
    event: &PendingEvent,
    report: &Report,
    subject: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO report (seq, channel, about, status, rank, detail, subject)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            event.seq,
            event.channel_n,
            cut(&report.about, MAX_SUBJECT),
            cut(&report.status, MAX_SUBJECT),
            report.rank,
            cut(&report.detail, MAX_SUBJECT),
            subject,
        ])?;
    Ok(())
}

/// What is known about the message that the report in event `seq` is about: its highest report, whatever order they
/// came in, and of equals the last. `None` when the event is no report.
pub(super) fn standing(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Report>> {
    connection
        .prepare_cached(
            "SELECT best.about, best.status, best.rank, best.detail, m.seq IS NOT NULL
             FROM report this JOIN report best ON best.channel = this.channel AND best.about = this.about
             LEFT JOIN message m ON m.seq = best.seq
             WHERE this.seq = ?1 ORDER BY best.rank DESC, best.seq DESC LIMIT 1",
        )?
        .query_row([seq], |row| {
            Ok(Report {
                about: row.get(0)?,
                status: row.get(1)?,
                rank: row.get(2)?,
                detail: row.get(3)?,
                needs_somebody: row.get(4)?,
            })
        })
        .optional()
}
