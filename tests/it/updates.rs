//! `/ws/updates` with a real client: a snapshot, every event once, and an end when the token ends.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use crate::api::{deliver, served, token};
use crate::support::PATIENCE;

struct Stream(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Stream {
    async fn open(api: SocketAddr, query: &str, token: &str) -> Self {
        let mut request = format!("ws://{api}/ws/updates{query}").into_client_request().expect("a request");
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("a value"));
        Self(connect_async(request).await.expect("a stream").0)
    }

    async fn message(&mut self) -> Message {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("in time").expect("a message") {
                Ok(Message::Ping(_)) => {}
                message => return message.expect("a message"),
            }
        }
    }

    /// The next frame that is no notification.
    async fn frame(&mut self) -> Value {
        loop {
            let message = self.message().await;
            let frame: Value = serde_json::from_str(message.to_text().expect("text")).expect("JSON");
            if frame["type"] != "notification" {
                return frame;
            }
        }
    }

    async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let frame = self.frame().await;
            assert_eq!(frame["frame"], "event", "{frame}");
            events.push(frame);
        }
        events
    }

    /// The code of the farewell.
    async fn close(&mut self) -> u16 {
        loop {
            if let Message::Close(Some(frame)) = self.message().await {
                return frame.code.into();
            }
        }
    }
}

