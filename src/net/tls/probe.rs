//! TLS for a look at a server: whatever certificate it shows is taken, and judged afterwards.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TlsError;
use super::client::trusting;
use super::provider::{certificates, provider};

/// TLS that takes any certificate in the handshake and says afterwards whether it is trusted.
///
/// So an expired certificate can still be read. Who uses it sends nothing before it has looked at the result. No
/// session is ever resumed, as a server shows no certificate then.
pub struct ProbeTls {
    connector: TlsConnector,
    verifier: Arc<Verifier>,
}

impl std::fmt::Debug for ProbeTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeTls").finish_non_exhaustive()
    }
}

/// What a server showed.
#[derive(Debug)]
pub struct Shown {
    /// Its certificates in DER, its own first; never empty.
    pub chain: Vec<CertificateDer<'static>>,
    /// Why they are not trusted.
    pub distrust: Option<Distrust>,
    /// Whether its own names the server that was asked for.
    pub host_matches: bool,
    /// 1.2 or 1.3.
    pub version: f64,
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// Its time, or that of one that signs it, is over.
    Expired,
    /// Its time, or that of one that signs it, has not begun.
    NotYet,
    /// It names other hosts.
    OtherHost,
    /// Nobody who is trusted signs it.
    UnknownIssuer,
    /// Something else, in words.
    Other(String),
}

/// Why there was no handshake.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// What was asked for is not the name of a host.
    #[error("{0:?} is not the name of a host")]
    Name(String),
    /// The other side speaks something else.
    #[error("the other side does not speak TLS")]
    NotTls,
    /// It ended without an answer.
    #[error("the connection ended within the TLS handshake")]
    Ended,
    /// Anything else.
    #[error("the TLS handshake failed: {0}")]
    Failed(std::io::Error),
}

/// TLS for looks that trust the platform's roots and those in the PEM files `extra_roots`; all are read now.
///
/// # Errors
/// When a file cannot be read or holds no certificate, or when there is no root at all.
pub fn probe_tls(extra_roots: &[PathBuf]) -> Result<ProbeTls, TlsError> {
    let mut roots = Vec::new();
    for path in extra_roots {
        roots.extend(certificates(path)?);
    }
    let verifier = Arc::new(Verifier::new_with_extra_roots(roots, provider())?);
    let mut config = Arc::unwrap_or_clone(trusting(Arc::new(TakesAny(Arc::clone(&verifier))))?);
    config.resumption = Resumption::disabled();
    Ok(ProbeTls { connector: TlsConnector::from(Arc::new(config)), verifier })
}

impl ProbeTls {
    /// Shakes hands on `stream` with the server `name`, at `now` since 1970.
    ///
    /// # Errors
    /// When the handshake does not come to its end.
    pub async fn handshake(
        &self,
        name: &str,
        stream: TcpStream,
        now: Duration,
    ) -> Result<(TlsStream<TcpStream>, Shown), HandshakeError> {
        let server = ServerName::try_from(name.to_owned()).map_err(|_| HandshakeError::Name(name.to_owned()))?;
        let stream = self.connector.connect(server.clone(), stream).await.map_err(why)?;
        let session = stream.get_ref().1;
        let chain: Vec<_> =
            session.peer_certificates().unwrap_or_default().iter().map(|one| one.clone().into_owned()).collect();
        let version = if session.protocol_version() == Some(ProtocolVersion::TLSv1_3) { 1.3 } else { 1.2 };
        let Some((own, others)) = chain.split_first() else {
            return Err(HandshakeError::NotTls);
        };
        let verified = self.verifier.verify_server_cert(own, others, &server, &[], UnixTime::since_unix_epoch(now));
        let host_matches = ParsedCertificate::try_from(own).is_ok_and(|own| verify_server_name(&own, &server).is_ok());
        Ok((stream, Shown { distrust: verified.err().map(Distrust::from), host_matches, version, chain }))
    }
}

fn why(error: std::io::Error) -> HandshakeError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(_)) => HandshakeError::NotTls,
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => HandshakeError::Ended,
        _ => HandshakeError::Failed(error),
    }
}

impl From<Error> for Distrust {
    fn from(error: Error) -> Self {
        use CertificateError as Why;
        match error {
            Error::InvalidCertificate(why) => match why {
                Why::Expired | Why::ExpiredContext { .. } => Self::Expired,
                Why::NotValidYet | Why::NotValidYetContext { .. } => Self::NotYet,
                Why::NotValidForName | Why::NotValidForNameContext { .. } => Self::OtherHost,
                Why::UnknownIssuer => Self::UnknownIssuer,
                Why::BadSignature => Self::Other("not signed by the issuer it names".to_owned()),
                // The library has no words for it, only the name of its own error.
                Why::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                    Self::Other("the certificate of an authority, which no server may use".to_owned())
                }
                other => Self::Other(other.to_string()),
            },
            other => Self::Other(other.to_string()),
        }
    }
}

/// Takes every certificate; that its key signed the handshake is still verified.
#[derive(Debug)]
struct TakesAny(Arc<Verifier>);

impl ServerCertVerifier for TakesAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
