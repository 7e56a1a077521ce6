//! The provider trait fits what is not built yet: a sender whose signature covers form fields, and whose
//! deliveries are batches. It goes through the real door, over HTTP, into a real store.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use aurora::config;
use aurora::ingress::{
    BodyBudget, Certificates, Channel, Door, FailureLimit, Receiving, Refusals, Route, Routes, Spool, Swap,
};
use aurora::model::{Assurance, EventFilter, Parsed, Reason, Secret};
use aurora::net::{self, DoorLimits};
use aurora::provider::{Answer, Envelope, Outcome, Provider, RawRequest, Rejected, Sample, Stored, Verified};
use aurora::store::{Blobs, Options, Store};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::support::{request, send};

/// `token=…&entry=id:text&entry=id:text`: the token is the secret, every entry is an event.
#[derive(Debug)]
struct FormBatch;

fn fields(body: &[u8], name: &str) -> Vec<String> {
    form_urlencoded::parse(body).filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
}

impl Provider for FormBatch {
    fn accepts(&self, media_type: Option<&str>) -> bool {
        media_type == Some("application/x-www-form-urlencoded")
    }

    fn check_secret(&self, _secret: &Secret) -> Result<(), String> {
        Ok(())
    }

    fn verify(&self, secrets: &[Secret], request: &RawRequest, now: Timestamp) -> Result<Verified, Rejected> {
        // The last occurrence counts, as Mailgun wants it.
        let token = fields(&request.body, "token").pop().unwrap_or_default();
        if secrets.iter().any(|secret| secret.is_active(now) && secret.expose() == token) {
            return Ok(Verified { assurance: Assurance::TokenOnly, time: None, id: None });
        }
        Err(Rejected { reason: Reason::Signature, detail: "another token".into(), tried: Vec::new() })
    }

    fn identify(&self, request: &RawRequest, _verified: &Verified) -> Vec<Envelope> {
        let entry = |entry: String| Envelope {
            kind: "batch.entry".into(),
            time: None,
            key: entry.split_once(':').map(|(id, _)| id.to_owned()),
            body_window: None,
            content: None,
            dead: (!entry.contains(':')).then(|| "an entry without an id".to_owned()),
            data: entry.into(),
        };
        fields(&request.body, "entry").into_iter().map(entry).collect()
    }

    fn parse(&self, stored: &Stored<'_>) -> Parsed {
        aurora::provider::parse_plain(stored)
    }

    fn answer(&self, outcome: Outcome) -> Answer {
        Answer::usual(outcome)
    }

    fn sample(&self, _: &[Secret], _: Timestamp, _: &str, _: &str, _: &str) -> Result<Sample, String> {
        Err("no samples".into())
    }
}

async fn door(dir: &std::path::Path, stop: CancellationToken) -> (SocketAddr, Arc<Store>) {
    let text = "[channels.batch]\nprovider = \"secret\"\nsecrets = [\"env:PATH\"]\n";
    let config = config::parse(text, None).expect("a configuration").channels.into_values().next().expect("a channel");
    let store = Arc::new(Store::open(dir, Options::default()).expect("a store"));
    let number = store.channel_numbers(vec![config.id.clone()]).await.expect("a number")[0].1;
    let channel =
        Channel { config, number, provider: Box::new(FormBatch), secrets: vec![Secret::new("k".into(), None)] };
    let listener = net::bind(([127, 0, 0, 1], 0).into()).await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let route = Route { channel: Arc::new(channel), address: "".into() };
    let routes = HashMap::from([(address, Routes::from([("/in".to_owned(), route)]))]);
    let limit = Arc::new(FailureLimit::new(600));
    let receiving =
        Receiving { routes, limit, proxies: Vec::new(), certificates: Certificates::new(), speaking: HashMap::new() };
    let door = Door {
        address,
        behind: Arc::new(Swap::new(receiving)),
        store: Arc::clone(&store),
        refusals: Arc::new(Refusals::default()),
        budget: Arc::new(BodyBudget::default()),
        spool: Arc::new(Spool::new(Arc::new(Blobs::open(dir).expect("a directory")))),
    };
    tokio::spawn(net::serve(listener, Arc::new(door), DoorLimits::default(), Box::new(|_| {}), stop));
    (address, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_form_entries_is_split_deduped_and_kept_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let stop = CancellationToken::new();
    let (address, store) = door(dir.path(), stop.clone()).await;
    let post = |body: &'static str| async move {
        let head = [("content-type", "application/x-www-form-urlencoded")];
        let bytes = request("POST", "/in", &head, body.as_bytes());
        tokio::task::spawn_blocking(move || send(address, &bytes).expect("an answer").status).await.expect("sends")
    };
    let stored = || store.event_count(&EventFilter::default()).expect("counts");
    assert_eq!(post("token=x&token=k&entry=1:a&entry=2:b").await, 202);
    assert_eq!(stored(), 2, "one event an entry");
    assert_eq!(post("token=k&entry=1:a&entry=2:b").await, 200, "all of it is known");
    assert_eq!(post("token=k&entry=2:b&entry=3:c").await, 202, "a part of it is new");
    assert_eq!(stored(), 3);
    assert_eq!(post("token=k&entry=1:other").await, 409);
    assert_eq!(post("token=k&token=x&entry=9:z").await, 401);
    assert_eq!(post("token=k&entry=nameless").await, 202, "what cannot be identified is kept");
    let dead = store.events(&EventFilter { dead: true, ..EventFilter::default() }, None, 10).expect("lists");
    assert_eq!((stored(), dead.len()), (4, 1));
    stop.cancel();
}
