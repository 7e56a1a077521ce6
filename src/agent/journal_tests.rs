use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::Plan;

use super::super::{Faults, Machine};
use super::*;

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("a time")
}

pub(in crate::agent) fn id_at(moment: Timestamp) -> JobId {
    let (seconds, nanos) = (moment.as_second(), moment.subsec_nanosecond());
    let moment = uuid::Timestamp::from_unix(uuid::NoContext, seconds.cast_unsigned(), nanos.cast_unsigned());
    JobId::from_uuid(Uuid::new_v7(moment))
}

pub(in crate::agent) fn order(id: JobId, word: &str) -> JobOrder {
    let plan = Plan::sample("web-1", "echo", &["echo", word]);
    JobOrder {
        id,
        hash: plan.hash(),
        plan,
        engine: EngineId::from_uuid(Uuid::from_u128(1)),
        epoch: 1,
        nonce: nonce(),
        not_after: now() + SignedDuration::from_secs(60),
    }
}

fn spool(dir: &Path) -> Spool {
    Spool::open(&dir.join("spool"), Machine::default()).expect("a journal")
}

fn boot() -> String {
    Machine::default().boot_id().expect("a boot id")
}

fn runner(spool: &Spool, boot: &str) -> Claim {
    let own = spool.machine().process(std::process::id()).expect("this process");
    Claim::Runner {
        pid: own.pid,
        start: own.start,
        boot: boot.into(),
        engine: EngineId::from_uuid(Uuid::from_u128(1)),
        epoch: 1,
        nonce: nonce(),
        at: now(),
    }
}

#[test]
fn a_job_goes_its_way_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(dir.path());
    let order = order(id_at(now()), "a");
    let journal = |spool: &Spool| spool.journal(order.id, &boot()).expect("reads");
    assert_eq!(journal(&spool), Journal::Absent);
    let job = spool.accept(&order, now()).expect("writes").expect("taken");
    spool.settle(&job).expect("durable");
    assert_eq!(journal(&spool), Journal::Accepted);
    assert!(spool.accept(&order, now()).expect("writes").is_ok(), "the same again");
    assert!(spool.claim(&job, &runner(&spool, &boot())).expect("writes"));
    assert!(!spool.claim(&job, &runner(&spool, &boot())).expect("reads"), "another try");
    assert!(!spool.claim(&job, &Claim::never("cancelled", "late")).expect("reads"));
    assert!(matches!(journal(&spool), Journal::Started { pid, .. } if pid == std::process::id()));
    let result = Journal::NotRun { rule: "spawn".into(), reason: "no such program".into() };
    spool.finish(&job, &result, &[]).expect("writes");
    assert_eq!(journal(&spool), result);
    let mut names: Vec<_> = std::fs::read_dir(spool.path().join(dir_name(order.id)))
        .expect("reads")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, [REQ, RESULT, STARTED], "nothing else is left");
}

#[test]
fn the_claim_of_a_retransmitted_link_is_ours() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(dir.path());
    let job = spool.accept(&order(id_at(now()), "a"), now()).expect("writes").expect("taken");
    let claim = runner(&spool, &boot());
    assert!(spool.claim(&job, &claim).expect("writes") && spool.claim(&job, &claim).expect("reads"));
}

#[test]
fn orders_that_cannot_be_are_refused_by_their_rule() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(dir.path());
    let refuse = |order: &JobOrder| match spool.accept(order, now()).expect("reads") {
        Ok(_) => "taken".to_owned(),
        Err(refused) => refused.rule,
    };
    let id = id_at(now());
    assert_eq!(refuse(&order(id, "a")), "taken");
    assert_eq!(refuse(&order(id, "b")), "conflict");
    assert_eq!(refuse(&JobOrder { hash: order(id, "b").hash, ..order(id_at(now()), "a") }), "conflict");
    let old = now() - SignedDuration::from_hours(7 * 24 + 1);
    assert_eq!(refuse(&order(id_at(old), "a")), "too-old");
    assert_eq!(refuse(&order(id_at(now() + SignedDuration::from_hours(25)), "a")), "bad-id");
    assert_eq!(refuse(&order(JobId::from_uuid(Uuid::from_u128(7)), "a")), "bad-id");
    let late = JobOrder { not_after: now() - SignedDuration::from_secs(1), ..order(id_at(now()), "a") };
    assert_eq!(refuse(&late), "expired");
    assert_eq!(spool.journal(late.id, &boot()).expect("reads"), Journal::Absent, "nothing was written");
    spool.count(MOST);
    assert_eq!(refuse(&order(id_at(now()), "a")), "full");
    assert_eq!(refuse(&order(id, "a")), "taken", "what is known is not refused");
}

