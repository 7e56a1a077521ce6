//! Panes of a real tmux through a real agent: listed, watched, driven, and never held up by whoever watches.

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use aurora::config::AgentConfig;
use aurora::model::{EngineId, PaneChunk, PaneFacts, PaneFeedKind, PaneId, PaneSeed};
use aurora::net::{FrameReader, FrameWriter};
use aurora::protocol::{AGENT_VERSION, DriveAsk, FromAgent, PANE_WINDOW, PaneSaid, ToAgent, WatchAsk};
use aurora::screen::Glass;
use aurora::tmux::{NoKeys, NotTyped, Server, TmuxError};
use tempfile::TempDir;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use uuid::Uuid;

use crate::flood::{FLOOD, Flood, STILL};
use crate::support::{AURORA, PATIENCE, eventually, write_private};
use crate::tmux::Tmux;

/// A host with an agent's configuration that lets panes be driven.
struct Host {
    dir: TempDir,
    /// Where its agents look for tmux.
    path_variable: Option<String>,
}

impl Host {
    fn new(panes: &str) -> Self {
        let host = Self { dir: tempfile::tempdir().expect("a directory"), path_variable: None };
        let [spool, listen] = ["spool", "listen"].map(|name| host.path(name).display().to_string());
        let text = format!(
            "[agent]\nname = \"web-1\"\nspool = \"{spool}\"\npanes = \"{panes}\"\nlisten = \"unix:{listen}\"\nkey = \"file:key\"\n"
        );
        write_private(&host.path("key"), "0123456789abcdef0123456789abcdef");
        write_private(&host.path("agent.toml"), &text);
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(AURORA);
        command.arg("--config").arg(self.path("agent.toml")).arg("agent").args(args).env_remove("AURORA_STATE_DIR");
        command.envs(self.path_variable.iter().map(|path| ("PATH", path))).kill_on_drop(true);
        command
    }

    /// An agent that runs on this host, once others are passed on to it.
    async fn running(&self) -> Child {
        let child = self.command(&["--only", "socket"]).spawn().expect("an agent");
        let config = AgentConfig::load(Some(&self.path("agent.toml")), None).expect("a configuration");
        let began = Instant::now();
        while aurora::agent::doors::running(&config).await.is_none() {
            assert!(began.elapsed() < PATIENCE, "no agent serves");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child
    }

    /// A connection that has greeted.
    async fn connect(&self) -> Line {
        let mut command = self.command(&["stdio"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("an agent");
        let writer = FrameWriter::new(child.stdin.take().expect("a pipe"));
        let reader = FrameReader::new(child.stdout.take().expect("a pipe"));
        let mut line = Line { child, reader, writer, seq: 0, early: VecDeque::new() };
        let (engine, host) = (EngineId::from_uuid(Uuid::from_u128(1)), "web-1".parse().expect("a name"));
        line.say(&ToAgent::Hello { version: AGENT_VERSION, engine, epoch: 1, host }).await;
        assert!(matches!(line.hear().await, FromAgent::Welcome { .. }));
        line
    }

    /// A connection that is told of the panes of `tmux`, with the first list that holds any.
    async fn looks(&self, tmux: &Tmux) -> (Line, Vec<PaneFacts>) {
        let mut line = self.connect().await;
        line.list(&tmux.socket).await;
        let panes = line.panes(|panes| !panes.is_empty()).await;
        (line, panes)
    }

    fn audit(&self) -> String {
        std::fs::read_to_string(self.path("spool/audit.jsonl")).unwrap_or_default()
    }
}

/// One connection to an agent, which nobody reads but a test that waits for something.
struct Line {
    child: Child,
    reader: FrameReader<ChildStdout>,
    writer: FrameWriter<ChildStdin>,
    seq: u64,
    /// Pieces that came while something else was waited for.
    early: VecDeque<PaneChunk>,
}

impl Line {
    async fn say(&mut self, question: &ToAgent) {
        self.writer.write(question).await.expect("writes");
    }

    async fn watch_ask(&mut self, ask: WatchAsk) {
        self.say(&ToAgent::Watch(ask)).await;
    }

    async fn drive(&mut self, ask: DriveAsk) {
        self.say(&ToAgent::Drive(ask)).await;
    }

    async fn hear(&mut self) -> FromAgent {
        let said = tokio::time::timeout(PATIENCE, self.reader.read()).await.expect("in time");
        said.expect("a frame").expect("a word")
    }

    /// What is said next of panes that `wanted` makes something of.
    async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(PaneSaid) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "{what} was not heard");
            let FromAgent::Pane(said) = self.hear().await else { continue };
            let piece = if let PaneSaid::Chunk(chunk) = &said { Some(chunk.clone()) } else { None };
            if let Some(found) = wanted(said) {
                return found;
            }
            self.early.extend(piece);
        }
    }

