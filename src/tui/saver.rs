//! Writing the files that are saved, beside the loop of the screen: a slow disk delays no key.

use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use crate::client::Download;

use super::saving::Save;

/// What came of a step: where a finished file is.
type Done = Result<Option<PathBuf>, String>;

/// The file that is being saved, and the step with it that is being done.
#[derive(Debug, Default)]
pub(super) struct Saver {
    /// Where files go; asked for with the first of them.
    dir: Option<PathBuf>,
    file: Option<Download>,
    step: Option<JoinHandle<(Option<Download>, Done)>>,
}

impl Saver {
    /// Begins a step. One is done at a time: the app goes on when it was told of it.
    pub(super) fn take(&mut self, step: Save) {
        let (file, dir) = (self.file.take(), self.dir.get_or_insert_with(Download::dir).clone());
        self.step = match step {
            Save::GiveUp => None,
            step => Some(tokio::task::spawn_blocking(move || take(file, &dir, step))),
        };
    }

    /// Resolves when the step is done; never when there is none.
    pub(super) async fn done(&mut self) -> Done {
        let Some(step) = &mut self.step else { return std::future::pending().await };
        let ended = step.await;
        self.step = None;
        let (file, done) = ended.unwrap_or_else(|error| (None, Err(error.to_string())));
        self.file = file;
        done
    }
}

fn take(file: Option<Download>, dir: &Path, step: Save) -> (Option<Download>, Done) {
    let done = file.map_or_else(|| Download::create(dir), Ok).and_then(|mut file| match step {
        Save::Write(bytes) => file.write(&bytes).map(|()| (Some(file), None)),
        Save::Finish(name) => file.finish(&name).map(|path| (None, Some(path))),
        Save::GiveUp => Ok((None, None)),
    });
    match done {
        Ok((file, path)) => (file, Ok(path)),
        Err(error) => (None, Err(format!("{}: {error}", dir.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_come_whole_and_of_one_that_is_given_up_nothing_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut saver = Saver { dir: Some(dir.path().to_owned()), ..Saver::default() };
        let mut step = async |step| {
            saver.take(step);
            saver.done().await
        };
        assert_eq!(step(Save::Write(b"one".to_vec())).await, Ok(None));
        assert_eq!(step(Save::Write(b" two".to_vec())).await, Ok(None));
        let path = dir.path().join("a.txt");
        assert_eq!(step(Save::Finish("a.txt".to_owned())).await, Ok(Some(path.clone())));
        assert_eq!(std::fs::read(&path).expect("reads"), b"one two");
        let empty = dir.path().join("empty");
        assert_eq!(step(Save::Finish("empty".to_owned())).await, Ok(Some(empty)));
        assert_eq!(step(Save::Write(b"half".to_vec())).await, Ok(None));
        saver.take(Save::GiveUp);
        assert_eq!(std::fs::read_dir(dir.path()).expect("reads").count(), 2, "half a file is none");
        saver.take(Save::Finish("after".to_owned()));
        saver.done().await.expect("finishes");
        assert_eq!(std::fs::read(dir.path().join("after")).expect("reads"), b"", "and none of it is in the next");
    }
}
