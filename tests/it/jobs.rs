//! Commands on a host through a real agent process: once each, whatever ends in the middle.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::{AURORA, Site, eventually, write_private};

/// A site whose only host is this machine, with commands that leave a line in `ran` each time they start.
fn site(more: &str) -> Site {
    let site = Site::bare("");
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("reads");
    let dir = site.path().display().to_string();
    let commands = format!(
        r#"{text}
[hosts.here]
layers = ["local"]
labels = ["all"]
at_once = 8
[commands.hello]
hosts = ["here"]
argv = ["{dir}/hello", "{{name}}"]
args.name = {{ pattern = "[a-z ]*" }}
[commands.fail]
hosts = ["here"]
argv = ["{dir}/fail"]
[commands.slow]
hosts = ["here"]
argv = ["{dir}/slow"]
[commands.bytes]
hosts = ["here"]
argv = ["{dir}/bytes"]
[commands.risky]
hosts = ["here"]
argv = ["{dir}/hello", "x"]
risk = "high"
{more}"#
    );
    std::fs::write(&file, commands).expect("writes");
    let count = format!("echo $0 >> {dir}/ran\n");
    script(&site, "hello", &format!("{count}echo \"hello $1\"; echo warn >&2"));
    script(&site, "fail", &format!("{count}exit 7"));
    script(&site, "slow", &format!("{count}echo begun; sleep 300 & echo $! > {dir}/child; wait; echo over"));
    script(&site, "bytes", &format!("{count}printf 'a\\000\\377\\033]52;c;x\\007b'"));
    site
}

fn script(site: &Site, name: &str, text: &str) {
    let path = site.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writes");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
}

/// How often a command of this site has started.
fn starts(site: &Site) -> usize {
    std::fs::read_to_string(site.path().join("ran")).map_or(0, |text| text.lines().count())
}

