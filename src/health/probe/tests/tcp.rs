//! Conversations, and what is heard instead.

use regex::bytes::Regex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::model::{Expected, Family, Phase, Target, TcpStep, TcpTarget, Value, Verdict, preset};

use super::servers::{PATIENCE, SHORT, cause, look_at, server, silent, value};

fn tcp(port: u16, script: Vec<TcpStep>) -> Target {
    let endpoint = format!("127.0.0.1:{port}").parse().expect("an endpoint");
    Target::Tcp(TcpTarget { endpoint, family: Family::Any, script })
}

/// Says each of `lines`, and reads something after each but the last.
async fn says(lines: &'static [&'static str]) -> u16 {
    server(move |mut stream| async move {
        let mut heard = [0; 1024];
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                let _ = stream.read(&mut heard).await;
            }
            let _ = stream.write_all(line.as_bytes()).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_connection_alone_is_enough() {
    let observation = look_at(tcp(silent().await, vec![]), None, PATIENCE).await;
    assert_eq!(observation.verdict, Verdict::Ok, "{observation:?}");
    assert_eq!(observation.phases[0].0, Phase::Connect);
}

#[tokio::test]
async fn presets_hold_their_conversations() {
    let cases: [(&str, &[&str]); 5] = [
        ("smtp", &["220-mail.example hello\r\n220 ready\r\n", "221 bye\r\n"]),
        ("imap", &["* OK ready\r\n", "* BYE\r\na OK done\r\n"]),
        ("pop3", &["+OK ready\r\n", "+OK bye\r\n"]),
        ("redis", &["", "+PONG\r\n"]),
        ("ssh", &["SSH-2.0-OpenSSH_9.2\r\n"]),
    ];
    for (name, lines) in cases {
        let observation = look_at(tcp(says(lines).await, preset(name).expect("a preset")), None, PATIENCE).await;
        assert_eq!(observation.verdict, Verdict::Ok, "{name}: {observation:?}");
    }
}

#[tokio::test]
async fn what_is_heard_instead_is_shown() {
    let port = says(&["554 go away\r\n"]).await;
    let observation = look_at(tcp(port, preset("smtp").expect("a preset")), None, PATIENCE).await;
    assert!(cause(&observation).ends_with("the connection ended, heard \"554 go away\\r\\n\""), "{observation:?}");
    let hear = |text: &str| vec![TcpStep::Expect(Expected::Text(text.as_bytes().to_vec()))];
    let observation = look_at(tcp(silent().await, hear("hello")), None, SHORT).await;
    assert!(cause(&observation).ends_with("while waiting for \"hello\""), "{observation:?}");
    let slow = says(&["he", "llo"]).await;
    let observation = look_at(tcp(slow, hear("hello")), None, SHORT).await;
    assert!(cause(&observation).ends_with("while waiting for \"hello\", heard \"he\""), "{observation:?}");
    let flood = server(|mut stream| async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} }).await;
    let observation = look_at(tcp(flood, hear("hello")), None, PATIENCE).await;
    assert!(cause(&observation).contains("expected \"hello\": not within 16384 bytes, heard \"xxx"), "{observation:?}");
}

#[tokio::test]
async fn what_was_heard_can_be_asked_about() {
    let pattern = Regex::new("version ([0-9.]+)\n").expect("a pattern");
    let port = says(&["banner\nversion 2.1\nmore"]).await;
    let script = vec![TcpStep::Expect(Expected::Pattern(pattern)), TcpStep::Expect(Expected::Text(b"more".to_vec()))];
    let observation = look_at(tcp(port, script), Some("received == \"more\""), PATIENCE).await;
    assert_eq!(observation.verdict, Verdict::Ok, "{observation:?}");
    assert_eq!(value(&observation, "received"), &Value::Text("more".into()));
}
