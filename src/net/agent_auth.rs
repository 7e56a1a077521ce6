//! How engine and agent prove to each other that they have the host's key, before either reads a word of JSON.
//!
//! The engine sends a magic that no text protocol begins with, a nonce and the host it means. The agent answers with
//! its own nonce, its own name and a proof over all of it; then the engine sends its proof. So an engine shows nothing
//! to whoever merely listens on the port. Under TLS both proofs also cover the connection (RFC 5705 exporter), and a
//! man in the middle of two connections has no use for them. From then on each frame is sealed: a port of this machine
//! may be held by another user while the agent is away, or be carried through a tunnel that somebody else ends.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::model::HostName;

use super::agent_seal::{AgentKey, MARK, Seal};

/// What a connection begins with on both sides: no text, no TLS, and the version of this handshake at the end.
const MAGIC: [u8; 8] = *b"\xa7AURORA\x01";
const NONCE: usize = 32;

const AGENT_PROVES: &[u8] = b"aurora agent 1: the agent proves\0";
const ENGINE_PROVES: &[u8] = b"aurora agent 1: the engine proves\0";
const TO_AGENT: &[u8] = b"aurora agent 1: to the agent\0";
const TO_ENGINE: &[u8] = b"aurora agent 1: to the engine\0";

/// What both sides have once they have proved it.
#[derive(Debug)]
pub struct Seals {
    /// For what is sent.
    pub sent: Seal,
    /// For what is received.
    pub received: Seal,
}

/// Why a connection was not proven.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Whoever is there does not speak this.
    #[error("what is there is no aurora agent of this version")]
    Stranger,
    /// It speaks this and has another key.
    #[error("it does not have the same key")]
    WrongKey,
    /// It has the key and is another host.
    #[error("it is the agent of {0}")]
    OtherHost(HostName),
    /// The connection broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// The engine's side. `binding` is what both sides know of the connection below, and nothing without TLS.
///
/// # Errors
/// When the other side is no agent, has another key or is another host. There is no time limit in it.
pub async fn prove_engine<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    key: &AgentKey,
    host: &HostName,
    binding: &[u8],
) -> Result<Seals, AuthError> {
    let first = flight(host);
    stream.write_all(&first).await?;
    stream.flush().await?;
    let (answer, name) = read_flight(stream).await?;
    let mut proof = [0; MARK];
    stream.read_exact(&mut proof).await?;
    let said = said(binding, &first, &answer);
    if !key.fits(&[AGENT_PROVES, &said], &proof) {
        return Err(AuthError::WrongKey);
    }
    if name != *host {
        return Err(AuthError::OtherHost(name));
    }
    stream.write_all(&key.mark(&[ENGINE_PROVES, &said])).await?;
    stream.flush().await?;
    Ok(Seals { sent: seal(key, TO_AGENT, &said), received: seal(key, TO_ENGINE, &said) })
}

/// The agent's side; `name` is its own, or nothing where it answers to any.
///
/// # Errors
/// When the other side is no engine, or has another key. There is no time limit in it.
pub async fn prove_agent<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    key: &AgentKey,
    name: Option<&HostName>,
    binding: &[u8],
) -> Result<Seals, AuthError> {
    let (first, meant) = read_flight(stream).await?;
    let answer = flight(name.unwrap_or(&meant));
    let said = said(binding, &first, &answer);
    stream.write_all(&[&answer[..], &key.mark(&[AGENT_PROVES, &said])].concat()).await?;
    stream.flush().await?;
    let mut proof = [0; MARK];
    match stream.read_exact(&mut proof).await {
        // Who sees that our proof does not fit its key has none to show, and leaves.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(AuthError::WrongKey),
        read => read?,
    };
    if !key.fits(&[ENGINE_PROVES, &said], &proof) {
        return Err(AuthError::WrongKey);
    }
    Ok(Seals { sent: seal(key, TO_ENGINE, &said), received: seal(key, TO_AGENT, &said) })
}

fn seal(key: &AgentKey, way: &[u8], said: &[u8]) -> Seal {
    Seal::new(key.mark(&[way, said]))
}

/// Magic, a fresh nonce, and a name with its length.
fn flight(name: &HostName) -> Vec<u8> {
    let nonce: [u8; NONCE] = rand::random();
    let name = name.as_str().as_bytes();
    // A name has at most 64 bytes.
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    [&MAGIC[..], &nonce, &[length], name].concat()
}

async fn read_flight<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(Vec<u8>, HostName), AuthError> {
    // Byte by byte, so that whoever does not speak this is let go of at its first byte and not at the end of its time.
    for expected in MAGIC {
        if stream.read_u8().await? != expected {
            return Err(AuthError::Stranger);
        }
    }
    let mut nonce = [0; NONCE];
    stream.read_exact(&mut nonce).await?;
    let length = stream.read_u8().await?;
    let mut name = vec![0; usize::from(length)];
    stream.read_exact(&mut name).await?;
    let host = std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok()).ok_or(AuthError::Stranger)?;
    Ok(([&MAGIC[..], &nonce, &[length], &name].concat(), host))
}

