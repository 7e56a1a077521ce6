//! Panes of a made-up world: what a script says, told over the same seam as what an agent says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::bridge::{Asked, Layer, LayerEvent, LayerNews};
use crate::model::{
    HostName, HostPanel, LayerKind, LayerState, PaneChunk, PaneDriver, PaneFacts, PaneId, PaneSeed, SpoolId,
};
use crate::protocol::{AGENT_VERSION, DriveAsk, FromAgent, PaneSaid, ToAgent, WatchAsk};

use super::OpenRoad;

/// Bytes of what was printed that a whole screen is made of.
const KEPT: usize = 16 << 10;

/// What panes of a made-up world show and do.
pub trait PaneScript: fmt::Debug + Send + Sync {
    /// The panes of a host.
    fn panes(&self, host: &HostName) -> Vec<PaneFacts>;

    /// What a pane has printed before anybody looks.
    fn before(&self, host: &HostName, pane: PaneId) -> String;

    /// What it prints by itself, so long after what it printed before; `step` counts from 0. `None` is nothing more.
    fn next(&self, host: &HostName, pane: PaneId, step: u64) -> Option<(Duration, String)>;

    /// What it prints because a byte was typed. `line` is what was typed of this line before, and is the script's to keep.
    fn typed(&self, host: &HostName, pane: PaneId, line: &mut String, byte: u8) -> String;
}

/// A pane as it stands.
#[derive(Debug, Default)]
struct Shown {
    /// What it printed last.
    printed: Vec<u8>,
    /// Bytes it printed altogether.
    offset: u64,
    step: u64,
    line: String,
    driver: Option<PaneDriver>,
    /// What plays it while somebody looks.
    playing: Option<AbortHandle>,
}

/// All of them, for as long as the world is played.
#[derive(Debug)]
struct Stage {
    script: Arc<dyn PaneScript>,
    shown: Mutex<BTreeMap<(HostName, PaneId), Shown>>,
}

/// A road to the made-up agent of a host.
struct Road {
    host: HostName,
    kind: LayerKind,
    stage: Arc<Stage>,
    news: mpsc::Sender<LayerNews>,
}

/// Opens roads to the panes of `script`, where `hosts` have one that is up.
pub(super) fn road(script: Arc<dyn PaneScript>, hosts: Vec<HostPanel>) -> OpenRoad {
    let stage = Arc::new(Stage { script, shown: Mutex::default() });
    Arc::new(move |_, host, layer, _, news| {
        let kind = layer.kind();
        let panel = hosts.iter().find(|panel| panel.name == host.name);
        let known = panel.and_then(|panel| panel.layers.iter().find(|known| known.kind == kind));
        match known {
            Some(known) if known.state == LayerState::Up => {}
            Some(known) => return Err(known.why.clone()),
            None => return Err("there is no such road".to_owned()),
        }
        let road = Road { host: host.name.clone(), kind, stage: Arc::clone(&stage), news };
        let (host, news) = (road.host.clone(), road.news.clone());
        tokio::spawn(async move {
            let welcome = FromAgent::Welcome {
                version: AGENT_VERSION,
                aurora: env!("CARGO_PKG_VERSION").to_owned(),
                spool: SpoolId::from_uuid(uuid::Uuid::nil()),
                boot: String::new(),
                clock: Timestamp::now(),
                epoch: 1,
                lost: Vec::new(),
            };
            for event in [LayerEvent::Heard(Box::new(welcome)), LayerEvent::Alive { rtt: Duration::from_millis(3) }] {
                // A road that was closed is told nothing.
                let _ = news.send(LayerNews { host: host.clone(), kind, event }).await;
            }
        });
        Ok(Arc::new(road))
    })
}

impl Stage {
    fn with<T>(&self, host: &HostName, pane: PaneId, change: impl FnOnce(&mut Shown) -> T) -> T {
        let mut all = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = all.entry((host.clone(), pane)).or_insert_with(|| {
            let mut shown = Shown::default();
            shown.print(self.script.before(host, pane).into_bytes(), pane);
            shown
        });
        change(shown)
    }

    fn panes(&self, host: &HostName) -> PaneSaid {
        let mut panes = self.script.panes(host);
        for facts in &mut panes {
            facts.driver = self.with(host, facts.id, |shown| shown.driver.clone());
        }
        PaneSaid::Panes { panes, why: None, may_drive: true }
    }
}

impl Shown {
    fn print(&mut self, bytes: Vec<u8>, pane: PaneId) -> PaneChunk {
        let chunk = PaneChunk { pane, offset: self.offset, bytes };
        self.offset += chunk.bytes.len() as u64;
        self.printed.extend_from_slice(&chunk.bytes);
        if self.printed.len() > 2 * KEPT {
            let from = self.printed.len() - KEPT;
            let line = self.printed[from..].iter().position(|byte| *byte == b'\n').map_or(from, |at| from + at + 1);
            self.printed.drain(..line);
        }
        chunk
    }

