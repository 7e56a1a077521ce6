//! The socket door: who has the host's key is served, whoever else connects costs next to nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::Desk;
use crate::config::{AgentListen, SecretError};
use crate::net::{AgentKey, AgentTls, AuthError, FrameReader, FrameWriter, Seals, WeakKey, prove_agent};

use super::certificate::{CertificateError, certificate};
use super::place::{Connection, Listening};
use super::talk::talk;
use super::tally::Tally;

/// Time to shake hands and prove the key.
const PROOF_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that have proved nothing. One more, and the oldest of them is closed: who has the key needs milliseconds,
/// so nobody can keep an engine out by holding places.
const UNPROVEN_MAX: usize = 32;
/// Connections that have proved the key.
const PROVEN_MAX: usize = 64;
/// A connection with a wrong key keeps its place for so long; with the places there are that bounds the tries.
const PENALTY: Duration = Duration::from_secs(1);
/// An engine sends a probe every five seconds.
const IDLE: Duration = Duration::from_mins(1);
/// Time for connections to end when the door closes.
const DRAIN: Duration = Duration::from_secs(1);

/// Why the socket door stays closed.
#[derive(Debug, thiserror::Error)]
pub enum SocketDoorError {
    /// There is no key.
    #[error(
        "the socket has no key; write one with `openssl rand -hex 32` into a file of mode 0600 and name it as `key = \"file:PATH\"` in [agent]"
    )]
    NoKey,
    /// The key cannot be read.
    #[error(transparent)]
    Unread(#[from] SecretError),
    /// The key is too short.
    #[error(transparent)]
    Weak(#[from] WeakKey),
    /// It would listen beyond loopback without TLS.
    #[error("the socket would be reached from other machines, and without TLS that is refused: {0}")]
    Certificate(#[from] CertificateError),
    /// The address is taken, or cannot be had.
    #[error("failed to listen at {place}: {source}")]
    Bind {
        /// Where.
        place: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// The open socket of an agent.
#[derive(Debug)]
pub struct SocketDoor {
    listening: Listening,
    key: AgentKey,
    tls: Option<AgentTls>,
    desk: Desk,
}

/// Whether other machines can reach `listen`.
#[must_use]
pub fn beyond_loopback(listen: &AgentListen) -> bool {
    matches!(listen, AgentListen::Tcp(address) if !address.ip().is_loopback())
}

impl SocketDoor {
    /// Opens the socket of `desk`, or answers `None` where its configuration says `off`.
    ///
    /// # Errors
    /// When there is no key, when the address cannot be had, and when it leaves loopback and there is no certificate.
    pub async fn open(desk: Desk) -> Result<Option<Self>, SocketDoorError> {
        let config = desk.config();
        let key = key(&desk)?;
        let tls = beyond_loopback(&config.listen).then(|| certificate(&config.spool)).transpose()?;
        let opened = Listening::open(&config.listen).await;
        let place = shown(&config.listen);
        let listening = opened.map_err(|source| SocketDoorError::Bind { place, source })?;
        Ok(listening.map(|listening| Self { listening, key, tls, desk }))
    }

    /// Where it listens, and what an engine has to pin.
    #[must_use]
    pub fn describe(&self) -> String {
        let place = match &self.listening {
            Listening::Tcp(listener) => {
                listener.local_addr().map_or_else(|error| error.to_string(), |at| at.to_string())
            }
            Listening::Unix(_, path) => format!("unix:{}", path.display()),
        };
        match &self.tls {
            Some(tls) => format!("{place}, TLS 1.3, pin = \"{}\"", tls.pin()),
            None => place,
        }
    }

    /// Serves until `stop`. Jobs go on.
    pub async fn serve(self, stop: CancellationToken) {
        let door = Arc::new(self);
        let (unproven, wrong) =
            (Arc::new(Unproven::default()), Arc::new(Tally::new("connections without the key of this host")));
        let places = Arc::new(Semaphore::new(PROVEN_MAX));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = door.listening.accept() => accepted,
            };
            let connection = match accepted {
                Ok(connection) => connection,
                Err(error) => {
                    // Out of file descriptors, or the wrong user: both pass.
                    tracing::warn!(%error, "failed to accept an engine");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let visit = Visit {
                door: Arc::clone(&door),
                unproven: Arc::clone(&unproven),
                wrong: Arc::clone(&wrong),
                places: Arc::clone(&places),
            };
            let stop = stop.clone();
            let give_way = unproven.enter();
            connections.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = visit.receive(connection, &give_way) => {}
                }
                visit.unproven.leave(&give_way);
            });
        }
        connections.close();
        // Who does not listen is not waited for.
        let _ = tokio::time::timeout(DRAIN, connections.wait()).await;
    }
}

/// The key of `desk`'s host.
pub(super) fn key(desk: &Desk) -> Result<AgentKey, SocketDoorError> {
    let config = desk.config();
    let reference = config.key.as_ref().ok_or(SocketDoorError::NoKey)?;
    let bases: Vec<_> = config.file_dir.as_deref().into_iter().collect();
    Ok(AgentKey::new(reference.read(&bases)?)?)
}

fn shown(listen: &AgentListen) -> String {
    match listen {
        AgentListen::Off => "off".to_owned(),
        AgentListen::Tcp(address) => SocketAddr::to_string(address),
        AgentListen::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// One connection, and what it shares with the others.
struct Visit {
    door: Arc<SocketDoor>,
    unproven: Arc<Unproven>,
    wrong: Arc<Tally>,
    places: Arc<Semaphore>,
}

impl Visit {
    async fn receive(&self, connection: Connection, give_way: &Arc<CancellationToken>) {
        match (connection, &self.door.tls) {
            (Connection::Unix(stream), _) => self.prove(stream, &[], give_way).await,
            (Connection::Tcp(stream), None) => self.prove(stream, &[], give_way).await,
            (Connection::Tcp(stream), Some(tls)) => {
                let shaken = tokio::select! {
                    () = give_way.cancelled() => return,
                    shaken = tokio::time::timeout(PROOF_TIMEOUT, tls.accept(stream)) => shaken,
                };
                match shaken {
                    Ok(Ok((stream, binding))) => self.prove(stream, &binding, give_way).await,
                    // A scanner, a browser or somebody who went away: the peer's business, not an error of ours.
                    Ok(Err(error)) => tracing::debug!(%error, "no TLS handshake"),
                    Err(_) => tracing::debug!("the TLS handshake took too long"),
                }
            }
        }
    }

    async fn prove(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        binding: &[u8],
        give_way: &Arc<CancellationToken>,
    ) {
        let SocketDoor { key, desk, .. } = &*self.door;
        let name = desk.config().name.as_ref();
        let proving = tokio::time::timeout(PROOF_TIMEOUT, prove_agent(&mut stream, key, name, binding));
        let proven = tokio::select! {
            () = give_way.cancelled() => return,
            proven = proving => proven,
        };
        let Seals { sent, received } = match proven {
            Ok(Ok(seals)) => seals,
            Ok(Err(AuthError::WrongKey)) => {
                self.wrong.count(&"no proof");
                tokio::select! {
                    () = give_way.cancelled() => {}
                    () = tokio::time::sleep(PENALTY) => {}
                }
                return;
            }
            Ok(Err(error)) => return tracing::debug!(%error, "a connection proved nothing"),
            Err(_) => return tracing::debug!("a connection proved nothing in its time"),
        };
        self.unproven.leave(give_way);
        let Ok(_place) = self.places.try_acquire() else {
            return tracing::warn!("{PROVEN_MAX} engines are connected; one more was turned away");
        };
        let (reader, writer) = split(stream);
        let (reader, writer) = (FrameReader::sealed(reader, received), FrameWriter::sealed(writer, sent));
        if let Err(error) = talk(desk, reader, writer, Some(IDLE)).await {
            tracing::info!(%error, "the connection of an engine ended");
        }
    }
}

/// Connections that have proved nothing, oldest first.
#[derive(Debug, Default)]
struct Unproven(Mutex<VecDeque<Arc<CancellationToken>>>);

impl Unproven {
    /// A place for one more; the token tells it to give way.
    fn enter(&self) -> Arc<CancellationToken> {
        let token = Arc::new(CancellationToken::new());
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(Arc::clone(&token));
        if waiting.len() > UNPROVEN_MAX
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.cancel();
        }
        token
    }

    fn leave(&self, token: &Arc<CancellationToken>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|waiting| !Arc::ptr_eq(waiting, token));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_those_who_proved_nothing_gives_way() {
        let unproven = Unproven::default();
        let first = unproven.enter();
        let second = unproven.enter();
        unproven.leave(&second);
        let others: Vec<_> = (0..UNPROVEN_MAX - 1).map(|_| unproven.enter()).collect();
        assert!(!first.is_cancelled());
        unproven.enter();
        assert!(first.is_cancelled() && !second.is_cancelled());
        assert!(others.iter().all(|token| !token.is_cancelled()));
    }

    #[test]
    fn only_loopback_and_paths_are_of_this_machine() {
        for (listen, beyond) in [("127.0.0.1:1", false), ("[::1]:1", false), ("0.0.0.0:1", true), ("10.0.0.7:1", true)]
        {
            let listen = AgentListen::Tcp(listen.parse().expect("an address"));
            assert_eq!(beyond_loopback(&listen), beyond, "{listen:?}");
        }
        assert!(!beyond_loopback(&AgentListen::Unix("/run/a.sock".into())));
    }
}
