//! The far end of `ssh://`: it carries the frames between a pair of pipes and the engine's socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::protocol::FromEngine;

use super::AttachError;

/// Longest first frame. It holds a version and two wishes.
const HELLO_MAX: usize = 64 * 1024;
/// Time for the first frame.
const HELLO_TIMEOUT: Duration = Duration::from_mins(1);
/// Time to reach the engine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A screen says something every few seconds. One that says nothing for so long is at the end of a line that is
/// gone, or was suspended and comes back by itself.
const SILENCE: Duration = Duration::from_mins(5);

/// Carries frames between `input`, `output` and the engine that listens at `path`, until either side ends.
///
/// Of the frames it reads only the first, the greeting. There it puts `ssh_key`, the name of the key as this side
/// knows it, in the place of whatever the other side calls itself, and `read_only` when it is set here.
///
/// # Errors
/// When no engine listens, or the first frame is no greeting. The other side is told so, in a frame.
pub async fn relay(
    path: &Path,
    ssh_key: Option<&str>,
    read_only: bool,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), AttachError> {
    let hello = match tokio::time::timeout(HELLO_TIMEOUT, read_frame(&mut input)).await {
        Ok(Ok(frame)) => named(&frame, ssh_key, read_only),
        // Nobody is there any more who could be told.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        Ok(Err(_)) | Err(_) => None,
    };
    let Some(hello) = hello else {
        return refuse(&mut output, AttachError::Refused("the first frame was no hello".to_owned())).await;
    };
    let engine = match tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(path)).await {
        Ok(Ok(engine)) => Ok(engine),
        Ok(Err(error)) => Err(error),
        Err(elapsed) => Err(elapsed.into()),
    };
    let engine = match engine {
        Ok(engine) => engine,
        Err(source) => {
            return refuse(&mut output, AttachError::Unreachable { path: path.to_owned(), source }).await;
        }
    };
    let (from_engine, mut to_engine) = engine.into_split();
    // A side that is gone ends both ways; what it had not read is nobody's any more.
    if write_frame(&mut to_engine, &hello).await.is_ok() {
        tokio::select! {
            () = pump(input, to_engine, Some(SILENCE)) => {}
            () = pump(from_engine, output, None) => {}
        }
    }
    Ok(())
}

/// Tells the other side, and then this one.
async fn refuse(output: &mut (impl AsyncWrite + Unpin), error: AttachError) -> Result<(), AttachError> {
    let frame = serde_json::to_vec(&FromEngine::Goodbye { reason: error.to_string(), denied: false });
    if let Ok(frame) = frame {
        // Whoever is not there any more need not know.
        let _ = write_frame(output, &frame).await;
    }
    Err(error)
}

/// The greeting with this side's name in it. Everything else stays as it came, also what only another version
/// knows, so that the engine judges it.
fn named(frame: &[u8], ssh_key: Option<&str>, read_only: bool) -> Option<Vec<u8>> {
    let mut frame: Value = serde_json::from_slice(frame).ok()?;
    let hello = frame.get_mut("hello")?.as_object_mut()?;
    match ssh_key {
        Some(name) => hello.insert("ssh_key".to_owned(), name.into()),
        None => hello.remove("ssh_key"),
    };
    if read_only {
        hello.insert("read_only".to_owned(), true.into());
    }
    serde_json::to_vec(&frame).ok()
}

async fn read_frame(input: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = input.read_u32().await? as usize;
    if length > HELLO_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    input.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write_frame(output: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    output.write_all(&[&length.to_be_bytes()[..], frame].concat()).await?;
    output.flush().await
}

/// Carries bytes until one side ends, or `from` says nothing for `silence`.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, silence: Option<Duration>) {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut chunk);
        let count = match silence {
            Some(silence) => tokio::time::timeout(silence, read).await.unwrap_or(Ok(0)),
            None => read.await,
        };
        let Ok(count @ 1..) = count else { return };
        if to.write_all(&chunk[..count]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn renamed(hello: &Value, ssh_key: Option<&str>, read_only: bool) -> Option<Value> {
        let frame = named(hello.to_string().as_bytes(), ssh_key, read_only)?;
        Some(serde_json::from_slice(&frame).expect("JSON"))
    }

    #[test]
    fn the_name_is_this_side_s_alone() {
        let claims = json!({"hello": {"version": 1, "follow": true, "read_only": false, "ssh_key": "root", "new": 7}});
        let hello = |key: Value, read_only: bool| {
            let mut hello = json!({"version": 1, "follow": true, "read_only": read_only, "new": 7});
            if !key.is_null() {
                hello["ssh_key"] = key;
            }
            Some(json!({ "hello": hello }))
        };
        assert_eq!(renamed(&claims, Some("anna"), false), hello("anna".into(), false));
        assert_eq!(renamed(&claims, None, false), hello(Value::Null, false), "no name is taken on trust");
        assert_eq!(renamed(&claims, None, true), hello(Value::Null, true));
        let twice = br#"{"hello":{"version":1,"ssh_key":"a","ssh\u005fkey":"b"}}"#;
        let frame = named(twice, Some("anna"), false).expect("a hello");
        assert_eq!(String::from_utf8_lossy(&frame).matches("key").count(), 1);
    }

    #[test]
    fn what_is_no_greeting_is_refused() {
        for frame in [&b""[..], b"{}", b"null", b"[]", b"{\"hello\":1}", b"{\"ping\":1}", b"GET / HTTP/1.1", b"\xff"] {
            assert!(named(frame, Some("anna"), false).is_none(), "{}", String::from_utf8_lossy(frame));
        }
    }

    #[tokio::test]
    async fn a_side_that_says_nothing_sensible_hears_why() {
        for (sent, expected) in [(&b"\xff\xff\xff\xff"[..], "no hello"), (b"\0\0\0\x02{}", "no hello")] {
            let mut answer = Vec::new();
            let outcome = relay(Path::new("/nowhere"), None, false, sent, &mut answer).await;
            assert!(matches!(outcome, Err(AttachError::Refused(reason)) if reason.contains(expected)));
            assert!(String::from_utf8_lossy(&answer[4..]).contains("goodbye"));
        }
        let mut answer = Vec::new();
        let hello = b"\0\0\0\x0c{\"hello\":{}}";
        let outcome = relay(Path::new("/nowhere"), None, false, &hello[..], &mut answer).await;
        assert!(matches!(outcome, Err(AttachError::Unreachable { .. })));
        assert!(String::from_utf8_lossy(&answer).contains("no engine listens at /nowhere"));
        answer.clear();
        assert!(relay(Path::new("/nowhere"), None, false, &b"\0\0"[..], &mut answer).await.is_ok());
        assert!(answer.is_empty(), "who left needs no answer");
    }
}
