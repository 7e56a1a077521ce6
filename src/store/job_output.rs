//! What jobs wrote: the beginning and the end of each.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{JobId, JobOutput, OutputChunk, OutputTotals, Stream};

use super::jobs::blob;
use super::{Store, StoreError};

/// Bytes kept of the beginning of what a job writes, and of its end. Agents keep as much.
pub(super) const HEAD: i64 = 1 << 20;
pub(super) const TAIL: i64 = 1 << 20;
/// Bytes of pieces in one answer; more only where one piece is longer.
pub(super) const PART: usize = 512 << 10;

impl Store {
    /// What a job wrote, from the piece numbered `from` on; as much as one answer holds. `None` when it is not known.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn job_output(&self, id: JobId, from: u64) -> Result<Option<JobOutput>, StoreError> {
        self.read(|connection| {
            // A read is of one moment, so the end is told with the last piece and never before it.
            let found = connection
                .prepare_cached("SELECT n, out, err, cut, open = 1 FROM job WHERE id = ?1")?
                .query_row([blob(id)], |row| {
                    let totals = OutputTotals { out: row.get(1)?, err: row.get(2)?, cut: row.get(3)? };
                    Ok((row.get::<_, i64>(0)?, totals, row.get::<_, bool>(4)?))
                })
                .optional()?;
            let Some((number, totals, open)) = found else { return Ok(None) };
            let mut part = JobOutput { chunks: Vec::new(), next: from, totals, end: !open };
            let mut statement = connection.prepare_cached(
                "SELECT seq, stream, bytes FROM job_output WHERE job = ?1 AND seq >= ?2 ORDER BY seq",
            )?;
            let mut rows = statement.query(params![number, from])?;
            let mut bytes = 0;
            while let Some(row) = rows.next()? {
                let chunk = chunk(row)?;
                bytes += chunk.bytes.len();
                if bytes > PART && !part.chunks.is_empty() {
                    part.end = false;
                    break;
                }
                part.next = chunk.seq + 1;
                part.chunks.push(chunk);
            }
            Ok(Some(part))
        })
    }
}

/// Keeps a piece. Of a job that writes more than is kept, the middle goes.
pub(super) fn keep(connection: &Connection, id: JobId, chunk: &OutputChunk) -> rusqlite::Result<()> {
    let found = connection
        .prepare_cached("SELECT n, head, tail FROM job WHERE id = ?1")?
        .query_row([blob(id)], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
        .optional()?;
    let Some((number, mut head, mut tail)) = found else { return Ok(()) };
    let length = i64::try_from(chunk.bytes.len()).unwrap_or(i64::MAX);
    let is_tail = tail > 0 || head + length > HEAD;
    let stream = match chunk.stream {
        Stream::Out => 1,
        Stream::Err => 2,
    };
    let fresh = connection
        .prepare_cached("INSERT OR IGNORE INTO job_output (job, seq, stream, tail, bytes) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![number, chunk.seq, stream, is_tail, chunk.bytes])?;
    if fresh == 0 {
        return Ok(());
    }
    *(if is_tail { &mut tail } else { &mut head }) += length;
    while tail > TAIL {
        let (seq, length): (u64, i64) = connection
            .prepare_cached("SELECT seq, length(bytes) FROM job_output WHERE job = ?1 AND tail ORDER BY seq LIMIT 1")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        connection
            .prepare_cached("DELETE FROM job_output WHERE job = ?1 AND seq = ?2")?
            .execute(params![number, seq])?;
        tail -= length;
    }
    connection
        .prepare_cached("UPDATE job SET head = ?2, tail = ?3 WHERE n = ?1")?
        .execute(params![number, head, tail])?;
    Ok(())
}

fn chunk(row: &Row<'_>) -> rusqlite::Result<OutputChunk> {
    let stream = if row.get::<_, i64>(1)? == 1 { Stream::Out } else { Stream::Err };
    Ok(OutputChunk { seq: row.get(0)?, stream, bytes: row.get(2)? })
}
