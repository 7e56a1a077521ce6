//! The configuration of a running engine changes: by its file, by SIGHUP, or not at all.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::support::{Answer, Site, borrowed, eventually, free_port, head, now, request, send, standard};

const KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER_KEY: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

/// Writes the site's configuration again: its own lines, then `more`. The file is replaced as editors do.
fn configure(site: &Site, more: &str) {
    let text = format!("[listen]\ningress = \"{}\"\n[node]\nname = \"test\"\n{more}", site.address());
    let fresh = site.path().join("config.toml.new");
    std::fs::write(&fresh, text).expect("writes");
    std::fs::rename(fresh, site.path().join("config.toml")).expect("renames");
}

fn write_secret(site: &Site, name: &str, value: &str) {
    use std::os::unix::fs::PermissionsExt;

    let path = site.path().join(name);
    std::fs::write(&path, value).expect("writes");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
}

fn channel(id: &str, secret: &str) -> String {
    format!("[channels.{id}]\nprovider = \"standard\"\nsecrets = [\"file:{secret}\"]\n")
}

fn served(config: &str) -> Site {
    let mut site = Site::with(config);
    write_secret(&site, "key", KEY);
    site.serve();
    site
}

fn deliver(site: &Site, channel: &str, key: &str, id: &str) -> Answer {
    let body = br#"{"type":"note","text":"hello"}"#;
    site.post(&format!("/hooks/{channel}"), &borrowed(&standard(key, id, now(), body)), body)
}

