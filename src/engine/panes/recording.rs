//! What a pane shows, written to a file while it is shown.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bridge::panes::{Kept, Pacer, Turn};
use crate::model::{PaneAddress, numbered};
use crate::protocol::PaneUpdate;
use crate::screen::{Cast, KnownSecrets};

/// The directory below the state directory.
const DIR: &str = "recordings";
/// Pause between two pieces.
const EVERY: Duration = Duration::from_millis(67);
/// What was shown is in the file, and the file on the disk, after so long.
const SYNC: Duration = Duration::from_secs(1);
/// Lines that wait for the disk, in bytes; more are written at once.
const WAITING: usize = 256 << 10;
/// Longest file. The recording ends there.
const LONGEST: u64 = 256 << 20;
/// Numbers tried behind a name that is taken.
const TRIES: u32 = 1_000;

/// A recording. Dropping it ends it, and what was shown until then is written.
pub(super) struct Recording {
    /// Its file.
    pub path: PathBuf,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Recording {
    /// Begins to write what `kept` shows to a new file below `state_dir`, called `title` in it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn begin(
        state_dir: &Path,
        pane: &PaneAddress,
        title: String,
        kept: Arc<Kept>,
        known: KnownSecrets,
        now: Timestamp,
    ) -> io::Result<Self> {
        let dir = state_dir.join(DIR);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let name = format!("{}-{}-{}.cast", pane.host, pane.pane.number, now.strftime("%Y%m%dT%H%M%SZ"));
        let (path, file) = create(&dir, &name)?;
        let stop = CancellationToken::new();
        let writer = Writer { path: path.clone(), file: Some(file), lines: String::new(), written: 0 };
        let recorder =
            Recorder { kept, pacer: Pacer::of_everything(pane.clone(), EVERY, Instant::now()), title, known, writer };
        let task = tokio::spawn(recorder.run(stop.clone()));
        Ok(Self { path, stop, task: Some(task) })
    }

    /// Whether it has ended by itself: with the pane, at its largest size, or on a disk that takes nothing.
    pub(super) fn is_over(&self) -> bool {
        self.task.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it, and waits until everything is written.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // A panic within is in the log.
            let _ = task.await;
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A new private file `name` in `dir`, or the next that is free: a pane may be recorded twice within a second.
fn create(dir: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    let mut number = 0;
    loop {
        let path = dir.join(numbered(name, number));
        match File::options().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < TRIES => number += 1,
            opened => return opened.map(|file| (path, file)),
        }
    }
}

/// Where lines go.
struct Writer {
    path: PathBuf,
    file: Option<File>,
    lines: String,
    written: u64,
}

impl Writer {
    /// Writes the lines that wait, and waits until they are on the disk.
    async fn sync(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let lines = std::mem::take(&mut self.lines);
        self.written += lines.len() as u64;
        let written = tokio::task::spawn_blocking(move || {
            file.write_all(lines.as_bytes())?;
            file.sync_data()?;
            Ok(file)
        });
        self.file = Some(written.await.unwrap_or_else(|error| Err(io::Error::other(error)))?);
        Ok(())
    }
}

struct Recorder {
    kept: Arc<Kept>,
    pacer: Pacer,
    title: String,
    known: KnownSecrets,
    writer: Writer,
}

impl Recorder {
    /// Takes what is there; answers when there is more.
    fn take(&mut self, cast: &mut Option<Cast>) -> Turn {
        let (update, turn) = {
            let (screen, now) = (self.kept.look(), Instant::now());
            (self.pacer.next(&screen, now), self.pacer.turn(&screen, now))
        };
        let at = Timestamp::now();
        let lines = match (update, cast.as_mut()) {
            (Some(PaneUpdate::Seed { seed, .. }), None) => {
                let (begun, lines) = Cast::begin(&seed, &self.title, self.known.clone(), at);
                *cast = Some(begun);
                lines
            }
            (Some(PaneUpdate::Seed { seed, .. }), Some(cast)) => cast.seed(&seed, at),
            (Some(PaneUpdate::Chunk { chunk, .. }), Some(cast)) => cast.output(&chunk.bytes, at),
            _ => String::new(),
        };
        self.writer.lines.push_str(&lines);
        turn
    }

