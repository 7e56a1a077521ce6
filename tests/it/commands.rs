//! Commands: stable JSON fields, exit codes, errors that say what to do.

use serde_json::Value;

use crate::support::{CHANNELS, Site, borrowed, eventually, github, head, now, standard};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn filled() -> Site {
    let site = Site::served();
    let body = br#"{"type":"note","subject":"Hello","text":"there","from":{"name":"Ann","email":"ann@example.org"}}"#;
    let headers = standard(&site.secret("standard"), "m1", now(), body);
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body).status, 204);
    site.projected(1);
    site
}

#[test]
fn an_export_is_every_message_in_the_order_of_the_list() {
    let site = filled();
    for n in 2..=40 {
        let body = format!(r#"{{"type":"note","subject":"Note {n}","text":"there"}}"#);
        let headers = standard(&site.secret("standard"), &format!("m{n}"), now(), body.as_bytes());
        assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
    }
    site.projected(40);
    let listed = site.json(&["inbox", "list", "--limit", "100"]);
    let listed: Vec<&Value> = listed.as_array().expect("a list").iter().map(|row| &row["id"]).collect();
    let exported: Vec<Value> = site
        .ok(&["inbox", "export"])
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["id"].clone())
        .collect();
    assert_eq!(exported.iter().collect::<Vec<_>>(), listed);
    assert_eq!(listed.len(), 40);
}

#[test]
fn json_fields_are_stable() {
    let site = filled();
    let event = &site.json(&["events", "list"])[0];
    assert_eq!(
        keys(event),
        ["seq", "id", "channel", "type", "time", "received", "subject", "dedupe_key", "assurance", "state"]
    );
    let row = &site.json(&["inbox", "list"])[0];
    let row_keys =
        ["seq", "id", "channel", "type", "contact", "from", "vip", "subject", "preview", "received", "marks"];
    assert_eq!(keys(row), row_keys);
    let id = row["id"].as_str().expect("an id");
    let message = site.json(&["inbox", "show", id]);
    assert_eq!(
        keys(&message),
        [&row_keys[..], &["conversation", "address", "text", "attachments", "headers", "raw", "raw_len"]].concat()
    );
    let row = &site.json(&["inbox", "list", "--conversations"])["rows"][0];
    let conversation_keys = [
        &["id", "place", "channel", "newest", "type", "contact", "from", "vip", "subject", "preview", "received"][..],
        &["messages", "unread", "acked", "acked_by", "labels", "assignee", "snoozed", "notes", "repeats", "addresses"],
    ];
    assert_eq!(keys(row), conversation_keys.concat());
    let conversation = row["id"].as_str().expect("an id");
    site.ok(&["inbox", "note", conversation, "call back"]);
    let page = site.json(&["inbox", "show", conversation]);
    assert_eq!(keys(&page), ["row", "entries", "older", "person"]);
    assert_eq!(keys(&page["entries"][0]["message"]), ["row", "text", "cut", "elsewhere"]);
    assert_eq!(keys(&page["entries"][1]["note"]), ["n", "at", "who", "text"]);
    let exported: Value = serde_json::from_str(&site.ok(&["inbox", "export"])).expect("one line");
    assert_eq!(exported, message);
    let contact = &site.json(&["contact", "list"])[0];
    assert_eq!(keys(contact), ["id", "channel", "address", "name", "vip", "messages", "last", "others"]);
    assert_eq!(
        keys(&site.json(&["task", "list"])[0]),
        ["name", "state", "since", "restarts", "last_error", "next_try", "trouble"]
    );
    assert_eq!(
        keys(&site.json(&["channel", "list"])[0]),
        [
            "id",
            "provider",
            "state",
            "urls",
            "events",
            "unread_vip",
            "unread",
            "per_minute",
            "last_event",
            "rejected",
            "last_error"
        ]
    );
    assert_eq!(keys(&site.json(&["status"])), ["status", "node", "version", "started", "problems", "channels"]);
    assert_eq!(
        keys(&site.json(&["config", "print"])),
        [
            "node",
            "listen",
            "limits",
            "commands",
            "policy",
            "agent",
            "contacts",
            "store",
            "health",
            "federation",
            "nodes",
            "hosts",
            "checks",
            "tui",
            "keys",
            "operators",
            "channels",
            "sources"
        ]
    );
}

#[test]
fn raw_bytes_come_back_exactly() {
    let site = Site::served();
    let body = b"\x00\xff\x1b[2J\r\nend";
    let headers = standard(&site.secret("standard"), "m1", now(), body);
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body).status, 204);
    let id = site.json(&["events", "list"])[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(site.aurora(&["events", "show", &id, "--raw"]).stdout, body);
}

