use std::collections::BTreeMap;

use jiff::SignedDuration;
use uuid::Uuid;

use crate::model::{ApprovalState, Attempt, End, Lane, Plan, Risk, Stream};

use super::super::Options;
use super::super::job_output::{HEAD, PART, TAIL};
use super::*;

const NOW: i64 = 1_700_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(NOW + second).expect("in range")
}

fn id(n: u128) -> JobId {
    JobId::from_uuid(Uuid::from_u128(n))
}

fn sample(n: u128, host: &str) -> Job {
    let plan = Plan {
        args: BTreeMap::from([("action".into(), "list".into())]),
        ..Plan::sample(host, "todo", &["./todo", "li\u{0}st \"x\""])
    };
    let by = "anna".parse().expect("a name");
    Job {
        lane: Lane::Bulk,
        only: Some(LayerKind::Tmux),
        rollout: (n > 10).then(|| id(10)),
        state: JobState::Queued { position: 1, why: "2 are before it".into() },
        ..Job::new(id(n), plan, Risk::High, by, at(0), SignedDuration::from_mins(1))
    }
}

fn ended(job: Job) -> Job {
    Job {
        state: JobState::Ended(Outcome::Done(End::Exit(3))),
        layer: Some(LayerKind::Socket),
        attempts: vec![Attempt { layer: LayerKind::Tmux, at: at(1), what: "refused".into() }],
        started: Some(at(2)),
        ended: Some(at(3)),
        output: OutputTotals { out: 5, err: 6, cut: 7 },
        left: Some("nothing is left".into()),
        spool: Some(SpoolId::from_uuid(Uuid::from_u128(9))),
        ..job
    }
}

fn piece(seq: u64, stream: Stream, bytes: Vec<u8>) -> OutputChunk {
    OutputChunk { seq, stream, bytes }
}

fn open(dir: &tempfile::TempDir) -> Store {
    Store::open(dir.path(), Options::default()).expect("opens")
}

async fn keep(store: &Store, jobs: Vec<Job>) {
    store.keep_jobs(JobBatch { jobs, ..JobBatch::default() }).await.expect("writes");
}

#[tokio::test]
async fn a_job_comes_back_as_it_was_and_its_plan_never_changes() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let first = sample(1, "web-1");
    keep(&store, vec![first.clone()]).await;
    assert_eq!(store.job(id(1)).expect("reads"), Some(first.clone()));
    assert_eq!(store.open_jobs().expect("reads"), vec![first.clone()]);
    let last = ended(first.clone());
    let mut other = last.clone();
    other.plan.argv = vec!["rm".into()];
    keep(&store, vec![other]).await;
    assert_eq!(store.job(id(1)).expect("reads"), Some(last.clone()));
    assert_eq!(last.plan.hash(), last.hash);
    assert!(store.open_jobs().expect("reads").is_empty());
    let lost = Job { state: JobState::Ended(Outcome::Unknown { reason: "gone".into() }), ..sample(3, "web-1") };
    keep(&store, vec![lost.clone()]).await;
    assert_eq!(store.unsettled_jobs().expect("reads"), vec![lost]);
    assert_eq!(store.job(id(2)).expect("reads"), None);
    drop(store);
    assert_eq!(open(&dir).job(id(1)).expect("reads"), Some(last));
}

