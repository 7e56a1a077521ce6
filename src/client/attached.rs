//! The line to an engine in another process: it is kept up, and nothing is lost when it breaks.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::protocol::{ASK_MAX, FromEngine, Link, Notice, Refusal, Request, RequestId, ToEngine, Update};

use super::line::{self, Frames, connect};
use super::open::{Open, Saying, Wish};
use super::ssh::Prompts;
use super::target::Target;

/// First pause before the line is tried again; doubled each time.
const BACKOFF: Duration = Duration::from_millis(100);
/// Longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A line that lived this long was a good one: the pauses begin anew. One that dies sooner is no better than none.
const GOOD: Duration = Duration::from_secs(10);
/// How often the line is measured.
const PING_EVERY: Duration = Duration::from_secs(5);
/// A line on which nothing came while so many pings went out is broken. Counted in pings and not in time, so
/// that a screen that was suspended asks before it gives up its line.
const UNHEARD_MAX: u32 = 3;
/// A line that takes nothing for so long is broken.
const STUCK: Duration = Duration::from_secs(15);

/// Keeps the line up until the client is dropped, beginning with `frames`.
pub(super) async fn run(
    target: Target,
    wish: Wish,
    frames: Frames,
    mut said: mpsc::UnboundedReceiver<Saying>,
    updates: mpsc::Sender<Update>,
) {
    let mut open = Open::default();
    let mut connected = Some(frames);
    let mut since = Timestamp::now();
    let mut tries = 0;
    let mut why = String::new();
    loop {
        if let Some(mut frames) = connected.take() {
            let up = tokio::time::Instant::now();
            let link = Update::Link(Link::Connected { rtt: None });
            if updates.send(link).await.is_err() {
                return;
            }
            let (again, lost) = open.after_break();
            for id in lost {
                let reply = Update::Reply { id, reply: Err(Refusal::Unanswered) };
                if updates.send(reply).await.is_err() {
                    return;
                }
            }
            let ended = talk(&mut frames, again, &mut said, &updates, &mut open).await;
            since = Timestamp::now();
            tries = if up.elapsed() >= GOOD { 0 } else { tries + 1 };
            why = match ended {
                Ended::Client => return,
                Ended::Line => frames.into_inner().last_words().await,
                Ended::Because(why) => why,
            };
            tracing::debug!(why, "the line is broken");
        }
        let link = Link::Reconnecting { since, tries, why: last_line(&why) };
        if updates.send(Update::Link(link)).await.is_err() {
            return;
        }
        tokio::time::sleep(pause(tries)).await;
        let outcome = tokio::select! {
            outcome = connect(&target, wish, Prompts::Refused) => outcome,
            () = updates.closed() => return,
        };
        match outcome {
            Ok(frames) => connected = Some(frames),
            Err(error) => {
                tries += 1;
                why = error.reason();
                tracing::debug!(why, tries, "the engine is not there");
            }
        }
    }
}

