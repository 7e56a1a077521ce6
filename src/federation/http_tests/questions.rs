//! What is let in: questions that prove who asks, in time, once, and no longer than they may be.

use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::federation::EventLink;
use crate::net::{Asked, Proof};
use crate::protocol::{NodeReply, PageRefusal, Probe, Refusal};

use super::rig::{BEAT, Hub, Party, ask, beat_bytes, epoch, name, order, written};

#[tokio::test]
async fn a_node_that_is_known_is_answered() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let link = hub.link(&party);
    let answer = link.beat(&party.beat()).await.expect("it is answered");
    assert_eq!(answer.beat.node, name("hub-1"));
    assert_eq!(link.page(&ask(5)).await.expect("it is answered").expect("a page").high, 5);
    assert_eq!(link.page(&ask(7)).await, Ok(Err(PageRefusal::OtherEpoch { epoch: epoch(), low: 3, high: 9 })));
    assert_eq!(link.page(&ask(8)).await, Ok(Err(PageRefusal::Unknown)));
    assert!(matches!(link.page(&ask(9)).await, Ok(Err(PageRefusal::Gone { low: 3, .. }))));
    assert_eq!(link.probe(&Probe { whom: name("hub-3") }).await.expect("it is answered").reached, Some(3));
    assert_eq!(link.act(&order()).await, Ok(Ok::<_, Refusal>(NodeReply::Done)));
    assert_eq!(hub.asked().first().map(String::as_str), Some("hub-2 beat"));
    assert_eq!(hub.refusals(), Vec::<String>::new());
}

#[tokio::test]
async fn who_is_not_known_is_told_nothing() {
    let (party, stranger) = (Party::new("hub-2"), Party::new("hub-9"));
    let hub = Hub::new(&[&party]).await;
    let now = Timestamp::now();
    let forged = Party { name: party.name.clone(), ..Party::new("hub-9") };
    let bearer = written("GET", "/fed/v1/events?origin=hub-1", "authorization: Bearer aur_good\r\n", b"");
    let body = beat_bytes(&party);
    for (what, bytes) in [
        ("a stranger", stranger.request("hub-1", BEAT, &beat_bytes(&stranger), now)),
        ("another key", forged.request("hub-1", BEAT, &body, now)),
        ("no proof", written("POST", BEAT, "", &body)),
        ("a token", bearer),
    ] {
        let (status, text) = hub.send(&bytes).await;
        assert_eq!(status, 401, "{what}: {text}");
        assert!(
            !text.contains("detail") && !text.contains("aurora-signed") && !text.contains("hub-"),
            "{what}: {text}"
        );
    }
    hub.known.forget(&party.name);
    let (status, _) = hub.send(&party.request("hub-1", BEAT, &body, now)).await;
    assert_eq!(status, 401, "its key was revoked");
    assert_eq!(hub.asked(), Vec::<String>::new());
    assert_eq!(hub.refusals().len(), 5);
    let error = hub.link(&party).beat(&party.beat()).await.expect_err("refused");
    assert!(error.to_string().contains("does not know this node by its key"), "{error}");
}

#[tokio::test]
async fn an_altered_request_is_nobody_s() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let body = beat_bytes(&party);
    let good = party.request("hub-1", BEAT, &body, Timestamp::now());
    let text = String::from_utf8(good).expect("text");
    for (from, to) in [(BEAT, "/fed/v1/probe"), ("node=hub-2", "node=hub-3"), ("nonce=", "nonce=A")] {
        let (status, _) = hub.send(text.replacen(from, to, 1).as_bytes()).await;
        assert_eq!(status, 401, "{from}");
    }
    // The head is good, and the body another one of the same length.
    let (status, answer) = hub.send(text.replace("\"number\":1", "\"number\":2").as_bytes()).await;
    assert_eq!(status, 403, "{answer}");
    assert!(answer.contains("another one than was signed"), "{answer}");
    assert_eq!(hub.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_recorded_request_counts_once() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let act = serde_json::to_vec(&order()).expect("JSON");
    let recorded = party.request("hub-1", "/fed/v1/act", &act, Timestamp::now());
    assert_eq!(hub.send(&recorded).await.0, 200);
    for _ in 0..3 {
        let (status, text) = hub.send(&recorded).await;
        assert_eq!(status, 403, "{text}");
        assert!(text.contains("it came before"), "{text}");
    }
    assert_eq!(hub.asked(), ["hub-2 act"]);
    // One that is older than this run of the process might have been done by the run before.
    let old = Timestamp::now() - Duration::from_secs(250);
    let young = Hub::new(&[&party]).await;
    assert_eq!(young.send(&party.request("hub-1", "/fed/v1/act", &act, old)).await.0, 200, "it has run for an hour");
}

