//! What one connection asks about panes, and the tasks that tell it. They end with it.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::agent::desk::Inner;
use crate::config::AgentPanes;
use crate::model::{EngineId, PaneId, rules};
use crate::protocol::{DriveAsk, FromAgent, PaneSaid, ToAgent, WatchAsk};

use super::driver::{Driver, release_all};
use super::listing::tell;
use super::owner::Visiting;
use super::refusal::refusal;
use super::watcher::Watcher;

/// Panes one connection watches at once.
const WATCHED_MAX: usize = 64;
/// Words of a driver that wait for those before them. Then its connection waits.
const TYPED_AHEAD: usize = 64;

/// One connection. Dropping it ends what is told over it, and gives back what was taken over.
#[derive(Debug, Default)]
pub(in crate::agent) struct Visit {
    server: Option<Arc<Visiting>>,
    /// Lists, and who types.
    tasks: JoinSet<()>,
    watches: HashMap<PaneId, Watched>,
    watching: JoinSet<()>,
    drive: Option<mpsc::Sender<DriveAsk>>,
}

#[derive(Debug)]
struct Watched {
    task: AbortHandle,
    taken: watch::Sender<u64>,
    whole: watch::Sender<bool>,
    capture: Arc<Notify>,
}

impl Visit {
    /// Hears a question about panes. What has an answer of its own is refused here; the rest is told by tasks.
    pub(in crate::agent) async fn hear(
        &mut self,
        desk: &Arc<Inner>,
        engine: EngineId,
        question: ToAgent,
        answers: &mpsc::Sender<FromAgent>,
    ) -> Option<FromAgent> {
        if desk.config.panes == AgentPanes::Off {
            return refusal(&question, rules::POLICY, "`panes` in [agent] of this host is off");
        }
        match question {
            ToAgent::Watch(WatchAsk::List { ref socket, ref session }) => {
                let begun = self.list(desk, engine, (socket.clone(), session.clone()), answers);
                begun.err().and_then(|why| refusal(&question, rules::TMUX, &why))
            }
            ToAgent::Watch(WatchAsk::Watch { pane, history, from }) => match self.watch(pane, history, from, answers) {
                Ok(()) => None,
                Err((rule, why)) => refusal(&question, rule, why),
            },
            ToAgent::Watch(WatchAsk::Seen { pane, offset }) => {
                if let Some(watched) = self.watches.get(&pane) {
                    watched.taken.send_replace(offset);
                }
                None
            }
            ToAgent::Watch(WatchAsk::Whole { pane, wanted }) => {
                if let Some(watched) = self.watches.get(&pane) {
                    watched.whole.send_replace(wanted);
                }
                None
            }
            ToAgent::Watch(WatchAsk::Capture { pane }) => {
                if let Some(watched) = self.watches.get(&pane) {
                    watched.capture.notify_one();
                }
                None
            }
            ToAgent::Watch(WatchAsk::Unwatch { pane }) => {
                if let Some(watched) = self.watches.remove(&pane) {
                    watched.task.abort();
                }
                None
            }
            ToAgent::Drive(_) if desk.config.panes != AgentPanes::Drive => {
                let why = "panes of this host are watched only; `panes = \"drive\"` in [agent] there would allow it";
                refusal(&question, rules::POLICY, why)
            }
            ToAgent::Drive(ref ask) => match &self.drive {
                Some(drive) if drive.send(ask.clone()).await.is_ok() => None,
                _ => refusal(&question, rules::UNKNOWN_PANE, "a list of panes comes before everything else about them"),
            },
            _ => None,
        }
    }

    /// Gives back what is driven over it, as nothing was heard on it for a while.
    pub(in crate::agent) fn quiet(&self, desk: &Arc<Inner>) -> Vec<PaneSaid> {
        let why = "nothing was heard of its engine for a while";
        let released = self.server.iter().flat_map(|visiting| release_all(visiting, desk, why));
        released.map(|pane| PaneSaid::Released { pane, why: why.to_owned() }).collect()
    }