/// The last line that says something: programs explain first and name the outcome last.
fn last_line(text: &str) -> String {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

/// Full jitter: everybody who lost the same engine comes back at another moment.
fn pause(tries: u32) -> Duration {
    let longest = (BACKOFF * 2u32.saturating_pow(tries.min(10))).min(BACKOFF_MAX);
    longest.mul_f64(rand::random_range(0.5..=1.0))
}

/// Why a conversation ended.
enum Ended {
    /// The client is gone.
    Client,
    /// The line was closed; whoever carried it knows why.
    Line,
    /// This.
    Because(String),
}

/// Talks until the line breaks or the client is gone.
async fn talk(
    frames: &mut Frames,
    again: Vec<(RequestId, Request)>,
    said: &mut mpsc::UnboundedReceiver<Saying>,
    updates: &mpsc::Sender<Update>,
    open: &mut Open,
) -> Ended {
    for (id, request) in again {
        if let Err(ended) = send(frames, &ToEngine::Ask { id, request }).await {
            return ended;
        }
    }
    let mut pings = tokio::time::interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ping, mut shown, mut last) = ((0, Instant::now()), None, None);
    let (mut unheard, mut heard) = (0, frames.get_ref().heard());
    loop {
        tokio::select! {
            saying = said.recv() => {
                let frame = match saying {
                    Some(Saying::Ask(id, request)) => {
                        open.asked(id, request.clone());
                        ToEngine::Ask { id, request }
                    }
                    Some(Saying::Seen { watch, offset }) => ToEngine::Seen { watch, offset },
                    None => return Ended::Client,
                };
                match send(frames, &frame).await {
                    Ok(went) => if let (false, ToEngine::Ask { id, .. }) = (went, frame) {
                        open.answered(id);
                        let why = format!("this is more than one request may hold, {} MiB; ask for less at once", ASK_MAX >> 20);
                        if updates.send(Update::Reply { id, reply: Err(Refusal::Failed(why)) }).await.is_err() {
                            return Ended::Client;
                        }
                    },
                    Err(ended) => return ended,
                }
            }
            _ = pings.tick() => {
                if frames.get_ref().heard() > heard {
                    (unheard, heard) = (0, frames.get_ref().heard());
                }
                if unheard >= UNHEARD_MAX {
                    return Ended::Because(format!("nothing was heard for {} s", PING_EVERY.as_secs() * u64::from(unheard)));
                }
                unheard += 1;
                ping = (ping.0 + 1, Instant::now());
                if let Err(ended) = send(frames, &ToEngine::Ping(ping.0)).await {
                    return ended;
                }
            }
            frame = line::receive(frames) => {
                let update = match frame {
                    Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                        return Ended::Because(format!("what came is no frame: {error}"));
                    }
                    // An error is, for one, a line that was cut in the middle of a frame.
                    Ok(None) | Err(_) => return Ended::Line,
                    Ok(Some(FromEngine::Notice(Notice::Stopping))) => {
                        return Ended::Because("the engine has stopped".to_owned());
                    }
                    Ok(Some(FromEngine::Welcome { .. })) => return Ended::Because("a second welcome".to_owned()),
                    Ok(Some(FromEngine::Goodbye { reason, .. })) => return Ended::Because(reason),
                    Ok(Some(FromEngine::Snapshot(snapshot))) => Update::Snapshot(snapshot),
                    Ok(Some(FromEngine::Notice(notice))) => Update::Notice(notice),
                    Ok(Some(FromEngine::Pane(piece))) => Update::Pane(piece),
                    Ok(Some(FromEngine::Reply { id, reply })) => {
                        open.answered(id);
                        Update::Reply { id, reply }
                    }
                    Ok(Some(FromEngine::Pong(number))) => {
                        let rtt = coarse(ping.1.elapsed());
                        let again = last.replace(rtt) == Some(rtt);
                        // A step counts once it was seen twice, or a line between two of them would never be still.
                        if number != ping.0 || shown == Some(rtt) || (shown.is_some() && !again) {
                            continue;
                        }
                        shown = Some(rtt);
                        Update::Link(Link::Connected { rtt: Some(rtt) })
                    }
                };
                if updates.send(update).await.is_err() {
                    return Ended::Client;
                }
            }
        }
    }
}

/// Answers whether it went out: what is too long for a frame does not.
async fn send(frames: &mut Frames, frame: &ToEngine) -> Result<bool, Ended> {
    match tokio::time::timeout(STUCK, line::send(frames, frame)).await {
        Ok(Ok(())) => Ok(true),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(false),
        Ok(Err(_)) => Err(Ended::Line),
        Err(_) => Err(Ended::Because(format!("the line took nothing for {} s", STUCK.as_secs()))),
    }
}