    fn seed(&self, facts: &PaneFacts) -> PaneSeed {
        PaneSeed {
            pane: facts.id,
            offset: self.offset,
            missed: 0,
            too_fast: false,
            cols: facts.cols,
            rows: facts.rows,
            history: 0,
            bytes: self.printed.clone(),
        }
    }
}

impl Road {
    async fn says(&self, said: PaneSaid) {
        tell(&self.news, &self.host, self.kind, said).await;
    }

    async fn watch(&self, ask: WatchAsk) {
        let facts = |pane: PaneId| self.stage.script.panes(&self.host).into_iter().find(|facts| facts.id == pane);
        match ask {
            WatchAsk::List { .. } => self.says(self.stage.panes(&self.host)).await,
            WatchAsk::Watch { pane, .. } => match facts(pane) {
                Some(facts) => {
                    let seed = self.stage.with(&self.host, pane, |shown| shown.seed(&facts));
                    self.says(PaneSaid::Seed(seed)).await;
                    self.play(pane);
                }
                None => self.says(PaneSaid::Ended { pane, why: "no such pane".to_owned() }).await,
            },
            WatchAsk::Capture { pane } => {
                if let Some(facts) = facts(pane) {
                    let seed = self.stage.with(&self.host, pane, |shown| shown.seed(&facts));
                    self.says(PaneSaid::Captured(seed)).await;
                }
            }
            WatchAsk::Unwatch { pane } => self.rest(pane),
            // Nothing there is too fast.
            WatchAsk::Seen { .. } | WatchAsk::Whole { .. } => {}
        }
    }

    async fn drive(&self, ask: DriveAsk) {
        match ask {
            DriveAsk::Take { pane, who } => {
                let driver = PaneDriver { who, since: Timestamp::now() };
                self.stage.with(&self.host, pane, |shown| shown.driver = Some(driver.clone()));
                self.says(PaneSaid::Taken { pane, driver }).await;
                self.says(self.stage.panes(&self.host)).await;
            }
            DriveAsk::Keys { pane, seq, bytes } => {
                let script = &self.stage.script;
                let chunk = self.stage.with(&self.host, pane, |shown| {
                    let mut printed = String::new();
                    for byte in bytes {
                        printed.push_str(&script.typed(&self.host, pane, &mut shown.line, byte));
                    }
                    shown.print(printed.into_bytes(), pane)
                });
                self.says(PaneSaid::Typed { pane, seq }).await;
                self.says(PaneSaid::Chunk(chunk)).await;
            }
            DriveAsk::Release { pane } => {
                self.stage.with(&self.host, pane, |shown| shown.driver = None);
                self.says(PaneSaid::Released { pane, why: "given back".to_owned() }).await;
                self.says(self.stage.panes(&self.host)).await;
            }
        }
    }

    /// Lets the pane print while somebody looks.
    fn play(&self, pane: PaneId) {
        let (stage, host, kind, news) = (Arc::clone(&self.stage), self.host.clone(), self.kind, self.news.clone());
        let playing = tokio::spawn(async move {
            loop {
                let step = stage.with(&host, pane, |shown| shown.step);
                let Some((pause, text)) = stage.script.next(&host, pane, step) else { return };
                tokio::time::sleep(pause).await;
                let chunk = stage.with(&host, pane, |shown| {
                    shown.step += 1;
                    shown.print(text.into_bytes(), pane)
                });
                tell(&news, &host, kind, PaneSaid::Chunk(chunk)).await;
            }
        });
        self.stage.with(&self.host, pane, |shown| {
            if let Some(before) = shown.playing.replace(playing.abort_handle()) {
                before.abort();
            }
        });
    }

    fn rest(&self, pane: PaneId) {
        if let Some(playing) = self.stage.with(&self.host, pane, |shown| shown.playing.take()) {
            playing.abort();
        }
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        for facts in self.stage.script.panes(&self.host) {
            self.rest(facts.id);
        }
    }
}

async fn tell(news: &mpsc::Sender<LayerNews>, host: &HostName, kind: LayerKind, said: PaneSaid) {
    let event = LayerEvent::Heard(Box::new(FromAgent::Pane(said)));
    // A road that was closed is told nothing.
    let _ = news.send(LayerNews { host: host.clone(), kind, event }).await;
}

impl Layer for Road {
    fn kind(&self) -> LayerKind {
        self.kind
    }

    fn ask(&self, question: ToAgent) -> Asked<'_> {
        Box::pin(async move {
            match question {
                ToAgent::Watch(ask) => self.watch(ask).await,
                ToAgent::Drive(ask) => self.drive(ask).await,
                _ => {}
            }
            Ok(())
        })
    }

    fn nudge(&self) {}
}
