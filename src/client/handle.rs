//! A client, wherever its engine is.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::engine::{Credential, Handle, Joined, TurnedAway};
use crate::protocol::{Link, Refusal, Reply, Request, RequestId, Update};

use super::attached;
use super::line::{AttachError, connect};
use super::open::{Saying, Wish};
use super::ssh::Prompts;
use super::target::Target;

/// Updates that may wait for a screen before the line is no longer read.
const UPDATES: usize = 256;

/// How often a command's line is tried again: for about three seconds.
const ANSWER_TRIES: u32 = 5;

/// A client of an engine.
#[derive(Debug)]
pub struct Client {
    /// What a person asks with keys, or a command asks, a few at once: hands bound it. And a word for each piece of a pane,
    /// which the engine bounds.
    says: mpsc::UnboundedSender<Saying>,
    updates: mpsc::Receiver<Update>,
    next_id: AtomicU64,
    link: Mutex<Link>,
    read_only: bool,
}

impl Client {
    /// A client of an engine in this process.
    ///
    /// # Errors
    /// When the engine does not let the owner of this process in, or has stopped.
    pub async fn embedded(engine: &Handle, follow: bool, read_only: bool) -> Result<Self, TurnedAway> {
        let joined = join(engine, follow, read_only).await?;
        let (says, said) = mpsc::unbounded_channel();
        let (sender, updates) = mpsc::channel(UPDATES);
        tokio::spawn(carry(joined, said, sender));
        Ok(Self::new(says, updates, Link::Embedded, read_only))
    }

    /// A client that follows the engine that `begin` starts in this process, before that runs: what it asks is answered
    /// then. Beside it, what `begin` comes to. When that is an error nothing is answered and [`Client::next`] ends.
    pub fn starting<T, E>(
        begin: impl Future<Output = Result<(Handle, T), E>> + Send + 'static,
        read_only: bool,
    ) -> (Self, JoinHandle<Result<T, E>>)
    where
        T: Send + 'static,
        E: From<TurnedAway> + Send + 'static,
    {
        let (says, said) = mpsc::unbounded_channel();
        let (sender, updates) = mpsc::channel(UPDATES);
        let starting = tokio::spawn(async move {
            let (engine, begun) = begin.await?;
            let joined = join(&engine, true, read_only).await?;
            // The screen may be gone already.
            let _ = sender.send(Update::Link(Link::Embedded)).await;
            tokio::spawn(carry(joined, said, sender));
            Ok(begun)
        });
        (Self::new(says, updates, Link::Starting, read_only), starting)
    }

    /// A client of the engine at `target`, once that lets it in. A line that breaks later is mended by itself.
    ///
    /// Only here ssh may ask at the terminal for a passphrase or whether a host key is right.
    ///
    /// # Errors
    /// When nobody listens there, the line does not come up, or the engine does not want this client.
    pub async fn attach(target: Target, follow: bool, read_only: bool) -> Result<Self, AttachError> {
        let wish = Wish { follow, read_only };
        let frames = connect(&target, wish, Prompts::Allowed).await?;
        let (says, said) = mpsc::unbounded_channel();
        let (sender, updates) = mpsc::channel(UPDATES);
        tokio::spawn(attached::run(target, wish, frames, said, sender));
        Ok(Self::new(says, updates, Link::Connected { rtt: None }, read_only))
    }

    fn new(says: mpsc::UnboundedSender<Saying>, updates: mpsc::Receiver<Update>, link: Link, read_only: bool) -> Self {
        Self { says, updates, next_id: AtomicU64::new(1), link: Mutex::new(link), read_only }
    }

    /// Asks; the reply comes from [`Client::next`] under the same number.
    pub fn ask(&self, request: Request) -> RequestId {
        let id = RequestId(self.next_id.fetch_add(1, Ordering::Relaxed));
        // The engine may be gone; `next` says so.
        let _ = self.says.send(Saying::Ask(id, request));
        id
    }

    /// Says that all below `offset` of the watch with this number was taken; more comes then. Nothing answers.
    pub fn seen(&self, watch: u64, offset: u64) {
        // The engine may be gone; `next` says so.
        let _ = self.says.send(Saying::Seen { watch, offset });
    }

    /// The next update: a snapshot first and after every reconnect, then notices and replies.
    /// `None` when an embedded engine has ended.
    pub async fn next(&mut self) -> Option<Update> {
        let update = self.updates.recv().await?;
        if let Update::Link(link) = &update {
            self.link.lock().unwrap_or_else(PoisonError::into_inner).clone_from(link);
        }
        Some(update)
    }

    /// The state of the line.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it promised to change nothing.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Asks and waits for the answer; other updates meanwhile are dropped. For commands.
    ///
    /// # Errors
    /// What the engine refused, or that it is gone.
    pub async fn answer(&mut self, request: Request) -> Result<Reply, Refusal> {
        self.answers(vec![request]).await.pop().unwrap_or(Err(Refusal::Unanswered))
    }

    /// Asks all of `requests` at once and waits for their answers, which come in the order of the questions.
    pub async fn answers(&mut self, requests: Vec<Request>) -> Vec<Result<Reply, Refusal>> {
        let asked: Vec<RequestId> = requests.into_iter().map(|request| self.ask(request)).collect();
        let mut answers: HashMap<RequestId, Result<Reply, Refusal>> = HashMap::new();
        while answers.len() < asked.len()
            && let Some(update) = self.next().await
        {
            match update {
                Update::Reply { id, reply } if asked.contains(&id) => drop(answers.insert(id, reply)),
                // A command does not wait for an engine that may never come back.
                Update::Link(Link::Reconnecting { tries, .. }) if tries >= ANSWER_TRIES => break,
                _ => {}
            }
        }
        asked.iter().map(|id| answers.remove(id).unwrap_or(Err(Refusal::Unanswered))).collect()
    }
}

/// Lets the owner of this process in.
async fn join(engine: &Handle, follow: bool, read_only: bool) -> Result<Joined, TurnedAway> {
    let own = Credential::Local { uid: rustix::process::geteuid().as_raw(), ssh_key: None };
    engine.join(own, follow, read_only).await
}

/// Carries what is said and what is heard, until either side has gone.
async fn carry(mut joined: Joined, mut said: mpsc::UnboundedReceiver<Saying>, updates: mpsc::Sender<Update>) {
    loop {
        tokio::select! {
            saying = said.recv() => {
                if !say(&joined, saying).await {
                    return;
                }
            }
            // Room first, so that a screen that does not read holds back only itself.
            room = updates.reserve() => {
                let Ok(room) = room else { return };
                tokio::select! {
                    update = joined.next() => match update {
                        Some(update) => room.send(update),
                        None => return,
                    },
                    saying = said.recv() => {
                        if !say(&joined, saying).await {
                            return;
                        }
                    }
                }
            }
        }
    }
}

/// Says it to an engine in this process; answers whether there is more to say and somebody who listens.
async fn say(joined: &Joined, saying: Option<Saying>) -> bool {
    match saying {
        Some(Saying::Ask(id, request)) => joined.ask(id, request).await,
        Some(Saying::Seen { watch, offset }) => {
            joined.seen(watch, offset);
            true
        }
        None => false,
    }
}
