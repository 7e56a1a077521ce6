//! The desk: every door brings its questions here, and takes the answers back.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::config::AgentConfig;
use crate::model::{EngineId, HostName, JobId, rules};
use crate::protocol::{AGENT_VERSION, FromAgent, ToAgent};

use super::journal::dir_name;
use super::panes::{Notes, Owners};
use super::runners::Runners;
use super::session::Greeted;
use super::watcher::{Changes, Watcher};
use super::{Faults, Lease, Machine, Session, Spool, SpoolError};

/// Why an agent does not start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its journal cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The kernel does not tell what is needed.
    #[error("failed to read the boot id of this machine: {0}")]
    Boot(io::Error),
}

/// What a desk works with; tests and simulations give it others.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The program whose `agent runner` carries jobs out.
    pub program: PathBuf,
    /// The machine.
    pub machine: Machine,
    /// What fails at the steps of the journal.
    pub faults: Faults,
}

impl Default for Parts {
    fn default() -> Self {
        // This very program, even after another version has been put in its place.
        // In a unit test this program is the tests: as a runner it would run them again, and they would start more.
        let program = if cfg!(test) { "/bin/false" } else { "/proc/self/exe" };
        Self { program: program.into(), machine: Machine::default(), faults: Faults::default() }
    }
}

/// Answers the questions of engines. Clones share everything; several processes may have one over the same journal.
#[derive(Debug, Clone)]
pub struct Desk {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub config: AgentConfig,
    pub spool: Spool,
    pub boot: String,
    pub runners: Runners,
    /// Jobs this process has handed to a runner and that are not over.
    running: Mutex<HashSet<JobId>>,
    watcher: OnceLock<Option<Watcher>>,
    /// The tmux servers of this host.
    pub panes: Owners,
    /// What is noted of their panes.
    pub pane_notes: Notes,
}

impl Desk {
    /// Opens the journal of `config`. Within a runtime what was accepted and not started is started soon, and what is
    /// older than it is kept for is forgotten.
    ///
    /// # Errors
    /// When the journal cannot be used, or others could have written to it.
    pub fn open(config: AgentConfig) -> Result<Self, AgentError> {
        Self::with_parts(config, Parts::default())
    }

