//! The program as an operator has it: in a terminal, by keys.

use rustix::process::Signal;

use crate::support::{Screen, Site, borrowed, eventually, now, standard};

/// Sends a signed message of a conversation of its own, as soon as the engine inside the screen listens.
fn deliver(site: &Site, id: &str, subject: &str) {
    let body = serde_json::json!({ "type": "note", "subject": subject, "text": format!("About {subject}."), "from": format!("{id}@example.org") }).to_string();
    let headers = standard(&site.secret("standard"), id, now(), body.as_bytes());
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
}

#[test]
fn start_receive_see_search_ack_quit() {
    let site = Site::new();
    let mut screen = Screen::start(&site, &[], (80, 24));
    screen.shows("aurora send-test");
    screen.shows("listening");
    deliver(&site, "m1", "Late order 4711");
    screen.shows("Late order 4711");
    deliver(&site, "m2", "Thanks a lot");
    screen.shows("Thanks a lot");
    screen.keys("/");
    screen.shows("search:");
    eventually("the message is indexed", || {
        !site.json(&["inbox", "search", "4711"]).as_array().expect("a list").is_empty()
    });
    screen.keys("471");
    screen.shows("1 found");
    screen.hides("Thanks a lot");
    screen.keys("\r");
    screen.keys("\r");
    screen.shows("About Late order 4711.");
    screen.keys("a");
    screen.shows("taken by");
    screen.keys("Q");
    screen.shows("stop it");
    screen.keys("s");
    assert!(screen.ends(), "it ends well");
    assert!(screen.is_restored());
    let rows = site.json(&["inbox", "list"]);
    let acked: Vec<&str> = rows
        .as_array()
        .expect("a list")
        .iter()
        .filter(|row| !row["marks"]["acked"].is_null())
        .filter_map(|row| row["subject"].as_str())
        .collect();
    assert_eq!(acked, ["Late order 4711"]);
}

#[test]
fn the_terminal_is_given_back_when_the_process_is_asked_to_stop() {
    let site = Site::new();
    let mut screen = Screen::start(&site, &[], (80, 24));
    screen.shows("listening");
    screen.signal(Signal::TERM);
    assert!(screen.ends());
    assert!(screen.is_restored());
}

#[test]
fn the_engine_outlives_its_screen() {
    let site = Site::new();
    let mut screen = Screen::start(&site, &[], (80, 24));
    screen.shows("listening");
    screen.hang_up();
    let logged = || {
        let logs = std::fs::read_dir(site.path().join("state/logs")).expect("logs");
        logs.map(|log| std::fs::read_to_string(log.expect("a file").path()).expect("text")).collect::<String>()
    };
    eventually("the screen knows that its terminal is gone", || logged().contains("the screen is gone"));
    let pid = screen.child.process_id().expect("a pid");
    let input = std::fs::read_link(format!("/proc/{pid}/fd/0")).expect("a link");
    assert!(!input.exists(), "{} was a terminal and is none any more", input.display());
    deliver(&site, "m1", "After the hangup");
    site.projected(1);
    let ticks = || {
        let pid = screen.child.process_id().expect("a pid");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let fields: Vec<u64> =
            stat.rsplit(')').next().expect("fields").split(' ').filter_map(|n| n.parse().ok()).collect();
        fields[10] + fields[11]
    };
    // What it did for the message may not be over; a loop that spins never has such a second.
    eventually("an engine without a screen is idle", || {
        let before = ticks();
        std::thread::sleep(std::time::Duration::from_secs(1));
        ticks() - before < 30
    });
    let mut next = Screen::start(&site, &[], (80, 24));
    next.shows("After the hangup");
    next.shows("attached");
    next.keys("Q");
    assert!(next.ends(), "a screen that is attached just leaves");
    deliver(&site, "m2", "Still there");
    screen.signal(Signal::TERM);
    assert!(screen.ends());
    assert_eq!(site.ok(&["inbox", "count"]), "2");
}

#[test]
fn quitting_can_keep_the_engine_and_does_while_others_are_attached() {
    let site = Site::new();
    let mut first = Screen::start(&site, &[], (80, 24));
    first.shows("listening");
    let mut second = Screen::start(&site, &[], (80, 24));
    second.shows("attached");
    first.keys("Q");
    first.shows("The engine goes on");
    assert!(first.is_restored());
    deliver(&site, "m1", "Without the first screen");
    second.shows("Without the first screen");
    second.keys("Q");
    assert!(second.ends());
    let third = Screen::start(&site, &[], (80, 24));
    third.shows("Without the first screen");
    first.signal(Signal::INT);
    assert!(first.ends());
    third.shows("RECONNECTING");
}

