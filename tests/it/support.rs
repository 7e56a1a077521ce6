//! What the tests share: a served engine, signed deliveries, a terminal.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use sha2::Sha256;
use tempfile::TempDir;

pub const AURORA: &str = env!("CARGO_BIN_EXE_aurora");
/// How long anything may take before a test says that it does not happen. The program itself waits a minute for some things
/// (a store that reads again has to be quiet so long), and a busy machine stands still for many seconds.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A port nobody uses, and no test was given before: the system may offer the same one again. Another program might take
/// it before the engine does; the engine would retry, the test would say so.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        if GIVEN.lock().expect("not poisoned").insert(free.port()) {
            return free.port();
        }
    }
}

/// Waits until `holds` does.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A state directory, a configuration and a port; perhaps with an engine on it.
pub struct Site {
    pub dir: TempDir,
    pub port: u16,
    child: Option<Child>,
}

/// The channels of a site, one a provider. The default ones have ports of their own, which tests cannot share.
pub const CHANNELS: [&str; 6] = ["github", "mailgun", "secret", "standard", "twilio", "typeform"];

/// A random secret as `provider` has them.
fn new_secret(provider: &str) -> String {
    let bytes: [u8; 32] = rand::random();
    if provider == "standard" { format!("whsec_{}", BASE64.encode(bytes)) } else { hex::encode(bytes) }
}

/// Writes `value` to a file that only its owner may read.
pub fn write_private(path: &Path, value: &str) {
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("makes the directory");
    std::fs::write(path, value).expect("writes");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
}

impl Site {
    /// A site with `CHANNELS`, and nothing running.
    pub fn new() -> Self {
        Self::with("")
    }

    /// The same with more configuration; channels in it are then the only ones.
    pub fn with(config: &str) -> Self {
        if config.contains("[channels.") {
            return Self::bare(config);
        }
        let channels = CHANNELS
            .map(|id| format!("[channels.{id}]\nprovider = \"{id}\"\nsecrets = [\"file:state/secrets/{id}\"]\n"));
        let site = Self::bare(&format!("{config}{}", channels.concat()));
        for id in CHANNELS {
            write_private(&site.path().join("state/secrets").join(id), &new_secret(id));
        }
        std::fs::set_permissions(site.path().join("state"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .expect("chmod");
        site
    }

    /// A site with this configuration alone; without channels in it they are the default ones.
    pub fn bare(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let listen =
            format!("[listen]\ningress = \"127.0.0.1:{port}\"\napi = \"off\"\n[node]\nname = \"test\"\n{config}");
        std::fs::write(dir.path().join("config.toml"), listen).expect("writes");
        Self { dir, port, child: None }
    }

    /// The same with the API on a port of its own, which comes along.
    pub fn with_api(config: &str) -> (Self, SocketAddr) {
        let site = Self::with(config);
        let api = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let file = site.path().join("config.toml");
        let text = std::fs::read_to_string(&file).expect("reads");
        std::fs::write(&file, text.replace("api = \"off\"", &format!("api = \"{api}\""))).expect("writes");
        (site, api)
    }

    /// A site with a running engine.
    pub fn served() -> Self {
        let mut site = Self::new();
        site.serve();
        site
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// The arguments that name this site.
    pub fn args(&self) -> [PathBuf; 4] {
        ["--config".into(), self.path().join("config.toml"), "--state-dir".into(), self.path().join("state")]
    }

    /// Runs a command on this site.
    pub fn aurora(&self, args: &[&str]) -> Output {
        let mut command = Command::new(AURORA);
        command.args(self.args()).args(args).stdin(Stdio::null());
        command.output().expect("aurora runs")
    }

    /// Runs a command that prints to nobody: the other end of its output is closed.
    pub fn unread(&self, args: &[&str]) -> Output {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(AURORA);
        command.args(self.args()).args(args).stdin(Stdio::null()).stdout(writer);
        command.output().expect("aurora runs")
    }

    /// Runs a command that must succeed, and answers what it printed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.aurora(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "aurora {args:?} ended with {}: {stderr}", output.status);
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    /// What a command prints with `--json`.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).expect("JSON")
    }

    /// Starts the engine and waits until it listens.
    pub fn serve(&mut self) {
        self.serve_in(&[]);
    }

    /// The same with these variables in its environment.
    pub fn serve_in(&mut self, variables: &[(&str, &Path)]) {
        let log = std::fs::File::create(self.path().join("serve.log")).expect("a log");
        let child = Command::new(AURORA)
            .args(self.args())
            .arg("serve")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("aurora serves");
        self.child = Some(child);
        let socket = self.path().join("state/aurora.sock");
        eventually("listening", || {
            TcpStream::connect(self.address()).is_ok() && std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("an engine runs").id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).expect("a pid")).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("signals");
    }

    /// Ends the engine at once, as `kill -9` does.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("an engine runs");
        child.kill().expect("kills");
        child.wait().expect("ends");
    }

    /// Asks the engine to stop and waits; answers whether it ended well.
    pub fn stop(&mut self) -> bool {
        self.signal(rustix::process::Signal::TERM);
        self.child.take().expect("an engine runs").wait().expect("ends").success()
    }

    /// The secret of one of `CHANNELS`.
    pub fn secret(&self, channel: &str) -> String {
        let path = self.path().join("state/secrets").join(channel);
        std::fs::read_to_string(path).expect("a secret").trim().to_owned()
    }

    /// Posts to `path`.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(self.address(), &request("POST", path, headers, body)).expect("an answer")
    }

