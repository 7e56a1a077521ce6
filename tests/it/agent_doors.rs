//! The doors of an agent, with real processes: who gets in, who does not, and what a door costs when somebody tries.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aurora::bridge::layers::{StreamLayer, local, socket, trigger};
use aurora::bridge::{Layer, LayerEvent, LayerNews, Term};
use aurora::config::SocketPlace;
use aurora::model::{EngineId, HostName, JobId};
use aurora::net::{AgentKey, FrameReader, FrameWriter, prove_engine};
use aurora::protocol::{AGENT_VERSION, FromAgent, ToAgent};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::support::{AURORA, PATIENCE, eventually, free_port, write_private};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A managed host: a configuration, a key, a journal, a trigger directory, and perhaps agents.
struct Host {
    dir: TempDir,
    address: SocketAddr,
    children: Vec<Child>,
}

impl Host {
    fn new() -> Self {
        Self::at("127.0.0.1")
    }

    fn at(ip: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let address = SocketAddr::new(ip.parse().expect("an address"), free_port());
        let host = Self { dir, address, children: Vec::new() };
        write_private(&host.path("key"), KEY);
        std::fs::create_dir(host.path("trigger")).expect("makes");
        std::fs::set_permissions(host.path("trigger"), PermissionsExt::from_mode(0o700)).expect("chmod");
        host.configure(&format!("listen = \"{address}\""));
        host
    }