#[tokio::test]
async fn lists_go_back_page_by_page_and_know_their_filters() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let mut jobs: Vec<Job> = (1..=20).map(|n| sample(n, if n % 2 == 0 { "web-2" } else { "web-1" })).collect();
    jobs[4] = ended(jobs[4].clone());
    keep(&store, jobs).await;
    let numbers = |filter: &JobFilter, before: Option<u128>, limit| -> Vec<u128> {
        let rows = store.jobs(filter, before.map(id), limit).expect("reads");
        rows.iter().map(|row| row.id.as_uuid().as_u128()).collect()
    };
    let all = JobFilter::default();
    assert_eq!(numbers(&all, None, 3), [20, 19, 18]);
    assert_eq!(numbers(&all, Some(18), 3), [17, 16, 15]);
    let host = JobFilter { host: Some("web-2".parse().expect("a name")), ..JobFilter::default() };
    assert_eq!(numbers(&host, Some(7), 9), [6, 4, 2]);
    let not_over = JobFilter { open: true, ..JobFilter::default() };
    assert_eq!(numbers(&not_over, Some(7), 3), [6, 4, 3]);
    let rollout = JobFilter { rollout: Some(id(10)), ..JobFilter::default() };
    assert_eq!(numbers(&rollout, None, 99).len(), 10);
    assert_eq!(store.jobs_of(id(10)).expect("reads").len(), 11, "the first is called as the rollout is");
    let none = JobFilter { command: Some("other".parse().expect("a name")), ..JobFilter::default() };
    assert!(numbers(&none, None, 9).is_empty());
}

#[tokio::test]
async fn output_is_lossless_said_once_and_keeps_head_and_tail() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    keep(&store, vec![sample(1, "web-1")]).await;
    let bytes: Vec<u8> = (0..=255).collect();
    let both = vec![(id(1), piece(0, Stream::Out, bytes.clone())), (id(1), piece(1, Stream::Err, vec![0xff]))];
    for _ in 0..2 {
        store.keep_jobs(JobBatch { output: both.clone(), ..JobBatch::default() }).await.expect("writes");
    }
    let part = store.job_output(id(1), 0).expect("reads").expect("known");
    assert_eq!(part.chunks, [piece(0, Stream::Out, bytes), piece(1, Stream::Err, vec![0xff])]);
    assert_eq!((part.next, part.end), (2, false));
    let large = |seq: u64| (id(1), piece(seq, Stream::Out, vec![u8::try_from(seq % 251).expect("small"); 64 << 10]));
    store.keep_jobs(JobBatch { output: (2..102).map(large).collect(), ..JobBatch::default() }).await.expect("writes");
    let last = ended(sample(1, "web-1"));
    store.keep_jobs(JobBatch { jobs: vec![last], ..JobBatch::default() }).await.expect("writes");
    let (mut from, mut seqs, mut bytes) = (0, Vec::new(), 0);
    loop {
        let part = store.job_output(id(1), from).expect("reads").expect("known");
        assert!(part.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>() <= PART);
        seqs.extend(part.chunks.iter().map(|chunk| chunk.seq));
        bytes += part.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
        from = part.next;
        if part.end {
            assert_eq!(part.totals, OutputTotals { out: 5, err: 6, cut: 7 }, "as told");
            break;
        }
    }
    assert!(i64::try_from(bytes).expect("small") <= HEAD + TAIL);
    assert!(bytes > 30 * (64 << 10), "{bytes}");
    assert_eq!((seqs.first(), seqs.last()), (Some(&0), Some(&101)));
    let gaps = seqs.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert_eq!(gaps, 1, "one hole, in the middle: {seqs:?}");
    assert!(store.job_output(id(9), 0).expect("reads").is_none());
}

