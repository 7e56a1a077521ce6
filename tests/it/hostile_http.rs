//! Hostile HTTP: refused or closed, nothing stored, and the next sender is served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use aurora::net::{self, DoorLimits, Handler};
use bytes::Bytes;
use http_body_util::Full;
use tokio_util::sync::CancellationToken;

use crate::support::{Site, borrowed, eventually, github, head, read_answer, request, send};

fn genuine(site: &Site, id: &str) {
    let body = format!("{{\"id\":\"{id}\"}}");
    let headers = github(&site.secret("github"), id, "ping", body.as_bytes());
    assert_eq!(site.post("/hooks/github", &borrowed(&headers), body.as_bytes()).status, 202, "{id}");
}

#[test]
fn malformed_requests_are_refused_and_others_served() {
    let site = Site::served();
    let secret = site.secret("github");
    let body = br#"{"x":1}"#;
    let signed = head(&github(&secret, "smuggled", "ping", body));
    let endless = format!("POST /hooks/github HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(300_000));
    let many: String = (0..5_000).map(|n| format!("x-{n}: y\r\n")).collect::<Vec<_>>().concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("two lengths", format!("POST /hooks/github HTTP/1.1\r\nhost: x\r\n{signed}content-length: 7\r\ncontent-length: 70\r\n\r\n{{\"x\":1}}").into()),
        ("a bad length", format!("POST /hooks/github HTTP/1.1\r\nhost: x\r\n{signed}content-length: -7\r\n\r\n{{\"x\":1}}").into()),
        ("an endless header", endless.into()),
        ("many headers", format!("POST /hooks/github HTTP/1.1\r\nhost: x\r\n{many}\r\n").into()),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00".to_vec()),
        ("a bare line", b"\r\n\r\n\r\n".to_vec()),
        ("a bad chunk", format!("POST /hooks/github HTTP/1.1\r\nhost: x\r\n{signed}transfer-encoding: chunked\r\n\r\nzz\r\n").into()),
        ("a control byte", b"POST /hooks/github HTTP/1.1\r\nhost: x\r\nx-a: \x00\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in cases {
        let mut stream = TcpStream::connect(site.address()).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(3))).expect("a timeout");
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        if let Some(answer) = read_answer(&mut stream) {
            assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
        }
        genuine(&site, &what.replace(' ', "-"));
    }
    assert_eq!(site.events("github"), 8, "only the genuine ones are stored");
}

#[test]
fn length_and_chunks_together_are_never_two_requests() {
    let site = Site::served();
    let inner = request("POST", "/hooks/github", &[], b"{}");
    let mut bytes = format!(
        "POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        inner.len() + 5
    )
    .into_bytes();
    bytes.extend_from_slice(&inner);
    let answer = send(site.address(), &bytes).expect("an answer");
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(site.events("github"), 0);
    genuine(&site, "after");
}

#[test]
fn large_bodies_are_refused_before_and_while_they_come() {
    let site = Site::served();
    let announced =
        send(site.address(), b"POST /hooks/standard HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n");
    assert_eq!(announced.expect("an answer").status, 413);
    let mut stream = TcpStream::connect(site.address()).expect("connects");
    stream
        .write_all(b"POST /hooks/standard HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        .expect("writes");
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    while stream.write_all(chunk.as_bytes()).is_ok() {}
    genuine(&site, "after");
    assert_eq!(site.events("standard"), 0);
}

#[test]
fn pipelined_and_chunked_deliveries_are_each_answered() {
    let site = Site::served();
    let secret = site.secret("github");
    let mut bytes = Vec::new();
    for id in ["p1", "p2"] {
        let body = format!("{{\"id\":\"{id}\"}}");
        let lines = head(&github(&secret, id, "ping", body.as_bytes()));
        bytes.extend_from_slice(
            format!("POST /hooks/github HTTP/1.1\r\nhost: x\r\n{lines}content-length: {}\r\n\r\n{body}", body.len())
                .as_bytes(),
        );
    }
    let body = br#"{"id":"p3"}"#;
    let lines = head(&github(&secret, "p3", "ping", body));
    bytes.extend_from_slice(format!("POST /hooks/github HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}transfer-encoding: chunked\r\n\r\n4\r\n{{\"id\r\n7\r\n\":\"p3\"}}\r\n0\r\n\r\n").as_bytes());
    let mut stream = TcpStream::connect(site.address()).expect("connects");
    stream.write_all(&bytes).expect("writes");
    let mut all = String::new();
    std::io::Read::read_to_string(&mut stream, &mut all).expect("reads");
    assert_eq!(all.matches("202 Accepted").count(), 3, "{all}");
    assert_eq!(site.events("github"), 3);
}

#[test]
fn slow_senders_are_let_go_and_disturb_nobody() {
    let site = Site::served();
    let mut slow: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(site.address()).expect("connects");
            stream.write_all(b"POST /hooks/github HTTP/1.1\r\nhost: x\r\nx-slow: ").expect("writes");
            stream
        })
        .collect();
    genuine(&site, "meanwhile");
    let stream = &mut slow[0];
    eventually("the slow head is cut", || {
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let mut byte = [0; 512];
        !matches!(std::io::Read::read(stream, &mut byte), Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut))
    });
}

