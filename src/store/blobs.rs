//! Files that came with events, below `blobs/`, each under the SHA-256 of its content.
//!
//! A file is written under a name of its own in `blobs/tmp` while it comes in, and gets its name when its
//! event is about to be committed: after its bytes are on disk, before the event that names it. A crash in
//! between leaves a file that nobody names, never an event whose file is missing.

use std::collections::HashMap;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The files of one state directory.
#[derive(Debug)]
pub struct Blobs {
    dir: PathBuf,
    /// Brings a directory to the disk.
    sync: fn(&Path) -> io::Result<()>,
    /// The files of deliveries that are not decided yet.
    claims: Mutex<HashMap<String, Claims>>,
}

/// What deliveries that are not decided yet, with one file, have made of it.
#[derive(Debug, Default)]
struct Claims {
    deliveries: usize,
    /// It was not there before.
    is_new: bool,
    /// An event may name it.
    is_named: bool,
}

/// A delivery's claim to a file: as long as there is one, the file stays. Dropped as it is, it stays for good.
#[derive(Debug)]
pub struct Claim {
    blobs: Arc<Blobs>,
    sha256: String,
    is_named: bool,
}

impl Claim {
    /// Gives it up: no event of the delivery was stored. The file goes when it is new and nobody else claims it.
    pub fn give_up(mut self) {
        self.is_named = false;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut all = self.blobs.claims();
        let Some(claims) = all.get_mut(&self.sha256) else { return };
        claims.deliveries -= 1;
        claims.is_named |= self.is_named;
        if claims.deliveries > 0 {
            return;
        }
        // Under the lock, so that nobody begins to claim it meanwhile.
        if let Some(claims) = all.remove(&self.sha256)
            && claims.is_new
            && !claims.is_named
            && let Ok(path) = self.blobs.path(&self.sha256)
        {
            // What cannot be removed takes room and does no harm.
            let _ = std::fs::remove_file(path);
        }
    }
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
        Ok(Self { dir, sync: sync_dir, claims: Mutex::default() })
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
    pub fn keep(self: &Arc<Self>, blob: NewBlob, sha256: &str) -> io::Result<Claim> {
        let path = self.path(sha256)?;
        self.claims().entry(sha256.to_owned()).or_default().deliveries += 1;
        let claim = Claim { blobs: Arc::clone(self), sha256: sha256.to_owned(), is_named: true };
        match self.place(blob, &path, sha256) {
            Ok(()) => Ok(claim),
            Err(error) => {
                claim.give_up();
                Err(error)
            }
        }
    }

    fn place(&self, mut blob: NewBlob, path: &Path, sha256: &str) -> io::Result<()> {
        let parent = path.parent().unwrap_or(&self.dir);
        if !path.try_exists()? {
            blob.file.sync_all()?;
            match private().create(parent) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            std::fs::rename(&blob.path, path)?;
            blob.kept = true;
            if let Some(claims) = self.claims().get_mut(sha256) {
                claims.is_new = true;
            }
        }
        (self.sync)(parent)?;
        (self.sync)(&self.dir)
    }

    fn claims(&self) -> MutexGuard<'_, HashMap<String, Claims>> {
        // Counts are whole whenever the lock is free.
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
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
        let blobs = Arc::new(Blobs::open(dir.path()).expect("opens"));
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
        let hash = hex::encode(Sha256::digest(b""));
        let keep = |sync| {
            let blobs = Arc::new(Blobs { sync, ..Blobs::open(dir.path()).expect("opens") });
            blobs.keep(blobs.begin().expect("begins"), &hash).map(drop)
        };
        let no_power = |_: &Path| Err(io::Error::other("no power"));
        assert!(keep(no_power).is_err());
        keep(sync_dir).expect("keeps");
        assert!(keep(no_power).is_err(), "it has its name, and may lose it");
        let none_above = |dir: &Path| if dir.ends_with("blobs") { Err(io::Error::other("no power")) } else { Ok(()) };
        assert!(keep(none_above).is_err(), "so may the directory that it is in");
        assert_eq!(files(dir.path()).len(), 1);
    }

    #[test]
    fn what_no_event_names_goes_unless_somebody_else_claims_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let blobs = Arc::new(Blobs::open(dir.path()).expect("opens"));
        let hash = hex::encode(Sha256::digest(b""));
        let keep = || blobs.keep(blobs.begin().expect("begins"), &hash).expect("keeps");
        let count = || files(dir.path()).len();
        keep().give_up();
        assert_eq!(count(), 0, "nobody names it");
        let (first, second) = (keep(), keep());
        first.give_up();
        assert_eq!(count(), 1, "another delivery claims it");
        second.give_up();
        assert_eq!(count(), 0, "not any more");
        let (first, second) = (keep(), keep());
        drop(second);
        first.give_up();
        assert_eq!(count(), 1, "an event may name it");
        keep().give_up();
        assert_eq!(count(), 1, "it was there before");
        assert!(blobs.claims().is_empty());
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