    /// How many events are stored on `channel`, once everything is projected.
    pub fn events(&self, channel: &str) -> usize {
        self.ok(&["events", "count", "--channel", channel]).parse().expect("a number")
    }

    /// What `channel list` says about `channel`.
    pub fn panel(&self, channel: &str) -> serde_json::Value {
        let panels = self.json(&["channel", "list"]);
        let panel = panels.as_array().expect("a list").iter().find(|panel| panel["id"] == channel);
        panel.expect("a channel").clone()
    }

    /// Waits until `count` messages are projected.
    #[track_caller]
    pub fn projected(&self, count: usize) {
        eventually("projection", || self.ok(&["inbox", "count"]).parse() == Ok(count));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"connection: close\r\n\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Sends bytes on a fresh connection and reads one answer; `None` when there is none.
pub fn send(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // The other side may close before it has read everything; its answer is still worth reading.
    let _ = stream.write_all(bytes);
    read_answer(&mut stream)
}

/// Reads until the other side closes, and takes the first answer.
pub fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// The headers of a Standard Webhooks delivery.
pub fn standard(secret: &str, id: &str, seconds: i64, body: &[u8]) -> Vec<(&'static str, String)> {
    let key = BASE64.decode(secret.strip_prefix("whsec_").expect("a whsec_ secret")).expect("base64");
    let signature = hmac(&key, &[format!("{id}.{seconds}.").as_bytes(), body]);
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,{}", BASE64.encode(signature))),
    ]
}

/// The headers of a GitHub delivery.
pub fn github(secret: &str, id: &str, event: &str, body: &[u8]) -> Vec<(&'static str, String)> {
    vec![
        ("content-type", "application/json".to_owned()),
        ("x-github-event", event.to_owned()),
        ("x-github-delivery", id.to_owned()),
        ("x-hub-signature-256", format!("sha256={}", hex::encode(hmac(secret.as_bytes(), &[body])))),
    ]
}

/// The fields that sign a Mailgun form.
pub fn mailgun(secret: &str, token: &str) -> Vec<(&'static str, String)> {
    let timestamp = now().to_string();
    let signature = hex::encode(hmac(secret.as_bytes(), &[timestamp.as_bytes(), token.as_bytes()]));
    vec![("timestamp", timestamp), ("token", token.to_owned()), ("signature", signature)]
}

/// A part of a form: what stands behind `form-data;`, and its content.
pub type Part<'a> = (String, &'a [u8]);