#[test]
fn a_terminal_that_does_not_read_holds_up_nothing() {
    let site = Site::new();
    let mut screen = Screen::start(&site, &[], (200, 60));
    screen.shows("listening");
    screen.stop_reading();
    for _ in 0..100 {
        screen.keys("38");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    deliver(&site, "m1", "While nobody reads");
    site.projected(1);
    screen.signal(Signal::TERM);
    assert!(screen.ends());
}

#[test]
fn odd_sizes_never_panic() {
    let site = Site::served();
    deliver(&site, "m1", "A subject that is longer than a narrow screen is wide");
    for size in [(1, 1), (2, 5), (39, 9), (40, 10), (41, 60), (60, 18), (79, 24), (300, 100)] {
        let mut screen = Screen::start(&site, &["attach"], size);
        let what = if size.0 < 20 {
            ""
        } else if size.0 < 40 || size.1 < 10 {
            "more"
        } else {
            "Overview"
        };
        if !what.is_empty() {
            screen.shows(&what[..3]);
        }
        for key in ["3", "\r", "\t", "j", "G", "?", "\x1b", ":", "\x1b", "2", "8", "\t", "/", "x", "\x1b", "1"] {
            screen.keys(key);
            std::thread::sleep(std::time::Duration::from_millis(15));
        }
        // On a busy machine the last Esc and what followed are one key with Alt, and something is still open.
        let left = |screen: &mut Screen| {
            screen.keys("\x1b");
            std::thread::sleep(std::time::Duration::from_millis(300));
            screen.keys("Q");
            let asked = std::time::Instant::now();
            while !screen.has_ended() && asked.elapsed().as_secs() < 3 {
                std::thread::sleep(std::time::Duration::from_millis(15));
            }
            screen.has_ended()
        };
        assert!((0..20).any(|_| left(&mut screen)), "{size:?}:\n{}", screen.text());
        assert!(screen.ends(), "{size:?}: it ends well");
    }
}

/// Types `bytes` one by one, with pauses as a bad line makes them.
fn torn(screen: &mut Screen, bytes: &[u8]) {
    for byte in bytes {
        screen.send(&[*byte]);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_line_that_tears_sequences_types_nothing_by_itself() {
    let site = Site::served();
    deliver(&site, "m1", "First of two");
    deliver(&site, "m2", "Second of two");
    site.projected(2);
    let mut screen = Screen::start(&site, &["attach"], (100, 24));
    screen.shows("Second of two");
    screen.keys("3");
    screen.shows("1 of 2");
    torn(&mut screen, b"\x1b[B");
    screen.shows("2 of 2");
    torn(&mut screen, b"\x1bOA");
    screen.shows("1 of 2");
    // Answers, a paste, and what nobody knows: as keys they would leave, search, open the palette and quit.
    torn(&mut screen, b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\");
    torn(&mut screen, b"\x1b[200~Q:/8\x03\x1b[201~");
    torn(&mut screen, b"\x1b_Q:8\x1b\\");
    torn(&mut screen, b"\x1b[?62;8c");
    screen.keys("?");
    screen.shows("What can be done here");
    torn(&mut screen, b"\x1b");
    screen.hides("What can be done here");
    screen.shows("1 of 2");
    screen.keys("Q");
    assert!(screen.ends());
}

#[test]
fn a_move_costs_little_and_silence_next_to_nothing() {
    let site = Site::served();
    for n in 0..30 {
        deliver(&site, &format!("m{n}"), &format!("Number {n} with a subject that takes some room in its row"));
    }
    site.projected(30);
    let mut screen = Screen::start(&site, &["attach"], (120, 40));
    screen.shows("Number 29");
    screen.keys("3");
    screen.shows("1 of 30");
    for n in 2..10 {
        let before = screen.bytes().len();
        screen.keys("j");
        screen.shows(&format!("{n} of 30"));
        let cost = screen.bytes().len() - before;
        assert!(cost <= 400, "{cost} bytes to row {n}");
    }
    // Ages turn, and on a busy machine the distance of the line does; between them there is silence.
    let three_seconds = || {
        let before = screen.bytes().len();
        std::thread::sleep(std::time::Duration::from_secs(3));
        screen.bytes().len() - before
    };
    let written: Vec<usize> = std::iter::repeat_with(three_seconds).take(8).collect();
    assert!(written.iter().filter(|bytes| **bytes <= 100).count() >= 4, "bytes every three seconds: {written:?}");
}

#[test]
fn the_title_says_how_things_are_and_the_old_one_comes_back() {
    let site = Site::served();
    let mut screen = Screen::start(&site, &["attach"], (80, 24));
    screen.shows("What needs me?");
    let written = |screen: &Screen| String::from_utf8_lossy(&screen.bytes()).into_owned();
    eventually("a title", || written(&screen).contains("aurora test\x07"));
    assert!(written(&screen).contains("\x1b[22;0t"));
    screen.keys("Q");
    assert!(screen.ends() && screen.is_restored());
    assert!(written(&screen).contains("\x1b[23;0t"));
    let plain = Site::with("[tui]\ntitle = false\nmouse = false\nsync = false\n");
    let mut screen = Screen::start(&plain, &[], (80, 24));
    screen.shows("listening");
    let bytes = written(&screen);
    assert!(!bytes.contains("\x1b]2;") && !bytes.contains("\x1b[?1000h") && !bytes.contains("\x1b[?2026h"));
    screen.keys("Q");
    screen.shows("stop it");
    screen.keys("s");
    assert!(screen.ends());
}

#[test]
fn a_click_does_what_keys_do_and_the_mouse_can_be_left_to_the_terminal() {
    let site = Site::served();
    deliver(&site, "m1", "First of two");
    deliver(&site, "m2", "Second of two");
    site.projected(2);
    let takes = |screen: &Screen, bytes: &[u8]| screen.bytes().windows(bytes.len()).any(|window| window == bytes);
    let mut screen = Screen::start(&site, &["attach"], (100, 24));
    screen.shows("Second of two");
    let column = screen.text().lines().next().and_then(|line| line.find("Inbox")).expect("a tab") + 1;
    let click = |screen: &mut Screen, column: usize, row: usize| {
        screen.keys(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
    };
    click(&mut screen, column, 1);
    screen.shows("1 of 2");
    let row = screen.text().lines().position(|line| line.contains("First of two")).expect("a row") + 1;
    click(&mut screen, 20, row);
    screen.shows("2 of 2");
    click(&mut screen, 20, row);
    screen.shows("About First of two.");
    screen.keys("\x1b[12~");
    screen.shows("the mouse is the terminal's");
    eventually("it is let go", || takes(&screen, b"\x1b[?1000l"));
    let over_ssh = [("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")];
    let far = Screen::start_with(&site, &["attach"], (100, 24), &over_ssh);
    far.shows("Second of two");
    assert!(!takes(&far, b"\x1b[?1000h"), "over ssh the mouse is the terminal's");
}

#[test]
fn a_pane_is_looked_at_searched_and_typed_into_until_it_is_given_back() {
    let site = Site::new();
    let dir = site.path().to_str().expect("text");
    let mut screen = Screen::start_with(&site, &["demo", "--scene", "still"], (80, 24), &[("TMPDIR", dir)]);
    screen.shows("Overview");
    screen.keys("6\t\t");
    screen.shows("web-1:0.1");
    screen.keys("j\r");
    screen.shows("compiling");
    screen.keys("/");
    screen.shows("/_");
    screen.keys("warning\r");
    screen.shows("match 1 of");
    screen.keys("\x1b");
    screen.hides("match 1 of");
    screen.keys("G\t");
    screen.shows("deploy@web-1:~$");
    // What is typed ahead of the answer is the pane's as well, and so are keys that mean something here.
    screen.keys("iecho Q jk?\r");
    screen.shows("YOU TYPE HERE");
    screen.shows("\nQ jk?");
    screen.keys("ls\x7f\x7fpwd\r");
    screen.shows("/home/deploy");
    screen.keys("\x1d");
    screen.hides("YOU TYPE HERE");
    screen.keys("t");
    screen.shows("3 panes");
    screen.keys("Q");
    assert!(screen.ends(), "it is left by keys again");
    assert!(screen.is_restored());
}

#[test]
fn lite_says_so_and_figures_of_the_line_are_shown_on_request() {
    let site = Site::served();
    let mut screen = Screen::start(&site, &["--lite", "attach"], (120, 24));
    screen.shows("  lite  ");
    for (typed, entry) in [("line figures", "line figures: "), ("lite", "lite: ")] {
        screen.keys(":");
        screen.shows("Palette: do");
        screen.keys(typed);
        screen.shows(entry);
        screen.keys("\r");
        screen.hides("Palette: do");
        if typed == "lite" { screen.hides("  lite  ") } else { screen.shows("B/s") }
    }
}
