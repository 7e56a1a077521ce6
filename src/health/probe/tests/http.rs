//! Requests, and everything that goes wrong with their answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::io::AsyncWriteExt;

use crate::model::{Family, Phase, Target, Value, Verdict};

use super::servers::{PATIENCE, SHORT, answers, cause, http, local, look_at, read_head, server, silent, value};

const UP: &str = "HTTP/1.1 200 OK\r\nx-version: 2\r\ncontent-length: 15\r\n\r\n{\"status\":\"UP\"}";

#[tokio::test]
async fn an_answer_is_judged_by_everything_it_holds() {
    let port = answers(UP).await;
    let when = "status == 200 and header(\"X-Version\") == \"2\" and json(\"$.status\") == \"UP\" \
                and body contains \"UP\" and body_size == 15B and latency < 10s and ip == \"127.0.0.1\" \
                and redirects == 0 and header(\"absent\") is missing and dns is missing and tls is missing";
    let observation = look_at(local(port), Some(when), PATIENCE).await;
    assert_eq!((observation.verdict, observation.cause.as_deref()), (Verdict::Ok, None), "{observation:?}");
    let phases: Vec<Phase> = observation.phases.iter().map(|(phase, _)| *phase).collect();
    assert_eq!(phases, [Phase::Connect, Phase::FirstByte, Phase::Transfer]);
    assert!(observation.phases.iter().map(|(_, took)| *took).sum::<Duration>() <= observation.took);
    assert!(observation.steps.len() >= 3, "{:?}", observation.steps);
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_was_expected() {
    let port = answers("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\ndown").await;
    assert_eq!(cause(&look_at(local(port), None, PATIENCE).await), "status < 400: got 503");
    let observation = look_at(local(port), Some("status == 200 and body contains \"ok\""), PATIENCE).await;
    assert_eq!(cause(&observation), "status == 200: got 503; body contains \"ok\": got \"down\"");
}

#[tokio::test]
async fn a_body_may_end_with_its_connection_and_need_not_be_json() {
    let port = answers("HTTP/1.0 200 OK\r\n\r\nup until the end").await;
    let observation = look_at(local(port), Some("body == \"up until the end\""), PATIENCE).await;
    assert_eq!(observation.verdict, Verdict::Ok, "{observation:?}");
    let observation = look_at(local(port), Some("json(\"$.status\") == \"UP\""), PATIENCE).await;
    assert!(cause(&observation).ends_with("got nothing (the body is not JSON)"), "{observation:?}");
}

#[tokio::test]
async fn names_are_looked_up_and_families_chosen() {
    let port = answers(UP).await;
    let mut target = http(&format!("http://localhost:{port}/"));
    target.family = Family::V4;
    let observation = look_at(Target::Http(Box::new(target.clone())), Some("dns is known"), PATIENCE).await;
    assert_eq!(observation.verdict, Verdict::Ok, "{observation:?}");
    target.address = format!("http://127.0.0.1:{port}/").parse().expect("a URL");
    target.family = Family::V6;
    let observation = look_at(Target::Http(Box::new(target)), None, PATIENCE).await;
    assert!(cause(&observation).contains("no address of this family"));
}

#[tokio::test]
async fn nobody_there_is_refused() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let observation = look_at(local(port), None, PATIENCE).await;
    assert_eq!(cause(&observation), format!("127.0.0.1:{port}: connection refused"));
}

