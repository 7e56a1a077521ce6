//! Checks of a running engine: failures seen in time and explained, restarts, a suspended process, isolation.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use aurora::client::{Client, Target};
use aurora::protocol::{Refusal, Reply, Request};
use rustix::process::Signal;
use serde_json::Value;

use crate::nginx::Nginx;
use crate::support::{Site, eventually, free_port};

/// An HTTP server whose next answers can be chosen. It ends with the test.
struct Server {
    port: u16,
    status: Arc<AtomicUsize>,
    delay_ms: Arc<AtomicU64>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (status, delay_ms, asked) =
            (Arc::new(AtomicUsize::new(200)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let server =
            Self { port, status: Arc::clone(&status), delay_ms: Arc::clone(&delay_ms), asked: Arc::clone(&asked) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                asked.fetch_add(1, Ordering::SeqCst);
                let (status, delay) = (status.load(Ordering::SeqCst), delay_ms.load(Ordering::SeqCst));
                std::thread::spawn(move || answer(stream, status, Duration::from_millis(delay)));
            }
        });
        server
    }

    fn answers(&self, status: usize) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, status: usize, delay: Duration) {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => head.extend_from_slice(&chunk[..count]),
            _ => return,
        }
    }
    std::thread::sleep(delay);
    // Whoever asked may have given up.
    let _ = write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
}

fn check(server: &Server, more: &str) -> String {
    format!(
        "[[checks]]\nid = \"web\"\ntype = \"http\"\nurl = \"http://127.0.0.1:{}/health?token=hunter2\"\n{more}\n",
        server.port
    )
}

fn listed(site: &Site) -> Value {
    site.json(&["check", "list"])
}

fn state(site: &Site) -> String {
    listed(site)[0]["state"].as_str().expect("a state").to_owned()
}

#[test]
fn a_failure_is_seen_and_explained_and_so_is_its_end() {
    let server = Server::new();
    let mut site = Site::with(&check(&server, "interval = \"1s\"\nwhen = 'status == 200 and latency < 900ms'"));
    site.serve();
    eventually("ok", || state(&site) == "ok");
    assert_eq!(site.aurora(&["status"]).status.code(), Some(0));
    server.answers(503);
    eventually("critical", || state(&site) == "critical");
    let row = &listed(&site)[0];
    assert_eq!(row["cause"], "status == 200: got 503");
    assert!(row["uptime_24h"].as_f64().expect("known") < 100.0 && row["p95_ms"].is_number());
    let status = site.aurora(&["status"]);
    assert_eq!(status.status.code(), Some(3));
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(text.contains("check web is critical") && text.contains("aurora check run web --explain"), "{text}");
    let explained = site.aurora(&["check", "run", "web", "--explain"]);
    assert_eq!(explained.status.code(), Some(4));
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    for words in ["status == 200: got 503", "connected to 127.0.0.1", "first byte", "#", "token=***"] {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    // Results are written once a second.
    eventually("kept", || site.json(&["check", "history", "web"])["total"]["critical"].as_u64() >= Some(3));
    let history = site.json(&["check", "history", "web"]);
    let failure = &history["failures"][0]["observation"];
    assert_eq!(failure["cause"], "status == 200: got 503");
    assert!(!failure["steps"].as_array().expect("steps").is_empty());
    assert!(!history.to_string().contains("hunter2"));
    server.answers(200);
    eventually("ok again", || state(&site) == "ok");
    assert_eq!(listed(&site)[0]["cause"], Value::Null);
    assert_eq!(site.aurora(&["check", "run", "web"]).status.code(), Some(0));
}

#[test]
fn fields_are_stable_and_the_worst_comes_first() {
    let server = Server::new();
    let gone = format!(
        "[[checks]]\nid = \"gone\"\ntype = \"tcp\"\nhost = \"127.0.0.1\"\nport = {}\ninterval = \"1s\"\nalert = {{ fail = 1 }}\n",
        free_port()
    );
    let off = "[[checks]]\nid = \"asleep\"\ntype = \"load\"\nenabled = false\n";
    let mut site = Site::with(&format!("{}{off}{gone}", check(&server, "interval = \"1s\"")));
    site.serve();
    eventually("both known", || {
        let list = listed(&site);
        let ids: Vec<&str> = list.as_array().expect("a list").iter().filter_map(|row| row["id"].as_str()).collect();
        ids == ["gone", "asleep", "web"]
    });
    let list = listed(&site);
    let keys: Vec<&str> = list[0].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "id",
            "type",
            "target",
            "state",
            "since",
            "cause",
            "flapping",
            "enabled",
            "last",
            "next",
            "interval_ms",
            "latency_ms",
            "p50_ms",
            "p95_ms",
            "p99_ms",
            "uptime_24h",
            "vantage"
        ]
    );
    assert_eq!((&list[1]["enabled"], &list[1]["last"]), (&Value::Bool(false), &Value::Null));
    let history = || site.json(&["check", "history", "gone", "--since", "1h"]);
    eventually("a failure is kept", || history()["failures"][0].is_object());
    let history = history();
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&history), ["id", "total", "slots", "failures"]);
    let found = ["at", "verdict", "cause", "took_ms", "phases", "values", "steps"];
    assert_eq!(keys(&history["failures"][0]["observation"]), found);
    let run = site.aurora(&["check", "run", "gone", "--json"]);
    assert_eq!(run.status.code(), Some(4));
    let run: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(keys(&run), found);
    assert!(run["took_ms"].is_f64() && run["steps"][0]["at_ms"].is_f64(), "{run}");
    assert_eq!(
        keys(&history["total"]),
        ["from", "seconds", "ok", "warn", "critical", "unknown", "uptime", "p50_ms", "p95_ms", "p99_ms", "longest_ms"]
    );
    let output = site.aurora(&["check", "run", "nope"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("configured are web, asleep, gone"));
    assert_eq!(site.aurora(&["check", "history", "nope"]).status.code(), Some(1));
}

