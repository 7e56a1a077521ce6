//! A command over many hosts through real agents: stage by stage, stopped by what goes wrong, undone where it ran.

use std::fmt::Write;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::{AURORA, Site, eventually, free_port};

/// A site with five hosts, which are all this machine, and commands that leave a line in `ran` each time they start.
fn site(more: &str) -> Site {
    let site = Site::bare("");
    let file = site.path().join("config.toml");
    let mut text = std::fs::read_to_string(&file).expect("reads");
    let dir = site.path().display().to_string();
    for number in 1..=5 {
        let _ = write!(text, "[hosts.web-{number}]\nlayers = [\"local\"]\nlabels = [\"web\"]\n");
    }
    let commands = [("deploy", "rollback = \"undeploy\""), ("second", "rollback = \"undeploy\""), ("undeploy", "")];
    for (name, more) in commands {
        let _ = write!(text, "[commands.{name}]\nhosts = [\"@web\"]\nargv = [\"{dir}/{name}\"]\n{more}\n");
    }
    std::fs::write(&file, format!("{text}[commands.wait]\nhosts = [\"@web\"]\nargv = [\"{dir}/wait\"]\n{more}"))
        .expect("writes");
    let count = format!("echo $0 >> {dir}/ran");
    script(&site, "deploy", &format!("{count}; echo fine"));
    // The second one that has it fails. A directory is made by one of those that try at once.
    script(&site, "second", &format!("{count}; mkdir {dir}/first 2>/dev/null || ! mkdir {dir}/second-one 2>/dev/null"));
    script(&site, "undeploy", &format!("echo $0 >> {dir}/undone"));
    script(&site, "wait", &format!("{count}; while ! test -e {dir}/go; do sleep 0.05; done"));
    site
}

fn script(site: &Site, name: &str, text: &str) {
    let path = site.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writes");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
}

