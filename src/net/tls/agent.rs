//! TLS 1.3 between an engine and an agent: a certificate that the agent makes itself, and the pin by which it is known.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConnectionCommon, ServerConfig};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::TlsError;
use super::client::{Pin, Pinned};
use super::provider::provider;

/// What both sides derive from a connection, and nobody who is between two connections can (RFC 5705, RFC 9266).
const BINDING: &[u8] = b"EXPORTER-aurora-agent";
/// The name in the certificate and the one asked for; neither decides anything.
const NAME: &str = "aurora-agent";

/// A connection, and what binds a proof to it.
type Bound<S> = (S, [u8; 32]);

/// The agent's side.
pub struct AgentTls {
    acceptor: TlsAcceptor,
    digest: [u8; 32],
}

impl AgentTls {
    /// Makes a key (ECDSA P-256) and a certificate for it, as one text in PEM form.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn make() -> Result<String, TlsError> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        Ok(format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem()))
    }

    /// Takes the text that [`make`](Self::make) made.
    ///
    /// # Errors
    /// When it holds no certificate with its key.
    pub fn new(pem: &str) -> Result<Self, TlsError> {
        let broken = |_| TlsError::Key("the file holds no certificate with its key in PEM form".to_owned());
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(broken)?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(broken)?;
        let digest = Sha256::digest(&certificate).into();
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), digest })
    }

    /// SHA-256 of the certificate, as 64 hexadecimal digits: what an engine pins.
    #[must_use]
    pub fn pin(&self) -> String {
        hex::encode(self.digest)
    }

    /// Shakes hands. There is no time limit in it.
    ///
    /// # Errors
    /// When the peer does not speak TLS 1.3.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<Bound<server::TlsStream<S>>> {
        let stream = self.acceptor.accept(stream).await?;
        let binding = binding(stream.get_ref().1)?;
        Ok((stream, binding))
    }
}

impl std::fmt::Debug for AgentTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentTls").field("pin", &self.pin()).finish_non_exhaustive()
    }
}

/// Shakes hands with an agent whose certificate has the SHA-256 `pin`. There is no time limit in it.
///
/// # Errors
/// When it speaks something else; of the kind `PermissionDenied` when it shows another certificate.
pub async fn pinned_to<S: AsyncRead + AsyncWrite + Unpin>(
    pin: [u8; 32],
    stream: S,
) -> io::Result<Bound<client::TlsStream<S>>> {
    let verifier = Pinned { only: Pin::Digest(pin), roots: None, provider: provider() };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(rustls::Error::InvalidCertificate(_)) => {
                io::Error::new(io::ErrorKind::PermissionDenied, "it shows another certificate than the pinned one")
            }
            _ => error,
        }
    })?;
    let binding = binding(stream.get_ref().1)?;
    Ok((stream, binding))
}

fn binding<D>(connection: &ConnectionCommon<D>) -> io::Result<[u8; 32]> {
    connection.export_keying_material([0; 32], BINDING, None).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    fn agent() -> AgentTls {
        AgentTls::new(&AgentTls::make().expect("a certificate")).expect("usable")
    }

    fn digits(pin: &str) -> [u8; 32] {
        hex::decode(pin).expect("digits").try_into().expect("32 bytes")
    }

    #[tokio::test]
    async fn both_sides_know_the_connection_and_another_certificate_is_refused() {
        let tls = agent();
        let (near, far) = duplex(1 << 16);
        let (engine, agent_side) = tokio::join!(pinned_to(digits(&tls.pin()), near), tls.accept(far));
        let (engine, agent_side) = (engine.expect("shakes hands"), agent_side.expect("shakes hands"));
        assert_eq!(engine.1, agent_side.1);
        let (near, far) = duplex(1 << 16);
        let (again, _) = tokio::join!(pinned_to(digits(&tls.pin()), near), tls.accept(far));
        assert_ne!(again.expect("shakes hands").1, engine.1, "another connection");
        let (near, far) = duplex(1 << 16);
        let (refused, _) = tokio::join!(pinned_to(digits(&agent().pin()), near), tls.accept(far));
        assert_eq!(refused.expect_err("another certificate").kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn what_is_no_certificate_with_its_key_is_refused() {
        let pem = AgentTls::make().expect("a certificate");
        let half = &pem[..pem.find("-----BEGIN CERTIFICATE").expect("a certificate")];
        assert!(AgentTls::new(half).is_err());
        assert!(AgentTls::new("").is_err());
    }
}
