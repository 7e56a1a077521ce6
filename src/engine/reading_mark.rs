//! Which event is being read: noted before and cleared after, so that one that ends the process does not end it for ever.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// The file below the state directory: an event's place and how many runs ended while it was read, both little endian.
const NAME: &str = "reading";
/// Runs that may end while one event is read. The second may have been a kill at an unlucky moment; a third would be
/// the next of very many.
const MAX_ENDS: u32 = 2;

/// Notes the event that is read. It is not synced: it tells of ends of the process, not of the machine, and costs one
/// small write for each event.
#[derive(Debug)]
pub(super) struct ReadingMark {
    file: Option<File>,
    /// What was read when the last run ended, and how many in a row ended there.
    ended: (i64, u32),
}

impl ReadingMark {
    /// Opens the file below `state_dir`. Without it, events are read as if no run had ever ended.
    pub(super) fn open(state_dir: &Path) -> Self {
        let opened = open(&state_dir.join(NAME));
        if let Err(error) = &opened {
            tracing::warn!(%error, "the note of what is being read cannot be opened; an event that ends aurora is read again");
        }
        opened.map_or(Self { file: None, ended: (0, 0) }, |(file, ended)| Self { file: Some(file), ended })
    }

    /// Notes that event `seq` is read from now on; `false` when too many runs ended with that.
    pub(super) fn begin(&self, seq: i64) -> bool {
        let before = if self.ended.0 == seq { self.ended.1 } else { 0 };
        if before >= MAX_ENDS {
            return false;
        }
        self.write(seq, before + 1);
        true
    }

    /// Nothing is read any more.
    pub(super) fn end(&self) {
        self.write(0, 0);
    }

    fn write(&self, seq: i64, ends: u32) {
        let bytes = [&seq.to_le_bytes()[..], &ends.to_le_bytes()].concat();
        if let Some(Err(error)) = self.file.as_ref().map(|file| file.write_all_at(&bytes, 0)) {
            tracing::debug!(%error, "the note of what is being read cannot be written");
        }
    }
}

fn open(path: &Path) -> io::Result<(File, (i64, u32))> {
    let file = File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    let (mut seq, mut ends) = ([0; 8], [0; 4]);
    // A file that is too short is a new one.
    let ended = file.read_exact_at(&mut seq, 0).and_then(|()| file.read_exact_at(&mut ends, 8));
    let ended = ended.map_or((0, 0), |()| (i64::from_le_bytes(seq), u32::from_le_bytes(ends)));
    Ok((file, ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_ended_two_runs_is_not_read_a_third_time() {
        let dir = tempfile::tempdir().expect("temp dir");
        for _ in 0..MAX_ENDS {
            let mark = ReadingMark::open(dir.path());
            assert!(mark.begin(6));
            mark.end();
            assert!(mark.begin(7), "the run ends here");
        }
        let mark = ReadingMark::open(dir.path());
        assert!(mark.begin(6) && !mark.begin(7) && mark.begin(8));
        mark.end();
        assert!(ReadingMark::open(dir.path()).begin(7), "a run that ended otherwise proves nothing");
    }
}
