//! One connection of an engine, from its first frame to its end.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::agent::{Desk, Session};
use crate::net::{FrameError, FrameReader, FrameWriter};
use crate::protocol::{FromAgent, ToAgent};

/// Answers that may wait for an engine that does not read. Then its own questions wait, and nobody else's.
const WAITING_MAX: usize = 64;

/// Time for the answers that wait when an engine has asked its last.
const DRAIN: Duration = Duration::from_secs(1);

/// What is driven over a connection is given back when nothing was heard on it for so long. An engine that is there sends a
/// probe every five seconds; a line that broke without a word may look alive for hours.
const QUIET: Duration = Duration::from_secs(20);

/// Brings questions to `desk` and answers back until the engine has closed, or says nothing for `idle`. Jobs that were
/// started go on.
///
/// # Errors
/// When what comes is no question, or the connection breaks. The engine is told which, where it can still be told.
pub(super) async fn talk(
    desk: &Desk,
    mut reader: FrameReader<impl AsyncRead + Unpin>,
    mut writer: FrameWriter<impl AsyncWrite + Unpin>,
    idle: Option<Duration>,
) -> Result<(), FrameError> {
    let stays = async |_: &ToAgent| None::<()>;
    talk_until(desk, &mut reader, &mut writer, idle, stays).await.map(|_| ())
}

/// The same, until `leave` knows how to go on in place of answering a question. What was asked before is answered first.
pub(super) async fn talk_until<T>(
    desk: &Desk,
    reader: &mut FrameReader<impl AsyncRead + Unpin>,
    writer: &mut FrameWriter<impl AsyncWrite + Unpin>,
    idle: Option<Duration>,
    mut leave: impl AsyncFnMut(&ToAgent) -> Option<T>,
) -> Result<Option<T>, FrameError> {
    let (answers, mut waiting) = mpsc::channel(WAITING_MAX);
    let ended = {
        // It has the only sender there is when it ends, but for what still works for this engine.
        let hearing = async move {
            let mut session = Session::new();
            while let Some(question) = {
                let quiet = || desk.quiet(&session, &answers);
                next(reader, idle, quiet).await?
            } {
                if let Some(left) = leave(&question).await {
                    return Ok(Some(left));
                }
                desk.serve(&mut session, question, &answers).await;
            }
            Ok(None)
        };
        let telling = async {
            while let Some(answer) = waiting.recv().await {
                writer.write(&answer).await?;
            }
            Ok(())
        };
        tokio::pin!(telling);
        tokio::select! {
            ended = hearing => match ended {
                Ok(None) => tokio::time::timeout(DRAIN, telling).await.unwrap_or(Ok(())).map(|()| None),
                // Half an answer must not have gone.
                Ok(left) => tokio::time::timeout(DRAIN, telling).await.unwrap_or(Err(FrameError::Stuck)).map(|()| left),
                error => error,
            },
            ended = &mut telling => ended.map(|()| None),
        }
    };
    if let Err(error @ (FrameError::NotAMessage(_) | FrameError::TooLong)) = &ended {
        // It may have gone; the error that is returned is the first one.
        let _ = writer.write(&FromAgent::Trouble { id: None, reason: error.to_string() }).await;
    }
    ended
}

