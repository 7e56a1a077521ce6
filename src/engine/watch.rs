//! Looking at the configuration file.
//!
//! It is read again when something happened to it, and from time to time: that works on every file system and through
//! every way editors have of replacing a file, and the file is small.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::FileChanges;

use super::Input;
use super::supervisor::TaskSpec;

/// A file that is gone is looked at again after this long: some editors take it away before they write it.
const GONE: Duration = Duration::from_secs(2);
/// A file that has changed is looked at again after this long: it may be half written.
const SETTLE: Duration = Duration::from_millis(250);

/// What was found at the path.
type Found = Result<Vec<u8>, ErrorKind>;

/// The task that asks for a reload when the file at `path` no longer holds `text`.
pub(super) fn watch_task(path: PathBuf, text: Option<String>, inputs: mpsc::Sender<Input>) -> TaskSpec {
    let in_force: Found = text.map(String::into_bytes).ok_or(ErrorKind::NotFound);
    TaskSpec::new("configuration", move |context| {
        let (path, inputs, mut seen) = (path.clone(), inputs.clone(), in_force.clone());
        async move {
            context.running();
            let mut changes = FileChanges::of([path.as_path()]);
            let watch = async {
                loop {
                    changes.next().await;
                    let found = look(&path).await;
                    if found == seen {
                        continue;
                    }
                    tokio::time::sleep(if found.is_err() { GONE } else { SETTLE }).await;
                    if look(&path).await == found {
                        seen = found;
                        // The engine is gone only when everything ends.
                        let _ = inputs.send(Input::Reload).await;
                    }
                }
            };
            tokio::select! {
                () = context.stop.cancelled() => Ok(()),
                () = watch => Ok(()),
            }
        }
    })
}

async fn look(path: &Path) -> Found {
    tokio::fs::read(path).await.map_err(|error| error.kind())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::super::supervisor::Supervisor;
    use super::*;
    use crate::model::TaskState;

    /// Waits until the file was looked at and settled; answers how often a reload was asked for.
    async fn asked(inputs: &mut mpsc::Receiver<Input>) -> usize {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let mut count = 0;
        while let Ok(input) = inputs.try_recv() {
            match input {
                Input::Reload => count += 1,
                Input::Task(_, status) => assert_ne!(status.state, TaskState::Waiting, "{status:?}"),
                input => panic!("{input:?}"),
            }
        }
        count
    }

    #[tokio::test]
    async fn a_file_that_changes_appears_or_goes_is_read_again_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("config.toml");
        let (sender, mut inputs) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let supervisor = Arc::new(Supervisor::new(sender.clone(), stop.clone()));
        Supervisor::run(&supervisor, watch_task(path.clone(), None, sender));
        // The clock goes as fast as the work allows, which is done on threads of its own.
        tokio::time::pause();
        assert_eq!(asked(&mut inputs).await, 0, "there is still none");
        std::fs::write(&path, "a").expect("writes");
        assert_eq!(asked(&mut inputs).await, 1, "it appeared");
        assert_eq!(asked(&mut inputs).await, 0);
        std::fs::write(&path, "b").expect("writes");
        assert_eq!(asked(&mut inputs).await, 1, "it has the same length and perhaps the same time");
        std::fs::write(&path, "b").expect("writes");
        assert_eq!(asked(&mut inputs).await, 0, "it was written again and is the same");
        std::fs::write(dir.path().join("new"), "c").expect("writes");
        std::fs::rename(dir.path().join("new"), &path).expect("renames");
        assert_eq!(asked(&mut inputs).await, 1, "it was replaced");
        std::fs::remove_file(&path).expect("removes");
        assert_eq!(asked(&mut inputs).await, 1, "it is gone");
        stop.cancel();
        supervisor.ended().await;
    }
}
