//! Questions for nodes that cannot be called: they wait here until the node comes and fetches them, and its answers find
//! back to whoever asked.
//!
//! So a node without an address (behind NAT, say) is asked like any other: [`Errands::link`] is a way to it, and only
//! what carries a question is turned around. It fetches with a long poll, works on each as if it had been brought, and
//! brings the answer. Nothing is handed out twice: who asks hears of what got lost by its time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::model::NodeName;
use crate::protocol::{
    Beat, BeatAnswer, Errand, ErrandAnswer, ErrandAsk, FEDERATION_VERSION, Page, PageAsk, PageRefusal, Probe,
    ProbeAnswer, RemoteAct, RemoteActAnswer, WAIT_MAX,
};

use super::http_wire::{ACT_ANSWER_MAX, ACT_MAX, BEAT_MAX, PAGE_MAX, SMALL_MAX};
use super::link::{ASK_AT_ONCE, ASK_ORDER, ASK_PAGE};
use super::{Answer, Answerer, EventLink, LinkError};

/// Questions for one node that wait or are being answered at once.
const OPEN: usize = 64;
/// Questions that are handed out at once.
const HANDED: usize = 8;

/// The questions for every node that cannot be called.
#[derive(Debug)]
pub struct Errands {
    boxes: Mutex<BTreeMap<NodeName, Arc<Mailbox>>>,
    stop: CancellationToken,
}

/// Why an answer to an errand is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ErrandFault {
    /// The node is called, or not known.
    #[error("nothing is asked of this node in this way")]
    NoErrands,
    /// It was answered, given up, or never asked.
    #[error("nobody waits for an answer to that")]
    NobodyWaits,
}

/// The questions for one node.
#[derive(Debug, Default)]
struct Mailbox {
    state: Mutex<State>,
    /// Rung when there is something to fetch.
    came: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Errand>,
    open: BTreeMap<u64, Open>,
    is_over: bool,
}

/// A question that somebody waits for.
#[derive(Debug)]
struct Open {
    done: oneshot::Sender<ErrandAnswer>,
    /// Bytes its answer may have.
    room: usize,
}

impl Errands {
    /// No questions yet. Who waits for some is let go at `stop`.
    #[must_use]
    pub fn new(stop: CancellationToken) -> Self {
        Self { boxes: Mutex::default(), stop }
    }

    /// The way to `node`, which fetches what is asked of it.
    #[must_use]
    pub fn link(&self, node: &NodeName) -> Arc<dyn EventLink> {
        let mailbox = Arc::clone(self.boxes().entry(node.clone()).or_default());
        Arc::new(ErrandLink { peer: node.clone(), mailbox })
    }

    /// Nothing is asked of `node` in this way any more; who waits for its answers is told.
    pub fn forget(&self, node: &NodeName) {
        if let Some(mailbox) = self.boxes().remove(node) {
            let mut state = mailbox.state();
            state.is_over = true;
            state.waiting.clear();
            state.open.clear();
        }
    }

    /// What is asked of `node` now; waits up to `wait` seconds for the first question.
    ///
    /// # Errors
    /// When nothing is asked of it in this way.
    pub async fn fetch(&self, node: &NodeName, wait: u64) -> Result<Vec<Errand>, ErrandFault> {
        let mailbox = self.mailbox(node)?;
        let until = tokio::time::Instant::now() + Duration::from_secs(wait.min(WAIT_MAX));
        loop {
            // Asked for before the look, so that nothing comes unseen between both.
            let came = mailbox.came.notified();
            let errands = mailbox.take();
            if !errands.is_empty() || self.stop.is_cancelled() {
                return Ok(errands);
            }
            tokio::select! {
                () = came => {}
                () = tokio::time::sleep_until(until) => return Ok(mailbox.take()),
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// How many bytes the answer of `node` to an errand may have.
    ///
    /// # Errors
    /// When nobody waits for it.
    pub fn room(&self, node: &NodeName, number: u64) -> Result<usize, ErrandFault> {
        let mailbox = self.mailbox(node)?;
        mailbox.state().open.get(&number).map(|open| open.room).ok_or(ErrandFault::NobodyWaits)
    }

    /// `node` answers an errand.
    ///
    /// # Errors
    /// When nobody waits for it.
    pub fn answered(&self, node: &NodeName, number: u64, answer: ErrandAnswer) -> Result<(), ErrandFault> {
        let open = self.mailbox(node)?.state().open.remove(&number).ok_or(ErrandFault::NobodyWaits)?;
        open.done.send(answer).map_err(|_| ErrandFault::NobodyWaits)
    }

    fn mailbox(&self, node: &NodeName) -> Result<Arc<Mailbox>, ErrandFault> {
        self.boxes().get(node).cloned().ok_or(ErrandFault::NoErrands)
    }

    fn boxes(&self) -> MutexGuard<'_, BTreeMap<NodeName, Arc<Mailbox>>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Errand> {
        let mut state = self.state();
        let count = state.waiting.len().min(HANDED);
        state.waiting.drain(..count).collect()
    }

    fn put(&self, ask: ErrandAsk, room: usize) -> Result<(u64, oneshot::Receiver<ErrandAnswer>), LinkError> {
        let mut state = self.state();
        if state.is_over {
            return Err(LinkError::Unreachable("it is called in another way now".to_owned()));
        }
        if state.open.len() >= OPEN {
            return Err(LinkError::Unreachable(format!("it has not fetched the last {OPEN} questions")));
        }
        // By chance, so that no answer to a question of an earlier run fits.
        let number = rand::random();
        let (done, answer) = oneshot::channel();
        state.open.insert(number, Open { done, room });
        state.waiting.push_back(Errand { number, ask });
        drop(state);
        self.came.notify_one();
        Ok((number, answer))
    }
}

/// A way to a node that fetches what is asked of it.
struct ErrandLink {
    peer: NodeName,
    mailbox: Arc<Mailbox>,
}

/// Takes a question back when nobody waits for its answer any more.
struct Asked<'a>(&'a Mailbox, u64);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.open.remove(&self.1);
        state.waiting.retain(|errand| errand.number != self.1);
    }
}

