//! Why a look found nothing its conditions could be asked about.

use std::io;

use crate::model::Verdict;

/// A look that came to no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) verdict: Verdict,
    pub(super) cause: String,
}

impl Failure {
    /// The target is not as it should be.
    pub(super) fn critical(cause: impl Into<String>) -> Self {
        Self { verdict: Verdict::Critical, cause: cause.into() }
    }

    /// The reason is on our side and says nothing about the target.
    pub(super) fn unknown(cause: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown, cause: cause.into() }
    }

    /// What an I/O error means while `doing` something with the target.
    pub(super) fn io(doing: &str, error: &io::Error) -> Self {
        use rustix::io::Errno;
        let cause = format!("{doing}: {}", words(error));
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(
                Errno::ACCESS
                | Errno::PERM
                | Errno::MFILE
                | Errno::NFILE
                | Errno::NOBUFS
                | Errno::NOMEM
                | Errno::ADDRNOTAVAIL,
            ) => Self::unknown(cause),
            _ => Self::critical(cause),
        }
    }
}

/// An I/O error in a few words, without the number of the system.
pub(super) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        io::ErrorKind::UnexpectedEof => "the connection ended".into(),
        io::ErrorKind::TimedOut => "no answer".into(),
        io::ErrorKind::HostUnreachable => "no route to the host".into(),
        io::ErrorKind::NetworkUnreachable => "no route to its network".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
    }
}
