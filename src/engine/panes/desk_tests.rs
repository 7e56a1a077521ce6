//! The task of panes with an agent of a few lines in place of a host's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bridge::{Asked, Layer, LayerEvent, LayerNews, Term};
use crate::config;
use crate::model::{
    EngineId, HostName, Identity, LayerKind, PaneAddress, PaneChunk, PaneDriver, PaneFacts, PaneId, PaneSeed,
    RecognisedBy, Role, SpoolId,
};
use crate::protocol::{
    AGENT_VERSION, ClientId, DriveAsk, FromAgent, HostPanes, PaneCall, PaneLines, PaneMark, PanePace, PaneReply,
    PaneRequest, PaneSaid, PaneUpdate, Refusal, Reply, RequestId, ToAgent, WatchAsk,
};
use crate::store::{Options, Store};

use super::super::bridge::{BridgeSet, Bridges};
use super::super::checks::{CheckSet, Checks};
use super::super::supervisor::Supervisor;
use super::super::{Input, OpenRoad};
use super::{PaneOutlet, Panes};

const PANE: PaneId = PaneId { server: 7, number: 3 };

/// An agent that has one pane. What it is asked is kept, and it says what the test lets it say.
#[derive(Clone, Default)]
struct Agent(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    asked: Vec<ToAgent>,
    news: Option<mpsc::Sender<LayerNews>>,
    opened: u32,
}

struct Road(Agent);

impl Layer for Road {
    fn kind(&self) -> LayerKind {
        LayerKind::Local
    }

    fn ask(&self, question: ToAgent) -> Asked<'_> {
        Box::pin(async move {
            let answer = match &question {
                ToAgent::Watch(WatchAsk::List { .. }) => {
                    Some(PaneSaid::Panes { panes: vec![facts()], why: None, may_drive: true })
                }
                ToAgent::Watch(WatchAsk::Watch { from: None, .. }) => Some(PaneSaid::Seed(seed(100, "$ "))),
                ToAgent::Drive(DriveAsk::Take { pane, who }) => Some(PaneSaid::Taken {
                    pane: *pane,
                    driver: PaneDriver { who: who.clone(), since: Timestamp::UNIX_EPOCH },
                }),
                ToAgent::Drive(DriveAsk::Keys { pane, seq, .. }) => Some(PaneSaid::Typed { pane: *pane, seq: *seq }),
                ToAgent::Drive(DriveAsk::Release { pane }) => {
                    Some(PaneSaid::Released { pane: *pane, why: "given back".to_owned() })
                }
                _ => None,
            };
            self.0.0.lock().expect("a lock").asked.push(question);
            if let Some(answer) = answer {
                self.0.says(answer).await;
            }
            Ok(())
        })
    }

    fn nudge(&self) {}
}

impl Agent {
    fn road(&self) -> OpenRoad {
        let agent = self.clone();
        Arc::new(move |_, _, _, _, news| {
            let mut lines = agent.0.lock().expect("a lock");
            (lines.news, lines.opened) = (Some(news), lines.opened + 1);
            let welcome = FromAgent::Welcome {
                version: AGENT_VERSION,
                aurora: "1".to_owned(),
                spool: SpoolId::from_uuid(Uuid::nil()),
                boot: "b".to_owned(),
                clock: Timestamp::UNIX_EPOCH,
                epoch: 1,
                lost: Vec::new(),
            };
            let agent = agent.clone();
            let road = Arc::new(Road(agent.clone()));
            tokio::spawn(async move { agent.event(LayerEvent::Heard(Box::new(welcome))).await });
            Ok(road)
        })
    }

    async fn event(&self, event: LayerEvent) {
        let news = self.0.lock().expect("a lock").news.clone().expect("a road");
        // A road that was closed is told nothing.
        let _ = news.send(LayerNews { host: host(), kind: LayerKind::Local, event }).await;
    }

    async fn says(&self, said: PaneSaid) {
        self.event(LayerEvent::Heard(Box::new(FromAgent::Pane(said)))).await;
    }

