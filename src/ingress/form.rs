//! Reading a form: its fields in memory, its files on disk, both within budgets, while it comes in.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Duration, Instant};

use crate::model::Reason;
use crate::provider::{Form, FormBuilder, FormDecoder, FormError, Piece};
use crate::store::{Blobs, Claim, NewBlob};

use super::BodyBudget;
use super::budget::Share;

/// Bytes gathered before they are written, and bytes of a frame looked at in one go. Buffers of one small size are used
/// again and again; growing ones would each take pages of their own.
const WRITE: usize = 64 * 1024;
const STEP: usize = 16 * 1024;
/// Time for a form, whatever its size, and the bytes a second that earn it more.
const PATIENCE: Duration = Duration::from_secs(30);
const BYTES_A_SECOND: u64 = 256 * 1024;
/// What was earned is lost when nothing comes for so long: whoever only holds room has sent enough for it.
const SILENCE: Duration = Duration::from_secs(10);

/// Where the files of forms go.
#[derive(Debug)]
pub struct Spool {
    /// The files.
    pub blobs: Arc<Blobs>,
    /// What files of deliveries nobody has authenticated yet may take on disk.
    pub disk: Arc<BodyBudget>,
}

impl Spool {
    /// A spool into `blobs` that may hold 256 MiB nobody has authenticated yet.
    #[must_use]
    pub fn new(blobs: Arc<Blobs>) -> Self {
        Self { blobs, disk: Arc::new(BodyBudget::new(256 << 20)) }
    }
}

/// The files of a form that has come in, and the room it takes. They are removed when it is dropped before they are kept.
pub(super) struct SpooledForm {
    files: Vec<(NewBlob, String)>,
    kept: Vec<Claim>,
    _memory: Share,
    _disk: Share,
}

/// Why a form was not read.
pub(super) struct Unread {
    pub reason: Reason,
    pub detail: String,
}

impl Unread {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<FormError> for Unread {
    fn from(error: FormError) -> Self {
        let reason = match error {
            FormError::Malformed(_) => Reason::MalformedBody,
            FormError::TooLarge(_) => Reason::TooLarge,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::new(Reason::StoreFailed, format!("failed to keep a file: {error}"))
    }
}

impl SpooledForm {
    /// Whether files came along.
    pub(super) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Makes the files durable under their hashes.
    pub(super) async fn keep(&mut self, spool: &Spool) -> io::Result<()> {
        let (files, blobs) = (std::mem::take(&mut self.files), Arc::clone(&spool.blobs));
        self.kept = blocking(move || {
            let mut kept = Vec::with_capacity(files.len());
            for (blob, sha256) in files {
                match blobs.keep(blob, &sha256) {
                    Ok(claim) => kept.push(claim),
                    Err(error) => {
                        kept.into_iter().for_each(Claim::give_up);
                        return Err(error);
                    }
                }
            }
            Ok(kept)
        })
        .await?;
        Ok(())
    }