    async fn list(&mut self, socket: &str) {
        self.watch_ask(WatchAsk::List { socket: Some(socket.to_owned()), session: None }).await;
    }

    async fn panes(&mut self, holds: impl Fn(&[PaneFacts]) -> bool) -> Vec<PaneFacts> {
        let wanted = |said| match said {
            PaneSaid::Panes { panes, .. } if holds(&panes) => Some(panes),
            _ => None,
        };
        self.until("a list", wanted).await
    }

    /// Begins to watch, and gives the first screen.
    async fn watch(&mut self, pane: PaneId, from: Option<u64>) -> PaneSeed {
        self.watch_ask(WatchAsk::Watch { pane, history: 100, from }).await;
        let seed = self.until("a screen", |said| if let PaneSaid::Seed(seed) = said { Some(seed) } else { None }).await;
        self.watch_ask(WatchAsk::Seen { pane, offset: seed.offset }).await;
        seed
    }

    async fn take(&mut self, pane: PaneId, who: &str) -> PaneSaid {
        self.drive(DriveAsk::Take { pane, who: who.parse().expect("a name") }).await;
        self.until("an answer", |said| match said {
            said @ (PaneSaid::Taken { .. } | PaneSaid::Refused { .. }) => Some(said),
            _ => None,
        })
        .await
    }

    /// Types, and gives why not.
    async fn keys(&mut self, pane: PaneId, keys: &str) -> Result<(), String> {
        self.seq += 1;
        let expected = self.seq;
        self.drive(DriveAsk::Keys { pane, seq: expected, bytes: keys.as_bytes().to_vec() }).await;
        self.until("an answer", |said| match said {
            PaneSaid::Typed { seq, .. } if seq == expected => Some(Ok(())),
            PaneSaid::Refused { rule, seq: Some(seq), .. } if seq == expected => Some(Err(rule)),
            _ => None,
        })
        .await
    }

    /// Everything printed from `place` on until `wanted` is in it; every piece follows the one before.
    async fn printed(&mut self, pane: PaneId, mut place: u64, wanted: &str) -> (String, u64) {
        let mut text = Vec::new();
        loop {
            let early = self.early.pop_front().filter(|chunk| chunk.pane == pane);
            let next = |said| match said {
                PaneSaid::Chunk(chunk) if chunk.pane == pane => Some(chunk),
                PaneSaid::Seed(seed) => panic!("a screen at {} though nothing was lost", seed.offset),
                _ => None,
            };
            let chunk = if let Some(chunk) = early { chunk } else { self.until(wanted, next).await };
            assert_eq!(chunk.offset, place, "no hole and nothing twice");
            place += chunk.bytes.len() as u64;
            text.extend(chunk.bytes);
            self.watch_ask(WatchAsk::Seen { pane, offset: place }).await;
            let text = String::from_utf8_lossy(&text);
            if text.contains(wanted) {
                return (text.into_owned(), place);
            }
        }
    }
}

/// What a screen shows of a seed.
fn shown(seed: &PaneSeed) -> String {
    let mut glass = Glass::new(seed.cols, seed.rows);
    glass.seed(seed);
    glass.text().join("\n")
}

const SHELL: &str = "env PS1='prompt> ' LANG=C.UTF-8 bash --norc --noprofile -i";

