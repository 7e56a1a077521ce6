//! The audit log by its commands: what is in it, that it holds, and that changes are found.

use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::Site;

fn entries(site: &Site) -> Vec<Value> {
    let mut entries = site.json(&["audit", "list"]).as_array().cloned().expect("a list");
    entries.reverse();
    entries
}

#[test]
fn what_operators_change_is_written_down_and_can_be_checked_without_aurora() {
    let mut site = Site::with("[operators.ci]\nrole = \"viewer\"\n");
    site.serve();
    site.ok(&["access", "token", "add", "ci"]);
    site.ok(&["task", "restart", "projector"]);
    let id = site.json(&["access", "token", "list"])[0]["id"].as_str().expect("an id").to_owned();
    site.ok(&["access", "token", "revoke", &id]);
    let entries = entries(&site);
    let keys: Vec<&String> = entries[0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["seq", "at", "by", "kind", "about", "what", "hash"]);
    let about: Vec<&str> = entries.iter().filter_map(|entry| entry["about"].as_str()).collect();
    assert_eq!(about, [id.as_str(), "projector", id.as_str()]);
    assert!(entries.iter().all(|entry| entry["kind"] == "changed" && entry["by"].is_string()), "{entries:?}");
    let verified = site.json(&["audit", "verify"]);
    assert_eq!((&verified["entries"], &verified["whole"]), (&json!(3), &json!(true)));

    // An export needs nothing but SHA-256 to be checked.
    let export = site.ok(&["audit", "export"]);
    let mut lines: Vec<&str> = export.lines().collect();
    let head: Value = serde_json::from_str(lines.pop().expect("a head")).expect("JSON");
    let mut hash = "0".repeat(64);
    for line in lines {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let own = entry["hash"].as_str().expect("a hash");
        let rest = line.strip_suffix(&format!(",\"hash\":\"{own}\"}}")).expect("the hash comes last");
        hash = hex::encode(Sha256::digest(format!("{hash}\n{rest}}}")));
        assert_eq!(hash, own, "{line}");
    }
    assert_eq!((&head["head"], &head["entries"]), (&json!(hash), &json!(3)));
    site.kill();
    assert_eq!(site.json(&["audit", "verify", "--head", &hash])["whole"], true, "a crash loses nothing");
}

#[test]
fn a_changed_row_and_a_cut_tail_are_found() {
    let mut site = Site::with("");
    site.serve();
    for _ in 0..3 {
        site.ok(&["task", "restart", "projector"]);
    }
    let head = site.json(&["audit", "verify"])["head"].as_str().expect("a hash").to_owned();
    site.stop();
    let tamper = |sql: &str| {
        let connection = Connection::open(site.path().join("state/aurora.db")).expect("opens");
        connection
            .execute_batch("DROP TRIGGER IF EXISTS audit_is_kept; DROP TRIGGER IF EXISTS audit_is_whole;")
            .expect("drops");
        connection.execute_batch(sql).expect("tampers");
    };
    tamper("DELETE FROM audit WHERE seq = 3");
    assert_eq!(site.json(&["audit", "verify"])["whole"], true, "what is left is whole by itself");
    let cut = site.aurora(&["audit", "verify", "--head", &head]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&cut.stdout).contains("what followed is cut off"), "{cut:?}");
    tamper("UPDATE audit SET by = 'somebody-else' WHERE seq = 2");
    let broken = site.aurora(&["audit", "verify", "--json"]);
    assert_eq!(broken.status.code(), Some(1));
    let broken: Value = serde_json::from_slice(&broken.stdout).expect("JSON");
    assert_eq!((&broken["broken"], &broken["entries"], &broken["whole"]), (&json!(2), &json!(1), &json!(false)));
    assert_eq!(site.aurora(&["audit", "export"]).status.code(), Some(1), "what is broken is not handed on as whole");
}
