//! All roads to all hosts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use crate::bridge::{Layer, LayerNews, NotDelivered, Term, Ticket};
use crate::config::{Config, HostConfig, LayerConfig};
use crate::model::{HostName, LayerKind};
use crate::protocol::ToAgent;

use super::road::{Handed, Road};
use super::service::BridgeSet;

/// A layer, or why it cannot even be opened: its key cannot be read.
pub type Opened = Result<Arc<dyn Layer>, String>;

/// Opens one layer to a host.
pub type OpenRoad = Arc<
    dyn Fn(&Config, &HostConfig, &LayerConfig, watch::Receiver<Term>, mpsc::Sender<LayerNews>) -> Opened + Send + Sync,
>;

/// A road that is held. Dropping it closes the road.
struct Held {
    questions: mpsc::UnboundedSender<(Ticket, ToAgent)>,
    nudge: Arc<Notify>,
    task: JoinHandle<()>,
    /// What it was opened by.
    layer: LayerConfig,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The roads there are.
pub(super) struct Roads {
    open: OpenRoad,
    held: BTreeMap<(HostName, LayerKind), Held>,
    term: watch::Receiver<Term>,
    news: mpsc::Sender<LayerNews>,
    handed: mpsc::UnboundedSender<Handed>,
}

impl Roads {
    pub(super) fn new(
        open: OpenRoad,
        term: watch::Receiver<Term>,
        news: mpsc::Sender<LayerNews>,
        handed: mpsc::UnboundedSender<Handed>,
    ) -> Self {
        Self { open, held: BTreeMap::new(), term, news, handed }
    }

    /// Has exactly the roads of `set`. Those that stay as they are are not touched.
    pub(super) fn take(&mut self, set: &Arc<BridgeSet>) {
        let mut before = std::mem::take(&mut self.held);
        for host in set.config.hosts.values() {
            for layer in host.layers.iter().filter(|layer| layer.kind() != LayerKind::Manual) {
                let key = (host.name.clone(), layer.kind());
                let same = before.remove(&key).filter(|held| held.layer == *layer && !held.task.is_finished());
                let held = same.unwrap_or_else(|| self.open(set, host, layer));
                self.held.insert(key, held);
            }
        }
    }

    fn open(&self, set: &Arc<BridgeSet>, host: &HostConfig, layer: &LayerConfig) -> Held {
        // The road takes a question at once. The bridge has one on its way for a job, and so many jobs on their way as its
        // caps allow; a click or a probe is one more.
        let (questions, asked) = mpsc::unbounded_channel();
        let nudge = Arc::new(Notify::new());
        let (open, set, term) = (Arc::clone(&self.open), Arc::clone(set), self.term.clone());
        let (of, by) = (host.clone(), layer.clone());
        let road = Road {
            host: host.name.clone(),
            kind: layer.kind(),
            reopen: Box::new(move |news| open(&set.config, &of, &by, term.clone(), news)),
            news: self.news.clone(),
            handed: self.handed.clone(),
            questions: asked,
            nudge: Arc::clone(&nudge),
        };
        Held { questions, nudge, task: tokio::spawn(road.keep()), layer: layer.clone() }
    }

    /// Hands `question` to a road. What becomes of it is told in any case.
    pub(super) fn ask(&self, host: HostName, kind: LayerKind, ticket: Ticket, question: ToAgent) {
        let key = (host, kind);
        let sent = self.held.get(&key).is_some_and(|road| road.questions.send((ticket, question)).is_ok());
        if !sent {
            let why = format!("there is no layer {} to {}", key.1, key.0);
            // The runner holds the other end as long as it asks.
            let _ = self.handed.send((ticket, Err(NotDelivered::NeverSent(why))));
        }
    }

    /// Lets a road try again now.
    pub(super) fn nudge(&self, host: HostName, kind: LayerKind) {
        if let Some(road) = self.held.get(&(host, kind)) {
            road.nudge.notify_one();
        }
    }

    /// Closes all of them.
    pub(super) fn close(&mut self) {
        self.held.clear();
    }
}