fn told(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {}", stderr(output)))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn is_alive(pid: &str) -> bool {
    // A process that has ended and was not waited for is none.
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

fn job(site: &Site, id: &str) -> Value {
    site.json(&["job", "show", id])
}

/// Starts a command that nobody waits for, and answers its id.
fn detach(site: &Site, command: &str) -> String {
    site.ok(&["run", "here", command, "--detach"])
}

/// Starts a command that goes on, and answers its id and the process it has started.
fn slow(site: &Site) -> (String, String) {
    let id = detach(site, "slow");
    let child = site.path().join("child");
    eventually("the command's child", || std::fs::read_to_string(&child).is_ok_and(|pid| is_alive(&pid)));
    (id, std::fs::read_to_string(&child).expect("a pid"))
}

#[test]
fn a_configured_secret_is_in_nothing_that_is_shown_or_kept() {
    const CANARY: &str = "canary-5f2d81c7a90b44e1";
    let leak =
        "[channels.shop]\nprovider = \"secret\"\nsecrets = [\"file:canary\"]\n[commands.leak]\nhosts = [\"here\"]\n";
    let mut site = site(leak);
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("reads");
    std::fs::write(&file, format!("{text}argv = [\"{}/leak\"]\n", site.path().display())).expect("writes");
    write_private(&site.path().join("canary"), CANARY);
    let (begin, end) = CANARY.split_at(9);
    let text =
        format!("echo its {CANARY}, it is; echo {CANARY} >&2; printf 'cut {begin}'; sleep 0.3; echo '{end} here'");
    script(&site, "leak", &text);
    site.serve();
    let output = site.aurora(&["run", "here", "leak"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "its [redacted], it is\ncut [redacted] here\n");
    assert!(stderr(&output).starts_with("[redacted]\n"), "{}", stderr(&output));
    let id = site.json(&["job", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let shown = [site.ok(&["job", "show", &id]), job(&site, &id).to_string(), stderr(&output)].concat();
    assert!(!shown.contains(CANARY) && !shown.contains(end), "{shown}");
    site.stop();
    let mut kept = 0;
    for entry in std::fs::read_dir(site.path().join("state")).expect("a directory").flatten() {
        // What is kept on the host is the host's; here that is this machine.
        if entry.path().is_file() {
            let bytes = std::fs::read(entry.path()).expect("reads");
            let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!found, "{}", entry.path().display());
            kept += 1;
        }
    }
    assert!(kept > 0);
}

#[test]
fn a_command_that_nobody_reads_is_left_running() {
    let mut site = site("");
    site.serve();
    let output = site.unread(&["run", "here", "slow"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let said = stderr(&output);
    let id = said.split_once("left running: ").and_then(|(_, rest)| rest.split_once(';')).expect(&said).0;
    assert_eq!(job(&site, id)["state"], "running");
    site.ok(&["job", "cancel", id]);
}

#[test]
fn a_command_runs_and_its_end_is_told() {
    let mut site = site("");
    site.serve();
    let output = site.aurora(&["run", "here", "hello", "name=you there"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(output.stdout, b"hello you there\n");
    let said = stderr(&output);
    assert!(said.starts_with("warn\n") && said.contains("done, exit 0, over local"), "{said}");

    let output = site.aurora(&["run", "here", "fail", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let failed = told(&output);
    let keys: Vec<&str> = failed.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "id", "host", "command", "state", "exit", "signal", "reason", "layer", "attempts", "took_ms", "stdout",
            "stderr"
        ]
    );
    let [state, exit, layer] = ["state", "exit", "layer"].map(|key| failed[key].clone());
    assert_eq!((state, exit, layer), ("done".into(), 7.into(), "local".into()));

    // Every byte through a pipe.
    assert_eq!(site.aurora(&["run", "here", "bytes"]).stdout, b"a\0\xff\x1b]52;c;x\x07b");
    let listed = site.json(&["job", "list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(3));
    assert_eq!(listed[0]["title"], "bytes", "newest first");
    assert_eq!(starts(&site), 3);
}

#[test]
fn without_an_engine_a_command_starts_one_for_itself() {
    let site = site("");
    let output = site.aurora(&["run", "here", "hello", "name=a"]);
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), b"hello a\n".as_slice()),
        "{}",
        stderr(&output)
    );
    assert_eq!(site.json(&["job", "list"])[0]["state"]["ended"]["done"]["exit"], 0);
}

#[test]
fn without_an_engine_a_cancel_waits_for_the_host_and_nothing_is_left_to_nobody() {
    let mut site = site("");
    site.serve();
    let (id, pid) = slow(&site);
    assert_eq!(site.aurora(&["job", "resolve", &id, "--ran"]).status.code(), Some(2), "how it is known has to be said");
    let resolved = site.aurora(&["job", "resolve", &id, "--ran", "--note", "seen"]);
    assert_eq!(resolved.status.code(), Some(1));
    assert!(stderr(&resolved).contains("its host has it"), "{}", stderr(&resolved));
    assert!(site.stop());
    assert!(is_alive(&pid), "it goes on without an engine");
    site.ok(&["job", "cancel", &id]);
    assert!(!is_alive(&pid), "it is stopped when that is said");
    let over = site.aurora(&["job", "cancel", &id]);
    assert_eq!(over.status.code(), Some(1));
    assert!(stderr(&over).contains("is over"), "{}", stderr(&over));
    let output = site.aurora(&["run", "here", "hello", "name=a", "--detach"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("start `aurora serve`"), "{}", stderr(&output));
    assert_eq!(starts(&site), 1);
}

#[test]
fn without_a_configuration_this_machine_answers() {
    let site = Site::bare("");
    let output = site.aurora(&["run", "here", "uptime"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("load average"), "{output:?}");
    assert_eq!(site.aurora(&["host", "check", "here"]).status.code(), Some(0));
}

#[test]
fn the_same_id_runs_once_and_another_wish_under_it_is_refused() {
    let mut site = site("");
    site.serve();
    let id = uuid::Uuid::now_v7().simple().to_string();
    let first = told(&site.aurora(&["run", "here", "hello", "name=a", "--id", &id, "--json"]));
    let again = told(&site.aurora(&["run", "here", "hello", "name=a", "--id", &id, "--json"]));
    assert_eq!(first, again);
    let other = site.aurora(&["run", "here", "hello", "name=b", "--id", &id]);
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("conflict"), "{}", stderr(&other));
    assert_eq!(starts(&site), 1);
}

#[test]
fn what_is_not_on_the_whitelist_does_not_run() {
    let mut site = site("");
    site.serve();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["run", "here", "nothing"], 5, "whitelist.command"),
        (&["run", "nowhere", "hello", "name=a"], 1, "no host is called nowhere"),
        (&["run", "@none", "hello", "name=a"], 1, "no host has the label none"),
        (&["run", "here", "hello", "name=$(id)"], 5, "whitelist.argument name"),
        (&["run", "here", "hello", "nme=a"], 5, "whitelist.argument"),
        (&["run", "here", "risky"], 5, "here"),
        (&["run", "-oProxyCommand=x", "hello"], 2, ""),
        (&["run", "here", "hello", "name"], 2, "NAME=VALUE"),
        (&["run", "here", "hello", "name=a", "name=b"], 2, "given twice"),
    ];
    for (args, code, words) in cases {
        let output = site.aurora(args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert_eq!(starts(&site), 0);
    let refused = site.aurora(&["run", "here", "risky", "--json"]);
    assert_eq!((refused.status.code(), told(&refused)["state"].as_str()), (Some(5), Some("not-run")));
    assert!(told(&refused)["reason"].as_str().is_some_and(|why| why.contains("policy.confirm")));
    assert_eq!(site.aurora(&["run", "here", "risky", "--confirm", "here"]).status.code(), Some(0));
}

#[test]
fn a_dry_run_shows_every_byte_and_runs_nothing() {
    let mut site = site("");
    site.serve();
    let shown = site.ok(&["run", "here", "hello", "name=you there", "--dry-run"]);
    assert!(shown.contains("argv 1   \"you there\"") && shown.contains("risk     low"), "{shown}");
    let preview = site.json(&["run", "here", "hello", "name=a", "--dry-run"]);
    let keys: Vec<&str> = preview.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["plans", "hash", "layers", "risk", "need", "confirm", "refused", "rollout"]);
    let refused = site.aurora(&["run", "here", "hello", "name=a", "--dry-run", "--layer", "socket"]);
    assert_eq!(refused.status.code(), Some(5));
    assert!(stderr(&refused).contains("only `socket` was asked for"), "{}", stderr(&refused));
    assert_eq!(preview["plans"][0]["argv"][1], "a");
    assert_eq!((starts(&site), site.json(&["job", "list"])), (0, Value::Array(Vec::new())));
}

#[test]
fn a_cancel_ends_the_whole_process_tree() {
    let mut site = site("");
    site.serve();
    let (id, pid) = slow(&site);
    site.ok(&["job", "cancel", &id]);
    eventually("its end", || job(&site, &id)["state"].get("ended").is_some());
    // What was killed is gone once its parent, or whoever took it over, has looked.
    eventually("nothing is left of it", || !is_alive(&pid));
    let shown = job(&site, &id);
    assert_eq!(shown["stdout"], "begun\n");
    assert_eq!(starts(&site), 1);
}

#[test]
fn an_engine_that_stops_or_dies_finds_its_running_job_again_and_starts_it_no_second_time() {
    let mut site = site("");
    site.serve();
    let id = detach(&site, "slow");
    let child = site.path().join("child");
    eventually("the command's child", || child.exists());
    assert!(site.stop());
    site.serve();
    eventually("it runs again on the screen", || job(&site, &id)["state"] == "running");
    site.kill();
    site.serve();
    eventually("it runs again on the screen", || job(&site, &id)["state"] == "running");
    let pid = std::fs::read_to_string(&child).expect("a pid");
    assert!(is_alive(&pid), "it went on all the time");
    site.ok(&["job", "cancel", &id]);
    eventually("its end", || job(&site, &id)["state"].get("ended").is_some());
    assert_eq!(starts(&site), 1);
    assert_eq!(job(&site, &id)["stdout"], "begun\n");
}

#[test]
fn a_job_that_ends_while_no_engine_runs_is_told_by_the_next_one() {
    let mut site = site("");
    let dir = site.path().to_owned();
    script(
        &site,
        "slow",
        &format!("echo $0 >> {0}/ran; echo begun; while [ ! -e {0}/go ]; do sleep 0.05; done; exit 4", dir.display()),
    );
    site.serve();
    let id = detach(&site, "slow");
    eventually("it has begun", || starts(&site) == 1);
    site.kill();
    std::fs::write(dir.join("go"), "").expect("writes");
    std::thread::sleep(std::time::Duration::from_millis(500));
    site.serve();
    eventually("its end", || job(&site, &id)["state"]["ended"]["done"]["exit"] == 4);
    assert_eq!((job(&site, &id)["stdout"].as_str(), starts(&site)), (Some("begun\n"), 1));
}

#[test]
fn an_agent_that_is_killed_while_a_command_runs_is_opened_again_and_asked() {
    let mut site = site("");
    site.serve();
    let id = detach(&site, "slow");
    let child = site.path().join("child");
    eventually("the command's child", || child.exists());
    let agents = agents_of(site.pid());
    assert_eq!(agents.len(), 1, "one child is the agent");
    let pid = rustix::process::Pid::from_raw(agents[0]).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kills");
    eventually("another agent", || agents_of(site.pid()).iter().any(|agent| *agent != agents[0]));
    assert!(is_alive(&std::fs::read_to_string(&child).expect("a pid")), "the command went on");
    site.ok(&["job", "cancel", &id]);
    eventually("its end", || job(&site, &id)["state"].get("ended").is_some());
    assert_eq!(starts(&site), 1);
}

/// The processes `pid` has started that are agents.
fn agents_of(pid: u32) -> Vec<i32> {
    let is_agent = |path: &Path| {
        std::fs::read(path.join("cmdline")).is_ok_and(|line| line.windows(6).any(|word| word == b"stdio\0"))
            && std::fs::read_to_string(path.join("status"))
                .is_ok_and(|status| status.lines().any(|line| line.split_whitespace().eq(["PPid:", &pid.to_string()])))
    };
    let found = std::fs::read_dir("/proc").expect("proc").filter_map(Result::ok).map(|entry| entry.path());
    let found: Vec<PathBuf> = found.filter(|path| is_agent(path)).collect();
    found.iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok()).collect()
}

#[test]
fn fifty_commands_at_once_wait_for_their_turn_and_each_runs_once() {
    let mut site = site("");
    site.serve();
    let start = |number: usize| -> Child {
        let name = format!("name={}", "abcdefghij".repeat(5).chars().nth(number).expect("a letter"));
        let mut command = Command::new(AURORA);
        command.args(site.args()).args(["run", "here", "hello", &name, "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs")
    };
    let children: Vec<Child> = (0..50).map(start).collect();
    for child in children {
        let output = child.wait_with_output().expect("ends");
        assert_eq!(told(&output)["state"], "done", "{}", stderr(&output));
    }
    assert_eq!(starts(&site), 50);
}

#[test]
fn output_that_controls_a_terminal_does_not_reach_one() {
    let mut site = site("");
    site.serve();
    let mut screen = crate::support::Screen::start(&site, &["run", "here", "bytes"], (80, 24));
    screen.shows("done, exit 0");
    assert!(screen.ends());
    let bytes = screen.bytes();
    assert!(!bytes.contains(&0x1b) && !bytes.contains(&0x07), "{}", String::from_utf8_lossy(&bytes));
}

#[test]
fn ctrl_c_explains_first_and_then_leaves_the_job_running() {
    let mut site = site("");
    site.serve();
    let mut screen = crate::support::Screen::start(&site, &["run", "here", "slow"], (100, 24));
    screen.shows("begun");
    screen.send(b"\x03");
    screen.shows("ctrl-c again to leave it running");
    screen.send(b"\x03");
    screen.shows("left running: job_");
    assert!(!screen.ends());
    let open = site.json(&["job", "list", "--open"]);
    let id = open[0]["id"].as_str().expect("it goes on").to_owned();
    let mut screen = crate::support::Screen::start(&site, &["job", "show", "--follow", &id], (100, 24));
    screen.shows("begun");
    screen.send(b"\x03");
    screen.shows("type `c`");
    screen.send(b"c\r");
    screen.shows("asked to cancel it");
    screen.ends();
    assert!(site.json(&["job", "list", "--open"]).as_array().is_some_and(Vec::is_empty));
}

#[test]
fn a_command_that_waits_for_a_road_says_for_what_and_a_dry_run_that_is_refused_is_told_as_json() {
    let mut site = site(
        "[hosts.dark]\nlayers = [\"socket\"]\nsocket = { addr = \"127.0.0.1:1\", key = \"file:key\" }\n\
                         [commands.there]\nhosts = [\"dark\"]\nargv = [\"/bin/true\"]\n",
    );
    crate::support::write_private(&site.path().join("key"), &"k".repeat(40));
    site.serve();
    let mut command = Command::new(AURORA);
    command.args(site.args()).args(["run", "dark", "there"]).stdin(Stdio::null()).stdout(Stdio::null());
    let log = site.path().join("said");
    let mut child = command.stderr(std::fs::File::create(&log).expect("a file")).spawn().expect("runs");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("what it waits for", || said().contains("waits: no road to dark answers"));
    child.kill().expect("kills");
    child.wait().expect("ends");
    let id = site.json(&["job", "list", "--host", "dark"])[0]["id"].as_str().expect("an id").to_owned();
    site.ok(&["job", "cancel", &id]);

    for args in [["run", "here", "rm", "--dry-run", "--json"], ["run", "nowhere", "hello", "--dry-run", "--json"]] {
        let output = site.aurora(&args);
        let refused = told(&output);
        assert_eq!(
            (refused["state"].as_str(), refused["host"].as_str()),
            (Some("not-run"), Some(args[1])),
            "{refused}"
        );
        assert!(!output.status.success() && refused["reason"].is_string(), "{refused}");
    }
}
