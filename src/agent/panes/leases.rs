//! Who types into which pane: one person at a time, for as long as somebody types.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{EngineId, OperatorName, PaneDriver, PaneId};
use crate::protocol::DRIVER_IDLE_S;

use super::claim::Claim;

/// Who types nothing for so long gives it back.
const IDLE: Duration = Duration::from_secs(DRIVER_IDLE_S);
/// Why nobody has it any more.
pub(super) const REPLACED: &str = "another program was started in the pane";

/// The panes of a host that are driven.
#[derive(Debug, Default)]
pub(super) struct Leases(HashMap<PaneId, Held>);

/// One pane in somebody's hands.
#[derive(Debug)]
pub(super) struct Held {
    /// Over which connection.
    pub(super) by: u64,
    /// Of this engine.
    engine: EngineId,
    /// The process tmux started in the pane. Another one there is nobody's.
    pub(super) pid: u32,
    /// Who, and since when.
    pub(super) driver: PaneDriver,
    typed: Instant,
    /// What keeps other agents of this host from it.
    claim: Option<Claim>,
}

/// Who wants to drive.
#[derive(Debug, Clone)]
pub(super) struct Taker {
    /// Over which connection; newer ones have higher numbers.
    pub(super) by: u64,
    /// Of which engine.
    pub(super) engine: EngineId,
    /// Who.
    pub(super) who: OperatorName,
}

/// How a pane was taken over.
#[derive(Debug)]
pub(super) enum Took {
    /// It was theirs already.
    Had,
    /// Nobody had it.
    Free,
    /// From this one, who has it no longer, because of this.
    From(Held, &'static str),
}

impl Leases {
    /// Lets `taker` drive `pane` with the process `pid` in it. The same person comes back over a newer connection of the
    /// same engine while the old one is not known to be dead yet: then the old one has it no longer.
    ///
    /// # Errors
    /// Who drives it already.
    pub(super) fn take(
        &mut self,
        (pane, pid): (PaneId, u32),
        taker: Taker,
        (at, now): (Timestamp, Instant),
    ) -> Result<(PaneDriver, Took), PaneDriver> {
        let Taker { by, engine, who } = taker;
        let why = match self.0.get_mut(&pane) {
            None => None,
            Some(held) if held.pid != pid => Some(REPLACED),
            Some(held) if held.by == by && held.driver.who == who => {
                held.typed = now;
                return Ok((held.driver.clone(), Took::Had));
            }
            Some(held) if held.by < by && held.engine == engine && held.driver.who == who => {
                Some("the same person took it over on a newer connection")
            }
            Some(held) => return Err(held.driver.clone()),
        };
        let driver = PaneDriver { who, since: at };
        let before = self.0.insert(pane, Held { by, engine, pid, driver: driver.clone(), typed: now, claim: None });
        let took = before.zip(why).map_or(Took::Free, |(before, why)| Took::From(before, why));
        Ok((driver, took))
    }

    /// Takes from the connection `by` what is not there any more, or has another process in it; `pid_of` says which.
    pub(super) fn gone(&mut self, by: u64, pid_of: impl Fn(PaneId) -> Option<u32>) -> Vec<(PaneId, Held)> {
        self.0.extract_if(|pane, held| held.by == by && pid_of(*pane) != Some(held.pid)).collect()
    }

    /// It is claimed before the other agents of this host, too.
    pub(super) fn claimed(&mut self, pane: PaneId, by: u64, claim: Claim) {
        if let Some(held) = self.0.get_mut(&pane).filter(|held| held.by == by) {
            held.claim = Some(claim);
        }
    }

