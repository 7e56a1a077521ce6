//! From a webhook's answer to the row on an attached screen.
//!
//! `cargo bench --bench screen_latency` sends 200 signed deliveries a second for ten seconds to a served
//! engine, with `aurora attach` in a pseudo terminal, and prints how long after its 2xx each subject was on
//! the screen.
#![expect(clippy::expect_used, reason = "a benchmark ends where it fails")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const AURORA: &str = env!("CARGO_BIN_EXE_aurora");
const PER_SECOND: u32 = 200;
const COUNT: usize = 2_000;

type Times = Arc<Mutex<HashMap<usize, Instant>>>;

fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let config = dir.path().join("config.toml");
    std::fs::write(&config, format!("[listen]\ningress = \"127.0.0.1:{port}\"\napi = \"off\"\n")).expect("writes");
    let args = ["--config".into(), config, "--state-dir".into(), dir.path().join("state")];
    let mut engine =
        Command::new(AURORA).args(&args).arg("serve").stderr(Stdio::null()).spawn().expect("aurora serves");
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let secret = std::fs::read_to_string(dir.path().join("state/secrets/secret")).expect("a secret");

    let pair =
        native_pty_system().openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).expect("a pty");
    let mut command = CommandBuilder::new(AURORA);
    for arg in &args {
        command.arg(arg);
    }
    command.arg("attach");
    command.env("TERM", "xterm-256color");
    let mut screen = pair.slave.spawn_command(command).expect("aurora attaches");
    let mut reader = pair.master.try_clone_reader().expect("a reader");
    let shown: Times = Arc::default();
    let seen = Arc::clone(&shown);
    std::thread::spawn(move || watch(&mut reader, &seen));
    let mut keys = pair.master.take_writer().expect("a writer");
    std::thread::sleep(Duration::from_millis(500));
    keys.write_all(b"3").expect("types");
    std::thread::sleep(Duration::from_millis(500));

    let answered = send(port, secret.trim());
    std::thread::sleep(Duration::from_secs(2));
    let shown = shown.lock().expect("not poisoned");
    let mut delays: Vec<Duration> =
        answered.iter().filter_map(|(n, at)| Some(shown.get(n)?.saturating_duration_since(*at))).collect();
    delays.sort_unstable();
    let at = |percent: usize| delays[(delays.len() - 1) * percent / 100].as_secs_f64() * 1_000.0;
    println!(
        "{} of {COUNT} seen; after the answer: p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        delays.len(),
        at(50),
        at(95),
        at(99),
        at(100)
    );
    screen.kill().expect("ends the screen");
    engine.kill().expect("ends the engine");
    engine.wait().expect("ends the engine");
}

/// Sends at a steady rate and notes when each was answered.
fn send(port: u16, secret: &str) -> Vec<(usize, Instant)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    stream.set_nodelay(true).expect("sets");
    let started = Instant::now();
    let mut answer = [0; 512];
    (0..COUNT)
        .map(|n| {
            let due = Duration::from_secs(1) / PER_SECOND * u32::try_from(n).expect("small");
            std::thread::sleep(due.saturating_sub(started.elapsed()));
            let body = format!("{{\"subject\":\"token{n:05}end\",\"text\":\"x\"}}");
            let request = format!(
                "POST /hooks/secret HTTP/1.1\r\nhost: x\r\nx-aurora-secret: {secret}\r\nx-aurora-id: {n}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).expect("sends");
            let count = stream.read(&mut answer).expect("answers");
            assert!(answer[..count].starts_with(b"HTTP/1.1 202"), "accepted");
            (n, Instant::now())
        })
        .collect()
}

/// Reads what the screen shows, and notes when each token is first on it.
fn watch(reader: &mut impl Read, shown: &Times) {
    let mut terminal = avt::Terminal::new(120, 40).expect("a terminal");
    let mut bytes = vec![0; 65_536];
    let mut rest = Vec::new();
    while let Ok(count) = reader.read(&mut bytes) {
        if count == 0 {
            return;
        }
        let at = Instant::now();
        rest.extend_from_slice(&bytes[..count]);
        let whole = rest.iter().rposition(u8::is_ascii).map_or(0, |last| last + 1);
        terminal.feed(String::from_utf8_lossy(&rest[..whole]).as_ref());
        rest.drain(..whole);
        let mut shown = shown.lock().expect("not poisoned");
        for line in terminal.screen().text() {
            for part in line.split("token").skip(1) {
                if let Some(n) = part.get(..5).and_then(|digits| digits.parse().ok()) {
                    shown.entry(n).or_insert(at);
                }
            }
        }
    }
}
