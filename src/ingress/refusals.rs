//! Refusals on their way to the operator: equal ones are counted together, so a flood stays one line.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::model::{ChannelId, Reason, Rejection};

/// Different refusals kept between two looks; the rest are counted under `many sources`.
const KINDS: usize = 256;

type Key = (Reason, Option<ChannelId>, Option<IpAddr>);

/// The refusals since they were last taken.
#[derive(Debug, Default)]
pub struct Refusals {
    counted: Mutex<HashMap<Key, Rejection>>,
    arrived: Notify,
}

impl Refusals {
    /// Counts one refusal.
    pub fn note(&self, reason: Reason, channel: Option<&ChannelId>, source: IpAddr, detail: &str, now: Timestamp) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (reason, channel.cloned(), Some(source));
        let key = if counted.len() < KINDS || counted.contains_key(&key) { key } else { (reason, None, None) };
        let rejection = counted.entry(key).or_insert_with_key(|(_, channel, source)| Rejection {
            reason: reason.as_str().to_owned(),
            alarm: reason.is_alarm(),
            channel: channel.as_ref().map(ToString::to_string),
            source: source.map_or_else(|| "many sources".to_owned(), |source| source.to_string()),
            detail: String::new(),
            count: 0,
            first: now,
            last: now,
        });
        rejection.count += 1;
        rejection.last = now;
        if rejection.count == 1 {
            detail.clone_into(&mut rejection.detail);
            drop(counted);
            self.arrived.notify_one();
        }
    }

    /// Waits until there is something to take.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes what was counted.
    #[must_use]
    pub fn take(&self) -> Vec<Rejection> {
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        let mut taken: Vec<Rejection> = counted.into_values().collect();
        taken.sort_by_key(|rejection| rejection.first);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_stays_small_and_is_counted_whole() {
        let refusals = Refusals::default();
        for n in 0..5_000u32 {
            refusals.note(Reason::Signature, None, IpAddr::V4(n.into()), "no", Timestamp::UNIX_EPOCH);
        }
        let taken = refusals.take();
        assert_eq!(taken.len(), KINDS + 1);
        assert_eq!(taken.iter().map(|rejection| rejection.count).sum::<u64>(), 5_000);
        assert!(refusals.take().is_empty());
    }
}
