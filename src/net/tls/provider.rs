//! The cryptography under TLS, and certificates read from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why TLS cannot be had. The text never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("failed to read {}: {source}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate; it must be in PEM form, with BEGIN CERTIFICATE", .0.display())]
    NoCertificate(PathBuf),
    /// The library refuses what was read, or the system has no roots.
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

/// The provider of all cryptography in TLS. This line is the switch.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Makes the provider the process's default, for libraries that cannot be given one.
pub fn install_provider() {
    // It fails only when a default is there already; there is only one provider.
    let _ = CryptoProvider::install_default(rustls::crypto::ring::default_provider());
}

/// All certificates in the PEM file at `path`, in order; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |source| TlsError::Pem { path: path.to_owned(), source };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(fail)?.collect::<Result<_, _>>().map_err(fail)?;
    if certificates.is_empty() { Err(TlsError::NoCertificate(path.to_owned())) } else { Ok(certificates) }
}
