//! `aurora serve` under a service manager: ready, alive, how it goes, stopping.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::engine::{Running, Tell, is_managed, tell};
use crate::model::{ChannelState, TaskState, TaskStatus};
use crate::protocol::{Reply, Request, Snapshot};
use crate::screen;

/// How long tasks may take to say whether they run. A port that is taken is said after a second, and tried again.
const SETTLE: Duration = Duration::from_secs(10);
/// How often the status line is looked at.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// How often within the watchdog's time the engine is looked at, so that one slow commit costs no restart.
const LOOKS: u32 = 4;

/// Tells the service manager what it wants to know of `running`, until that stops. Nothing without a manager.
pub(super) async fn attend(running: &Running) {
    if !is_managed() {
        return;
    }
    // Its own process is let in always; otherwise the engine has stopped already.
    let Ok(client) = Client::embedded(&running.handle, false, true).await else { return };
    let watchdog = running.watchdog();
    tokio::spawn(async move {
        let Some((client, status)) = settled(client).await else { return };
        tell(Tell::Ready(status.clone())).await;
        if let Some(limit) = sd_notify::watchdog_enabled() {
            tokio::spawn(watchdog.watch(limit / LOOKS, feed));
        }
        keep_status(client, status).await;
    });
}

/// Waits until every task has tried what it does, and answers how that went. `None` when the engine stops.
async fn settled(mut client: Client) -> Option<(Client, String)> {
    let started = Instant::now();
    loop {
        let snapshot = snapshot(&mut client).await?;
        let is_starting = snapshot.tasks.iter().any(|task| task.state == TaskState::Starting);
        if !is_starting && !snapshot.tasks.is_empty() || started.elapsed() > SETTLE {
            return Some((client, status(&snapshot)));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn keep_status(mut client: Client, mut told: String) {
    loop {
        tokio::time::sleep(STATUS_EVERY).await;
        let Some(snapshot) = snapshot(&mut client).await else { return };
        let status = status(&snapshot);
        if status != told {
            told.clone_from(&status);
            tell(Tell::Status(status)).await;
        }
    }
}

async fn snapshot(client: &mut Client) -> Option<Box<Snapshot>> {
    match client.answer(Request::Snapshot).await {
        Ok(Reply::Snapshot(snapshot)) => Some(snapshot),
        _ => None,
    }
}

async fn feed(still: Vec<String>) {
    if still.is_empty() {
        return tell(Tell::Alive).await;
    }
    let names = still.join(", ");
    tracing::error!("no advance: {names}; the watchdog is not fed");
    tell(Tell::Status(format!("no advance: {names}"))).await;
}

/// How it goes, in one line: channels, then the first task that does not run.
fn status(snapshot: &Snapshot) -> String {
    let listening = snapshot.channels.iter().filter(|channel| channel.state == ChannelState::Listening).count();
    let channels = format!("{listening} of {} channels listen", snapshot.channels.len());
    let waiting: Vec<&TaskStatus> = snapshot.tasks.iter().filter(|task| task.state == TaskState::Waiting).collect();
    let text = match &waiting[..] {
        [] => channels,
        [first, rest @ ..] => {
            let why = first.last_error.as_deref().unwrap_or("it ended");
            let more = if rest.is_empty() { String::new() } else { format!("; {} more wait", rest.len()) };
            format!("{channels}; {} waits: {why}{more}", first.name)
        }
    };
    screen::line(&text)
}