/// Steps so coarse that a steady line shows a steady number.
fn coarse(rtt: Duration) -> Duration {
    const STEPS: [u64; 10] = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];
    let milliseconds = u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(STEPS.into_iter().find(|step| milliseconds <= *step).unwrap_or(5_000))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert!(pause(1) <= Duration::from_millis(200));
        for tries in 0..40 {
            assert!(pause(tries) <= BACKOFF_MAX);
        }
        assert!(pause(30) >= BACKOFF_MAX / 2);
    }

    #[test]
    fn a_reason_is_the_last_line_that_says_something() {
        assert_eq!(last_line("@@@ WARNING @@@\nHost key verification failed.\r\n\n"), "Host key verification failed.");
        assert_eq!(last_line(""), "");
    }

    /// Talks on a line whose far end is the answered stream; ends with the line.
    fn talking() -> (UnixStream, impl Future<Output = String>) {
        let (near, far) = UnixStream::pair().expect("a pair");
        let talking = async move {
            let (_says, mut said) = mpsc::unbounded_channel();
            let (updates, _updates) = mpsc::channel(8);
            let mut frames = line::framed(line::Line::unix(near));
            match talk(&mut frames, Vec::new(), &mut said, &updates, &mut Open::default()).await {
                Ended::Client => "the client is gone".to_owned(),
                Ended::Line => "the line was closed".to_owned(),
                Ended::Because(why) => why,
            }
        };
        (far, talking)
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_stalls_is_broken() {
        let (_far, talking) = talking();
        let started = tokio::time::Instant::now();
        assert_eq!(talking.await, "nothing was heard for 15 s");
        assert!(started.elapsed() <= Duration::from_secs(16), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn what_is_too_long_to_ask_is_refused_and_the_line_holds() {
        let (near, far) = UnixStream::pair().expect("a pair");
        let (says, mut said) = mpsc::unbounded_channel();
        let (updates, mut heard) = mpsc::channel(8);
        let name = "x".repeat(ASK_MAX);
        says.send(Saying::Ask(RequestId(1), Request::RestartTask(name))).expect("it listens");
        says.send(Saying::Ask(RequestId(2), Request::RestartTask("t".into()))).expect("it listens");
        let talking = tokio::spawn(async move {
            let mut frames = line::framed(line::Line::unix(near));
            talk(&mut frames, Vec::new(), &mut said, &updates, &mut Open::default()).await;
        });
        let Some(Update::Reply { id, reply: Err(why) }) = heard.recv().await else { panic!("it is answered") };
        assert!(id == RequestId(1) && why.to_string().contains("4 MiB"), "{why}");
        let mut engine = tokio_util::codec::Framed::new(far, crate::net::LineCodec::of_engine());
        let asked = loop {
            let frame = futures_util::StreamExt::next(&mut engine).await.expect("the line holds").expect("a frame");
            match serde_json::from_slice(&frame).expect("a frame") {
                ToEngine::Ask { id, .. } => break id,
                other => assert!(matches!(other, ToEngine::Ping(_)), "{other:?}"),
            }
        };
        assert_eq!(asked, RequestId(2));
        drop((says, heard));
        talking.await.expect("it ends with its client");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_dies_after_its_welcome_is_not_tried_without_pause() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("engine.sock");
        let engine = tokio::net::UnixListener::bind(&path).expect("listens");
        let mut welcomed = 0;
        let welcoming = async {
            loop {
                let (stream, _) = engine.accept().await.expect("accepts");
                let mut frames = line::framed(line::Line::unix(stream));
                let welcome = FromEngine::Welcome { version: "test".to_owned() };
                let frame = bytes::Bytes::from(serde_json::to_vec(&welcome).expect("a frame"));
                futures_util::SinkExt::send(&mut frames, frame).await.expect("sends");
                welcomed += 1;
            }
        };
        let (_says, said) = mpsc::unbounded_channel();
        let (updates, mut heard) = mpsc::channel(8);
        let (near, _) = UnixStream::pair().expect("a pair");
        let wish = Wish { follow: true, read_only: false };
        let running = run(Target::Unix(path), wish, line::framed(line::Line::unix(near)), said, updates);
        let hearing = async { while heard.recv().await.is_some() {} };
        tokio::select! {
            () = running => {}
            () = welcoming => {}
            () = hearing => {}
            () = tokio::time::sleep(Duration::from_mins(1)) => {}
        }
        assert!((5..40).contains(&welcomed), "{welcomed} times in a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_trickles_in_is_no_silence() {
        let (mut far, talking) = talking();
        let trickle = async {
            far.write_all(&1_000_u32.to_be_bytes()).await.expect("writes");
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(6)).await;
                far.write_all(b"x").await.expect("the line holds");
            }
        };
        tokio::select! {
            ended = talking => panic!("{ended}"),
            () = trickle => {}
        }
    }
}