fn status(site: &Site) -> (i32, String) {
    let output = site.aurora(&["status"]);
    (output.status.code().expect("it ends"), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn channels_come_and_go_while_the_engine_runs() {
    let site = served(&channel("a", "key"));
    assert_eq!(deliver(&site, "a", KEY, "1").status, 204);
    assert_eq!(deliver(&site, "b", KEY, "2").status, 404);
    configure(&site, &channel("b", "key"));
    eventually("the new channel", || deliver(&site, "b", KEY, "2").status / 100 == 2);
    assert_eq!(deliver(&site, "a", KEY, "3").status, 404, "the old one is gone in the same step");
    site.projected(2);
    let status = site.json(&["status"]);
    assert_eq!(status["channels"].as_array().map(Vec::len), Some(1), "{status}");
    assert_eq!(status["channels"][0]["id"], "b");
    assert_eq!(status["channels"][0]["state"], "listening");
    let log = std::fs::read_to_string(site.path().join("serve.log")).expect("a log");
    assert!(log.contains("channels.a: removed") && log.contains("channels.b: added"), "{log}");
    // A channel that comes back brings what was stored on it.
    configure(&site, &format!("{}{}", channel("a", "key"), channel("b", "key")));
    eventually("both", || site.json(&["status"])["channels"].as_array().map(Vec::len) == Some(2));
    let counts = site.json(&["status"])["channels"].clone();
    assert_eq!((&counts[0]["events"], &counts[1]["events"]), (&1.into(), &1.into()), "{counts}");
}

#[test]
fn a_secret_is_rotated_by_sighup_and_open_connections_live_on() {
    let site = served(&channel("a", "key"));
    let mut open = TcpStream::connect(site.address()).expect("connects");
    let mut on_it = |id: &str, key: &str| {
        let body = b"{}";
        let lines = head(&standard(key, id, now(), body));
        let text = format!("POST /hooks/a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n{lines}\r\n{{}}");
        open.write_all(text.as_bytes()).expect("writes");
        let mut answer = [0; 1024];
        let count = open.read(&mut answer).expect("reads");
        String::from_utf8_lossy(&answer[..count]).split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    };
    assert_eq!(on_it("1", KEY), 204);
    write_secret(&site, "key", OTHER_KEY);
    site.signal(rustix::process::Signal::HUP);
    eventually("the new secret", || deliver(&site, "a", OTHER_KEY, "2").status / 100 == 2);
    assert_eq!(deliver(&site, "a", KEY, "3").status, 401, "the old secret is refused");
    assert_eq!(on_it("4", KEY), 401, "on the open connection too");
    assert_eq!(on_it("5", OTHER_KEY), 204);
    let log = std::fs::read_to_string(site.path().join("serve.log")).expect("a log");
    assert!(log.contains("channels.a.secrets: another value") && !log.contains(OTHER_KEY), "{log}");
}

#[test]
fn who_is_a_vip_and_how_often_a_source_may_fail_change_at_once() {
    let site = served(&channel("a", "key"));
    let body = br#"{"from":"ann@big.example","text":"hello"}"#;
    assert_eq!(site.post("/hooks/a", &borrowed(&standard(KEY, "1", now(), body)), body).status, 204);
    site.projected(1);
    let counts = || {
        let panel = site.json(&["status"])["channels"][0].clone();
        (panel["unread_vip"].as_u64(), panel["unread"].as_u64())
    };
    assert_eq!(counts(), (Some(0), Some(1)));
    let more =
        format!("[contacts]\nvip = [\"@big.example\"]\n[limits]\ningress_per_minute = 1\n{}", channel("a", "key"));
    configure(&site, &more);
    eventually("the message is a VIP's", || counts() == (Some(1), Some(0)));
    assert_eq!(site.json(&["inbox", "list"])[0]["vip"], true);
    assert_eq!(site.post("/nowhere", &[], b"").status, 404);
    assert_eq!(site.post("/nowhere", &[], b"").status, 429, "one failure a minute");
    assert_eq!(site.post("/hooks/a", &borrowed(&standard(KEY, "2", now(), body)), body).status, 204);
    eventually("new messages too", || counts() == (Some(2), Some(0)));
}

#[test]
fn a_bad_file_changes_nothing_is_shown_and_mends_itself() {
    let site = served(&channel("a", "key"));
    assert_eq!(status(&site).0, 0);
    configure(&site, &format!("{}[limits]\nqueeue = 1\n", channel("b", "key")));
    eventually("the mistake is shown", || status(&site).0 == 3);
    let shown = status(&site).1;
    assert!(shown.contains("config.toml:9:1") && shown.contains("queeue"), "{shown}");
    assert_eq!(deliver(&site, "a", KEY, "1").status, 204);
    assert_eq!(deliver(&site, "b", KEY, "2").status, 404);
    // A secret that cannot be read holds back everything else, too.
    configure(&site, &format!("{}{}", channel("b", "key"), channel("c", "missing")));
    eventually("the other mistake", || status(&site).1.contains("channel `c`"));
    assert_eq!(deliver(&site, "b", KEY, "2").status, 404);
    // A literal secret is hidden.
    configure(&site, "[channels.a]\nprovider = \"standard\"\nsecrets = [\"hunter2\"]\n");
    eventually("the third mistake", || status(&site).1.contains("reference"));
    std::fs::remove_file(site.path().join("config.toml")).expect("removes");
    eventually("the file is gone", || status(&site).1.contains("gone") || status(&site).1.contains("failed to read"));
    assert_eq!(deliver(&site, "a", KEY, "3").status, 204);
    configure(&site, &channel("b", "key"));
    eventually("recovery", || status(&site).0 == 0);
    assert_eq!(deliver(&site, "b", KEY, "4").status, 204);
    let log = std::fs::read_to_string(site.path().join("serve.log")).expect("a log");
    assert!(log.contains("^^^^^^") && !log.contains("hunter2"), "{log}");
}

#[test]
fn listeners_come_and_go_by_address() {
    let (first, second) = (free_port(), free_port());
    let on = |port: u16| format!("{}listen = \"127.0.0.1:{port}\"\npath = \"/in\"\n", channel("a", "key"));
    let site = served(&on(first));
    let post = |port: u16, id: &str| {
        let headers = standard(KEY, id, now(), b"{}");
        send(([127, 0, 0, 1], port).into(), &request("POST", "/in", &borrowed(&headers), b"{}"))
    };
    assert_eq!(post(first, "1").expect("listens").status, 204);
    configure(&site, &on(second));
    eventually("the new address", || post(second, "2").is_some_and(|answer| answer.status / 100 == 2));
    eventually("the old one is closed", || post(first, "3").is_none());
    let name = format!("listener 127.0.0.1:{first}");
    let listed = || site.json(&["task", "list"]).to_string();
    eventually("its task is forgotten", || !listed().contains(&name));
    assert!(listed().contains(&format!("listener 127.0.0.1:{second}")));
    configure(&site, &on(first));
    eventually("and back", || post(first, "4").is_some_and(|answer| answer.status / 100 == 2));
}

#[test]
fn another_address_on_the_same_port_is_taken_over() {
    let proxied = "[node]\nname = \"test\"\n[listen]\nbehind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n\
        api = \"off\"\n";
    let site = served(&channel("a", "key"));
    let listen_on = |address: &str| {
        let text = format!("{proxied}ingress = \"{address}:{}\"\n{}", site.port, channel("a", "key"));
        std::fs::write(site.path().join("config.toml"), text).expect("writes");
    };
    for (address, id) in [("0.0.0.0", "1"), ("127.0.0.1", "2")] {
        listen_on(address);
        let name = format!("listener {address}:{}", site.port);
        let running = || {
            let tasks = site.json(&["task", "list"]);
            let task = tasks.as_array()?.iter().find(|task| task["name"] == name.as_str())?.clone();
            (task["state"] == "running").then_some(task)
        };
        eventually("the other address", || running().is_some());
        assert_eq!(running().expect("runs")["restarts"], 0);
        assert_eq!(deliver(&site, "a", KEY, id).status, 204);
    }
    let log = std::fs::read_to_string(site.path().join("serve.log")).expect("a log");
    assert!(!log.contains("in use"), "{log}");
}

#[test]
fn reloads_under_load_lose_nothing() {
    let site = served(&channel("a", "key"));
    let (over, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let senders: Vec<_> = (0..3)
        .map(|sender| {
            let (over, accepted, address) = (Arc::clone(&over), Arc::clone(&accepted), site.address());
            std::thread::spawn(move || {
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let headers = standard(KEY, &format!("{sender}-{n}"), now(), b"{}");
                    let answer = send(address, &request("POST", "/hooks/a", &borrowed(&headers), b"{}"));
                    assert_eq!(answer.expect("an answer").status, 204);
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for n in 0..20 {
        let limits = format!("[limits]\ningress_per_minute = {}\n", 600 + n);
        configure(&site, &format!("{limits}{}{}", channel("a", "key"), channel(&format!("x{n}"), "key")));
        site.signal(rustix::process::Signal::HUP);
        let id = format!("x{n}");
        eventually("a reload", || deliver(&site, &id, "whsec_AAAA", "1").status == 401);
    }
    over.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().expect("every delivery is accepted");
    }
    let accepted = usize::try_from(accepted.load(Ordering::Relaxed)).expect("a count");
    assert!(accepted > 20, "{accepted}");
    assert_eq!(site.events("a"), accepted);
}
