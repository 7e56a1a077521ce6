//! Certificates of every state.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::model::{Family, HttpTarget, Observation, Phase, Target, TlsTarget, Value, Verdict};

use super::servers::{PATIENCE, cause, look_at, read_head, server, value};

const DAY: i64 = 86_400;

/// An authority in a directory of its own.
struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    /// What its servers send beside their own certificate.
    sent: Vec<CertificateDer<'static>>,
}

/// The certificate of a server.
struct Made<'a> {
    host: &'a str,
    /// Days from now.
    from: i64,
    until: i64,
}

/// Makes it valid from and until so many days from now.
fn live(params: &mut CertificateParams, from: i64, until: i64) {
    let now = jiff::Timestamp::now().as_second();
    let since_1970 = |days: i64| Duration::from_secs(u64::try_from(now + days * DAY).expect("after 1970"));
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_1970(from);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_1970(until);
}

impl Authority {
    fn new() -> Self {
        Self::called("test root")
    }

    fn called(name: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(dir.path().join("root.pem"), certificate.pem()).expect("writes");
        Self { dir, issuer: Issuer::new(params, key), sent: Vec::new() }
    }

    /// One that this one signs.
    fn intermediate(&self, until: i64) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        live(&mut params, -100, until);
        params.distinguished_name.push(DnType::CommonName, "test intermediate");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir, issuer: Issuer::new(params, key), sent: vec![certificate.der().clone()] }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root.pem")
    }

    /// Starts a server with a certificate; `None` signs itself. Answers its port.
    async fn serve(authority: Option<&Self>, made: Made<'_>) -> u16 {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![made.host.to_owned()]).expect("a host");
        live(&mut params, made.from, made.until);
        params.distinguished_name.push(DnType::CommonName, made.host);
        let certificate = match authority {
            Some(authority) => params.signed_by(&key, &authority.issuer),
            None => params.self_signed(&key),
        };
        let mut chain = vec![certificate.expect("a certificate").der().clone()];
        chain.extend(authority.into_iter().flat_map(|authority| authority.sent.clone()));
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        server(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                if read_head(&mut stream).await.is_empty() {
                    return;
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    async fn look(&self, port: u16, when: Option<&str>) -> Observation {
        let endpoint = format!("127.0.0.1:{port}").parse().expect("an endpoint");
        let server_name = Some("web.example".to_owned());
        let target = TlsTarget { endpoint, family: Family::Any, server_name, roots: vec![self.root()] };
        look_at(Target::Tls(target), when, PATIENCE).await
    }
}

#[tokio::test]
async fn certificates_of_every_state_are_told_apart() {
    let root = Authority::new();
    let web = "web.example";
    let cases = [
        (Some(&root), Made { host: web, from: -10, until: 80 }, Verdict::Ok, ""),
        (
            Some(&root),
            Made { host: web, from: -85, until: 5 },
            Verdict::Critical,
            "cert_lifetime_left >= 12.5%: got 5.",
        ),
        (Some(&root), Made { host: web, from: -72, until: 18 }, Verdict::Warn, "(expires in 18d)"),
        (Some(&root), Made { host: web, from: -93, until: -3 }, Verdict::Critical, "got false (expired 3d ago)"),
        (Some(&root), Made { host: web, from: 3, until: 90 }, Verdict::Critical, "(not valid for another 3d)"),
        (
            Some(&root),
            Made { host: "www.other.example", from: -10, until: 80 },
            Verdict::Critical,
            "(for www.other.example, not for web.example)",
        ),
        (None, Made { host: web, from: -10, until: 80 }, Verdict::Critical, "got false (self-signed)"),
    ];
    for (authority, made, verdict, words) in cases {
        let port = Authority::serve(authority, made).await;
        let observation = root.look(port, None).await;
        assert_eq!(observation.verdict, verdict, "{words}: {observation:?}");
        assert!(observation.cause.as_deref().unwrap_or_default().contains(words), "{words}: {observation:?}");
        assert!(matches!(value(&observation, "cert_expires"), Value::Duration(_)), "an expired one has data too");
        assert_eq!(value(&observation, "tls_version"), &Value::Number(1.3));
        assert!(observation.phases.iter().any(|(phase, _)| *phase == Phase::Tls));
    }
}

#[tokio::test]
async fn an_unknown_issuer_is_named_and_a_missing_intermediate_guessed() {
    let (root, other) = (Authority::new(), Authority::called("another root"));
    let port = Authority::serve(Some(&other), Made { host: "web.example", from: -1, until: 80 }).await;
    let observation =
        root.look(port, Some("not cert_trusted and cert_host_matches and cert_issuer == \"another root\"")).await;
    assert_eq!(observation.verdict, Verdict::Ok, "{observation:?}");
    let observation = root.look(port, None).await;
    assert!(cause(&observation).contains("unknown issuer another root, and the server sends no"), "{observation:?}");
    let same_name = Authority::new();
    let port = Authority::serve(Some(&same_name), Made { host: "web.example", from: -1, until: 80 }).await;
    assert!(cause(&root.look(port, None).await).contains("not signed by the issuer it names"));
}

#[tokio::test]
async fn what_signs_a_certificate_is_looked_at_too() {
    let root = Authority::new();
    let served = |authority| Authority::serve(authority, Made { host: "web.example", from: -1, until: 80 });
    let good = root.intermediate(5);
    let observation = root.look(served(Some(&good)).await, Some("chain_expires < 6d and cert_expires > 70d")).await;
    assert_eq!(observation.verdict, Verdict::Ok, "{observation:?}");
    assert!(observation.steps.iter().any(|step| step.text == "certificate of test intermediate, expires in 5d"));
    let over = root.intermediate(-3);
    let old = root.look(served(Some(&over)).await, None).await;
    assert_eq!(cause(&old), "cert_trusted: got false (test intermediate expired 3d ago)");
    let mut forgetful = root.intermediate(5);
    forgetful.sent.clear();
    let alone = root.look(served(Some(&forgetful)).await, None).await;
    assert!(
        cause(&alone).contains("unknown issuer test intermediate, and the server sends no intermediate"),
        "{alone:?}"
    );
}

#[tokio::test]
async fn nothing_is_asked_of_a_server_that_is_not_trusted() {
    let root = Authority::new();
    let request = |port: u16| {
        let mut target = HttpTarget::get(format!("https://127.0.0.1:{port}/").parse().expect("a URL"));
        target.roots = vec![root.root()];
        Target::Http(Box::new(target))
    };
    let good = Authority::serve(Some(&root), Made { host: "127.0.0.1", from: -1, until: 80 }).await;
    let when = "status == 200 and cert_expires > 70d and cert_trusted and tls is known";
    let observation = look_at(request(good), Some(when), PATIENCE).await;
    assert_eq!(observation.verdict, Verdict::Ok, "{observation:?}");
    let expired = Authority::serve(Some(&root), Made { host: "127.0.0.1", from: -90, until: -3 }).await;
    let observation = look_at(request(expired), None, PATIENCE).await;
    assert_eq!(cause(&observation), "certificate is not trusted: expired 3d ago");
    assert!(observation.values.iter().all(|(name, _)| name != "status"), "{observation:?}");
    assert_eq!(value(&observation, "cert_expires"), &Value::Duration(Duration::ZERO));
}

#[tokio::test]
async fn what_is_not_tls_is_named() {
    let root = Authority::new();
    let talks = server(|mut stream| async move {
        let _ = stream.write_all(b"220 mail.example ready\r\n").await;
        let _ = stream.readable().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    })
    .await;
    assert_eq!(cause(&root.look(talks, None).await), "the other side does not speak TLS");
    let closes = server(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    assert_eq!(cause(&root.look(closes, None).await), "the connection ended within the TLS handshake");
}