    async fn run(mut self, stop: CancellationToken) {
        let (mut cast, mut outcome) = (None, Ok(()));
        let mut sync = Instant::now() + SYNC;
        let mut news = self.kept.listen();
        while outcome.is_ok() && !stop.is_cancelled() && !self.pacer.is_over() && self.writer.written < LONGEST {
            news.borrow_and_update();
            let turn = self.take(&mut cast);
            if Instant::now() >= sync || self.writer.lines.len() > WAITING {
                outcome = self.writer.sync().await;
                sync = Instant::now() + SYNC;
            }
            let until = match turn {
                Turn::Now => continue,
                Turn::At(at) => Some(at),
                Turn::Rest => None,
            };
            let due = if self.writer.lines.is_empty() { until } else { Some(until.map_or(sync, |at| at.min(sync))) };
            tokio::select! {
                () = stop.cancelled() => {}
                _ = news.changed(), if until.is_none() => {}
                () = sleep_until(due) => {}
            }
        }
        // What was shown until now is in it, and does not wait for its time.
        self.pacer.hurry(Instant::now());
        while self.take(&mut cast) == Turn::Now {}
        if let Some(mut cast) = cast {
            self.writer.lines.push_str(&cast.finish(Timestamp::now()));
        } else {
            // Nothing was seen, and an empty file is no recording.
            let _ = std::fs::remove_file(&self.writer.path);
        }
        if let Err(error) = outcome.and(self.writer.sync().await) {
            let path = self.writer.path.display();
            tracing::warn!(%error, "the recording {path} ends: its file cannot be written");
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Cuts what is left of a line that was being written when the engine was killed: a recording is whole lines.
///
/// # Errors
/// When the directory cannot be read.
pub(super) fn mend(state_dir: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(state_dir.join(DIR)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cast") {
            mend_one(&path)?;
        }
    }
    Ok(())
}

fn mend_one(path: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut end = file.metadata()?.len();
    let mut part = [0; 4_096];
    // From the end back to the last line break.
    while end > 0 {
        let begin = end.saturating_sub(part.len() as u64);
        let part = &mut part[..usize::try_from(end - begin).unwrap_or_default()];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte == b'\n') {
            end = begin + last as u64 + 1;
            break;
        }
        end = begin;
    }
    if end < file.metadata()?.len() {
        file.set_len(end)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use crate::model::{PaneChunk, PaneId, PaneSeed};

    use super::*;

    const PANE: PaneId = PaneId { server: 7, number: 3 };

    #[tokio::test]
    async fn a_pane_is_recorded_twice_within_a_second() {
        let dir = tempfile::tempdir().expect("a directory");
        let pane = PaneAddress { host: "web-1".parse().expect("a name"), pane: PANE };
        let begin = || {
            let known = KnownSecrets::new([]);
            Recording::begin(dir.path(), &pane, String::new(), Kept::new(PANE), known, Timestamp::UNIX_EPOCH)
        };
        let (first, second) = (begin().expect("a file"), begin().expect("another"));
        let name = |recording: &Recording| recording.path.file_name().expect("a name").to_owned();
        assert_eq!(name(&first), "web-1-3-19700101T000000Z.cast");
        assert_eq!(name(&second), "web-1-3-19700101T000000Z-1.cast");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_shown_is_in_the_file_within_a_second_or_so_and_every_line_is_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = Kept::new(PANE);
        let pane = PaneAddress { host: "web-1".parse().expect("a name"), pane: PANE };
        let known = KnownSecrets::new(["canary-value".to_owned()]);
        let title = "web-1:0.1".to_owned();
        let begun = Recording::begin(dir.path(), &pane, title, Arc::clone(&kept), known, Timestamp::now());
        let recording = begun.expect("a file");
        let mode = std::fs::metadata(&recording.path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let bytes = b"$ ".to_vec();
        kept.seed(&PaneSeed {
            pane: PANE,
            offset: 0,
            missed: 0,
            too_fast: false,
            cols: 40,
            rows: 5,
            history: 0,
            bytes,
        });
        tokio::time::sleep(EVERY).await;
        let bytes = b"make canary-value\r\nall done".to_vec();
        kept.feed(&PaneChunk { pane: PANE, offset: 0, bytes }, Timestamp::now());
        tokio::time::sleep(SYNC + EVERY).await;
        let path = recording.path.clone();
        let lines = |path: &Path| std::fs::read_to_string(path).expect("a file");
        let shown = lines(&path);
        assert!(shown.contains("\"version\":2") && shown.contains("all done"), "{shown}");
        // The second comes before its time.
        for (offset, bytes) in [(27, b"\r\nnext".to_vec()), (33, b"\r\nlast".to_vec())] {
            kept.feed(&PaneChunk { pane: PANE, offset, bytes }, Timestamp::now());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        recording.end().await;
        let whole = lines(&path);
        assert!(whole.contains("next") && whole.contains("last"), "{whole}");
        assert!(whole.contains("make [redacted]") && !whole.contains("canary"), "{whole}");
        assert!(whole.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{whole}");

        let torn = format!("{whole}[9.5, \"o\", \"ha");
        std::fs::write(&path, torn).expect("writes");
        mend(dir.path()).expect("mends");
        assert_eq!(lines(&path), whole);
    }
}