    /// Removes the files again that were made durable: no event was stored that names them.
    pub(super) async fn give_up(self) {
        let kept = self.kept;
        if !kept.is_empty() {
            // Should it fail, files are left that nobody names.
            let _ = tokio::task::spawn_blocking(move || kept.into_iter().for_each(Claim::give_up)).await;
        }
    }
}

/// Reads `body`, at most `max` bytes of it, as a form of this `Content-Type`. Answers it and its files.
pub(super) async fn read(
    mut body: Incoming,
    content_type: &str,
    max: u64,
    memory: Share,
    disk: Share,
    spool: &Spool,
) -> Result<(Form, SpooledForm), Unread> {
    let too_large = || Unread::new(Reason::TooLarge, format!("the body is larger than {max} bytes"));
    let broken = || Unread::new(Reason::BodyTimeout, "the body broke off or took too long");
    if body.size_hint().lower() > max {
        return Err(too_large());
    }
    let mut reader = Reader {
        decoder: FormDecoder::new(content_type)?,
        builder: FormBuilder::default(),
        spool,
        writing: None,
        files: Vec::new(),
        memory,
        disk,
        on_disk: 0,
    };
    let started = Instant::now();
    let mut received = 0;
    loop {
        let deadline = deadline(started, received, Instant::now());
        let Some(frame) = tokio::time::timeout_at(deadline, body.frame()).await.map_err(|_| broken())? else { break };
        let Ok(data) = frame.map_err(|_| broken())?.into_data() else { continue };
        received += data.len() as u64;
        if received > max {
            return Err(too_large());
        }
        for step in data.chunks(STEP) {
            reader.decoder.feed(step);
            reader.take_pieces().await?;
        }
    }
    reader.decoder.finish();
    reader.take_pieces().await?;
    let Reader { builder, files, mut memory, disk, .. } = reader;
    let form = builder.finish();
    // As it is stored it is there beside the form.
    if !memory.reach(2 * form.stored_len() as u64) {
        return Err(Unread::new(Reason::Overloaded, "too many large bodies at once"));
    }
    Ok((form, SpooledForm { files, kept: Vec::new(), _memory: memory, _disk: disk }))
}

/// Until when the next bytes of a form must come that began at `started`.
fn deadline(started: Instant, received: u64, now: Instant) -> Instant {
    let patience = started + PATIENCE;
    let earned = patience + Duration::from_secs(received / BYTES_A_SECOND);
    earned.min(now + SILENCE).max(patience)
}

/// A file on its way to the disk, with what is gathered for the next write.
struct Writing {
    blob: NewBlob,
    gathered: Vec<u8>,
}

struct Reader<'a> {
    decoder: FormDecoder,
    builder: FormBuilder,
    spool: &'a Spool,
    writing: Option<Writing>,
    files: Vec<(NewBlob, String)>,
    memory: Share,
    disk: Share,
    on_disk: u64,
}

impl Reader<'_> {
    async fn take_pieces(&mut self) -> Result<(), Unread> {
        while let Some(piece) = self.decoder.piece()? {
            let ends = piece == Piece::End;
            let before = self.builder.form().files.len();
            for bytes in self.builder.take(piece) {
                self.write(&bytes).await?;
            }
            if !self.memory.reach(self.builder.held() as u64) {
                return Err(Unread::new(Reason::Overloaded, "too many large bodies at once"));
            }
            if ends && self.builder.form().files.len() > before {
                self.end_file().await?;
            }
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &Bytes) -> Result<(), Unread> {
        self.on_disk += bytes.len() as u64;
        if !self.disk.reach(self.on_disk) {
            return Err(Unread::new(Reason::Overloaded, "too many files at once"));
        }
        let mut writing = self.writing().await?;
        if writing.gathered.len() + bytes.len() > WRITE {
            writing = flush(writing).await?;
        }
        writing.gathered.extend_from_slice(bytes);
        self.writing = Some(writing);
        Ok(())
    }

    async fn end_file(&mut self) -> Result<(), Unread> {
        let writing = self.writing().await?;
        let Writing { blob, .. } = flush(writing).await?;
        let sha256 = self.builder.form().files.last().map(|file| file.sha256.clone()).unwrap_or_default();
        self.files.push((blob, sha256));
        Ok(())
    }

    /// The file that is being written; a new one when there is none.
    async fn writing(&mut self) -> io::Result<Writing> {
        match self.writing.take() {
            Some(writing) => Ok(writing),
            None => {
                let blobs = Arc::clone(&self.spool.blobs);
                let blob = blocking(move || blobs.begin()).await?;
                Ok(Writing { blob, gathered: Vec::with_capacity(WRITE) })
            }
        }
    }
}

async fn flush(mut writing: Writing) -> io::Result<Writing> {
    blocking(move || {
        writing.blob.write(&writing.gathered)?;
        writing.gathered.clear();
        Ok(writing)
    })
    .await
}

/// Runs `work` where waiting for a disk holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earned_time_ends_with_silence() {
        let started = Instant::now();
        let after = |seconds| started + Duration::from_secs(seconds);
        let large = 40 << 20;
        assert_eq!(deadline(started, 0, started), after(30));
        assert_eq!(deadline(started, large, after(1)), after(30), "nobody has less");
        assert_eq!(deadline(started, large, after(60)), after(70), "ten seconds of silence");
        assert_eq!(deadline(started, large, after(185)), after(190), "and no more than was earned");
    }
}
