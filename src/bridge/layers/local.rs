//! The road to this machine: a child `aurora agent stdio`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{mpsc, watch};

use crate::bridge::layer::{LayerNews, Term};
use crate::model::{HostName, LayerKind};

use super::child;
use super::stream::{Closed, Open, Opening, StreamLayer};

/// Time for a child to start, open its journal and greet.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which program is the agent of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSpec {
    /// The program; this one.
    pub program: PathBuf,
    /// Its global options, as `--config FILE`; `agent stdio` is put behind them.
    pub options: Vec<OsString>,
}

/// Opens the road. The child ends with the connection; what it has started goes on, as that runs in sessions of its own.
#[must_use]
pub fn open(
    spec: LocalSpec,
    host: HostName,
    term: watch::Receiver<Term>,
    news: mpsc::Sender<LayerNews>,
) -> StreamLayer {
    StreamLayer::start(LayerKind::Local, spec, host, term, news)
}

impl Open for LocalSpec {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async move {
            let mut command = Command::new(&self.program);
            command.args(&self.options).args(["agent", "stdio"]);
            let program = self.program.display();
            child::start(command, PATIENCE, ended)
                .map_err(|error| Closed::Down(format!("start: failed to run {program}: {error}")))
        })
    }
}

/// What the end of the child means.
fn ended(status: ExitStatus, said: &str) -> Closed {
    let last = said.lines().last().unwrap_or_default();
    Closed::Down(match (status.success(), last.is_empty()) {
        (true, _) => "the agent ended".to_owned(),
        (false, true) => format!("the agent ended with {status}"),
        (false, false) => format!("the agent ended with {status}: {last}"),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use uuid::Uuid;

    use super::*;
    use crate::bridge::{Layer, LayerEvent, NotDelivered};
    use crate::model::EngineId;
    use crate::protocol::ToAgent;

    /// A program that does what `script` says, whatever it is called with.
    fn program(dir: &std::path::Path, script: &str) -> LocalSpec {
        let path = dir.join("agent");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("chmod");
        LocalSpec { program: path, options: vec!["--state-dir".into(), "a b".into()] }
    }

    async fn why(spec: LocalSpec) -> String {
        let (sink, mut news) = mpsc::channel(8);
        let (_term, term) = watch::channel(Term { engine: EngineId::from_uuid(Uuid::nil()), epoch: 1 });
        let layer = open(spec, "here".parse().expect("a name"), term, sink);
        assert_eq!(news.recv().await.expect("news").event, LayerEvent::Connecting);
        let LayerEvent::Down { why } = news.recv().await.expect("news").event else { panic!("it is no agent") };
        let asked = layer.ask(ToAgent::Probe { nonce: 1 }).await;
        assert!(matches!(asked, Err(NotDelivered::NeverSent(_))), "{asked:?}");
        why
    }

    #[tokio::test]
    async fn the_end_of_the_child_is_told_with_its_last_words() {
        let dir = tempfile::tempdir().expect("a directory");
        let spoke = why(program(dir.path(), "echo \"$*\" >&2; exit 3")).await;
        assert_eq!(spoke, "the agent ended with exit status: 3: --state-dir a b agent stdio");
        assert_eq!(why(program(dir.path(), "exit 0")).await, "the agent ended");
        let absent = why(LocalSpec { program: dir.path().join("absent"), options: Vec::new() }).await;
        assert!(absent.starts_with("start: failed to run") && absent.contains("No such file"), "{absent}");
    }
}