#[test]
fn a_restart_keeps_state_and_history_however_it_ends() {
    let server = Server::new();
    server.answers(503);
    let mut site = Site::with(&check(&server, "interval = \"1s\""));
    site.serve();
    eventually("critical", || state(&site) == "critical");
    let since = listed(&site)[0]["since"].clone();
    let count = |site: &Site| site.json(&["check", "history", "web"])["total"]["critical"].as_u64().expect("a number");
    eventually("kept", || count(&site) >= 4);
    let before = count(&site);
    site.kill();
    assert!(count(&site) >= before - 1, "all but the last second is kept");
    assert_eq!(state(&site), "critical", "without an engine the state directory tells");
    site.serve();
    assert_eq!((state(&site), &listed(&site)[0]["since"]), ("critical".to_owned(), &since));
    eventually("looked at again", || count(&site) > before);
    assert_eq!(listed(&site)[0]["since"], since, "it has not failed anew");
    assert!(site.stop());
    let log: String = std::fs::read_dir(site.path().join("state/logs"))
        .expect("logs")
        .map(|entry| std::fs::read_to_string(entry.expect("a log").path()).expect("text"))
        .collect();
    assert_eq!(log.matches("check is critical").count(), 1, "told once:\n{log}");
    let failures = site.json(&["check", "history", "web"])["failures"].as_array().expect("failures").len();
    assert!((4..=20).contains(&failures), "{failures}");
}

#[test]
fn a_suspended_process_does_not_call_its_own_absence_a_failure() {
    let server = Server::new();
    let mut site = Site::with(&check(&server, "interval = \"2s\"\ntimeout = \"1s\"\nalert = { fail = 1, ok = 1 }"));
    site.serve();
    eventually("ok", || state(&site) == "ok");
    server.delay_ms.store(700, Ordering::SeqCst);
    for _ in 0..2 {
        // In the middle of a look: without care its timeout would be over when the process wakes up.
        let asked = server.asked();
        eventually("a look", || server.asked() > asked);
        site.signal(Signal::STOP);
        std::thread::sleep(Duration::from_secs(3));
        site.signal(Signal::CONT);
        let asked = server.asked();
        eventually("another look", || server.asked() > asked);
    }
    eventually("known again", || state(&site) == "ok");
    let total = site.json(&["check", "history", "web"])["total"].clone();
    assert_eq!(total["critical"], 0, "{total}");
    assert!(total["unknown"].as_u64().expect("a number") >= 1, "{total}");
    assert_eq!(total["uptime"], 100.0);
}

