use std::path::Path;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::model::EngineId;
use crate::protocol::AGENT_VERSION;

fn road() -> (Road, mpsc::Receiver<LayerNews>, watch::Sender<Term>) {
    let config = crate::config::parse("[hosts.web-1]\nssh = { target = \"127.0.0.1\", port = 1 }\n", None);
    let config = config.expect("a configuration");
    let host = config.hosts.values().next().expect("a host");
    let (sink, news) = mpsc::channel(64);
    let (sender, term) = watch::channel(Term { engine: EngineId::from_uuid(Uuid::nil()), epoch: 1 });
    let road = Road {
        call: SshCall::new(&host.name, host.ssh.as_ref().expect("ssh"), Path::new("/dev/null")),
        news: News { host: host.name.clone(), kind: LayerKind::Exec, sink },
        term,
        slots: Semaphore::new(SLOTS),
        long: Semaphore::new(LONG),
        nudge: Notify::new(),
        lost: Notify::new(),
        seen: Mutex::default(),
        stop: CancellationToken::new(),
    };
    (road, news, sender)
}

fn way(job: Option<JobId>) -> Way {
    let over = CancellationToken::new();
    Way { begun: Instant::now(), done: None, follows: true, settled: false, job, listed: false, over }
}

fn welcome() -> FromAgent {
    FromAgent::Welcome {
        version: AGENT_VERSION,
        aurora: "1".to_owned(),
        spool: SpoolId::from_uuid(Uuid::from_u128(1)),
        boot: "b".to_owned(),
        clock: Timestamp::UNIX_EPOCH,
        epoch: 1,
        lost: Vec::new(),
    }
}

fn bar() -> Closed {
    Closed::Barred("another host key".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_bar_stays_whatever_other_connections_hear_and_whoever_nudged_before() {
    let (road, mut news, _term) = road();
    road.seen(|seen| seen.up = true);
    road.nudge.notify_one();
    road.close(bar()).await;
    assert!(matches!(news.recv().await.expect("news").event, LayerEvent::Barred { .. }));
    assert_eq!(road.hear(welcome(), &mut way(None)).await, Err(bar()));
    road.close(bar()).await;
    road.close(Closed::Down("closed".to_owned())).await;
    assert!(news.try_recv().is_err(), "nothing is heard over it, and it is told once");
    tokio::select! {
        () = road.keep() => {}
        () = tokio::time::sleep(Duration::from_hours(1)) => {}
    }
    assert!(road.seen(|seen| seen.barred.is_some()), "nobody has looked");
    // It is looked at as one that is not open, and that is news.
    while news.try_recv().is_ok() {}
    road.nudge.notify_one();
    tokio::select! {
        () = road.keep() => {}
        () = async { while road.seen(|seen| seen.barred.is_some()) { tokio::task::yield_now().await; } } => {}
    }
    assert!(road.seen(|seen| seen.barred.is_none()), "somebody has");
}

#[tokio::test(start_paused = true)]
async fn jobs_that_are_followed_leave_room_for_questions() {
    let (road, _news, _term) = road();
    let mut places = Vec::new();
    for _ in 0..LONG {
        places.push(road.turn(true).await.expect("a place"));
    }
    let refused = road.turn(true).await.expect_err("no place");
    assert!(refused.contains("all 6 connections"), "{refused}");
    let _question = road.turn(false).await.expect("a place");
    let _cancel = road.turn(false).await.expect("a place");
    assert!(road.turn(false).await.is_err());
    places.pop();
    assert!(road.turn(true).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_job_has_one_line_and_a_bar_ends_all() {
    let (road, mut news, _term) = road();
    let job = Some(JobId::from_uuid(Uuid::from_u128(5)));
    let (mut first, mut second, mut probe) = (way(job), way(job), way(None));
    for way in [&mut first, &mut probe] {
        road.hear(welcome(), way).await.expect("heard");
    }
    assert!(!first.over.is_cancelled());
    road.hear(welcome(), &mut second).await.expect("heard");
    assert!(first.over.is_cancelled() && !second.over.is_cancelled());
    road.unlist(&first);
    assert!(road.seen(|seen| seen.lines.len()) == 1, "that is the second one");
    road.close(bar()).await;
    assert!(second.over.is_cancelled() && !probe.over.is_cancelled());
    news.close();
}
