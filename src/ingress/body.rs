//! Reading a body nobody has authenticated yet, within a budget that all bodies on their way share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::model::Reason;

/// Time for a whole body.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of bodies held at once, over all connections, from the first byte to the commit.
#[derive(Debug)]
pub struct BodyBudget {
    left: AtomicU64,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::new(128 << 20)
    }
}

impl BodyBudget {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { left: AtomicU64::new(bytes) }
    }
}

/// A share of the budget, given back when it is dropped.
pub(super) struct Share {
    budget: Arc<BodyBudget>,
    held: u64,
}

impl Share {
    /// An empty share of `budget`.
    pub(super) fn of(budget: &Arc<BodyBudget>) -> Self {
        Self { budget: Arc::clone(budget), held: 0 }
    }

    /// Makes the share at least `bytes` large; answers whether there was room.
    pub(super) fn reach(&mut self, bytes: u64) -> bool {
        self.grow(bytes.saturating_sub(self.held))
    }

    /// Adds `bytes` to the share; answers whether there was room.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        let taken = self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        self.held += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.held, Ordering::Relaxed);
    }
}

/// Reads `body`, at most `max` bytes of it, within the time and the budget.
pub(super) async fn read(body: Incoming, max: u64, budget: &Arc<BodyBudget>) -> Result<(Bytes, Share), Reason> {
    if body.size_hint().lower() > max {
        return Err(Reason::TooLarge);
    }
    match tokio::time::timeout(TIMEOUT, collect(body, max, budget)).await {
        Ok(result) => result,
        Err(_) => Err(Reason::BodyTimeout),
    }
}

async fn collect(mut body: Incoming, max: u64, budget: &Arc<BodyBudget>) -> Result<(Bytes, Share), Reason> {
    let mut share = Share::of(budget);
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Reason::BodyTimeout)?.into_data() else { continue };
        if share.held + data.len() as u64 > max {
            return Err(Reason::TooLarge);
        }
        if !share.grow(data.len() as u64) {
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