#[test]
fn contacts_become_vips_and_their_messages_count_so() {
    let site = filled();
    let id = site.json(&["contact", "list"])[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(site.ok(&["inbox", "count", "--vip"]), "0");
    assert_eq!(site.ok(&["contact", "vip", &id]), "ann@example.org is a VIP");
    assert_eq!(site.ok(&["inbox", "count", "--vip", "--unread"]), "1");
    assert_eq!(site.panel("standard")["unread_vip"], 1, "the panel counts again");
    assert_eq!(site.ok(&["contact", "vip", "--remove", &id]), "ann@example.org is no VIP");
}

#[test]
fn a_state_directory_is_where_the_command_is_run_and_not_where_the_configuration_lies() {
    let (site, elsewhere) = (Site::bare(""), tempfile::tempdir().expect("a directory"));
    let mut command = std::process::Command::new(crate::support::AURORA);
    command.current_dir(elsewhere.path()).arg("--config").arg(site.path().join("config.toml"));
    let output = command.args(["--state-dir", "kept/here", "inbox", "count"]).output().expect("aurora runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n", "{}", String::from_utf8_lossy(&output.stderr));
    assert!(elsewhere.path().join("kept/here/aurora.db").exists());
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    let site = Site::new();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["events", "show", "evt_x"], 2, "expected `evt_`"),
        (&["events", "list", "--since", "yesterday"], 2, "30m, 2h or 7d"),
        (&["send-test", "nope"], 2, "configured are github, mailgun, secret, standard"),
        (&["status"], 4, "aurora serve"),
        (&["watch"], 4, "no engine listens"),
        (&["attach", "wss://x"], 2, "wss:// is not built"),
        (&["inbox", "snooze", "msg_00000000000000000000000000000000", "soon"], 2, "tomorrow 9:00"),
        (&["inbox", "ack", "con_00000000000000000000000000000000"], 2, "expected `cnv_` or `msg_`"),
        (&["inbox", "label", "msg_00000000000000000000000000000000", "a b"], 2, "1 to 32 letters"),
        (&["inbox", "assign", "msg_00000000000000000000000000000000", "zeno"], 1, "no operator is called zeno"),
        (&["inbox", "undo", "act_00000000000000000000000000000000"], 1, "no act has the id"),
        (&["nonsense"], 2, "unrecognized subcommand"),
        (&["inbox", "show", "msg_00000000000000000000000000000000"], 1, "no message has the id"),
    ];
    for (args, code, words) in cases {
        let output = site.aurora(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
    let fresh = Site::bare("").aurora(&["send-test", "github"]);
    assert_eq!(fresh.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&fresh.stderr).contains("start aurora once"), "{fresh:?}");
    let output = site.aurora(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("aurora serve"), "no terminal");
}

