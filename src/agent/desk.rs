//! The desk: every door brings its questions here, and takes the answers back.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::config::AgentConfig;
use crate::model::{EngineId, HostName};
use crate::protocol::{AGENT_VERSION, FromAgent, ToAgent};

use super::{Lease, Machine, Session, Spool, SpoolError};

/// Why an agent does not start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its journal cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The kernel does not tell what is needed.
    #[error("failed to read the boot id of this machine: {0}")]
    Boot(std::io::Error),
}

/// Answers the questions of engines. Clones share everything; several processes may have one over the same journal.
#[derive(Debug, Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: AgentConfig,
    spool: Spool,
    boot: String,
}

impl Desk {
    /// Opens the journal of `config`.
    ///
    /// # Errors
    /// When the journal cannot be used, or others could have written to it.
    pub fn open(config: AgentConfig) -> Result<Self, AgentError> {
        let machine = Machine::default();
        let boot = machine.boot_id().map_err(AgentError::Boot)?;
        let spool = Spool::open(&config.spool, machine)?;
        Ok(Self { inner: Arc::new(Inner { config, spool, boot }) })
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
    pub async fn serve(&self, session: &mut Session, question: ToAgent, answers: &mpsc::Sender<FromAgent>) {
        let answer = match question {
            ToAgent::Hello { version, engine, epoch, host } => self.greet(session, version, engine, epoch, &host).await,
            _ if !session.greeted => {
                FromAgent::Goodbye { rule: "hello".into(), reason: "a hello comes before every question".into() }
            }
            ToAgent::Probe { nonce } => FromAgent::Alive {
                nonce,
                clock: Timestamp::now(),
                load_percent: self.inner.spool.machine().load_percent(),
                running: 0,
            },
            ToAgent::Run(_) | ToAgent::Query { .. } | ToAgent::Cancel { .. } | ToAgent::Fin { .. } => return,
        };
        // Nobody is there any more to be told.
        let _ = answers.send(answer).await;
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
        session.greeted = false;
        let goodbye = |rule: &str, reason: String| FromAgent::Goodbye { rule: rule.into(), reason };
        if version != AGENT_VERSION {
            let reason =
                format!("this agent speaks version {AGENT_VERSION}, the engine {version}; install the same aurora");
            return goodbye("version", reason);
        }
        if let Some(name) = self.inner.config.name.as_ref().filter(|name| *name != host) {
            return goodbye("host", format!("this is {name}, not {host}; look at the addresses in [hosts.*]"));
        }
        let desk = self.clone();
        let lease = move || -> std::io::Result<u64> {
            // Who is fenced off may still ask how things are; it hears which term it would have to be above.
            let _ = Lease::take(&desk.inner.spool, engine, epoch, Timestamp::now())?;
            Ok(Lease::held(&desk.inner.spool)?.map_or(epoch, |lease| lease.epoch))
        };
        let highest = match tokio::task::spawn_blocking(lease).await {
            Ok(Ok(highest)) => highest,
            Ok(Err(error)) => {
                return FromAgent::Trouble { id: None, reason: format!("failed to keep the lease: {error}") };
            }
            Err(error) => return FromAgent::Trouble { id: None, reason: error.to_string() },
        };
        session.greeted = true;
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

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
    }
}