#[test]
fn past_the_connection_cap_the_answer_is_503() {
    let mut site = Site::with("[limits]\nconnections = 4\n");
    site.serve();
    let mut held: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(site.address()).expect("connects")).collect();
    let mut head = String::new();
    eventually("no room", || {
        // The probe that waited for the listener may still count for a moment; one more takes its place.
        held.push(TcpStream::connect(site.address()).expect("connects"));
        let answer = send(site.address(), &request("POST", "/hooks/github", &[], b"{}")).expect("an answer");
        head = answer.head;
        answer.status == 503
    });
    assert!(head.contains("retry-after"), "{head}");
    drop(held);
    eventually("room again", || {
        send(site.address(), &request("POST", "/hooks/github", &[], b"{}")).is_some_and(|answer| answer.status != 503)
    });
}

/// Answers every request with so many bytes.
struct Answers(usize);

impl Handler for Answers {
    async fn handle(
        &self,
        _request: http::Request<hyper::body::Incoming>,
        _peer: SocketAddr,
    ) -> http::Response<Full<Bytes>> {
        http::Response::new(Full::new(vec![0; self.0].into()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_its_answer_is_let_go() {
    // More than the buffers of two sockets hold.
    let large = 32 << 20;
    let limits = DoorLimits { connections: 1, unread: Duration::from_secs(1), ..DoorLimits::default() };
    at_a_door(limits, large, move |address| {
        let mut deaf = TcpStream::connect(address).expect("connects");
        deaf.write_all(&request("GET", "/", &[], b"")).expect("writes");
        eventually("its place is free", || {
            send(address, &request("GET", "/", &[], b"")).is_some_and(|answer| answer.status == 200)
        });
        let mut got = Vec::new();
        // A reset is an end, too.
        let _ = deaf.read_to_end(&mut got);
        assert!(got.len() < large, "it was let go in the middle of its answer");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_hold_up_nobody() {
    let limits = DoorLimits { head_timeout: Duration::from_hours(1), ..DoorLimits::default() };
    at_a_door(limits, 2, |address| {
        let slow = || {
            let mut stream = TcpStream::connect(address).expect("connects");
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").expect("writes");
            stream
        };
        let slow: Vec<TcpStream> = std::iter::repeat_with(slow).take(50).collect();
        let answer = send(address, &request("GET", "/", &[], b"")).expect("an answer");
        assert_eq!(answer.status, 200);
        drop(slow);
    })
    .await;
}

/// Does `work` with the address of a door that answers so many bytes.
async fn at_a_door(limits: DoorLimits, bytes: usize, work: impl FnOnce(SocketAddr) + Send + 'static) {
    let listener = net::bind(([127, 0, 0, 1], 0).into()).await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    tokio::spawn(net::serve(listener, Arc::new(Answers(bytes)), limits, Box::new(|_| {}), stop.clone()));
    tokio::task::spawn_blocking(move || work(address)).await.expect("passes");
    stop.cancel();
}
