//! How often a source may fail.
//!
//! Only failures count, so a busy sender never meets this limit and a broken one does not fill the logs.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::net::{self, RateLimit};

/// Failures a minute, per source and channel.
#[derive(Debug)]
pub struct FailureLimit(RateLimit<(IpAddr, usize)>);

impl FailureLimit {
    /// A limit of `per_minute` failures.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self(RateLimit::new(per_minute))
    }

    /// Whether `source` has used up its failures on `channel`.
    #[must_use]
    pub fn is_exhausted(&self, source: IpAddr, channel: usize, now: Timestamp) -> bool {
        self.0.is_exhausted(&(net::source(source), channel), now)
    }

    /// Counts a failure; answers whether it was one too many.
    pub fn fail(&self, source: IpAddr, channel: usize, now: Timestamp) -> bool {
        self.0.take((net::source(source), channel), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_not_disturbed() {
        let now = Timestamp::UNIX_EPOCH;
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let limit = FailureLimit::new(1);
        assert!(!limit.fail(ip("203.0.113.1"), 0, now));
        assert!(limit.is_exhausted(ip("203.0.113.1"), 0, now));
        assert!(!limit.is_exhausted(ip("203.0.113.2"), 0, now));
        assert!(!limit.is_exhausted(ip("203.0.113.1"), 1, now), "another channel");
        assert!(!limit.fail(ip("2001:db8::1"), 0, now));
        assert!(limit.is_exhausted(ip("2001:db8::2"), 0, now), "the same /64");
    }
}
