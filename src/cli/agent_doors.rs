//! `aurora agent` and `aurora agent stdio`: the doors of a managed host.

use std::io::IsTerminal;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::Desk;
use crate::agent::doors::{self, SideDoor, SocketDoor, TriggerDoor};
use crate::engine::{Tell, tell};

use super::args::{AgentDoor, DoorArgs, Global};
use super::exit::{Exit, Failure, Outcome};
use super::logging;

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, error)
}

/// Opens the doors that were asked for, or all that are configured, and serves until SIGTERM or SIGINT. Jobs go on.
pub(super) async fn serve(desk: Desk, args: DoorArgs, global: &Global) -> Outcome {
    let only = args.only;
    logging::to_stderr(global.verbose);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let wants = |door| only.is_none_or(|only| only == door);
    let has_trigger = desk.config().trigger.is_some();
    let (stop, serving) = (CancellationToken::new(), TaskTracker::new());
    let mut open = Vec::new();
    // Whoever has the panes of the host for everybody has the socket: a process that only looks at files would keep them from
    // it.
    let side = (only != Some(AgentDoor::Trigger)).then(|| (desk.clone(), SideDoor::open(desk.clone())));
    // Without `--only` a host that has no key and a trigger directory has one door, and that is no mistake.
    if wants(AgentDoor::Socket)
        && (only.is_some() || desk.config().key.is_some() || !has_trigger)
        && let Some(door) = SocketDoor::open(desk.clone()).await.map_err(failed)?
    {
        open.push(format!("socket at {}", door.describe()));
        serving.spawn(door.serve(stop.clone()));
    }
    if wants(AgentDoor::Trigger) && (only.is_some() || has_trigger) {
        let door = TriggerDoor::open(desk, !args.no_inotify).map_err(failed)?;
        open.push(format!("trigger files in {}", door.describe()));
        serving.spawn(door.serve(stop.clone()));
    }
    if open.is_empty() {
        return Err(Failure::usage("no door is open: `listen` in [agent] is off and there is no `trigger`"));
    }
    let passed_on = TaskTracker::new();
    match side {
        Some((_, Ok(Some(door)))) => drop(passed_on.spawn(door.serve(stop.clone()))),
        Some((desk, Ok(None))) => {
            tracing::info!("another agent here has the panes of `aurora agent stdio`");
            passed_on.spawn(SideDoor::serve_next(desk, stop.clone()));
        }
        Some((_, Err(error))) => tracing::warn!(%error, "`aurora agent stdio` has to have panes itself"),
        None => {}
    }
    passed_on.close();
    let open = open.join("; ");
    tracing::info!("open: {open}");
    tell(Tell::Ready(open)).await;
    serving.close();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = serving.wait() => return Err(failed("every door has closed by itself")),
    }
    tell(Tell::Stopping).await;
    stop.cancel();
    serving.wait().await;
    passed_on.wait().await;
    Ok(Exit::Fine)
}

/// Serves the one engine at the other end of the pipes.
pub(super) async fn stdio(global: &Global) -> Outcome {
    if std::io::stdin().is_terminal() || std::io::stdout().is_terminal() {
        return Err(Failure::usage("this end speaks frames, not to a person; an engine starts it"));
    }
    let config = super::agent::config(global)?;
    let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
    doors::stdio(Desk::open(config)?, input, output).await.map_err(failed)?;
    Ok(Exit::Fine)
}

/// Prints what an engine pins where the socket leaves this machine.
pub(super) fn fingerprint(desk: &Desk) -> Outcome {
    super::output::line(&doors::certificate(desk.spool().path()).map_err(failed)?.pin())?;
    Ok(Exit::Fine)
}
