//! The road to an agent's socket: over a port or a path, proven by the host's key, under TLS where it leaves loopback.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};

use crate::bridge::layer::{LayerNews, Term};
use crate::config::SocketPlace;
use crate::model::{HostName, LayerKind};
use crate::net::{AgentKey, AuthError, FrameReader, FrameWriter, Seals, pinned_to, prove_engine};

use super::stream::{Closed, Line, Open, Opening, StreamLayer};

/// Time to connect, all addresses of a name together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time to shake hands and prove the key.
const PROOF_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the agent to greet; it may have to open its journal first.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where an agent's socket is, and how it is known.
#[derive(Debug, Clone)]
pub struct SocketSpec {
    /// Where.
    pub place: SocketPlace,
    /// The host's key.
    pub key: AgentKey,
    /// SHA-256 of the agent's certificate; without one the connection is not encrypted, and must not leave loopback.
    pub pin: Option<[u8; 32]>,
}

/// Opens the road.
#[must_use]
pub fn open(
    spec: SocketSpec,
    host: HostName,
    term: watch::Receiver<Term>,
    news: mpsc::Sender<LayerNews>,
) -> StreamLayer {
    StreamLayer::start(LayerKind::Socket, Connector { spec, host: host.clone() }, host, term, news)
}

struct Connector {
    spec: SocketSpec,
    host: HostName,
}

impl Open for Connector {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async move {
            let place = &self.spec.place;
            let down = |step: &str, error: io::Error| Closed::Down(format!("{step}: {place}: {error}"));
            match place {
                SocketPlace::Unix(path) => {
                    let stream = within(CONNECT_TIMEOUT, UnixStream::connect(path)).await;
                    self.prove(stream.map_err(|error| down("connect", error))?, &[]).await
                }
                SocketPlace::Tcp(endpoint) => {
                    let connecting = TcpStream::connect((endpoint.host.as_str(), endpoint.port));
                    let stream = within(CONNECT_TIMEOUT, connecting).await.map_err(|error| down("connect", error))?;
                    // Without it a question may wait 40 ms for the next packet; a failure costs only that.
                    let _ = stream.set_nodelay(true);
                    let Some(pin) = self.spec.pin else {
                        let peer = stream.peer_addr().map_err(|error| down("connect", error))?;
                        if !peer.ip().is_loopback() {
                            return Err(Closed::Barred(format!(
                                "connect: {place} is not of this machine, and without `pin` nothing would be encrypted; \
                                 `aurora agent fingerprint` on the host shows it"
                            )));
                        }
                        return self.prove(stream, &[]).await;
                    };
                    match within(PROOF_TIMEOUT, pinned_to(pin, stream)).await {
                        Ok((stream, binding)) => self.prove(stream, &binding).await,
                        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Closed::Barred(format!(
                            "tls: {place}: {error}; compare `pin` with `aurora agent fingerprint` on the host"
                        ))),
                        Err(error) => Err(down("tls", error)),
                    }
                }
            }
        })
    }
}

impl Connector {
    async fn prove(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        binding: &[u8],
    ) -> Result<Line, Closed> {
        let (place, host) = (&self.spec.place, &self.host);
        let proving = prove_engine(&mut stream, &self.spec.key, host, binding);
        let proven = tokio::time::timeout(PROOF_TIMEOUT, proving)
            .await
            .unwrap_or_else(|elapsed| Err(AuthError::Broken(elapsed.into())));
        let Seals { sent, received } = proven.map_err(|error| match error {
            AuthError::WrongKey => Closed::Barred(format!(
                "proof: {place}: {error}; compare `key` of the host here with `key` in its [agent]"
            )),
            AuthError::OtherHost(_) => Closed::Barred(format!(
                "proof: {place}: {error}, not of {host}; look at `addr` here and at `name` in its [agent]"
            )),
            AuthError::Stranger | AuthError::Broken(_) => Closed::Down(format!("proof: {place}: {error}")),
        })?;
        let (reader, writer) = split(stream);
        Ok(Line {
            reader: FrameReader::sealed(Box::new(reader), received),
            writer: FrameWriter::sealed(Box::new(writer), sent),
            patience: PATIENCE,
            last_words: Box::pin(async { None }),
        })
    }
}

async fn within<T>(limit: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, step).await.unwrap_or_else(|elapsed| Err(elapsed.into()))
}
