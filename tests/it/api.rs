//! The API over real sockets: who may what, what is described, what is refused.

use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::support::{Answer, Site, borrowed, eventually, now, request, send, standard};

const PATHS: [&str; 6] = ["/health", "/metrics", "/api/stats", "/api/health", "/ws/updates", "/openapi.json"];

/// A site with its API listening.
pub fn served(config: &str) -> (Site, SocketAddr) {
    let (mut site, api) = Site::with_api(config);
    site.serve();
    eventually("the API listens", || TcpStream::connect(api).is_ok());
    (site, api)
}

pub fn token(site: &Site, args: &[&str]) -> String {
    site.ok(&[&["access", "token", "add", "ci"], args].concat())
}

pub fn deliver(site: &Site, id: &str) {
    let body = format!("{{\"type\":\"note\",\"subject\":\"subject {id}\",\"from\":\"ann@example.org\"}}");
    let headers = standard(&site.secret("standard"), id, now(), body.as_bytes());
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
}

fn ask(api: SocketAddr, method: &str, path: &str, token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    send(api, &request(method, path, &headers, b"")).expect("an answer")
}

fn get(api: SocketAddr, path: &str, token: Option<&str>) -> Answer {
    ask(api, "GET", path, token)
}

/// That an answer is a problem document that says so itself.
#[track_caller]
fn is_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.head.contains("content-type: application/problem+json"), "{answer:?}");
    let problem: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(problem["status"], status, "{answer:?}");
    assert!(!problem["detail"].as_str().expect("a detail").is_empty());
}

#[track_caller]
fn is_secured(answer: &Answer) {
    for header in [
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        "referrer-policy: no-referrer",
    ] {
        assert!(answer.head.contains(header), "{header}: {answer:?}");
    }
}

#[test]
fn without_a_token_there_is_nothing_but_health() {
    let (_site, api) = served("");
    let health = get(api, "/health", None);
    assert_eq!((health.status, health.body.as_str()), (200, "{\"status\":\"up\"}"));
    is_secured(&health);
    for path in PATHS.into_iter().skip(1).chain(["/", "/api/health/x", "/nowhere"]) {
        for token in [None, Some("aur_wrong"), Some("hunter2")] {
            let answer = get(api, path, token);
            is_problem(&answer, 401);
            is_secured(&answer);
            assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
            assert!(!answer.body.contains("wrong") && !answer.body.contains("hunter2"), "{answer:?}");
        }
    }
}

/// The whole description against the whole program: every path, every method, with and without a token.
#[test]
fn answers_are_as_described() {
    let (site, api) = served(&memory("ok", "size > 1KiB"));
    deliver(&site, "m1");
    let all = token(&site, &[]);
    let description: Value = serde_json::from_str(&get(api, "/openapi.json", Some(&all)).body).expect("JSON");
    let paths = description["paths"].as_object().expect("paths");
    assert_eq!(paths.keys().collect::<Vec<_>>(), PATHS);
    let none = token(&site, &["--scope", "updates"]);
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            for token in [None, Some("aur_wrong"), Some(none.as_str()), Some(all.as_str())] {
                let answer = ask(api, &method.to_uppercase(), path, token);
                let response = &operation["responses"][answer.status.to_string()];
                assert!(response.is_object(), "{method} {path}: {answer:?}");
                if method == "head" {
                    assert_eq!(answer.body, "", "{path}");
                    continue;
                }
                matches_response(&description, response, &answer);
            }
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let answer = ask(api, method, path, Some(&all));
            is_problem(&answer, 405);
            assert!(answer.head.contains("allow: get,head"), "{answer:?}");
            is_secured(&answer);
        }
    }
    for path in ["/", "/api", "/api/stats/", "/api/nowhere", "/ws", "/hooks/standard", "/../metrics"] {
        is_problem(&get(api, path, Some(&all)), 404);
    }
}

