//! The way of one event, as far as it is known.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::model::{Assurance, EventId, Trace};

use super::events::timestamp;
use super::passages::Point;
use super::{Store, StoreError};

/// What is said of a time that was not written before the engine ended.
const UNKNOWN: &str = "when is unknown since the engine restarted";

struct Facts {
    seq: i64,
    received: i64,
    channel: String,
    assurance: Assurance,
    key: String,
    dead: Option<String>,
    is_projected: bool,
    is_indexed: bool,
    is_message: bool,
    read: (Option<i64>, Option<String>),
    acked: (Option<i64>, Option<String>),
}

impl Store {
    /// The way of an event; `None` when nobody knows it.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn trace(&self, id: EventId) -> Result<Option<Trace>, StoreError> {
        self.read(|connection| {
            let found = connection
                .prepare_cached(
                    "SELECT e.seq, e.received, c.id, e.assurance, e.dedupe_key, e.dead,
                     e.seq <= (SELECT seq FROM watermark WHERE name = 'messages'),
                     e.seq <= (SELECT seq FROM watermark WHERE name = 'search'), m.seq IS NOT NULL,
                     k.read_at, k.read_by, k.acked_at, k.acked_by
                     FROM event e JOIN channel c ON c.n = e.channel LEFT JOIN message m ON m.seq = e.seq
                     LEFT JOIN mark k ON k.seq = e.seq WHERE e.id = ?1",
                )?
                .query_row([&id.as_uuid().as_bytes()[..]], facts)
                .optional()?;
            found.map(|facts| self.way(connection, facts)).transpose()
        })
    }

    fn way(&self, connection: &Connection, facts: Facts) -> rusqlite::Result<Trace> {
        let past = |point| self.passages().find(connection, point, facts.seq);
        let known = |at: &Option<Timestamp>, what: &str| match at {
            Some(_) => what.to_owned(),
            None => format!("{what}; {UNKNOWN}"),
        };
        let mut trace = Trace::default();
        trace.step("received", Some(timestamp(facts.received)), format!("on channel {}", facts.channel));
        trace.step("verified", None, format!("what its signature proves: {}; before it was stored", facts.assurance));
        trace.step("deduped", None, format!("new under its key {}; decided as it was stored", facts.key));
        let at = past(Point::Stored)?;
        trace.step("stored", at, known(&at, "committed, and then its sender was answered"));
        if !facts.is_projected {
            trace.step("projected", None, "not yet");
            return Ok(trace);
        }
        let at = past(Point::Projected)?;
        let what = match (&facts.dead, facts.is_message) {
            (Some(cause), _) => format!("a dead letter: {cause}"),
            (None, true) => "its message was made".to_owned(),
            (None, false) => "a report about another message".to_owned(),
        };
        trace.step("projected", at, known(&at, &what));
        if !facts.is_message {
            return Ok(trace);
        }
        let at = if facts.is_indexed { past(Point::Indexed)? } else { None };
        trace.step("indexed", at, if facts.is_indexed { known(&at, "it can be found") } else { "not yet".to_owned() });
        let at = past(Point::Shown)?;
        let what = match at {
            Some(_) => "sent to the screens that were attached",
            None => "no screen was attached when it came, or it is unknown since the engine restarted",
        };
        trace.step("shown", at, what);
        said(&mut trace, "read", facts.read, "nobody has read it");
        said(&mut trace, "taken", facts.acked, "nobody has taken it");
        Ok(trace)
    }
}

fn said(trace: &mut Trace, name: &str, (at, who): (Option<i64>, Option<String>), nobody: &str) {
    let what = match (at, who) {
        (None, _) => nobody.to_owned(),
        (Some(_), Some(who)) => format!("by {who}"),
        (Some(_), None) => "by whom is not known".to_owned(),
    };
    trace.step(name, at.map(timestamp), what);
}

fn facts(row: &Row<'_>) -> rusqlite::Result<Facts> {
    Ok(Facts {
        seq: row.get(0)?,
        received: row.get(1)?,
        channel: row.get(2)?,
        assurance: Assurance::from_rank(row.get(3)?),
        key: row.get(4)?,
        dead: row.get(5)?,
        is_projected: row.get(6)?,
        is_indexed: row.get(7)?,
        is_message: row.get(8)?,
        read: (row.get(9)?, row.get(10)?),
        acked: (row.get(11)?, row.get(12)?),
    })
}
