//! Whether the agent's own log is as it was written: each line holds the SHA-256 of the one before, its end not counted.
//!
//! It shows what was changed, put in or taken out between. That the end was cut off shows only beside a hash of it that
//! somebody keeps elsewhere; who may write the file may write all of it anew.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Spool;
use super::audit::{BEFORE, FILE};

/// No line is longer, in bytes.
const LINE_MAX: u64 = 64 << 10;

/// The last line of a file.
#[derive(Debug)]
pub(super) struct LastLine {
    /// Its hash, in hex.
    pub hash: String,
    /// Whether it has an end.
    pub is_whole: bool,
}

/// What stands in the first line of all.
pub(super) fn none() -> String {
    "0".repeat(64)
}

fn hash(line: &[u8]) -> String {
    hex::encode(Sha256::digest(line))
}

/// The last line of `file`; `None` where it is empty.
pub(super) fn last_line(file: &File) -> io::Result<Option<LastLine>> {
    let length = file.metadata()?.len();
    let begin = length.saturating_sub(LINE_MAX);
    let mut tail = vec![0; usize::try_from(length - begin).unwrap_or_default()];
    file.read_exact_at(&mut tail, begin)?;
    if tail.is_empty() {
        return Ok(None);
    }
    let is_whole = tail.last() == Some(&b'\n');
    let lines = if is_whole { &tail[..tail.len() - 1] } else { &tail[..] };
    let line = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Some(LastLine { hash: hash(line), is_whole }))
}

/// The file `name` of the journal, if there is one.
pub(super) fn there(spool: &Spool, name: &str) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(spool.dir(), name, flags, Mode::empty()) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What reading the whole log has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRead {
    /// Lines that were read.
    pub lines: u64,
    /// The first that does not follow from the one before: which file, which line of it counted from 1.
    pub broken: Option<(String, u64)>,
    /// The hash of the last one; kept elsewhere it shows that nothing was cut off.
    pub head: String,
}

/// Reads the agent's own log of a journal, and compares every hash. What the oldest line follows may have been forgotten.
///
/// # Errors
/// When it cannot be read.
pub fn read_audit(spool: &Spool) -> io::Result<AuditRead> {
    #[derive(Deserialize)]
    struct Line {
        prev: String,
    }
    let mut read = AuditRead { lines: 0, broken: None, head: none() };
    for name in [BEFORE, FILE] {
        let Some(file) = there(spool, name)? else { continue };
        for (number, line) in (1..).zip(BufReader::new(file).split(b'\n')) {
            let line = line?;
            let follows = serde_json::from_slice::<Line>(&line).is_ok_and(|Line { prev }| {
                // Nobody knows what came before the oldest.
                prev == read.head || read.lines == 0
            });
            if !follows && read.broken.is_none() {
                read.broken = Some((name.to_owned(), number));
            }
            (read.lines, read.head) = (read.lines + 1, hash(&line));
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::super::Machine;
    use super::super::audit::{Noted, note};
    use super::*;
    use crate::model::{EngineId, JobId};

    fn noted(spool: &Spool) {
        let (job, engine) = (JobId::from_uuid(Uuid::now_v7()), EngineId::from_uuid(Uuid::nil()));
        note(spool, &Noted::cancelled(job, engine, 1, Timestamp::UNIX_EPOCH));
    }

    fn spool(dir: &tempfile::TempDir) -> Spool {
        Spool::open(&dir.path().join("spool"), Machine::default()).expect("a journal")
    }

    #[test]
    fn a_line_that_was_changed_put_in_or_taken_out_is_found() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = spool(&dir);
        assert_eq!(read_audit(&spool).expect("reads"), AuditRead { lines: 0, broken: None, head: none() });
        (0..4).for_each(|_| noted(&spool));
        let file = spool.path().join(FILE);
        let text = std::fs::read_to_string(&file).expect("a file");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains(&none()), "{text}");
        let head = hash(lines[3].as_bytes());
        assert_eq!(read_audit(&spool).expect("reads"), AuditRead { lines: 4, broken: None, head: head.clone() });
        let other = lines[1].replace("\"epoch\":1", "\"epoch\":2");
        for (changed, at) in [
            (vec![lines[0], &other, lines[2], lines[3]], 3),
            (vec![lines[0], lines[2], lines[3]], 2),
            (vec![lines[0], lines[1], lines[1], lines[2], lines[3]], 3),
            (vec![lines[0], "", lines[1], lines[2], lines[3]], 2),
        ] {
            std::fs::write(&file, format!("{}\n", changed.join("\n"))).expect("writes");
            assert_eq!(read_audit(&spool).expect("reads").broken, Some((FILE.to_owned(), at)), "{changed:?}");
        }
        // What was cut off at its end shows by the hash that was kept.
        std::fs::write(&file, format!("{}\n", lines[..3].join("\n"))).expect("writes");
        let cut = read_audit(&spool).expect("reads");
        assert!(cut.broken.is_none() && cut.head != head);
    }

    #[test]
    fn it_goes_on_over_the_change_of_files_and_after_half_a_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = spool(&dir);
        (0..3).for_each(|_| noted(&spool));
        std::fs::rename(spool.path().join(FILE), spool.path().join(BEFORE)).expect("renames");
        (0..2).for_each(|_| noted(&spool));
        let whole = read_audit(&spool).expect("reads");
        assert_eq!((whole.lines, whole.broken), (5, None));
        let file = spool.path().join(FILE);
        let text = std::fs::read_to_string(&file).expect("a file");
        std::fs::write(&file, &text[..text.len() - 9]).expect("writes");
        noted(&spool);
        let torn = read_audit(&spool).expect("reads");
        assert_eq!(
            (torn.lines, torn.broken),
            (6, Some((FILE.to_owned(), 2))),
            "the half one, and what follows it is whole"
        );
    }

    #[test]
    fn many_that_write_at_once_make_one_chain() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = spool(&dir);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20).for_each(|_| noted(&spool)));
            }
        });
        let read = read_audit(&spool).expect("reads");
        assert_eq!((read.lines, read.broken), (160, None));
    }
}