/// Media type, required headers and required fields of one answer.
#[track_caller]
fn matches_response(description: &Value, response: &Value, answer: &Answer) {
    for header in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
        assert!(answer.head.contains(&format!("{}:", header.to_lowercase())), "{header}: {answer:?}");
    }
    let content = response["content"].as_object().expect("content");
    let (_, media) = content
        .iter()
        .find(|(name, _)| answer.head.contains(&format!("content-type: {}", name.to_lowercase())))
        .unwrap_or_else(|| panic!("another media type: {answer:?}"));
    let mut schema = &media["schema"];
    if let Some(reference) = schema["$ref"].as_str() {
        schema = description.pointer(&reference[1..]).expect("a schema");
    }
    if schema["type"] == "string" {
        return;
    }
    conforms(schema, &serde_json::from_str(&answer.body).expect("JSON"));
}

#[track_caller]
fn conforms(schema: &Value, value: &Value) {
    match schema["type"].as_str() {
        Some("object") => {
            let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
            if schema["additionalProperties"].is_object() {
                object.values().for_each(|inner| conforms(&schema["additionalProperties"], inner));
                return;
            }
            let Some(properties) = schema["properties"].as_object() else { return };
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                assert!(object.contains_key(name), "{name} is missing: {value}");
            }
            for (name, inner) in object {
                conforms(properties.get(name).unwrap_or_else(|| panic!("{name} is not described")), inner);
            }
        }
        Some("array") => value.as_array().expect("an array").iter().for_each(|item| conforms(&schema["items"], item)),
        Some("integer") => assert!(value.is_u64(), "{value}"),
        Some("boolean") => assert!(value.is_boolean(), "{value}"),
        Some("string") => assert!(value.is_string(), "{value}"),
        _ => {
            let options = schema["oneOf"].as_array().or(schema["enum"].as_array()).expect("options");
            assert!(options.iter().any(|option| option == value || option["const"] == *value), "{value} in {schema}");
        }
    }
}

