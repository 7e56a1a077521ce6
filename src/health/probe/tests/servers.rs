//! Small servers, and looks at them.

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::condition::Condition;
use crate::config::{check_defaults, check_schema};
use crate::model::{HttpTarget, Observation, Target, Value, Verdict};

use super::super::{Tools, look};

/// Long enough for a busy machine, short enough for a test that waits for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const SHORT: Duration = Duration::from_millis(300);

/// Serves every connection with `talk`; answers the port.
pub(super) async fn server<F>(talk: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream));
        }
    });
    port
}

/// Reads a request up to its empty line.
pub(super) async fn read_head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).expect("text")
}

/// A server that answers every request with `answer` and closes.
pub(super) async fn answers(answer: impl Into<String>) -> u16 {
    let answer = answer.into();
    server(move |mut stream| {
        let answer = answer.clone();
        async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await
}

/// A server that says nothing and keeps the connection.
pub(super) async fn silent() -> u16 {
    server(|stream| async move {
        tokio::time::sleep(PATIENCE).await;
        drop(stream);
    })
    .await
}

pub(super) fn http(url: &str) -> HttpTarget {
    HttpTarget::get(url.parse().expect("a URL"))
}

pub(super) fn local(port: u16) -> Target {
    Target::Http(Box::new(http(&format!("http://127.0.0.1:{port}/"))))
}

/// Looks with the condition `when`, or the default one.
pub(super) async fn look_at(target: Target, when: Option<&str>, timeout: Duration) -> Observation {
    let kind = target.kind();
    let (default, warn) = check_defaults(kind);
    let read = |text| Condition::parse(text, check_schema(kind)).expect("a condition");
    let (when, warn) = (read(when.unwrap_or(default)), warn.map(read));
    // As the engine does: in a task, so that a look must be able to move between threads.
    tokio::spawn(async move { look(&target, &when, warn.as_ref(), timeout, &Tools::default()).await })
        .await
        .expect("no panic")
}

/// The cause of a look that has to be critical.
#[track_caller]
pub(super) fn cause(observation: &Observation) -> &str {
    assert_eq!(observation.verdict, Verdict::Critical, "{observation:?}");
    observation.cause.as_deref().expect("a cause")
}

#[track_caller]
pub(super) fn value<'a>(observation: &'a Observation, name: &str) -> &'a Value {
    let found = observation.values.iter().find(|(known, _)| known == name);
    &found.unwrap_or_else(|| panic!("no {name}: {observation:?}")).1
}
