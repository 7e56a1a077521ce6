//! The life of the loop: it ends when it is asked to, and when it ends otherwise so does everything.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Input;
use super::supervisor::{Supervisor, panic_text};
use super::watchdog::{LOOP, Turns};

/// The engine has ended by itself: its loop did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has died of a defect, its log says of which; nothing that was acknowledged is lost")]
pub struct Died;

/// Runs the loop until `stop`, then ends everything in order. A loop that ends before that ends the engine with it:
/// deliveries would go on being acknowledged, and nobody would ever see them.
pub(super) async fn see_through<F>(
    looping: impl FnOnce(Turns) -> F,
    supervisor: &Supervisor,
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
) -> Result<(), Died>
where
    F: Future<Output = ()> + Send + 'static,
{
    // Held here, so that a loop that is dead stands still for the watchdog.
    let part = supervisor.parts.begin(LOOP);
    // A task of its own, so that a panic ends it alone.
    let mut running = tokio::spawn(looping(part.turns.clone()));
    let ended = tokio::select! {
        () = stop.cancelled() => None,
        ended = &mut running => Some(ended),
    };
    if let Some(ended) = ended {
        let why = ended.map_or_else(panic_text, |()| "it ended by itself".to_owned());
        tracing::error!("the engine's loop has died, the engine stops: {why}");
        stop.cancel();
        supervisor.ended().await;
        return Err(Died);
    }
    // Listeners first, while the loop still answers; then the loop.
    supervisor.ended().await;
    // A loop that has died meanwhile hears nothing.
    let _ = inputs.send(Input::Stop).await;
    running.await.map_err(|error| {
        tracing::error!("the engine's loop has died while it stopped: {}", panic_text(error));
        Died
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::{TaskContext, TaskSpec};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_dies_ends_the_feeding_and_the_engine() {
        let (inputs, _received) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let supervisor = Arc::new(Supervisor::new(inputs.clone(), stop.clone()));
        let lingering = |context: TaskContext| async move {
            context.stop.cancelled().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(())
        };
        Supervisor::run(&supervisor, TaskSpec::new("listener", lingering));
        let looping = |turns: Turns| async move {
            turns.another();
            tokio::time::sleep(Duration::from_secs(1)).await;
            panic!("a defect");
        };
        let ending = see_through(looping, &supervisor, inputs, stop.clone());
        let looking = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert!(stop.is_cancelled(), "everything is asked to end");
            supervisor.parts.taken()
        };
        let (ended, taken) = tokio::join!(ending, looking);
        assert_eq!(ended, Err(Died));
        assert_eq!(taken.get(LOOP), Some(&1), "it stands still and is not gone, so that nobody feeds the watchdog");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_asked_to_stop_ends_well() {
        let (inputs, mut received) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let supervisor = Supervisor::new(inputs.clone(), stop.clone());
        let looping = |_| async move { while !matches!(received.recv().await, Some(Input::Stop)) {} };
        stop.cancel();
        assert_eq!(see_through(looping, &supervisor, inputs, stop).await, Ok(()));
    }
}