#[tokio::test]
async fn time_runs_out_in_every_phase_and_the_phase_is_named() {
    // A listener whose queue is full lets the next one wait.
    let full = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    rustix::net::listen(&full, 0).expect("a shorter queue");
    let address = full.local_addr().expect("an address");
    let _waiting = tokio::net::TcpStream::connect(address).await.expect("the one that fits");
    let _too_many = tokio::time::timeout(SHORT, tokio::net::TcpStream::connect(address)).await;
    let trickling = server(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let quiet = silent().await;
    let secure = Target::Http(Box::new(http(&format!("https://127.0.0.1:{quiet}/"))));
    let cases = [
        (local(address.port()), Phase::Connect, "connecting to 127.0.0.1"),
        (secure, Phase::Tls, "shaking hands"),
        (local(quiet), Phase::FirstByte, "waiting for an answer"),
        (local(trickling), Phase::Transfer, "reading the answer"),
    ];
    for (target, phase, doing) in cases {
        // Reading the roots of the platform is not what is measured here.
        let timeout = if phase == Phase::Tls { Duration::from_secs(2) } else { SHORT };
        let observation = look_at(target, None, timeout).await;
        assert!(cause(&observation).starts_with("no result after"), "{observation:?}");
        assert!(cause(&observation).contains(doing), "{observation:?}");
        let last = observation.phases.last().expect("a phase");
        assert!(last.0 == phase && last.1 > timeout / 2, "{observation:?}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    let port = server(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n").await;
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    })
    .await;
    let observation = look_at(local(port), Some("status == 200 and body matches \"^x+$\""), PATIENCE).await;
    assert_eq!(observation.verdict, Verdict::Ok, "{:?}", observation.cause);
    assert_eq!(value(&observation, "body_size"), &Value::Bytes(1 << 20));
    assert!(observation.steps.iter().any(|step| step.text.contains("stopped after")), "{:?}", observation.steps);
}

#[tokio::test]
async fn what_is_not_an_answer_is_named() {
    let cases = [
        ("", "the connection ended before an answer"),
        ("HTTP/1.1 200", "the connection ended before an answer"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", "broke off within its body, after 5 bytes"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nshort", "not HTTP"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "broke off within its body"),
    ];
    for (answer, words) in cases {
        let observation = look_at(local(answers(answer).await), None, PATIENCE).await;
        assert!(cause(&observation).contains(words), "{answer:?}: {observation:?}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "x-filler: 0123456789\r\n".repeat(5000));
    for answer in [endless, format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100_000))] {
        let observation = look_at(local(answers(answer).await), None, PATIENCE).await;
        assert!(cause(&observation).contains("larger than 65536 bytes or has too many headers"), "{observation:?}");
    }
}

#[tokio::test]
async fn redirects_are_answers_until_they_are_followed() {
    let port = answers("HTTP/1.1 302 Found\r\nlocation: /again?x=1\r\ncontent-length: 0\r\n\r\n").await;
    let observation = look_at(local(port), None, PATIENCE).await;
    assert_eq!((observation.verdict, value(&observation, "status")), (Verdict::Ok, &Value::Number(302.0)));
    let mut target = http(&format!("http://127.0.0.1:{port}/"));
    target.redirects = 3;
    let observation = look_at(Target::Http(Box::new(target)), None, PATIENCE).await;
    assert_eq!(cause(&observation), "more than 3 redirects, the last one to /again");
    assert_eq!(value(&observation, "redirects"), &Value::Number(3.0));
}

#[tokio::test]
async fn secrets_stay_with_their_server_and_out_of_what_is_shown() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let last = server(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let head = read_head(&mut stream).await;
            seen.lock().expect("not poisoned").push(head);
            let _ = stream.write_all(UP.as_bytes()).await;
        }
    })
    .await;
    let location = format!("location: http://127.0.0.1:{last}/x?token=hunter2&page=2");
    let first = answers(format!("HTTP/1.1 307 Go\r\n{location}\r\ncontent-length: 0\r\n\r\n")).await;
    let mut target = http(&format!("http://127.0.0.1:{first}/?api_key=hunter2"));
    target.redirects = 1;
    target.headers = vec![
        (AUTHORIZATION, HeaderValue::from_static("Bearer hunter2")),
        (HeaderName::from_static("x-plain"), HeaderValue::from_static("plain")),
    ];
    let observation = look_at(Target::Http(Box::new(target)), None, PATIENCE).await;
    assert_eq!(observation.verdict, Verdict::Ok, "{observation:?}");
    assert!(!format!("{observation:?}").contains("hunter2"), "{observation:?}");
    let heads = heads.lock().expect("not poisoned");
    assert!(heads[0].contains("x-plain: plain") && heads[0].contains("connection: close"), "{heads:?}");
    assert!(!heads[0].to_lowercase().contains("authorization"), "{heads:?}");
}
