//! Tells one caller how far a job is and what it writes, until it is over.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::model::{JobId, OutputChunk};
use crate::protocol::{FromAgent, Journal};

use super::desk::{Inner, blocking, trouble};
use super::journal::{Claim, is_old};
use super::output::OutputReader;
use super::runner::expired;

/// About so many bytes of output are read at once.
const BATCH: usize = 256 << 10;

impl Inner {
    /// How far the job `id` is. One that was not started in time is settled as never run.
    pub(super) fn look(&self, id: JobId, now: Timestamp) -> io::Result<Journal> {
        let journal = self.spool.journal(id, &self.boot)?;
        if journal == Journal::Absent
            && is_old(id, now)
            && let Some(word) = self.buried(id)?
        {
            return Ok(Journal::Unknown {
                reason: format!("it is too old to be kept; all that is left of it is: {word}"),
            });
        }
        let Journal::Accepted = journal else { return Ok(journal) };
        let Some(job) = self.spool.job(id)? else { return Ok(Journal::Absent) };
        match job.accepted()? {
            Some(accepted) if now > accepted.order.not_after => {
                self.spool.claim(&job, &Claim::never("expired", expired(accepted.order.not_after)))?;
                self.spool.journal(id, &self.boot)
            }
            _ => Ok(journal),
        }
    }

    /// The same; what is told to be accepted, or never to run, is durable.
    pub(super) fn look_durably(&self, id: JobId, now: Timestamp) -> io::Result<Journal> {
        let journal = self.look(id, now)?;
        let is_told = matches!(journal, Journal::Accepted | Journal::NotRun { .. });
        if let Some(job) = self.spool.job(id)?.filter(|_| is_told) {
            match journal {
                Journal::Accepted => self.spool.settle(&job)?,
                // Whoever decided it may be on the way to the disk still. A result was there before it was seen.
                _ if matches!(job.claim()?, Some(Claim::Never { .. })) => self.spool.settle_claim(&job)?,
                _ => {}
            }
        }
        Ok(journal)
    }

    /// Tells `answers` every change of the job `id`, and its output from the piece `from` on. `told` is what was told
    /// already. Ends when the job is over, or nobody listens any more.
    pub(super) async fn follow(
        self: Arc<Self>,
        id: JobId,
        from: u64,
        mut told: Option<Journal>,
        answers: mpsc::Sender<FromAgent>,
    ) {
        let mut changes = self.changes(id);
        let mut reader = None;
        loop {
            let inner = Arc::clone(&self);
            let is_news = told.is_none();
            let seen = blocking(move || inner.see(id, from, reader, is_news)).await;
            let (journal, chunks);
            (journal, chunks, reader) = match seen {
                Ok(seen) => seen,
                Err(error) => {
                    // It is the last word, whether anybody hears it or not.
                    let _ = answers.send(trouble(id, &error)).await;
                    return;
                }
            };
            let is_over = !matches!(journal, Journal::Accepted | Journal::Started { .. });
            // What it wrote comes before its end.
            if !is_over && told.as_ref() != Some(&journal) {
                told = Some(journal.clone());
                if answers.send(FromAgent::State { id, journal: journal.clone() }).await.is_err() {
                    return;
                }
            }
            let is_read = chunks.is_empty();
            for chunk in chunks {
                if answers.send(FromAgent::Output { id, chunk }).await.is_err() {
                    return;
                }
            }
            match (is_read, is_over) {
                (false, _) => {}
                (true, true) => {
                    // The last word here, too; who missed it asks again.
                    let _ = answers.send(FromAgent::State { id, journal }).await;
                    return;
                }
                (true, false) => tokio::select! {
                    () = changes.next() => {}
                    () = answers.closed() => return,
                },
            }
        }
    }

    /// One look at a job: its state first, so that all output is there once it is over.
    fn see(
        &self,
        id: JobId,
        from: u64,
        reader: Option<OutputReader>,
        is_news: bool,
    ) -> io::Result<(Journal, Vec<OutputChunk>, Option<OutputReader>)> {
        let now = Timestamp::now();
        let mut journal = self.look(id, now)?;
        if is_news || matches!(journal, Journal::NotRun { .. }) {
            journal = self.look_durably(id, now)?;
        }
        let reader = match reader {
            Some(reader) => Some(reader),
            None => self.spool.job(id)?.map(|job| OutputReader::new(&job, from)).transpose()?,
        };
        let Some(mut reader) = reader else { return Ok((journal, Vec::new(), None)) };
        let chunks = reader.read(BATCH)?;
        Ok((journal, chunks, Some(reader)))
    }
}
