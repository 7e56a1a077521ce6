//! A conversation on a TCP port.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::model::{Expected, TcpStep, TcpTarget, Value};

use super::Tools;
use super::connect::connect;
use super::failure::Failure;
use super::record::Record;

/// Bytes that are read while something is waited for.
const HEARD_MAX: usize = 16 * 1024;
/// Characters of what was heard that a cause shows.
const SHOWN: usize = 60;

/// Connects and holds the conversation of `target`.
pub(super) async fn look(
    target: &TcpTarget,
    timeout: Duration,
    tools: &Tools,
    record: &mut Record,
) -> Result<(), Failure> {
    let mut stream = connect(&target.endpoint, target.family, timeout, tools, record).await?;
    // What was heard since something was last found in it.
    let mut heard = Vec::new();
    for step in &target.script {
        match step {
            TcpStep::Send(bytes) => {
                record.doing("sending");
                stream.write_all(bytes).await.map_err(|error| Failure::io("sending", &error))?;
                record.step(format!("sent {} bytes", bytes.len()));
            }
            TcpStep::Expect(expected) => hear(&mut stream, expected, &mut heard, record).await?,
        }
    }
    Ok(())
}

/// Reads until `expected` is there; what comes behind it is kept for the next step.
async fn hear(
    stream: &mut TcpStream,
    expected: &Expected,
    heard: &mut Vec<u8>,
    record: &mut Record,
) -> Result<(), Failure> {
    record.doing("waiting for what is expected");
    let wanted = words(expected);
    loop {
        if let Some(end) = find(expected, heard) {
            record.step(format!("heard {}", shown(heard)));
            record.value("received", Value::Text(String::from_utf8_lossy(&heard[..end]).into_owned()));
            heard.drain(..end);
            return Ok(());
        }
        record.value("received", Value::Text(String::from_utf8_lossy(heard).into_owned()));
        let room = HEARD_MAX - heard.len();
        if room == 0 {
            let cause = format!("expected {wanted}: not within {HEARD_MAX} bytes that begin with {}", shown(heard));
            return Err(Failure::critical(cause));
        }
        let mut limited = (&mut *stream).take(u64::try_from(room).unwrap_or_default());
        let count =
            limited.read_buf(heard).await.map_err(|error| Failure::io(&format!("expected {wanted}"), &error))?;
        if count == 0 {
            return Err(Failure::critical(format!("expected {wanted}: the connection ended after {}", shown(heard))));
        }
    }
}

/// Where the first occurrence ends.
fn find(expected: &Expected, heard: &[u8]) -> Option<usize> {
    match expected {
        Expected::Text(text) if text.is_empty() => Some(0),
        Expected::Text(text) => heard.windows(text.len()).position(|part| part == text).map(|start| start + text.len()),
        Expected::Pattern(pattern) => pattern.find(heard).map(|found| found.end()),
    }
}

fn words(expected: &Expected) -> String {
    match expected {
        Expected::Text(text) => shown(text),
        Expected::Pattern(pattern) => format!("what matches {}", pattern.as_str()),
    }
}

fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