    async fn prints(&self, offset: u64, text: &str) {
        self.says(PaneSaid::Chunk(PaneChunk { pane: PANE, offset, bytes: text.into() })).await;
    }

    fn asked(&self, which: impl Fn(&ToAgent) -> bool) -> usize {
        self.0.lock().expect("a lock").asked.iter().filter(|asked| which(asked)).count()
    }

    fn opened(&self) -> u32 {
        self.0.lock().expect("a lock").opened
    }
}

fn host() -> HostName {
    "here".parse().expect("a name")
}

fn pane() -> PaneAddress {
    PaneAddress { host: host(), pane: PANE }
}

fn facts() -> PaneFacts {
    PaneFacts {
        id: PANE,
        index: 1,
        title: "t".to_owned(),
        pid: 1_000,
        cols: 40,
        rows: 5,
        ..PaneFacts::sample(PANE.number)
    }
}

fn seed(offset: u64, text: &str) -> PaneSeed {
    PaneSeed { pane: PANE, offset, missed: 0, too_fast: false, cols: 40, rows: 5, history: 0, bytes: text.into() }
}

/// An engine's task of panes, and whoever asks it.
struct Scene {
    agent: Agent,
    panes: Arc<Panes>,
    bridges: Arc<Bridges>,
    inputs: mpsc::Receiver<Input>,
    supervisor: Arc<Supervisor>,
    store: Arc<Store>,
    dir: tempfile::TempDir,
    asked: u64,
    /// The panes that call, as the engine was told last.
    calls: Vec<PaneCall>,
}

/// A client, and what it hears.
struct Client(ClientId, PaneOutlet, mpsc::Receiver<PaneUpdate>);

impl Client {
    fn new(number: u64) -> Self {
        let (line, heard) = PaneOutlet::new();
        Self(ClientId(number), line, heard)
    }

    async fn hear(&mut self) -> PaneUpdate {
        tokio::time::timeout(Duration::from_secs(30), self.2.recv()).await.expect("in time").expect("an update")
    }

    /// The first row of the list it is told next.
    async fn list(&mut self) -> HostPanes {
        loop {
            if let PaneUpdate::Panes(mut hosts) = self.hear().await {
                return hosts.remove(0);
            }
        }
    }
}

impl Scene {
    fn new() -> Self {
        Self::with("")
    }

