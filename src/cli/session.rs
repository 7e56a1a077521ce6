//! A client for one command: of the running engine, or of one that is started only for this.

use std::time::{Duration, Instant};

use crate::client::{AttachError, Client, Target};
use crate::config::Config;
use crate::engine::{Doors, LockError, Running, StartError, start};
use crate::protocol::{Reply, Request};
use crate::server::socket_path;

use super::args::Global;
use super::elsewhere::Elsewhere;
use super::exit::{Exit, Failure};

/// How long to wait for an engine that is just starting or stopping.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client and, when no engine ran, the engine behind it.
pub(super) struct Session {
    client: Client,
    own: Option<Running>,
    there: Elsewhere,
}

impl Session {
    /// Attaches to the running engine, or opens the state directory when none runs.
    pub(super) async fn open(config: &Config, global: &Global) -> Result<Self, Failure> {
        Self::open_as(config, global, false).await
    }

    /// The same for a client that wants to hear what changes.
    pub(super) async fn open_following(config: &Config, global: &Global) -> Result<Self, Failure> {
        Self::open_as(config, global, true).await
    }

    async fn open_as(config: &Config, global: &Global, follow: bool) -> Result<Self, Failure> {
        let there = Elsewhere::on(global.node.clone());
        let target = Target::Unix(socket_path(&config.state_dir));
        let started = Instant::now();
        loop {
            match Client::attach(target.clone(), follow, global.read_only).await {
                Ok(client) => return Ok(Self { client, own: None, there }),
                Err(AttachError::Unreachable { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            match start(config.clone(), Doors::Closed, None, None).await {
                Ok(running) => {
                    let client = Client::embedded(&running.handle, follow, global.read_only).await?;
                    return Ok(Self { client, own: Some(running), there });
                }
                Err(StartError::Lock(LockError::Held)) if started.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Asks and waits for the answer. What is about another node is asked of it.
    pub(super) async fn ask(&mut self, request: Request) -> Result<Reply, Failure> {
        let request = self.there.request(request)?;
        Ok(self.there.told(self.client.answer(request).await?))
    }

    /// Asks several things at once and waits for their answers, which come in the order of the questions.
    pub(super) async fn ask_all(&mut self, requests: Vec<Request>) -> Result<Vec<Reply>, Failure> {
        let requests: Result<Vec<Request>, Failure> =
            requests.into_iter().map(|request| self.there.request(request)).collect();
        let answers = self.client.answers(requests?).await.into_iter();
        answers.map(|answer| Ok(self.there.told(answer?))).collect()
    }

    /// Refuses what goes on after this command where no engine runs to do it.
    pub(super) fn needs_engine(&self) -> Result<(), Failure> {
        match self.own {
            Some(_) => Err(Failure::new(Exit::Down, "no engine runs, and this needs one; start `aurora serve`")),
            None => Ok(()),
        }
    }

    /// Whether the engine ends with this command.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The client itself, and where what is asked of it is carried out.
    pub(super) fn parts(&mut self) -> (&mut Client, &Elsewhere) {
        (&mut self.client, &self.there)
    }

    /// The client itself.
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Ends it; an engine of its own is stopped cleanly.
    pub(super) async fn close(self) {
        drop(self.client);
        if let Some(running) = self.own {
            running.handle.stop();
            // It has answered already.
            let _ = running.ended().await;
        }
    }
}

/// Asks one thing and closes.
pub(super) async fn ask(config: &Config, global: &Global, request: Request) -> Result<Reply, Failure> {
    let mut session = Session::open(config, global).await?;
    let reply = session.ask(request).await;
    session.close().await;
    reply
}

/// The engine answered something else than was asked for: a defect, said plainly.
pub(super) fn unexpected(reply: &Reply) -> Failure {
    let kind = format!("{reply:?}");
    let kind = kind.split(['(', ' ']).next().unwrap_or_default();
    Failure::new(Exit::Failed, format!("the engine answered with {kind}, which was not asked for; this is a defect"))
}