    fn configure(&self, listen: &str) {
        let [spool, trigger] = ["spool", "trigger"].map(|name| self.path(name).display().to_string());
        let text = format!(
            "[agent]\nname = \"web-1\"\n{listen}\nkey = \"file:key\"\nspool = \"{spool}\"\ntrigger = \"{trigger}\"\n"
        );
        write_private(&self.path("agent.toml"), &text);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(AURORA);
        command.arg("--config").arg(self.path("agent.toml")).arg("agent").args(args);
        command.env_remove("AURORA_STATE_DIR").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn start(&mut self, args: &[&str]) {
        self.children.push(self.command(args).spawn().expect("an agent"));
    }

    /// Starts the socket door and waits until it listens.
    fn socket(&mut self) {
        self.start(&["--only", "socket"]);
        let address = SocketAddr::from(([127, 0, 0, 1], self.address.port()));
        eventually("listening", || TcpStream::connect(address).is_ok());
    }

    /// Starts the trigger door and waits until it is alive.
    fn trigger(&mut self, more: &[&str]) {
        self.start(&[&["--only", "trigger"], more].concat());
        let beat = self.path("trigger/heartbeat");
        eventually("a heartbeat", || beat.exists());
    }

    /// Ends every agent at once, as `kill -9` does.
    fn kill(&mut self) {
        for mut child in self.children.drain(..) {
            child.kill().expect("kills");
            child.wait().expect("ends");
        }
    }

    fn fingerprint(&self) -> [u8; 32] {
        let output = self.command(&["fingerprint"]).stdout(Stdio::piped()).output().expect("runs");
        let text = String::from_utf8(output.stdout).expect("text");
        hex::decode(text.trim()).expect("digits").try_into().expect("32 bytes")
    }

    fn road(&self, key: &str, host: &str, pin: Option<[u8; 32]>) -> Road {
        let endpoint = format!("127.0.0.1:{}", self.address.port()).parse().expect("an address");
        let spec = socket::SocketSpec { place: SocketPlace::Tcp(endpoint), key: agent_key(key), pin };
        Road::new(host, |host, term, news| socket::open(spec, host, term, news))
    }

    fn files(&self, key: &str) -> Road {
        let spec = trigger::TriggerSpec { dir: self.path("trigger"), key: agent_key(key) };
        Road::new("web-1", |host, term, news| trigger::open(spec, host, term, news))
    }

    /// How many files there are in a directory of the trigger layer.
    fn count(&self, below: &str) -> usize {
        std::fs::read_dir(self.path("trigger").join(below)).expect("reads").count()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn agent_key(text: &str) -> AgentKey {
    AgentKey::new(text.to_owned().into()).expect("long enough")
}

/// A near end, and what it tells.
struct Road {
    layer: StreamLayer,
    news: mpsc::Receiver<LayerNews>,
    _term: watch::Sender<Term>,
}

impl Road {
    fn new(
        host: &str,
        open: impl FnOnce(HostName, watch::Receiver<Term>, mpsc::Sender<LayerNews>) -> StreamLayer,
    ) -> Self {
        let (term, watched) = watch::channel(Term { engine: EngineId::from_uuid(Uuid::from_u128(1)), epoch: 1 });
        let (sink, news) = mpsc::channel(256);
        Self { layer: open(host.parse().expect("a name"), watched, sink), news, _term: term }
    }

    /// The first event that `wanted` takes, within `limit`; answers what happened before it too.
    async fn within<T>(&mut self, limit: Duration, mut wanted: impl FnMut(&LayerEvent) -> Option<T>) -> T {
        let mut before = Vec::new();
        let waiting = async {
            loop {
                let event = self.news.recv().await.expect("news").event;
                if let Some(found) = wanted(&event) {
                    return found;
                }
                before.push(event);
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(found) => found,
            Err(elapsed) => panic!("{elapsed}: not within {limit:?}; instead: {before:?}"),
        }
    }

    async fn up(&mut self) -> Duration {
        self.within(PATIENCE, alive).await
    }

    async fn barred(&mut self) -> String {
        let barred = |event: &LayerEvent| match event {
            LayerEvent::Barred { why } => Some(why.clone()),
            LayerEvent::Alive { .. } => panic!("it is open"),
            _ => None,
        };
        self.within(PATIENCE, barred).await
    }

    async fn down(&mut self) -> String {
        let down = |event: &LayerEvent| match event {
            LayerEvent::Down { why } => Some(why.clone()),
            _ => None,
        };
        self.within(PATIENCE, down).await
    }
}

fn alive(event: &LayerEvent) -> Option<Duration> {
    match event {
        LayerEvent::Alive { rtt } => Some(*rtt),
        _ => None,
    }
}

fn probe(nonce: u64) -> ToAgent {
    ToAgent::Probe { nonce }
}

fn heard_probe(nonce: u64) -> impl FnMut(&LayerEvent) -> Option<()> {
    move |event| match event {
        LayerEvent::Heard(said) => {
            matches!(&**said, FromAgent::Alive { nonce: heard, .. } if *heard == nonce).then_some(())
        }
        _ => None,
    }
}

#[tokio::test]
async fn the_socket_lets_in_who_has_the_key_and_means_this_host() {
    let mut host = Host::new();
    host.socket();
    let mut road = host.road(KEY, "web-1", None);
    road.up().await;
    let query = ToAgent::Query { id: JobId::from_uuid(Uuid::now_v7()), from: 0, follow: false };
    assert_eq!(road.layer.ask(query).await, Ok(()));
    road.layer.ask(probe(77)).await.expect("sent");
    road.within(PATIENCE, heard_probe(77)).await;
    let why = host.road(&"x".repeat(32), "web-1", None).barred().await;
    assert!(why.contains("same key"), "{why}");
    let why = host.road(KEY, "web-2", None).barred().await;
    assert!(why.contains("web-1, not of web-2"), "{why}");
}

#[tokio::test]
async fn this_machine_is_reached_through_a_child() {
    let host = Host::new();
    let options = vec!["--config".into(), host.path("agent.toml").into()];
    let spec = local::LocalSpec { program: AURORA.into(), options };
    let mut road = Road::new("web-1", |host, term, news| local::open(spec, host, term, news));
    road.up().await;
    road.layer.ask(probe(5)).await.expect("sent");
    road.within(PATIENCE, heard_probe(5)).await;
}

#[tokio::test]
async fn a_child_answers_beside_the_agent_and_goes_on_when_that_is_killed() {
    let mut host = Host::new();
    host.socket();
    let config = aurora::config::AgentConfig::load(Some(&host.path("agent.toml")), None).expect("a configuration");
    while aurora::agent::doors::running(&config).await.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let options = vec!["--config".into(), host.path("agent.toml").into()];
    let spec = local::LocalSpec { program: AURORA.into(), options };
    let mut road = Road::new("web-1", |host, term, news| local::open(spec, host, term, news));
    road.up().await;
    host.kill();
    road.layer.ask(probe(6)).await.expect("sent");
    let heard = |event: &LayerEvent| {
        assert!(!matches!(event, LayerEvent::Down { .. }), "it hung on the agent: {event:?}");
        heard_probe(6)(event)
    };
    road.within(PATIENCE, heard).await;
}

/// Sends `bytes` and answers what comes back until the agent closes, and whether it did.
fn visit(address: SocketAddr, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    // A reset is an end, too.
    (answer, !end.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)))
}

#[tokio::test]
async fn who_speaks_something_else_hears_nothing() {
    let mut host = Host::new();
    host.socket();
    let address = host.address;
    let hello = serde_json::json!({"hello": {"version": AGENT_VERSION, "epoch": 1, "host": "web-1",
        "engine": "eng_00000000000000000000000000000001"}});
    let post = format!("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{hello}");
    let strangers: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        post.as_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"SSH-2.0-x\r\n",
        b"{\"run\":1}\n",
    ];
    for bytes in strangers.map(<[u8]>::to_vec) {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let visited = tokio::task::spawn_blocking(move || visit(address, &bytes)).await;
        let (answer, ended) = visited.expect("visits");
        assert!(answer.is_empty(), "{shown} heard {answer:?}");
        assert!(ended, "{shown} is not let go of");
    }
    host.road(KEY, "web-1", None).up().await;
}

#[tokio::test]
async fn who_holds_places_keeps_nobody_out() {
    let mut host = Host::new();
    host.socket();
    let holding: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(host.address).expect("connects");
            let _ = stream.write_all(b"\xa7AUR");
            stream
        })
        .collect();
    let mut road = host.road(KEY, "web-1", None);
    road.up().await;
    drop(holding);
}

