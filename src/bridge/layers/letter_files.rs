//! Letters as files: written so that an agent never sees half of one, and read so that nothing else is taken for one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::protocol::AGENT_FRAME_MAX;

/// Answers come in batches of frames; no file is longer.
const ANSWER_MAX: u64 = 64 * AGENT_FRAME_MAX as u64;
/// A beat, or an id.
const SMALL_MAX: u64 = 4096;
/// How the file of a letter ends.
const ENDING: &str = ".json";

/// Puts `bytes` into the directory as the question `name`, durable and whole or not at all.
pub(super) fn send(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let passing = dir.join("tmp").join(name);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&passing)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let inbox = dir.join("in");
    let renamed = written.and_then(|()| std::fs::rename(&passing, inbox.join(format!("{name}{ENDING}"))));
    if renamed.is_err() {
        // The first error is the one that is told.
        let _ = std::fs::remove_file(&passing);
    }
    renamed?;
    File::open(inbox)?.sync_all()
}

/// The answers that are there to the questions in `wanted`, each from its number on without a gap. What was read is
/// removed.
pub(super) fn collect(dir: &Path, wanted: &[(String, u32)]) -> io::Result<Vec<(String, u32, Vec<u8>)>> {
    let out = dir.join("out");
    // One question to the file system, however many are awaited.
    let there: std::collections::HashSet<_> =
        std::fs::read_dir(&out)?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    let mut found = Vec::new();
    for (name, first) in wanted {
        let mut number = *first;
        loop {
            let file = format!("{name}.{number}{ENDING}");
            if !there.contains(std::ffi::OsStr::new(&file)) {
                break;
            }
            let path = out.join(file);
            let Some(bytes) = read(&path, ANSWER_MAX)? else { break };
            // It is swept by the agent when this fails.
            let _ = std::fs::remove_file(&path);
            found.push((name.clone(), number, bytes));
            number += 1;
        }
    }
    Ok(found)
}

/// What the agent left last to say that it is there; nothing where it never did.
pub(super) fn beat(dir: &Path) -> io::Result<Option<Vec<u8>>> {
    read(&dir.join("heartbeat"), SMALL_MAX)
}

/// The text of the journal's id.
pub(super) fn spool_id(dir: &Path) -> io::Result<String> {
    let path = dir.join("SPOOL_ID");
    let shown = path.display();
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{shown} is missing; has an agent opened it?"));
    let bytes = read(&path, SMALL_MAX)?.ok_or_else(missing)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Reads a regular file of at most `most` bytes; `None` where there is none.
fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    // No link is followed, and a pipe in its place holds nobody.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).map_err(io::Error::other)?;
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is no file", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is too large", path.display())));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for below in ["tmp", "in", "out"] {
            std::fs::create_dir(dir.path().join(below)).expect("makes");
        }
        dir
    }

    #[test]
    fn a_letter_is_whole_or_not_there() {
        let dir = dir();
        send(dir.path(), "0a.1", b"hello").expect("sends");
        let path = dir.path().join("in/0a.1.json");
        assert_eq!(std::fs::read(&path).expect("is there"), b"hello");
        assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(dir.path().join("in")).expect("removes");
        assert!(send(dir.path(), "0a.2", b"hello").is_err());
        assert_eq!(std::fs::read_dir(dir.path().join("tmp")).expect("reads").count(), 0, "nothing is left over");
    }

    #[test]
    fn answers_are_taken_in_order_without_a_gap_and_links_are_not_followed() {
        let dir = dir();
        let out = dir.path().join("out");
        for (file, text) in [("0a.1.json", "one"), ("0a.2.json", "two"), ("0a.4.json", "four"), ("0b.1.json", "other")]
        {
            std::fs::write(out.join(file), text).expect("writes");
        }
        let found = collect(dir.path(), &[("0a".to_owned(), 1)]).expect("reads");
        let texts: Vec<_> = found.iter().map(|(_, number, bytes)| (*number, bytes.as_slice())).collect();
        assert_eq!(texts, [(1, &b"one"[..]), (2, b"two")]);
        assert!(!out.join("0a.1.json").exists() && out.join("0a.4.json").exists() && out.join("0b.1.json").exists());
        symlink(dir.path().join("out/0b.1.json"), out.join("0c.1.json")).expect("links");
        assert!(collect(dir.path(), &[("0c".to_owned(), 1)]).is_err());
        assert_eq!(beat(dir.path()).expect("none"), None);
        assert!(spool_id(dir.path()).expect_err("none").to_string().contains("SPOOL_ID"));
    }
}
