//! TLS of a listener: its certificate and key, read again when the files change.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::read_private_file;

use super::TlsError;
use super::provider::{certificates, provider};

/// Pause between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// TLS 1.2 and 1.3 for one listener, HTTP/1.1 above it.
#[derive(Debug)]
pub struct ListenerTls {
    files: Files,
    current: Arc<Current>,
    /// The state of the files that are in use.
    seen: Mutex<[Stamp; 2]>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What tells two states of a file apart: device, inode, length and the second and nanosecond of its last change,
/// by content or by mode.
type Stamp = (u64, u64, u64, i64, i64);

impl ListenerTls {
    /// Reads the certificate chain, leaf first, and its private key from PEM files.
    ///
    /// # Errors
    /// When a file cannot be read, others can read the key, or the key is not the leaf's.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let files = Files { certificate, key };
        let seen = files.stamps()?;
        let current = Arc::new(Current(RwLock::new(Arc::new(files.read()?))));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { files, current, seen: Mutex::new(seen), config: Arc::new(config) })
    }

    /// Shakes hands. There is no time limit in it.
    ///
    /// # Errors
    /// When the peer does not speak TLS, or nothing both sides can do.
    pub(in crate::net) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await
    }

    /// Whether it reads these files.
    #[must_use]
    pub fn is_of(&self, certificate: &Path, key: &Path) -> bool {
        self.files.certificate == certificate && self.files.key == key
    }

    /// Takes the files over if they have changed. What failed is tried again each time.
    fn look(&self) -> Result<(), TlsError> {
        let stamps = self.files.stamps()?;
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == stamps {
            return Ok(());
        }
        let fresh = Arc::new(self.files.read()?);
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        tracing::info!(certificate = %self.files.certificate.display(), "certificate and key read again");
        Ok(())
    }
}

/// Looks at the files of a listener every two seconds, for ever, and takes over what has changed; new connections
/// get it. `current` is asked each time, as a listener may get other files, or none.
///
/// What cannot be used leaves the old certificate in place. `tell` is called with the reason, and with `None`
/// when all is well again. A replacement is two files, and a look may fall between them: only what fails
/// twice in the same way is told.
pub async fn follow_files(current: impl Fn() -> Option<Arc<ListenerTls>>, tell: impl Fn(Option<String>)) {
    let mut failed: Option<String> = None;
    let mut told: Option<String> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let tls = current();
        let looked = tokio::task::spawn_blocking(move || tls.map_or(Ok(()), |tls| tls.look())).await;
        let failure = match looked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("the old certificate stays: {error}")),
            Err(panic) => Some(format!("the old certificate stays: {panic}")),
        };
        if told != failure && (failure.is_none() || failure == failed) {
            tell(failure.clone());
            told.clone_from(&failure);
        }
        failed = failure;
    }
}

impl Files {
    fn stamps(&self) -> Result<[Stamp; 2], TlsError> {
        Ok([stamp(&self.certificate)?, stamp(&self.key)?])
    }

    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let chain = certificates(&self.certificate)?;
        let pem = read_private_file(&self.key).map_err(TlsError::Key)?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::NoKey(self.key.clone()))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::OtherKey { key: self.key.clone(), certificate: self.certificate.clone() }
            }
            source => TlsError::Unfit { certificate: self.certificate.clone(), source },
        })
    }
}

fn stamp(path: &Path) -> Result<Stamp, TlsError> {
    let meta = std::fs::metadata(path).map_err(|source| TlsError::File { path: path.to_owned(), source })?;
    Ok((meta.dev(), meta.ino(), meta.len(), meta.ctime(), meta.ctime_nsec()))
}

/// The certificate that new connections get, under whatever name they ask for.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Pair {
        dir: tempfile::TempDir,
    }

    impl Pair {
        fn new() -> Self {
            let pair = Self { dir: tempfile::tempdir().expect("a directory") };
            pair.write(&[0, 1]);
            pair
        }

        fn paths(&self) -> [PathBuf; 2] {
            [self.dir.path().join("cert.pem"), self.dir.path().join("key.pem")]
        }

        /// Makes a fresh pair and writes those halves of it; answers the certificate.
        fn write(&self, halves: &[usize]) -> Vec<u8> {
            let made = rcgen::generate_simple_self_signed(["hub.example".to_owned()]).expect("a certificate");
            let texts = [made.cert.pem(), made.signing_key.serialize_pem()];
            // Two changes within one tick of the kernel's clock could look like one.
            std::thread::sleep(Duration::from_millis(20));
            for half in halves {
                std::fs::write(&self.paths()[*half], &texts[*half]).expect("writes");
                self.mode(0o600);
            }
            made.cert.der().to_vec()
        }

        fn mode(&self, mode: u32) {
            if let Ok(meta) = std::fs::metadata(&self.paths()[1]) {
                let mut permissions = meta.permissions();
                permissions.set_mode(mode);
                std::fs::set_permissions(&self.paths()[1], permissions).expect("chmod");
            }
        }

        fn load(&self) -> Result<ListenerTls, TlsError> {
            let [certificate, key] = self.paths();
            ListenerTls::load(certificate, key)
        }
    }

    fn served(tls: &ListenerTls) -> Vec<u8> {
        tls.current.0.read().expect("not poisoned").cert[0].to_vec()
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_reason() {
        let pair = Pair::new();
        assert!(pair.load().is_ok());
        pair.mode(0o640);
        let refused = |words: &str| {
            let error = pair.load().expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        };
        refused("key.pem can be read by others (mode 0640); run: chmod 600");
        pair.mode(0o600);
        pair.write(&[0]);
        refused("key.pem is not the key of the first certificate in");
        std::fs::write(&pair.paths()[1], "no key").expect("writes");
        refused("key.pem holds no private key");
        std::fs::write(&pair.paths()[0], "no certificate").expect("writes");
        refused("cert.pem holds no certificate");
        std::fs::remove_file(&pair.paths()[0]).expect("removes");
        refused("cert.pem: No such file");
    }

    #[test]
    fn a_change_is_taken_over_and_a_broken_one_is_not() {
        let pair = Pair::new();
        let tls = pair.load().expect("a good pair");
        let first = served(&tls);
        tls.look().expect("nothing changed");
        assert_eq!(served(&tls), first);
        let fresh = pair.write(&[0, 1]);
        tls.look().expect("a good pair");
        assert_eq!(served(&tls), fresh);
        pair.write(&[0]);
        assert!(tls.look().is_err());
        assert!(tls.look().is_err(), "it is tried again");
        assert_eq!(served(&tls), fresh, "the old one stays");
        let healed = pair.write(&[0, 1]);
        tls.look().expect("a good pair");
        assert_eq!(served(&tls), healed);
        pair.mode(0o644);
        assert!(tls.look().is_err(), "others can read the key now");
        pair.mode(0o600);
        assert!(tls.look().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_fails_twice_is_told_and_its_end_too() {
        let pair = Pair::new();
        let tls = Arc::new(pair.load().expect("a good pair"));
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        // The test may have ended when it is told.
        let tell = move |what| drop(told.send(what));
        let following = tokio::spawn(follow_files(move || Some(Arc::clone(&tls)), tell));
        pair.write(&[0]);
        let trouble = heard.recv().await.expect("told").expect("a reason");
        assert!(trouble.contains("the old certificate stays") && trouble.contains("is not the key of"), "{trouble}");
        pair.write(&[0, 1]);
        assert_eq!(heard.recv().await.expect("told"), None);
        following.abort();
    }
}
