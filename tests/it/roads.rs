//! The roads over ssh, over a real sshd on this machine.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use aurora::bridge::layers::{exec, tmux};
use aurora::bridge::{Layer, LayerEvent, LayerNews, NotDelivered, SHIM, SshCall, Term};
use aurora::config::{Config, HostConfig, parse};
use aurora::model::{Class, End, EngineId, HostName, JobId, OutputChunk, Plan, Stream};
use aurora::protocol::{FromAgent, JobOrder, Journal, ToAgent};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::proxy::Proxy;
use crate::sshd::{Machine, descendants};
use crate::support::{AURORA, Site};

const PATIENCE: Duration = Duration::from_secs(30);

fn engine() -> EngineId {
    EngineId::from_uuid(Uuid::nil())
}

/// A road and what is heard on it.
struct Road {
    layer: Box<dyn Layer>,
    news: mpsc::Receiver<LayerNews>,
    _term: watch::Sender<Term>,
    _files: tempfile::TempDir,
}

#[derive(Clone, Copy)]
enum Kind {
    Tmux,
    Exec,
}

impl Road {
    fn open(kind: Kind, config: &str) -> Self {
        let files = tempfile::tempdir().expect("a directory");
        let config: Config = parse(config, None).unwrap_or_else(|error| panic!("{error}"));
        let host: &HostConfig = config.hosts.values().next().expect("a host");
        let call = SshCall::new(&host.name, host.ssh.as_ref().expect("ssh"), files.path());
        let (sink, news) = mpsc::channel(64);
        let (sender, term) = watch::channel(Term { engine: engine(), epoch: 1 });
        let layer: Box<dyn Layer> = match kind {
            Kind::Tmux => Box::new(tmux::open(call, host.name.clone(), term, sink)),
            Kind::Exec => Box::new(exec::open(call, host.name.clone(), term, sink)),
        };
        Self { layer, news, _term: sender, _files: files }
    }

    /// The next news that `wanted` takes; what comes before is passed over.
    async fn next<T>(&mut self, what: &str, mut wanted: impl FnMut(&LayerEvent) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let waiting = async {
            loop {
                let event = self.news.recv().await.expect("news").event;
                if let Some(found) = wanted(&event) {
                    return found;
                }
                seen.push(event);
            }
        };
        let found = tokio::time::timeout(PATIENCE, waiting).await.ok();
        found.unwrap_or_else(|| panic!("{what} did not come; these did: {seen:#?}"))
    }

    async fn alive(&mut self) {
        self.next("a sign of life", |event| matches!(event, LayerEvent::Alive { .. }).then_some(())).await;
    }

    async fn down(&mut self) -> String {
        let why = |event: &LayerEvent| match event {
            LayerEvent::Down { why } => Some(why.clone()),
            _ => None,
        };
        self.next("an end", why).await
    }

    /// It is down, and `words` say why.
    async fn down_by(&mut self, words: &str) {
        let is = |event: &LayerEvent| matches!(event, LayerEvent::Down { why } if why.contains(words)).then_some(());
        self.next(words, is).await;
    }

    async fn barred(&mut self) -> String {
        let why = |event: &LayerEvent| match event {
            LayerEvent::Barred { why } => Some(why.clone()),
            _ => None,
        };
        self.next("a bar", why).await
    }

    async fn journal(&mut self, id: JobId, over: bool) -> Journal {
        let state = |event: &LayerEvent| match event {
            LayerEvent::Heard(said) => match said.as_ref() {
                FromAgent::State { id: found, journal } if *found == id => {
                    let runs = matches!(journal, Journal::Accepted | Journal::Started { .. });
                    (!over || !runs).then(|| journal.clone())
                }
                FromAgent::Refused { reason, .. } | FromAgent::Trouble { reason, .. } => panic!("{reason}"),
                _ => None,
            },
            _ => None,
        };
        self.next("the state of a job", state).await
    }

