//! A real nginx for the tests that need one: its own configuration in a temporary directory, ended by its pid.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::support::{eventually, free_port};

/// An nginx with one `server` on one port.
pub struct Nginx {
    dir: TempDir,
    pub port: u16,
    child: Option<Child>,
}

impl Nginx {
    /// Starts one whose `server` has `lines` beside a plain `listen`.
    pub fn serving(lines: &str) -> Self {
        Self::start("", lines)
    }

    /// Starts one behind TLS.
    pub fn secure(certificate: &Certificate, lines: &str) -> Self {
        let files = format!(
            "ssl_certificate {};\nssl_certificate_key {};\n{lines}",
            certificate.chain.display(),
            certificate.key.display()
        );
        Self::start(" ssl", &files)
    }

    fn start(kind: &str, lines: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        // As root it would give its workers to somebody who may not read the directory.
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|part| format!("{part}_temp_path {}/{part};\n", dir.path().display()))
            .concat();
        let configuration = format!(
            "{user}\ndaemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{\n{temporary}access_log off;\n\
             server {{\nlisten 127.0.0.1:{port}{kind};\n{lines}\n}}\n}}\n"
        );
        std::fs::write(dir.path().join("nginx.conf"), configuration).expect("writes");
        let mut nginx = Self { dir, port, child: None };
        nginx.start_again();
        nginx
    }

    /// Starts it after [`Self::stop`], with the same port and configuration.
    pub fn start_again(&mut self) {
        let dir = self.dir.path();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(dir)
            .arg("-e")
            .arg(dir.join("error.log"))
            .args(["-c", "nginx.conf"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        self.child = Some(child);
        let port = self.port;
        eventually("nginx listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Ends it and its workers, and waits for that.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signals");
        child.wait().expect("ends");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A certificate in files.
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// An authority that makes certificates in a directory of its own.
pub struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test root");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(dir.path().join("root.pem"), certificate.pem()).expect("writes");
        Self { dir, issuer: Issuer::new(params, key) }
    }

    /// The PEM file with its certificate.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root.pem")
    }

    /// A certificate for `host`, valid from and until so many days from now.
    pub fn certificate(&self, host: &str, from: i64, until: i64) -> Certificate {
        let (params, key) = wanted(host, from, until);
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        write(self.dir.path(), host, &made, &key)
    }

    /// One that signs itself.
    pub fn self_signed(&self, host: &str) -> Certificate {
        let (params, key) = wanted(host, -1, 80);
        let made = params.self_signed(&key).expect("a certificate");
        write(self.dir.path(), host, &made, &key)
    }
}

fn wanted(host: &str, from: i64, until: i64) -> (CertificateParams, KeyPair) {
    let now = jiff::Timestamp::now().as_second();
    let day = |days: i64| {
        let seconds = u64::try_from(now + days * 86_400).expect("after 1970");
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a host");
    (params.not_before, params.not_after) = (day(from), day(until));
    params.distinguished_name.push(DnType::CommonName, host);
    (params, KeyPair::generate().expect("a key"))
}

fn write(dir: &Path, host: &str, made: &rcgen::Certificate, key: &KeyPair) -> Certificate {
    let name = format!("{host}-{}", hex::encode(&made.der()[made.der().len() - 8..]));
    let files = Certificate { chain: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) };
    std::fs::write(&files.chain, made.pem()).expect("writes");
    std::fs::write(&files.key, key.serialize_pem()).expect("writes");
    files
}
