//! The suite of every link, over HTTP and real sockets.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::model::{NodeName, PinnedKeys, TokenHash};
use crate::net::{KnownNodes, NodeKeys, node_client};
use crate::protocol::{
    Beat, BeatAnswer, Errand, ErrandAnswer, Join, JoinAnswer, NodesPanel, Page, PageAsk, PageRefusal, Probe,
    ProbeAnswer, RemoteAct, RemoteActAnswer,
};

use super::conformance::{Link, TestNode, conforms};
use super::conformance_asks::{answer_act, answer_probe};
use super::{
    Answered, Answerer, DoorMemory, DoorSettings, Errands, HttpDoor, HttpLink, LinkError, TokenAnswerer, TokenRefusal,
    run_errand, serve_nodes,
};

/// Answers for a node of the suite.
struct Answers(Arc<TestNode>);

impl Answerer for Answers {
    fn page(&self, _: NodeName, ask: PageAsk) -> Answered<'_, Result<Page, PageRefusal>> {
        Box::pin(async { self.0.feed.page(ask).await.expect("reads") })
    }

    fn beat(&self, _: NodeName, beat: Beat) -> Answered<'_, Result<BeatAnswer, String>> {
        Box::pin(async move { Ok(self.0.answer_beat(&beat)) })
    }

    fn probe(&self, _: NodeName, probe: Probe) -> Answered<'_, ProbeAnswer> {
        Box::pin(async move { answer_probe(&probe) })
    }

    fn act(&self, _: NodeName, act: RemoteAct) -> Answered<'_, RemoteActAnswer> {
        Box::pin(async move { answer_act(&act) })
    }

    fn join(&self, _: Join) -> Answered<'_, Result<JoinAnswer, String>> {
        Box::pin(async { Err("it has no part in the suite".to_owned()) })
    }
}

impl TokenAnswerer for Answers {
    fn nodes(&self, _: TokenHash) -> Answered<'_, Result<Box<NodesPanel>, TokenRefusal>> {
        Box::pin(async { Err(TokenRefusal::Unknown("it has no part in the suite".to_owned())) })
    }
}

fn keys(node: &TestNode) -> Arc<NodeKeys> {
    let dir = node.store_dir().join("secrets");
    std::fs::create_dir_all(&dir).expect("a directory");
    Arc::new(NodeKeys::open(&dir, Timestamp::now()).expect("a key"))
}

fn known(node: &TestNode) -> Arc<KnownNodes> {
    let known = KnownNodes::default();
    known.put(node.name.clone(), PinnedKeys::of(keys(node).key(), Timestamp::now()));
    Arc::new(known)
}

/// A listener of `to`, which lives as long as the test, and the way of `from` to it.
async fn called(from: &TestNode, to: &Arc<TestNode>, errands: Arc<Errands>) -> Link {
    let answers = Arc::new(Answers(Arc::clone(to)));
    let settings = DoorSettings {
        me: to.name.clone(),
        keys: keys(to),
        known: known(from),
        errands,
        answerer: Arc::clone(&answers) as _,
        tokens: answers,
        allow_query_token: false,
        tls: None,
        proxies: Vec::new(),
        refused: Box::new(|_| {}),
    };
    let memory = DoorMemory::new(to.name.clone(), Timestamp::now());
    let door = Arc::new(HttpDoor::new(settings, Arc::new(memory)));
    let free = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = free.local_addr().expect("an address");
    drop(free);
    let (ready, listening) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let stop = CancellationToken::new();
        serve_nodes(address, door, 64, stop, || ready.send(()).expect("somebody waits"), |_| {})
            .await
            .expect("listens");
    });
    listening.await.expect("it listens");
    let url = format!("http://{address}");
    let http = node_client(&url, None).expect("a client");
    Arc::new(HttpLink::new(http, &url, to.name.clone(), from.name.clone(), keys(from), known(to)))
}

/// The way of `from` to `to`, which only calls and is not called: it fetches what it is asked.
async fn fetched(from: Arc<TestNode>, to: Arc<TestNode>) -> Link {
    let errands = Arc::new(Errands::new(CancellationToken::new()));
    let (link, call) = (errands.link(&to.name), called(&to, &from, errands).await);
    tokio::spawn(async move {
        let answers = Arc::new(Answers(Arc::clone(&to)));
        while let Ok(errands) = call.errands(25).await {
            for Errand { number, ask } in errands {
                let (call, answers, of) = (Arc::clone(&call), Arc::clone(&answers), from.name.clone());
                tokio::spawn(async move {
                    let answer = run_errand(&*answers, &of, ask).await;
                    // Who asked may have given up.
                    let _ = call.answer(number, &answer).await;
                });
            }
        }
    });
    link
}

#[tokio::test]
async fn the_link_over_http_conforms() {
    let way = |from: Arc<TestNode>, to: Arc<TestNode>| async move {
        called(&from, &to, Arc::new(Errands::new(CancellationToken::new()))).await
    };
    conforms(way).await;
}

#[tokio::test]
async fn the_link_to_a_node_that_only_calls_conforms() {
    conforms(fetched).await;
}

#[tokio::test]
async fn errands_are_for_whom_they_are_and_bounded() {
    let (hub, leaf) = (TestNode::new("hub").await, TestNode::new("leaf").await);
    let errands = Arc::new(Errands::new(CancellationToken::new()));
    let call = called(&leaf, &hub, Arc::clone(&errands)).await;
    let told = |answer: Result<(), LinkError>| answer.expect_err("it is refused").to_string();
    let why = call.errands(0).await.expect_err("it is called").to_string();
    assert!(why.contains("nothing is asked of this node in this way"), "{why}");
    let link = errands.link(&leaf.name);
    let probe = Probe { whom: hub.name.clone() };
    let (answer, ()) = tokio::join!(link.probe(&probe), async {
        let fetched = call.errands(25).await.expect("it is asked");
        let reached = ErrandAnswer::Probe(ProbeAnswer { reached: Some(1) });
        let why = told(call.answer(fetched[0].number ^ 1, &reached).await);
        assert!(why.contains("nobody waits"), "{why}");
        let long = ErrandAnswer::Beat(Err("x".repeat(9 << 10)));
        let why = told(call.answer(fetched[0].number, &long).await);
        assert!(why.contains("at most 8192 bytes"), "{why}");
        call.answer(fetched[0].number, &reached).await.expect("it is taken");
        let why = told(call.answer(fetched[0].number, &reached).await);
        assert!(why.contains("nobody waits"), "{why}");
    });
    assert_eq!(answer, Ok(ProbeAnswer { reached: Some(1) }));
}
