//! What a client trusts: the platform's roots and more, or one certificate and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use sha2::{Digest, Sha256};

use super::TlsError;
use super::provider::{certificates, provider};

/// TLS 1.2 and 1.3 for a client that trusts the platform's roots and those in the PEM files `extra_roots`.
///
/// The files and the platform's roots are read now; a change is seen by the next call. No ALPN protocol is offered.
///
/// # Errors
/// When a file cannot be read or holds no certificate, or when there is no root at all.
pub fn client_tls(extra_roots: &[PathBuf]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = Vec::new();
    for path in extra_roots {
        roots.extend(certificates(path)?);
    }
    trusting(Arc::new(Verifier::new_with_extra_roots(roots, provider())?))
}

/// TLS for a client that talks to one server, whose certificate is the first in the PEM file `certificate`.
///
/// That certificate is accepted under any name and at any age, as who made the file knows whom it means; every
/// other is refused. Without a file every server is refused.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub fn pinned_tls(certificate: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let only = certificate.map(certificates).transpose()?.and_then(|chain| chain.into_iter().next());
    let only = only.map_or(Pin::Nothing, Pin::Certificate);
    trusting(Arc::new(Pinned { only, roots: None, provider: provider() }))
}

/// TLS for a client that talks to another node: the platform's roots are trusted, and a certificate with the public key
/// whose SHA-256 is `pin`, under any name and at any age.
///
/// # Errors
/// When there is neither a root nor a pin.
pub(in crate::net) fn node_tls(pin: Option<[u8; 32]>) -> Result<Arc<ClientConfig>, TlsError> {
    let Some(pin) = pin else { return client_tls(&[]) };
    // A machine without roots still has the pin.
    let roots = Verifier::new_with_extra_roots(Vec::new(), provider()).ok();
    trusting(Arc::new(Pinned { only: Pin::PublicKey(pin), roots, provider: provider() }))
}

/// SHA-256 of the public key (SPKI) in the first certificate of the PEM file `path`: what others pin.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub fn certificate_pin(path: &Path) -> Result<[u8; 32], TlsError> {
    let first = certificates(path)?.into_iter().next().and_then(|first| public_key(&first));
    first.ok_or_else(|| TlsError::Key(format!("{} holds no certificate with a public key", path.display())))
}

fn public_key(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let (_, read) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Sha256::digest(read.public_key().raw).into())
}

pub(super) fn trusting(verifier: Arc<dyn ServerCertVerifier>) -> Result<Arc<ClientConfig>, TlsError> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The one certificate that is accepted.
#[derive(Debug)]
pub(super) enum Pin {
    /// None is.
    Nothing,
    /// This one.
    Certificate(CertificateDer<'static>),
    /// The one with this SHA-256.
    Digest([u8; 32]),
    /// Those whose public key has this SHA-256.
    PublicKey([u8; 32]),
}

/// Accepts one certificate, byte for byte, from who holds its key. Where there are roots it accepts what they vouch for,
/// too: a certificate that was renewed with another key by an authority stays good.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) only: Pin,
    pub(super) roots: Option<Verifier>,
    pub(super) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_it = match &self.only {
            Pin::Nothing => false,
            Pin::Certificate(only) => only == end_entity,
            Pin::Digest(only) => Sha256::digest(end_entity)[..] == only[..],
            Pin::PublicKey(only) => public_key(end_entity).as_ref() == Some(only),
        };
        match &self.roots {
            _ if is_it => Ok(ServerCertVerified::assertion()),
            Some(roots) => roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_roots_are_read_and_what_is_none_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("root.pem");
        let made = rcgen::generate_simple_self_signed(["root.example".to_owned()]).expect("a certificate");
        std::fs::write(&path, made.cert.pem()).expect("writes");
        assert!(client_tls(std::slice::from_ref(&path)).is_ok());
        std::fs::write(&path, "nothing").expect("writes");
        let error = client_tls(std::slice::from_ref(&path)).expect_err("no certificate").to_string();
        assert!(error.contains("root.pem holds no certificate"), "{error}");
        let error = client_tls(&[dir.path().join("absent.pem")]).expect_err("no file").to_string();
        assert!(error.contains("absent.pem"), "{error}");
    }
}