impl ErrandLink {
    async fn ask(&self, ask: ErrandAsk, room: usize, time: Duration) -> Result<ErrandAnswer, LinkError> {
        let (number, answer) = self.mailbox.put(ask, room)?;
        let _asked = Asked(&self.mailbox, number);
        match tokio::time::timeout(time, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(LinkError::Unreachable("it is called in another way now".to_owned())),
            Err(_) => {
                Err(LinkError::Unreachable("it did not fetch the question, or not answer it, in time".to_owned()))
            }
        }
    }
}

fn another<T>(_: ErrandAnswer) -> Result<T, LinkError> {
    Err(LinkError::Unusable("it answers another question".to_owned()))
}

/// Whether a question is one that the other side would read.
fn fits(question: &impl Serialize, most: usize) -> Result<(), LinkError> {
    let bytes = serde_json::to_vec(question).map_err(|error| LinkError::Unusable(error.to_string()))?;
    if bytes.len() > most {
        return Err(LinkError::Unusable(format!("the question is longer than {most} bytes")));
    }
    Ok(())
}

impl EventLink for ErrandLink {
    fn page<'a>(&'a self, ask: &'a PageAsk) -> Answer<'a, Result<Page, PageRefusal>> {
        Box::pin(async move {
            let time = ASK_PAGE + Duration::from_secs(ask.wait);
            match self.ask(ErrandAsk::Page(ask.clone()), PAGE_MAX, time).await? {
                ErrandAnswer::Page(answer) => match *answer {
                    Ok(page) => page.answers(ask).map(Ok).map_err(LinkError::Unusable),
                    Err(refusal) => Ok(Err(refusal)),
                },
                other => another(other),
            }
        })
    }

    fn beat<'a>(&'a self, beat: &'a Beat) -> Answer<'a, BeatAnswer> {
        Box::pin(async move {
            fits(beat, BEAT_MAX)?;
            match self.ask(ErrandAsk::Beat(Box::new(beat.clone())), BEAT_MAX, ASK_AT_ONCE).await? {
                ErrandAnswer::Beat(Ok(answer)) => {
                    answer.is_of(&self.peer).map_err(LinkError::Unusable)?;
                    Ok(*answer)
                }
                ErrandAnswer::Beat(Err(why)) => Err(LinkError::Refused(why)),
                other => another(other),
            }
        })
    }

    fn probe<'a>(&'a self, probe: &'a Probe) -> Answer<'a, ProbeAnswer> {
        Box::pin(async move {
            match self.ask(ErrandAsk::Probe(probe.clone()), SMALL_MAX, ASK_AT_ONCE).await? {
                ErrandAnswer::Probe(answer) => Ok(answer),
                other => another(other),
            }
        })
    }

    fn act<'a>(&'a self, act: &'a RemoteAct) -> Answer<'a, RemoteActAnswer> {
        Box::pin(async move {
            fits(act, ACT_MAX)?;
            match self.ask(ErrandAsk::Act(Box::new(act.clone())), ACT_ANSWER_MAX, ASK_ORDER).await? {
                ErrandAnswer::Act(answer) => Ok(*answer),
                other => another(other),
            }
        })
    }
}

