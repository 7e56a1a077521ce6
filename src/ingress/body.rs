//! Reading a body nobody has authenticated yet, within a budget that all bodies on their way share.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::model::Reason;

use super::budget::Share;

/// Time for a whole body.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads `body`, at most `max` bytes of it, within the time and the budget.
pub(super) async fn read(body: Incoming, max: u64, share: Share) -> Result<(Bytes, Share), Reason> {
    if body.size_hint().lower() > max {
        return Err(Reason::TooLarge);
    }
    match tokio::time::timeout(TIMEOUT, collect(body, max, share)).await {
        Ok(result) => result,
        Err(_) => Err(Reason::BodyTimeout),
    }
}

async fn collect(mut body: Incoming, max: u64, mut share: Share) -> Result<(Bytes, Share), Reason> {
    let mut received = 0;
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Reason::BodyTimeout)?.into_data() else { continue };
        received += data.len() as u64;
        if received > max {
            return Err(Reason::TooLarge);
        }
        if !share.reach(received) {
            return Err(Reason::Overloaded);
        }
        // Nearly every body is one chunk and needs no copy.
        match first.take() {
            None if whole.is_empty() => first = Some(data),
            None => whole.extend_from_slice(&data),
            Some(chunk) => {
                whole.extend_from_slice(&chunk);
                whole.extend_from_slice(&data);
            }
        }
    }
    Ok((first.unwrap_or_else(|| whole.freeze()), share))
}
