//! Deliveries over HTTP: what is answered, what is stored, and that the two agree.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Site, borrowed, eventually, github, now, standard};

fn post(site: &Site, path: &str, headers: &[(&'static str, String)], body: &[u8]) -> u16 {
    site.post(path, &borrowed(headers), body).status
}

#[test]
fn github_is_answered_as_its_rules_say() {
    let site = Site::served();
    let secret = site.secret("github");
    let path = "/hooks/github";
    let (one, two) = (br#"{"action":"opened","n":1}"#, br#"{"action":"opened","n":2}"#);
    assert_eq!(post(&site, path, &github(&secret, "d1", "issues", one), one), 202, "fresh");
    assert_eq!(post(&site, "/github/webhook", &github(&secret, "d1", "issues", one), one), 200, "repeated");
    assert_eq!(post(&site, path, &github(&secret, "d1", "issues", two), two), 409, "another body under the same id");
    assert_eq!(post(&site, path, &github(&secret, "d2", "issues", one), one), 200, "replayed under a fresh id");
    assert_eq!(post(&site, path, &github("wrong", "d3", "issues", two), two), 401);
    assert_eq!(post(&site, path, &github(&secret, "d3", "issues", two)[..3], two), 401, "unsigned");
    let mut plain = github(&secret, "d3", "issues", two);
    plain[0].1 = "text/plain".into();
    assert_eq!(post(&site, path, &plain, two), 415);
    let anonymous: Vec<_> =
        github(&secret, "d3", "issues", two).into_iter().filter(|(name, _)| *name != "x-github-event").collect();
    assert_eq!(post(&site, path, &anonymous, two), 202, "signed, so it is kept as a dead letter");
    assert_eq!(site.events("github"), 2);
    let states: Vec<_> =
        site.json(&["events", "list"]).as_array().expect("a list").iter().map(|event| event["state"].clone()).collect();
    assert!(states.contains(&json!("dead")), "{states:?}");
    site.projected(1);
    for reason in ["conflict", "replay", "signature", "missing-header", "content-type"] {
        eventually(reason, || refusals(&site).contains(reason));
    }
}

/// The reasons of refusals, as `status` sums them up.
fn refusals(site: &Site) -> BTreeSet<String> {
    let output = site.aurora(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let problems = status["problems"].as_array().expect("a list").clone();
    problems
        .iter()
        .filter_map(|problem| problem["what"].as_str())
        .filter_map(|what| Some(what.split_once('(')?.1.split_once(')')?.0.to_owned()))
        .collect()
}

#[test]
fn standard_webhooks_are_answered_as_their_rules_say() {
    let site = Site::served();
    let secret = site.secret("standard");
    let path = "/hooks/standard";
    let (one, two) = (br#"{"type":"a.b"}"#, b"\xff\xfe not utf-8");
    let t = now();
    assert_eq!(post(&site, path, &standard(&secret, "m1", t, one), one), 204, "fresh");
    assert_eq!(post(&site, path, &standard(&secret, "m1", t + 1, one), one), 200, "a retry has a new time");
    assert_eq!(post(&site, path, &standard(&secret, "m1", t, two), two), 409, "another body under the same id");
    assert_eq!(
        post(&site, path, &standard(&secret, "m2", t, one), one),
        204,
        "the id is signed, so an equal body is fresh"
    );
    assert_eq!(post(&site, path, &standard(&secret, "m3", t, two), two), 204, "any bytes");
    assert_eq!(post(&site, path, &standard(&secret, "m4", t - 400, one), one), 401, "too old");
    assert_eq!(post(&site, path, &standard(&secret, "m4", t + 400, one), one), 401, "too early");
    assert_eq!(post(&site, path, &standard(&secret, "m.4", t, one), one), 401, "a dot in the id");
    let svix: Vec<_> = standard(&secret, "m5", t, one)
        .into_iter()
        .zip(["svix-id", "svix-timestamp", "svix-signature"])
        .map(|((_, value), name)| (name, value))
        .collect();
    assert_eq!(post(&site, path, &svix, one), 204);
    assert_eq!(site.events("standard"), 4);
    let first = &site.json(&["events", "list", "--type", "a.*"])[0];
    assert_eq!(first["assurance"], "body+time");
}

#[test]
fn a_shared_secret_is_answered_as_its_rules_say() {
    let mut site = Site::with(
        "[channels.old]\nprovider = \"secret\"\nsecrets = [\"file:a\", \"file:b\"]\ndedupe_pointer = \"/id\"\n\
         [channels.strict]\nprovider = \"secret\"\nsecrets = [\"file:a\"]\nrequire_assurance = \"body\"\n\
         [channels.far]\nprovider = \"secret\"\nsecrets = [\"file:a\"]\nallow_from = [\"203.0.113.0/24\"]\n",
    );
    for name in ["a", "b"] {
        let path = site.path().join(name);
        std::fs::write(&path, format!("{name}{name}{name}-secret")).expect("writes");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
    }
    site.serve();
    let send = |path: &str, headers: &[(&str, &str)], body: &str| site.post(path, headers, body.as_bytes()).status;
    let a = ("x-aurora-secret", "aaa-secret");
    assert_eq!(send("/hooks/old", &[a], "hello"), 202);
    assert_eq!(send("/hooks/old", &[a], "hello"), 200, "an equal body within ten minutes");
    assert_eq!(send("/hooks/old", &[("x-aurora-secret", "bbb-secret")], r#"{"id":7}"#), 202, "the other secret");
    assert_eq!(send("/hooks/old", &[a], r#"{"id":7}"#), 200);
    assert_eq!(send("/hooks/old", &[a], r#"{"id":7,"x":1}"#), 409);
    assert_eq!(send("/hooks/old", &[a, ("x-aurora-id", "k")], "one"), 202);
    assert_eq!(send("/hooks/old", &[a, ("x-aurora-id", "k")], "two"), 409);
    assert_eq!(send("/hooks/old?secret=aaa-secret", &[a], "three"), 401);
    assert_eq!(send("/hooks/old", &[("x-aurora-secret", "ccc")], "three"), 401);
    assert_eq!(send("/hooks/strict", &[a], "hello"), 401, "a static secret proves too little");
    assert_eq!(send("/hooks/far", &[a], "hello"), 401, "not from this address");
    assert_eq!(send("/hooks/nowhere", &[a], "hello"), 404);
    assert_eq!(site.events("old"), 3);
    assert_eq!(site.events("strict") + site.events("far"), 0);
    let bytes = std::fs::read(site.path().join("state/aurora.db-wal")).unwrap_or_default();
    let db = std::fs::read(site.path().join("state/aurora.db")).expect("the database");
    for stored in [&bytes, &db] {
        assert!(!stored.windows(10).any(|window| window == b"aaa-secret"), "the secret is never stored");
    }
}

#[test]
fn every_refused_signature_reads_the_same() {
    let site = Site::served();
    let stale = standard(&site.secret("standard"), "m1", now() - 400, b"{}");
    let answers = [
        site.post("/hooks/github", &borrowed(&github("wrong", "d", "issues", b"{}")), b"{}"),
        site.post("/hooks/standard", &borrowed(&stale), b"{}"),
        site.post("/hooks/secret", &[("x-aurora-secret", "guess")], b"{}"),
        site.post("/hooks/secret", &[], b"{}"),
    ];
    for answer in answers {
        assert_eq!((answer.status, answer.body.as_str()), (401, "unauthorized\n"));
    }
}

#[test]
fn enormous_names_are_cut_and_attaching_still_works() {
    let site = Site::served();
    let secret = site.secret("standard");
    let name = "A".repeat(900_000);
    for n in 0..120 {
        let body = format!("{{\"type\":\"note\",\"from\":\"{name}\",\"n\":{n}}}");
        let headers = standard(&secret, &format!("big{n}"), now(), body.as_bytes());
        assert_eq!(post(&site, "/hooks/standard", &headers, body.as_bytes()), 204);
    }
    site.projected(120);
    let rows = site.json(&["inbox", "list", "--limit", "1"]);
    assert!(rows[0]["from"].as_str().expect("text").len() <= 512);
    assert_eq!(site.aurora(&["status"]).status.code(), Some(0), "a snapshot still fits");
}

#[test]
fn a_replay_does_not_overtake_projection() {
    let mut site = Site::served();
    let secret = site.secret("standard");
    assert!(site.stop());
    // Without projection, so that everything is behind the watermark when the next engine starts.
    let log = std::process::Stdio::null();
    let mut ingest = std::process::Command::new(crate::support::AURORA)
        .args(site.args())
        .args(["serve", "--ingest-only"])
        .stderr(log)
        .spawn()
        .expect("serves");
    crate::support::eventually("listening", || std::net::TcpStream::connect(site.address()).is_ok());
    for n in 0..400 {
        let body = format!("{{\"type\":\"note\",\"text\":\"needle {n}\"}}");
        let headers = standard(&secret, &format!("r{n}"), now(), body.as_bytes());
        assert_eq!(post(&site, "/hooks/standard", &headers, body.as_bytes()), 204);
    }
    ingest.kill().expect("kills");
    ingest.wait().expect("ends");
    site.serve();
    site.ok(&["events", "replay"]);
    site.projected(400);
    crate::support::eventually("all are found", || {
        site.json(&["inbox", "search", "needle", "--limit", "1000"]).as_array().map(Vec::len) == Some(400)
    });
    assert_eq!(site.panel("standard")["unread"], 400);
}

#[test]
fn failures_are_limited_and_valid_deliveries_are_not() {
    let mut site = Site::with("[limits]\ningress_per_minute = 5\n");
    site.serve();
    let (hub, shared) = (site.secret("github"), site.secret("secret"));
    let bad = |n: usize| {
        let body = format!("{{\"n\":{n}}}");
        post(&site, "/hooks/github", &github("wrong", "x", "issues", body.as_bytes()), body.as_bytes())
    };
    let answers: Vec<u16> = (0..8).map(bad).collect();
    assert_eq!(answers, [401, 401, 401, 401, 401, 429, 429, 429]);
    for n in 0..20 {
        let body = format!("{{\"good\":{n}}}");
        let headers = github(&hub, &format!("g{n}"), "issues", body.as_bytes());
        assert_eq!(
            post(&site, "/hooks/github", &headers, body.as_bytes()),
            202,
            "a signature is checked however often others failed"
        );
    }
    for _ in 0..5 {
        assert_eq!(site.post("/hooks/secret", &[("x-aurora-secret", "guess")], b"x").status, 401);
    }
    let answer = site.post("/hooks/secret", &[("x-aurora-secret", &shared)], b"x");
    assert_eq!(answer.status, 429, "a guessable secret is not even compared");
    assert!(answer.head.contains("retry-after: 60"), "{}", answer.head);
    assert_eq!(site.events("github"), 20);
}

#[test]
fn past_the_queue_the_answer_is_503_and_nothing_is_half_stored() {
    let mut site = Site::with("[limits]\nqueue = 1\n[store]\ncommit_batch = 1\n");
    site.serve();
    let secret = site.secret("standard");
    let answers: Vec<_> = std::thread::scope(|scope| {
        let send = |sender: usize| {
            let (site, secret) = (&site, &secret);
            scope.spawn(move || {
                (0..40)
                    .map(|n| {
                        let headers = standard(secret, &format!("q{sender}-{n}"), now(), b"{}");
                        site.post("/hooks/standard", &borrowed(&headers), b"{}")
                    })
                    .collect::<Vec<_>>()
            })
        };
        let senders: Vec<_> = (0..24).map(send).collect();
        senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect()
    });
    let accepted = answers.iter().filter(|answer| answer.status == 204).count();
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert_eq!(accepted + busy.len(), answers.len());
    assert!(!busy.is_empty(), "24 senders overrun a queue of one");
    assert!(busy.iter().all(|answer| answer.head.contains("retry-after: 1")));
    assert_eq!(site.events("standard"), accepted);
}

#[test]
fn a_taken_port_is_a_waiting_task_and_comes_back() {
    let mut site =
        Site::with("[channels.a]\nprovider = \"github\"\nlisten = \"127.0.0.1:PORT\"\nsecrets = [\"env:HOME\"]\n");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = taken.local_addr().expect("an address").port().to_string();
    let path = site.path().join("config.toml");
    let config = std::fs::read_to_string(&path).expect("reads").replace("PORT", &port);
    std::fs::write(&path, config).expect("writes");
    assert!(!site.aurora(&["serve", "--strict"]).status.success(), "strict exits instead");
    site.serve();
    let state = || site.json(&["channel", "list"])[0]["state"].clone();
    crate::support::eventually("the channel is down", || state() == json!("down"));
    assert_eq!(site.aurora(&["status"]).status.code(), Some(3));
    drop(taken);
    site.ok(&["task", "restart", &format!("listener 127.0.0.1:{port}")]);
    crate::support::eventually("the channel listens", || state() == json!("listening"));
    assert_eq!(site.aurora(&["status"]).status.code(), Some(0));
}

#[test]
fn a_graceful_stop_loses_nothing_and_offline_commands_agree() {
    let mut site = Site::served();
    let secret = site.secret("standard");
    for n in 0..50 {
        let body = format!("{{\"type\":\"note\",\"text\":\"word{n} stays\"}}");
        assert_eq!(
            post(
                &site,
                "/hooks/standard",
                &standard(&secret, &format!("m{n}"), now(), body.as_bytes()),
                body.as_bytes()
            ),
            204
        );
    }
    assert!(site.stop(), "SIGTERM ends well");
    assert_eq!(site.events("standard"), 50);
    assert_eq!(site.ok(&["inbox", "count", "--unread"]), "50", "a command projects what is left");
    assert_eq!(site.json(&["inbox", "search", "word7"]).as_array().map(Vec::len), Some(1));
    assert_eq!(site.aurora(&["status"]).status.code(), Some(4), "down");
    assert_eq!(site.ok(&["events", "replay", "--channel", "standard"]), "50 events were read again");
    assert_eq!(site.ok(&["inbox", "count"]), "50");
}