    /// Runs an order to its end; how it ended, and what it wrote.
    async fn run(&mut self, order: JobOrder) -> (Journal, Vec<OutputChunk>) {
        let id = order.id;
        self.layer.ask(ToAgent::Run(Box::new(order))).await.expect("it is handed over");
        self.journal(id, false).await;
        self.layer.ask(ToAgent::Query { id, from: 0, follow: true }).await.expect("it is handed over");
        let mut chunks = BTreeMap::new();
        let journal = self
            .next("the end of a job", |event| {
                let LayerEvent::Heard(said) = event else { return None };
                match said.as_ref() {
                    FromAgent::Output { chunk, .. } => {
                        chunks.insert(chunk.seq, chunk.clone());
                        None
                    }
                    FromAgent::State { id: found, journal } if *found == id => {
                        (!matches!(journal, Journal::Accepted | Journal::Started { .. })).then(|| journal.clone())
                    }
                    _ => None,
                }
            })
            .await;
        (journal, chunks.into_values().collect())
    }
}

fn order(argv: &[&str]) -> JobOrder {
    let plan = Plan {
        host: "web-1".parse().expect("a name"),
        command: "todo".parse().expect("a name"),
        args: BTreeMap::new(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        keys: None,
        cwd: None,
        env: BTreeMap::from([("GREETING".to_owned(), "it's".to_owned())]),
        class: Class::AtMostOnce,
        timeout_ms: 20_000,
    };
    JobOrder {
        id: JobId::from_uuid(Uuid::now_v7()),
        hash: plan.hash(),
        plan,
        engine: engine(),
        epoch: 1,
        nonce: hex::encode(rand::random::<[u8; 8]>()),
        not_after: Timestamp::now() + Duration::from_mins(1),
    }
}

fn ended(journal: &Journal) -> End {
    match journal {
        Journal::Done { end, .. } => *end,
        other => panic!("{other:?}"),
    }
}

fn text(chunks: &[OutputChunk], stream: Stream) -> Vec<u8> {
    chunks.iter().filter(|chunk| chunk.stream == stream).flat_map(|chunk| chunk.bytes.clone()).collect()
}

fn write_program(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("makes it");
    std::fs::write(path, text).expect("writes");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// A machine with the shim, which `shell` runs.
fn with_shim(shell: &str) -> (Machine, String) {
    let machine = Machine::start();
    let path = machine.home().join("shim");
    write_program(&path, &SHIM.replacen("#!/bin/sh", &format!("#!{shell}"), 1));
    if shell.contains("busybox") {
        let tools = machine.home().join("tools");
        std::fs::create_dir(&tools).expect("a directory");
        assert!(Command::new("busybox").args(["--install", "-s"]).arg(&tools).status().expect("runs").success());
        let shell = tools.join("sh");
        let wrapped =
            format!("#!/bin/sh\nPATH={} exec {} {} \"$@\"\n", tools.display(), shell.display(), path.display());
        write_program(&machine.home().join("agent"), &wrapped);
    } else {
        std::fs::copy(&path, machine.home().join("agent")).expect("copies");
    }
    let agent = format!(", agent = \"{}\"", machine.home().join("agent").display());
    (machine, agent)
}

async fn a_shim_runs_a_job_once_and_says_how_it_ended(shell: &str) {
    let (machine, agent) = with_shim(shell);
    // Files of the shell print and take their time.
    std::fs::write(machine.home().join(".bashrc"), "echo from the rc file; printf 'no end of line'; sleep 0.3\n")
        .expect("writes");
    let mut road = Road::open(Kind::Exec, &machine.host("web-1", machine.port, "\"exec\"", &agent));
    let lost = |event: &LayerEvent| match event {
        LayerEvent::Heard(said) => match said.as_ref() {
            FromAgent::Welcome { lost, .. } => Some(lost.clone()),
            _ => None,
        },
        _ => None,
    };
    let lost = road.next("a greeting", lost).await;
    assert!(lost.iter().any(|line| line.contains("no fencing")), "{lost:?}");
    road.alive().await;
    // Every byte that text can hold comes through the line, the host's shell and the shim.
    let odd: String =
        (1..=255).filter_map(char::from_u32).chain("\u{20ac}\u{1d568}'\"\\$(id)`id`;\n".chars()).collect();
    let runs = machine.home().join("runs");
    let script = "printf %s \"$1\"; echo \"$GREETING\" >&2; echo run >>\"$2\"; exit 7";
    let order = order(&["sh", "-c", script, "sh", &odd, &runs.display().to_string()]);
    let (journal, chunks) = road.run(order.clone()).await;
    assert_eq!(ended(&journal), End::Exit(7));
    assert_eq!(text(&chunks, Stream::Out), odd.as_bytes());
    assert_eq!(text(&chunks, Stream::Err), b"it's\n");
    let (again, _) = road.run(order.clone()).await;
    assert_eq!(again, journal);
    assert_eq!(std::fs::read_to_string(&runs).expect("it ran"), "run\n", "once");
    let mut other = order;
    other.plan.argv.push("more".into());
    other.hash = other.plan.hash();
    road.layer.ask(ToAgent::Run(Box::new(other))).await.expect("it is handed over");
    let refused = |event: &LayerEvent| match event {
        LayerEvent::Heard(said) => match said.as_ref() {
            FromAgent::Refused { rule, .. } => Some(rule.clone()),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(road.next("a refusal", refused).await, "conflict");
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn the_shim_runs_a_job_once_under_dash() {
    a_shim_runs_a_job_once_and_says_how_it_ended("/bin/dash").await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn the_shim_runs_a_job_once_under_busybox() {
    a_shim_runs_a_job_once_and_says_how_it_ended("/bin/busybox sh").await;
}

/// What may run on a machine with an agent, by its own file and by ours.
fn commands(machine: &Machine) -> String {
    let home = machine.home().display().to_string();
    format!(
        "[commands.say]\nhosts = [\"web-1\"]\nargv = [\"/bin/echo\", \"x{{word}}\"]\n\
         args.word = {{ pattern = \"printable\", max_len = 1000 }}\n\
         [commands.slow]\nhosts = [\"web-1\"]\ncwd = \"{home}\"\n\
         argv = [\"/bin/sh\", \"-c\", \"echo run >>runs; sleep 2; echo end >>runs\"]\n"
    )
}

/// A machine with an agent, and the configuration of its host.
fn with_agent(layers: &str) -> (Machine, String) {
    let machine = Machine::start();
    let spool = machine.home().join("spool");
    let text = format!("[agent]\nname = \"web-1\"\nspool = \"{}\"\n{}", spool.display(), commands(&machine));
    std::fs::write(machine.file("agent.toml"), text).expect("writes");
    let more = format!(", agent = \"{AURORA}\", agent_config = \"{}\"", machine.file("agent.toml").display());
    let config = format!("{}{}", machine.host("web-1", machine.port, layers, &more), commands(&machine));
    (machine, config)
}

fn planned(config: &str, command: &str, values: &[(&str, &str)]) -> JobOrder {
    let config = parse(config, None).expect("a configuration");
    let template = &config.commands[&command.parse().expect("a name")];
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let host = "web-1".parse().expect("a name");
    let (plan, hash) = aurora::policy::whitelist::plan(template, &values, &host).expect("allowed").into_parts();
    JobOrder { plan, hash, ..order(&[]) }
}

async fn the_agent_runs_what_is_asked(kind: Kind, layer: &str) {
    let (machine, config) = with_agent(&format!("\"{layer}\""));
    std::fs::write(machine.home().join(".bashrc"), "echo from the rc file; printf 'no end of line'; sleep 0.3\n")
        .expect("writes");
    let mut road = Road::open(kind, &config);
    road.alive().await;
    let odd: String = (0x20..0x7f).chain(0xa1..0xad).filter_map(char::from_u32).chain("$(id)`id`;'".chars()).collect();
    let (journal, chunks) = road.run(planned(&config, "say", &[("word", &odd)])).await;
    assert_eq!(ended(&journal), End::Exit(0));
    assert_eq!(String::from_utf8(text(&chunks, Stream::Out)).expect("text"), format!("x{odd}\n"));
    let slow = planned(&config, "slow", &[]);
    let (first, _) = road.run(slow.clone()).await;
    let (again, _) = road.run(slow).await;
    assert_eq!(first, again);
    let runs = std::fs::read_to_string(machine.home().join("runs")).expect("it ran");
    assert_eq!(runs, "run\nend\n", "once");
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn the_agent_runs_what_is_asked_over_a_connection_a_question() {
    the_agent_runs_what_is_asked(Kind::Exec, "exec").await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn the_agent_runs_what_is_asked_over_one_long_connection() {
    the_agent_runs_what_is_asked(Kind::Tmux, "tmux").await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_command_goes_on_without_its_connection_and_is_found_again() {
    let (machine, config) = with_agent("\"tmux\"");
    let proxy = Proxy::to(machine.port);
    let through = config.replace(&format!("port = {}", machine.port), &format!("port = {}", proxy.port));
    let mut road = Road::open(Kind::Tmux, &through);
    road.alive().await;
    let slow = planned(&config, "slow", &[]);
    let id = slow.id;
    road.layer.ask(ToAgent::Run(Box::new(slow.clone()))).await.expect("it is handed over");
    let starts = |event: &LayerEvent| match event {
        LayerEvent::Heard(said) => {
            matches!(said.as_ref(), FromAgent::State { journal: Journal::Started { .. }, .. }).then_some(())
        }
        _ => None,
    };
    road.next("its start", starts).await;
    proxy.cut();
    road.down().await;
    road.alive().await;
    // Asked for twice, it runs once.
    road.layer.ask(ToAgent::Run(Box::new(slow))).await.expect("it is handed over");
    road.layer.ask(ToAgent::Query { id, from: 0, follow: true }).await.expect("it is handed over");
    assert_eq!(ended(&road.journal(id, true).await), End::Exit(0));
    assert_eq!(std::fs::read_to_string(machine.home().join("runs")).expect("it ran"), "run\nend\n");
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_command_is_found_again_from_another_address() {
    let (machine, config) = with_agent("\"tmux\"");
    let mut road = Road::open(Kind::Tmux, &config);
    road.alive().await;
    let slow = planned(&config, "slow", &[]);
    let id = slow.id;
    road.layer.ask(ToAgent::Run(Box::new(slow))).await.expect("it is handed over");
    road.journal(id, false).await;
    drop(road);
    let proxy = Proxy::from_elsewhere(machine.port);
    let elsewhere = config.replace(&format!("port = {}", machine.port), &format!("port = {}", proxy.port));
    let mut road = Road::open(Kind::Tmux, &elsewhere);
    road.alive().await;
    road.layer.ask(ToAgent::Query { id, from: 0, follow: true }).await.expect("it is handed over");
    assert_eq!(ended(&road.journal(id, true).await), End::Exit(0));
    assert_eq!(std::fs::read_to_string(machine.home().join("runs")).expect("it ran"), "run\nend\n");
    let log = std::fs::read_to_string(machine.file("sshd.log")).expect("a log");
    assert!(["from 127.0.0.1 ", "from 127.0.0.2 "].iter().all(|from| log.contains(from)), "{log}");
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_certificate_lets_in_where_the_key_alone_does_not() {
    let (mut machine, config) = with_agent("\"tmux\"");
    crate::sshd::make_key(&machine.file("ca"), "");
    // Nobody's key is known to it any more, and what the authority signed is.
    machine.stop();
    std::fs::write(machine.file("authorized_keys"), "").expect("writes");
    let sshd = machine.file("sshd_config");
    let text = std::fs::read_to_string(&sshd).expect("reads");
    std::fs::write(&sshd, format!("{text}TrustedUserCAKeys {}\n", machine.file("ca.pub").display())).expect("writes");
    machine.run();
    let mut road = Road::open(Kind::Tmux, &config);
    let why = road.down().await;
    assert!(why.contains("authenticate: "), "{why}");
    let user = Command::new("id").arg("-un").output().expect("runs").stdout;
    let user = String::from_utf8(user).expect("a name");
    let sign = |principal: &str| {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-s"]).arg(machine.file("ca")).args(["-I", "test", "-V", "+1h", "-n", principal]);
        assert!(command.arg(machine.file("key.pub")).status().expect("runs").success());
    };
    sign("somebody-else");
    road.layer.nudge();
    let why = road.down().await;
    assert!(why.contains("authenticate: "), "{why}");
    sign(user.trim());
    road.layer.nudge();
    road.alive().await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn an_sshd_that_is_back_is_used_again_and_another_key_bars_it() {
    let (mut machine, config) = with_agent("\"tmux\"");
    let mut road = Road::open(Kind::Tmux, &config);
    road.alive().await;
    machine.stop();
    road.down_by("connect: ").await;
    machine.run();
    road.alive().await;
    crate::sshd::make_key(&machine.file("other"), "");
    machine.knows("other");
    machine.stop();
    machine.run();
    assert!(road.barred().await.contains("host key"));
    machine.knows("host");
    road.layer.nudge();
    road.alive().await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_line_that_nobody_hears_on_is_noticed() {
    let (machine, config) = with_agent("\"tmux\"");
    let proxy = Proxy::to(machine.port);
    let through = config.replace(&format!("port = {}", machine.port), &format!("port = {}", proxy.port));
    let mut road = Road::open(Kind::Tmux, &through);
    road.alive().await;
    proxy.stall(true);
    let why = road.down().await;
    assert!(why.contains("probes"), "{why}");
    proxy.stall(false);
    proxy.cut();
    road.alive().await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_job_goes_on_when_its_connection_ends_and_a_cancel_stops_its_processes() {
    let (machine, agent) = with_shim("/bin/sh");
    let proxy = Proxy::to(machine.port);
    let mut road = Road::open(Kind::Exec, &machine.host("web-1", proxy.port, "\"exec\"", &agent));
    road.alive().await;
    let done = machine.home().join("done");
    let slow = order(&["sh", "-c", "sleep 2; echo >\"$1\"", "sh", &done.display().to_string()]);
    let id = slow.id;
    road.layer.ask(ToAgent::Run(Box::new(slow))).await.expect("it is handed over");
    road.journal(id, false).await;
    road.layer.ask(ToAgent::Query { id, from: 0, follow: true }).await.expect("it is handed over");
    proxy.cut();
    let why = road.down().await;
    assert!(why.contains("broke") || why.contains("ended"), "{why}");
    road.layer.ask(ToAgent::Query { id, from: 0, follow: true }).await.expect("the road is back");
    assert_eq!(ended(&road.journal(id, true).await), End::Exit(0));
    assert!(done.exists());
    let long = order(&["sh", "-c", "sleep 300 & sleep 300"]);
    let id = long.id;
    road.layer.ask(ToAgent::Run(Box::new(long))).await.expect("it is handed over");
    road.journal(id, false).await;
    road.layer.ask(ToAgent::Cancel { id, grace_ms: 1_000, epoch: 1 }).await.expect("it is handed over");
    match road.journal(id, true).await {
        Journal::Done { cut_short, left, .. } => assert_eq!((cut_short.is_some(), left), (true, Vec::new())),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn what_was_never_sent_is_told_from_what_is_unsure() {
    let (mut machine, agent) = with_shim("/bin/sh");
    let mut road = Road::open(Kind::Exec, &machine.host("web-1", machine.port, "\"exec\"", &agent));
    road.alive().await;
    machine.stop();
    let asked = road.layer.ask(ToAgent::Probe { nonce: 1 }).await;
    assert!(matches!(&asked, Err(NotDelivered::NeverSent(why)) if why.contains("refused")), "{asked:?}");
    road.down_by("connect: ").await;
    machine.run();
    road.alive().await;
    // It is let in, and what runs then ends with the status of ssh itself.
    write_program(&machine.home().join("agent"), "#!/bin/sh\nexit 255\n");
    let asked = road.layer.ask(ToAgent::Probe { nonce: 2 }).await;
    assert!(matches!(&asked, Err(NotDelivered::Unknown(_))), "{asked:?}");
    write_program(
        &machine.home().join("agent"),
        "#!/bin/sh\necho 'ssh: connect to host a port 1: refused' >&2; exit 255\n",
    );
    let asked = road.layer.ask(ToAgent::Probe { nonce: 3 }).await;
    assert!(matches!(&asked, Err(NotDelivered::Unknown(_))), "{asked:?}");
    std::fs::remove_file(machine.home().join("agent")).expect("removes");
    let asked = road.layer.ask(ToAgent::Probe { nonce: 4 }).await;
    assert!(matches!(&asked, Err(NotDelivered::Unknown(why)) if why.contains("aurora host install")), "{asked:?}");
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_line_that_is_slow_carries_and_one_that_is_closed_or_silent_never_sent() {
    let (machine, agent) = with_shim("/bin/sh");
    let proxy = Proxy::to(machine.port);
    proxy.delay(Duration::from_millis(20));
    let mut road = Road::open(Kind::Exec, &machine.host("web-1", proxy.port, "\"exec\"", &agent));
    let rtt = |event: &LayerEvent| match event {
        LayerEvent::Alive { rtt } => Some(*rtt),
        _ => None,
    };
    assert!(road.next("a sign of life", rtt).await > Duration::from_millis(80), "the line is slow");
    proxy.delay(Duration::ZERO);
    proxy.refuse(true);
    let asked = road.layer.ask(ToAgent::Probe { nonce: 1 }).await;
    assert!(matches!(&asked, Err(NotDelivered::NeverSent(why)) if why.contains("connect: ")), "{asked:?}");
    proxy.refuse(false);
    proxy.stall(true);
    let asked = road.layer.ask(ToAgent::Probe { nonce: 2 }).await;
    assert!(matches!(&asked, Err(NotDelivered::NeverSent(why)) if why.contains("timed out")), "{asked:?}");
    proxy.stall(false);
    road.layer.nudge();
    road.alive().await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_hostile_agent_is_bounded_and_refused_in_words() {
    let (machine, agent) = with_shim("/bin/sh");
    write_program(&machine.home().join("agent"), "#!/bin/sh\nyes\n");
    let mut road = Road::open(Kind::Exec, &machine.host("web-1", machine.port, "\"exec\"", &agent));
    let why = road.down().await;
    assert!(why.contains("no answer"), "{why}");
    let mut road = Road::open(Kind::Tmux, &machine.host("web-1", machine.port, "\"tmux\"", &agent));
    let why = road.down().await;
    assert!(why.contains("a frame is longer than"), "{why}");
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_changed_host_key_bars_both_roads() {
    let (machine, agent) = with_shim("/bin/sh");
    crate::sshd::make_key(&machine.file("other"), "");
    machine.knows("other");
    for kind in [Kind::Tmux, Kind::Exec] {
        let mut road = Road::open(kind, &machine.host("web-1", machine.port, "\"exec\"", &agent));
        let why = road.barred().await;
        assert!(why.contains("host key") && why.contains("known_hosts"), "{why}");
        let asked = road.layer.ask(ToAgent::Probe { nonce: 1 }).await;
        assert!(matches!(asked, Err(NotDelivered::NeverSent(_))), "{asked:?}");
    }
    // A key of another kind is no way around it, and no key at all is no change.
    let output = Command::new("ssh-keygen")
        .args(["-q", "-t", "ecdsa", "-N", "", "-f"])
        .arg(machine.file("ecdsa"))
        .output()
        .expect("ssh-keygen runs");
    assert!(output.status.success());
    machine.knows("ecdsa");
    let mut road = Road::open(Kind::Exec, &machine.host("web-1", machine.port, "\"exec\"", &agent));
    assert!(road.barred().await.contains("host key"));
    std::fs::write(machine.file("known_hosts"), "").expect("writes");
    let mut road = Road::open(Kind::Exec, &machine.host("web-1", machine.port, "\"exec\"", &agent));
    let why = road.down().await;
    assert!(why.contains("ssh-keyscan"), "{why}");
    // Once a person has looked, it is used again.
    machine.knows("host");
    road.layer.nudge();
    road.alive().await;
}

/// The host is behind itself, so both hops are believed by the same file.
#[tokio::test]
#[ignore = "needs sshd"]
async fn a_jump_host_is_used_and_each_hop_s_key_is_checked() {
    let (machine, agent) = with_shim("/bin/sh");
    let port = machine.port;
    let jump = format!(", jump = [\"localhost:{port}\"]{agent}");
    let mut road = Road::open(Kind::Exec, &machine.host("web-1", port, "\"exec\"", &jump));
    road.alive().await;
    drop(road);
    crate::sshd::make_key(&machine.file("other"), "");
    machine.knows("other");
    let mut road = Road::open(Kind::Exec, &machine.host("web-1", port, "\"exec\"", &jump));
    assert!(road.barred().await.contains("host key"));
}

fn install(site: &Site, words: &[&str]) -> Output {
    Command::new(AURORA).args(site.args()).args(["host", "install"]).args(words).output().expect("aurora runs")
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn the_binary_and_the_shim_are_brought_and_compared() {
    let machine = Machine::start();
    let name: HostName = "web-1".parse().expect("a name");
    let site = Site::bare(&machine.host(name.as_str(), machine.port, "\"exec\"", ""));
    let first = install(&site, &["web-1"]);
    assert!(first.status.success(), "{}", printed(&first));
    let place = machine.home().join(".local/bin/aurora");
    assert_eq!(std::fs::read(&place).expect("it is there"), std::fs::read(AURORA).expect("this program"));
    let told = printed(&first);
    assert!(told.contains("sha256") && told.contains("agent.toml was written") && told.contains("remains: "), "{told}");
    let agent = machine.home().join(".config/aurora/agent.toml");
    assert!(std::fs::read_to_string(&agent).expect("a file").contains("name = \"web-1\""));
    std::fs::write(&agent, "[agent]\nname = \"mine\"\n").expect("writes");
    let second = install(&site, &["web-1"]);
    assert!(printed(&second).contains("is there already"), "{}", printed(&second));
    assert!(std::fs::read_to_string(&agent).expect("a file").contains("mine"), "what is there stays");
    let refused = install(&site, &["--shim", "web-1"]);
    assert!(!refused.status.success() && printed(&refused).contains("no shim"), "{}", printed(&refused));
    std::fs::remove_file(&place).expect("removes");
    let shim = install(&site, &["--shim", "web-1"]);
    assert!(shim.status.success(), "{}", printed(&shim));
    assert_eq!(std::fs::read_to_string(&place).expect("it is there"), SHIM);
    let left: Vec<_> = std::fs::read_dir(place.parent().expect("a directory")).expect("reads").collect();
    assert_eq!(left.len(), 1, "nothing half done is left: {left:?}");
    let unknown = install(&site, &["web-2"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(printed(&unknown).contains("did you mean `web-1`?"), "{}", printed(&unknown));
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn the_local_ssh_ends_with_its_road() {
    let (machine, agent) = with_shim("/bin/sh");
    write_program(&machine.home().join("agent"), "#!/bin/sh\necho here >\"$HOME/here\"\nsleep 30\n");
    let road = Road::open(Kind::Tmux, &machine.host("web-1", machine.port, "\"tmux\"", &agent));
    let mine = || {
        let of = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        descendants(std::process::id())
            .iter()
            .filter(|pid| of(pid).contains(&format!("-p\0{}\0", machine.port)))
            .count()
    };
    let begun = Instant::now();
    while !machine.home().join("here").exists() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(mine(), 1);
    drop(road);
    while mine() > 0 {
        assert!(begun.elapsed() < PATIENCE, "it is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the operator's own file says is not asked; what is in force is strict.
#[tokio::test]
#[ignore = "needs sshd"]
async fn what_is_in_force_is_strict_whatever_the_operator_s_own_file_says() {
    let files = tempfile::tempdir().expect("a directory");
    let text = "[hosts.web-1]\nssh = { target = \"ops@web-1\", port = 2222, jump = [\"bastion.example.org\"] }\n";
    let config = parse(text, None).expect("a configuration");
    let host = config.hosts.values().next().expect("a host");
    let call = SshCall::new(&host.name, host.ssh.as_ref().expect("ssh"), files.path());
    let options = call.effective().await.expect("ssh says it");
    for wanted in [
        "hostname web-1",
        "user ops",
        "port 2222",
        "proxyjump bastion.example.org",
        "batchmode yes",
        "stricthostkeychecking true",
        "forwardagent no",
        "forwardx11 no",
        "clearallforwardings yes",
        "permitlocalcommand no",
        "controlmaster false",
    ] {
        assert!(options.iter().any(|option| option == wanted), "{wanted}: {options:#?}");
    }
    assert!(!options.iter().any(|option| option.starts_with("proxycommand ")), "{options:#?}");
}

/// Hosts come from the configuration alone, which refuses these before anything is started.
#[test]
fn a_hostile_name_starts_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let trace = dir.path().join("trace");
    write_program(&dir.path().join("bin/ssh"), &format!("#!/bin/sh\necho ran >>{}\n", trace.display()));
    for target in ["-oProxyCommand=touch${IFS}x", "$(id)", "a;b", "a b", "-l", "ops@-F/x", "a%h", "a\\nb"] {
        let site = Site::bare(&format!("[hosts.web-1]\nssh = {{ target = \"{target}\" }}\n"));
        let path = format!("{}:{}", dir.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let output = Command::new(AURORA)
            .args(site.args())
            .args(["host", "install", "web-1"])
            .env("PATH", path)
            .output()
            .expect("aurora runs");
        assert_eq!(output.status.code(), Some(2), "{target}: {}", printed(&output));
    }
    assert!(!trace.exists(), "something was started");
}
