//! Who types into which pane: one person at a time, for as long as somebody types.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{OperatorName, PaneDriver, PaneId};
use crate::protocol::DRIVER_IDLE_S;

use super::claim::Claim;

/// Who types nothing for so long gives it back.
const IDLE: Duration = Duration::from_secs(DRIVER_IDLE_S);

/// The panes of a host that are driven.
#[derive(Debug, Default)]
pub(super) struct Leases(HashMap<PaneId, Held>);

/// One pane in somebody's hands.
#[derive(Debug)]
pub(super) struct Held {
    /// Over which connection.
    pub(super) by: u64,
    /// Who, and since when.
    pub(super) driver: PaneDriver,
    typed: Instant,
    /// What keeps other agents of this host from it.
    claim: Option<Claim>,
}

impl Leases {
    /// Lets `who` drive `pane` over the connection `by`. Says whether that is new.
    ///
    /// # Errors
    /// Who drives it already.
    pub(super) fn take(
        &mut self,
        pane: PaneId,
        by: u64,
        who: OperatorName,
        (at, now): (Timestamp, Instant),
    ) -> Result<(PaneDriver, bool), PaneDriver> {
        match self.0.get_mut(&pane) {
            Some(held) if held.by == by && held.driver.who == who => {
                held.typed = now;
                Ok((held.driver.clone(), false))
            }
            Some(held) => Err(held.driver.clone()),
            None => {
                let driver = PaneDriver { who, since: at };
                self.0.insert(pane, Held { by, driver: driver.clone(), typed: now, claim: None });
                Ok((driver, true))
            }
        }
    }

    /// It is claimed before the other agents of this host, too.
    pub(super) fn claimed(&mut self, pane: PaneId, by: u64, claim: Claim) {
        if let Some(held) = self.0.get_mut(&pane).filter(|held| held.by == by) {
            held.claim = Some(claim);
        }
    }

    /// Whether the connection `by` may type into `pane`; it is busy then.
    pub(super) fn typing(&mut self, pane: PaneId, by: u64, now: Instant) -> bool {
        let held = self.0.get_mut(&pane).filter(|held| held.by == by);
        held.map(|held| held.typed = now).is_some()
    }

    /// Gives `pane` back, if the connection `by` has it.
    pub(super) fn release(&mut self, pane: PaneId, by: u64) -> Option<Held> {
        if self.0.get(&pane)?.by == by { self.0.remove(&pane) } else { None }
    }

    /// Gives back everything the connection `by` has.
    pub(super) fn release_all(&mut self, by: u64) -> Vec<(PaneId, Held)> {
        self.0.extract_if(|_, held| held.by == by).collect()
    }

    /// Gives back what nobody has typed into for [`DRIVER_IDLE_S`], whoever has it.
    pub(super) fn idle(&mut self, now: Instant) -> Vec<(PaneId, Held)> {
        self.0.extract_if(|_, held| held.typed + IDLE <= now).collect()
    }

    /// When the connection `by` has to give something back, if it types nothing.
    pub(super) fn idle_at(&self, by: u64) -> Option<Instant> {
        self.0.values().filter(|held| held.by == by).map(|held| held.typed + IDLE).min()
    }

    /// Who has `pane`.
    pub(super) fn of(&self, pane: PaneId) -> Option<&Held> {
        self.0.get(&pane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_types_at_a_time_and_who_rests_gives_it_back() {
        let mut leases = Leases::default();
        let pane = PaneId { server: 1, number: 3 };
        let who = |name: &str| -> OperatorName { name.parse().expect("a name") };
        let begin = Instant::now();
        let at = |seconds| (Timestamp::UNIX_EPOCH, begin + Duration::from_secs(seconds));
        assert!(!leases.typing(pane, 1, begin), "nobody has taken it");
        let (driver, fresh) = leases.take(pane, 1, who("anna"), at(0)).expect("free");
        assert!(fresh && driver.who == who("anna"));
        assert_eq!(leases.take(pane, 2, who("ben"), at(1)).expect_err("taken"), driver);
        assert_eq!(leases.take(pane, 1, who("ben"), at(1)).expect_err("two people of one engine"), driver);
        assert_eq!(leases.take(pane, 2, who("anna"), at(1)).expect_err("elsewhere"), driver);
        assert!(!leases.take(pane, 1, who("anna"), at(2)).expect("has it").1);
        assert!(leases.typing(pane, 1, at(100).1) && !leases.typing(pane, 2, at(100).1));
        assert_eq!(leases.idle_at(1), Some(at(100 + DRIVER_IDLE_S).1));
        assert!(leases.idle(at(99 + DRIVER_IDLE_S).1).is_empty());
        assert_eq!(leases.idle(at(100 + DRIVER_IDLE_S).1).len(), 1);
        assert!(!leases.typing(pane, 1, at(300).1) && leases.release(pane, 1).is_none());
        leases.take(pane, 2, who("ben"), at(301)).expect("free again");
        assert!(leases.release(pane, 1).is_none() && leases.of(pane).is_some());
        assert_eq!(leases.release_all(2).len(), 1);
        assert!(leases.of(pane).is_none());
    }
}
