//! `aurora node` and the endpoints for holders of a token: two engines that are told of each other by hand.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use aurora::federation::JoinToken;
use aurora::model::NodeKey;
use serde_json::Value;

use crate::support::{AURORA, Site, eventually, free_port, request, send};

/// A site called `name` that takes part, and where others reach it.
fn node(name: &str) -> (Site, SocketAddr) {
    let site = Site::with("[federation]\nenabled = true\n");
    let door = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("reads");
    let text = text.replace("name = \"test\"", &format!("name = \"{name}\""));
    let text = text.replace("api = \"off\"", &format!("api = \"off\"\nfederation = \"{door}\""));
    std::fs::write(&file, text).expect("writes");
    (site, door)
}

fn served(name: &str) -> (Site, SocketAddr) {
    let (mut site, door) = node(name);
    site.serve();
    (site, door)
}

/// What a command that must fail says, and its exit code.
#[track_caller]
fn refused(site: &Site, args: &[&str]) -> (i32, String) {
    let output = site.aurora(args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "aurora {args:?} went well: {text}");
    (output.status.code().expect("a code"), text)
}

/// The row of `name` in the list of `site`.
fn row(site: &Site, name: &str) -> Option<Value> {
    let rows = site.json(&["node", "list"]);
    rows.as_array().expect("rows").iter().find(|row| row["name"] == name).cloned()
}

fn state(site: &Site, name: &str) -> String {
    row(site, name).map(|row| row["state"].as_str().expect("a state").to_owned()).unwrap_or_default()
}