fn keys(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["dedupe_key"].as_str().expect("a key")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_then_events_and_after_a_break_what_was_missed() {
    let (mut site, api) = served("");
    let updates = token(&site, &["--scope", "updates"]);
    deliver(&site, "m0");
    site.projected(1);
    let mut stream = Stream::open(api, "", &updates).await;
    let status = stream.frame().await;
    assert_eq!((&status["frame"], &status["type"]), (&"system".into(), &"system.status".into()));
    assert_eq!((&status["status"], &status["seq"]), (&"up".into(), &1.into()), "{status}");
    assert_eq!(status["inbox"][0]["subject"], "subject m0");
    assert!(status["channels"].is_array() && status["logs"].is_null() && status["state_dir"].is_null(), "{status}");
    let counts = status["checks"].as_object().expect("counts of checks");
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["ok", "unknown", "stale", "warn", "critical"], "{status}");
    deliver(&site, "m1");
    let first = &stream.events(1).await[0];
    assert_eq!((&first["type"], &first["seq"], &first["subject"]), (&"note".into(), &2.into(), &"subject m1".into()));
    assert!(first["id"].as_str().is_some_and(|id| id.starts_with("evt_")));
    // The line breaks, and so does the engine; meanwhile more comes than one page holds.
    drop(stream);
    for n in 2..400 {
        deliver(&site, &format!("m{n}"));
    }
    site.kill();
    site.serve();
    crate::support::eventually("the API listens", || std::net::TcpStream::connect(api).is_ok());
    let mut stream = Stream::open(api, "?since=2", &updates).await;
    let status = stream.frame().await;
    assert_eq!((&status["type"], &status["seq"]), (&"system.status".into(), &2.into()));
    deliver(&site, "m400");
    let events = stream.events(399).await;
    let expected: Vec<String> = (2..=400).map(|n| format!("m{n}")).collect();
    assert_eq!(keys(&events), expected, "each once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_never_was_is_said() {
    let (site, api) = served("");
    let mut stream = Stream::open(api, "?since=999", &token(&site, &[])).await;
    assert_eq!(stream.frame().await["seq"], 0);
    let gap = stream.frame().await;
    assert_eq!((&gap["type"], &gap["seq"]), (&"system.gap".into(), &0.into()));
    deliver(&site, "m1");
    assert_eq!(keys(&stream.events(1).await), ["m1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_its_streams_at_once() {
    let (mut site, api) = served("");
    let revoked = token(&site, &[]);
    let id = site.json(&["access", "token", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let kept = token(&site, &[]);
    let mut ends = Stream::open(api, "", &revoked).await;
    let mut stays = Stream::open(api, "", &kept).await;
    ends.frame().await;
    stays.frame().await;
    site.ok(&["access", "token", "revoke", &id]);
    assert_eq!(ends.close().await, 1008);
    deliver(&site, "m1");
    assert_eq!(keys(&stays.events(1).await), ["m1"]);
    assert!(site.stop());
    assert_eq!(stays.close().await, 1001, "the engine says farewell");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sends_its_token_as_a_subprotocol() {
    let (site, api) = served("");
    let all = token(&site, &[]);
    let open = |protocols: String, origin: String| async move {
        let mut request = format!("ws://{api}/ws/updates").into_client_request().expect("a request");
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse().expect("a value"));
        request.headers_mut().insert("origin", origin.parse().expect("a value"));
        connect_async(request).await
    };
    let protocols = format!("aurora.v1, aurora.token.{all}");
    let (stream, response) = open(protocols.clone(), format!("http://{api}")).await.expect("a stream");
    assert_eq!(response.headers()["sec-websocket-protocol"], "aurora.v1", "the token is not sent back");
    let mut stream = Stream(stream);
    stream.frame().await;
    stream.0.send(Message::text("hello")).await.expect("sends");
    assert_eq!(stream.close().await, 1003, "it takes no messages");
    for (protocols, origin, status) in [
        (protocols, "https://evil.example".to_owned(), 403),
        ("aurora.v1, aurora.token.aur_wrong".to_owned(), format!("http://{api}"), 401),
    ] {
        let Err(Error::Http(response)) = open(protocols, origin).await else { panic!("it is let in") };
        assert_eq!(response.status(), status);
    }
    let stats = token(&site, &["--scope", "stats"]);
    let Err(Error::Http(response)) = open(format!("aurora.v1, aurora.token.{stats}"), format!("http://{api}")).await
    else {
        panic!("it is let in")
    };
    assert_eq!(response.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_for_a_while_misses_nothing() {
    const SENT: usize = 800;
    let (site, api) = served("");
    let bearer = format!("Bearer {}", token(&site, &[])).parse().expect("a value");
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    // A small window, so that frames stay with the engine.
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let line = socket.connect(api).await.expect("connects");
    let mut request = format!("ws://{api}/ws/updates").into_client_request().expect("a request");
    request.headers_mut().insert("authorization", bearer);
    let mut slow = Stream(client_async(request, MaybeTlsStream::Plain(line)).await.expect("a stream").0);
    assert_eq!(slow.frame().await["seq"], 0);
    // Several at once, or on a busy machine the engine would rightly give a client up that takes nothing for so long.
    let deliver_some = |first: usize| (first..SENT).step_by(8).for_each(|n| deliver(&site, &format!("m{n}")));
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| (0..8).for_each(|first| drop(scope.spawn(move || deliver_some(first)))));
    });
    let mut events = Vec::new();
    while events.len() < SENT {
        let frame = slow.frame().await;
        if frame["frame"] == "event" {
            events.push(frame);
        } else {
            // It was too slow for notices and is told how things are now.
            assert_eq!(frame["type"], "system.status", "{frame}");
        }
    }
    let numbers: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(numbers.is_sorted(), "in the order they were recorded");
    let mut told = keys(&events);
    told.sort_unstable();
    let mut expected: Vec<String> = (0..SENT).map(|n| format!("m{n}")).collect();
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_limited_and_large_frames_are_not_read() {
    let (site, api) = served("");
    let refused = |token: String| async move {
        let mut request = format!("ws://{api}/ws/updates").into_client_request().expect("a request");
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("a value"));
        let Err(Error::Http(response)) = connect_async(request.clone()).await else { panic!("it is let in") };
        assert_eq!(response.headers()["retry-after"], "1");
        (response.status().as_u16(), request)
    };
    let mut streams = Vec::new();
    for _ in 0..8 {
        let one = token(&site, &[]);
        for _ in 0..8 {
            let mut stream = Stream::open(api, "", &one).await;
            stream.frame().await;
            streams.push(stream);
        }
        assert_eq!(refused(one).await.0, 429, "no more with this token");
    }
    let (status, request) = refused(token(&site, &[])).await;
    assert_eq!(status, 503, "no more at all");
    let mut large = streams.pop().expect("a stream");
    // The engine may hang up before it has taken all of it.
    let _ = large.0.send(Message::binary(vec![0; 1 << 20])).await;
    drop(large);
    let mut tries = 0;
    while connect_async(request.clone()).await.is_err() {
        tries += 1;
        assert!(tries < 200, "its place is not free again");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
