//! The program as an operator has it: in a terminal, by keys.

use rustix::process::Signal;

use crate::support::{Screen, Site, borrowed, eventually, now, standard};

/// Sends a signed message, as soon as the engine inside the screen listens.
fn deliver(site: &Site, id: &str, subject: &str) {
    let body = serde_json::json!({ "type": "note", "subject": subject, "text": format!("About {subject}."), "from": "ann@example.org" }).to_string();
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
    deliver(&site, "m1", "After the hangup");
    site.projected(1);
    let ticks = || {
        let pid = screen.child.process_id().expect("a pid");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let fields: Vec<u64> =
            stat.rsplit(')').next().expect("fields").split(' ').filter_map(|n| n.parse().ok()).collect();
        fields[10] + fields[11]
    };
    let before = ticks();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(ticks() - before < 30, "an engine without a screen is idle");
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
    let started = std::time::Instant::now();
    assert!(screen.ends());
    assert!(started.elapsed() < std::time::Duration::from_secs(8));
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
        screen.keys("Q");
        assert!(screen.ends(), "{size:?}:\n{}", screen.text());
    }
}