#[tokio::test]
async fn a_forged_frame_and_one_that_is_too_long_end_the_connection() {
    let mut host = Host::new();
    host.socket();
    let name: HostName = "web-1".parse().expect("a name");
    let hello = || ToAgent::Hello {
        version: AGENT_VERSION,
        engine: EngineId::from_uuid(Uuid::from_u128(1)),
        epoch: 1,
        host: "web-1".parse().expect("a name"),
    };
    for forged in [false, true] {
        let mut stream = tokio::net::TcpStream::connect(host.address).await.expect("connects");
        let seals = prove_engine(&mut stream, &agent_key(KEY), &name, &[]).await.expect("proven");
        let (reader, writer) = stream.into_split();
        let mut reader = FrameReader::sealed(reader, seals.received);
        let mut writer = FrameWriter::sealed(writer, seals.sent);
        writer.write(&hello()).await.expect("writes");
        assert!(matches!(reader.read().await, Ok(Some(FromAgent::Welcome { .. }))));
        // A frame without a mark, and one that says it is longer than any.
        let bytes: &[u8] = if forged { b"\0\0\0\x15{\"probe\":{\"nonce\":1}}" } else { b"\x7f\xff\xff\xff" };
        tokio::io::AsyncWriteExt::write_all(&mut writer.into_inner(), bytes).await.expect("writes");
        loop {
            match tokio::time::timeout(PATIENCE, reader.read::<FromAgent>()).await.expect("it ends") {
                Ok(Some(FromAgent::Trouble { .. })) => {}
                Ok(Some(other)) => panic!("{other:?}"),
                Ok(None) | Err(_) => break,
            }
        }
    }
    host.road(KEY, "web-1", None).up().await;
}

#[tokio::test]
async fn beyond_loopback_there_is_tls_and_only_the_pinned_certificate() {
    let mut host = Host::at("0.0.0.0");
    let pin = host.fingerprint();
    host.socket();
    host.road(KEY, "web-1", Some(pin)).up().await;
    let why = host.road(KEY, "web-1", Some([7; 32])).barred().await;
    assert!(why.contains("another certificate"), "{why}");
    let why = host.road(&"x".repeat(32), "web-1", Some(pin)).barred().await;
    assert!(why.contains("same key"), "{why}");
    // Without TLS nothing is said there.
    host.road(KEY, "web-1", None).down().await;
}

