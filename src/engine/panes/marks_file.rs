//! The file marks are kept in over a restart.

use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::marks::KeptMark;

/// The file below the state directory.
const NAME: &str = "panes.json";
/// Longest file that is read.
const LONGEST: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    marks: Vec<KeptMark>,
}

/// Reads what is kept below `state_dir`; nothing where there is no file.
///
/// # Errors
/// When it cannot be read, or is none of this program's.
pub(super) fn read(state_dir: &Path) -> io::Result<Vec<KeptMark>> {
    let file = match std::fs::File::open(state_dir.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(serde_json::from_str::<Content>(&text)?.marks)
}

/// Keeps exactly `marks`: the file is whole at any moment, and only its owner reads it.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(state_dir: &Path, marks: Vec<KeptMark>) -> io::Result<()> {
    let mut fresh = tempfile::NamedTempFile::new_in(state_dir)?;
    fresh.write_all(&serde_json::to_vec(&Content { marks })?)?;
    fresh.as_file().sync_all()?;
    fresh.persist(state_dir.join(NAME))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use jiff::Timestamp;

    use crate::model::{PaneAddress, PaneId};
    use crate::protocol::PaneMark;

    use super::*;

    #[test]
    fn marks_come_back_as_they_were_and_what_is_no_such_file_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(read(dir.path()).expect("no file"), []);
        let mark = KeptMark {
            pane: PaneAddress { host: "web-1".parse().expect("a name"), pane: PaneId { server: 7, number: 3 } },
            mark: PaneMark {
                activity: true,
                silence: Some(std::time::Duration::from_secs(5)),
                pattern: Some("x".into()),
            },
            calls: Some((Timestamp::UNIX_EPOCH, "it prints: x".to_owned())),
        };
        write(dir.path(), vec![mark.clone()]).expect("writes");
        assert_eq!(read(dir.path()).expect("reads"), [mark]);
        let mode = std::fs::metadata(dir.path().join(NAME)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(dir.path().join(NAME), "{\"marks\":[{}]}").expect("writes");
        assert!(read(dir.path()).is_err());
    }
}
