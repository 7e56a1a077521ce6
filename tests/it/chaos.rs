//! Commands while each road to their host is killed in turn: every one is accounted for, and none starts twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::access::Line;
use crate::sshd::Machine;
use crate::support::{AURORA, Site, free_port, write_private};

/// A road that is back carries again within 12 s by its constants and by a clock that nobody waits for
/// (`bridge/layers/back_tests.rs`). This is a machine that is busy with other tests, where starting an agent alone may take
/// seconds: it is given twice that, and says how long it was.
const BACK: Duration = Duration::from_secs(24);
/// All commands have their end within this time once every road is open.
const DRAINED: Duration = Duration::from_mins(2);

/// A process that is killed when it is dropped, as `kill -9` does.
struct Door(Child);

impl Door {
    fn open(config: &Path, only: &str) -> Self {
        let mut command = Command::new(AURORA);
        command.arg("--config").arg(config).args(["agent", "--only", only]).env_remove("AURORA_STATE_DIR");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("an agent"))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One host with all layers, and an engine.
struct Rig {
    machine: Machine,
    agent: PathBuf,
    line: Line,
    /// The job of each command, by its number.
    jobs: BTreeMap<usize, String>,
    /// The longest that a road that was back was not used.
    longest: Duration,
    _site: Site,
}

impl Rig {
    fn new(layers: &str) -> Self {
        let machine = Machine::start();
        let agent = machine.file("agent.toml");
        std::fs::create_dir(machine.file("trigger")).expect("a directory");
        std::fs::set_permissions(machine.file("trigger"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .expect("chmod");
        write_private(&machine.file("secret"), &hex::encode(rand::random::<[u8; 32]>()));
        let [script, ran, trigger, key, spool] =
            ["mark", "ran", "trigger", "secret", "spool"].map(|name| machine.file(name).display().to_string());
        std::fs::write(&script, format!("#!/bin/sh\necho $1 >> {ran}\necho marked $1\n")).expect("writes");
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
        let hold = machine.file("hold").display().to_string();
        let waits = format!("#!/bin/sh\nuntil [ -e {hold}.go ]; do sleep 0.1; done\necho let go\n");
        std::fs::write(&hold, waits).expect("writes");
        std::fs::set_permissions(&hold, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
        let command = format!("argv = [\"{script}\", \"{{n}}\"]\nargs.n = {{ int = [0, 1000000] }}\n");
        let waiting = format!("argv = [\"{hold}\"]\ntimeout = \"10m\"\n");
        let port = free_port();
        let text = format!(
            "[agent]\nname = \"far\"\nlisten = \"127.0.0.1:{port}\"\nkey = \"file:{key}\"\nspool = \"{spool}\"\n\
             trigger = \"{trigger}\"\n[commands.hold]\n{waiting}[commands.mark]\n{command}"
        );
        std::fs::write(&agent, text).expect("writes");
        let more = format!(", agent = \"{AURORA}\", agent_config = \"{}\"", agent.display());
        let host = machine.host("far", machine.port, layers, &more);
        let mut site = Site::bare(&format!(
            "{host}at_once = 16\nsocket = {{ addr = \"127.0.0.1:{port}\", key = \"file:{key}\" }}\n\
             trigger = {{ dir = \"{trigger}\" }}\n[commands.hold]\nhosts = [\"far\"]\n{waiting}\
             [commands.mark]\nhosts = [\"far\"]\n{command}"
        ));
        site.serve();
        let (line, _) = Line::hello(&site, None);
        Self { machine, agent, line, jobs: BTreeMap::new(), longest: Duration::ZERO, _site: site }
    }

    fn ask(&mut self, request: &Value) -> Value {
        let answer = self.line.ask(&json!({"bridge": request}));
        answer["Ok"]["bridge"].clone()
    }

    /// Asks for a command; nobody waits for it.
    fn order(&mut self, command: &str, args: &Value, layer: Option<&str>) -> String {
        let id = format!("job_{}", uuid::Uuid::now_v7().simple());
        let draft = json!({"id": id, "on": {"host": "far"}, "any": false, "command": command,
            "args": args, "layer": layer, "lane": "normal", "confirm": null, "seen": null});
        let answer = self.ask(&json!({"run": draft}));
        assert!(answer["running"].is_object(), "{answer}");
        id
    }

    /// Asks for `count` more commands.
    fn run(&mut self, count: usize, layer: Option<&str>) {
        for number in self.jobs.len()..self.jobs.len() + count {
            let id = self.order("mark", &json!({"n": number.to_string()}), layer);
            self.jobs.insert(number, id);
        }
    }

    /// A job, once `is` holds of it.
    #[track_caller]
    fn job(&mut self, id: &str, is: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let job = self.ask(&json!({"job": id}))["job"].clone();
            if is(&job) {
                return job;
            }
            assert!(started.elapsed() < DRAINED, "{job:#}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How a layer is.
    fn layer(&mut self, kind: &str) -> Value {
        let hosts = self.ask(&json!("hosts"));
        let layers = hosts["hosts"][0]["layers"].as_array().expect("layers");
        layers.iter().find(|panel| panel["kind"] == kind).expect("the layer").clone()
    }

    /// Waits until `layer` carries again.
    #[track_caller]
    fn carries(&mut self, layer: &str) {
        let started = Instant::now();
        loop {
            let panel = self.layer(layer);
            if panel["state"] == "up" {
                self.longest = self.longest.max(started.elapsed());
                return;
            }
            assert!(started.elapsed() < BACK, "it is not used again within {BACK:?}: {panel:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until no job is open.
    fn drained(&mut self) {
        let started = Instant::now();
        let open = json!({"jobs": {"filter": {"open": true}, "before": null, "limit": 3}});
        loop {
            let rows = self.ask(&open)["jobs"].clone();
            if rows.as_array().is_some_and(Vec::is_empty) {
                return;
            }
            assert!(started.elapsed() < DRAINED, "these are not over after {DRAINED:?}: {rows:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The mount that shows the trigger directory is there, or not.
    fn mount(&self, there: bool) {
        let (mounted, away) = (self.machine.file("trigger"), self.machine.file("away"));
        let (from, to) = if there { (away, mounted) } else { (mounted, away) };
        std::fs::rename(from, to).expect("renames");
    }

    /// How often the command of each number has run.
    fn executions(&self) -> BTreeMap<usize, usize> {
        let text = std::fs::read_to_string(self.machine.file("ran")).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for number in text.lines().map(|line| line.parse().expect("a number")) {
            *counts.entry(number).or_default() += 1;
        }
        counts
    }
}

#[test]
#[ignore = "needs sshd"]
fn the_ssh_connection_that_is_there_carries_when_the_agent_with_the_socket_is_killed_under_a_command() {
    let mut rig = Rig::new("\"socket\", \"tmux\"");
    let socket = Door::open(&rig.agent, "socket");
    for layer in ["socket", "tmux"] {
        rig.carries(layer);
    }
    let held = rig.order("hold", &json!({}), None);
    let job = rig.job(&held, |job| !job["started"].is_null());
    assert_eq!(job["layer"], "socket");
    let killed = Instant::now();
    drop(socket);
    rig.run(10, None);
    for (number, id) in rig.jobs.clone() {
        let job = rig.job(&id, |job| job["state"]["ended"].is_object());
        if number == 0 {
            println!("what was asked for first was over after {} ms", killed.elapsed().as_millis());
        }
        assert_eq!((&job["layer"], &job["state"]["ended"]["done"]["exit"]), (&json!("tmux"), &json!(0)), "{job:#}");
    }
    let tmux = rig.layer("tmux");
    assert_eq!(tmux["flaps"], 0, "the connection is another: {tmux:#}");
    std::fs::write(rig.machine.file("hold.go"), "").expect("writes");
    let job = rig.job(&held, |job| job["state"]["ended"].is_object());
    assert_eq!(job["state"]["ended"]["done"]["exit"], 0, "{job:#}");
    assert!(rig.executions().values().all(|count| *count == 1));
}

/// Each road is killed with commands on it. Runners are spared: they are sessions of their own, which neither an agent
/// nor sshd takes along, and one that is killed makes its job *unknown* (`agent::a_runner_that_is_killed_…`).
#[test]
#[ignore = "needs sshd"]
fn a_thousand_commands_are_accounted_for_while_each_road_is_killed_in_turn() {
    let count: usize = std::env::var("AURORA_CHAOS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let part = count / 20;
    let mut rig = Rig::new("\"socket\", \"tmux\", \"trigger\", \"exec\"");
    let socket = Door::open(&rig.agent, "socket");
    let trigger = Door::open(&rig.agent, "trigger");
    for layer in ["socket", "tmux", "trigger", "exec"] {
        rig.carries(layer);
    }
    // The agent's socket dies with commands on it: ssh carries.
    rig.run(3 * part, None);
    drop(socket);
    rig.run(3 * part, None);
    // sshd too, and every connection: files carry.
    rig.machine.stop();
    rig.run(2 * part, None);
    // The mount too: nothing leads there. What waits goes when a road is back.
    rig.mount(false);
    rig.run(2 * part, None);
    let socket = Door::open(&rig.agent, "socket");
    rig.carries("socket");
    rig.run(2 * part, None);
    rig.mount(true);
    rig.carries("trigger");
    drop(socket);
    rig.run(2 * part, None);
    rig.machine.run();
    rig.carries("tmux");
    rig.carries("exec");
    // One connection each, and sshd dies under them.
    rig.run(part, Some("exec"));
    rig.machine.stop();
    rig.run(part, None);
    drop(trigger);
    rig.machine.run();
    rig.carries("tmux");
    let _trigger = Door::open(&rig.agent, "trigger");
    let _socket = Door::open(&rig.agent, "socket");
    rig.carries("socket");
    rig.run(count - rig.jobs.len(), None);
    rig.drained();

    let executions = rig.executions();
    let (mut layers, mut not_run) = (BTreeMap::<String, usize>::new(), 0);
    for (number, id) in rig.jobs.clone() {
        let job = rig.ask(&json!({"job": id}))["job"].clone();
        let ran = executions.get(&number).copied().unwrap_or_default();
        let end = &job["state"]["ended"];
        let fits = match ran {
            0 => end["not-run"].is_object(),
            1 => end["done"]["exit"] == 0,
            _ => false,
        };
        assert!(fits, "command {number} has run {ran} times and is told to be {end}: {job:#}");
        not_run += usize::from(ran == 0);
        *layers.entry(job["layer"].as_str().unwrap_or("none").to_owned()).or_default() += 1;
    }
    println!("{count} commands, {not_run} not run, by layer: {layers:?}");
    println!("what was back was used again after {:.1} s at most", rig.longest.as_secs_f64());
    assert_eq!(rig.jobs.len(), count);
    assert!(executions.len() >= count * 9 / 10, "what does not run has waited for a minute: {layers:?}");
    for layer in ["socket", "tmux", "trigger", "exec"] {
        assert!(layers.contains_key(layer), "each road carried some: {layers:?}");
    }
}
