//! `aurora host`: the machines commands run on, and the roads to them.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::bridge::SshCall;
use crate::config::Config;
use crate::model::{HostName, HostPanel, LayerKind, LayerPanel, LayerState, age, short_duration};
use crate::protocol::{BridgeReply, BridgeRequest, Reply, Request};

use super::args::{Global, HostCommand};
use super::exit::{Exit, Failure, Outcome};
use super::host_install::install;
use super::output;
use super::session::{Session, ask, unexpected};

/// How long layers may take to say how they are.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(command: HostCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        HostCommand::List(json) => {
            let panels = hosts(ask(config, global, Request::Bridge(BridgeRequest::Hosts)).await?)?;
            if json.json {
                output::json(&panels)?;
            } else {
                list(&panels)?;
            }
            Ok(Exit::Fine)
        }
        HostCommand::Check { host, explain, json } => {
            let mut session = Session::open(config, global).await?;
            let panel = check(&mut session, &host).await;
            session.close().await;
            let panel = panel?;
            if json.json {
                output::json(&panel)?;
            } else {
                show(&panel, explain)?;
                if explain {
                    show_ssh(config, &host).await?;
                }
            }
            Ok(verdict(&panel))
        }
        HostCommand::Install { host, shim } => install(config, &host, shim).await,
    }
}

/// How ssh is called for the host, as ssh itself says it.
async fn show_ssh(config: &Config, host: &HostName) -> Result<(), Failure> {
    let Some((host, ssh)) = config.hosts.get(host).and_then(|host| Some((host, host.ssh.as_ref()?))) else {
        return Ok(());
    };
    let options = SshCall::new(&host.name, ssh, &config.state_dir.join("ssh")).effective().await;
    let options = options.map_err(|why| Failure::new(Exit::Failed, why))?;
    output::line("ssh      is called with these options and reads no other file:")?;
    Ok(options.iter().try_for_each(|option| output::line(&format!("         {option}")))?)
}

fn hosts(reply: Reply) -> Result<Vec<HostPanel>, Failure> {
    match reply {
        Reply::Bridge(BridgeReply::Hosts(panels)) => Ok(panels),
        reply => Err(unexpected(&reply)),
    }
}

/// Asks the agent over every layer, and waits for what comes of it.
async fn check(session: &mut Session, host: &HostName) -> Result<HostPanel, Failure> {
    let asked = Timestamp::now();
    match session.ask(Request::Bridge(BridgeRequest::Probe(host.clone()))).await? {
        Reply::Bridge(BridgeReply::Done) => {}
        reply => return Err(unexpected(&reply)),
    }
    let started = Instant::now();
    loop {
        let panels = hosts(session.ask(Request::Bridge(BridgeRequest::Hosts)).await?)?;
        let panel = panels.into_iter().find(|panel| panel.name == *host);
        let panel = panel.ok_or_else(|| Failure::new(Exit::Failed, format!("no host is called {host} any more")))?;
        if panel.layers.iter().all(|layer| is_settled(layer, asked)) || started.elapsed() > PATIENCE {
            return Ok(panel);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a layer has said how it is since it was asked.
fn is_settled(layer: &LayerPanel, asked: Timestamp) -> bool {
    match layer.state {
        _ if layer.kind == LayerKind::Manual => true,
        LayerState::Unknown | LayerState::Connecting => false,
        LayerState::Up | LayerState::Proving => layer.last_good.is_some_and(|last| last >= asked),
        LayerState::Down | LayerState::Barred => true,
    }
}

/// 0 when every layer answers, 3 when some do, 4 when none does.
fn verdict(panel: &HostPanel) -> Exit {
    let mut layers = panel.layers.iter().filter(|layer| layer.kind != LayerKind::Manual);
    let is_up = |layer: &LayerPanel| matches!(layer.state, LayerState::Up | LayerState::Proving);
    if layers.clone().all(is_up) {
        Exit::Fine
    } else if layers.any(is_up) {
        Exit::Degraded
    } else {
        Exit::Down
    }
}

fn list(panels: &[HostPanel]) -> Result<(), Failure> {
    let cells = panels.iter().flat_map(|panel| {
        let labels: Vec<String> = panel.labels.iter().map(|label| format!("@{label}")).collect();
        let jobs = format!("{}/{}", panel.running, panel.queued);
        panel.layers.iter().enumerate().map(move |(number, layer)| {
            let first = |text: &str| if number == 0 { text.to_owned() } else { String::new() };
            let active = if panel.active == Some(layer.kind) { "*" } else { "" };
            let rtt = layer.rtt.map(short_duration).unwrap_or_default();
            let layer_name = format!("{}{active}", layer.kind);
            [
                first(panel.name.as_str()),
                first(&labels.join(" ")),
                first(&jobs),
                layer_name,
                layer.state.as_str().to_owned(),
                rtt,
                layer.why.clone(),
            ]
        })
    });
    let cells: Vec<[String; 7]> = cells.collect();
    Ok(output::table(["HOST", "LABELS", "RUN/WAIT", "LAYER", "STATE", "RTT", "WHY"], cells)?)
}

fn show(panel: &HostPanel, explain: bool) -> Result<(), Failure> {
    let now = Timestamp::now();
    for layer in &panel.layers {
        let rtt = layer.rtt.map(|rtt| format!(", {}", short_duration(rtt))).unwrap_or_default();
        let active = if panel.active == Some(layer.kind) { "  <- carries the next command" } else { "" };
        output::line(&format!("{:<8} {}{rtt}{active}", layer.kind, layer.state.as_str()))?;
        if !layer.why.is_empty() {
            output::line(&format!("         {}", layer.why))?;
        }
        if explain {
            let good = layer.last_good.map_or("never".to_owned(), |good| age(good, now));
            output::line(&format!(
                "         since {}, last good {good}, {} times down in the last hour",
                layer.since, layer.flaps
            ))?;
        }
    }
    if let Some(agent) = panel.agent.as_ref().filter(|_| explain) {
        output::line(&format!("agent    aurora {}, its clock is off by {} ms", agent.version, agent.skew_ms))?;
        agent.lost.iter().try_for_each(|lost| output::line(&format!("         cannot promise: {lost}")))?;
    }
    Ok(())
}