/// Everything both sides said and know. No two conversations have the same: each part says how long it is.
fn said(binding: &[u8], first: &[u8], answer: &[u8]) -> Vec<u8> {
    let length = (binding.len() as u64).to_be_bytes();
    [&length[..], binding, first, answer].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::duplex;

    use super::*;

    fn key(text: &str) -> AgentKey {
        AgentKey::new(text.repeat(32).into()).expect("long enough")
    }

    fn name(text: &str) -> HostName {
        text.parse().expect("a name")
    }

    type Both = (Result<Seals, AuthError>, Result<Seals, AuthError>);

    async fn meet(keys: [&str; 2], names: [&str; 2], bindings: [&[u8]; 2]) -> Both {
        let (mut near, mut far) = duplex(4096);
        let engine = async move { prove_engine(&mut near, &key(keys[0]), &name(names[0]), bindings[0]).await };
        let agent = async move { prove_agent(&mut far, &key(keys[1]), Some(&name(names[1])), bindings[1]).await };
        tokio::join!(engine, agent)
    }

    #[tokio::test]
    async fn who_has_the_key_is_let_in_and_nobody_else() {
        let (engine, agent) = meet(["k", "k"], ["web-1", "web-1"], [b"", b""]).await;
        let (mut engine, mut agent) = (engine.expect("proven"), agent.expect("proven"));
        let mark = engine.sent.mark(b"hello");
        assert!(agent.received.fits(b"hello", &mark));
        let mark = agent.sent.mark(b"hello");
        assert!(engine.received.fits(b"hello", &mark));
        let mark = engine.sent.mark(b"x");
        assert!(!engine.received.fits(b"x", &mark), "what is sent cannot be sent back");

        let (engine, agent) = meet(["k", "l"], ["web-1", "web-1"], [b"", b""]).await;
        assert!(matches!(engine, Err(AuthError::WrongKey)), "{engine:?}");
        assert!(matches!(agent, Err(AuthError::WrongKey)), "{agent:?}");
        let (engine, _) = meet(["k", "k"], ["web-1", "web-2"], [b"", b""]).await;
        assert!(matches!(&engine, Err(AuthError::OtherHost(host)) if *host == name("web-2")), "{engine:?}");
        let (engine, _) = meet(["k", "k"], ["web-1", "web-1"], [b"one connection", b"another"]).await;
        assert!(matches!(engine, Err(AuthError::WrongKey)), "{engine:?}");
    }

    #[tokio::test]
    async fn an_agent_without_a_name_answers_to_any() {
        let (mut near, mut far) = duplex(4096);
        let (key, host) = (key("k"), name("web-9"));
        let (engine, agent) =
            tokio::join!(prove_engine(&mut near, &key, &host, b""), prove_agent(&mut far, &key, None, b""));
        assert!(engine.is_ok() && agent.is_ok());
    }

    #[tokio::test]
    async fn a_recorded_conversation_opens_nothing() {
        let (mut near, mut far) = duplex(4096);
        let key = key("k");
        let first = flight(&name("web-1"));
        near.write_all(&first).await.expect("writes");
        // The proof an engine once made, for another nonce of the agent.
        near.write_all(&key.mark(&[ENGINE_PROVES, &said(b"", &first, &flight(&name("web-1")))])).await.expect("writes");
        let agent = prove_agent(&mut far, &key, None, b"").await;
        assert!(matches!(agent, Err(AuthError::WrongKey)), "{agent:?}");
    }

    #[tokio::test]
    async fn the_proof_of_an_agent_is_none_of_an_engine() {
        let (mut near, mut far) = duplex(4096);
        let key = key("k");
        let reflecting = async {
            near.write_all(&flight(&name("web-1"))).await.expect("writes");
            let (_, _) = read_flight(&mut near).await.expect("an answer");
            let mut proof = [0; MARK];
            near.read_exact(&mut proof).await.expect("a proof");
            near.write_all(&proof).await.expect("writes");
        };
        let (agent, ()) = tokio::join!(prove_agent(&mut far, &key, None, b""), reflecting);
        assert!(matches!(agent, Err(AuthError::WrongKey)), "{agent:?}");
    }

    #[tokio::test]
    async fn whoever_speaks_something_else_is_let_go_of_at_once() {
        for noise in [&b"GET "[..], b"POST / HTTP/1.1\r\n", b"\x16\x03\x01", b"{", b"SSH-2.0", b"\xa7AURORA\x02"] {
            let (mut near, mut far) = duplex(4096);
            near.write_all(noise).await.expect("writes");
            let key = key("k");
            let agent = tokio::time::timeout(Duration::from_secs(5), prove_agent(&mut far, &key, None, b"")).await;
            assert!(matches!(agent, Ok(Err(AuthError::Stranger))), "{noise:?}: {agent:?}");
        }
        // A name that is none.
        let (mut near, mut far) = duplex(4096);
        near.write_all(&[&MAGIC[..], &[0; NONCE], &[2], b"-x"].concat()).await.expect("writes");
        assert!(matches!(prove_agent(&mut far, &key("k"), None, b"").await, Err(AuthError::Stranger)));
    }
}
