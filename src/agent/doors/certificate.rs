//! The certificate of an agent that is reached over a network: made once, kept with its key beside the journal.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::config::read_private_file;
use crate::net::{AgentTls, TlsError};

/// The file in the directory of the journal, mode 0600.
const FILE: &str = "tls.pem";

/// Why an agent has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It could not be kept.
    #[error("failed to keep the agent's certificate in {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It cannot be read, or others can.
    #[error("failed to read the agent's certificate: {0}")]
    Unread(String),
    /// It is none.
    #[error("the agent's certificate cannot be used: {0}; remove {file} and pin the new one", file = FILE)]
    Tls(#[from] TlsError),
}

/// The certificate that is kept in `spool`; the first who asks makes it.
///
/// # Errors
/// When it can be neither read nor made, or others can read its key.
pub fn certificate(spool: &Path) -> Result<AgentTls, CertificateError> {
    let path = spool.join(FILE);
    if !path.exists() {
        make(spool, &path).map_err(|source| CertificateError::Io { path: path.clone(), source })?;
    }
    let pem = read_private_file(&path).map_err(CertificateError::Unread)?;
    Ok(AgentTls::new(&pem)?)
}

fn make(spool: &Path, path: &Path) -> std::io::Result<()> {
    let pem = AgentTls::make().map_err(std::io::Error::other)?;
    // Nobody else can read a temporary file, and one that is there already is never replaced.
    let mut file = tempfile::NamedTempFile::new_in(spool)?;
    file.write_all(pem.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
        _ => std::fs::File::open(spool)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_and_nobody_else_may_read_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let pin = certificate(dir.path()).expect("a certificate").pin();
        assert_eq!(certificate(dir.path()).expect("a certificate").pin(), pin);
        let path = dir.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
        let error = certificate(dir.path()).expect_err("others can read it").to_string();
        assert!(error.contains("chmod 600"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
        std::fs::write(&path, "nothing").expect("writes");
        assert!(matches!(certificate(dir.path()), Err(CertificateError::Tls(_))));
    }
}