#[test]
fn an_invitation_makes_two_nodes_know_each_other_once() {
    let ((one, _), (two, _)) = (served("hub-1"), served("hub-2"));
    let token = one.ok(&["node", "invite", "--trust", "observe"]);
    assert!(token.starts_with("aurora-join-") && !token.contains(char::is_whitespace), "{token}");
    // On standard input, where `ps` does not show it.
    let mut join = Command::new(AURORA)
        .args(two.args())
        .args(["node", "join", "-", "--trust", "command"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("aurora runs");
    std::io::Write::write_all(&mut join.stdin.take().expect("a pipe"), token.as_bytes()).expect("writes");
    let output = join.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && said.contains("hub-1 is known now"), "{said}");

    eventually("each hears the other", || state(&one, "hub-2") == "alive" && state(&two, "hub-1") == "alive");
    let (at_one, at_two) = (row(&one, "hub-2").expect("a row"), row(&two, "hub-1").expect("a row"));
    assert_eq!((at_one["trust"].as_str(), at_two["trust"].as_str()), (Some("observe"), Some("command")));
    assert_eq!(at_one["fingerprints"], row(&two, "hub-2").expect("a row")["fingerprints"]);
    assert_eq!(at_two["fingerprints"], row(&one, "hub-1").expect("a row")["fingerprints"]);
    assert!(said.contains(at_two["fingerprints"][0].as_str().expect("text")), "{said}");
    let table = one.ok(&["node", "list"]);
    assert!(table.contains("hub-1*") && table.contains("hub-2") && table.contains("observe"), "{table}");

    let (three, _) = served("hub-3");
    let (code, text) = refused(&three, &["node", "join", &token]);
    assert_eq!(code, 1);
    assert!(text.contains("it was used"), "{text}");
    assert_eq!(row(&one, "hub-3"), None);
    assert_eq!(row(&three, "hub-1"), None, "nothing is pinned by an invitation that does not count");
}

#[test]
fn names_are_taken_once_and_tokens_are_read_with_care() {
    let ((one, door), (two, _)) = (served("hub-1"), served("hub-2"));
    two.ok(&["node", "join", &one.ok(&["node", "invite"])]);
    let (twin, _) = served("hub-2");
    let token = one.ok(&["node", "invite"]);
    let (_, text) = refused(&twin, &["node", "join", &token]);
    assert!(text.contains("the name hub-2 belongs to another node"), "{text}");
    let (_, text) = refused(&one, &["node", "join", &token]);
    assert!(text.contains("made on this node"), "{text}");
    let (_, text) = refused(&twin, &["node", "join", "hunter2"]);
    assert!(text.contains("no token of `aurora node invite`") && !text.contains("hunter2"), "{text}");
    // The one that was refused for its name may still be used by another.
    let (three, _) = served("hub-3");
    three.ok(&["node", "join", &token]);

    let own = row(&one, "hub-1").expect("a row");
    let key: NodeKey = own["keys"][0].as_str().expect("text").parse().expect("a key");
    let long_ago = jiff::Timestamp::now() - std::time::Duration::from_secs(901);
    let over = JoinToken::new("hub-1".parse().expect("a name"), format!("http://{door}"), key, None, long_ago);
    let (four, _) = served("hub-4");
    let (_, text) = refused(&four, &["node", "join", &over.to_string()]);
    assert!(text.contains("the invitation was good until"), "{text}");
    // One that was never made there.
    let made_up =
        JoinToken::new("hub-1".parse().expect("a name"), format!("http://{door}"), key, None, jiff::Timestamp::now());
    let (_, text) = refused(&four, &["node", "join", &made_up.to_string()]);
    assert!(text.contains("nobody was invited by this token"), "{text}");
    assert_eq!(row(&one, "hub-4"), None);
}

#[test]
fn a_node_is_added_by_hand_trusted_changed_and_forgotten() {
    let ((one, at_one), (two, at_two)) = (served("hub-1"), served("hub-2"));
    let key = |site: &Site, name: &str| row(site, name).expect("a row")["keys"][0].as_str().expect("text").to_owned();
    let (one_s, two_s) = (key(&one, "hub-1"), key(&two, "hub-2"));
    one.ok(&["node", "add", "hub-2", &format!("http://{at_two}"), &two_s]);
    two.ok(&["node", "add", "hub-1", &format!("http://{at_one}"), &one_s]);
    eventually("each hears the other", || state(&one, "hub-2") == "alive" && state(&two, "hub-1") == "alive");
    one.ok(&["node", "trust", "hub-2", "command"]);
    assert_eq!(row(&one, "hub-2").expect("a row")["trust"], "command");

    // Another key: the others learn it by the heartbeats, and none is refused meanwhile.
    let rotated = two.ok(&["node", "rotate"]);
    let new = key(&two, "hub-2");
    assert!(rotated.contains(&new) && new != two_s, "{rotated}");
    eventually("the new key is learned", || {
        let keys = row(&one, "hub-2").expect("a row")["keys"].clone();
        keys[0] == new.as_str() && keys[1] == two_s.as_str()
    });
    assert_eq!((state(&one, "hub-2").as_str(), state(&two, "hub-1").as_str()), ("alive", "alive"));
    let log = std::fs::read_to_string(one.path().join("serve.log")).expect("a log");
    assert!(!log.contains("is refused"), "{log}");
    let (_, text) = refused(&two, &["node", "rotate"]);
    assert!(text.contains("being changed already"), "{text}");

    for (args, words) in [
        (&["node", "add", "hub-3", "http://hub-3.example.org", &two_s][..], "no address of a node"),
        (&["node", "add", "hub-3", "https://hub-3.example.org", &new], "no two nodes share one"),
        (&["node", "add", "hub-1", "https://hub-3.example.org", &one_s], "hub-1"),
        (&["node", "trust", "hub-9", "report"], "no node is called hub-9"),
        (&["node", "remove", "hub-9"], "no node is called hub-9"),
        (&["node", "nats-config"], "comes in a later version"),
    ] {
        let (code, text) = refused(&one, args);
        assert_eq!(code, 1, "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
    one.ok(&["node", "remove", "hub-2"]);
    assert_eq!(row(&one, "hub-2"), None);
    eventually("the other one is told", || {
        let seen = row(&two, "hub-1").expect("a row");
        seen["state"] != "alive"
    });
}

#[test]
fn without_an_engine_the_list_is_read_from_the_state_directory() {
    let ((mut one, _), (two, _)) = (served("hub-1"), served("hub-2"));
    two.ok(&["node", "join", &one.ok(&["node", "invite"])]);
    let before = row(&one, "hub-2").expect("a row");
    assert!(one.stop());
    let after = row(&one, "hub-2").expect("it is known");
    assert_eq!((&after["keys"], &after["trust"]), (&before["keys"], &before["trust"]));
    one.ok(&["node", "trust", "hub-2", "observe"]);
    assert_eq!(row(&one, "hub-2").expect("it is known")["trust"], "observe");
    let alone = Site::new();
    assert!(alone.ok(&["node", "list"]).contains("set `enabled = true` under [federation]"));
    assert_eq!(alone.json(&["node", "list"]), serde_json::json!([]));
}

#[test]
fn holders_of_a_token_of_that_scope_see_the_nodes_and_the_log() {
    let ((one, door), (two, _)) = (served("hub-1"), served("hub-2"));
    two.ok(&["node", "join", &one.ok(&["node", "invite"])]);
    let token = one.ok(&["access", "token", "add", "ci", "--role", "viewer", "--scope", "federation"]);
    let other = one.ok(&["access", "token", "add", "ci", "--role", "viewer", "--scope", "stats"]);
    let get = |path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        send(door, &request("GET", path, &[("authorization", &bearer)], b"")).expect("an answer")
    };
    assert_eq!(get("/federation/nodes", &other).status, 403);
    assert_eq!(get("/federation/nodes", "aur_x").status, 401);
    eventually("the other one is there", || {
        let nodes: Value = serde_json::from_str(&get("/federation/nodes", &token).body).expect("JSON");
        nodes["nodes"][1]["name"] == "hub-2" && nodes["nodes"][1]["status"] == "alive"
    });
    let mut next = String::new();
    let mut kinds = Vec::new();
    eventually("its checks are in the log", || {
        let path = format!("/federation/events?after={next}");
        let page: Value = serde_json::from_str(&get(&path, &token).body).expect("JSON");
        page["next"].as_str().expect("a cursor").clone_into(&mut next);
        kinds.extend(page["events"].as_array().expect("entries").iter().map(|event| event["kind"].clone()));
        kinds.contains(&Value::from("check"))
    });
    let health = send(door, &request("GET", "/health", &[], b"")).expect("an answer");
    assert_eq!(health.body, r#"{"status":"ok","node":"hub-1"}"#);
}