#[tokio::test]
#[ignore = "needs tmux"]
async fn a_pane_is_listed_watched_and_driven() {
    let (host, tmux) = (Host::new("drive"), Tmux::start());
    tmux.shows("prompt>");
    let (mut line, panes) = host.looks(&tmux).await;
    let [facts] = &panes[..] else { panic!("{panes:?}") };
    assert_eq!((facts.session.as_str(), facts.cols, facts.rows, facts.generation), ("main", 80, 24, 1));
    assert_eq!((facts.feed, &facts.driver), (None, &None), "nobody watches yet");
    let pane = facts.id;
    let seed = line.watch(pane, None).await;
    assert_eq!((seed.cols, seed.rows, seed.missed), (80, 24, 0));
    assert!(shown(&seed).starts_with("prompt>"), "{}", shown(&seed));
    line.panes(|panes| panes[0].feed.is_some()).await;

    assert_eq!(line.keys(pane, "id\r").await, Err("not-taken".to_owned()));
    assert!(matches!(line.take(pane, "anna").await, PaneSaid::Taken { .. }));
    assert_eq!(line.keys(pane, "echo is$((40+2))here\r").await, Ok(()));
    line.panes(|panes| panes[0].driver.as_ref().is_some_and(|driver| driver.who.as_str() == "anna")).await;
    tmux.shows("is42here");

    // Somebody at the host reads its history: keys would be orders to tmux, and nobody is thrown out of it.
    tmux.run(&["copy-mode"]);
    assert_eq!(line.keys(pane, "q").await, Err("mode".to_owned()));
    line.panes(|panes| panes[0].mode.as_deref() == Some("copy-mode")).await;
    tmux.run(&["send-keys", "-X", "cancel"]);
    assert_eq!(line.keys(pane, "\u{3}").await, Err("hole".to_owned()), "nothing is typed behind what was refused");
    line.take(pane, "anna").await;
    assert_eq!(line.keys(pane, "\u{3}").await, Ok(()));
    line.drive(DriveAsk::Release { pane }).await;
    line.until("a release", |said| matches!(said, PaneSaid::Released { .. }).then_some(())).await;
    assert_eq!(line.keys(pane, "id\r").await, Err("not-taken".to_owned()));
    // Numbers begin anew with another server: there it would be another pane.
    let other = Server::new(Some(&tmux.socket)).expect("a word").only(1);
    let refused = other.type_bytes(pane.number, b"id\r").await;
    assert!(
        matches!(&refused, Err(NotTyped { why: TmuxError::TakesNoKeys { why: NoKeys::Other, .. }, .. })),
        "{refused:?}"
    );
    eventually("an audit", || host.audit().contains("pane-released"));
    assert!(host.audit().contains("pane-taken") && host.audit().contains("main:0.0"), "{}", host.audit());

    // Resized at the host: a whole screen of the new size.
    tmux.run(&["resize-window", "-x", "60", "-y", "20"]);
    let seed = line.until("a screen", |said| if let PaneSaid::Seed(seed) = said { Some(seed) } else { None }).await;
    assert_eq!((seed.cols, seed.rows, seed.missed), (60, 20, 0));
    line.watch_ask(WatchAsk::Seen { pane, offset: seed.offset }).await;

    // A capture shows what was sent and nothing else.
    line.watch_ask(WatchAsk::Capture { pane }).await;
    let captured =
        line.until("a capture", |said| if let PaneSaid::Captured(seed) = said { Some(seed) } else { None }).await;
    assert_eq!(captured.cols, 60);
    assert!(shown(&captured).contains("is42here"), "{}", shown(&captured));

    tmux.session("other", (80, 24), "cat");
    tmux.run(&["kill-session", "-t", "=main"]);
    line.until("its end", |said| matches!(said, PaneSaid::Ended { pane: ended, .. } if ended == pane).then_some(()))
        .await;
    tmux.session("main", (80, 24), SHELL);
    let panes = line.panes(|panes| panes.iter().any(|facts| facts.session == "main")).await;
    let again = panes.iter().find(|facts| facts.session == "main").expect("it is there");
    assert!(again.id != pane && again.generation == 2, "{again:?}");
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn keys_that_would_go_into_other_panes_too_are_refused_before_one_is_typed() {
    let (host, tmux) = (Host::new("drive"), Tmux::start());
    tmux.shows("prompt>");
    tmux.run(&["split-window", "-d", "cat"]);
    let (mut line, panes) = host.looks(&tmux).await;
    assert_eq!(panes.len(), 2);
    let pane = panes[0].id;
    assert!(matches!(line.take(pane, "anna").await, PaneSaid::Taken { .. }));
    tmux.run(&["set-option", "-w", "synchronize-panes", "on"]);
    line.panes(|panes| panes.iter().all(|pane| pane.synchronized)).await;
    assert_eq!(line.keys(pane, "x").await, Err("synchronized".to_owned()));
    line.drive(DriveAsk::Release { pane }).await;
    line.until("a release", |said| matches!(said, PaneSaid::Released { .. }).then_some(())).await;
    let refused = line.take(pane, "anna").await;
    assert!(
        matches!(&refused, PaneSaid::Refused { rule, reason, .. } if rule == "synchronized" && reason.contains("other panes")),
        "{refused:?}"
    );
    tmux.run(&["set-option", "-w", "synchronize-panes", "off"]);
    line.panes(|panes| panes.iter().all(|pane| !pane.synchronized)).await;
    assert!(matches!(line.take(pane, "anna").await, PaneSaid::Taken { .. }));
    assert_eq!(line.keys(pane, "echo a$((40+2))b\r").await, Ok(()));
    tmux.shows("a42b");
    assert!(!tmux.run(&["capture-pane", "-p", "-t", ":.1"]).contains('x'), "the other pane heard nothing");
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn where_panes_are_watched_only_nothing_is_typed() {
    let (host, tmux) = (Host::new("watch"), Tmux::start());
    tmux.shows("prompt>");
    let (mut line, panes) = host.looks(&tmux).await;
    let pane = panes[0].id;
    line.watch(pane, None).await;
    let refused = line.take(pane, "anna").await;
    assert!(matches!(&refused, PaneSaid::Refused { rule, .. } if rule == "policy"), "{refused:?}");
    assert_eq!(line.keys(pane, "touch x\r").await, Err("policy".to_owned()));
    assert!(!tmux.screen().contains("touch"));
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn an_engine_that_does_not_read_holds_up_no_program() {
    let (host, tmux) = (Host::new("watch"), Tmux::with("main", (100, 30), FLOOD));
    let (mut line, panes) = host.looks(&tmux).await;
    let pane = panes[0].id;
    let seed = line.watch(pane, None).await;
    // From here on nobody reads. The agent's own control client is the only one of the session.
    let flooded = tokio::task::spawn_blocking(move || (Flood::begin(&tmux, "main", 1).end(), tmux));
    let (flood, tmux) = flooded.await.expect("ends");
    assert!(flood.still <= STILL, "the program stood still: {flood:?}");

    // It reads again and takes what comes: what was left out is counted, and the screen becomes the one tmux has. How much
    // was on its way, and whether it was pieces only, is up to the pipe and to how busy the machine is.
    let mut glass = Glass::new(seed.cols, seed.rows);
    glass.seed(&seed);
    let (mut took, mut too_fast) = (0, 0);
    while !glass.text().join("\n").contains("took ") {
        let said = |said| matches!(said, PaneSaid::Chunk(_) | PaneSaid::Seed(_)).then_some(said);
        match line.until("the end of the flood", said).await {
            PaneSaid::Chunk(chunk) => {
                assert_eq!(chunk.offset, glass.offset(), "no hole and nothing twice");
                took += chunk.bytes.len() as u64;
                glass.feed(&chunk).expect("no hole");
            }
            PaneSaid::Seed(seed) => {
                assert_eq!(seed.missed, seed.offset - glass.offset());
                too_fast += u32::from(seed.too_fast);
                glass.seed(&seed);
            }
            _ => unreachable!("nothing else is waited for"),
        }
        line.watch_ask(WatchAsk::Seen { pane, offset: glass.offset() }).await;
    }
    // What is kept of a pane, a MiB, may be told after the last screen.
    assert!(took <= PANE_WINDOW + (1 << 20), "{took} bytes were on their way to somebody who stood still");
    assert!(too_fast > 0, "most of it was left out where it was printed");
    assert_eq!(tmux.run(&["display-message", "-p", "#{window_width}x#{window_height}"]).trim(), "100x30");
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn one_agent_has_the_panes_for_everybody_and_a_broken_line_loses_nothing() {
    let (host, tmux) = (Host::new("drive"), Tmux::start());
    tmux.shows("prompt>");
    let mut agent = host.running().await;
    let (mut anna, panes) = host.looks(&tmux).await;
    let (mut ben, _) = host.looks(&tmux).await;
    let pane = panes[0].id;
    let seed = anna.watch(pane, None).await;
    assert!(matches!(anna.take(pane, "anna").await, PaneSaid::Taken { .. }));
    ben.until("who drives", |said| {
        matches!(said, PaneSaid::Taken { driver, .. } if driver.who.as_str() == "anna").then_some(())
    })
    .await;
    let refused = ben.take(pane, "ben").await;
    assert!(
        matches!(&refused, PaneSaid::Refused { rule, reason, .. } if rule == "taken" && reason.contains("anna")),
        "{refused:?}"
    );
    assert_eq!(ben.keys(pane, "id\r").await, Err("not-taken".to_owned()));
    assert_eq!(anna.keys(pane, "echo a$((40+2))b\r").await, Ok(()));
    let (_, place) = anna.printed(pane, seed.offset, "a42b\r\n").await;

    // Her line breaks. What she had is free, what is printed meanwhile is kept for her.
    drop(anna);
    ben.until("a release", |said| matches!(said, PaneSaid::Released { .. }).then_some(())).await;
    tmux.type_line("echo c$((40+3))d");
    tmux.shows("c43d");
    let (mut anna, _) = host.looks(&tmux).await;
    anna.watch_ask(WatchAsk::Watch { pane, history: 0, from: Some(place) }).await;
    let (text, place) = anna.printed(pane, place, "c43d\r\n").await;
    assert!(!text.contains("a42b"), "nothing comes twice: {text:?}");

    // An agent of its own, as another engine may start, has the same panes in other hands.
    assert!(matches!(anna.take(pane, "anna").await, PaneSaid::Taken { .. }));
    let alone = Host { dir: tempfile::tempdir().expect("a directory"), path_variable: None };
    std::fs::copy(host.path("agent.toml"), alone.path("agent.toml")).expect("copies");
    let (mut carl, _) = alone.looks(&tmux).await;
    let refused = carl.take(pane, "carl").await;
    assert!(
        matches!(&refused, PaneSaid::Refused { rule, reason, .. } if rule == "taken" && reason.contains("anna")),
        "{refused:?}"
    );
    drop(carl);

    // The agent dies without a word. The connection ends, and the next one serves itself.
    agent.start_kill().expect("kills");
    agent.wait().await.expect("ends");
    let ended = tokio::time::timeout(PATIENCE, anna.child.wait()).await.expect("in time").expect("ends");
    assert!(!ended.success(), "whoever started it hears that it is broken");
    let (mut anna, _) = host.looks(&tmux).await;
    let seed = anna.watch(pane, Some(place)).await;
    assert_eq!(seed.missed, 0, "nobody knows how much that was");
    assert!(shown(&seed).contains("c43d"), "{}", shown(&seed));

    // With another word in its file it is another agent, whatever runs.
    let _running = host.running().await;
    let text = std::fs::read_to_string(host.path("agent.toml")).expect("a file");
    write_private(&host.path("agent.toml"), &text.replace("\"drive\"", "\"watch\""));
    let (mut line, _) = host.looks(&tmux).await;
    let refused = line.take(pane, "anna").await;
    assert!(matches!(&refused, PaneSaid::Refused { rule, .. } if rule == "policy"), "{refused:?}");
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn a_pane_is_heard_whatever_its_session_is_called_and_wherever_it_goes() {
    let (host, tmux) = (Host::new("watch"), Tmux::start());
    tmux.shows("prompt>");
    let types = |target: &str, line: &str| {
        tmux.run(&["send-keys", "-t", target, "-l", line]);
        tmux.run(&["send-keys", "-t", target, "Enter"]);
    };
    let (mut line, panes) = host.looks(&tmux).await;
    let old = panes[0].id;
    let seed = line.watch(old, None).await;
    let mut place = seed.offset;

    // Another session gets its name: both are heard, and the first one goes on without a new screen.
    tmux.run(&["rename-session", "-t", "=main:", "old"]);
    tmux.session("main", (80, 24), SHELL);
    let panes = line.panes(|panes| panes.iter().map(|pane| pane.session.as_str()).eq(["main", "old"])).await;
    let new = panes[0].id;
    let seed = line.watch(new, None).await;
    types("=main:", "echo n$((40+2))w");
    line.printed(new, seed.offset, "n42w\r\n").await;
    types("=old:", "echo o$((40+3))d");
    place = line.printed(old, place, "prompt> ").await.1;

    // A group has its panes in two sessions: it is heard as before, and each session has its list.
    tmux.run(&["new-session", "-d", "-t", "=old", "-s", "aaa"]);
    line.panes(|panes| panes.len() == 2 && panes[0].session == "aaa").await;
    types("=old:", "echo g$((40+4))p");
    place = line.printed(old, place, "prompt> ").await.1;
    tmux.run(&["kill-session", "-t", "=aaa"]);
    line.panes(|panes| panes.len() == 2 && panes[1].session == "old").await;

    // It moves to the other session. What nobody heard is counted as a loss.
    tmux.run(&["move-window", "-s", "=old:0", "-t", "=main:5"]);
    let seed = line.until("a screen", |said| if let PaneSaid::Seed(seed) = said { Some(seed) } else { None }).await;
    assert!(seed.pane == old && seed.missed >= 1 && seed.offset > place, "{place} {seed:?}");
    line.watch_ask(WatchAsk::Seen { pane: old, offset: seed.offset }).await;
    types("=main:5", "echo m$((40+5))d");
    line.printed(old, seed.offset, "m45d\r\n").await;

    tmux.run(&["new-session", "-d", "-t", "=main", "-s", "aaa"]);
    let (socket, session) = (Some(tmux.socket.clone()), Some("main".to_owned()));
    line.watch_ask(WatchAsk::List { socket, session }).await;
    let panes = line.panes(|panes| !panes.is_empty()).await;
    let places: Vec<_> = panes.iter().map(|pane| (pane.session.as_str(), pane.window, pane.id)).collect();
    assert_eq!(places, [("main", 0, new), ("main", 5, old)]);
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn who_reads_sees_what_tmux_shows_while_another_stands_still() {
    let (host, tmux) = (Host::new("watch"), Tmux::with("main", (100, 30), FLOOD));
    let _agent = host.running().await;
    let (mut stands, _) = host.looks(&tmux).await;
    let (mut reads, panes) = host.looks(&tmux).await;
    let pane = panes[0].id;
    stands.watch(pane, None).await;
    let seed = reads.watch(pane, None).await;
    let mut glass = Glass::new(seed.cols, seed.rows);
    glass.seed(&seed);
    tmux.run(&["send-keys", "Enter"]);
    let (mut too_fast, mut captured) = (0, None);
    while captured.is_none() {
        let said =
            |said| matches!(said, PaneSaid::Chunk(_) | PaneSaid::Seed(_) | PaneSaid::Captured(_)).then_some(said);
        match reads.until("more", said).await {
            PaneSaid::Chunk(chunk) => glass.feed(&chunk).expect("no hole"),
            PaneSaid::Seed(seed) => {
                too_fast += u32::from(seed.too_fast);
                glass.seed(&seed);
            }
            PaneSaid::Captured(seed) => {
                captured = Some(seed);
                continue;
            }
            _ => unreachable!("nothing else is let through"),
        }
        reads.watch_ask(WatchAsk::Seen { pane, offset: glass.offset() }).await;
        if glass.text().iter().any(|row| row.starts_with("took ")) {
            // Where another screen comes before the answer there is none.
            reads.watch_ask(WatchAsk::Capture { pane }).await;
        }
    }
    let captured = captured.expect("a capture");
    assert!(too_fast > 0, "it was left out where it was printed");
    assert!(!glass.differs(&captured), "{:#?}\n{}", glass.text(), shown(&captured));
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn what_is_recorded_is_followed_however_fast_it_prints() {
    let (host, tmux) = (Host::new("watch"), Tmux::with("main", (100, 30), FLOOD));
    // A capture is answered only where nothing is printed meanwhile.
    tmux.shows("for a line");
    let (mut line, panes) = host.looks(&tmux).await;
    let pane = panes[0].id;
    let seed = line.watch(pane, None).await;
    line.watch_ask(WatchAsk::Whole { pane, wanted: true }).await;
    // It was heard: what comes behind it is answered.
    line.watch_ask(WatchAsk::Capture { pane }).await;
    line.until("a capture", |said| matches!(said, PaneSaid::Captured(_)).then_some(())).await;
    tmux.run(&["send-keys", "Enter"]);
    let mut glass = Glass::new(seed.cols, seed.rows);
    glass.seed(&seed);
    while !glass.text().iter().any(|row| row.starts_with("took ")) {
        let said = |said| matches!(said, PaneSaid::Chunk(_) | PaneSaid::Seed(_)).then_some(said);
        match line.until("more", said).await {
            PaneSaid::Chunk(chunk) => glass.feed(&chunk).expect("no hole"),
            PaneSaid::Seed(seed) => {
                assert!(!seed.too_fast, "it is recorded");
                glass.seed(&seed);
            }
            _ => unreachable!("nothing else is let through"),
        }
        line.watch_ask(WatchAsk::Seen { pane, offset: glass.offset() }).await;
    }
    assert!(glass.offset() - seed.offset > 8_000_000, "every byte was heard, or counted");
}

/// A tmux that sends every control client away at once, as some servers do.
fn without_control(host: &Host) -> String {
    let path = std::env::var("PATH").expect("a path");
    let real = std::env::split_paths(&path).map(|dir| dir.join("tmux")).find(|tmux| tmux.exists()).expect("tmux");
    let (dir, wrapper) = (host.path("bin"), host.path("bin/tmux"));
    std::fs::create_dir(&dir).expect("makes");
    let script = format!(
        "#!/bin/sh\nfor word in \"$@\"; do [ \"$word\" != attach-session ] || exit 1; done\nexec {} \"$@\"\n",
        real.display()
    );
    std::fs::write(&wrapper, script).expect("writes");
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    format!("{}:{path}", dir.display())
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn where_control_clients_do_not_last_panes_are_piped_and_then_looked_at() {
    let (mut host, tmux) = (Host::new("watch"), Tmux::start());
    tmux.shows("prompt>");
    tmux.run(&["split-window", "cat"]);
    host.path_variable = Some(without_control(&host));
    // The second pane is piped by its owner already, and stays so.
    let log = host.path("log");
    tmux.run(&["pipe-pane", "-t", ":0.1", &format!("cat >{}", log.display())]);
    let (mut line, panes) = host.looks(&tmux).await;
    let [shell, cat] = [0, 1].map(|index| panes.iter().find(|pane| pane.index == index).expect("two").id);
    let seed = line.watch(shell, None).await;
    line.watch(cat, None).await;
    let kinds = [Some(PaneFeedKind::Pipe), Some(PaneFeedKind::Poll)];
    line.panes(|panes| panes.iter().map(|pane| pane.feed).eq(kinds)).await;
    tmux.run(&["send-keys", "-t", ":0.0", "echo e$((40+4))f", "Enter"]);
    line.printed(shell, seed.offset, "e44f").await;
    tmux.run(&["send-keys", "-t", ":0.1", "words", "Enter"]);
    line.until("a look", |said| match said {
        PaneSaid::Chunk(chunk) if chunk.pane == cat => {
            String::from_utf8_lossy(&chunk.bytes).contains("words").then_some(())
        }
        _ => None,
    })
    .await;
    eventually("its own pipe", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("words")));
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn a_server_that_is_not_there_yet_is_said_and_found_when_it_comes() {
    let (host, tmux) = (Host::new("watch"), Tmux { socket: format!("aurora-test-late-{}", std::process::id()) });
    let mut line = host.connect().await;
    line.list(&tmux.socket).await;
    let why = line.until("why", |said| if let PaneSaid::Panes { why, .. } = said { why } else { None }).await;
    assert!(why.contains("no tmux server"), "{why}");
    tmux.session("main", (80, 24), SHELL);
    line.panes(|panes| panes.len() == 1).await;
    line.list("../x").await;
    let why = line.until("why", |said| if let PaneSaid::Panes { why, .. } = said { why } else { None }).await;
    assert!(why.contains("socket"), "{why}");
}
