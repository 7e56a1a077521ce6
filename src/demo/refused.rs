//! Deliveries that are refused in the made-up world.

use jiff::{SignedDuration, Timestamp};

use crate::model::{Reason, Rejection};

struct Refusal {
    reason: Reason,
    channel: Option<&'static str>,
    source: &'static str,
    detail: &'static str,
    count: u64,
    /// Minutes since the first and since the last.
    minutes: (i64, i64),
}

const GUESSED: Refusal = Refusal {
    reason: Reason::Signature,
    channel: Some("mail"),
    source: "203.0.113.9",
    detail: "no active secret made this signature over timestamp and token",
    count: 12,
    minutes: (9, 8),
};

const PAST: [Refusal; 5] = [
    Refusal {
        reason: Reason::UnknownPath,
        channel: None,
        source: "198.51.100.23",
        detail: "no channel has this path",
        count: 41,
        minutes: (190, 55),
    },
    Refusal {
        reason: Reason::Stale,
        channel: Some("shop"),
        source: "203.0.113.77",
        detail: "webhook-timestamp is 911 s old; the clocks may differ by 300 s",
        count: 2,
        minutes: (140, 139),
    },
    Refusal {
        reason: Reason::TooLarge,
        channel: Some("forms"),
        source: "192.0.2.44",
        detail: "the body is larger than 1048576 bytes",
        count: 1,
        minutes: (97, 97),
    },
    Refusal {
        reason: Reason::Replay,
        channel: Some("code"),
        source: "203.0.113.9",
        detail: "a body that is stored came again under a fresh id; it was not stored again",
        count: 3,
        minutes: (31, 30),
    },
    GUESSED,
];

/// What was refused before `now`, oldest first.
pub(super) fn past(now: Timestamp) -> Vec<Rejection> {
    PAST.iter().map(|refusal| refusal.before(now)).collect()
}

/// Somebody tries once more.
pub(super) fn again(now: Timestamp) -> Rejection {
    Refusal { count: 1, minutes: (0, 0), ..GUESSED }.before(now)
}

impl Refusal {
    fn before(&self, now: Timestamp) -> Rejection {
        let ago = |minutes: i64| now.checked_sub(SignedDuration::from_mins(minutes)).unwrap_or(now);
        Rejection {
            reason: self.reason.as_str().to_owned(),
            alarm: self.reason.is_alarm(),
            channel: self.channel.map(str::to_owned),
            source: self.source.to_owned(),
            detail: self.detail.to_owned(),
            count: self.count,
            first: ago(self.minutes.0),
            last: ago(self.minutes.1),
        }
    }
}