/// The next question; `None` when there are no more, or none came for `idle`. `quiet` is told when none came for a while.
async fn next(
    reader: &mut FrameReader<impl AsyncRead + Unpin>,
    idle: Option<Duration>,
    quiet: impl FnOnce(),
) -> Result<Option<ToAgent>, FrameError> {
    let reading = reader.read();
    tokio::pin!(reading);
    if let Ok(heard) = tokio::time::timeout(QUIET, &mut reading).await {
        return heard;
    }
    quiet();
    match idle {
        Some(idle) => tokio::time::timeout(idle.saturating_sub(QUIET), reading).await.unwrap_or(Ok(None)),
        None => reading.await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex, split};
    use uuid::Uuid;

    use super::*;
    use crate::config::AgentConfig;
    use crate::model::EngineId;
    use crate::protocol::AGENT_VERSION;

    fn desk(dir: &std::path::Path) -> Desk {
        let config = AgentConfig::parse("[agent]\nname = \"web-1\"\n", None, Some(dir)).expect("a configuration");
        Desk::open(config).expect("a desk")
    }

    #[tokio::test]
    async fn questions_are_answered_until_one_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let desk = desk(dir.path());
        let (near, far) = duplex(4096);
        let (reader, writer) = split(far);
        let talking =
            tokio::spawn(async move { talk(&desk, FrameReader::new(reader), FrameWriter::new(writer), None).await });
        let (reader, writer) = split(near);
        let (mut reader, mut writer) = (FrameReader::new(reader), FrameWriter::new(writer));
        let engine = EngineId::from_uuid(Uuid::nil());
        let host = "web-1".parse().expect("a name");
        writer.write(&ToAgent::Hello { version: AGENT_VERSION, engine, epoch: 1, host }).await.expect("writes");
        assert!(matches!(reader.read().await, Ok(Some(FromAgent::Welcome { .. }))));
        writer.write(&ToAgent::Probe { nonce: 3 }).await.expect("writes");
        assert!(matches!(reader.read().await, Ok(Some(FromAgent::Alive { nonce: 3, .. }))));
        writer.into_inner().write_all(b"\0\0\0\x02{}").await.expect("writes");
        assert!(matches!(reader.read().await, Ok(Some(FromAgent::Trouble { .. }))));
        assert!(matches!(talking.await.expect("ends"), Err(FrameError::NotAMessage(_))));
    }

    #[tokio::test]
    async fn an_engine_that_asks_no_more_is_answered_to_the_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let desk = desk(dir.path());
        let (asked, answered) = (duplex(64 << 10), duplex(16));
        let mut ask = FrameWriter::new(asked.0);
        let engine = EngineId::from_uuid(Uuid::nil());
        let host = "web-1".parse().expect("a name");
        ask.write(&ToAgent::Hello { version: AGENT_VERSION, engine, epoch: 1, host }).await.expect("writes");
        for nonce in 1..=20 {
            ask.write(&ToAgent::Probe { nonce }).await.expect("writes");
        }
        drop(ask);
        let talking =
            tokio::spawn(
                async move { talk(&desk, FrameReader::new(asked.1), FrameWriter::new(answered.0), None).await },
            );
        let mut reader = FrameReader::new(answered.1);
        assert!(matches!(reader.read().await, Ok(Some(FromAgent::Welcome { .. }))));
        for expected in 1..=20 {
            let heard: Option<FromAgent> = reader.read().await.expect("a frame");
            assert!(matches!(heard, Some(FromAgent::Alive { nonce, .. }) if nonce == expected), "{heard:?}");
        }
        assert!(talking.await.expect("ends").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_is_quiet_is_noticed_once_and_heard_when_it_speaks_again() {
        let (near, far) = duplex(4096);
        let (mut reader, mut writer) = (FrameReader::new(far), FrameWriter::new(near));
        let (heard, ()) = tokio::join!(
            async {
                let mut quiet = 0;
                let begun = tokio::time::Instant::now();
                let heard = next(&mut reader, None, || quiet += 1).await;
                (heard, quiet, begun.elapsed())
            },
            async {
                tokio::time::sleep(Duration::from_mins(5)).await;
                writer.write(&ToAgent::Probe { nonce: 1 }).await.expect("writes");
            }
        );
        let (question, quiet, took) = heard;
        assert!(matches!(question, Ok(Some(ToAgent::Probe { nonce: 1 }))), "{question:?}");
        assert_eq!((quiet, took.as_secs()), (1, 300));
        writer.write(&ToAgent::Probe { nonce: 2 }).await.expect("writes");
        let at_once = next(&mut reader, None, || panic!("it speaks")).await;
        assert!(matches!(at_once, Ok(Some(ToAgent::Probe { nonce: 2 }))), "{at_once:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_says_nothing_is_let_go_of() {
        let dir = tempfile::tempdir().expect("a directory");
        let (near, far) = duplex(4096);
        let (reader, writer) = split(far);
        let idle = Some(Duration::from_mins(1));
        assert!(talk(&desk(dir.path()), FrameReader::new(reader), FrameWriter::new(writer), idle).await.is_ok());
        drop(near);
    }
}
