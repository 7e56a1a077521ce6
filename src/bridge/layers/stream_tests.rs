use jiff::Timestamp;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use uuid::Uuid;

use super::*;
use crate::model::{EngineId, SpoolId};
use crate::protocol::{AGENT_VERSION, FromAgent};

type Far = (FrameReader<tokio::io::ReadHalf<DuplexStream>>, FrameWriter<tokio::io::WriteHalf<DuplexStream>>);

/// Hands the far ends of its connections to a test; fails as often as it is told to.
struct Pipes {
    fars: mpsc::UnboundedSender<DuplexStream>,
    fails: Vec<Closed>,
    says: Option<Closed>,
    buffer: usize,
}

impl Open for Pipes {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async move {
            if let Some(closed) = self.fails.pop() {
                return Err(closed);
            }
            let (near, far) = duplex(self.buffer);
            self.fars.send(far).expect("the test is there");
            let (reader, writer) = tokio::io::split(near);
            let says = self.says.clone();
            Ok(Line {
                reader: FrameReader::new(Box::new(reader)),
                writer: FrameWriter::new(Box::new(writer)),
                patience: Duration::from_secs(10),
                last_words: Box::pin(async move { says }),
            })
        })
    }
}

struct Site {
    layer: StreamLayer,
    fars: mpsc::UnboundedReceiver<DuplexStream>,
    news: mpsc::Receiver<LayerNews>,
    term: watch::Sender<Term>,
}

fn site(fails: Vec<Closed>, says: Option<Closed>, buffer: usize) -> Site {
    let (sender, fars) = mpsc::unbounded_channel();
    let (sink, news) = mpsc::channel(64);
    let (term, watched) = watch::channel(Term { engine: EngineId::from_uuid(Uuid::from_u128(1)), epoch: 3 });
    let opener = Pipes { fars: sender, fails, says, buffer };
    let layer = StreamLayer::start(LayerKind::Socket, opener, "web-1".parse().expect("a name"), watched, sink);
    Site { layer, fars, news, term }
}

fn welcome(spool: u128) -> FromAgent {
    FromAgent::Welcome {
        version: AGENT_VERSION,
        aurora: "1".to_owned(),
        spool: SpoolId::from_uuid(Uuid::from_u128(spool)),
        boot: "b".to_owned(),
        clock: Timestamp::UNIX_EPOCH,
        epoch: 3,
        lost: Vec::new(),
    }
}

fn alive(nonce: u64) -> FromAgent {
    FromAgent::Alive { nonce, clock: Timestamp::UNIX_EPOCH, load_percent: None, running: 0 }
}

impl Site {
    async fn next(&mut self) -> LayerEvent {
        self.news.recv().await.expect("news").event
    }

    async fn down(&mut self) -> String {
        match self.next().await {
            LayerEvent::Down { why } => why,
            other => panic!("{other:?}"),
        }
    }

    /// The far end of the next connection, after its greeting.
    async fn greeted(&mut self, spool: u128) -> Far {
        assert_eq!(self.next().await, LayerEvent::Connecting);
        let (reader, writer) = tokio::io::split(self.fars.recv().await.expect("a connection"));
        let (mut reader, mut writer) = (FrameReader::new(reader), FrameWriter::new(writer));
        match reader.read().await.expect("a frame") {
            Some(ToAgent::Hello { version: AGENT_VERSION, epoch: 3, host, .. }) => assert_eq!(host.as_str(), "web-1"),
            other => panic!("{other:?}"),
        }
        writer.write(&welcome(spool)).await.expect("writes");
        assert_eq!(self.next().await, LayerEvent::Heard(Box::new(welcome(spool))));
        (reader, writer)
    }

    /// The same, and the first probe is answered.
    async fn up(&mut self, spool: u128) -> Far {
        let mut far = self.greeted(spool).await;
        answer_probe(&mut far).await;
        assert!(matches!(self.next().await, LayerEvent::Heard(_)));
        assert!(matches!(self.next().await, LayerEvent::Alive { .. }));
        far
    }
}

async fn answer_probe((reader, writer): &mut Far) {
    match reader.read().await.expect("a frame") {
        Some(ToAgent::Probe { nonce }) => writer.write(&alive(nonce)).await.expect("writes"),
        other => panic!("{other:?}"),
    }
}