#[test]
fn a_door_that_would_not_be_safe_stays_closed_and_says_why() {
    let host = Host::new();
    let refused = |args: &[&str]| {
        let output = host.command(args).stderr(Stdio::piped()).output().expect("runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let config = std::fs::read_to_string(host.path("agent.toml")).expect("reads");
    write_private(&host.path("agent.toml"), &config.replace("key = \"file:key\"\n", ""));
    assert!(refused(&["--only", "socket"]).contains("openssl rand -hex 32"));
    write_private(&host.path("agent.toml"), &config);
    write_private(&host.path("key"), "short");
    assert!(refused(&["--only", "socket"]).contains("at least 32"));
    write_private(&host.path("key"), KEY);
    let mode = |path: PathBuf, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
    mode(host.path("trigger"), 0o777);
    assert!(refused(&["--only", "trigger"]).contains("others can write to"));
    mode(host.path("trigger"), 0o700);
    mode(host.dir.path().to_owned(), 0o777);
    assert!(refused(&["--only", "trigger"]).contains("others can write to"), "a world-writable parent");
    mode(host.dir.path().to_owned(), 0o700);
    // The key of the certificate can be read by others, so there is no TLS.
    host.configure(&format!("listen = \"0.0.0.0:{}\"", host.address.port()));
    host.fingerprint();
    mode(host.path("spool/tls.pem"), 0o644);
    assert!(refused(&["--only", "socket"]).contains("without TLS that is refused"));
}

#[tokio::test]
async fn an_agent_that_was_killed_is_used_again_by_itself() {
    let mut host = Host::new();
    host.socket();
    host.trigger(&[]);
    let (mut road, mut files) = (host.road(KEY, "web-1", None), host.files(KEY));
    road.up().await;
    files.up().await;
    host.kill();
    road.down().await;
    files.down().await;
    host.socket();
    host.trigger(&[]);
    tokio::join!(road.up(), files.up());
}

#[tokio::test]
async fn files_carry_questions_also_where_the_kernel_tells_of_none() {
    for more in [&[][..], &["--no-inotify"]] {
        let mut host = Host::new();
        host.trigger(more);
        let mut road = host.files(KEY);
        road.up().await;
        road.layer.ask(probe(9)).await.expect("sent");
        road.within(PATIENCE, heard_probe(9)).await;
        for below in ["tmp", "in", "claimed"] {
            assert_eq!(host.count(below), 0, "{below} is left empty");
        }
    }
}

#[tokio::test]
async fn files_of_another_key_or_another_journal_bar_the_road() {
    let mut host = Host::new();
    host.trigger(&[]);
    let why = host.files(&"x".repeat(32)).barred().await;
    assert!(why.contains("mark does not fit"), "{why}");
    let mut road = host.files(KEY);
    road.up().await;
    host.kill();
    // The mount shows the directory of another agent.
    std::fs::remove_dir_all(host.path("spool")).expect("removes");
    host.trigger(&[]);
    let why = road.barred().await;
    assert!(why.contains("journal"), "{why}");
}

/// A letter as an engine wrote it: its name and what it says.
type Letter = (String, Vec<u8>);

/// Two letters, with the probes 1 and 2, taken out of the directory before any agent saw them.
async fn captured(host: &mut Host) -> [Letter; 2] {
    host.trigger(&[]);
    let mut road = host.files(KEY);
    road.up().await;
    host.kill();
    let inbox = host.path("trigger/in");
    let mut letters = Vec::new();
    for nonce in [1, 2] {
        road.layer.ask(probe(nonce)).await.expect("sent");
        let word = format!("\"nonce\":{nonce}");
        eventually("a letter", || {
            letters.extend(std::fs::read_dir(&inbox).expect("reads").flatten().find_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let bytes = std::fs::read(entry.path()).expect("reads");
                String::from_utf8_lossy(&bytes).contains(&word).then_some((name, bytes))
            }));
            letters.len() as u64 == nonce
        });
    }
    drop(road);
    for entry in std::fs::read_dir(&inbox).expect("reads").flatten() {
        std::fs::remove_file(entry.path()).expect("removes");
    }
    letters.try_into().expect("two")
}

/// The agent takes what `put` puts into its directory as the letter `name`; answers where its answer would be.
fn taken(host: &Host, name: &str, put: impl FnOnce(&Path)) -> PathBuf {
    let path = host.path("trigger/in").join(name);
    put(&path);
    eventually("taken", || std::fs::symlink_metadata(&path).is_err());
    host.path("trigger/out").join(name.replace(".json", ".1.json"))
}

