//! Listeners as supervised tasks, one per address, with the routes of every channel on it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Limits;
use crate::ingress::{BodyBudget, Channel, Door, FailureLimit, Refusals, Routes};
use crate::model::{ChannelId, Reason};
use crate::net::{self, DoorLimits};
use crate::store::Store;

use super::Input;
use super::supervisor::{TaskContext, TaskSpec};

/// The name of the task that listens on `address`.
pub(super) fn listener_task(address: SocketAddr) -> String {
    format!("listener {address}")
}

/// Pause in which equal refusals are counted together before they are shown.
const GATHER: Duration = Duration::from_millis(200);

/// The listeners of all `channels`.
pub(super) fn listeners(
    channels: &HashMap<ChannelId, Arc<Channel>>,
    ingress: SocketAddr,
    limits: Limits,
    store: &Arc<Store>,
    refusals: &Arc<Refusals>,
) -> Vec<TaskSpec> {
    let mut by_address: BTreeMap<SocketAddr, Routes> = BTreeMap::from([(ingress, Routes::new())]);
    for channel in channels.values() {
        for (address, path) in channel.config.doors(ingress) {
            by_address.entry(address).or_default().insert(path, Arc::clone(channel));
        }
    }
    let limit = Arc::new(FailureLimit::new(limits.failures_per_minute));
    let budget = Arc::new(BodyBudget::default());
    by_address
        .into_iter()
        .map(|(address, routes)| {
            let door = Arc::new(Door {
                routes,
                store: Arc::clone(store),
                refusals: Arc::clone(refusals),
                limit: Arc::clone(&limit),
                budget: Arc::clone(&budget),
            });
            let door_limits = DoorLimits { connections: limits.connections, ..DoorLimits::default() };
            TaskSpec::new(listener_task(address), move |context| {
                listen(address, Arc::clone(&door), door_limits, context)
            })
        })
        .collect()
}

async fn listen(address: SocketAddr, door: Arc<Door>, limits: DoorLimits, context: TaskContext) -> Result<(), String> {
    let listener = net::bind(address).await.map_err(|error| error.to_string())?;
    context.running();
    let refusals = Arc::clone(&door.refusals);
    let turned_away = Box::new(move |peer: SocketAddr| {
        refusals.note(
            Reason::Connections,
            None,
            peer.ip(),
            "more connections than the listener takes",
            Timestamp::now(),
        );
    });
    net::serve(listener, door, limits, turned_away, context.stop).await;
    Ok(())
}

/// The task that brings refusals to the engine.
pub(super) fn refusals_task(refusals: Arc<Refusals>, inputs: tokio::sync::mpsc::Sender<Input>) -> TaskSpec {
    TaskSpec::new("refusals", move |context| {
        let (refusals, inputs) = (Arc::clone(&refusals), inputs.clone());
        async move {
            context.running();
            loop {
                tokio::select! {
                    () = context.stop.cancelled() => return Ok(()),
                    () = refusals.arrived() => {}
                }
                tokio::time::sleep(GATHER).await;
                // The engine is gone only when everything ends.
                let _ = inputs.send(Input::Rejected(refusals.take())).await;
            }
        }
    })
}