    /// The same, with parts of its own.
    ///
    /// # Errors
    /// As [`Desk::open`].
    pub fn with_parts(config: AgentConfig, parts: Parts) -> Result<Self, AgentError> {
        let Parts { program, machine, faults } = parts;
        let boot = machine.boot_id().map_err(AgentError::Boot)?;
        let spool = Spool::with_faults(&config.spool, machine, faults)?;
        let runners = Runners::new(program);
        let (running, watcher, panes) = (Mutex::default(), OnceLock::new(), Owners::default());
        let pane_notes = Notes::default();
        let inner = Arc::new(Inner { config, spool, boot, runners, running, watcher, panes, pane_notes });
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(super::keeping::keep(Arc::downgrade(&inner)));
        }
        Ok(Self { inner })
    }

    /// What it was told.
    #[must_use]
    pub fn config(&self) -> &AgentConfig {
        &self.inner.config
    }

    /// Its journal.
    #[must_use]
    pub fn spool(&self) -> &Spool {
        &self.inner.spool
    }

    /// Answers `question`. What takes longer than to answer is told from a task that ends with `session`: a caller who
    /// stops reading holds up nobody but itself. Once `answers` is closed nothing more is told, and jobs go on.
    ///
    /// Of an order, [`FromAgent::Received`] comes first, and its job is then followed to its end.
    pub async fn serve(&self, session: &mut Session, question: ToAgent, answers: &mpsc::Sender<FromAgent>) {
        let inner = &self.inner;
        let answer = match (question, session.greeted) {
            (ToAgent::Hello { version, engine, epoch, host }, _) => {
                Some(self.greet(session, version, engine, epoch, &host).await)
            }
            (_, None) => {
                Some(FromAgent::Goodbye { rule: "hello".into(), reason: "a hello comes before every question".into() })
            }
            (ToAgent::Probe { nonce }, _) => Some(FromAgent::Alive {
                nonce,
                clock: Timestamp::now(),
                load_percent: inner.spool.machine().load_percent(),
                running: u32::try_from(inner.running().len()).unwrap_or(u32::MAX),
            }),
            (ToAgent::Run(order), _) if session.has_room_for(order.id) => {
                let received = FromAgent::Received { id: order.id, nonce: order.nonce.clone() };
                // Nobody is there any more to be told; it was ordered all the same.
                let _ = answers.send(received).await;
                session.follow(order.id, Arc::clone(inner).order(order, answers.clone()));
                None
            }
            (ToAgent::Query { id, from, follow: true }, Some(by)) if session.has_room_for(id) => {
                inner.revive(id, by);
                session.follow(id, Arc::clone(inner).follow(id, from, None, answers.clone()));
                None
            }
            (ToAgent::Query { id, follow: false, .. }, Some(by)) => {
                inner.revive(id, by);
                let asked = Arc::clone(inner);
                Some(state(id, blocking(move || asked.look_durably(id, Timestamp::now())).await))
            }
            (ToAgent::Cancel { id, grace_ms, epoch }, Some(by)) if session.has_room_for(id) => {
                let by = Greeted { epoch, ..by };
                session.follow(id, Arc::clone(inner).cancel(id, grace_ms, by, answers.clone()));
                None
            }
            (ToAgent::Fin { id }, _) => {
                let asked = Arc::clone(inner);
                let dropped = blocking(move || asked.drop_output(id)).await;
                dropped.err().map(|error| trouble(id, &error))
            }
            (ToAgent::Watch(_) | ToAgent::Drive(_), _) if session.is_letter() => {
                let reason = "panes are watched and driven over a connection, not by letters".into();
                Some(FromAgent::Trouble { id: None, reason })
            }
            (question @ (ToAgent::Watch(_) | ToAgent::Drive(_)), Some(by)) => {
                session.panes.hear(inner, by.engine, question, answers).await
            }
            (ToAgent::Run(_) | ToAgent::Query { .. } | ToAgent::Cancel { .. }, _) => {
                Some(FromAgent::Trouble { id: None, reason: "too many jobs are followed over this connection".into() })
            }
        };
        if let Some(answer) = answer {
            // Nobody is there any more to be told.
            let _ = answers.send(answer).await;
        }
    }

    /// Nothing was heard of the engine for a while, so its line is most likely dead: what it drives is given back. It is told
    /// when it listens again.
    pub(super) fn quiet(&self, session: &Session, answers: &mpsc::Sender<FromAgent>) {
        for said in session.panes.quiet(&self.inner) {
            // Where too much waits for it already it hears of it with the next keys.
            let _ = answers.try_send(FromAgent::Pane(said));
        }
    }

    /// Answers a hello. A higher term than any before takes the lease at once.
    async fn greet(
        &self,
        session: &mut Session,
        version: u32,
        engine: EngineId,
        epoch: u64,
        host: &HostName,
    ) -> FromAgent {
        session.greeted = None;
        let goodbye = |rule: &str, reason: String| FromAgent::Goodbye { rule: rule.into(), reason };
        if version != AGENT_VERSION {
            let reason =
                format!("this agent speaks version {AGENT_VERSION}, the engine {version}; install the same aurora");
            return goodbye("version", reason);
        }
        if let Some(name) = self.inner.config.name.as_ref().filter(|name| *name != host) {
            return goodbye(
                rules::OTHER_HOST,
                format!("this is {name}, not {host}; look at the addresses in [hosts.*]"),
            );
        }
        let inner = Arc::clone(&self.inner);
        let lease = move || {
            // Who is fenced off may still ask how things are; it hears which term it would have to be above.
            let _ = Lease::take(&inner.spool, engine, epoch, Timestamp::now())?;
            Ok(match Lease::held(&inner.spool)? {
                // The same term of two engines: this one has to raise its own.
                Some(lease) if lease.engine != engine && lease.epoch == epoch => epoch.saturating_add(1),
                Some(lease) => lease.epoch,
                None => epoch,
            })
        };
        let highest = match blocking(lease).await {
            Ok(highest) => highest,
            Err(error) => {
                return FromAgent::Trouble { id: None, reason: format!("failed to keep the lease: {error}") };
            }
        };
        session.greeted = Some(Greeted { engine, epoch });
        FromAgent::Welcome {
            version: AGENT_VERSION,
            aurora: env!("CARGO_PKG_VERSION").into(),
            spool: self.inner.spool.id(),
            boot: self.inner.boot.clone(),
            clock: Timestamp::now(),
            epoch: highest,
            lost: Vec::new(),
        }
    }
}

impl Inner {
    pub(super) fn running(&self) -> MutexGuard<'_, HashSet<JobId>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes in the directory of the job `id`.
    pub(super) fn changes(&self, id: JobId) -> Changes {
        let watcher = self.watcher.get_or_init(|| Watcher::new().ok());
        watcher.as_ref().map_or_else(Changes::polled, |watcher| watcher.watch(&self.spool.path().join(dir_name(id))))
    }
}