#[test]
fn who_is_gone_leaves_it_unknown_and_who_lives_does_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(dir.path());
    let state = |change: &dyn Fn(Claim) -> Claim| {
        let order = order(id_at(now()), "a");
        let job = spool.accept(&order, now()).expect("writes").expect("taken");
        spool.claim(&job, &change(runner(&spool, &boot()))).expect("writes");
        spool.journal(order.id, &boot()).expect("reads")
    };
    assert!(matches!(state(&|claim| claim), Journal::Started { .. }));
    let Journal::Unknown { reason } = state(&|claim| match claim {
        Claim::Runner { pid, start, engine, epoch, nonce, at, .. } => {
            Claim::Runner { pid, start, boot: "another".into(), engine, epoch, nonce, at }
        }
        never @ Claim::Never { .. } => never,
    }) else {
        panic!("the machine was started again")
    };
    assert!(reason.contains("started again"), "{reason}");
    let Journal::Unknown { reason } = state(&|claim| match claim {
        Claim::Runner { pid, start, boot, engine, epoch, nonce, at } => {
            Claim::Runner { pid, start: start + 1, boot, engine, epoch, nonce, at }
        }
        never @ Claim::Never { .. } => never,
    }) else {
        panic!("its number belongs to another one")
    };
    assert!(reason.contains("gone without a word"), "{reason}");
}

#[test]
fn half_a_file_after_a_loss_of_power_runs_nothing_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = spool(dir.path());
    let order = order(id_at(now()), "a");
    let job = spool.accept(&order, now()).expect("writes").expect("taken");
    let file = |name| spool.path().join(dir_name(order.id)).join(name);
    std::fs::write(file(REQ), "{\"at\":").expect("writes");
    assert_eq!(spool.journal(order.id, &boot()).expect("reads"), Journal::Absent);
    assert!(spool.accept(&order, now()).expect("writes").is_ok());
    assert_eq!(spool.journal(order.id, &boot()).expect("reads"), Journal::Accepted);
    std::fs::write(file(STARTED), "").expect("writes");
    assert!(matches!(spool.journal(order.id, &boot()).expect("reads"), Journal::Unknown { .. }));
    assert!(!spool.claim(&job, &runner(&spool, &boot())).expect("reads"), "nobody starts it again");
}

#[test]
fn a_fault_at_any_step_leaves_what_can_be_gone_on_with() {
    for point in FaultPoint::ALL {
        let dir = tempfile::tempdir().expect("a directory");
        let broken = Faults::new(move |step| if step == point { Err(io::ErrorKind::Other.into()) } else { Ok(()) });
        let order = order(id_at(now()), "a");
        let result = Journal::NotRun { rule: "spawn".into(), reason: String::new() };
        let run = |spool: &Spool| -> io::Result<bool> {
            let Ok(job) = spool.accept(&order, now())? else { panic!("refused") };
            spool.settle(&job)?;
            let is_ours = spool.claim(&job, &runner(spool, &boot()))?;
            if is_ours {
                spool.finish(&job, &result, &[])?;
            }
            Ok(is_ours)
        };
        let path = dir.path().join("spool");
        let first = Spool::with_faults(&path, Machine::default(), broken).expect("a journal");
        run(&first).expect_err("a fault");
        let again = run(&spool(dir.path())).expect("no fault");
        let started = [FaultPoint::AfterMkdir, FaultPoint::AfterReq, FaultPoint::AfterAccepted].contains(&point);
        assert_eq!(again, started, "{point:?}: it is started again only when it was not");
    }
}

#[test]
fn of_many_at_once_one_runs_it() {
    let dir = tempfile::tempdir().expect("a directory");
    for round in 0..200 {
        let order = order(id_at(now()), "a");
        let ran = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let spool = spool(dir.path());
                    let mut order = order.clone();
                    order.nonce = nonce();
                    let job = spool.accept(&order, now()).expect("writes").expect("taken");
                    if job.link(STARTED, &serde_json::to_vec(&runner(&spool, &boot())).expect("JSON")).expect("links") {
                        ran.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(ran.into_inner(), 1, "round {round}");
    }
}
