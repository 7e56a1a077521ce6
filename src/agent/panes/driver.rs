//! What one connection types: one thing after the other, into what it has taken over.
//!
//! In a mode of tmux, as copy-mode, keys would be orders to tmux. They are refused then, and the mode is left alone: somebody
//! at the host reads there.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::agent::audit::Noted;
use crate::agent::desk::{Inner, blocking};
use crate::model::{EngineId, OperatorName, PaneDriver, PaneFacts, PaneId, rules};
use crate::protocol::{DRIVER_IDLE_S, DriveAsk, FromAgent, PaneSaid};
use crate::tmux::{NoKeys, TmuxError};

use super::claim::{self, Claim};
use super::leases::{Held, REPLACED, Taker, Took};
use super::notes::note;
use super::owner::{Owner, Told, Visiting};
use super::sight::Hand;

/// Bytes that are typed with one word.
const KEYS_MAX: usize = 64 << 10;
/// The rule that there is a program to type to.
const DEAD: &str = "dead";
/// The rule that what is typed goes into one pane only.
const SYNCHRONIZED: &str = "synchronized";
/// The rule that whoever types has taken the pane over.
const NOT_TAKEN: &str = "not-taken";

/// One connection that may drive.
pub(super) struct Driver {
    visiting: Arc<Visiting>,
    hand: Hand,
    desk: Arc<Inner>,
    engine: EngineId,
    answers: mpsc::Sender<FromAgent>,
}

/// Gives everything back when the connection ends.
struct Holding<'a>(&'a Driver);

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        release_all(&self.0.visiting, &self.0.desk, "the connection ended");
    }
}

/// Gives back everything that `visiting` has, and says what that was.
pub(super) fn release_all(visiting: &Visiting, desk: &Arc<Inner>, why: &str) -> Vec<PaneId> {
    let released = visiting.owner.lease(|leases| leases.release_all(visiting.by));
    let noted = released.into_iter().map(|(pane, held)| {
        note(desk, Noted::released(pane, &held.driver, why, Timestamp::now()));
        pane
    });
    noted.collect()
}

impl Driver {
    /// Of the engine that visits the server at `socket`. What it takes and gives back is noted at `desk`.
    pub(super) fn new(
        visiting: Arc<Visiting>,
        socket: Option<&str>,
        (desk, engine): (Arc<Inner>, EngineId),
        answers: mpsc::Sender<FromAgent>,
    ) -> Result<Self, TmuxError> {
        Ok(Self { visiting, hand: Hand::new(socket)?, desk, engine, answers })
    }

