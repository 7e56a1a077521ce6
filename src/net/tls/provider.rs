//! The cryptography under TLS, certificates read from PEM files, and what can be wrong with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

/// Why TLS cannot be had. The text never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that should hold certificates holds none, or a broken one.
    #[error("{} holds no certificate in PEM form, which begins with BEGIN CERTIFICATE", .0.display())]
    NoCertificate(PathBuf),
    /// The file of the key cannot be read, or others can read it.
    #[error("{0}")]
    Key(String),
    /// A file that should hold a private key holds none.
    #[error("{} holds no private key in PEM form; one that asks for a passphrase cannot be used", .0.display())]
    NoKey(PathBuf),
    /// Certificate and key are not a pair.
    #[error("{} is not the key of the first certificate in {}", key.display(), certificate.display())]
    OtherKey {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// The library cannot use the certificate or its key.
    #[error("{} or its key cannot be used: {source}", certificate.display())]
    Unfit {
        /// The file of the certificate.
        certificate: PathBuf,
        /// What the library says.
        source: rustls::Error,
    },
    /// The library has no use for what it is given, or the system has no roots.
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

/// The provider of all cryptography in TLS. This line is the switch.
fn chosen() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(chosen())
}

/// Makes the provider the process's default, for libraries that cannot be given one.
pub fn install_provider() {
    // It fails only when a default is there already; there is only one provider.
    let _ = CryptoProvider::install_default(chosen());
}

/// All certificates in the PEM file at `path`, in order; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |error| match error {
        pem::Error::Io(source) => TlsError::File { path: path.to_owned(), source },
        _ => TlsError::NoCertificate(path.to_owned()),
    };
    let read = CertificateDer::pem_file_iter(path).map_err(fail)?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(fail)?;
    if certificates.is_empty() { Err(TlsError::NoCertificate(path.to_owned())) } else { Ok(certificates) }
}
