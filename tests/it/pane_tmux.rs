//! Panes of a real tmux: listed, captured, heard and typed into.

use std::path::Path;
use std::time::{Duration, Instant};

use aurora::tmux::{Control, Heard, NoKeys, NotTyped, Pipe, Poll, Server, Shot, TmuxError};
use rand::RngExt;
use tempfile::TempDir;

use crate::tmux::Tmux;

const PATIENCE: Duration = Duration::from_secs(20);

fn server(tmux: &Tmux) -> Server {
    Server::new(Some(&tmux.socket)).expect("a plain word")
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The first pane, once it prints `ready`.
async fn ready(tmux: &Tmux) -> u32 {
    eventually("ready", async || tmux.screen().contains("ready")).await;
    server(tmux).list().await.expect("a list").panes[0].facts.id.number
}

fn emulator(shot: &Shot) -> avt::Terminal {
    let mut terminal = avt::Terminal::with_scrollback(shot.cols.into(), shot.rows.into(), None).expect("a size");
    terminal.feed(String::from_utf8_lossy(&shot.bytes).as_ref());
    terminal
}

fn rows<'a>(lines: impl Iterator<Item = &'a avt::Line>) -> Vec<String> {
    lines.map(|line| line.text().trim_end().to_owned()).collect()
}

