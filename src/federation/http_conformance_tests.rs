//! The suite of every link, over HTTP and real sockets.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::model::{NodeName, PinnedKeys, TokenHash};
use crate::net::{KnownNodes, NodeKeys, node_client};
use crate::protocol::{
    Beat, BeatAnswer, Join, JoinAnswer, NodesPanel, Page, PageAsk, PageRefusal, Probe, ProbeAnswer, Refusal, RemoteAct,
    RemoteActAnswer,
};

use super::conformance::{Link, TestNode, conforms};
use super::{Answered, Answerer, DoorSettings, Feed, HttpDoor, HttpLink, TokenAnswerer, TokenRefusal, serve_nodes};

/// Gives pages and nothing else.
struct Pages(Feed);

impl Answerer for Pages {
    fn page(&self, _: NodeName, ask: PageAsk) -> Answered<'_, Result<Page, PageRefusal>> {
        Box::pin(async { self.0.page(ask).await.expect("reads") })
    }

    fn beat(&self, _: NodeName, _: Beat) -> Answered<'_, Result<BeatAnswer, String>> {
        Box::pin(async { Err("it gives pages only".to_owned()) })
    }

    fn probe(&self, _: NodeName, _: Probe) -> Answered<'_, ProbeAnswer> {
        Box::pin(async { ProbeAnswer { reached: None } })
    }

    fn act(&self, _: NodeName, _: RemoteAct) -> Answered<'_, RemoteActAnswer> {
        Box::pin(async { Err(Refusal::Denied("it gives pages only".to_owned())) })
    }

    fn join(&self, _: Join) -> Answered<'_, Result<JoinAnswer, String>> {
        Box::pin(async { Err("it gives pages only".to_owned()) })
    }
}

impl TokenAnswerer for Pages {
    fn nodes(&self, _: TokenHash) -> Answered<'_, Result<Box<NodesPanel>, TokenRefusal>> {
        Box::pin(async { Err(TokenRefusal::Unknown("it gives pages only".to_owned())) })
    }
}

/// A listener of `to`, which lives as long as the test, and the way of `from` to it.
async fn way(from: Arc<TestNode>, to: Arc<TestNode>) -> Link {
    let keys = |node: &TestNode| {
        let dir = node.store_dir().join("secrets");
        std::fs::create_dir_all(&dir).expect("a directory");
        Arc::new(NodeKeys::open(&dir, Timestamp::now()).expect("a key"))
    };
    let (asks, answers) = (keys(&from), keys(&to));
    let known = |node: &TestNode, keys: &NodeKeys| {
        let known = KnownNodes::default();
        known.put(node.name.clone(), PinnedKeys::of(keys.key(), Timestamp::now()));
        Arc::new(known)
    };
    let pages = Arc::new(Pages(to.feed.clone()));
    let settings = DoorSettings {
        me: to.name.clone(),
        keys: Arc::clone(&answers),
        known: known(&from, &asks),
        answerer: Arc::clone(&pages) as _,
        tokens: pages,
        allow_query_token: false,
        tls: None,
        proxies: Vec::new(),
        refused: Box::new(|_| {}),
    };
    let door = Arc::new(HttpDoor::new(settings, Timestamp::now()));
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
    Arc::new(HttpLink::new(http, &url, to.name.clone(), from.name.clone(), asks, known(&to, &answers)))
}

#[tokio::test]
async fn the_link_over_http_conforms() {
    conforms(way).await;
}
