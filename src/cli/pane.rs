//! `aurora pane`: the terminals of hosts, from a command line.

use serde::Serialize;

use crate::config::Config;
use crate::model::{HostName, PaneAddress, PaneName};
use crate::protocol::{HostPanes, NoPane, PaneReply, PaneRequest, PaneRow, Reply, Request};

use super::args::{Global, PaneCommand};
use super::exit::{Exit, Failure, Outcome};
use super::session::{Session, unexpected};
use super::{output, pane_keys, pane_watch};

pub(super) async fn run(command: PaneCommand, config: &Config, global: &Global) -> Outcome {
    let mut session = Session::open(config, global).await?;
    let outcome = match command {
        PaneCommand::List(json) => list(&mut session, json.json).await,
        PaneCommand::Watch { pane, json, record } => watch(&mut session, &pane, json.json, record).await,
        PaneCommand::Send { pane, text, enter, keys } => send(&mut session, &pane, text.as_deref(), enter, &keys).await,
    };
    session.close().await;
    outcome
}

pub(super) async fn ask(session: &mut Session, request: PaneRequest) -> Result<PaneReply, Failure> {
    match session.ask(Request::Pane(request)).await? {
        Reply::Pane(reply) => Ok(reply),
        reply => Err(unexpected(&reply)),
    }
}

async fn hosts(session: &mut Session) -> Result<Vec<HostPanes>, Failure> {
    match ask(session, PaneRequest::List).await? {
        PaneReply::Panes(hosts) => Ok(hosts),
        reply => Err(unexpected(&Reply::Pane(reply))),
    }
}

/// A host with what its panes are called.
#[derive(Serialize)]
struct Named<'a> {
    host: &'a HostName,
    layer: Option<crate::model::LayerKind>,
    at: jiff::Timestamp,
    why: Option<&'a str>,
    may_drive: bool,
    panes: Vec<NamedPane<'a>>,
}

#[derive(Serialize)]
struct NamedPane<'a> {
    name: String,
    #[serde(flatten)]
    row: &'a PaneRow,
}

async fn list(session: &mut Session, json: bool) -> Outcome {
    let hosts = hosts(session).await?;
    if json {
        let named = hosts.iter().map(|host| Named {
            host: &host.host,
            layer: host.layer,
            at: host.at,
            why: host.why.as_deref(),
            may_drive: host.may_drive,
            panes: host.panes.iter().map(|row| NamedPane { name: host.name(row).to_string(), row }).collect(),
        });
        output::json(&named.collect::<Vec<_>>())?;
    } else {
        let rows = hosts.iter().flat_map(|host| host.panes.iter().map(move |row| cells(host, row)));
        output::table(["PANE", "SIZE", "RUNS", "STATE", "TITLE"], rows)?;
        for host in hosts.iter().filter(|host| host.layer.is_none() || host.panes.is_empty()) {
            output::line(&format!("{}: {}", host.host, host.why.as_deref().unwrap_or("it has no panes")))?;
        }
    }
    let reached = hosts.iter().filter(|host| host.layer.is_some()).count();
    Ok(if reached == hosts.len() {
        Exit::Fine
    } else if reached > 0 {
        Exit::Degraded
    } else {
        Exit::Down
    })
}

fn cells(host: &HostPanes, row: &PaneRow) -> [String; 5] {
    let facts = &row.facts;
    let mut state = Vec::new();
    if host.layer.is_none() {
        state.push("stale".to_owned());
    }
    match facts.dead {
        Some(Some(code)) => state.push(format!("dead {code}")),
        Some(None) => state.push("dead".to_owned()),
        None => {}
    }
    state.extend(facts.mode.clone());
    state.extend(facts.too_fast().map(str::to_owned));
    if facts.synchronized {
        state.push("synchronized".to_owned());
    }
    state.extend(facts.driver.as_ref().map(|driver| format!("driven by {}", driver.who)));
    state.extend(row.calls.as_ref().map(|(_, why)| format!("calls: {why}")));
    [
        host.name(row).to_string(),
        format!("{}x{}", facts.cols, facts.rows),
        facts.command.clone(),
        state.join(", "),
        facts.title.clone(),
    ]
}

/// The pane that is called so.
async fn find(session: &mut Session, name: &PaneName) -> Result<PaneAddress, Failure> {
    let hosts = hosts(session).await?;
    let unknown = || NoPane::None { name: name.clone(), why: Some("there is no such host".to_owned()) };
    let host = hosts.iter().find(|host| host.host == name.host);
    host.ok_or_else(unknown).and_then(|host| host.find(name)).map_err(|no_pane| {
        let exit = match &no_pane {
            NoPane::None { .. } => Exit::Failed,
            NoPane::Unreached { .. } => Exit::Down,
            NoPane::Several(_) => Exit::Usage,
        };
        Failure::new(exit, format!("{no_pane}; `aurora pane list` names them"))
    })
}

async fn watch(session: &mut Session, name: &PaneName, json: bool, record: bool) -> Outcome {
    let pane = find(session, name).await?;
    let outcome = pane_watch::follow(session.client(), &pane, json, record).await;
    if record {
        ask(session, PaneRequest::Record { pane, on: false, stays: false }).await?;
    }
    outcome
}

async fn send(session: &mut Session, name: &PaneName, text: Option<&str>, enter: bool, keys: &[String]) -> Outcome {
    let mut pieces = Vec::new();
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        if text.chars().any(char::is_control) {
            return Err(Failure::usage("the text holds control characters; `--keys` types keys, as --keys C-c"));
        }
        pieces.push(text.as_bytes().to_vec());
    }
    for key in keys {
        pieces.push(pane_keys::bytes(key).ok_or_else(|| {
            Failure::usage(format!(
                "{key:?} is no key; there are C-a to C-z, Enter, Tab, Escape, Space, BSpace, Up, Down, Left, Right"
            ))
        })?);
    }
    if enter {
        pieces.push(b"\r".to_vec());
    }
    if pieces.is_empty() {
        return Err(Failure::usage("there is nothing to type: give a text, --keys or --enter"));
    }
    let pane = find(session, name).await?;
    ask(session, PaneRequest::Take { pane: pane.clone() }).await?;
    let mut typed = 0;
    let mut outcome = Ok(());
    'pieces: for piece in pieces {
        for part in piece.chunks(32 << 10) {
            if let Err(failure) = ask(session, PaneRequest::Keys { pane: pane.clone(), bytes: part.to_vec() }).await {
                outcome =
                    Err(Failure::new(failure.exit, format!("{} ({typed} bytes were typed before)", failure.text)));
                break 'pieces;
            }
            typed += part.len();
        }
    }
    // What it was taken over for is over either way.
    let released = ask(session, PaneRequest::Release { pane }).await;
    outcome?;
    released?;
    output::line(&format!(
        "{typed} bytes were typed into {name}; whether they were understood is for its screen to say"
    ))?;
    Ok(Exit::Fine)
}