#[test]
fn counts_and_numbers_follow_deliveries() {
    let (site, api) = served("[contacts]\nvip = [\"@example.org\"]\n");
    let all = token(&site, &[]);
    for id in ["m1", "m2", "m3"] {
        deliver(&site, id);
    }
    assert_eq!(site.post("/hooks/standard", &[], b"{}").status, 401);
    site.projected(3);
    let id = site.json(&["inbox", "list"])[0]["id"].as_str().expect("an id").to_owned();
    site.ok(&["inbox", "ack", &id]);
    let stats: Value = serde_json::from_str(&get(api, "/api/stats", Some(&all)).body).expect("JSON");
    let channels = stats["channels"].as_array().expect("channels");
    let standard = channels.iter().find(|channel| channel["channel"] == "standard").expect("it is there");
    assert_eq!(*standard, json!({"channel": "standard", "messages": 3, "unread": 2, "vip": 3, "processed_today": 3}));
    eventually("the refusal is counted", || {
        get(api, "/metrics", Some(&all))
            .body
            .contains("aurora_deliveries_refused_total{channel=\"standard\",reason=\"missing-header\"} 1")
    });
    let metrics = get(api, "/metrics", Some(&all)).body;
    for line in [
        "aurora_build_info{version=",
        "aurora_events_total{channel=\"standard\"} 3",
        "aurora_messages_unread{channel=\"standard\",vip=\"true\"} 2",
        "aurora_channel_listening{channel=\"standard\"} 1",
        "aurora_task_running{task=\"projector\"} 1",
        "aurora_deliveries_recorded_total 3",
        "aurora_store_queue_length 0",
        "aurora_store_commit_seconds_bucket{le=\"+Inf\"} 3",
    ] {
        assert!(metrics.contains(line), "{line}:\n{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
}

/// A check of this machine's memory.
fn memory(id: &str, when: &str) -> String {
    format!("[[checks]]\nid = \"{id}\"\ntype = \"memory\"\ninterval = \"1s\"\nwhen = '{when}'\n")
}

#[test]
fn checks_are_told_as_yes_and_no_and_as_numbers() {
    let off = format!("{}enabled = false\n", memory("off", "size > 1KiB"));
    let (site, api) = served(&[memory("fails", "size < 1KiB"), memory("holds", "size > 1KiB"), off].concat());
    let all = token(&site, &[]);
    let one = token(&site, &["--scope", "health"]);
    let health = || serde_json::from_str::<Value>(&get(api, "/api/health", Some(&one)).body).expect("JSON");
    eventually("both are judged", || health() == json!({"fails": false, "holds": true}));
    is_problem(&get(api, "/metrics", Some(&one)), 403);
    eventually("it is in the numbers", || {
        get(api, "/metrics", Some(&all)).body.contains("aurora_check_up{check=\"fails\"} 0\n")
    });
    let metrics = get(api, "/metrics", Some(&all)).body;
    for line in [
        "aurora_checks{state=\"critical\"} 1\n",
        "aurora_checks{state=\"ok\"} 1\n",
        "aurora_checks_unlisted 0\n",
        "aurora_check_up{check=\"holds\"} 1\n",
        "aurora_check_state{check=\"fails\"} 4\n",
        "aurora_check_latency_seconds{check=\"holds\"} 0.",
        "aurora_check_uptime_ratio{check=\"holds\"} 1.0\n",
        "aurora_check_looks_skipped_total 0\n",
        "aurora_check_lag_seconds{quantile=\"0.99\"} 0.",
    ] {
        assert!(metrics.contains(line), "{line}:\n{metrics}");
    }
    assert!(!metrics.contains("check=\"off\""), "{metrics}");
}

#[test]
fn a_token_counts_for_its_scopes_until_it_ends() {
    let (site, api) = served("");
    let stats = token(&site, &["--scope", "stats"]);
    assert_eq!(get(api, "/api/stats", Some(&stats)).status, 200);
    let answer = get(api, "/metrics", Some(&stats));
    is_problem(&answer, 403);
    assert!(answer.body.contains("the token is limited to stats"), "{answer:?}");
    let short = token(&site, &["--expires", "1s"]);
    eventually("it expires", || get(api, "/api/stats", Some(&short)).status == 401);
    let list = site.json(&["access", "token", "list"]);
    assert!(list[0]["used"].is_string(), "{list}");
    site.ok(&["access", "token", "revoke", list[0]["id"].as_str().expect("an id")]);
    let answer = get(api, "/api/stats", Some(&stats));
    is_problem(&answer, 401);
    assert!(answer.body.contains("unknown, expired or revoked"), "{answer:?}");
}

#[test]
fn a_token_ends_with_its_operator() {
    let (site, api) = served("[operators.anna]\nrole = \"admin\"\n");
    let anna = site.ok(&["access", "token", "add", "anna"]);
    let role = || site.json(&["access", "token", "list"])[0]["role"].clone();
    assert_eq!((get(api, "/api/stats", Some(&anna)).status, role()), (200, json!("admin")));
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("reads");
    std::fs::write(&file, text.replace("role = \"admin\"", "role = \"viewer\"")).expect("writes");
    eventually("she is a viewer", || role() == "viewer");
    assert_eq!(get(api, "/api/stats", Some(&anna)).status, 200);
    std::fs::write(&file, text.replace("[operators.anna]\nrole = \"admin\"\n", "")).expect("writes");
    eventually("she is gone", || role() == Value::Null);
    is_problem(&get(api, "/api/stats", Some(&anna)), 401);
    assert!(site.ok(&["access", "token", "list"]).contains("none"));
}

#[test]
fn limits_hold_and_are_said() {
    let (site, api) = served("[limits]\napi_per_minute = 20\n");
    let all = token(&site, &[]);
    let mut answers: Vec<Answer> = (0..25).map(|_| get(api, "/api/stats", Some(&all))).collect();
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 429).count(),
        5 + usize::from(answers[19].status == 429)
    );
    let last = answers.pop().expect("answers");
    is_problem(&last, 429);
    assert!(last.head.contains("retry-after: 3"), "{last:?}");
    is_problem(&get(api, "/health", None), 429);
    let (site, api) = served("");
    let all = token(&site, &[]);
    let mut wrong = (0..40).map(|_| get(api, "/api/stats", Some("aur_wrong")).status);
    assert!(wrong.by_ref().take(30).all(|status| status == 401));
    assert!(wrong.all(|status| status == 429), "wrong tokens are limited");
    assert_eq!(get(api, "/api/stats", Some(&all)).status, 200, "a right one is not locked out");
}

