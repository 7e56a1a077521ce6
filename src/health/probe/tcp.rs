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
    for step in &target.script {
        match step {
            TcpStep::Send(bytes) => {
                record.doing("sending");
                stream.write_all(bytes).await.map_err(|error| Failure::io("sending", &error))?;
                record.step(format!("sent {} bytes", bytes.len()));
            }
            TcpStep::Expect(expected) => hear(&mut stream, expected, record).await?,
        }
    }
    Ok(())
}

/// Reads until `expected` is there; what comes behind it is kept for the next step.
async fn hear(stream: &mut TcpStream, expected: &Expected, record: &mut Record) -> Result<(), Failure> {
    let wanted = words(expected);
    record.doing(format!("waiting for {wanted}"));
    let ended = loop {
        if let Some(end) = find(expected, &record.heard) {
            record.step(format!("heard {}", shown(&record.heard)));
            record.value("received", Value::Text(String::from_utf8_lossy(&record.heard[..end]).into_owned()));
            record.heard.drain(..end);
            return Ok(());
        }
        let room = HEARD_MAX.saturating_sub(record.heard.len());
        if room == 0 {
            break format!("not within {HEARD_MAX} bytes");
        }
        let mut limited = (&mut *stream).take(u64::try_from(room).unwrap_or_default());
        match limited.read_buf(&mut record.heard).await {
            Ok(0) => break "the connection ended".to_owned(),
            Ok(_) => {}
            Err(error) => break super::failure::words(&error),
        }
    };
    Err(Failure::critical(format!("expected {wanted}: {ended}, heard {}", shown(&record.heard))))
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

/// The beginning of what was heard, in quotes.
pub(super) fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