#[test]
fn while_no_witness_answers_failures_of_others_say_nothing() {
    let witness = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = witness.local_addr().expect("an address").port();
    // No name of this machine, so it counts as far; the system connects to itself all the same.
    let far = format!(
        "[[checks]]\nid = \"far\"\ntype = \"tcp\"\nhost = \"0.0.0.0\"\nport = {}\ninterval = \"1s\"\nalert = {{ fail = 1 }}\n",
        free_port()
    );
    let mut site = Site::with(&format!("{far}[health]\nwitnesses = [\"127.0.0.1:{port}\"]\n"));
    site.serve();
    eventually("critical while the witness answers", || state(&site) == "critical");
    drop(witness);
    eventually("isolated", || {
        let text = String::from_utf8_lossy(&site.aurora(&["status"]).stdout).into_owned();
        text.contains("observer isolated") && !text.contains("check far")
    });
    eventually("unknown", || state(&site) == "unknown");
    let before = site.json(&["check", "history", "far"])["total"]["critical"].clone();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(site.json(&["check", "history", "far"])["total"]["critical"], before, "nothing is held against it");
    let _witness = TcpListener::bind(("127.0.0.1", port)).expect("the same port");
    eventually("it counts again", || state(&site) == "critical");
}

/// An operator's key on a screen: nobody waits an hour for the next look.
#[test]
fn a_look_that_is_asked_for_is_answered_and_counts() {
    let server = Server::new();
    let mut site = Site::with(&check(&server, "interval = \"1h\"\nalert = { fail = 1 }"));
    site.serve();
    eventually("the first look", || state(&site) == "ok");
    server.answers(503);
    let socket = Target::Unix(site.path().join("state/aurora.sock"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let ask = async |read_only: bool, id: &str| {
            let mut client = Client::attach(socket.clone(), false, read_only).await.expect("attaches");
            client.answer(Request::CheckNow(id.parse().expect("an id"))).await
        };
        let Ok(Reply::Observation(found)) = ask(false, "web").await else { panic!("no observation") };
        assert_eq!(found.cause.as_deref(), Some("status < 400: got 503"));
        assert!(!found.steps.is_empty());
        assert!(matches!(ask(false, "nope").await, Err(Refusal::Unknown(_))));
        assert!(matches!(ask(true, "web").await, Err(Refusal::Denied(_))));
    });
    eventually("critical", || state(&site) == "critical");
}

#[test]
fn another_set_of_checks_is_taken_while_the_engine_runs() {
    let server = Server::new();
    let mut site = Site::with(&check(&server, "interval = \"1s\""));
    site.serve();
    eventually("ok", || state(&site) == "ok");
    let file = site.path().join("config.toml");
    let before = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::write(&file, format!("{before}[[checks]]\nid = \"more\"\ntype = \"memory\"\n")).expect("writes");
    site.signal(Signal::HUP);
    eventually("one more", || listed(&site).as_array().is_some_and(|list| list.len() == 2));
    let web = |site: &Site| listed(site).as_array().expect("a list").iter().find(|row| row["id"] == "web").cloned();
    assert_eq!(web(&site).expect("still there")["state"], "ok", "what is the same goes on");
    std::fs::write(&file, before.replace("id = \"web\"", "id = \"other\"")).expect("writes");
    site.signal(Signal::HUP);
    eventually("another", || listed(&site).as_array().is_some_and(|list| list.len() == 1 && list[0]["id"] == "other"));
    eventually("its past stays", || site.json(&["check", "history", "web"])["total"]["ok"].as_u64() > Some(0));
}

#[test]
#[ignore = "needs nginx"]
fn a_real_nginx_that_stops_and_starts_is_seen_timed_and_explained() {
    let mut nginx = Nginx::serving("location / { return 200 'ready'; }");
    let config = format!(
        "[[checks]]\nid = \"web\"\ntype = \"http\"\nurl = \"http://127.0.0.1:{}/health\"\ninterval = \"1s\"\n\
         when = 'status == 200 and body contains \"ready\"'\n",
        nginx.port
    );
    let mut site = Site::with(&config);
    site.serve();
    eventually("ok", || state(&site) == "ok");
    nginx.stop();
    eventually("critical", || state(&site) == "critical");
    let cause = listed(&site)[0]["cause"].as_str().expect("a cause").to_owned();
    assert!(cause.contains("connection refused"), "{cause}");
    let explained = site.aurora(&["check", "run", "web", "--explain"]);
    assert_eq!(explained.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&explained.stdout).contains("connection refused"));
    nginx.start_again();
    eventually("ok again", || state(&site) == "ok");
    let history = site.ok(&["check", "history", "web"]);
    for words in ["connection refused", "steps", "UPTIME"] {
        assert!(history.contains(words), "{words} is not in:\n{history}");
    }
    let explained = site.ok(&["check", "run", "web", "--explain"]);
    assert!(explained.contains("first byte") && explained.contains("everything holds"), "{explained}");
}
