//! The crash loop: a real process under signed load, killed at random moments.
//!
//! `AURORA_KILLS=1000 cargo test --test it crash` runs longer.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Site, github, head, now, standard};

/// Deliveries that were answered with a 2xx, and those whose answer never came: their sender tries again.
#[derive(Default)]
struct Ledger {
    accepted: Mutex<BTreeSet<String>>,
    open: Mutex<Vec<String>>,
    next: AtomicU64,
}

fn delivery(secrets: &(String, String), id: &str) -> Vec<u8> {
    let body = format!("{{\"type\":\"note\",\"text\":\"{id}\"}}");
    let (path, headers) = if id.starts_with('g') {
        ("/hooks/github", github(&secrets.0, id, "issues", body.as_bytes()))
    } else {
        ("/hooks/standard", standard(&secrets.1, id, now(), body.as_bytes()))
    };
    let lines = head(&headers);
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{lines}\r\n{body}", body.len()).into_bytes()
}

/// Sends over one connection until it breaks or the round is over.
fn load(address: SocketAddr, secrets: &(String, String), ledger: &Ledger, over: &AtomicBool) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    while !over.load(Ordering::Relaxed) {
        let retry = ledger.open.lock().expect("not poisoned").pop();
        let id = retry.unwrap_or_else(|| {
            let n = ledger.next.fetch_add(1, Ordering::Relaxed);
            format!("{}{n}", if n.is_multiple_of(2) { "g" } else { "s" })
        });
        let mut answer = [0; 1024];
        let read = stream.write_all(&delivery(secrets, &id)).and_then(|()| stream.read(&mut answer));
        let text = String::from_utf8_lossy(&answer);
        match read {
            Ok(count) if count > 0 && text.starts_with("HTTP/1.1 2") => {
                ledger.accepted.lock().expect("not poisoned").insert(id);
            }
            _ => {
                ledger.open.lock().expect("not poisoned").push(id);
                return;
            }
        }
    }
}

#[test]
fn every_acknowledged_event_survives_and_none_is_there_twice() {
    let kills: u64 = std::env::var("AURORA_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(50);
    let mut site = Site::served();
    let secrets = Arc::new((site.secret("github"), site.secret("standard")));
    let ledger = Arc::new(Ledger::default());
    for round in 0..kills {
        if round > 0 {
            site.serve();
        }
        let over = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let (address, secrets, ledger, over) =
                    (site.address(), Arc::clone(&secrets), Arc::clone(&ledger), Arc::clone(&over));
                std::thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        load(address, &secrets, &ledger, &over);
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(rand::random_range(5..120)));
        site.kill();
        over.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().expect("a sender");
        }
    }
    site.serve();
    let accepted = ledger.accepted.lock().expect("not poisoned").clone();
    assert!(accepted.len() as u64 > kills, "the load was real: {}", accepted.len());
    let listed = site.json(&["events", "list", "--limit", "10000000"]);
    let keys: Vec<String> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["dedupe_key"].as_str().expect("a key").to_owned())
        .collect();
    let distinct: BTreeSet<String> = keys.iter().cloned().collect();
    assert_eq!(keys.len(), distinct.len(), "none is there twice");
    let lost: Vec<&String> = accepted.difference(&distinct).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged events are lost: {lost:?}", lost.len(), accepted.len());
    let ghosts = distinct.difference(&accepted).count() as u64;
    assert!(ghosts <= kills * 4, "what was stored without an answer was in flight: {ghosts}");
    site.projected(distinct.len());
    let hit = accepted.iter().next_back().expect("one");
    crate::support::eventually("the search index is complete", || {
        site.json(&["inbox", "search", hit]).as_array().is_some_and(|rows| !rows.is_empty())
    });
    assert_eq!(site.events("github") + site.events("standard"), distinct.len());
}