#[tokio::test]
async fn a_clock_that_is_off_and_a_wrong_receiver_are_said() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let body = beat_bytes(&party);
    let now = Timestamp::now();
    for (off, status) in [(-320, 403), (-280, 200), (280, 200), (320, 403)] {
        let when = now + jiff::SignedDuration::from_secs(off);
        let (got, text) = hub.send(&party.request("hub-1", BEAT, &body, when)).await;
        assert_eq!(got, status, "{off}: {text}");
        assert_eq!(text.contains("its clock is off by"), status == 403, "{text}");
        assert!(text.contains("aurora-signed"), "a proven node gets a signed answer: {text}");
    }
    let (status, text) = hub.send(&party.request("hub-7", BEAT, &body, now)).await;
    assert_eq!(status, 421, "{text}");
    assert!(text.contains("meant for hub-7, and this is hub-1"), "{text}");
    let other = serde_json::to_vec(&Party::new("hub-3").beat()).expect("JSON");
    let (status, text) = hub.send(&party.request("hub-1", BEAT, &other, now)).await;
    assert_eq!(status, 403, "it speaks for another: {text}");
}

#[tokio::test]
async fn what_is_too_long_is_refused_before_it_is_read() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let now = Timestamp::now();
    let long = vec![b' '; 300 << 10];
    for path in [BEAT, "/fed/v1/probe", "/fed/v1/act"] {
        let (status, text) = hub.send(&party.request("hub-1", path, &long, now)).await;
        assert_eq!(status, 413, "{path}: {text}");
    }
    // One that says no length: chunks, one after another.
    let asked = Asked { method: "POST", path: "/fed/v1/probe" };
    let proof = Proof::new(&party.keys, &party.name, &name("hub-1"), &asked, b"x", now).header();
    let chunk = format!("4000\r\n{}\r\n", "a".repeat(0x4000));
    let head = format!(
        "POST /fed/v1/probe HTTP/1.1\r\nhost: x\r\nauthorization: {proof}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{chunk}"
    );
    assert_eq!(hub.send(head.as_bytes()).await.0, 413);
    let huge = format!("x-filler: {}\r\n", "a".repeat(400 << 10));
    // The end of the connection may come before its answer is read.
    assert!(matches!(hub.send(&written("POST", BEAT, &huge, b"{}")).await.0, 0 | 400 | 431));
    assert_eq!(hub.asked(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn who_trickles_is_let_go_and_others_are_undisturbed() {
    let (party, other) = (Party::new("hub-2"), Party::new("hub-3"));
    let hub = Hub::new(&[&party, &other]).await;
    let bytes = party.request("hub-1", BEAT, &beat_bytes(&party), Timestamp::now());
    let mut stream = TcpStream::connect(hub.address).await.expect("connects");
    let (head, body) = bytes.split_at(bytes.len() - 60);
    stream.write_all(head).await.expect("writes");
    let body = body.to_vec();
    let (mut reading, mut writing) = stream.into_split();
    let trickle = tokio::spawn(async move {
        for byte in body {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if writing.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    });
    hub.link(&other).beat(&other.beat()).await.expect("others are answered");
    let mut answer = vec![0; 16];
    reading.read_exact(&mut answer).await.expect("it is answered");
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    trickle.abort();
    assert_eq!(hub.asked(), ["hub-3 beat"]);
}

#[tokio::test]
async fn another_version_is_said_and_nonsense_too() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let now = Timestamp::now();
    let newer = serde_json::json!({ "version": 9, "something": "else" }).to_string();
    let (status, text) = hub.send(&party.request("hub-1", BEAT, newer.as_bytes(), now)).await;
    assert_eq!(status, 400);
    assert!(text.contains("it speaks version 9, and this node 1"), "{text}");
    for (path, body) in [(BEAT, "{\"version\":1}"), (BEAT, "nonsense"), ("/fed/v1/act", "[]"), ("/fed/v1/probe", "{}")]
    {
        assert_eq!(hub.send(&party.request("hub-1", path, body.as_bytes(), now)).await.0, 400, "{path} {body}");
    }
    assert_eq!(hub.send(&party.request("hub-1", "/fed/v1/events?origin=-", b"", now)).await.0, 400);
    assert_eq!(hub.send(&written("DELETE", BEAT, "", b"")).await.0, 405);
    assert_eq!(hub.send(&written("GET", "/fed/v2/events", "", b"")).await.0, 404);
    assert_eq!(hub.asked(), Vec::<String>::new());
}