fn query() -> ToAgent {
    ToAgent::Query { id: crate::model::JobId::from_uuid(Uuid::from_u128(5)), from: 0, follow: false }
}

#[tokio::test(start_paused = true)]
async fn it_greets_measures_and_carries_questions_and_answers() {
    let mut site = site(Vec::new(), None, 4096);
    let (mut reader, mut writer) = site.up(1).await;
    assert_eq!(site.layer.ask(query()).await, Ok(()));
    assert_eq!(reader.read().await.expect("a frame"), Some(query()));
    let said = FromAgent::Trouble { id: None, reason: "disk full".to_owned() };
    writer.write(&said).await.expect("writes");
    assert_eq!(site.next().await, LayerEvent::Heard(Box::new(said)));
    let before = Instant::now();
    answer_probe(&mut (reader, writer)).await;
    assert!(before.elapsed() <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_over_a_road_that_is_not_open() {
    let mut site = site(vec![Closed::Down("connect: refused".to_owned()); 3], None, 4096);
    assert_eq!(site.next().await, LayerEvent::Connecting);
    assert_eq!(site.down().await, "connect: refused");
    assert_eq!(site.layer.ask(query()).await, Err(NotDelivered::NeverSent("connect: refused".to_owned())));
    assert_eq!(site.next().await, LayerEvent::Connecting);
    assert_eq!(site.down().await, "connect: refused");
    assert_eq!(site.next().await, LayerEvent::Connecting);
    site.down().await;
    site.up(1).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_over_in_part_is_unsure_and_what_waits_behind_it_was_never_sent() {
    // The first probe and the hello fit; a query does not.
    let mut site = site(Vec::new(), None, 16);
    let far = site.up(1).await;
    let (first, second, ()) = tokio::join!(site.layer.ask(query()), site.layer.ask(query()), async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(far);
    });
    assert!(matches!(first, Err(NotDelivered::Unknown(_))), "{first:?}");
    assert!(matches!(second, Err(NotDelivered::NeverSent(_))), "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_too_long_costs_only_itself() {
    let mut site = site(Vec::new(), None, 4096);
    let (mut reader, _writer) = site.up(1).await;
    let host = "web-1".parse().expect("a name");
    let plan = crate::model::Plan {
        host,
        command: "todo".parse().expect("a name"),
        args: std::collections::BTreeMap::new(),
        argv: vec!["x".repeat(crate::protocol::AGENT_FRAME_MAX)],
        keys: None,
        cwd: None,
        env: std::collections::BTreeMap::new(),
        class: crate::model::Class::AtMostOnce,
        timeout_ms: 1,
    };
    let order = crate::protocol::JobOrder {
        id: crate::model::JobId::from_uuid(Uuid::from_u128(5)),
        hash: plan.hash(),
        plan,
        engine: EngineId::from_uuid(Uuid::from_u128(1)),
        epoch: 3,
        nonce: "n".to_owned(),
        not_after: Timestamp::UNIX_EPOCH,
    };
    let refused = site.layer.ask(ToAgent::Run(Box::new(order))).await;
    assert!(matches!(&refused, Err(NotDelivered::NeverSent(why)) if why.contains("longer")), "{refused:?}");
    assert_eq!(site.layer.ask(query()).await, Ok(()));
    assert_eq!(reader.read().await.expect("a frame"), Some(query()));
}

#[tokio::test(start_paused = true)]
async fn silence_is_found_within_the_bound_and_the_road_is_opened_again() {
    let mut site = site(Vec::new(), None, 4096);
    let _far = site.up(1).await;
    let since = Instant::now();
    let why = site.down().await;
    assert!(why.contains("3 probes were not answered"), "{why}");
    assert!(since.elapsed() <= Duration::from_secs(20), "{:?}", since.elapsed());
    let since = Instant::now();
    site.up(1).await;
    assert!(since.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_long_frame_on_a_slow_line_is_no_silence() {
    let mut site = site(Vec::new(), None, 4096);
    let (_reader, writer) = site.up(1).await;
    let mut raw = writer.into_inner();
    let said = serde_json::to_vec(&FromAgent::Trouble { id: None, reason: "x".repeat(80) }).expect("JSON");
    raw.write_all(&u32::try_from(said.len()).expect("short").to_be_bytes()).await.expect("writes");
    for byte in said.chunks(4) {
        tokio::time::sleep(Duration::from_secs(3)).await;
        raw.write_all(byte).await.expect("the road holds");
    }
    assert!(matches!(site.next().await, LayerEvent::Heard(_)));
}

#[tokio::test(start_paused = true)]
async fn what_carried_it_says_why_it_ended() {
    let mut down = site(Vec::new(), Some(Closed::Down("ssh: no route".to_owned())), 4096);
    drop(down.up(1).await);
    assert_eq!(down.down().await, "ssh: no route");
    let mut barred = site(Vec::new(), Some(Closed::Barred("a changed host key".to_owned())), 4096);
    drop(barred.up(1).await);
    assert_eq!(barred.next().await, LayerEvent::Barred { why: "a changed host key".to_owned() });
    let quiet = tokio::time::timeout(Duration::from_hours(1), barred.news.recv());
    assert!(quiet.await.is_err(), "it is not tried by itself");
    let asked = barred.layer.ask(query()).await;
    assert_eq!(asked, Err(NotDelivered::NeverSent("a changed host key".to_owned())));
    barred.layer.nudge();
    barred.up(1).await;
}

#[tokio::test(start_paused = true)]
async fn another_journal_bars_the_road_until_somebody_asks_again() {
    let mut site = site(Vec::new(), None, 4096);
    drop(site.up(1).await);
    site.down().await;
    let _far = site.greeted(2).await;
    match site.next().await {
        LayerEvent::Barred { why } => assert!(why.contains("another journal"), "{why}"),
        other => panic!("{other:?}"),
    }
    site.layer.nudge();
    site.up(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_nudge_from_before_a_bar_does_not_lift_it() {
    let mut site = site(vec![Closed::Barred("another host key".to_owned())], None, 4096);
    site.layer.nudge();
    assert_eq!(site.next().await, LayerEvent::Connecting);
    assert_eq!(site.next().await, LayerEvent::Barred { why: "another host key".to_owned() });
    let quiet = tokio::time::timeout(Duration::from_hours(1), site.news.recv());
    assert!(quiet.await.is_err(), "nobody has looked");
    site.layer.nudge();
    site.up(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_goes_wrong_is_told() {
    let mut site = site(Vec::new(), None, 4096);
    assert_eq!(site.next().await, LayerEvent::Connecting);
    let mut far = site.fars.recv().await.expect("a connection");
    far.write_all(b"Last login: Monday\n").await.expect("writes");
    let why = site.down().await;
    assert!(why.contains("start-up file"), "{why}");
    for (answer, word) in [
        (FromAgent::Goodbye { rule: "fenced".to_owned(), reason: "term 9".to_owned() }, "fenced"),
        (alive(1), "spoke before"),
    ] {
        assert_eq!(site.next().await, LayerEvent::Connecting);
        let far = site.fars.recv().await.expect("a connection");
        FrameWriter::new(far).write(&answer).await.expect("writes");
        assert_eq!(site.next().await, LayerEvent::Heard(Box::new(answer)));
        let why = site.down().await;
        assert!(why.contains(word), "{why}");
    }
    assert_eq!(site.next().await, LayerEvent::Connecting);
    let _silent = site.fars.recv().await.expect("a connection");
    assert_eq!(site.down().await, "greeting: no answer within 10 s");
}

#[tokio::test(start_paused = true)]
async fn a_new_term_is_told_on_the_same_connection() {
    let mut site = site(Vec::new(), None, 4096);
    let (mut reader, _writer) = site.up(1).await;
    site.term.send_modify(|term| term.epoch = 9);
    match reader.read().await.expect("a frame") {
        Some(ToAgent::Hello { epoch: 9, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_road_closes_it() {
    let mut site = site(Vec::new(), None, 4096);
    let (mut reader, _writer) = site.up(1).await;
    drop(site.layer);
    assert_eq!(reader.read::<ToAgent>().await.expect("an end"), None);
}

#[test]
fn pauses_grow_and_stay_bounded() {
    assert_eq!(pause(0, BACKOFF_MAX, 1.0), BACKOFF);
    assert_eq!(pause(0, BACKOFF_MAX, 0.5), BACKOFF / 2);
    for tries in 0..60 {
        assert!(pause(tries, BACKOFF_MAX, 1.0) <= BACKOFF_MAX);
    }
    assert_eq!(pause(60, BACKOFF_MAX, 1.0), BACKOFF_MAX);
}