    /// With this configuration.
    fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Store::open(dir.path(), Options::default()).expect("a store"));
        let (sender, inputs) = mpsc::channel(1_024);
        let agent = Agent::default();
        let set = BridgeSet::new(config::parse(text, None).expect("a configuration"));
        let checks = CheckSet::new(&config::parse("", None).expect("defaults")).expect("no checks");
        let checks = Arc::new(Checks::new(checks, Arc::clone(&store), sender.clone()));
        let bridges = Arc::new(Bridges::new(set, Arc::clone(&store), sender.clone(), checks, agent.road(), true));
        bridges.begin(Term { engine: EngineId::from_uuid(Uuid::nil()), epoch: 1 });
        let supervisor = Arc::new(Supervisor::new(sender.clone(), CancellationToken::new()));
        let panes = Arc::new(Panes::new(Arc::clone(&bridges), sender, agent.road(), dir.path().to_owned()));
        Supervisor::run(&supervisor, Panes::task(&panes));
        Self { agent, panes, bridges, inputs, supervisor, store, dir, asked: 0, calls: Vec::new() }
    }

    /// Lets a client ask; answers the number of the request.
    fn asks(&mut self, client: &Client, request: PaneRequest) -> RequestId {
        self.asks_as(client, Role::Operator, request)
    }

    fn asks_as(&mut self, client: &Client, role: Role, request: PaneRequest) -> RequestId {
        self.asked += 1;
        let identity = Identity {
            operator: if client.0.0 == 1 { "anna" } else { "otto" }.parse().expect("a name"),
            role,
            scopes: None,
            by: RecognisedBy::Nobody,
        };
        let id = RequestId(self.asked);
        self.panes.ask(client.0, id, identity, client.1.clone(), request).expect("taken");
        id
    }

    async fn answered(&mut self, wanted: RequestId) -> Result<PaneReply, Refusal> {
        loop {
            let input = tokio::time::timeout(Duration::from_secs(30), self.inputs.recv()).await.expect("in time");
            match input {
                Some(Input::Answered { id, reply, .. }) if id == wanted => {
                    return reply.map(|reply| match reply {
                        Reply::Pane(reply) => reply,
                        other => panic!("{other:?}"),
                    });
                }
                Some(Input::Calls(calls)) => self.calls = calls,
                _ => {}
            }
        }
    }

    async fn ask(&mut self, client: &Client, request: PaneRequest) -> Result<PaneReply, Refusal> {
        let id = self.asks(client, request);
        self.answered(id).await
    }

    /// A client takes the pane over.
    async fn takes(&mut self, client: &Client) {
        let taken = self.ask(client, PaneRequest::Take { pane: pane() }).await;
        assert!(matches!(taken, Ok(PaneReply::Taken(_))), "{taken:?}");
    }

    /// What was noted, the oldest first.
    fn noted(&self) -> Vec<String> {
        let noted = self.store.audited(None, None, 100).expect("reads");
        noted.into_iter().rev().map(|entry| entry.note.what).collect()
    }

    /// A client that watches the pane and has its first screen.
    async fn watching(&mut self, number: u64) -> Client {
        let mut client = Client::new(number);
        let watch = PaneRequest::Watch { watch: 1, pane: pane(), pace: PanePace::LIVE };
        assert_eq!(self.ask(&client, watch).await, Ok(PaneReply::Done));
        let first = client.hear().await;
        assert!(matches!(&first, PaneUpdate::Seed { seed, .. } if seed.missed == 0), "{first:?}");
        client
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_waits_for_hosts_and_a_follower_hears_of_changes() {
    let mut scene = Scene::new();
    let mut anna = Client::new(1);
    assert_eq!(scene.agent.opened(), 0, "nobody has asked");
    let Ok(PaneReply::Panes(hosts)) = scene.ask(&anna, PaneRequest::List).await else { panic!("a list") };
    assert_eq!((hosts.len(), hosts[0].layer, hosts[0].panes.len()), (1, Some(LayerKind::Local), 1));
    scene.ask(&anna, PaneRequest::Follow(true)).await.expect("follows");
    assert_eq!(anna.list().await.panes[0].facts.command, "sh");
    let changed = PaneFacts { command: "vim".to_owned(), ..facts() };
    scene.agent.says(PaneSaid::Panes { panes: vec![changed], why: None, may_drive: false }).await;
    let list = anna.list().await;
    assert_eq!((list.panes[0].facts.command.as_str(), list.may_drive), ("vim", false));
    // Told at once after a rest, and before the link is there again.
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.agent.event(LayerEvent::Down { why: "receive: silence".to_owned() }).await;
    let old = anna.list().await;
    assert_eq!((old.layer, old.why.as_deref(), old.panes.len()), (None, Some("receive: silence"), 1));
}

#[tokio::test(start_paused = true)]
async fn who_follows_first_hears_that_it_is_being_looked_at_and_then_the_list() {
    let mut scene = Scene::new();
    let mut anna = Client::new(1);
    scene.ask(&anna, PaneRequest::Follow(true)).await.expect("follows");
    let first = anna.list().await;
    assert_eq!((first.layer, first.why), (None, None));
    assert_eq!(anna.list().await.panes.len(), 1);
}

// The audit log is written by a thread, for which a clock that is ahead does not wait.
#[tokio::test]
async fn a_task_that_is_started_again_ends_the_watches_and_goes_on_telling_followers() {
    let mut scene = Scene::new();
    let mut anna = scene.watching(1).await;
    scene.ask(&anna, PaneRequest::Follow(true)).await.expect("follows");
    while anna.list().await.panes.is_empty() {}
    scene.takes(&anna).await;
    scene.supervisor.restart("panes");
    let ended = loop {
        match anna.hear().await {
            PaneUpdate::Ended { watch, why } => break (watch, why),
            PaneUpdate::Driver { .. } | PaneUpdate::Panes(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(ended.0 == 1 && ended.1.contains("watch it again"), "{ended:?}");
    while anna.list().await.layer.is_none() {}
    let watch = PaneRequest::Watch { watch: 1, pane: pane(), pace: PanePace::LIVE };
    assert_eq!(scene.ask(&anna, watch).await, Ok(PaneReply::Done));
}

// The audit log is written by a thread, for which a clock that is ahead does not wait.
#[tokio::test]
async fn who_is_no_operator_any_more_gives_back() {
    let mut scene = Scene::new();
    let anna = scene.watching(1).await;
    scene.takes(&anna).await;
    let pace = scene.asks_as(&anna, Role::Viewer, PaneRequest::Pace { watch: 1, pace: PanePace::LITE });
    scene.answered(pace).await.expect("a pace");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.agent.asked(|asked| matches!(asked, ToAgent::Drive(DriveAsk::Release { .. }))), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pane_with_a_hole_is_old_until_its_screen_comes_and_a_mark_on_one_that_ended_is_watched_again() {
    let mut scene = Scene::new();
    let mut anna = scene.watching(1).await;
    scene.agent.prints(700, "far on").await;
    let stale = anna.hear().await;
    assert!(matches!(&stale, PaneUpdate::Stale { since: Some((_, why)), .. } if why.contains("missing")), "{stale:?}");
    assert!(matches!(anna.hear().await, PaneUpdate::Seed { .. }));
    assert!(matches!(anna.hear().await, PaneUpdate::Stale { since: None, .. }));
    let mark = PaneMark { activity: true, ..PaneMark::default() };
    assert_eq!(scene.ask(&anna, PaneRequest::Mark { pane: pane(), mark }).await, Ok(PaneReply::Done));
    let watches = |scene: &Scene| scene.agent.asked(|asked| matches!(asked, ToAgent::Watch(WatchAsk::Watch { .. })));
    let before = watches(&scene);
    scene.agent.says(PaneSaid::Ended { pane: PANE, why: "its screen is too large".to_owned() }).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(watches(&scene), before + 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_printed_reaches_everybody_who_watches_and_the_pane_is_watched_once() {
    let mut scene = Scene::new();
    let (mut anna, mut otto) = (scene.watching(1).await, scene.watching(2).await);
    scene.agent.prints(100, "make\r\n").await;
    for client in [&mut anna, &mut otto] {
        let PaneUpdate::Chunk { chunk, .. } = client.hear().await else { panic!("bytes") };
        assert_eq!((chunk.offset, &chunk.bytes[..]), (100, &b"make\r\n"[..]));
    }
    assert_eq!(scene.agent.asked(|asked| matches!(asked, ToAgent::Watch(WatchAsk::Watch { .. }))), 1);
    scene.ask(&otto, PaneRequest::Follow(true)).await.expect("follows");
    let names: Vec<String> = otto.list().await.panes[0].watchers.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["anna", "otto"]);
    let search = PaneRequest::Search { pane: pane(), pattern: "ma.e".to_owned(), before: None, limit: 9 };
    let Ok(PaneReply::Lines(PaneLines { lines, .. })) = scene.ask(&anna, search).await else { panic!("lines") };
    assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["$ make"]);
    let bad = PaneRequest::Search { pane: pane(), pattern: "(".to_owned(), before: None, limit: 9 };
    assert!(matches!(scene.ask(&anna, bad).await, Err(Refusal::Failed(_))));
    let again = PaneRequest::Watch { watch: 1, pane: pane(), pace: PanePace::LIVE };
    assert!(scene.ask(&anna, again).await.is_err(), "the number is used");
    let stranger = PaneAddress { pane: PaneId { server: 1, number: 1 }, ..pane() };
    let unknown = PaneRequest::Watch { watch: 2, pane: stranger, pace: PanePace::LIVE };
    assert!(matches!(scene.ask(&anna, unknown).await, Err(Refusal::Unknown(_))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_back_only_itself() {
    let mut scene = Scene::new();
    let slow = scene.watching(1).await;
    let mut quick = scene.watching(2).await;
    let line = "x".repeat(4_000);
    for n in 0..200 {
        scene.agent.prints(100 + n * 4_000, &line).await;
        tokio::time::sleep(Duration::from_millis(70)).await;
        let offset = match quick.hear().await {
            PaneUpdate::Chunk { chunk, .. } => chunk.offset + chunk.bytes.len() as u64,
            PaneUpdate::Seed { seed, .. } => seed.offset,
            other => panic!("{other:?}"),
        };
        assert_eq!(offset, 100 + (n + 1) * 4_000);
        quick.1.taken().seen(1, offset);
    }
    let waiting = slow.2.len();
    assert!((1..=64).contains(&waiting), "{waiting} pieces wait for who reads none");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_breaks_makes_it_stale_and_what_comes_after_is_joined() {
    let mut scene = Scene::new();
    let mut anna = scene.watching(1).await;
    scene.agent.prints(100, "ls").await;
    assert!(matches!(anna.hear().await, PaneUpdate::Chunk { .. }));
    scene.agent.event(LayerEvent::Down { why: "cut".to_owned() }).await;
    let stale = anna.hear().await;
    assert!(matches!(&stale, PaneUpdate::Stale { since: Some((_, why)), .. } if why == "cut"), "{stale:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(scene.agent.asked(|asked| matches!(asked, ToAgent::Watch(WatchAsk::Watch { from: Some(102), .. }))), 1);
    scene.agent.says(PaneSaid::Seed(PaneSeed { missed: 896, ..seed(1_000, "new") })).await;
    let fresh = anna.hear().await;
    assert!(matches!(&fresh, PaneUpdate::Seed { seed, .. } if seed.missed == 896), "{fresh:?}");
    assert!(matches!(anna.hear().await, PaneUpdate::Stale { since: None, .. }));
    let Ok(PaneReply::Panes(hosts)) = scene.ask(&anna, PaneRequest::List).await else { panic!("a list") };
    assert_eq!((hosts[0].panes[0].lost.gaps, hosts[0].panes[0].lost.bytes), (1, 896));
}

// The audit log is written by a thread, for which a clock that is ahead does not wait.
#[tokio::test]
async fn one_client_drives_at_a_time_and_gives_back_when_it_goes() {
    let mut scene = Scene::new();
    let (anna, mut otto) = (scene.watching(1).await, scene.watching(2).await);
    let keys = |text: &str| PaneRequest::Keys { pane: pane(), bytes: text.into() };
    assert!(scene.ask(&anna, keys("x")).await.is_err(), "nothing is taken over");
    scene.takes(&anna).await;
    let seen = otto.hear().await;
    assert!(matches!(&seen, PaneUpdate::Driver { driver: Some(by), .. } if by.who.as_str() == "anna"), "{seen:?}");
    let taken = scene.ask(&otto, PaneRequest::Take { pane: pane() }).await;
    assert_eq!(taken, Err(Refusal::Denied("anna drives it".to_owned())));
    assert!(scene.ask(&otto, keys("rm")).await.is_err());
    assert_eq!(scene.ask(&anna, keys("ls\r")).await, Ok(PaneReply::Done));
    scene.panes.left(anna.0);
    let freed = otto.hear().await;
    assert!(matches!(&freed, PaneUpdate::Driver { driver: None, .. }), "{freed:?}");
    let typed = |asked: &ToAgent| matches!(asked, ToAgent::Drive(DriveAsk::Keys { bytes, .. }) if bytes == b"ls\r");
    assert_eq!(
        (scene.agent.asked(typed), scene.agent.asked(|asked| matches!(asked, ToAgent::Drive(DriveAsk::Keys { .. })))),
        (1, 1)
    );
    assert_eq!(scene.agent.asked(|asked| matches!(asked, ToAgent::Drive(DriveAsk::Release { .. }))), 1);
    scene.takes(&otto).await;
}

#[tokio::test]
async fn a_list_that_was_made_before_a_take_over_changes_no_driver() {
    let mut scene = Scene::new();
    let mut anna = scene.watching(1).await;
    scene.takes(&anna).await;
    assert!(matches!(anna.hear().await, PaneUpdate::Driver { driver: Some(_), .. }));
    let old = PaneFacts { command: "make".to_owned(), ..facts() };
    scene.agent.says(PaneSaid::Panes { panes: vec![old], why: None, may_drive: true }).await;
    scene.agent.prints(100, "x").await;
    let next = anna.hear().await;
    assert!(matches!(next, PaneUpdate::Chunk { .. }), "{next:?}");
    let released = PaneSaid::Released { pane: PANE, why: "it rested".to_owned() };
    scene.agent.says(released).await;
    let PaneUpdate::Driver { driver: None, take, why, .. } = anna.hear().await else { panic!("it is over") };
    assert_eq!((take, why.as_str()), (Timestamp::UNIX_EPOCH, "it rested"));
}

#[tokio::test]
async fn what_is_done_is_noted_in_order_before_it_is_answered() {
    let mut scene = Scene::new();
    let anna = scene.watching(1).await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        scene.takes(&anna).await;
        expected.push("the pane is taken over");
        assert_eq!(scene.noted(), expected);
        assert_eq!(scene.ask(&anna, PaneRequest::Release { pane: pane() }).await, Ok(PaneReply::Done));
        expected.push("the pane is released: given back");
        assert_eq!(scene.noted(), expected);
    }
    // A disk that takes no notes.
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END";
    let connection = rusqlite::Connection::open(scene.dir.path().join("aurora.db")).expect("opens");
    connection.execute_batch(refuse).expect("a disk that is full");
    let taken = scene.ask(&anna, PaneRequest::Take { pane: pane() }).await;
    assert!(matches!(&taken, Err(Refusal::Failed(why)) if why.contains("audit log")), "{taken:?}");
    let keys = PaneRequest::Keys { pane: pane(), bytes: b"rm".to_vec() };
    assert!(scene.ask(&anna, keys).await.is_err());
    assert_eq!(scene.agent.asked(|asked| matches!(asked, ToAgent::Drive(DriveAsk::Release { .. }))), 6);
    connection.execute_batch("DROP TRIGGER full").expect("there is room again");
    scene.takes(&anna).await;
}

#[tokio::test(start_paused = true)]
async fn marks_outlive_lists_that_are_short_for_a_reason_and_not_their_panes() {
    let mut scene = Scene::new();
    let anna = Client::new(1);
    scene.ask(&anna, PaneRequest::Follow(true)).await.expect("follows");
    let mark = PaneMark { activity: true, ..PaneMark::default() };
    let kept = |scene: &Scene| super::marks_file::read(scene.dir.path()).expect("a file").len();
    let other = |server, number| PaneFacts { id: PaneId { server, number }, ..facts() };
    let says = async |scene: &Scene, panes: Vec<PaneFacts>, why: Option<&str>| {
        let why = why.map(str::to_owned);
        scene.agent.says(PaneSaid::Panes { panes, why, may_drive: true }).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    for (panes, why) in
        [(vec![], "tmux does not answer within 5 s"), (vec![other(7, 1)], "3 panes more than are listed")]
    {
        says(&scene, vec![facts()], None).await;
        assert_eq!(scene.ask(&anna, PaneRequest::Mark { pane: pane(), mark: mark.clone() }).await, Ok(PaneReply::Done));
        says(&scene, panes, Some(why)).await;
        assert_eq!(kept(&scene), 1, "{why}");
    }
    says(&scene, vec![other(8, 3)], Some("3 panes more than are listed")).await;
    assert_eq!(kept(&scene), 0, "it was of another tmux server");
    says(&scene, vec![facts()], None).await;
    scene.ask(&anna, PaneRequest::Mark { pane: pane(), mark }).await.expect("marks");
    says(&scene, vec![other(7, 1)], None).await;
    assert_eq!(kept(&scene), 0, "it was closed");
}

/// The recordings there are.
fn recordings(scene: &Scene) -> usize {
    std::fs::read_dir(scene.dir.path().join("recordings")).map_or(0, Iterator::count)
}

// The audit log is written by a thread, for which a clock that is ahead does not wait.
#[tokio::test]
async fn what_is_driven_is_recorded_by_itself_where_the_configuration_says_so() {
    let mut scene = Scene::with("[hosts.here]\nlayers = [\"local\"]\ntmux = { record = \"drive\" }\n");
    let anna = scene.watching(1).await;
    assert_eq!(recordings(&scene), 0, "watching alone is not recorded");
    scene.takes(&anna).await;
    let Ok(PaneReply::Panes(hosts)) = scene.ask(&anna, PaneRequest::List).await else { panic!("a list") };
    let path = hosts[0].panes[0].recording.clone().expect("it is recorded");
    let off = PaneRequest::Record { pane: pane(), on: false, stays: true };
    assert_eq!(scene.ask(&anna, off).await, Ok(PaneReply::Recording(path)), "it goes on");
    assert_eq!(recordings(&scene), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_watched_is_recorded_by_itself_until_a_minute_after_the_last() {
    let mut scene = Scene::with("[hosts.here]\nlayers = [\"local\"]\ntmux = { record = \"watch\" }\n");
    let anna = scene.watching(1).await;
    let recorded = async |scene: &mut Scene| {
        let Ok(PaneReply::Panes(hosts)) = scene.ask(&anna, PaneRequest::List).await else { panic!("a list") };
        hosts[0].panes[0].recording.is_some()
    };
    assert!(recorded(&mut scene).await);
    scene.ask(&anna, PaneRequest::Unwatch { watch: 1 }).await.expect("let go");
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert!(recorded(&mut scene).await, "who looks away for a moment begins no other file");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!recorded(&mut scene).await);
    assert_eq!(recordings(&scene), 1);
}

#[tokio::test(start_paused = true)]
async fn a_recording_ends_with_the_last_who_wanted_it() {
    let mut scene = Scene::new();
    let (anna, otto) = (scene.watching(1).await, scene.watching(2).await);
    let record = |on, stays| PaneRequest::Record { pane: pane(), on, stays };
    let begun = scene.ask(&anna, record(true, true)).await;
    let Ok(PaneReply::Recording(path)) = &begun else { panic!("{begun:?}") };
    assert_eq!(scene.ask(&otto, record(true, false)).await, begun, "one file");
    assert_eq!(scene.ask(&otto, record(false, false)).await, begun, "it was not only his");
    scene.ask(&otto, record(true, false)).await.expect("records");
    assert_eq!(scene.ask(&anna, record(false, true)).await, begun, "not only hers, either");
    scene.panes.left(otto.0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let Ok(PaneReply::Panes(hosts)) = scene.ask(&anna, PaneRequest::List).await else { panic!("a list") };
    assert_eq!(hosts[0].panes[0].recording, None, "nobody ended it in words");
    assert!(std::fs::read_to_string(path).expect("a file").contains("$ "));
    assert_eq!(scene.ask(&anna, record(false, true)).await, Ok(PaneReply::Done));
}

#[tokio::test(start_paused = true)]
async fn a_mark_calls_until_somebody_looks_and_stands_after_a_restart() {
    let mut scene = Scene::new();
    let mut anna = Client::new(1);
    scene.ask(&anna, PaneRequest::Follow(true)).await.expect("follows");
    while anna.list().await.panes.is_empty() {}
    let mark = PaneMark { pattern: Some("error".to_owned()), ..PaneMark::default() };
    let marked = scene.ask(&anna, PaneRequest::Mark { pane: pane(), mark: mark.clone() }).await;
    assert_eq!(marked, Ok(PaneReply::Done));
    tokio::time::sleep(Duration::from_secs(2)).await;
    scene.agent.prints(100, "error: no such file\r\n").await;
    let calls = loop {
        if let Some((_, why)) = anna.list().await.panes.remove(0).calls {
            break why;
        }
    };
    assert_eq!(calls, "it prints: $ error: no such file");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let kept = super::marks_file::read(scene.dir.path()).expect("a file");
    assert_eq!((kept.len(), &kept[0].mark), (1, &mark));
    scene.supervisor.restart("panes");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut again = Client::new(3);
    scene.ask(&again, PaneRequest::Follow(true)).await.expect("follows");
    // The first word may be that the host is being asked.
    let mut row = loop {
        if let Some(row) = again.list().await.panes.pop() {
            break row;
        }
    };
    assert_eq!((&row.mark, row.calls.take().map(|(_, why)| why)), (&mark, Some(calls)));
    let watch = PaneRequest::Watch { watch: 9, pane: pane(), pace: PanePace::LIVE };
    scene.ask(&again, watch).await.expect("watches");
    let [call] = &scene.calls[..] else { panic!("{:?}", scene.calls) };
    assert_eq!((&call.pane, call.name.as_str()), (&pane(), "here:0.1"), "every screen was told");
    while again.list().await.panes[0].calls.is_some() {}
    scene.ask(&again, PaneRequest::List).await.expect("a list");
    assert_eq!(scene.calls, [], "somebody has looked");
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_a_minute_after_the_last_who_wanted_it_and_with_its_host() {
    let mut scene = Scene::new();
    let mut anna = scene.watching(1).await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(scene.agent.opened(), 1);
    scene.ask(&anna, PaneRequest::Unwatch { watch: 1 }).await.expect("watches no more");
    tokio::time::sleep(Duration::from_secs(50)).await;
    let watch = PaneRequest::Watch { watch: 2, pane: pane(), pace: PanePace::LIVE };
    scene.ask(&anna, watch).await.expect("watches again");
    let PaneUpdate::Seed { watch: 2, epoch: first, .. } = anna.hear().await else { panic!("a screen") };
    assert_eq!(scene.agent.asked(|asked| matches!(asked, ToAgent::Watch(WatchAsk::Watch { .. }))), 1, "it was kept");
    scene.ask(&anna, PaneRequest::Unwatch { watch: 2 }).await.expect("watches no more");
    tokio::time::sleep(Duration::from_secs(70)).await;
    scene.ask(&anna, PaneRequest::List).await.expect("a list");
    assert_eq!(scene.agent.opened(), 2, "it was closed, and opened for the list");

    let watch = PaneRequest::Watch { watch: 3, pane: pane(), pace: PanePace::LIVE };
    scene.ask(&anna, watch).await.expect("watches again");
    let second = loop {
        if let PaneUpdate::Seed { watch: 3, epoch, .. } = anna.hear().await {
            break epoch;
        }
    };
    assert_ne!(first, second, "its lines are numbered anew");
    let history = PaneRequest::History { pane: pane(), before: None, limit: 9 };
    let Ok(PaneReply::Lines(lines)) = scene.ask(&anna, history).await else { panic!("lines") };
    assert_eq!(lines.epoch, second);
    let other = "[hosts.there]\nssh = { target = \"a\" }\n";
    scene.bridges.replace(BridgeSet::new(config::parse(other, None).expect("a configuration")));
    scene.panes.replaced();
    let ended = anna.hear().await;
    assert!(matches!(&ended, PaneUpdate::Ended { watch: 3, why } if why.contains("not configured")), "{ended:?}");
}
