//! What one warm command costs over each layer, from the question to each of its answers.
//!
//! `cargo bench --bench bridge_latency -- CONFIG [COMMANDS]` runs the command `nothing` of CONFIG on each of its hosts,
//! one after the other, over that host's first layer, and prints one line of JSON a host. `benches/bridge.py` makes
//! such a configuration, an sshd and an agent, and sets the figures beside those of other programs.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints figures"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora::bridge::layers::{exec, local, socket, tmux, trigger};
use aurora::bridge::{Layer, LayerEvent, LayerNews, SshCall, Term};
use aurora::config::{Config, HostConfig, LayerConfig};
use aurora::model::{CommandTemplate, EngineId, JobId};
use aurora::net::AgentKey;
use aurora::policy::whitelist;
use aurora::protocol::{FromAgent, JobOrder, Journal, ToAgent};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

/// How long one command may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [path, rest @ ..] = &arguments[..] else {
        println!("bridge_latency: needs a configuration; benches/bridge.py makes one");
        return;
    };
    let count = rest.first().map_or(200, |count| count.parse().expect("a number"));
    aurora::net::install_provider();
    let config = aurora::config::load(Some(&PathBuf::from(path))).expect("a configuration");
    let command = config.commands.values().find(|command| command.name.as_str() == "nothing");
    let command = command.expect("a command called `nothing`");
    for host in config.hosts.values() {
        let kind = host.layers[0].kind();
        let mut times = measure(&config, host, command, count).await;
        let mut figures = serde_json::Map::from_iter([
            ("host".to_owned(), host.name.as_str().into()),
            ("layer".to_owned(), kind.as_str().into()),
        ]);
        for (name, times) in &mut times {
            times.sort_unstable();
            let at = |part: f64| {
                let index = (part * (times.len() - 1) as f64).round();
                times.get(format!("{index}").parse::<usize>().unwrap_or(0)).map(|time| time.as_secs_f64() * 1e3)
            };
            figures
                .insert((*name).to_owned(), serde_json::json!({ "p50": at(0.5), "p95": at(0.95), "n": times.len() }));
        }
        println!("{}", serde_json::Value::Object(figures));
    }
}

/// Times by what was heard.
type Times = BTreeMap<&'static str, Vec<Duration>>;

async fn measure(config: &Config, host: &HostConfig, command: &CommandTemplate, count: usize) -> Times {
    let (news, mut heard) = mpsc::channel(1024);
    let engine = EngineId::from_uuid(uuid::Uuid::now_v7());
    let epoch = u64::try_from(Timestamp::now().as_millisecond()).expect("after 1970");
    let term = Term { engine, epoch };
    let (_keep, terms) = watch::channel(term);
    let layer = open(config, host, terms, news);
    let mut times = Times::new();
    wait(&mut heard, |event| matches!(event, LayerEvent::Alive { .. })).await;
    // The first is the cold one.
    for number in 0..=count {
        let id = JobId::from_uuid(uuid::Uuid::now_v7());
        let line = whitelist::plan(command, &BTreeMap::new(), &host.name).expect("a plan");
        let plan = line.plan().clone();
        let order = JobOrder {
            id,
            hash: plan.hash(),
            plan,
            engine: term.engine,
            epoch: term.epoch,
            nonce: format!("{number:032x}"),
            not_after: Timestamp::now() + SignedDuration::from_secs(60),
        };
        let began = Instant::now();
        layer.ask(ToAgent::Run(Box::new(order))).await.expect("handed over");
        let mut asked = false;
        let mut seen: Vec<(&'static str, Duration)> = Vec::new();
        wait(&mut heard, |event| {
            let took = began.elapsed();
            let LayerEvent::Heard(said) = event else { return false };
            // Words about the one before may still come.
            let name = match &**said {
                FromAgent::Received { id: about, .. } if *about == id => "received",
                FromAgent::State { id: about, journal } if *about == id => match journal {
                    Journal::Accepted => "accepted",
                    Journal::Started { .. } => "started",
                    Journal::Done { .. } => "done",
                    _ => return false,
                },
                FromAgent::Refused { rule, reason, .. } => panic!("{}: {rule}: {reason}", host.name),
                _ => return false,
            };
            if !seen.iter().any(|(known, _)| *known == name) {
                seen.push((name, took));
            }
            // A layer of single questions answers the order and is then asked for the end.
            asked = name == "done" || (name == "started" && is_single(&layer));
            asked
        })
        .await;
        if !seen.iter().any(|(name, _)| *name == "done") {
            layer.ask(ToAgent::Query { id, from: 0, follow: true }).await.expect("handed over");
            wait(&mut heard, |event| {
                matches!(event, LayerEvent::Heard(said)
                    if matches!(&**said, FromAgent::State { id: about, journal: Journal::Done { .. } } if *about == id))
            })
            .await;
            seen.push(("done", began.elapsed()));
        }
        layer.ask(ToAgent::Fin { id }).await.expect("handed over");
        if number > 0 {
            for (name, took) in seen {
                times.entry(name).or_default().push(took);
            }
        }
    }
    times
}

fn is_single(layer: &Arc<dyn Layer>) -> bool {
    use aurora::model::LayerKind::{Exec, Trigger};
    matches!(layer.kind(), Exec | Trigger)
}

async fn wait(heard: &mut mpsc::Receiver<LayerNews>, mut is_it: impl FnMut(&LayerEvent) -> bool) {
    let waiting = async {
        while let Some(news) = heard.recv().await {
            if let LayerEvent::Down { why } | LayerEvent::Barred { why } = &news.event {
                eprintln!("{} over {}: {why}", news.host, news.kind);
            }
            if is_it(&news.event) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("an answer in time");
}

fn open(
    config: &Config,
    host: &HostConfig,
    term: watch::Receiver<Term>,
    news: mpsc::Sender<LayerNews>,
) -> Arc<dyn Layer> {
    let key = |secret| AgentKey::new(config.read_host_key(&host.name, secret).expect("a key")).expect("a good key");
    let call = |ssh| SshCall::new(&host.name, ssh, &config.state_dir.join("ssh"));
    let name = host.name.clone();
    match &host.layers[0] {
        LayerConfig::Local => {
            let options =
                ["--config".into(), config.source().into(), "--state-dir".into(), config.state_dir.clone().into()];
            let spec = local::LocalSpec { program: env!("CARGO_BIN_EXE_aurora").into(), options: options.into() };
            Arc::new(local::open(spec, name, term, news))
        }
        LayerConfig::Socket(to) => {
            let spec = socket::SocketSpec { place: to.place.clone(), key: key(&to.key), pin: to.pin };
            Arc::new(socket::open(spec, name, term, news))
        }
        LayerConfig::Trigger(to) => {
            let spec = trigger::TriggerSpec { dir: to.dir.clone(), key: key(&to.key) };
            Arc::new(trigger::open(spec, name, term, news))
        }
        LayerConfig::Tmux(ssh) => Arc::new(tmux::open(call(ssh), name, term, news)),
        LayerConfig::Exec(ssh) => Arc::new(exec::open(call(ssh), name, term, news)),
        LayerConfig::Manual => panic!("a person is not measured"),
    }
}