/// The agent answers `letter`; the answer is taken.
fn is_answered(host: &Host, (name, bytes): &Letter) {
    let answer = taken(host, name, place(bytes));
    eventually("an answer", || answer.exists());
    std::fs::remove_file(answer).expect("removes");
}

/// The agent takes what `put` puts into its directory as the letter `name`, and answers only what comes behind it.
fn is_refused(host: &Host, name: &str, behind: &Letter, what: &str, put: impl FnOnce(&Path)) {
    let answer = taken(host, name, put);
    is_answered(host, behind);
    assert!(!answer.exists(), "{what} is answered");
}

fn place(bytes: &[u8]) -> impl Fn(&Path) {
    move |path| {
        let passing = path.with_extension("passing");
        write_private(&passing, std::str::from_utf8(bytes).expect("text"));
        std::fs::rename(passing, path).expect("renames");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_an_engines_own_is_not_read() {
    let mut host = Host::new();
    let [letter, behind] = captured(&mut host).await;
    let (name, bytes) = &letter;
    host.trigger(&[]);
    let elsewhere = host.path("elsewhere.json");
    write_private(&elsewhere, std::str::from_utf8(bytes).expect("text"));
    is_answered(&host, &letter);
    let refused = |what: &str, put: &dyn Fn(&Path)| is_refused(&host, name, &behind, what, put);
    refused("a symbolic link", &|path| symlink(&elsewhere, path).expect("links"));
    refused("a second name", &|path| std::fs::hard_link(&elsewhere, path).expect("links"));
    refused("a pipe", &|path| assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success()));
    refused("a file that others can write to", &|path| {
        place(bytes)(&path.with_extension("x"));
        std::fs::set_permissions(path.with_extension("x"), PermissionsExt::from_mode(0o666)).expect("chmod");
        std::fs::rename(path.with_extension("x"), path).expect("renames");
    });
    let text = String::from_utf8(bytes.clone()).expect("text");
    for (what, changed) in [
        ("an altered letter", text.replace("\"nonce\":1", "\"nonce\":2")),
        ("a letter for another host", text.replace("web-1", "web-2")),
        ("a huge letter", format!("{text}{}", " ".repeat(2 << 20))),
        ("what is no JSON", "{".repeat(100_000)),
    ] {
        assert_ne!(changed, text);
        refused(what, &place(changed.as_bytes()));
    }
    // Under another name: an old question answered as a new one.
    is_refused(&host, "0000000000000000.json", &behind, "a copy under another name", place(bytes));
    // Swapped again and again while the agent takes it: what was opened is what was read.
    let swapping = std::thread::spawn({
        let (path, elsewhere, good) = (host.path("trigger/in").join(name), elsewhere.clone(), bytes.clone());
        move || {
            for round in 0..200 {
                if round % 2 == 0 { place(&good)(&path) } else { drop(symlink(&elsewhere, &path)) }
            }
            let _ = std::fs::remove_file(path);
        }
    });
    swapping.join().expect("ends");
    is_answered(&host, &behind);
    // A foreign journal: the same letter in the directory of a host that was set up anew.
    host.kill();
    std::fs::remove_dir_all(host.path("spool")).expect("removes");
    host.trigger(&[]);
    let answer = taken(&host, &behind.0, place(&behind.1));
    host.files(KEY).up().await;
    assert!(!answer.exists(), "it was for the journal before");
}

#[test]
fn a_unix_socket_is_its_owners() {
    let mut host = Host::new();
    let path = host.path("agent.sock");
    host.configure(&format!("listen = \"unix:{}\"", path.display()));
    host.start(&["--only", "socket"]);
    eventually("listening", || std::os::unix::net::UnixStream::connect(&path).is_ok());
    assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let spec = socket::SocketSpec { place: SocketPlace::Unix(path.clone()), key: agent_key(KEY), pin: None };
        Road::new("web-1", |host, term, news| socket::open(spec, host, term, news)).up().await;
    });
}

#[test]
fn panes_are_in_the_hands_of_the_process_with_the_socket() {
    let mut host = Host::new();
    let side = host.path("spool/agent.sock");
    host.trigger(&[]);
    assert!(!side.exists(), "lines over ssh would be passed to the door of files");
    host.socket();
    eventually("the side door", || side.exists());
}
