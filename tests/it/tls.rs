//! TLS on the listeners and proxies in front of them, against a real process with self-made certificates.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::support::{Answer, PATIENCE, Site, borrowed, eventually, free_port, github, read_answer, request, send};

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Writes a fresh self-made certificate and its key below `dir`; answers the certificate.
fn certificate(dir: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(["hub.example".to_owned()]).expect("a certificate");
    replace(&dir.join("key.pem"), made.signing_key.serialize_pem().as_bytes());
    replace(&dir.join("cert.pem"), made.cert.pem().as_bytes());
    made.cert.der().to_vec()
}

/// Puts a file in place in one step, as certbot does.
fn replace(path: &Path, bytes: &[u8]) {
    let fresh = path.with_extension("fresh");
    std::fs::write(&fresh, bytes).expect("writes");
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    std::fs::rename(&fresh, path).expect("renames");
}

const TLS: &str = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";

/// A site with more in its `[listen]`, and more after it.
fn listening(keys: &str, rest: &str) -> Site {
    let site = Site::with(rest);
    listen_with(&site, keys);
    site
}

/// Puts more into the `[listen]` of a site.
fn listen_with(site: &Site, keys: &str) {
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::write(&file, text.replacen("[listen]\n", &format!("[listen]\n{keys}"), 1)).expect("writes");
}

/// A site whose listeners speak TLS, and its certificate.
fn site() -> (Site, Vec<u8>) {
    let site = listening(TLS, "");
    let certificate = certificate(site.path());
    (site, certificate)
}

/// Shakes hands with `site`, whatever its certificate in `file` is called.
fn connect(site: &Site, file: &str) -> std::io::Result<Tls> {
    connect_to(site, site.address(), file)
}

fn connect_to(site: &Site, address: std::net::SocketAddr, file: &str) -> std::io::Result<Tls> {
    let config = aurora::net::pinned_tls(Some(&site.path().join(file))).expect("a certificate");
    let name = ServerName::try_from("another.example").expect("a name");
    let connection = ClientConnection::new(config, name).expect("a connection");
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut tls = StreamOwned::new(connection, stream);
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock)?;
    }
    Ok(tls)
}

/// The certificate that new connections get.
fn served(site: &Site) -> Option<Vec<u8>> {
    let tls = connect(site, "cert.pem").ok()?;
    tls.conn.peer_certificates().map(|chain| chain[0].to_vec())
}

fn delivery(site: &Site, id: &str) -> Vec<u8> {
    let body = format!("{{\"id\":\"{id}\"}}");
    let headers = github(&site.secret("github"), id, "ping", body.as_bytes());
    request("POST", "/hooks/github", &borrowed(&headers), body.as_bytes())
}