#[tokio::test]
async fn a_number_no_database_takes_costs_its_own_part_only() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let mut huge = ended(sample(2, "web-1"));
    huge.output.out = u64::MAX;
    let batch = JobBatch {
        jobs: vec![sample(1, "web-1"), huge],
        output: vec![
            (id(1), piece(0, Stream::Out, vec![1])),
            (id(1), piece(u64::MAX, Stream::Out, vec![2])),
            (id(1), piece(1, Stream::Out, vec![3])),
        ],
        ..JobBatch::default()
    };
    assert!(matches!(store.keep_jobs(batch.clone()).await, Err(StoreError::Database(_))));
    let (entries, lost) = store.keep_each(batch).await.expect("writes the rest");
    assert_eq!(lost, [id(2)]);
    let about: Vec<&str> = entries.iter().map(|entry| entry.note.about.as_str()).collect();
    assert_eq!(about, [id(2).to_string(), id(1).to_string()]);
    let part = store.job_output(id(1), 0).expect("reads").expect("known");
    assert_eq!(part.chunks.iter().map(|chunk| chunk.seq).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn old_jobs_go_in_slices_and_open_ones_stay() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let jobs = (1..=5).map(|n| if n == 3 { sample(n, "web-1") } else { ended(sample(n, "web-1")) });
    keep(&store, jobs.collect()).await;
    store
        .keep_jobs(JobBatch { output: vec![(id(1), piece(0, Stream::Out, vec![1]))], ..JobBatch::default() })
        .await
        .expect("writes");
    assert!(!store.forget_jobs(at(29 * 86_400), 2).await.expect("forgets"));
    assert_eq!(store.jobs(&JobFilter::default(), None, 9).expect("reads").len(), 5);
    let late = at(31 * 86_400);
    assert!(store.forget_jobs(late, 2).await.expect("forgets"));
    assert!(store.forget_jobs(late, 2).await.expect("forgets"));
    assert!(!store.forget_jobs(late, 2).await.expect("forgets"));
    let left = store.jobs(&JobFilter::default(), None, 9).expect("reads");
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [id(3)]);
    let rows: i64 = store.read(|c| c.query_row("SELECT count(*) FROM job_output", [], |r| r.get(0))).expect("reads");
    assert_eq!(rows, 0, "nor what they wrote");
}

#[tokio::test]
async fn decided_approvals_go_with_the_last_of_their_jobs() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let approval = |n: u128, second: i64, state, jobs: &[u128]| Approval {
        id: crate::model::ApprovalId::from_uuid(Uuid::from_u128(
            (u128::try_from(at(second).as_millisecond()).expect("after 1970") << 80) | (7 << 76) | n,
        )),
        jobs: jobs.iter().map(|n| id(*n)).collect(),
        plans: vec![sample(1, "web-1").plan],
        rollout: None,
        hash: sample(1, "web-1").hash,
        risk: Risk::Critical,
        by: "anna".parse().expect("a name"),
        asked: at(second),
        expires: at(second + 60),
        need: 1,
        votes: Vec::new(),
        state,
    };
    let (granted, still_open) = (ApprovalState::Granted, ApprovalState::Open);
    let approvals = vec![
        approval(1, 0, granted, &[1, 2]),
        approval(2, 0, granted, &[3, 4]),
        approval(3, 0, still_open, &[9]),
        approval(4, 5 * 86_400, granted, &[9]),
        approval(5, 0, granted, &[9]),
    ];
    // The fourth runs for a month already.
    let jobs = (1..=4).map(|n| if n == 4 { sample(n, "web-1") } else { ended(sample(n, "web-1")) }).collect();
    store.keep_jobs(JobBatch { jobs, approvals, ..JobBatch::default() }).await.expect("writes");
    let left = || {
        let mut left: Vec<u128> = store.approvals(true, 9).expect("reads").iter().map(number).collect();
        left.sort_unstable();
        left
    };
    assert!(!store.forget_jobs(at(29 * 86_400), 9).await.expect("forgets"));
    assert_eq!(left(), [1, 2, 3, 4, 5]);
    while store.forget_jobs(at(31 * 86_400), 1).await.expect("forgets") {}
    assert_eq!(left(), [2, 3, 4], "one has a job, one waits, one is too new");
}

fn number(approval: &Approval) -> u128 {
    approval.id.as_uuid().as_u128() & 0xff
}

#[tokio::test]
async fn a_term_rises_at_each_start_and_the_engine_keeps_its_name() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let fresh = |n| EngineId::from_uuid(Uuid::from_u128(n));
    assert_eq!(store.begin_term(fresh(1)).await.expect("writes"), (fresh(1), 1));
    store.raise_term(7).await.expect("writes");
    store.raise_term(3).await.expect("writes");
    drop(store);
    assert_eq!(open(&dir).begin_term(fresh(2)).await.expect("writes"), (fresh(1), 8));
}
