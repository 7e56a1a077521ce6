//! Files that came with events, below `blobs/`, each under the SHA-256 of its content.
//!
//! A file is written under a name of its own in `blobs/tmp` while it comes in, and gets its name when its
//! event is about to be committed: after its bytes are on disk, before the event that names it. A crash in
//! between leaves a file that nobody names, never an event whose file is missing.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The files of one state directory.
#[derive(Debug)]
pub struct Blobs {
    dir: PathBuf,
    /// Brings a directory to the disk.
    sync: fn(&Path) -> io::Result<()>,
}

impl Blobs {
    /// The files below `state_dir`. What an earlier engine left unfinished is removed.
    ///
    /// # Errors
    /// When the directories cannot be made, read or brought to the disk.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let dir = state_dir.join("blobs");
        let tmp = dir.join("tmp");
        private().recursive(true).create(&tmp)?;
        for entry in std::fs::read_dir(&tmp)? {
            std::fs::remove_file(entry?.path())?;
        }
        sync_dir(state_dir)?;
        Ok(Self { dir, sync: sync_dir })
    }

    /// A new file on its way in.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn begin(&self) -> io::Result<NewBlob> {
        let path = self.dir.join("tmp").join(uuid::Uuid::now_v7().to_string());
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(NewBlob { file, path, kept: false })
    }

    /// Gives `blob` its name, which is the hexadecimal SHA-256 of its content, once its bytes are on disk.
    /// When a file has that name already, it is the same; it may be one that is being kept at this moment, or was before
    /// a crash, so the directories are brought to the disk all the same.
    ///
    /// # Errors
    /// When the disk cannot take it.
    pub fn keep(&self, mut blob: NewBlob, sha256: &str) -> io::Result<()> {
        let path = self.path(sha256)?;
        let parent = path.parent().unwrap_or(&self.dir);
        if !path.try_exists()? {
            blob.file.sync_all()?;
            match private().create(parent) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            std::fs::rename(&blob.path, &path)?;
            blob.kept = true;
        }
        (self.sync)(parent)?;
        (self.sync)(&self.dir)
    }

    /// At most `limit` bytes of a file from `offset` on; fewer at its end.
    ///
    /// # Errors
    /// When there is no such file, or it cannot be read.
    pub fn read(&self, sha256: &str, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path(sha256)?)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn path(&self, sha256: &str) -> io::Result<PathBuf> {
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hash {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not the name of a stored file"));
        }
        Ok(self.dir.join(&sha256[..2]).join(sha256))
    }
}

/// A file on its way in. It is removed when it is dropped without [`Blobs::keep`].
#[derive(Debug)]
pub struct NewBlob {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl NewBlob {
    /// Adds bytes.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// A rename is on disk when its directory is.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use sha2::{Digest, Sha256};

    use super::*;

    fn files(dir: &Path) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(dir).expect("reads") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
        }
        found
    }

    #[test]
    fn equal_contents_are_one_private_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let blobs = Blobs::open(dir.path()).expect("opens");
        let hash = hex::encode(Sha256::digest(b"hello"));
        for _ in 0..2 {
            let mut blob = blobs.begin().expect("begins");
            blob.write(b"hel").expect("writes");
            blob.write(b"lo").expect("writes");
            blobs.keep(blob, &hash).expect("keeps");
        }
        let kept = files(dir.path());
        assert_eq!(kept, [dir.path().join("blobs").join(&hash[..2]).join(&hash)]);
        assert_eq!(kept[0].metadata().expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(blobs.read(&hash, 1, 3).expect("reads"), b"ell");
        assert_eq!(blobs.read(&hash, 4, 100).expect("reads"), b"o");
        assert_eq!(blobs.read(&hash, 9, 100).expect("reads"), b"");
    }

    #[test]
    fn nothing_is_kept_before_its_directories_are_on_the_disk() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut blobs = Blobs::open(dir.path()).expect("opens");
        let hash = hex::encode(Sha256::digest(b""));
        let keep = |blobs: &Blobs| blobs.keep(blobs.begin().expect("begins"), &hash);
        blobs.sync = |_| Err(io::Error::other("no power"));
        assert!(keep(&blobs).is_err());
        assert!(keep(&blobs).is_err(), "it has its name, and may lose it");
        blobs.sync = |dir| if dir.ends_with("blobs") { Err(io::Error::other("no power")) } else { Ok(()) };
        assert!(keep(&blobs).is_err(), "so may the directory that it is in");
        blobs.sync = sync_dir;
        keep(&blobs).expect("keeps");
        assert_eq!(files(dir.path()).len(), 1);
    }

    #[test]
    fn what_is_not_kept_goes_at_once_or_at_the_next_start() {
        let dir = tempfile::tempdir().expect("a directory");
        let blobs = Blobs::open(dir.path()).expect("opens");
        drop(blobs.begin().expect("begins"));
        assert!(files(dir.path()).is_empty());
        std::mem::forget(blobs.begin().expect("begins"));
        assert_eq!(files(dir.path()).len(), 1);
        Blobs::open(dir.path()).expect("opens");
        assert!(files(dir.path()).is_empty());
    }

    #[test]
    fn only_hashes_are_names() {
        let dir = tempfile::tempdir().expect("a directory");
        let blobs = Blobs::open(dir.path()).expect("opens");
        let long = "A".repeat(64);
        for bad in ["", "../../aurora.db", "ab/../../../../etc/passwd", long.as_str()] {
            assert_eq!(blobs.read(bad, 0, 1).expect_err(bad).kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }
}
