//! Panes heard one by one, where control clients do not last: through a pipe, and where that is taken by looks.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::model::PaneFeedKind;
use crate::tmux::{Fallback, TmuxError};

use super::feed::{Ask, Feed, NoStill, Still};
use super::ring::Ring;

/// How soon a pane that is watched from now on is heard.
const LOOK: Duration = Duration::from_millis(200);
/// Every so many looks it is asked whether it is over.
const SWEEP: u32 = 25;
/// Time for the pipes to be closed.
const CLOSING: Duration = Duration::from_secs(3);
/// How often a capture is tried so that nothing is printed meanwhile.
const TRIES: u32 = 3;
/// Empties a screen (RIS), before what was captured is drawn on it.
const RESET: &[u8] = b"\x1bc";

/// Hears each pane of `feed` by itself until `is_over` says so.
pub(super) async fn hear_alone(
    feed: &Arc<Feed>,
    asks: &mut mpsc::Receiver<Ask>,
    fallback: &Fallback,
    is_over: impl Fn(&Feed) -> bool + Send,
) {
    let mut hearing: HashMap<u32, Weak<Ring>> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut looks = 0_u32;
    // However much is asked, it is looked so often.
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            Some(ask) = asks.recv() => {
                tasks.spawn(capture(Arc::clone(feed), ask));
                continue;
            }
        }
        while tasks.try_join_next().is_some() {}
        looks += 1;
        if looks.is_multiple_of(SWEEP) && is_over(feed) {
            // Pipes are given back.
            let _ = tokio::time::timeout(CLOSING, async { while tasks.join_next().await.is_some() {} }).await;
            return;
        }
        hearing.retain(|pane, ring| kept(feed, *pane, ring).is_some());
        for (pane, ring) in feed.all() {
            hearing.entry(pane).or_insert_with(|| {
                let weak = Arc::downgrade(&ring);
                tasks.spawn(hear_one(Arc::clone(feed), pane, weak.clone(), fallback.clone()));
                weak
            });
        }
    }
}

/// The ring of a pane, while it is heard here.
fn kept(feed: &Feed, pane: u32, ring: &Weak<Ring>) -> Option<Arc<Ring>> {
    feed.of(pane).filter(|own| std::ptr::eq(Arc::as_ptr(own), ring.as_ptr()))
}

/// Hears one pane while it is heard here.
async fn hear_one(feed: Arc<Feed>, pane: u32, ring: Weak<Ring>, mut fallback: Fallback) {
    while kept(&feed, pane, &ring).is_some() {
        feed.set_kind(Some(pane), fallback.kind());
        let error = if fallback.kind() == PaneFeedKind::Pipe {
            let Err(error) = piped(&feed, pane, &ring).await else { return };
            fallback.pipe_failed();
            error
        } else {
            let Err(error) = polled(&feed, pane, &ring).await else { return };
            error
        };
        tracing::info!(pane, %error, "a pane cannot be heard");
        let Some(ring) = kept(&feed, pane, &ring) else { return };
        ring.loses();
        drop(ring);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Every byte, through `pipe-pane`. Ends well when it is not heard here any more.
async fn piped(feed: &Feed, pane: u32, ring: &Weak<Ring>) -> Result<(), TmuxError> {
    let mut pipe = feed.sight.pipe(pane).await?;
    loop {
        let printed = tokio::select! {
            printed = pipe.next() => printed?.ok_or(TmuxError::PipeTaken(pane))?,
            () = tokio::time::sleep(Duration::from_secs(1)) => Vec::new(),
        };
        let Some(ring) = kept(feed, pane, ring) else { return pipe.close().await };
        if !printed.is_empty() {
            ring.push(&printed);
        }
    }
}

/// What it shows, again and again, as a stream that draws all of it each time.
async fn polled(feed: &Feed, pane: u32, ring: &Weak<Ring>) -> Result<(), TmuxError> {
    let mut poll = feed.sight.poll(pane);
    loop {
        let Some(own) = kept(feed, pane, ring) else { return Ok(()) };
        // The feed has it, this has it, and perhaps somebody who watches.
        poll.set_seen(Arc::strong_count(&own) > 2);
        drop(own);
        let shot = tokio::select! {
            shot = poll.next() => shot?,
            () = tokio::time::sleep(Duration::from_secs(2)) => continue,
        };
        let Some(ring) = kept(feed, pane, ring) else { return Ok(()) };
        ring.sized((shot.cols, shot.rows));
        ring.push(&[RESET, &shot.bytes].concat());
    }
}

/// What a pane shows, and the place it stands for.
///
/// Nothing here orders the capture against the stream, as a control client does. Where nothing was heard while it was
/// made, the place is exact but for what was still on its way through the pipe. Where something was, it is tried again.
/// A pane that never rests gets the place after the capture: then no line is shown twice, at worst some bytes between are
/// left out that the capture does not have. On a screen that scrolls they are gone with the next page, and once the pane
/// rests the engine compares its screen with a capture and begins anew where they differ.
async fn capture(feed: Arc<Feed>, ask: Ask) {
    let Some(ring) = feed.of(ask.pane) else {
        return ask.answer(Err(NoStill::Unheard));
    };
    let mut still = Err(NoStill::Unheard);
    for _ in 0..TRIES {
        let before = ring.end();
        let shot = feed.sight.shot(ask.pane, ask.history()).await;
        let (place, life) = ring.end();
        still = shot.map(|shot| Still { place, life, shot, follows: true }).map_err(NoStill::from);
        if still.is_err() || before == (place, life) {
            break;
        }
    }
    ask.answer(still);
}
