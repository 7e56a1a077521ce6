//! Approvals: a critical command waits for other people, whatever is tried, and whatever breaks meanwhile.

use serde_json::{Value, json};

use crate::access::Line;
use crate::support::{Site, eventually};

const CONFIG: &str = r#"
[operators.anna]
role = "operator"
ssh_key = "anna"
[operators.ben]
role = "approver"
ssh_key = "ben"
[operators.cleo]
role = "approver"
ssh_key = "cleo"
[commands.deploy]
hosts = ["here"]
argv = ["/bin/true", "--", "{version}"]
args.version = { pattern = "printable" }
risk = "critical"
[commands.reboot]
hosts = ["here"]
argv = ["/bin/true", "reboot"]
risk = "high"
"#;

fn job() -> String {
    format!("job_{}", uuid::Uuid::now_v7().simple())
}

fn draft(id: &str, command: &str, args: &Value) -> Value {
    json!({"id": id, "on": {"host": "here"}, "any": false, "command": command, "args": args, "layer": null,
        "lane": "normal", "confirm": null, "seen": null})
}

fn line(site: &Site, who: &str) -> Line {
    let (line, answer) = Line::hello(site, Some(who));
    assert!(answer["welcome"].is_object(), "{answer}");
    line
}

/// Asks the bridge; the answer without its wrapping.
fn ask(line: &mut Line, request: &Value) -> Result<Value, String> {
    let answer = line.ask(&json!({"bridge": request}));
    match answer["Ok"]["bridge"].clone() {
        Value::Null => Err(answer["Err"].to_string()),
        reply => Ok(reply),
    }
}

/// Anna asks for a deploy; the approval it waits for.
fn asked(site: &Site, job: &str, version: &str) -> Value {
    let mut anna = line(site, "anna");
    let reply = ask(&mut anna, &json!({"run": draft(job, "deploy", &json!({"version": version}))})).expect("held");
    let id = reply["running"]["approval"].as_str().expect("an approval").to_owned();
    ask(&mut anna, &json!({"approval": id})).expect("known")["approval"].clone()
}

fn vote(site: &Site, who: &str, approval: &Value, yes: bool) -> Result<Value, String> {
    let request = json!({"vote": {"id": approval["id"], "hash": approval["hash"], "yes": yes, "note": null}});
    ask(&mut line(site, who), &request).map(|reply| reply["approval"]["state"].clone())
}

fn state(site: &Site, job: &str) -> Value {
    ask(&mut line(site, "anna"), &json!({"job": job})).expect("known")["job"]["state"].clone()
}

fn waits(site: &Site, job: &str) -> bool {
    state(site, job)["awaiting-approval"].is_string()
}

fn kinds(site: &Site, about: &str) -> Vec<String> {
    let entries = site.json(&["audit", "list", "--about", about]);
    let kinds = entries.as_array().expect("a list").iter().rev();
    kinds
        .map(|entry| {
            format!("{} {}", entry["by"].as_str().unwrap_or("aurora"), entry["kind"].as_str().unwrap_or_default())
        })
        .collect()
}

#[test]
fn two_other_people_let_it_go_and_a_crash_between_forgets_nothing() {
    let mut site = Site::with(CONFIG);
    site.serve();
    let job = job();
    let approval = asked(&site, &job, "v1.2.3");
    assert!(waits(&site, &job));
    assert_eq!((&approval["need"], &approval["by"]), (&json!(2), &json!("anna")));
    assert_eq!(approval["plans"][0]["argv"], json!(["/bin/true", "--", "v1.2.3"]));
    let refused = vote(&site, "anna", &approval, true).expect_err("not her own");
    assert!(refused.contains("this needs the role approver"), "{refused}");
    assert_eq!(vote(&site, "ben", &approval, true), Ok(json!("open")));
    assert_eq!(vote(&site, "ben", &approval, true), Ok(json!("open")), "one person, however often");
    let other = json!({"id": approval["id"], "hash": "00"});
    assert!(vote(&site, "cleo", &other, true).expect_err("another plan").contains("approval.hash"));
    site.kill();
    site.serve();
    assert!(waits(&site, &job), "nothing runs because of a crash");
    // Asked again under the same name, it is the same job and the same approval.
    assert_eq!(asked(&site, &job, "v1.2.3")["id"], approval["id"]);
    assert_eq!(vote(&site, "cleo", &approval, true), Ok(json!("granted")));
    eventually("the job goes on", || !waits(&site, &job));
    let id = approval["id"].as_str().expect("an id");
    assert_eq!(kinds(&site, id), ["anna held", "ben granted", "cleo refused", "cleo granted"]);
    assert_eq!(kinds(&site, &job)[0], "anna requested");
    assert_eq!(site.json(&["audit", "verify"])["whole"], true);
}

