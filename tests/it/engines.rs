//! Two engines and one host: the last that came drives it, the other is fenced off, and nothing runs twice.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::access::Line;
use crate::support::{AURORA, Site, eventually, write_private};

/// A host with an agent on a unix socket, and a command that leaves its word in `ran`.
struct Host {
    dir: TempDir,
    agent: Child,
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        write_private(&dir.path().join("key"), &hex::encode(rand::random::<[u8; 32]>()));
        let path = dir.path().display().to_string();
        let script = dir.path().join("mark");
        let text = format!(
            "#!/bin/sh\necho $1 >> {path}/ran\nwhile test $1 = 0 && ! test -e {path}/go; do sleep 0.05; done\n"
        );
        std::fs::write(&script, text).expect("writes");
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
        let config = dir.path().join("agent.toml");
        let text = format!(
            "[agent]\nname = \"far\"\nlisten = \"unix:{path}/socket\"\nkey = \"file:{path}/key\"\nspool = \"{path}/spool\"\n{}",
            Self::command(&path, "")
        );
        std::fs::write(&config, text).expect("writes");
        let mut command = Command::new(AURORA);
        command.arg("--config").arg(&config).args(["agent", "--only", "socket"]).env_remove("AURORA_STATE_DIR");
        let agent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("an agent");
        let socket = dir.path().join("socket");
        eventually("listening", || socket.exists());
        Self { dir, agent }
    }

    fn command(path: &str, hosts: &str) -> String {
        format!("[commands.mark]\n{hosts}argv = [\"{path}/mark\", \"{{n}}\"]\nargs.n = {{ int = [0, 1000000] }}\n")
    }

    /// An engine that has this host.
    fn engine(&self) -> Site {
        let path = self.dir.path().display().to_string();
        let mut site = Site::bare(&format!(
            "[hosts.far]\nlayers = [\"socket\"]\nat_once = 8\nsocket = {{ addr = \"unix:{path}/socket\", key = \"file:{path}/key\" }}\n{}",
            Self::command(&path, "hosts = [\"far\"]\n")
        ));
        site.serve();
        site
    }

    /// What has run, in order.
    fn ran(&self) -> Vec<u32> {
        let text = std::fs::read_to_string(self.dir.path().join("ran")).unwrap_or_default();
        text.lines().map(|line| line.parse().expect("a number")).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// Runs the command to its end; how it ended and why.
fn run(site: &Site, number: u32) -> (String, String) {
    let output = site.aurora(&["run", "far", "mark", &format!("n={number}"), "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

#[test]
fn the_last_that_came_drives_the_host_and_the_other_is_fenced_off() {
    let host = Host::new();
    let mut first = host.engine();
    assert_eq!(run(&first, 1).0, "done");
    // It has a job there that runs on.
    let long = first.ok(&["run", "far", "mark", "n=0", "--detach"]);
    eventually("the long one", || host.ran().contains(&0));

    // An engine of another state directory, whose terms begin anew.
    let second = host.engine();
    assert_eq!(run(&second, 2).0, "done", "it takes the host over");
    let (state, why) = run(&first, 3);
    assert_eq!(state, "not-run", "{why}");
    assert!(why.contains("another engine drives it") && why.contains("start this one again to take it back"), "{why}");
    assert_eq!(run(&second, 4).0, "done", "and keeps it");
    // Who is fenced off still hears what became of what it ordered.
    std::fs::write(host.dir.path().join("go"), "").expect("writes");
    eventually("the end of the long one", || {
        first.json(&["job", "show", &long])["state"]["ended"]["done"]["exit"] == 0
    });

    // Started again it takes the host back.
    assert!(first.stop());
    first.serve();
    assert_eq!(run(&first, 5).0, "done");
    let (state, why) = run(&second, 6);
    assert_eq!(state, "not-run", "{why}");
    assert_eq!(host.ran(), [1, 0, 2, 4, 5]);
}

#[test]
fn two_that_come_at_once_run_nothing_twice() {
    let host = Host::new();
    let sites = [host.engine(), host.engine()];
    // The same numbers from both, as fast as they are taken.
    let mut lines = sites.each_ref().map(|site| Line::hello(site, None).0);
    let mut jobs = Vec::new();
    for number in 1..=40u32 {
        for (engine, line) in lines.iter_mut().enumerate() {
            let id = format!("job_{}", uuid::Uuid::now_v7().simple());
            let n = number + u32::try_from(engine).expect("small") * 1_000;
            let draft = json!({"id": id, "on": {"host": "far"}, "any": false, "command": "mark",
                "args": {"n": n.to_string()}, "layer": null, "lane": "normal", "confirm": null, "seen": null});
            let answer = line.ask(&json!({"bridge": {"run": draft}}));
            assert!(answer["Ok"]["bridge"]["running"].is_object(), "{answer}");
            jobs.push((engine, n, id));
        }
    }
    for site in &sites {
        // Whoever does not have the host may wait for as long as a job may wait to start.
        let started = Instant::now();
        while !site.json(&["job", "list", "--open"]).as_array().is_some_and(Vec::is_empty) {
            assert!(started.elapsed() < Duration::from_secs(150), "they have no end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let ran = host.ran();
    let mut done = 0;
    for (engine, n, id) in jobs {
        let job = lines[engine].ask(&json!({"bridge": {"job": id}}))["Ok"]["bridge"]["job"].clone();
        let end = &job["state"]["ended"];
        let fits = match ran.iter().filter(|known| **known == n).count() {
            0 => end["not-run"].is_object(),
            1 => end["done"]["exit"] == 0,
            _ => false,
        };
        assert!(fits, "{n} is told to be {end}, and {ran:?} ran");
        done += usize::from(end["done"].is_object());
    }
    assert!(done >= 40, "one of them drives the host: {done}");
    assert_eq!(done, ran.len());
}
