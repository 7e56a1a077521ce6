//! What a screen remembers for the next one: a small file of its operator's.

use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::OperatorName;

/// Longest file that is read.
const MAX: u64 = 128 << 10;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// What was chosen in the palette, the last first.
    pub recent: Vec<String>,
    /// Where a screen was that lost its terminal, as text; not where one was that was left.
    pub place: Option<String>,
}

/// The files of all operators, in one directory.
#[derive(Debug, Clone)]
pub struct Memory {
    dir: PathBuf,
}

impl Memory {
    /// In `dir`; it is made when something is first remembered.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn path(&self, who: &OperatorName) -> PathBuf {
        self.dir.join(format!("{who}.json"))
    }

    /// What was remembered of `who`; nothing where there is no file.
    ///
    /// # Errors
    /// A sentence that says which file cannot be used, and why. Nothing else depends on it.
    pub(super) fn load(&self, who: &OperatorName) -> Result<Kept, String> {
        let path = self.path(who);
        let read = || -> io::Result<Kept> {
            let mut text = String::new();
            if std::fs::File::open(&path)?.take(MAX + 1).read_to_string(&mut text)? as u64 > MAX {
                return Err(io::Error::other("it is too long"));
            }
            Ok(serde_json::from_str(&text)?)
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
            kept => kept.map_err(|error| format!("what was remembered is not used: {}: {error}", path.display())),
        }
    }

    /// Remembers `kept` of `who`, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn save(&self, who: &OperatorName, kept: &Kept) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let new = self.dir.join(format!(".{who}.{}.new", std::process::id()));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(kept)?)?;
        std::fs::rename(&new, self.path(who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back_and_what_is_broken_is_said() {
        let dir = tempfile::tempdir().expect("temp dir");
        let memory = Memory::new(dir.path().join("screens"));
        let who: OperatorName = "anna".parse().expect("a name");
        assert_eq!(memory.load(&who), Ok(Kept::default()));
        let kept = Kept { recent: vec!["inbox unread".into()], place: Some("health web".into()) };
        memory.save(&who, &kept).expect("is written");
        assert_eq!(memory.load(&who), Ok(kept));
        for broken in [b"{\"recent\": 1}".to_vec(), b"\xff".to_vec(), vec![b' '; 200 << 10]] {
            std::fs::write(memory.path(&who), broken).expect("is written");
            let error = memory.load(&who).expect_err("cannot be used");
            assert!(error.starts_with("what was remembered is not used: ") && error.contains("anna.json"), "{error}");
        }
        assert_eq!(
            std::fs::read_dir(dir.path().join("screens")).expect("a directory").count(),
            1,
            "nothing is left over"
        );
    }
}