/// What tmux shows of a pane itself.
fn captured(tmux: &Tmux, pane: u32, start: &str) -> Vec<String> {
    let text = tmux.run(&["capture-pane", "-p", "-N", "-S", start, "-t", &format!("%{pane}")]);
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn panes_are_listed_whatever_they_call_themselves() {
    let command = "bash -c 'printf \"\\033]2;#(touch pwned) \\t%%exit #{pane_id} ä\\033\\\\\"; \
                   exec -a \"$(printf \"we\\nird\\t\\037x\")\" bash --norc -c \"cat; cat\"'";
    let tmux = Tmux::with("my work", (80, 24), command);
    tmux.session("other", (40, 10), "cat");
    tmux.run(&["rename-window", "-t", "=my work:", "x\u{1f}y\tz #{pane_id} \\ |"]);
    tmux.run(&["set-option", "-t", "=other:", "remain-on-exit", "on"]);
    tmux.run(&["split-window", "-t", "=other:", "exit 3"]);
    let server = server(&tmux);
    let mut listing = server.list().await.expect("a list");
    // tmux knows that a program has ended before it knows how.
    eventually("a dead pane and a command", async || {
        listing = server.list().await.expect("a list");
        listing.panes.len() == 3
            && listing.panes[2].facts.dead == Some(Some(3))
            && listing.panes[0].facts.command.starts_with("we")
    })
    .await;
    assert_eq!(listing.why, None);
    assert!(listing.server > 1);
    let [work, other, dead] = &listing.panes[..] else { panic!("{listing:?}") };
    let session = other.session_id;
    let [work, other, dead] = [work, other, dead].map(|found| &found.facts);
    assert_eq!((work.session.as_str(), work.cols, work.rows, work.attached), ("my work", 80, 24, 0));
    assert!(work.command.starts_with("we?ird"), "{}", work.command);
    assert!(work.title.contains("#(touch pwned)") && work.title.contains("#{pane_id} ä"), "{}", work.title);
    assert_eq!(work.window_name, "x\\037y\\tz %0 \\\\ |", "tmux escapes it");
    assert_eq!((other.session.as_str(), other.dead, other.active), ("other", None, false));
    assert_eq!((dead.dead, dead.active, dead.index), (Some(Some(3)), true, 1));

    tmux.run(&["copy-mode", "-t", &format!("%{}", other.id.number)]);
    let control = Control::attach(&server, session).await.expect("attached");
    let listing = server.list().await.expect("a list");
    assert_eq!(listing.panes[1].facts.mode.as_deref(), Some("copy-mode"));
    assert_eq!(listing.panes[1].facts.attached, 0, "a control client is nobody");
    drop(control);
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn no_server_is_an_empty_list_and_a_missing_pane_an_error() {
    let nowhere = Server::new(Some("aurora-test-nowhere")).expect("a plain word");
    let listing = nowhere.list().await.expect("no error");
    assert_eq!((listing.panes.len(), listing.why.as_deref()), (0, Some("no tmux server is running")));
    assert!(matches!(Control::attach(&nowhere, 0).await, Err(TmuxError::NoServer)), "and none is started");
    let tmux = Tmux::with("main", (80, 24), "cat");
    let server = server(&tmux);
    assert!(matches!(server.shot(99, 0).await, Err(TmuxError::NoPane(99))));
    assert!(matches!(server.type_bytes(99, b"x").await, Err(NotTyped { typed: 0, why: TmuxError::NoPane(99) })));
    assert!(matches!(server.paste(99, "x").await, Err(TmuxError::NoPane(99))));
    assert!(matches!(Control::attach(&server, 99).await, Err(TmuxError::NoSession)));
    let restarted = server.clone().only(1);
    assert!(matches!(Control::attach(&restarted, 0).await, Err(TmuxError::NoSession)), "not the one that is meant");
    assert_eq!(tmux.run(&["list-buffers"]), "", "nothing is left behind");
}

const MIXED: &str = r#"bash -c 'for i in $(seq 1 60); do printf "\033[3${i: -1}mline $i\033[0m \033[4mx\033[0m\r\n"; done
printf "\033[44mbar\033[0m\r\n12345678901234567890123456789012345678901234567890\r\n\033(0lqqk\033(B 日本語 é\r\n"
printf "日本日本日本日本日本日本日本日本日本日本日本日本\r\nready\033[5;9r\033[?25l\033[?1h\033=\033[6;3H"; cat'"#;

#[tokio::test]
#[ignore = "needs tmux"]
async fn a_shot_rebuilds_history_screen_and_modes() {
    let tmux = Tmux::with("main", (41, 12), MIXED);
    let pane = ready(&tmux).await;
    let shot = server(&tmux).shot(pane, 1_000).await.expect("a shot");
    let vt = emulator(&shot);
    // Without colours tmux writes lines as the letters they are drawn with.
    let shown = rows(vt.screen().all_lines()).join("\n").replace("┌──┐", "lqqk");
    assert_eq!(shown, captured(&tmux, pane, "-1000").join("\n"));
    assert!(shot.history > 50, "{}", shot.history);
    let cursor = vt.cursor();
    assert_eq!((cursor.col, cursor.row, cursor.position()), (2, 5, None), "it is hidden");
    let bytes = String::from_utf8_lossy(&shot.bytes).into_owned();
    for mode in ["\x1b[5;9r", "\x1b[?1h", "\x1b=", "\x1b[?25l"] {
        assert!(bytes.contains(mode), "{mode:?}");
    }
    assert!(vt.cursor_key_app_mode());
    let few = server(&tmux).shot(pane, 3).await.expect("a shot");
    assert_eq!(few.history, 3);
    assert_eq!(rows(emulator(&few).screen().all_lines())[..3], captured(&tmux, pane, "-3")[..3]);
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn a_shot_of_the_alternate_screen_has_the_other_below_it() {
    let command = "bash -c 'seq 1 40; printf \"below\\033[?1049h\\033[2J\\033[3;4Hready\\033]2;unfinished\"; cat'";
    let tmux = Tmux::with("main", (30, 10), command);
    let pane = ready(&tmux).await;
    let shot = server(&tmux).shot(pane, 100).await.expect("a shot");
    assert!(shot.bytes.ends_with(b"\x1b]2;unfinished"), "what is not complete comes last");
    let mut vt = emulator(&shot);
    assert_eq!(rows(vt.screen().visible_lines()), captured(&tmux, pane, "0"));
    vt.feed("\x07\x1b[?1049l");
    tmux.run(&["send-keys", "-R", "-t", &format!("%{pane}")]);
    let after = rows(vt.screen().visible_lines());
    assert_eq!((after[0].as_str(), after[9].as_str()), ("32", "below"));
    assert_eq!((vt.cursor().col, vt.cursor().row), (5, 9));
}

/// Hears until the capture `number`.
async fn until(control: &mut Control, number: u64) -> (Vec<u8>, Option<aurora::tmux::Taken>) {
    let mut printed = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, control.next()).await.expect("something is heard") {
            Heard::Output { bytes, .. } => printed.extend(bytes),
            Heard::Captured { number: heard, taken } if heard == number => return (printed, taken),
            Heard::Ended { why } => panic!("{why}"),
            _ => {}
        }
    }
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn a_capture_in_the_stream_is_exact_while_the_pane_prints() {
    // It prints until it is told to stop, and not faster than is read: how far it comes is up to how busy the machine is.
    let burst = "seq $i $((i+499)); i=$((i+500)); sleep 0.02";
    let prints = format!(
        "bash -c 'trap stop=1 INT; stty -echo; echo ready; read; i=1; while [ -z \"$stop\" ]; do {burst}; done; echo d''one; cat'"
    );
    let prints = prints.as_str();
    let tmux = Tmux::with("main", (50, 12), prints);
    let pane = ready(&tmux).await;
    let server = server(&tmux);
    let mut control = Control::attach(&server, 0).await.expect("attached");
    server.type_bytes(pane, b"\r").await.expect("typed");
    let mut all = Vec::new();
    for _ in 0..3 {
        let number = control.capture(pane, 100).await.expect("asked");
        let (printed, taken) = until(&mut control, number).await;
        all.extend(printed);
        let shot = taken.expect("it is there").shot().expect("a shot");
        let mut vt = emulator(&shot);
        let first = rows(vt.screen().visible_lines()).join("\n");
        // Numbers go up without a hole from what was captured to what is heard after it.
        let mut printed = Vec::new();
        while printed.len() < 1_000 {
            let number = control.capture(pane, 0).await.expect("asked");
            printed.extend(until(&mut control, number).await.0);
        }
        vt.feed(String::from_utf8_lossy(&printed).as_ref());
        all.extend(printed);
        let mut numbers: Vec<u32> = rows(vt.screen().all_lines()).iter().filter_map(|row| row.parse().ok()).collect();
        // The last may not be whole yet.
        numbers.pop();
        let hole = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1);
        assert!(hole.is_none() && numbers.len() > 50, "{hole:?} behind\n{first}");
    }
    server.type_bytes(pane, b"\x03").await.expect("typed");
    eventually("done", async || {
        let number = control.capture(pane, 0).await.expect("asked");
        all.extend(until(&mut control, number).await.0);
        String::from_utf8_lossy(&all).contains("done")
    })
    .await;
    assert_eq!(tmux.run(&["list-buffers"]), "", "nothing is left behind");
    let number = control.capture(77, 0).await.expect("asked");
    assert_eq!(until(&mut control, number).await.1, None, "no such pane");
    let number = control.capture(pane, 0).await.expect("asked");
    assert!(until(&mut control, number).await.1.is_some(), "the next one is told as ever");
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn a_control_client_hears_of_changes_and_of_its_end_and_changes_nothing() {
    let tmux = Tmux::with("main", (133, 37), "cat");
    tmux.run(&["set-environment", "-t", "=main:", "SSH_AUTH_SOCK", "mine"]);
    tmux.session("other", (80, 24), "cat");
    let server = server(&tmux);
    let mut control = Control::attach(&server, 0).await.expect("attached");
    let mut facts = None;
    tokio::time::timeout(PATIENCE, async {
        while facts.is_none() {
            if let Heard::Facts { size, command, mode, .. } = control.next().await {
                facts = Some((size, command, mode));
            }
        }
    })
    .await
    .expect("facts are told at the begin");
    assert_eq!(facts, Some(((133, 37), "cat".to_owned(), None)));
    assert!(tmux.run(&["show-environment", "-t", "=main:", "SSH_AUTH_SOCK"]).contains("mine"));
    tmux.run(&["copy-mode", "-t", "=main:"]);
    let heard = async {
        let (mut changed, mut mode) = (false, None);
        while !changed || mode.is_none() {
            match control.next().await {
                Heard::Changed => changed = true,
                Heard::Facts { mode: Some(now), .. } => mode = Some(now),
                _ => {}
            }
        }
        mode
    };
    assert_eq!(tokio::time::timeout(PATIENCE, heard).await.expect("heard").as_deref(), Some("copy-mode"));
    tmux.run(&["kill-session", "-t", "=main:"]);
    let ended = async {
        loop {
            if let Heard::Ended { why } = control.next().await {
                break why;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, ended).await.expect("it ends").contains("ended"));
    assert!(matches!(control.next().await, Heard::Ended { .. }), "and stays so");
}

/// A pane whose program writes what it is typed into `path`, byte by byte.
async fn reader(path: &Path, before: &str) -> (Tmux, u32) {
    let command = format!("bash -c 'stty raw -echo; printf \"{before}ready\"; exec cat >{}'", path.display());
    let tmux = Tmux::with("main", (80, 24), &command);
    let pane = ready(&tmux).await;
    (tmux, pane)
}

async fn arrived(path: &Path, wanted: &[u8]) {
    eventually("all bytes", async || std::fs::read(path).expect("a file").len() >= wanted.len()).await;
    let found = std::fs::read(path).expect("a file");
    let first = found.iter().zip(wanted).position(|(a, b)| a != b);
    assert!(found == wanted, "{} bytes of {}, the first other one at {first:?}", found.len(), wanted.len());
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn every_byte_is_typed_as_it_is() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("typed");
    let (tmux, pane) = reader(&path, "").await;
    let server = server(&tmux);
    let mut wanted: Vec<u8> = (0..=255).collect();
    for words in ["a;", ";", "b\\;", "-R", "Enter C-c 0x41 F1", "#{pane_id} #(id)", "'\"$(id)`", "日本 é \u{1f44d}"]
    {
        wanted.extend_from_slice(words.as_bytes());
    }
    server.type_bytes(pane, &wanted).await.expect("typed");
    server.type_bytes(pane, b"").await.expect("nothing is nothing");
    arrived(&path, &wanted).await;
    let mut random = rand::rng();
    for _ in 0..1_000 {
        let length = random.random_range(1..=4_096);
        let string: Vec<u8> = (0..length).map(|_| random.random()).collect();
        server.type_bytes(pane, &string).await.expect("typed");
        wanted.extend_from_slice(&string);
    }
    arrived(&path, &wanted).await;
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn nothing_is_typed_into_a_pane_that_takes_no_keys() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("typed");
    let (tmux, pane) = reader(&path, "").await;
    let server = server(&tmux);
    let target = format!("%{pane}");
    tmux.run(&["copy-mode", "-t", &target]);
    let typed = server.type_bytes(pane, b"q").await.map_err(|not| not.why);
    for result in [typed, server.paste(pane, "q").await] {
        assert!(matches!(result, Err(TmuxError::TakesNoKeys { why: NoKeys::Mode, .. })));
    }
    // Another server has begun in its place.
    let other = server.clone().only(1);
    other.leave_mode(pane).await.expect("no error");
    let mode = || tmux.run(&["display-message", "-p", "-t", &target, "#{pane_in_mode}"]);
    assert_eq!(mode().trim(), "1", "it is not left");
    server.leave_mode(pane).await.expect("left");
    server.leave_mode(pane).await.expect("left already");
    let pasted = other.paste(pane, "q").await;
    assert!(matches!(&pasted, Err(TmuxError::TakesNoKeys { why: NoKeys::Other, .. })), "{pasted:?}");
    tmux.run(&["select-pane", "-d", "-t", &target]);
    let not = server.type_bytes(pane, b"q").await.expect_err("it is switched off");
    assert!(matches!(&not.why, TmuxError::TakesNoKeys { why: NoKeys::Off, .. }), "{not}");
    tmux.run(&["select-pane", "-e", "-t", &target]);
    // What one person types here would go into the other pane, too.
    tmux.run(&["set-option", "-w", "-t", &target, "synchronize-panes", "on"]);
    assert!(!server.list().await.expect("a list").panes[0].facts.synchronized, "there is no other");
    tmux.run(&["split-window", "-t", &target, "cat"]);
    let typed = server.type_bytes(pane, b"q").await.map_err(|not| not.why);
    for result in [typed, server.paste(pane, "q").await] {
        assert!(matches!(result, Err(TmuxError::TakesNoKeys { why: NoKeys::Synchronized, .. })));
    }
    assert!(server.list().await.expect("a list").panes.iter().all(|pane| pane.facts.synchronized));
    tmux.run(&["set-option", "-w", "-t", &target, "synchronize-panes", "off"]);
    server.type_bytes(pane, b"x").await.expect("typed");
    arrived(&path, b"x").await;
    assert_eq!(tmux.run(&["list-buffers"]), "", "nothing is left behind");
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn a_paste_cannot_end_its_brackets() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("typed");
    let (tmux, pane) = reader(&path, "\\033[?2004h").await;
    let server = server(&tmux);
    let long = "ü".repeat(40_000);
    server.paste(pane, &format!("one\n\ttwo\x1b[201~\r; rm\u{9b}201~\x03 ä;{long}")).await.expect("pasted");
    server.paste(pane, "\x1b\r\0").await.expect("nothing is left of it");
    let wanted = format!("\x1b[200~one\n\ttwo[201~; rm201~ ä;{long}\x1b[201~");
    arrived(&path, wanted.as_bytes()).await;
    assert_eq!(tmux.run(&["list-buffers"]), "", "nothing is left behind");
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn whoever_ends_in_a_paste_leaves_no_buffer_behind() {
    let tmux = Tmux::with("main", (80, 24), "bash -c 'echo ready; exec cat'");
    let pane = ready(&tmux).await;
    let server = server(&tmux);
    for ms in 0..40 {
        // A runner that is killed then.
        let _ = tokio::time::timeout(Duration::from_millis(ms), server.paste(pane, "secret")).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(tmux.run(&["list-buffers"]), "", "after {ms} ms");
    }
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn a_pipe_hears_every_byte_and_never_takes_the_users() {
    let tmux = Tmux::with("main", (80, 24), "bash -c 'stty -echo; echo ready; exec cat'");
    let pane = ready(&tmux).await;
    let server = server(&tmux);
    let mut pipe = Pipe::open(&server, pane).await.expect("a pipe");
    assert!(matches!(Pipe::open(&server, pane).await, Err(TmuxError::PipeTaken(_))), "there is one");
    server.type_bytes(pane, b"hello\n").await.expect("typed");
    let mut heard = Vec::new();
    while !heard.ends_with(b"hello\r\n") {
        heard.extend(tokio::time::timeout(PATIENCE, pipe.next()).await.expect("heard").expect("read").expect("open"));
    }
    pipe.close().await.expect("given back");
    let flag = || tmux.run(&["display-message", "-p", "-t", &format!("%{pane}"), "#{pane_pipe}"]);
    assert_eq!(flag().trim(), "0");

    tmux.run(&["pipe-pane", "-t", &format!("%{pane}"), "cat >/dev/null"]);
    assert!(matches!(Pipe::open(&server, pane).await, Err(TmuxError::PipeTaken(_))));
    assert_eq!(flag().trim(), "1", "the user's goes on");
    tmux.run(&["pipe-pane", "-t", &format!("%{pane}")]);

    // Somebody takes ours: it ends, and theirs is left alone.
    let mut pipe = Pipe::open(&server, pane).await.expect("a pipe");
    tmux.run(&["pipe-pane", "-t", &format!("%{pane}"), "cat >/dev/null"]);
    assert_eq!(tokio::time::timeout(PATIENCE, pipe.next()).await.expect("heard").expect("read"), None);
    pipe.close().await.expect("closed");
    assert_eq!(flag().trim(), "1");
}

#[tokio::test]
#[ignore = "needs tmux"]
async fn polling_tells_what_has_changed() {
    let tmux = Tmux::with("main", (20, 5), "bash -c 'stty -echo; echo ready; exec cat'");
    let pane = ready(&tmux).await;
    let server = server(&tmux);
    let mut poll = Poll::new(&server, pane);
    poll.set_seen(true);
    let first = poll.next().await.expect("a shot");
    assert_eq!(rows(emulator(&first).screen().visible_lines())[0], "ready");
    let still = tokio::time::timeout(Duration::from_millis(400), poll.next()).await;
    assert!(still.is_err(), "nothing has changed");
    server.type_bytes(pane, b"more\n").await.expect("typed");
    let next = tokio::time::timeout(PATIENCE, poll.next()).await.expect("it changed").expect("a shot");
    assert_eq!(rows(emulator(&next).screen().visible_lines())[1], "more");
}
