//! How long a byte takes from a pane of tmux to a client of the engine.
//!
//! `cargo bench --bench pane_latency -- SOCKET PANE TTY [COUNT]` attaches to the engine at SOCKET (`aurora.sock` of its
//! state directory), watches PANE (as `aurora pane list` calls it), writes marks to TTY (`tmux display -p '#{pane_tty}'`),
//! which is what a program in the pane would do, and prints one line of JSON: milliseconds until the client has each mark.
//! A host behind a slow line is one whose socket layer leads through something that delays.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints figures"
)]

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aurora::client::{Client, Target};
use aurora::model::{PaneAddress, PaneName};
use aurora::protocol::{PanePace, PaneReply, PaneRequest, PaneUpdate, Reply, Request, Update};

/// How long one mark may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two marks: each is the first after a rest.
const PAUSE: Duration = Duration::from_millis(150);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [socket, pane, tty, rest @ ..] = &arguments[..] else {
        println!("pane_latency: needs the socket of an engine, a pane and its tty");
        return;
    };
    let count: usize = rest.first().map_or(200, |count| count.parse().expect("a number"));
    let name: PaneName = pane.parse().expect("a pane");
    let mut client = Client::attach(Target::Unix(PathBuf::from(socket)), false, false).await.expect("an engine");
    let pane = find(&mut client, &name).await;
    let mut tty = std::fs::File::options().write(true).open(tty).expect("a terminal");
    client.ask(Request::Pane(PaneRequest::Watch { watch: 1, pane, pace: PanePace::LIVE }));
    hear(&mut client, "").await;
    let mut times = Vec::new();
    // The first is the cold one.
    for number in 0..=count {
        tokio::time::sleep(PAUSE).await;
        let mark = format!("mark-{number:06}-");
        let began = Instant::now();
        tty.write_all(format!("{mark}\r\n").as_bytes()).expect("writes");
        hear(&mut client, &mark).await;
        times.push(began.elapsed());
    }
    times.remove(0);
    times.sort_unstable();
    let at = |part: f64| {
        let index = (part * (times.len() - 1) as f64).round();
        times.get(format!("{index}").parse::<usize>().unwrap_or(0)).map(|time| time.as_secs_f64() * 1e3)
    };
    println!("{}", serde_json::json!({ "pane": name.to_string(), "p50": at(0.5), "p95": at(0.95), "n": times.len() }));
}

async fn find(client: &mut Client, name: &PaneName) -> PaneAddress {
    let reply = client.answer(Request::Pane(PaneRequest::List)).await.expect("a list");
    let Reply::Pane(PaneReply::Panes(hosts)) = reply else { panic!("no list") };
    let host = hosts.iter().find(|host| host.host == name.host).expect("the host");
    let row = host.panes.iter().find(|row| (row.facts.window, row.facts.index) == (name.window, name.index));
    PaneAddress { host: host.host.clone(), pane: row.expect("the pane").facts.id }
}

/// Waits for a piece with `mark` in it.
async fn hear(client: &mut Client, mark: &str) {
    let hearing = async {
        loop {
            let Update::Pane(update) = client.next().await.expect("an engine") else { continue };
            let (bytes, offset) = match update {
                PaneUpdate::Seed { seed, .. } => (seed.bytes, seed.offset),
                PaneUpdate::Chunk { chunk, .. } => {
                    let end = chunk.offset + chunk.bytes.len() as u64;
                    (chunk.bytes, end)
                }
                _ => continue,
            };
            client.seen(1, offset);
            if String::from_utf8_lossy(&bytes).contains(mark) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, hearing).await.expect("in time");
}