    /// Does what is asked until nobody asks any more.
    pub(super) async fn run(self, mut asks: mpsc::Receiver<DriveAsk>) {
        let _holding = Holding(&self);
        let mut told = self.owner().told();
        // Keys of these panes were refused: what is behind the hole is not typed until they are taken over again.
        let mut holes = BTreeSet::new();
        loop {
            let idle = self.owner().lease_idle_at(self.visiting.by);
            let said = tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => vec![self.answer(ask, &mut holes).await],
                    None => return,
                },
                () = until(idle) => self.rest(),
                changed = told.changed() => {
                    let now = told.borrow_and_update().clone();
                    match (changed, now) {
                        (Ok(()), Some(now)) => self.gone(&now),
                        (Ok(()), None) => continue,
                        (Err(_), _) => return,
                    }
                }
            };
            for said in said.into_iter().flatten() {
                if self.answers.send(FromAgent::Pane(said)).await.is_err() {
                    return;
                }
            }
        }
    }

    fn owner(&self) -> &Arc<Owner> {
        &self.visiting.owner
    }

    async fn answer(&self, ask: DriveAsk, holes: &mut BTreeSet<PaneId>) -> Option<PaneSaid> {
        let refused = |pane, seq, (rule, reason): (&str, String)| {
            Some(PaneSaid::Refused { pane, rule: rule.to_owned(), reason, seq })
        };
        match ask {
            DriveAsk::Take { pane, who } => match self.take(pane, who).await {
                Ok(driver) => {
                    holes.remove(&pane);
                    Some(PaneSaid::Taken { pane, driver })
                }
                Err(why) => refused(pane, None, why),
            },
            DriveAsk::Keys { pane, seq, .. } if holes.contains(&pane) => {
                let why = "what was typed before this was refused; it is to be taken over again".to_owned();
                refused(pane, Some(seq), ("hole", why))
            }
            DriveAsk::Keys { pane, seq, bytes } => match self.keys(pane, &bytes).await {
                Ok(()) => Some(PaneSaid::Typed { pane, seq }),
                Err(why) => {
                    if why.0 != NOT_TAKEN {
                        holes.insert(pane);
                    }
                    refused(pane, Some(seq), why)
                }
            },
            DriveAsk::Release { pane } => {
                holes.remove(&pane);
                let held = self.owner().lease(|leases| leases.release(pane, self.visiting.by))?;
                let why = format!("{} has given it back", held.driver.who);
                note(&self.desk, Noted::released(pane, &held.driver, &why, Timestamp::now()));
                Some(PaneSaid::Released { pane, why })
            }
        }
    }

    async fn take(&self, pane: PaneId, who: OperatorName) -> Result<PaneDriver, (&'static str, String)> {
        let facts = self.there(pane)?;
        if facts.dead.is_some() {
            return Err((DEAD, "its program has ended".to_owned()));
        }
        if facts.synchronized {
            let why = TmuxError::TakesNoKeys { pane: pane.number, why: NoKeys::Synchronized };
            return Err((SYNCHRONIZED, why.to_string()));
        }
        let now = Timestamp::now();
        let taker = Taker { by: self.visiting.by, engine: self.engine, who };
        let (idle, taken) = self.owner().lease(|leases| {
            // Whoever has it may be stuck on a line that does not read.
            let idle = leases.idle(Instant::now());
            (idle, leases.take((pane, facts.pid), taker, (now, Instant::now())))
        });
        self.rested(&idle);
        let (driver, took) = taken.map_err(|driver| ("taken", claim::taken(Some(&driver))))?;
        let is_new = !matches!(took, Took::Had);
        if let Took::From(before, why) = took {
            // With it goes its claim, which is made anew.
            note(&self.desk, Noted::released(pane, &before.driver, why, now));
        }
        if is_new {
            if let Err(why) = self.claim(pane, &driver).await {
                self.owner().lease(|leases| leases.release(pane, self.visiting.by));
                return Err(why);
            }
            let name = format!("{}:{}.{}", facts.session, facts.window, facts.index);
            note(&self.desk, Noted::taken(pane, &name, &driver, self.engine, now));
        }
        Ok(driver)
    }

    /// Claims it before the other agents of this host.
    async fn claim(&self, pane: PaneId, driver: &PaneDriver) -> Result<(), (&'static str, String)> {
        let (desk, of) = (Arc::clone(&self.desk), driver.clone());
        match blocking(move || Claim::new(desk.spool.dir(), pane, &of)).await {
            Ok(Ok(claim)) => {
                self.owner().lease(|leases| leases.claimed(pane, self.visiting.by, claim));
                Ok(())
            }
            Ok(Err(other)) => Err(("taken", claim::taken(other.as_ref()))),
            Err(error) => Err((rules::TMUX, format!("the journal of this host cannot note who drives: {error}"))),
        }
    }

    async fn keys(&self, pane: PaneId, bytes: &[u8]) -> Result<(), (&'static str, String)> {
        let Some(pid) = self.owner().typing(pane, self.visiting.by) else {
            let why = format!("it is not taken over; whoever types nothing for {DRIVER_IDLE_S} s gives it back");
            return Err((NOT_TAKEN, why));
        };
        if self.there(pane)?.pid != pid {
            return Err((NOT_TAKEN, REPLACED.to_owned()));
        }
        if bytes.len() > KEYS_MAX {
            return Err(("too-long", format!("at most {KEYS_MAX} bytes are typed at once")));
        }
        self.hand.type_bytes(pane, bytes).await.map_err(|not| {
            let rule = match &not.why {
                TmuxError::TakesNoKeys { why: NoKeys::Mode, .. } => "mode",
                TmuxError::TakesNoKeys { why: NoKeys::Dead, .. } => DEAD,
                TmuxError::TakesNoKeys { why: NoKeys::Synchronized, .. } => SYNCHRONIZED,
                TmuxError::TakesNoKeys { why: NoKeys::Other, .. }
                | TmuxError::NoPane(_)
                | TmuxError::NoServer
                | TmuxError::NoSession => rules::UNKNOWN_PANE,
                _ => rules::TMUX,
            };
            (rule, not.to_string())
        })
    }

    fn there(&self, pane: PaneId) -> Result<PaneFacts, (&'static str, String)> {
        let told = self.owner().told().borrow().clone();
        let facts = told.and_then(|told| told.pane(pane).cloned());
        facts.ok_or_else(|| (rules::UNKNOWN_PANE, "there is no such pane, or not any more".to_owned()))
    }

    /// Gives back what nobody has typed into for long, and says what of it was this connection's.
    fn rest(&self) -> Vec<Option<PaneSaid>> {
        let idle = self.owner().lease(|leases| leases.idle(Instant::now()));
        self.rested(&idle);
        let own = idle.into_iter().filter(|(_, held)| held.by == self.visiting.by);
        own.map(|(pane, _)| Some(PaneSaid::Released { pane, why: idle_words() })).collect()
    }

    /// Gives back what is not there any more.
    fn gone(&self, told: &Told) -> Vec<Option<PaneSaid>> {
        let pid_of = |pane| told.pane(pane).map(|pane| pane.pid);
        let gone = self.owner().lease(|leases| leases.gone(self.visiting.by, pid_of));
        let said = gone.into_iter().map(|(pane, held)| {
            let why = if told.pane(pane).is_some() { REPLACED } else { "the pane is gone" };
            note(&self.desk, Noted::released(pane, &held.driver, why, Timestamp::now()));
            Some(PaneSaid::Released { pane, why: why.to_owned() })
        });
        said.collect()
    }

    fn rested(&self, idle: &[(PaneId, Held)]) {
        for (pane, held) in idle {
            note(&self.desk, Noted::released(*pane, &held.driver, &idle_words(), Timestamp::now()));
        }
    }
}

fn idle_words() -> String {
    format!("nothing was typed for {DRIVER_IDLE_S} s")
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
