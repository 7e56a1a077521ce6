//! HTTP listeners, with TLS or without: bound sockets with a connection cap, timeouts and a graceful stop.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ListenerTls;

/// What a listener puts up with.
#[derive(Debug, Clone, Copy)]
pub struct DoorLimits {
    /// Connections open at once.
    pub connections: usize,
    /// Time to shake hands, where there is TLS.
    pub handshake_timeout: Duration,
    /// Time for a request's head, which is also how long a connection may idle.
    pub head_timeout: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// How long an answer may stay unread.
    pub unread: Duration,
    /// Time for open requests when the listener stops.
    pub drain: Duration,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            head_bytes: 64 * 1024,
            unread: Duration::from_secs(15),
            drain: Duration::from_secs(5),
        }
    }
}

/// What answers the requests of a listener.
pub trait Handler: Send + Sync + 'static {
    /// Answers `request` from `peer`.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;

    /// The TLS of the listener; plain HTTP without.
    fn tls(&self) -> Option<Arc<ListenerTls>> {
        None
    }

    /// How the listener speaks, asked for each connection.
    fn manner(&self) -> Manner {
        Manner { tls: self.tls(), over: CancellationToken::new() }
    }
}

/// How one connection speaks.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// Its TLS; plain HTTP without.
    pub tls: Option<Arc<ListenerTls>>,
    /// Cancelled when the listener has come to speak in another way: the connection ends with its open request.
    pub over: CancellationToken,
}

/// Told about a connection that was refused because too many are open.
pub type RefusedConnection = Box<dyn Fn(SocketAddr) + Send + Sync>;

/// Binds `address`.
///
/// # Errors
/// When the port is taken or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Binds `address` like [`bind`], and waits for about a second where it is in use: whoever has it may be about to let
/// go of it.
///
/// # Errors
/// When the port stays taken, or is not ours.
pub async fn take_over(address: SocketAddr) -> std::io::Result<TcpListener> {
    let mut tries = 50;
    loop {
        match bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && tries > 0 => tries -= 1,
            outcome => return outcome,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Accepts until `stop`, then lets open requests finish within the drain time.
///
/// `hyper` has no timeout for a head unless it is given a timer, and axum's own server gives it none;
/// this loop exists for that and for the connection cap.
pub async fn serve(
    listener: TcpListener,
    handler: Arc<impl Handler>,
    limits: DoorLimits,
    refused: RefusedConnection,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or the peer is gone already: both pass.
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let manner = handler.manner();
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            refused(peer);
            // Under TLS nothing can be said without a handshake, and that is what there is no room for.
            if manner.tls.is_none() {
                tokio::spawn(turn_away(stream));
            }
            continue;
        };
        let (handler, stop) = (Arc::clone(&handler), stop.clone());
        connections.spawn(async move {
            admit(stream, peer, manner, handler, limits, stop).await;
            drop(permit);
        });
    }
    // The address is free from here on, while open requests finish.
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were still open when the listener stopped");
    }
}

async fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    Manner { tls, over }: Manner,
    handler: Arc<impl Handler>,
    limits: DoorLimits,
    stop: CancellationToken,
) {
    // Without it an answer may wait 40 ms for the next packet; a failure costs only that.
    let _ = stream.set_nodelay(true);
    // A peer that does not read its answers is let go by the kernel; hyper would wait for it for ever.
    let unread = u32::try_from(limits.unread.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, unread);
    let ends = [stop.clone(), over];
    let Some(tls) = tls else { return converse(stream, peer, handler, limits, ends).await };
    let accepted = tokio::select! {
        () = stop.cancelled() => return,
        accepted = tokio::time::timeout(limits.handshake_timeout, tls.accept(stream)) => accepted,
    };
    // Plain HTTP, an old version, a scanner or somebody who went away: the peer's business, not an error of ours.
    match accepted {
        Ok(Ok(stream)) => converse(stream, peer, handler, limits, ends).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS handshake"),
        Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    handler: Arc<impl Handler>,
    limits: DoorLimits,
    [stop, over]: [CancellationToken; 2],
) {
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.handle(request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = over.cancelled() => {}
        }
    };
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = ended => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        // Broken off, timed out or not HTTP: the peer's business, not an error of ours.
        tracing::debug!(%peer, %error, "connection ended early");
    }
}

/// Says no in one write, without reading anything.
async fn turn_away(mut stream: TcpStream) {
    const BUSY: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let answer = async {
        stream.write_all(BUSY).await?;
        stream.shutdown().await
    };
    // The peer may be gone or not reading; either way nothing is left to do for it.
    let _ = tokio::time::timeout(Duration::from_secs(1), answer).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_is_let_go_of_is_taken_over() {
        let old = bind(([127, 0, 0, 1], 0).into()).await.expect("binds");
        let address = old.local_addr().expect("an address");
        let everywhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
        assert!(bind(everywhere).await.is_err(), "it is in use");
        let going = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(old);
        };
        let (taken, ()) = tokio::join!(take_over(everywhere), going);
        assert_eq!(taken.and_then(|listener| listener.local_addr()).expect("it is taken over"), everywhere);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_stays_in_use_is_a_failure_after_a_second() {
        let old = bind(([127, 0, 0, 1], 0).into()).await.expect("binds");
        let started = tokio::time::Instant::now();
        let error = take_over(old.local_addr().expect("an address")).await.expect_err("it is taken");
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
}
