//! What stands on a screen, and when: a terminal of 120x40 that answers no query.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

const AURORA: &str = env!("CARGO_BIN_EXE_aurora");
/// A screen that is silent for so long has shown everything.
const SILENCE: Duration = Duration::from_millis(150);
const LONGEST: Duration = Duration::from_secs(20);
/// What takes longer is told by itself.
const TOLD: Duration = Duration::from_millis(50);

/// A screen of aurora, with all that it has shown so far.
struct Screen {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    /// Bytes and when they came.
    written: Receiver<(Instant, Vec<u8>)>,
    rest: Vec<u8>,
    terminal: avt::Terminal,
}

impl Screen {
    fn start(args: &[&OsStr]) -> Self {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pty");
        let mut command = CommandBuilder::new(AURORA);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("SEARCH_BENCH", "0123456789abcdef0123456789abcdef");
        let child = pair.slave.spawn_command(command).expect("aurora starts");
        let keys = pair.master.take_writer().expect("a writer");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (sender, written) = channel();
        std::thread::spawn(move || {
            // The terminal lives as long as its other end is read.
            let _master = pair.master;
            let mut bytes = vec![0; 65_536];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send((Instant::now(), bytes[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        let terminal = avt::Terminal::new(120, 40).expect("a terminal");
        Self { child, keys, written, rest: Vec::new(), terminal }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("types");
        self.keys.flush().expect("types");
    }

    /// Takes in what is written within `wait`; answers when that was.
    fn read(&mut self, wait: Duration) -> Option<Instant> {
        let (at, bytes) = match self.written.recv_timeout(wait) {
            Ok(written) => written,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => panic!("the screen ended"),
        };
        self.rest.extend_from_slice(&bytes);
        let whole = self.rest.iter().rposition(u8::is_ascii).map_or(0, |last| last + 1);
        self.terminal.feed(String::from_utf8_lossy(&self.rest[..whole]).as_ref());
        self.rest.drain(..whole);
        Some(at)
    }

    fn shows(&self, text: &str) -> bool {
        self.terminal.screen().text().iter().any(|line| line.contains(text))
    }

    /// When `text` came to stand on it.
    fn shown(&mut self, text: &str) -> Instant {
        let began = Instant::now();
        loop {
            let at = self.read(LONGEST);
            if self.shows(text) {
                return at.unwrap_or_else(Instant::now);
            }
            assert!(
                began.elapsed() < LONGEST,
                "{text:?} was never shown:\n{}",
                self.terminal.screen().text().join("\n")
            );
        }
    }

    fn settle(&mut self) {
        while self.read(SILENCE).is_some() {}
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn arguments(dir: &Path) -> (PathBuf, PathBuf) {
    let file = dir.join("config.toml");
    std::fs::write(&file, "checks = []\n[listen]\ningress = \"127.0.0.1:0\"\napi = \"off\"\n[channels.standard]\nprovider = \"secret\"\nsecrets = [\"env:SEARCH_BENCH\"]\n").expect("writes");
    (file, dir.to_owned())
}

/// From `exec` of aurora to a subject on its screen.
pub(crate) fn after_exec(dir: &Path, subject: &str) -> Duration {
    let (file, dir) = arguments(dir);
    let began = Instant::now();
    let args = [OsStr::new("--config"), file.as_os_str(), OsStr::new("--state-dir"), dir.as_os_str()];
    Screen::start(&args).shown(subject) - began
}

/// From pasting each query, which is one key, to the beginning of its newest hit on an attached screen. Where that
/// stands there before, nothing is measured.
pub(crate) fn after_key(dir: &Path, questions: &[(String, String)], newest: &str) -> Vec<Duration> {
    let (file, dir) = arguments(dir);
    let mut engine = Command::new(AURORA)
        .arg("--config")
        .arg(&file)
        .arg("--state-dir")
        .arg(&dir)
        .arg("serve")
        .env("SEARCH_BENCH", "0123456789abcdef0123456789abcdef")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("aurora serves");
    let began = Instant::now();
    while UnixStream::connect(dir.join("aurora.sock")).is_err() {
        assert!(began.elapsed() < LONGEST, "nobody serves");
        std::thread::sleep(Duration::from_millis(20));
    }
    let args =
        [OsStr::new("--config"), file.as_os_str(), OsStr::new("--state-dir"), dir.as_os_str(), OsStr::new("attach")];
    let mut screen = Screen::start(&args);
    screen.shown(newest);
    screen.press("3");
    screen.settle();
    screen.press("/");
    screen.settle();
    let mut times = Vec::new();
    for (query, hit) in questions {
        let is_new = !screen.shows(hit);
        let began = Instant::now();
        screen.press(&format!("\x1b[200~{query}\x1b[201~"));
        if is_new {
            let took = screen.shown(hit) - began;
            if took > TOLD {
                println!("on a screen, {query:?}: {:.1} ms", took.as_secs_f64() * 1e3);
            }
            times.push(took);
        }
        screen.settle();
        screen.press(&"\x7f".repeat(query.len()));
        screen.settle();
    }
    drop(screen);
    engine.kill().expect("ends the engine");
    engine.wait().expect("ends the engine");
    times
}