/// Posts a signed delivery on `tls`, which ends with it.
fn post_on(site: &Site, mut tls: Tls, id: &str) -> Answer {
    tls.write_all(&delivery(site, id)).expect("writes");
    let mut text = String::new();
    tls.read_to_string(&mut text).expect("ends with close_notify");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn genuine(site: &Site, id: &str) {
    let tls = connect(site, "cert.pem").expect("shakes hands");
    assert_eq!(post_on(site, tls, id).status, 202, "{id}");
}

fn errors(site: &Site) -> String {
    site.json(&["task", "list"]).as_array().expect("tasks").iter().map(|task| task["trouble"].to_string()).collect()
}

#[test]
fn deliveries_and_samples_go_over_tls() {
    let (mut site, _) = site();
    site.serve();
    genuine(&site, "over-tls");
    let sent = site.ok(&["send-test", "github"]);
    assert!(sent.contains(&format!("1 accepted by https://127.0.0.1:{}/", site.port)), "{sent}");
    assert!(site.ok(&["channel", "test", "standard"]).lines().all(|line| line.starts_with("ok")));
    let channels = site.ok(&["channel", "list", "--json"]);
    assert!(channels.contains("https://127.0.0.1") && !channels.contains("http://"), "{channels}");
    assert_eq!(site.events("github"), 2);
}

#[test]
fn samples_trust_the_configured_certificate_and_no_other() {
    let (mut site, _) = site();
    site.serve();
    let other = tempfile::tempdir().expect("a directory");
    certificate(other.path());
    let config = std::fs::read_to_string(site.path().join("config.toml")).expect("a configuration");
    let config = config.replace("cert.pem", &other.path().join("cert.pem").display().to_string());
    std::fs::write(site.path().join("other.toml"), config).expect("writes");
    let args = ["--config".into(), site.path().join("other.toml"), "--state-dir".into(), site.path().join("state")];
    let output = std::process::Command::new(crate::support::AURORA).args(args).args(["send-test", "github"]).output();
    let output = output.expect("aurora runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("invalid peer certificate"), "{stderr}");
    assert_eq!(site.events("github"), 0);
}

#[test]
fn what_is_no_handshake_is_closed_and_disturbs_nobody() {
    let (mut site, _) = site();
    site.serve();
    let mut half_open: Vec<TcpStream> = (0..50)
        .map(|n| {
            let mut stream = TcpStream::connect(site.address()).expect("connects");
            // The head of a record of 512 bytes, and nothing after it; every second says nothing at all.
            let bytes: &[u8] = if n % 2 == 0 { b"\x16\x03\x01\x02\x00\x01" } else { b"" };
            stream.write_all(bytes).expect("writes");
            stream
        })
        .collect();
    // A ClientHello that offers TLS 1.0 and one suite of its time.
    let mut tls_1_0 = vec![0x16, 3, 1, 0, 47, 1, 0, 0, 43, 3, 1];
    tls_1_0.extend([7; 32]);
    tls_1_0.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    tls_1_0.resize(5 + 47, 0);
    let cases: [(&str, Vec<u8>); 5] = [
        ("plain HTTP", delivery(&site, "plain")),
        ("TLS 1.0", tls_1_0),
        ("garbage", (0..=255).cycle().take(5_000).collect()),
        ("an unexpected message", b"\x16\x03\x01\x00\x04\x00\x00\x00\x00".to_vec()),
        ("a record that is too long", b"\x16\x03\x01\xff\xff".repeat(20)),
    ];
    for (what, bytes) in cases {
        let mut stream = TcpStream::connect(site.address()).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        assert!(read_answer(&mut stream).is_none(), "{what} is answered in plain HTTP");
        assert!(has_ended(&mut stream), "{what} is not closed");
        genuine(&site, &what.replace(' ', "-"));
    }
    assert_eq!(site.events("github"), 5, "only the genuine ones are stored");
    let log = std::fs::read_to_string(site.path().join("serve.log")).expect("a log");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "a stranger writes into the log: {log}");
    for stream in &mut half_open {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        assert!(has_ended(stream), "a half-open handshake stays");
    }
}

/// Whether the other side ends the connection within the patience it was given. A reset is an end, too.
fn has_ended(stream: &mut TcpStream) -> bool {
    let end = stream.read_to_end(&mut Vec::new());
    !end.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn a_new_certificate_is_served_and_a_broken_one_is_not() {
    let (mut site, first) = site();
    site.serve();
    assert_eq!(served(&site), Some(first));
    let mut open = connect(&site, "cert.pem").expect("shakes hands");
    let second = certificate(site.path());
    eventually("the new certificate is served", || served(&site).as_ref() == Some(&second));
    let alive = String::from_utf8(delivery(&site, "on-the-old-one")).expect("text");
    open.write_all(alive.as_bytes()).expect("writes");
    let mut text = String::new();
    open.read_to_string(&mut text).expect("reads");
    assert!(text.starts_with("HTTP/1.1 202"), "a connection lives on: {text}");

    std::fs::copy(site.path().join("cert.pem"), site.path().join("good.pem")).expect("copies");
    replace(&site.path().join("cert.pem"), b"-----BEGIN CERTIFICATE-----\nbroken\n");
    eventually("the broken file is shown", || errors(&site).contains("cert.pem holds no certificate"));
    assert!(errors(&site).contains("the old certificate stays"), "{}", errors(&site));
    let panel = site.ok(&["channel", "list", "--json"]);
    assert!(!panel.contains("certificate"), "it is about the listener and none of its channels: {panel}");
    let status = site.aurora(&["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("the old certificate stays"), "{status:?}");
    let tls = connect(&site, "good.pem").expect("the old one is served");
    assert_eq!(post_on(&site, tls, "meanwhile").status, 202);

    let third = certificate(site.path());
    eventually("it heals by itself", || served(&site).as_ref() == Some(&third));
    eventually("nothing is wrong any more", || !errors(&site).contains("certificate"));
    let restarts = site.json(&["task", "list"]);
    assert!(restarts.as_array().expect("tasks").iter().all(|task| task["restarts"] == 0), "{restarts}");
}

#[test]
fn tls_comes_and_goes_with_the_configuration() {
    let mut site = Site::new();
    site.serve();
    certificate(site.path());
    let file = site.path().join("config.toml");
    let plain = std::fs::read_to_string(&file).expect("a configuration");
    let with = |keys: &str| plain.replacen("[listen]\n", &format!("[listen]\n{keys}"), 1);
    let answers = || send(site.address(), &request("POST", "/nowhere", &[], b"{}")).is_some();
    assert!(answers());
    replace(&file, with(TLS).as_bytes());
    eventually("TLS is spoken", || connect(&site, "cert.pem").is_ok());
    assert!(!answers(), "and plain HTTP is not");
    eventually("the address is shown so", || site.ok(&["channel", "list", "--json"]).contains("\"https://127"));

    let other = site.path().join("other");
    std::fs::create_dir(&other).expect("a directory");
    let absent = with("tls = { cert = \"other/cert.pem\", key = \"other/key.pem\" }\n");
    replace(&file, absent.as_bytes());
    let status = || String::from_utf8_lossy(&site.aurora(&["status"]).stdout).into_owned();
    eventually("files that are not there are a mistake", || status().contains("other/cert.pem: No such file"));
    genuine(&site, "on-the-old-files");
    certificate(&other);
    site.signal(rustix::process::Signal::HUP);
    eventually("other files are served", || connect(&site, "other/cert.pem").is_ok());
    replace(&file, plain.as_bytes());
    eventually("plain HTTP again", answers);
    let tasks = site.json(&["task", "list"]);
    assert!(tasks.as_array().expect("tasks").iter().all(|task| task["restarts"] == 0), "{tasks}");
}

#[test]
fn an_open_connection_in_plain_http_ends_when_tls_comes() {
    let mut site = Site::new();
    site.serve();
    certificate(site.path());
    let mut open = TcpStream::connect(site.address()).expect("connects");
    open.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut ask = || {
        open.write_all(b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let mut answer = [0; 1024];
        let length = open.read(&mut answer)?;
        std::io::Result::Ok(answer[..length].to_vec())
    };
    assert!(ask().expect("an answer").starts_with(b"HTTP/1.1 404"));
    listen_with(&site, TLS);
    // By itself it would be closed after ten seconds without a request, and there is always one.
    eventually("it is closed by the reload", || ask().unwrap_or_default().is_empty());
    genuine(&site, "over-tls");
}

#[test]
fn a_key_that_others_can_read_is_refused_at_its_place() {
    let (site, _) = site();
    std::fs::set_permissions(site.path().join("key.pem"), std::fs::Permissions::from_mode(0o644)).expect("chmod");
    for command in [&["serve"][..], &["config", "check"]] {
        let output = site.aurora(command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("key.pem can be read by others (mode 0644); run: chmod 600"), "{stderr}");
        assert!(stderr.contains("config.toml:2:7"), "{stderr}");
    }
}

#[test]
fn a_channel_may_carry_its_own_tls() {
    let port = free_port();
    let mut site = Site::with(&format!(
        "[channels.code]\nprovider = \"github\"\nlisten = \"127.0.0.1:{port}\"\npath = \"/code\"\n\
         tls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\nsecrets = [\"file:secret\"]\n"
    ));
    certificate(site.path());
    replace(&site.path().join("secret"), b"a secret for the tests");
    site.serve();
    eventually("both listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let sent = site.ok(&["send-test", "code"]);
    assert!(sent.contains(&format!("https://127.0.0.1:{port}/code")), "{sent}");
    let plain = send(site.address(), &request("POST", "/hooks/code", &[], b"{}")).expect("an answer");
    assert_eq!(plain.status, 415, "the common listener speaks plain HTTP");
}

#[test]
fn leaving_loopback_takes_tls_or_a_named_proxy() {
    let everywhere = |keys: &str| {
        let site = listening(keys, "");
        certificate(site.path());
        let file = site.path().join("config.toml");
        let text = std::fs::read_to_string(&file).expect("a configuration");
        std::fs::write(&file, text.replace("127.0.0.1:", "0.0.0.0:")).expect("writes");
        site
    };
    let site = everywhere("");
    let output = site.aurora(&["serve"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("leaves this machine without TLS") && stderr.contains("behind_proxy"), "{stderr}");
    let mut site = everywhere(TLS);
    site.serve();
    genuine(&site, "everywhere");
    assert!(site.ok(&["send-test", "github"]).contains("https://0.0.0.0"));
}

#[test]
fn behind_a_trusted_proxy_each_sender_has_limits_of_its_own() {
    let mut site =
        listening("behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n", "[limits]\ningress_per_minute = 3\n");
    site.serve();
    let forged = |hops: &str| {
        site.post("/hooks/github", &[("content-type", "application/json"), ("x-forwarded-for", hops)], b"{}")
    };
    let noisy = || forged("192.0.2.1, 203.0.113.9").status;
    assert_eq!([noisy(), noisy(), noisy(), noisy()], [401, 401, 401, 429]);
    assert_eq!(forged("203.0.113.9, 198.51.100.4").status, 401, "another sender has its own");
}

#[test]
fn behind_a_trusted_proxy_allow_from_is_about_the_sender() {
    let mut site = listening(
        "behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n",
        "[channels.code]\nprovider = \"github\"\nsecrets = [\"file:secret\"]\nallow_from = [\"203.0.113.0/24\"]\n",
    );
    replace(&site.path().join("secret"), b"a secret for the tests");
    site.serve();
    let headers = github("a secret for the tests", "1", "ping", b"{}");
    let from = |hops: &str| {
        let head = [borrowed(&headers), vec![("x-forwarded-for", hops)]].concat();
        site.post("/hooks/code", &head, b"{}").status
    };
    assert_eq!(from("203.0.113.9, 198.51.100.4"), 401, "what the sender wrote itself is not believed");
    assert_eq!(from("198.51.100.4, 203.0.113.9"), 202);
}

#[test]
fn without_a_trusted_proxy_the_header_says_nothing() {
    let mut site =
        listening("behind_proxy = true\ntrusted_proxies = [\"10.0.0.0/8\"]\n", "[limits]\ningress_per_minute = 2\n");
    site.serve();
    let answers: Vec<u16> = (1..=3)
        .map(|n| {
            let hop = format!("203.0.113.{n}");
            let headers = [("content-type", "application/json"), ("x-forwarded-for", hop.as_str())];
            site.post("/hooks/github", &headers, b"{}").status
        })
        .collect();
    assert_eq!(answers, [401, 401, 429], "one sender, whatever it writes");
}

#[test]
fn the_api_speaks_the_tls_of_all_listeners_and_knows_who_is_behind_a_proxy() {
    let (mut site, api) = Site::with_api("[limits]\napi_per_minute = 2\n");
    listen_with(&site, &format!("{TLS}behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n"));
    certificate(site.path());
    site.serve();
    eventually("the API listens", || TcpStream::connect(api).is_ok());
    let status = |client: &str| {
        let mut tls = connect_to(&site, api, "cert.pem").expect("a handshake");
        tls.write_all(&request("GET", "/health", &[("x-forwarded-for", client)], b"")).expect("writes");
        let mut text = String::new();
        tls.read_to_string(&mut text).expect("ends with close_notify");
        text.split(' ').nth(1).expect("a status").to_owned()
    };
    assert_eq!(["203.0.113.1"; 3].map(status), ["200", "200", "429"]);
    assert_eq!(status("203.0.113.2"), "200", "another client of the same proxy");
}