    fn list(
        &mut self,
        desk: &Arc<Inner>,
        engine: EngineId,
        (socket, session): (Option<String>, Option<String>),
        answers: &mpsc::Sender<FromAgent>,
    ) -> Result<(), String> {
        // Whatever was told before ends, and what was taken over is free before anything else is heard.
        if let Some(visiting) = &self.server {
            release_all(visiting, desk, "the list was asked for anew");
        }
        *self = Self::default();
        let socket = socket.as_deref();
        let visiting = Arc::new(desk.panes.visit(socket, engine)?);
        let may_drive = desk.config.panes == AgentPanes::Drive;
        let (gives_way, telling) = (visiting.gives_way.clone(), answers.clone());
        let told = tell(Arc::clone(&visiting), session, may_drive, answers.clone());
        self.tasks.spawn(async move {
            if gives_way.run_until_cancelled_owned(told).await.is_none() {
                let why = Some("a newer connection of the same engine is told of panes instead".to_owned());
                // It is most likely dead.
                let _ =
                    telling.send(FromAgent::Pane(PaneSaid::Panes { panes: Vec::new(), why, may_drive: false })).await;
            }
        });
        if may_drive {
            let driver = Driver::new(Arc::clone(&visiting), socket, (Arc::clone(desk), engine), answers.clone());
            let (drive, asks) = mpsc::channel(TYPED_AHEAD);
            let driving = driver.map_err(|error| error.to_string())?.run(asks);
            let gives_way = visiting.gives_way.clone();
            self.tasks.spawn(async move { gives_way.run_until_cancelled_owned(driving).await.unwrap_or_default() });
            self.drive = Some(drive);
        }
        self.server = Some(visiting);
        Ok(())
    }

    fn watch(
        &mut self,
        pane: PaneId,
        history: u32,
        from: Option<u64>,
        answers: &mpsc::Sender<FromAgent>,
    ) -> Result<(), (&'static str, &'static str)> {
        let Some(visiting) = &self.server else {
            return Err((rules::UNKNOWN_PANE, "a list of panes comes before everything else about them"));
        };
        while self.watching.try_join_next().is_some() {}
        self.watches.retain(|_, watched| !watched.task.is_finished());
        if self.watches.len() >= WATCHED_MAX && !self.watches.contains_key(&pane) {
            return Err((rules::TOO_MANY, "64 panes are watched over this connection, and that is the most"));
        }
        let (taken, heard) = watch::channel(0);
        let (whole, wanted) = watch::channel(false);
        let capture = Arc::new(Notify::new());
        let watcher = Watcher {
            owner: Arc::clone(&visiting.owner),
            pane,
            history,
            from,
            taken: heard,
            whole: wanted,
            capture: Arc::clone(&capture),
            answers: answers.clone(),
        };
        let task = self.watching.spawn(watcher.run());
        // Who asks again wants it from the begin.
        if let Some(before) = self.watches.insert(pane, Watched { task, taken, whole, capture }) {
            before.task.abort();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokio::time::Instant;
    use uuid::Uuid;

    use crate::agent::Desk;
    use crate::agent::panes::leases::Taker;
    use crate::config::AgentConfig;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_is_quiet_gives_back_what_is_driven_over_it_and_no_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let text = "[agent]\nname = \"web-1\"\npanes = \"drive\"\n";
        let desk = Desk::open(AgentConfig::parse(text, None, Some(dir.path())).expect("a configuration"));
        let desk = desk.expect("a desk").inner;
        let (answers, _heard) = mpsc::channel(64);
        let engine = EngineId::from_uuid(Uuid::from_u128(1));
        let list = || ToAgent::Watch(WatchAsk::List { socket: Some("aurora-test-nowhere".to_owned()), session: None });
        let (mut anna, mut ben) = (Visit::default(), Visit::default());
        let take = |visit: &Visit, number, who: &str| {
            let visiting = visit.server.clone().expect("a server");
            let pane = PaneId { server: 1, number };
            let taker = Taker { by: visiting.by, engine, who: who.parse().expect("a name") };
            let now = (Timestamp::now(), Instant::now());
            visiting.owner.lease(|leases| leases.take((pane, 4711), taker, now)).expect("free");
        };
        for visit in [&mut anna, &mut ben] {
            assert!(visit.hear(&desk, engine, list(), &answers).await.is_none());
        }
        take(&anna, 1, "anna");
        take(&ben, 2, "ben");
        let said = anna.quiet(&desk);
        assert!(matches!(&said[..], [PaneSaid::Released { pane: PaneId { number: 1, .. }, .. }]), "{said:?}");
        assert_eq!(anna.quiet(&desk), []);
        take(&anna, 1, "ben");
        assert_eq!(ben.quiet(&desk).len(), 1, "what ben had over his own connection");
    }
}
