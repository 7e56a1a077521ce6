//! Who is who: over the socket, by an ssh key, and the commands about it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use aurora::protocol::VERSION;
use serde_json::{Value, json};

use crate::support::Site;

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A line to the engine that says `hello` and asks one thing at a time.
pub struct Line(UnixStream);

impl Line {
    pub fn hello(site: &Site, ssh_key: Option<&str>) -> (Self, Value) {
        let stream = UnixStream::connect(site.path().join("state/aurora.sock")).expect("connects");
        stream.set_read_timeout(Some(crate::support::PATIENCE)).expect("a timeout");
        let mut line = Self(stream);
        line.send(&json!({"hello": {"version": VERSION, "follow": false, "read_only": false, "ssh_key": ssh_key}}));
        let answer = line.receive();
        (line, answer)
    }

    fn send(&mut self, frame: &Value) {
        let bytes = serde_json::to_vec(frame).expect("JSON");
        self.0.write_all(&u32::try_from(bytes.len()).expect("short").to_be_bytes()).expect("writes");
        self.0.write_all(&bytes).expect("writes");
    }

    fn receive(&mut self) -> Value {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("a length");
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut bytes).expect("a frame");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    pub fn ask(&mut self, request: &Value) -> Value {
        self.send(&json!({"ask": {"id": 1, "request": request}}));
        self.receive()["reply"]["reply"].clone()
    }
}

#[test]
fn the_owner_is_admin_and_an_entry_gives_a_name() {
    let site = Site::new();
    let who = site.json(&["access", "whoami"]);
    assert_eq!((&who["role"], &who["by"]["owner"]), (&json!("admin"), &json!(uid())), "{who}");
    let site = Site::with(&format!("[operators.anna]\nrole = \"viewer\"\nunix = {}\n", uid()));
    assert!(site.ok(&["access", "whoami"]).starts_with("anna  viewer  recognised by the owner"));
    let output = site.aurora(&["access", "token", "add", "anna"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("this needs the role admin; anna has the role viewer"), "{stderr}");
}

#[test]
fn an_ssh_key_makes_an_operator_and_takes_the_owners_rights() {
    let mut site = Site::with("[operators.vera]\nrole = \"viewer\"\nssh_key = \"vera-laptop\"\n");
    site.serve();
    let (mut line, answer) = Line::hello(&site, Some("vera-laptop"));
    assert!(answer["welcome"].is_object(), "{answer}");
    let who = line.ask(&json!("who-am-i"));
    assert_eq!(who["Ok"]["identity"]["operator"], "vera", "{who}");
    let denied = line.ask(&json!({"restart-task": "projector"}));
    assert_eq!(denied["Err"]["denied"], "this needs the role operator; vera has the role viewer", "{denied}");
    let (_, answer) = Line::hello(&site, Some("stolen\u{1b}[2J"));
    assert_eq!(answer["goodbye"]["denied"], true, "{answer}");
    let reason = answer["goodbye"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("no operator has the ssh key \"stolen\\u{1b}[2J\""), "{reason}");
    let (mut line, _) = Line::hello(&site, None);
    assert_eq!(line.ask(&json!({"restart-task": "projector"}))["Ok"], "done");
}

#[test]
fn tokens_are_made_listed_and_revoked_with_and_without_an_engine() {
    let mut site = Site::with("[operators.ci]\nrole = \"operator\"\n");
    let token = site.ok(&["access", "token", "add", "ci", "--scope", "stats", "--scope", "metrics"]);
    assert!(token.starts_with("aur_") && token.len() == 47, "{token}");
    site.serve();
    let list = site.json(&["access", "token", "list"]);
    let keys: Vec<&String> = list[0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["id", "operator", "role", "scopes", "created", "expires", "used"]);
    assert_eq!((&list[0]["role"], &list[0]["scopes"]), (&json!("operator"), &json!(["stats", "metrics"])));
    let never = site.aurora(&["access", "token", "add", "ci", "--role", "viewer", "--expires", "never"]);
    assert!(String::from_utf8_lossy(&never.stderr).contains("ci as viewer, all scopes, expires never"));
    let shown = site.ok(&["access", "token", "list"]);
    let database = std::fs::read(site.path().join("state/aurora.db-wal")).expect("the store");
    for secret in [token.as_str(), String::from_utf8_lossy(&never.stdout).trim()] {
        assert!(!shown.contains(secret) && !list.to_string().contains(secret));
        assert!(!database.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "only a hash is stored");
    }
    let id = list[0]["id"].as_str().expect("an id");
    assert_eq!(site.ok(&["access", "token", "revoke", id]), format!("{id} is revoked"));
    assert_eq!(site.json(&["access", "token", "list"]).as_array().map(Vec::len), Some(1));
    for (args, code, words) in [
        (&["access", "token", "revoke", id][..], 1, "no token has the id"),
        (&["access", "token", "add", "ci", "--role", "admin"], 1, "ci has the role operator"),
        (&["access", "token", "add", "ci", "--role", "root"], 2, "viewer, operator, approver, admin"),
        (&["access", "token", "add", "ci", "--scope", "all"], 2, "health, stats, metrics, updates"),
        (&["access", "token", "add", "ci", "--expires", "soon"], 2, "90d"),
        (&["access", "token", "add", "ci", "--expires", "2020-01-01T00:00:00Z"], 1, "expired already"),
        (&["--read-only", "access", "token", "add", "ci"], 5, "read-only"),
    ] {
        let output = site.aurora(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
}

#[test]
fn a_role_that_is_taken_away_is_gone_without_a_restart() {
    let mut site = Site::with("[operators.ci]\nrole = \"operator\"\nssh_key = \"k\"\n");
    site.serve();
    let (mut line, _) = Line::hello(&site, Some("k"));
    assert_eq!(line.ask(&json!({"restart-task": "projector"}))["Ok"], "done");
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("reads");
    std::fs::write(&file, text.replace("\"operator\"", "\"viewer\"")).expect("writes");
    crate::support::eventually("the open line may less", || {
        line.ask(&json!({"restart-task": "projector"}))["Err"]["denied"].is_string()
    });
    std::fs::write(&file, text.replace("\"k\"", "\"another\"")).expect("writes");
    let mut rest = Vec::new();
    line.0.read_to_end(&mut rest).expect("the line ends with its key");
    assert_eq!(rest, b"");
}