/// Does what waits for the disk where that holds up nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// How far a job is, or why nobody knows.
pub(super) fn state(id: JobId, journal: io::Result<crate::protocol::Journal>) -> FromAgent {
    match journal {
        Ok(journal) => FromAgent::State { id, journal },
        Err(error) => trouble(id, &error),
    }
}

/// What failed says nothing about the job.
pub(super) fn trouble(id: JobId, error: &io::Error) -> FromAgent {
    FromAgent::Trouble { id: Some(id), reason: format!("the journal of this host: {error}") }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::PaneId;
    use crate::protocol::{DriveAsk, PaneSaid, WatchAsk};

    async fn ask(desk: &Desk, session: &mut Session, question: ToAgent) -> FromAgent {
        let (answers, mut heard) = mpsc::channel(8);
        desk.serve(session, question, &answers).await;
        heard.try_recv().expect("an answer")
    }

    fn hello(version: u32, epoch: u64, host: &str) -> ToAgent {
        let engine = EngineId::from_uuid(Uuid::from_u128(1));
        ToAgent::Hello { version, engine, epoch, host: host.parse().expect("a name") }
    }

    #[tokio::test]
    async fn a_hello_comes_first_and_tells_the_highest_term() {
        let dir = tempfile::tempdir().expect("a directory");
        let text = "[agent]\nname = \"web-1\"\n";
        let config = AgentConfig::parse(text, None, Some(dir.path())).expect("a configuration");
        let desk = Desk::open(config).expect("a desk");
        let mut session = Session::new();
        let answer = ask(&desk, &mut session, ToAgent::Probe { nonce: 7 }).await;
        assert!(matches!(&answer, FromAgent::Goodbye { rule, .. } if rule == "hello"), "{answer:?}");
        for (question, refused) in [(hello(99, 1, "web-1"), "version"), (hello(AGENT_VERSION, 1, "web-2"), "host")] {
            let answer = ask(&desk, &mut session, question).await;
            assert!(matches!(&answer, FromAgent::Goodbye { rule, .. } if rule == refused), "{answer:?}");
        }
        for (term, highest) in [(5, 5), (3, 5), (6, 6)] {
            let answer = ask(&desk, &mut session, hello(AGENT_VERSION, term, "web-1")).await;
            assert!(
                matches!(&answer, FromAgent::Welcome { epoch, spool, .. }
                if *epoch == highest && *spool == desk.spool().id()),
                "{answer:?}"
            );
        }
        let answer = ask(&desk, &mut session, ToAgent::Probe { nonce: 7 }).await;
        assert!(matches!(answer, FromAgent::Alive { nonce: 7, .. }), "{answer:?}");
        let ToAgent::Hello { version, epoch, host, .. } = hello(AGENT_VERSION, 6, "web-1") else { unreachable!() };
        let other = ToAgent::Hello { version, engine: EngineId::from_uuid(Uuid::from_u128(2)), epoch, host };
        let answer = ask(&desk, &mut session, other).await;
        assert!(matches!(answer, FromAgent::Welcome { epoch: 7, .. }), "the term is another's: {answer:?}");
    }

    #[tokio::test]
    async fn panes_are_refused_to_letters_and_where_they_are_off() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = AgentConfig::parse("[agent]\npanes = \"off\"\n", None, Some(dir.path())).expect("a configuration");
        let desk = Desk::open(config).expect("a desk");
        let list = || ToAgent::Watch(WatchAsk::List { socket: None, session: None });
        let pane = PaneId { server: 1, number: 1 };
        let keys = || ToAgent::Drive(DriveAsk::Keys { pane, seq: 7, bytes: b"id\r".to_vec() });
        for (mut session, is_letter) in [(Session::new(), false), (Session::letter(), true)] {
            ask(&desk, &mut session, hello(AGENT_VERSION, 5, "web-1")).await;
            match (is_letter, ask(&desk, &mut session, list()).await, ask(&desk, &mut session, keys()).await) {
                (true, FromAgent::Trouble { .. }, FromAgent::Trouble { .. }) => {}
                (
                    false,
                    FromAgent::Pane(PaneSaid::Panes { panes, why: Some(why), may_drive: false }),
                    FromAgent::Pane(PaneSaid::Refused { rule, seq: Some(7), .. }),
                ) => assert!(panes.is_empty() && why.contains("off") && rule == "policy", "{why} {rule}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