    /// Into which process of `pane` the connection `by` may type, if it may; it is busy then.
    pub(super) fn typing(&mut self, pane: PaneId, by: u64, now: Instant) -> Option<u32> {
        let held = self.0.get_mut(&pane).filter(|held| held.by == by)?;
        held.typed = now;
        Some(held.pid)
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
    use uuid::Uuid;

    use super::*;

    const PANE: PaneId = PaneId { server: 1, number: 3 };

    fn who(name: &str) -> OperatorName {
        name.parse().expect("a name")
    }

    fn over(by: u64, name: &str) -> Taker {
        Taker { by, engine: EngineId::from_uuid(Uuid::from_u128(by.into())), who: who(name) }
    }

    #[tokio::test(start_paused = true)]
    async fn one_types_at_a_time_and_who_rests_gives_it_back() {
        let mut leases = Leases::default();
        let (pane, here) = (PANE, (PANE, 4711));
        let begin = Instant::now();
        let at = |seconds| (Timestamp::UNIX_EPOCH, begin + Duration::from_secs(seconds));
        assert_eq!(leases.typing(pane, 1, begin), None, "nobody has taken it");
        let (driver, took) = leases.take(here, over(1, "anna"), at(0)).expect("free");
        assert!(matches!(took, Took::Free) && driver.who == who("anna"));
        assert_eq!(leases.take(here, over(2, "ben"), at(1)).expect_err("taken"), driver);
        assert_eq!(leases.take(here, over(1, "ben"), at(1)).expect_err("two people of one engine"), driver);
        assert_eq!(leases.take(here, over(2, "anna"), at(1)).expect_err("elsewhere"), driver);
        assert!(matches!(leases.take(here, over(1, "anna"), at(2)).expect("has it").1, Took::Had));
        assert!(leases.typing(pane, 1, at(100).1).is_some() && leases.typing(pane, 2, at(100).1).is_none());
        assert_eq!(leases.idle_at(1), Some(at(100 + DRIVER_IDLE_S).1));
        assert!(leases.idle(at(99 + DRIVER_IDLE_S).1).is_empty());
        assert_eq!(leases.idle(at(100 + DRIVER_IDLE_S).1).len(), 1);
        assert!(leases.typing(pane, 1, at(300).1).is_none() && leases.release(pane, 1).is_none());
        leases.take(here, over(2, "ben"), at(301)).expect("free again");
        assert!(leases.release(pane, 1).is_none() && leases.of(pane).is_some());
        assert_eq!(leases.release_all(2).len(), 1);
        assert!(leases.of(pane).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_over_a_newer_connection_has_it_again() {
        let mut leases = Leases::default();
        let at = (Timestamp::UNIX_EPOCH, Instant::now());
        let here = (PANE, 4711);
        let newer = Taker { by: 9, ..over(1, "anna") };
        leases.take(here, over(1, "anna"), at).expect("free");
        leases.take(here, Taker { who: who("ben"), ..newer.clone() }, at).expect_err("another person");
        let (_, took) = leases.take(here, newer, at).expect("herself");
        assert!(matches!(took, Took::From(before, _) if before.by == 1));
        assert_eq!((leases.typing(PANE, 1, at.1), leases.typing(PANE, 9, at.1)), (None, Some(4711)));
        leases.take(here, over(1, "anna"), at).expect_err("the older one does not get it back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_with_its_pane_and_with_the_program_in_it() {
        let mut leases = Leases::default();
        let at = (Timestamp::UNIX_EPOCH, Instant::now());
        leases.take((PANE, 4711), over(1, "anna"), at).expect("free");
        assert!(leases.gone(1, |_| Some(4711)).is_empty());
        assert!(leases.gone(2, |_| None).is_empty(), "not its own");
        assert_eq!(leases.gone(1, |_| Some(4712)).len(), 1);
        leases.take((PANE, 4711), over(1, "anna"), at).expect("free");
        assert_eq!(leases.gone(1, |_| None).len(), 1);
        leases.take((PANE, 4711), over(1, "anna"), at).expect("free");
        let (driver, took) = leases.take((PANE, 4712), over(2, "ben"), at).expect("nobody drives the new program");
        assert!(matches!(took, Took::From(before, REPLACED) if before.by == 1) && driver.who == who("ben"));
    }
}
