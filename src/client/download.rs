//! Files that are saved where the client runs: nothing is overwritten, no link is followed, nobody else reads them.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Numbers tried behind a name that is taken.
const TRIES: u32 = 1_000;

/// A file on its way to the disk.
#[derive(Debug)]
pub struct Download {
    path: PathBuf,
    file: File,
}

impl Download {
    /// The directory for files nobody named a place for.
    #[must_use]
    pub fn dir() -> PathBuf {
        let known = directories::UserDirs::new().and_then(|dirs| dirs.download_dir().map(Path::to_owned));
        known.filter(|dir| dir.is_dir()).unwrap_or_else(|| PathBuf::from("."))
    }

    /// A new private file in `dir`, which is made when it is missing: `name`, or the first of `name-1`, `name-2` that is
    /// free. `name` holds no path.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn create(dir: &Path, name: &str) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let (stem, ending) = match name.rsplit_once('.') {
            Some((stem, ending)) if !stem.is_empty() => (stem, format!(".{ending}")),
            _ => (name, String::new()),
        };
        for number in 0..TRIES {
            let name = if number == 0 { name.to_owned() } else { format!("{stem}-{number}{ending}") };
            let path = dir.join(name);
            match File::options().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => return Ok(Self { path, file }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, format!("{name} is there {TRIES} times")))
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// When the disk cannot take them.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_and_links_are_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let create = |name: &str| Download::create(dir.path(), name).expect("creates").path().to_owned();
        let names = [create("a.tar.gz"), create("a.tar.gz"), create("a.tar.gz")];
        assert_eq!(names, ["a.tar.gz", "a.tar-1.gz", "a.tar-2.gz"].map(|name| dir.path().join(name)));
        let target = dir.path().join("target");
        std::os::unix::fs::symlink(&target, dir.path().join("link")).expect("links");
        assert_eq!(create("link"), dir.path().join("link-1"));
        assert!(!target.exists());
    }
}
