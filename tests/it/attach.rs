//! Several clients on one engine, and lines that break.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{AURORA, Screen, Site, borrowed, eventually, now, standard};

fn deliver(site: &Site, id: &str) {
    let body = format!("{{\"type\":\"note\",\"subject\":\"subject {id}\",\"from\":\"ann@example.org\"}}");
    let headers = standard(&site.secret("standard"), id, now(), body.as_bytes());
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
}

#[test]
fn two_screens_agree_on_marks() {
    let site = Site::served();
    deliver(&site, "m1");
    let mut one = Screen::start(&site, &["attach"], (80, 24));
    let mut two = Screen::start(&site, &["attach"], (80, 24));
    for screen in [&mut one, &mut two] {
        screen.shows("subject m1");
        screen.keys("3");
        screen.shows("1 of 1");
    }
    one.keys("a");
    two.shows("✓");
    two.keys("a");
    one.hides("✓");
}

#[test]
fn a_read_only_client_changes_nothing() {
    let site = Site::served();
    deliver(&site, "m1");
    site.projected(1);
    let id = site.json(&["inbox", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let output = site.aurora(&["--read-only", "inbox", "ack", &id]);
    assert_eq!(output.status.code(), Some(5), "denied");
    assert!(site.json(&["inbox", "list"])[0]["marks"]["acked"].is_null());
    assert_eq!(site.ok(&["inbox", "ack", &id]), "1 taken");
    assert_eq!(site.ok(&["inbox", "ack", "--undo", &id]), "1 given back");
}

#[test]
fn an_attached_screen_survives_its_engine() {
    let mut site = Site::served();
    deliver(&site, "m1");
    let screen = Screen::start(&site, &["attach"], (80, 24));
    screen.shows("subject m1");
    site.kill();
    screen.shows("RECONNECTING, data");
    site.serve();
    screen.shows("attached");
    deliver(&site, "m2");
    screen.shows("subject m2");
}

/// `aurora watch --json` through the death of its engine: every event once, in order.
#[test]
fn a_watch_leaves_nothing_out_and_repeats_nothing() {
    let mut site = Site::served();
    let mut watch = Command::new(AURORA)
        .args(site.args())
        .args(["watch", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("watches");
    let lines = BufReader::new(watch.stdout.take().expect("its output")).lines();
    let (sender, seen) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let value: Value = serde_json::from_str(&line).expect("JSON lines");
            if sender.send(value).is_err() {
                return;
            }
        }
    });
    let first = seen.recv_timeout(crate::support::PATIENCE).expect("a snapshot");
    assert_eq!(first["kind"], "snapshot");
    let mut ids = Vec::new();
    let mut sent = 0;
    for round in 0..4 {
        for _ in 0..60 {
            deliver(&site, &format!("m{sent}"));
            sent += 1;
        }
        if round < 3 {
            site.kill();
            site.serve();
        }
    }
    while ids.len() < sent {
        let line =
            seen.recv_timeout(crate::support::PATIENCE).unwrap_or_else(|_| panic!("{} of {sent} events", ids.len()));
        assert_eq!(line["kind"], "event");
        ids.push(line["event"]["dedupe_key"].as_str().expect("a key").to_owned());
    }
    let expected: Vec<String> = (0..sent).map(|n| format!("m{n}")).collect();
    assert_eq!(ids, expected);
    let since = site.json(&["events", "list"])[9]["id"].as_str().expect("an id").to_owned();
    watch.kill().expect("kills");
    watch.wait().expect("ends");
    let mut resumed = Command::new(AURORA)
        .args(site.args())
        .args(["watch", "--since", &since])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("watches");
    let mut lines = BufReader::new(resumed.stdout.take().expect("its output")).lines().map_while(Result::ok);
    assert!(lines.next().expect("a snapshot").contains("channels"));
    let rest: Vec<String> = lines.by_ref().take(9).collect();
    assert!(
        rest[0].contains(&format!("subject m{}", sent - 9)) && rest[8].contains(&format!("subject m{}", sent - 1)),
        "{rest:?}"
    );
    resumed.kill().expect("kills");
    resumed.wait().expect("ends");
}

#[test]
fn a_client_of_another_version_is_told_so() {
    use std::io::{Read, Write};

    let site = Site::served();
    let path = site.path().join("state/aurora.sock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("a socket").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let mut stream = std::os::unix::net::UnixStream::connect(&path).expect("connects");
    let hello = br#"{"hello":{"version":999,"follow":false,"read_only":true}}"#;
    stream.write_all(&u32::try_from(hello.len()).expect("short").to_be_bytes()).expect("writes");
    stream.write_all(hello).expect("writes");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("reads");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("goodbye") && answer.contains("use the same aurora on both sides"), "{answer}");
    for garbage in [&b"\xff\xff\xff\xff"[..], b"\x00\x00\x00\x02{}", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = std::os::unix::net::UnixStream::connect(&path).expect("connects");
        stream.write_all(garbage).expect("writes");
        let mut rest = Vec::new();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut rest);
    }
    eventually("it still answers", || site.aurora(&["status"]).status.success());
}