#[test]
fn who_stops_reading_changes_no_exit_code_and_hears_no_error() {
    let site = filled();
    let event = site.json(&["events", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let commands: &[&[&str]] = &[
        &["access", "whoami"],
        &["approval", "list"],
        &["audit", "export"],
        &["audit", "list"],
        &["audit", "verify"],
        &["channel", "list"],
        &["check", "list"],
        &["config", "print"],
        &["config", "schema"],
        &["contact", "list", "--limit", "2000"],
        &["do", "--list"],
        &["events", "count"],
        &["events", "list", "--json"],
        &["events", "show", &event],
        &["events", "show", &event, "--raw"],
        &["host", "list"],
        &["inbox", "export"],
        &["inbox", "list"],
        &["inbox", "search", "hello", "--best", "--limit", "2000"],
        &["job", "list"],
        &["keys", "check"],
        &["keys", "list"],
        &["node", "list"],
        &["pane", "list"],
        &["rollout", "list"],
        &["send-test", "standard"],
        &["status", "--json"],
        &["task", "list"],
        &["theme", "lint"],
        &["theme", "list"],
        &["--help"],
    ];
    for args in commands {
        let (read, unread) = (site.aurora(args), site.unread(args));
        assert_eq!(unread.status.code(), read.status.code(), "{args:?}: {unread:?}");
        assert_eq!(String::from_utf8_lossy(&unread.stderr), String::from_utf8_lossy(&read.stderr), "{args:?}");
    }
    let watched = site.unread(&["watch", "--json"]);
    assert_eq!((watched.status.code(), watched.stderr.as_slice()), (Some(0), &b""[..]), "it ends by itself");
    let file = site.path().join("config.toml");
    let good = std::fs::read_to_string(&file).expect("reads");
    std::fs::write(&file, format!("{good}\nnonsense = 1\n")).expect("writes");
    eventually("a mistake", || site.aurora(&["status"]).status.code() == Some(3));
    assert_eq!(site.unread(&["status"]).status.code(), Some(3), "how things are is in the exit code");
}

#[test]
fn the_configuration_is_written_checked_and_shown_without_secrets() {
    let site = Site::new();
    let file = site.path().join("new/config.toml");
    let shown = file.display().to_string();
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(crate::support::AURORA);
        command.arg("--config").arg(&file).args(args).env("X_SECRET", "hunter2").output().expect("runs")
    };
    assert!(run(&["config", "init"]).status.success());
    assert_eq!(run(&["config", "init"]).status.code(), Some(1), "it is not overwritten");
    assert!(run(&["config", "check"]).status.success());
    std::fs::write(&file, "[listen]\nlissten = 1\n").expect("writes");
    let output = run(&["config", "check"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains(&format!("{shown}:2:1")) && stderr.contains("^^^"), "{stderr}");
    std::fs::write(&file, "[channels.a]\nprovider = \"github\"\nsecrets = [\"env:X_SECRET\"]\n").expect("writes");
    let output = run(&["config", "print"]);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.contains("env:X_SECRET") && !stdout.contains("hunter2"), "{stdout}");
    let secret = site.path().join("open");
    std::fs::write(&secret, "value").expect("writes");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("chmod");
    std::fs::write(&file, format!("[channels.a]\nprovider = \"github\"\nsecrets = [\"file:{}\"]\n", secret.display()))
        .expect("writes");
    let output = run(&["config", "check"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("chmod 600") && stderr.contains(&format!("{shown}:3:12")), "{stderr}");
    let schema: Value = serde_json::from_slice(&run(&["config", "schema"]).stdout).expect("JSON");
    assert!(schema["properties"]["channels"].is_object());
}

#[test]
fn what_is_in_effect_says_where_each_value_comes_from() {
    let site = Site::bare("[limits]\nqueue = 9\n[[checks]]\nid = \"www.cert\"\ntype = \"disk\"\npath = \"/\"\n");
    let run = |args: &[&str], dir: Option<&str>| {
        let mut command = std::process::Command::new(crate::support::AURORA);
        command.arg("--config").arg(site.path().join("config.toml")).args(["config", "print"]).args(args);
        command.env_remove("AURORA_STATE_DIR").envs(dir.map(|dir| ("AURORA_STATE_DIR", dir)));
        let output = command.output().expect("runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = run(&["--state-dir", "/tmp/there"], None);
    let has = |line: &str| assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
    let file = site.path().join("config.toml").display().to_string();
    has(&format!("# What {file} says has its line there; the rest is the default."));
    has("name = \"test\"  # line 5");
    has("state_dir = \"/tmp/there\"  # --state-dir");
    has("queue = 9  # line 7");
    has("connections = 1024");
    has("target = \"/\"  # line 8");
    toml::from_str::<toml::Table>(&text).expect("it is TOML all the same");
    assert!(run(&[], Some("/tmp/there")).contains("state_dir = \"/tmp/there\"  # AURORA_STATE_DIR"));
    let shown: Value = serde_json::from_str(&run(&["--json", "--theme", "dark"], None)).expect("JSON");
    let source = |path: &str| shown["sources"][path].as_str().unwrap_or_default().to_owned();
    assert_eq!(source("limits.queue"), format!("{file}:7"));
    assert_eq!(source("limits.connections"), "default");
    assert_eq!(source("tui.theme"), "--theme");
    assert_eq!(source("checks.\"www.cert\".type"), format!("{file}:10"));
    assert_eq!(source("node.state_dir"), "default");
}

#[test]
fn samples_and_channel_tests_go_through_the_real_socket() {
    let site = Site::served();
    for channel in CHANNELS {
        assert!(site.ok(&["send-test", channel, "--count", "3"]).contains("3 accepted"));
        let output = site.ok(&["channel", "test", channel]);
        assert_eq!(output.matches("ok  ").count(), 3, "{output}");
        assert_eq!(site.events(channel), 4);
    }
}

#[test]
fn a_captured_request_can_be_explained() {
    let site = Site::served();
    let secret = site.secret("github");
    let body = br#"{"action":"opened"}"#;
    let file = site.path().join("captured");
    let write = |headers: &[(&'static str, String)]| {
        let lines = head(headers);
        let text = [format!("POST /hooks/github HTTP/1.1\r\n{lines}\r\n").as_bytes(), body].concat();
        std::fs::write(&file, text).expect("writes");
    };
    let path = file.display().to_string();
    write(&github(&secret, "d1", "issues", body));
    assert!(site.ok(&["channel", "verify", "github", "--request", &path]).contains("verified: body"));
    write(&github("other", "d1", "issues", body));
    let output = site.aurora(&["channel", "verify", "github", "--request", &path, "--explain"]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.contains("secret 1: HMAC-SHA256 over 19 bytes"), "{stdout}");
    let expected = github(&secret, "d1", "issues", body)[3].1.clone();
    let all = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        !all.contains(&expected[7..]) && !all.contains(&secret),
        "neither the expected value nor the secret is shown"
    );
    assert_eq!(site.events("github"), 0, "nothing is stored");
}