#[test]
fn one_no_is_the_end_and_nothing_runs() {
    let mut site = Site::with(CONFIG);
    site.serve();
    let job = job();
    let approval = asked(&site, &job, "v1");
    assert_eq!(vote(&site, "ben", &approval, true), Ok(json!("open")));
    assert_eq!(vote(&site, "cleo", &approval, false), Ok(json!("denied")));
    eventually("the job is over", || state(&site, &job)["ended"]["not-run"]["rule"] == "approval.denied");
    assert!(vote(&site, "ben", &approval, false).expect_err("over").contains("approval.over"));
}

#[test]
fn a_yes_is_to_exact_words_not_to_what_they_have_become() {
    let mut site = Site::with(CONFIG);
    site.serve();
    let job = job();
    let approval = asked(&site, &job, "v1");
    assert_eq!(vote(&site, "ben", &approval, true), Ok(json!("open")));
    site.stop();
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("reads");
    std::fs::write(&file, text.replace("\"--\", \"{version}\"", "\"--force\", \"--\", \"{version}\"")).expect("writes");
    site.serve();
    assert_eq!(vote(&site, "cleo", &approval, true), Ok(json!("granted")));
    eventually("the job is over", || state(&site, &job)["ended"]["not-run"]["rule"] == "approval.plan");
}

#[test]
fn high_risk_asks_for_the_name_and_a_viewer_for_nothing() {
    let mut site = Site::with(CONFIG);
    site.serve();
    let mut anna = line(&site, "anna");
    let refused = ask(&mut anna, &json!({"run": draft(&job(), "reboot", &json!({}))})).expect_err("not confirmed");
    assert!(refused.contains("policy.confirm: reboot has the risk high; confirm it by typing here"), "{refused}");
    let mut confirmed = draft(&job(), "reboot", &json!({}));
    confirmed["confirm"] = json!("here");
    assert!(ask(&mut anna, &json!({"run": confirmed})).is_ok());
    let preview =
        ask(&mut anna, &json!({"dry-run": draft(&job(), "deploy", &json!({"version": "v1"}))})).expect("a preview");
    assert_eq!((&preview["preview"]["need"], &preview["preview"]["risk"]), (&json!(2), &json!("critical")));
    let hostile = ask(&mut anna, &json!({"run": draft(&job(), "deploy", &json!({"version": "v1\n\u{202e}x"}))}))
        .expect_err("refused");
    assert!(hostile.contains("whitelist.argument version"), "{hostile}");
    let refusals = site.json(&["audit", "list"]);
    let refusals = refusals.as_array().expect("a list").iter().filter(|entry| entry["kind"] == "refused");
    assert_eq!(refusals.count(), 2);
}

#[test]
fn the_commands_show_everything_and_say_yes_only_to_a_hash() {
    let mut site = Site::with(&format!(
        "{CONFIG}[operators.olga]\nrole = \"admin\"\nunix = {}\n",
        rustix::process::geteuid().as_raw()
    ));
    site.serve();
    let approval = asked(&site, &job(), "v1.2.3");
    let (id, hash) = (approval["id"].as_str().expect("an id"), approval["hash"].as_str().expect("a hash"));
    let held = site.aurora(&["do", "run here deploy version=v9"]);
    assert_eq!(held.status.code(), Some(5), "{}", String::from_utf8_lossy(&held.stderr));
    let held = site.json(&["approval", "list"]);
    let held = held.as_array().expect("a list").iter().find(|row| row["by"] == "olga").expect("held").clone();
    site.ok(&["approval", "deny", held["id"].as_str().expect("an id")]);
    let listed = &site.json(&["approval", "list"])[0];
    let keys: Vec<&String> = listed.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        ["id", "jobs", "plans", "rollout", "hash", "risk", "by", "asked", "expires", "need", "votes", "state"]
    );
    let shown = site.ok(&["approval", "show", id]);
    assert!(shown.contains(hash) && shown.contains("v1.2.3") && shown.contains("0 of 2 yes"), "{shown}");
    for (args, code, words) in [
        (&["approval", "grant", id, "--hash", "abc"][..], 2, "12 digits"),
        (&["approval", "grant", id, "--hash", "000000000000"], 5, "approval.hash"),
        (&["approval", "show", "apr_00000000000000000000000000000000"], 1, "no approval has the id"),
        (&["--read-only", "approval", "deny", id], 5, "read-only"),
    ] {
        let output = site.aurora(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
    assert_eq!(
        site.ok(&["approval", "grant", id, "--hash", &hash[..12], "--note", "fine"]),
        format!("{id} has 1 of 2 yes")
    );
    assert!(site.ok(&["approval", "show", id]).contains("olga"), "who said it");
    assert_eq!(site.ok(&["approval", "deny", id]), format!("{id} is denied"));
    assert_eq!(site.json(&["approval", "list"]), json!([]));
    let all = site.json(&["approval", "list", "--all"]);
    let states: Vec<&str> = all.as_array().expect("a list").iter().filter_map(|row| row["state"].as_str()).collect();
    assert_eq!(states, ["withdrawn", "denied"], "newest first");
    site.stop();
    let late = site.aurora(&["approval", "grant", id, "--hash", &hash[..12]]);
    assert_eq!(late.status.code(), Some(4), "nobody would bring it to its host");
}
