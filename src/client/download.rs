//! Files that are saved where the client runs: whole or not at all, nothing is overwritten, no link is followed, nobody
//! else reads them.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::model::numbered;

/// Numbers tried behind a name that is taken.
const TRIES: u32 = 1_000;

/// A file on its way to the disk. It has no name of its own before it is whole; dropping it removes what there is of it.
#[derive(Debug)]
pub struct Download {
    dir: PathBuf,
    file: NamedTempFile,
}

impl Download {
    /// The directory for files nobody named a place for.
    #[must_use]
    pub fn dir() -> PathBuf {
        let known = directories::UserDirs::new().and_then(|dirs| dirs.download_dir().map(Path::to_owned));
        known.filter(|dir| dir.is_dir()).unwrap_or_else(|| PathBuf::from("."))
    }

    /// A new private file in `dir`, which is made when it is missing.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn create(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let file = tempfile::Builder::new().prefix(".aurora-").suffix(".part").tempfile_in(dir)?;
        Ok(Self { dir: dir.to_owned(), file })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// When the disk cannot take them.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// It is whole: it gets its name, `name` or the first of `name-1`, `name-2` that is free, and answers where it is.
    /// `name` holds no path.
    ///
    /// # Errors
    /// When the disk cannot take it, or a thousand names are taken. Nothing is left of it then.
    pub fn finish(self, name: &str) -> io::Result<PathBuf> {
        let Self { dir, mut file } = self;
        file.as_file().sync_all()?;
        for number in 0..TRIES {
            let path = dir.join(numbered(name, number));
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(taken) if taken.error.kind() == ErrorKind::AlreadyExists => file = taken.file,
                Err(failed) => return Err(failed.error),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, format!("{name} is there {TRIES} times")))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nothing_is_overwritten_and_links_are_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let save = |name: &str| Download::create(dir.path()).expect("creates").finish(name).expect("finishes");
        let names = [save("a.tar.gz"), save("a.tar.gz"), save("a.tar.gz")];
        assert_eq!(names, ["a.tar.gz", "a.tar-1.gz", "a.tar-2.gz"].map(|name| dir.path().join(name)));
        let target = dir.path().join("target");
        std::os::unix::fs::symlink(&target, dir.path().join("link")).expect("links");
        assert_eq!(save("link"), dir.path().join("link-1"));
        assert!(!target.exists());
    }

    #[test]
    fn a_file_is_whole_and_private_or_not_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let below = dir.path().join("made");
        let mut download = Download::create(&below).expect("creates");
        download.write(b"half").expect("writes");
        assert!(!below.join("report.pdf").exists(), "half a file has no name anybody opens");
        drop(download);
        assert_eq!(std::fs::read_dir(&below).expect("reads").count(), 0, "and nothing is left of it");
        let mut download = Download::create(&below).expect("creates");
        download.write(b"whole").expect("writes");
        let path = download.finish("report.pdf").expect("finishes");
        assert_eq!((&path, std::fs::read(&path).expect("reads")), (&below.join("report.pdf"), b"whole".to_vec()));
        assert_eq!(std::fs::metadata(path).expect("is there").permissions().mode() & 0o777, 0o600);
    }
}