/// The bytes of a form with files, and its content type.
pub fn multipart(fields: &[(&str, String)], files: &[Part<'_>]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    let fields = fields.iter().map(|(name, value)| (format!("name=\"{name}\""), value.as_bytes()));
    for (head, content) in fields.chain(files.iter().map(|(head, content)| (head.clone(), *content))) {
        body.extend_from_slice(format!("--7e51a\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--7e51a--\r\n");
    ("multipart/form-data; boundary=7e51a".to_owned(), body)
}

/// Headers as they stand in a request.
pub fn head(headers: &[(&'static str, String)]) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat()
}

/// Headers as `post` takes them.
pub fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A program in a pseudo terminal, with what it wrote and what that looks like.
pub struct Screen {
    bytes: Arc<Mutex<Vec<u8>>>,
    reading: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
    writer: Box<dyn Write + Send>,
    pub child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    size: (u16, u16),
}

impl Screen {
    /// Starts aurora's screen on `site`.
    pub fn start(site: &Site, args: &[&str], size: (u16, u16)) -> Self {
        Self::start_with(site, args, size, &[])
    }

    /// The same with more in its environment.
    pub fn start_with(site: &Site, args: &[&str], size: (u16, u16), env: &[(&str, &str)]) -> Self {
        let (cols, rows) = size;
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).expect("a pty");
        let mut command = CommandBuilder::new(AURORA);
        for arg in site.args() {
            command.arg(arg);
        }
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for name in ["COLORTERM", "NO_COLOR", "LC_ALL", "LC_CTYPE", "SSH_CONNECTION", "SSH_TTY"] {
            command.env_remove(name);
        }
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("aurora starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reading = Arc::new(AtomicBool::new(true));
        let goes_on = Arc::clone(&reading);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while goes_on.load(Ordering::Relaxed)
                && let Ok(count) = reader.read(&mut chunk)
            {
                if count == 0 {
                    return;
                }
                sink.lock().expect("not poisoned").extend_from_slice(&chunk[..count]);
            }
        });
        Self { bytes, reading, reader: Some(reader), writer, child, master: Some(pair.master), size }
    }

    pub fn keys(&mut self, keys: &str) {
        self.send(keys.as_bytes());
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).expect("types");
        self.writer.flush().expect("types");
    }

    /// Everything that was written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("not poisoned").clone()
    }

    /// What the screen looks like now.
    pub fn text(&self) -> String {
        let (cols, rows) = self.size;
        let mut terminal = avt::Terminal::new(cols.into(), rows.into()).expect("a terminal");
        terminal.feed(String::from_utf8_lossy(&self.bytes()).as_ref());
        terminal.screen().text().join("\n")
    }

    /// Waits until `text` is on the screen.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        let started = Instant::now();
        while !self.text().contains(text) {
            assert!(started.elapsed() < PATIENCE, "{text:?} is not on the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// Waits until `text` is gone from the screen.
    #[track_caller]
    pub fn hides(&self, text: &str) {
        let started = Instant::now();
        while self.text().contains(text) {
            assert!(started.elapsed() < PATIENCE, "{text:?} is still on the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// The first line that is drawn in reverse from its beginning on: what is selected.
    pub fn reversed_line(&self) -> Option<String> {
        let (cols, rows) = self.size;
        let mut terminal = avt::Terminal::new(cols.into(), rows.into()).expect("a terminal");
        terminal.feed(String::from_utf8_lossy(&self.bytes()).as_ref());
        let mut lines = terminal.screen().visible_lines();
        lines.find(|line| [0, 40].iter().all(|x| line.cells()[*x].pen().is_inverse())).map(avt::Line::text)
    }

    /// Whether the program has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("waits").is_some()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.process_id().and_then(|pid| i32::try_from(pid).ok()).expect("a pid");
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).expect("a pid"), signal).expect("signals");
    }

    /// Lets the terminal read nothing more, as a stopped terminal does not.
    pub fn stop_reading(&self) {
        self.reading.store(false, Ordering::Relaxed);
    }

    /// Takes the terminal away, as a line that drops does: nobody holds the far side any more.
    pub fn hang_up(&mut self) {
        self.stop_reading();
        // A frame that is drawn again lets the reader look up and let go.
        self.keys("\x0c");
        self.reader.take().expect("it was read until now").join().expect("the reader ends");
        self.writer = Box::new(std::io::sink());
        drop(self.master.take());
    }

    /// Waits for the end; answers whether it was a good one.
    #[track_caller]
    pub fn ends(&mut self) -> bool {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                return status.success();
            }
            assert!(started.elapsed() < PATIENCE, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// Whether the terminal was given back: main screen, cursor shown. What a program wrote last is read after its end.
    pub fn is_restored(&self) -> bool {
        let started = Instant::now();
        loop {
            let bytes = String::from_utf8_lossy(&self.bytes()).into_owned();
            let is_main = bytes.rfind("\x1b[?1049l") > bytes.rfind("\x1b[?1049h");
            let has_cursor = bytes.rfind("\x1b[?25h") > bytes.rfind("\x1b[?25l");
            if (is_main && has_cursor) || started.elapsed() > Duration::from_secs(2) {
                return is_main && has_cursor;
            }
            std::thread::sleep(Duration::from_millis(15));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