/// Does what `from` asks, as if it had called.
pub async fn run_errand(answerer: &dyn Answerer, from: &NodeName, ask: ErrandAsk) -> ErrandAnswer {
    match ask {
        ErrandAsk::Page(ask) => ErrandAnswer::Page(Box::new(answerer.page(from.clone(), ask).await)),
        ErrandAsk::Beat(beat) if beat.node != *from || beat.version != FEDERATION_VERSION => {
            ErrandAnswer::Beat(Err("a heartbeat is sent by its own node, in this version".to_owned()))
        }
        ErrandAsk::Beat(beat) => ErrandAnswer::Beat(answerer.beat(from.clone(), *beat).await.map(Box::new)),
        ErrandAsk::Probe(probe) => ErrandAnswer::Probe(answerer.probe(from.clone(), probe).await),
        ErrandAsk::Act(act) => ErrandAnswer::Act(Box::new(answerer.act(from.clone(), *act).await)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NodeName {
        text.parse().expect("a name")
    }

    fn errands() -> Errands {
        Errands::new(CancellationToken::new())
    }

    fn probe() -> Probe {
        Probe { whom: name("hub-3") }
    }

    const REACHED: ErrandAnswer = ErrandAnswer::Probe(ProbeAnswer { reached: Some(7) });

    #[tokio::test]
    async fn a_question_is_fetched_once_and_its_answer_finds_back_once() {
        let (errands, node) = (errands(), name("leaf"));
        let link = errands.link(&node);
        let question = probe();
        let (answer, ()) = tokio::join!(link.probe(&question), async {
            let fetched = errands.fetch(&node, 25).await.expect("it has errands");
            assert_eq!(fetched.iter().map(|errand| &errand.ask).collect::<Vec<_>>(), [&ErrandAsk::Probe(probe())]);
            assert_eq!(errands.fetch(&node, 0).await, Ok(Vec::new()), "nothing is handed out twice");
            let number = fetched[0].number;
            assert_eq!(errands.room(&node, number), Ok(SMALL_MAX));
            assert_eq!(errands.answered(&node, number ^ 1, REACHED), Err(ErrandFault::NobodyWaits));
            assert_eq!(errands.answered(&name("hub-9"), number, REACHED), Err(ErrandFault::NoErrands));
            assert_eq!(errands.answered(&node, number, REACHED), Ok(()));
            assert_eq!(errands.answered(&node, number, REACHED), Err(ErrandFault::NobodyWaits));
            assert_eq!(errands.room(&node, number), Err(ErrandFault::NobodyWaits));
        });
        assert_eq!(answer, Ok(ProbeAnswer { reached: Some(7) }));
    }

    #[tokio::test(start_paused = true)]
    async fn who_fetches_waits_for_what_comes_and_nobody_waits_for_ever() {
        let (errands, node) = (Arc::new(errands()), name("leaf"));
        let link = errands.link(&node);
        let begun = tokio::time::Instant::now();
        assert_eq!(errands.fetch(&node, 1 << 40).await, Ok(Vec::new()));
        assert_eq!(begun.elapsed(), Duration::from_secs(WAIT_MAX));
        assert!(link.probe(&probe()).await.expect_err("nobody fetches it").to_string().contains("did not fetch"));
        assert_eq!(errands.fetch(&node, 0).await, Ok(Vec::new()), "it is taken back");
        let (stopping, waiting) = (errands.stop.clone(), Arc::clone(&errands));
        let fetching = tokio::spawn(async move { waiting.fetch(&name("leaf"), 25).await });
        stopping.cancel();
        assert_eq!(fetching.await.expect("ends"), Ok(Vec::new()));
    }

    #[tokio::test]
    async fn an_answer_to_another_question_is_none() {
        let (errands, node) = (errands(), name("leaf"));
        let link = errands.link(&node);
        let ask = PageAsk { origin: node.clone(), epoch: None, after: 0, limit: 9, wait: 0 };
        let (answer, ()) = tokio::join!(link.page(&ask), async {
            let fetched = errands.fetch(&node, 25).await.expect("it has errands");
            errands.answered(&node, fetched[0].number, REACHED).expect("somebody waits");
        });
        assert!(matches!(answer, Err(LinkError::Unusable(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn questions_are_bounded_and_a_node_that_is_forgotten_is_asked_nothing() {
        let (errands, node) = (errands(), name("leaf"));
        let link = errands.link(&node);
        let question = probe();
        let mut open = Vec::new();
        for _ in 0..OPEN {
            let mut asking = link.probe(&question);
            assert!(futures_util::poll!(&mut asking).is_pending());
            open.push(asking);
        }
        let refused = link.probe(&question).await.expect_err("too many").to_string();
        assert!(refused.contains("has not fetched"), "{refused}");
        assert_eq!(errands.fetch(&node, 0).await.expect("it has errands").len(), HANDED);
        assert_eq!(errands.link(&name("other")).probe(&question).now_or_never(), None, "others are undisturbed");
        errands.forget(&node);
        let told = open.swap_remove(0).await.expect_err("it is over").to_string();
        assert!(told.contains("another way"), "{told}");
        assert_eq!(errands.fetch(&node, 0).await, Err(ErrandFault::NoErrands));
        assert!(link.probe(&question).await.is_err());
    }

    use futures_util::FutureExt as _;
}