fn lines(site: &Site, file: &str) -> usize {
    std::fs::read_to_string(site.path().join(file)).map_or(0, |text| text.lines().count())
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How the job of `command` on each host stands: the state, or the exit code, or the rule.
fn ends(site: &Site, command: &str) -> Vec<String> {
    let rows = site.json(&["job", "list", "--command", command]);
    let word = |row: &Value| {
        let ended = &row["state"]["ended"];
        let text = match (&ended["done"]["exit"], &ended["not-run"]["rule"]) {
            (Value::Number(code), _) => code.to_string(),
            (_, Value::String(rule)) => rule.clone(),
            _ => row["state"].as_str().unwrap_or("not over").to_owned(),
        };
        format!("{} {text}", row["host"].as_str().unwrap_or_default())
    };
    let mut ends: Vec<String> = rows.as_array().expect("a list").iter().map(word).collect();
    ends.sort();
    ends
}

/// The same command in the background.
fn begin(site: &Site, args: &[&str]) -> Child {
    let mut command = Command::new(AURORA);
    command.args(site.args()).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("aurora runs")
}

#[test]
fn it_goes_to_one_host_then_to_a_part_then_to_the_rest_and_says_so() {
    let mut site = site("");
    site.serve();
    let plan = site.ok(&["run", "@web", "deploy", "--dry-run"]);
    for line in [
        "stage 1  web-1",
        "stage 2  web-2",
        "stage 3  web-3, web-4, web-5",
        "rollback undeploy (low risk)",
        "command  undeploy",
        "/undeploy\"",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    let plan = site.json(&["run", "@web", "deploy", "--dry-run", "--settle", "3s"]);
    assert_eq!(
        (plan["rollout"]["stages"][1][0].as_str(), plan["rollout"]["pace"]["settle_ms"].as_u64()),
        (Some("web-2"), Some(3_000))
    );
    assert_eq!(plan["rollout"]["undoing"]["plans"][4]["command"], "undeploy");
    assert_eq!(site.json(&["run", "@web", "deploy", "--dry-run", "--all-at-once"])["rollout"], Value::Null);
    assert_eq!(lines(&site, "ran"), 0);

    let output = site.aurora(&["run", "@web", "deploy", "--settle", "400ms"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let places: Vec<usize> = [
        "stage 1 of 3, 1 host: on its way",
        "stage 1 of 3, 1 host: done",
        "stage 2 of 3, 1 host: on its way",
        "stage 3 of 3, 3 hosts: on its way",
        "it went to its end",
    ]
    .map(|words| said.find(words).unwrap_or_else(|| panic!("{words}: {said}")))
    .to_vec();
    assert!(places.is_sorted(), "{said}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "== 5 hosts: web-1, web-2, web-3, web-4, web-5\n   done, exit 0\n   fine\n"
    );
    assert_eq!((lines(&site, "ran"), lines(&site, "undone")), (5, 0));
    // The jobs of a stage started after those of the stage before, and its settling.
    let started = |host: &str| {
        let rows = site.json(&["job", "list", "--host", host]);
        rows[0]["started"].as_str().expect("started").parse::<jiff::Timestamp>().expect("a time")
    };
    let [first, second, third] = ["web-1", "web-2", "web-5"].map(started);
    for (before, after) in [(first, second), (second, third)] {
        assert!(after.duration_since(before).as_millis() >= 400, "{before} {after}");
    }
    let id = site.json(&["job", "list", "--host", "web-1"])[0]["id"].as_str().expect("an id").to_owned();
    let audit = site.json(&["audit", "list", "--about", &id]).to_string();
    for words in [
        "rollout of deploy in stages of [1, 1, 3] hosts, undone by undeploy",
        "stage 2 of 3, 1 host: done",
        "it went to its end",
    ] {
        assert!(audit.contains(words), "{words}: {audit}");
    }

    let at_once = site.aurora(&["run", "@web", "deploy", "--no-canary"]);
    assert_eq!((at_once.status.code(), lines(&site, "ran")), (Some(0), 10));
    assert!(!stderr(&at_once).contains("stage"), "{}", stderr(&at_once));
}

#[test]
fn what_goes_wrong_stops_it_and_is_undone_where_it_ran() {
    let mut site = site("");
    site.serve();
    let output = site.aurora(&["run", "@web", "second", "--settle", "0s"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("stage 2 of 3, 1 host: stopped: it went wrong on web-2; rolled back on 2 hosts; over"),
        "{said}"
    );
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("== undeploy on 2 hosts: web-1, web-2"), "{told}");
    assert!(
        told.contains("== second on 3 hosts: web-3, web-4, web-5\n   not run, rollout: the rollout stopped"),
        "{told}"
    );
    assert_eq!(ends(&site, "second"), ["web-1 0", "web-2 1", "web-3 rollout", "web-4 rollout", "web-5 rollout"]);
    assert_eq!(ends(&site, "undeploy"), ["web-1 0", "web-2 0"]);
    assert_eq!((lines(&site, "ran"), lines(&site, "undone")), (2, 2));

    let listed = site.json(&["rollout", "list"]);
    let id = listed[0]["id"].as_str().expect("an id");
    assert_eq!((listed[0]["phase"].as_str(), listed[0]["undone"].as_u64()), (Some("over"), Some(2)), "{listed}");
    let shown = site.json(&["rollout", "show", id]);
    let exits = |which: &str| {
        let hosts = shown["hosts"].as_array().expect("hosts").iter();
        hosts.map(|host| host[which]["state"]["ended"]["done"]["exit"].as_i64()).collect::<Vec<_>>()
    };
    assert_eq!(
        (exits("job"), exits("undoing")),
        (vec![Some(0), Some(1), None, None, None], vec![Some(0), Some(0), None, None, None])
    );
    let told = site.ok(&["rollout", "show", id]);
    assert!(told.contains("stopped: it went wrong on web-2; rolled back on 2 hosts; over"), "{told}");
    let row = told.lines().find(|line| line.starts_with("3      web-3")).expect("a row");
    assert!(row.contains("not run: the rollout stopped"), "{told}");
    let none = site.aurora(&["rollout", "show", "job_00000000000000000000000000000000"]);
    assert!(!none.status.success() && stderr(&none).contains("aurora rollout list"), "{}", stderr(&none));
}

#[test]
fn a_policy_without_rollback_leaves_it_and_json_is_one_object_a_host() {
    let mut site = site("[policy]\nauto_rollback_on_failure = false\ncanary_percent = 80\n");
    site.serve();
    let output = site.aurora(&["run", "@web", "second", "--settle", "0s", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let objects: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let mut hosts: Vec<&str> = objects.iter().filter_map(|object| object["host"].as_str()).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["web-1", "web-2", "web-3", "web-4", "web-5"]);
    assert_eq!((lines(&site, "ran"), lines(&site, "undone")), (5, 0), "80 % are the other four");
}

#[test]
fn an_engine_that_is_killed_goes_on_with_its_rollout() {
    let mut site = site("");
    site.serve();
    let mut command = begin(&site, &["run", "@web", "wait", "--settle", "200ms"]);
    eventually("the canary", || lines(&site, "ran") == 1);
    site.kill();
    let _ = command.kill();
    let _ = command.wait();
    std::fs::write(site.path().join("go"), "").expect("writes");
    site.serve();
    eventually("the rest", || ends(&site, "wait") == (1..=5).map(|n| format!("web-{n} 0")).collect::<Vec<_>>());
    assert_eq!(lines(&site, "ran"), 5, "each once");
}

#[test]
fn who_takes_a_job_of_it_back_stops_it() {
    let mut site = site("");
    site.serve();
    let mut command = begin(&site, &["run", "@web", "wait", "--settle", "0s"]);
    eventually("the canary", || lines(&site, "ran") == 1);
    let listed = site.ok(&["job", "list", "--host", "web-3"]);
    assert!(listed.contains("staged: 3 of 3, when the 2 before are well"), "{listed}");
    let id = site.json(&["job", "list", "--host", "web-3"])[0]["id"].as_str().expect("an id").to_owned();
    let by_hand = site.aurora(&["job", "manual", &id]);
    assert!(!by_hand.status.success() && stderr(&by_hand).contains("waits for its stage"), "{}", stderr(&by_hand));
    let open = site.ok(&["rollout", "list", "--open"]);
    assert!(open.contains("wait") && open.contains("stage 1 of 3, 1 host: on its way"), "{open}");
    site.ok(&["job", "cancel", &id]);
    eventually("the end of what waits", || {
        ends(&site, "wait")[1..]
            == ["web-2 rollout", "web-3 cancelled", "web-4 rollout", "web-5 rollout"].map(str::to_owned)
    });
    assert_eq!(ends(&site, "wait")[0], "web-1 running", "what runs is waited for");
    std::fs::write(site.path().join("go"), "").expect("writes");
    assert_eq!(command.wait().expect("ends").code(), Some(1));
    assert_eq!(ends(&site, "wait")[0], "web-1 0");
    assert_eq!(lines(&site, "undone"), 0);
    assert_eq!(site.json(&["rollout", "list", "--open"]).as_array().map(Vec::len), Some(0));
}

#[test]
fn a_check_that_is_not_well_keeps_the_next_stage_back() {
    let port = free_port();
    let config = format!(
        "checks = [\"shop\"]\n[[checks]]\nid = \"shop\"\ntype = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         timeout = \"1s\"\n[policy]\nauto_rollback_on_failure = true\n"
    );
    let mut site = site(&config);
    std::fs::write(site.path().join("go"), "").expect("writes");
    let without = site.aurora(&["run", "@web", "wait", "--settle", "0s"]);
    assert!(stderr(&without).contains("start `aurora serve`"), "{}", stderr(&without));
    site.serve();
    let plan = site.ok(&["run", "@web", "wait", "--dry-run"]);
    assert!(plan.contains("and shop is well"), "{plan}");
    let output = site.aurora(&["run", "@web", "wait", "--settle", "0s"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the hosts that have it are not well: check shop is critical"), "{said}");
    assert_eq!(lines(&site, "ran"), 1);
    // The shop opens.
    let _shop = std::net::TcpListener::bind(("127.0.0.1", port)).expect("binds");
    let output = site.aurora(&["run", "@web", "wait", "--settle", "0s"]);
    assert_eq!((output.status.code(), lines(&site, "ran")), (Some(0), 6), "{}", stderr(&output));
}