#[test]
fn bad_requests_get_clean_refusals() {
    let (site, api) = served("");
    let all = token(&site, &[]);
    let bearer = format!("Bearer {all}");
    let headers = [("authorization", bearer.as_str())];
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    let long = "x".repeat(200_000);
    let cases: [(&str, Vec<u8>, u16); 9] = [
        ("a body", request("GET", "/api/stats", &headers, b"{}"), 413),
        (
            "a large body announced",
            b"POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n".to_vec(),
            413,
        ),
        (
            "a chunked body",
            b"POST /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec(),
            413,
        ),
        ("two tokens", request("GET", "/api/stats", &twice, b""), 401),
        (
            "a long token",
            request("GET", "/api/stats", &[("authorization", &format!("Bearer aur_{}", &long[..300]))], b""),
            401,
        ),
        ("no bearer", request("GET", "/api/stats", &[("authorization", "Basic YTpi")], b""), 401),
        ("a token in the address", request("GET", &format!("/ws/updates?token={all}"), &headers, b""), 400),
        ("no websocket", request("GET", "/ws/updates", &headers, b""), 426),
        ("another origin", request("GET", "/ws/updates", &[headers[0], ("origin", "https://evil.example")], b""), 403),
    ];
    for (what, bytes, status) in cases {
        let answer = send(api, &bytes).unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        is_problem(&answer, status);
        is_secured(&answer);
        assert!(!answer.body.contains(&all), "{what}: a token is never repeated");
    }
    let answer = send(api, &request("GET", "/api/stats", &[("x-long", &long)], b"")).expect("an answer");
    assert_eq!(answer.status, 431);
    for garbage in [&b"\x16\x03\x01\x00\xa5"[..], b"GET /health\r\n\r\n", b"\0\0\0\0\r\n\r\n"] {
        let _ = send(api, garbage);
    }
    assert_eq!(get(api, "/health", None).status, 200, "others are undisturbed");
}

#[test]
fn health_says_when_nothing_can_be_delivered() {
    let (mut site, api) = Site::with_api("");
    let taken = TcpListener::bind(site.address()).expect("the port is free");
    site.serve();
    eventually("it is down", || TcpStream::connect(api).is_ok() && get(api, "/health", None).status == 503);
    assert_eq!(get(api, "/health", None).body, "{\"status\":\"down\"}");
    drop(taken);
    site.ok(&["task", "restart", &format!("listener {}", site.address())]);
    eventually("it is up again", || get(api, "/health", None).body == "{\"status\":\"up\"}");
}

#[test]
fn a_taken_port_is_a_red_task_that_retries() {
    let (mut site, api) = Site::with_api("");
    let taken = TcpListener::bind(api).expect("the port is free");
    assert_eq!(site.aurora(&["serve", "--strict"]).status.code(), Some(1));
    site.serve();
    eventually("it is shown", || {
        let tasks = site.json(&["task", "list"]);
        tasks[0]["name"] == format!("api {api}") && tasks[0]["state"] == "waiting"
    });
    drop(taken);
    site.ok(&["task", "restart", &format!("api {api}")]);
    eventually("it listens", || get(api, "/health", None).status == 200);
}
