//! What happens on a managed host, with real processes: a command runs once, and whatever dies is told truly.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aurora::agent::{Claim, Desk, FaultPoint, Faults, Machine, Parts, Session};
use aurora::config::AgentConfig;
use aurora::model::{End, EngineId, JobId, OutputChunk, Plan, Stream};
use aurora::policy::whitelist;
use aurora::protocol::{AGENT_VERSION, FromAgent, JobOrder, Journal, ToAgent};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::support::{AURORA, PATIENCE, eventually};

const MARK: &str = "abcdefgh01234567";

/// A managed host. Its commands are scripts.
struct Host {
    dir: TempDir,
}

impl Host {
    /// Each script has a name and a body, and perhaps more keys.
    fn with(scripts: &[(&str, &str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut file = format!("[agent]\nname = \"web-1\"\nspool = \"{}\"\n", dir.path().join("spool").display());
        for (name, body, keys) in scripts {
            let script = dir.path().join(name);
            std::fs::write(&script, format!("#!/bin/sh\ncd {}\n{body}\n", dir.path().display())).expect("writes");
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("chmod");
            let argv = script.display();
            writeln!(file, "[commands.{name}]\nargv = [\"{argv}\"]\n{keys}").expect("text");
        }
        std::fs::write(dir.path().join("agent.toml"), file).expect("writes");
        Self { dir }
    }

    /// One command, which leaves a line in `ran` each time.
    fn one(body: &str) -> Self {
        Self::with(&[("job", &format!("echo >> ran\n{body}"), "timeout = \"60s\"")])
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn config(&self) -> AgentConfig {
        AgentConfig::load(Some(&self.path().join("agent.toml")), None).expect("a configuration")
    }

    fn desk(&self, change: impl FnOnce(&mut Parts)) -> Desk {
        let mut parts = Parts { program: AURORA.into(), ..Parts::default() };
        change(&mut parts);
        Desk::with_parts(self.config(), parts).expect("a desk")
    }

    /// How often the command ran.
    fn ran(&self) -> usize {
        std::fs::read_to_string(self.path().join("ran")).unwrap_or_default().lines().count()
    }

    fn order(&self, command: &str) -> JobOrder {
        let config = self.config();
        let template = &config.commands[&command.parse().expect("a name")];
        let host = "web-1".parse().expect("a name");
        let (plan, hash) = whitelist::plan(template, &BTreeMap::new(), &host).expect("a plan").into_parts();
        let not_after = Timestamp::now() + SignedDuration::from_secs(60);
        let id = JobId::from_uuid(Uuid::now_v7());
        JobOrder { id, plan, hash, engine: engine(), epoch: 1, nonce: "n".into(), not_after }
    }

    /// `aurora agent exec` with a letter.
    fn exec(&self, question: &ToAgent) -> Command {
        let letter = BASE64.encode(serde_json::to_string(&(hello(1), question)).expect("JSON"));
        let mut command = Command::new(AURORA);
        command.arg("--config").arg(self.path().join("agent.toml"));
        command.args(["agent", "exec", "--id", "0", "--b64", &letter, "--mark", MARK]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn ask(&self, question: &ToAgent) -> Vec<FromAgent> {
        answers(&self.exec(question).output().expect("runs"))
    }

    fn run(&self, order: &JobOrder) -> Vec<FromAgent> {
        self.ask(&ToAgent::Run(Box::new(order.clone())))
    }

    fn query(&self, id: JobId) -> Journal {
        let answers = self.ask(&ToAgent::Query { id, from: 0, follow: false });
        match answers.last() {
            Some(FromAgent::State { journal, .. }) => journal.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Follows a job to its end.
    fn end(&self, id: JobId) -> (Journal, Vec<OutputChunk>) {
        split(self.ask(&ToAgent::Query { id, from: 0, follow: true }))
    }
}

fn engine() -> EngineId {
    EngineId::from_uuid(Uuid::from_u128(1))
}

fn hello(epoch: u64) -> ToAgent {
    ToAgent::Hello { version: AGENT_VERSION, engine: engine(), epoch, host: "web-1".parse().expect("a name") }
}

fn answers(output: &Output) -> Vec<FromAgent> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    // Lines without the mark are whatever a shell prints on the way.
    let answer = |line: &str| {
        let json = BASE64.decode(line.strip_prefix(&format!("{MARK} "))?).expect("base64url");
        Some(serde_json::from_slice(&json).expect("an answer"))
    };
    text.lines().filter_map(answer).collect()
}

fn split(answers: Vec<FromAgent>) -> (Journal, Vec<OutputChunk>) {
    let mut chunks = Vec::new();
    let mut last = None;
    for answer in answers {
        match answer {
            FromAgent::Output { chunk, .. } => chunks.push(chunk),
            FromAgent::State { journal, .. } => last = Some(journal),
            FromAgent::Welcome { .. } | FromAgent::Received { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    (last.expect("a state"), chunks)
}

fn text(chunks: &[OutputChunk], stream: Stream) -> String {
    let bytes: Vec<u8> = chunks.iter().filter(|c| c.stream == stream).flat_map(|c| c.bytes.clone()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid"), Signal::KILL).expect("kills");
}

/// The processes that belong to a job, wherever they went.
fn marked(id: JobId) -> usize {
    let alive = |process: &aurora::agent::Process| !process.is_dead();
    Machine::default().marked("AURORA_JOB", &id.to_string()).iter().filter(|process| alive(process)).count()
}

/// Asks `desk` over a session of its own, and gives the answers up to the end of the job.
async fn follow(desk: &Desk, question: ToAgent) -> Vec<FromAgent> {
    let (sender, mut answers) = mpsc::channel(64);
    let mut session = Session::new();
    desk.serve(&mut session, hello(1), &sender).await;
    desk.serve(&mut session, question, &sender).await;
    let mut heard = Vec::new();
    loop {
        let answer = tokio::time::timeout(PATIENCE, answers.recv()).await.expect("in time").expect("an answer");
        let is_last = match &answer {
            FromAgent::State { journal, .. } => !matches!(journal, Journal::Accepted | Journal::Started { .. }),
            FromAgent::Refused { .. } | FromAgent::Trouble { .. } | FromAgent::Goodbye { .. } => true,
            _ => false,
        };
        heard.push(answer);
        if is_last {
            return heard;
        }
    }
}

#[track_caller]
fn done(journal: &Journal) -> (End, Option<String>, Vec<u32>) {
    match journal {
        Journal::Done { end, cut_short, left, .. } => (*end, cut_short.clone(), left.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_job_outlives_whoever_ordered_it_and_whoever_followed_it() {
    let host = Host::one("echo before\necho wrong >&2\nsleep 1\necho after\nexit 7");
    let order = host.order("job");
    let heard = host.run(&order);
    assert!(matches!(heard.get(1), Some(FromAgent::Received { .. })), "{heard:?}");
    assert!(matches!(heard.last(), Some(FromAgent::State { journal: Journal::Started { .. }, .. })), "{heard:?}");
    let mut follower = host.exec(&ToAgent::Query { id: order.id, from: 0, follow: true }).spawn().expect("starts");
    std::thread::sleep(Duration::from_millis(200));
    kill(follower.id());
    follower.wait().expect("ends");
    let (journal, chunks) = host.end(order.id);
    assert_eq!(done(&journal), (End::Exit(7), None, vec![]));
    assert_eq!(
        (text(&chunks, Stream::Out).as_str(), text(&chunks, Stream::Err).as_str()),
        ("before\nafter\n", "wrong\n")
    );
    let seqs: Vec<u64> = chunks.iter().map(|chunk| chunk.seq).collect();
    assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>());
    // The same order again runs nothing and tells the same.
    assert_eq!(split(host.run(&order)).0, journal);
    assert_eq!(host.ran(), 1);
    let audit = std::fs::read_to_string(host.path().join("spool/audit.jsonl")).expect("an audit file");
    let what: Vec<String> = audit
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["what"].to_string())
        .collect();
    assert_eq!(what, ["\"accepted\"", "\"started\"", "\"ended\""]);
}

#[test]
fn an_agent_killed_at_any_moment_leaves_a_job_that_runs_once() {
    let host = Host::one("sleep 0.02");
    for round in 0..25 {
        let order = host.order("job");
        let mut agent = host.exec(&ToAgent::Run(Box::new(order.clone()))).spawn().expect("starts");
        std::thread::sleep(Duration::from_millis(round * 2));
        // It may have ended already.
        let _ = agent.kill();
        agent.wait().expect("ends");
        host.run(&order);
        let (journal, _) = host.end(order.id);
        assert_eq!(done(&journal).0, End::Exit(0), "round {round}");
        assert_eq!(host.ran(), usize::try_from(round).expect("small") + 1);
    }
}

#[test]
fn what_was_accepted_and_not_started_is_started_by_the_next_agent() {
    let host = Host::one("");
    let order = host.order("job");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let broken = Faults::new(|point| {
        if point == FaultPoint::AfterReq { Err(std::io::Error::other("the agent is gone")) } else { Ok(()) }
    });
    let heard = runtime.block_on(async {
        let desk = host.desk(|parts| parts.faults = broken);
        follow(&desk, ToAgent::Run(Box::new(order.clone()))).await
    });
    assert!(matches!(heard.last(), Some(FromAgent::Trouble { .. })), "{heard:?}");
    assert_eq!(host.ran(), 0);
    assert_eq!(done(&host.end(order.id).0).0, End::Exit(0), "a question is enough");
    assert_eq!(host.ran(), 1);
}

#[test]
fn a_runner_that_is_killed_leaves_it_unknown_and_nothing_is_run_again() {
    let host = Host::one("setsid sleep 300 &\nsleep 300");
    let order = host.order("job");
    let heard = host.run(&order);
    let Some(FromAgent::State { journal: Journal::Started { pid, .. }, .. }) = heard.last() else {
        panic!("{heard:?}")
    };
    eventually("it runs", || marked(order.id) == 3);
    kill(*pid);
    let Journal::Unknown { reason } = host.query(order.id) else { panic!("it is unknown") };
    assert!(reason.contains("gone without a word"), "{reason}");
    assert!(matches!(split(host.run(&order)).0, Journal::Unknown { .. }));
    assert_eq!(host.ran(), 1);
    // Nobody looks after its processes any more; a cancel finds them all the same.
    assert!(marked(order.id) > 0);
    host.ask(&ToAgent::Cancel { id: order.id, grace_ms: 100, epoch: 1 });
    eventually("they are gone", || marked(order.id) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_hears_that_the_runner_is_gone() {
    let host = Host::one("sleep 300");
    let desk = host.desk(|_| {});
    let order = host.order("job");
    let (sender, mut answers) = mpsc::channel(64);
    let mut session = Session::new();
    desk.serve(&mut session, hello(1), &sender).await;
    desk.serve(&mut session, ToAgent::Run(Box::new(order.clone())), &sender).await;
    loop {
        match tokio::time::timeout(PATIENCE, answers.recv()).await.expect("in time").expect("an answer") {
            FromAgent::State { journal: Journal::Started { pid, .. }, .. } => kill(pid),
            FromAgent::State { journal: Journal::Unknown { .. }, .. } => break,
            _ => {}
        }
    }
    follow(&desk, ToAgent::Cancel { id: order.id, grace_ms: 0, epoch: 1 }).await;
}

#[test]
fn after_a_restart_of_the_machine_what_ran_is_unknown() {
    let host = Host::one("sleep 1");
    let order = host.order("job");
    host.run(&order);
    let proc = host.path().join("proc");
    std::fs::create_dir_all(proc.join("sys/kernel/random")).expect("makes");
    std::fs::write(proc.join("sys/kernel/random/boot_id"), "another\n").expect("writes");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let heard = runtime.block_on(async {
        let desk = host.desk(|parts| parts.machine = Machine::at(&proc));
        follow(&desk, ToAgent::Run(Box::new(order.clone()))).await
    });
    let Some(FromAgent::State { journal: Journal::Unknown { reason }, .. }) = heard.last() else { panic!("{heard:?}") };
    assert!(reason.contains("started again"), "{reason}");
    assert_eq!(done(&host.end(order.id).0).0, End::Exit(0), "it was not, and it goes on");
    assert_eq!(host.ran(), 1);
}

#[test]
fn a_deadline_ends_the_whole_tree() {
    // One in another session, one in another group behind a dead parent, one that does not hear TERM.
    let body = "setsid sleep 300 &\n(setsid sh -c 'sleep 300 & exec sleep 0.1' &)\nsh -c 'trap \"\" TERM; sleep 300' &\nsleep 300";
    let host = Host::with(&[("job", body, "timeout = \"1s\"")]);
    let order = host.order("job");
    host.run(&order);
    eventually("they run", || marked(order.id) >= 5);
    let (journal, _) = host.end(order.id);
    let (end, why, left) = done(&journal);
    assert_eq!((end, left), (End::Signal(15), vec![]));
    assert!(why.expect("why").contains("longer than 1000 ms"));
    assert_eq!(marked(order.id), 0, "nothing is left");
}

#[test]
fn a_cancel_stops_the_tree_and_proves_it() {
    let host = Host::one("trap '' TERM\nsetsid sh -c 'trap \"\" TERM; sleep 300' &\nsleep 300");
    let order = host.order("job");
    host.run(&order);
    eventually("it runs", || marked(order.id) >= 3);
    let (journal, _) = split(host.ask(&ToAgent::Cancel { id: order.id, grace_ms: 200, epoch: 1 }));
    let (end, why, left) = done(&journal);
    assert_eq!((end, why.as_deref(), left), (End::Signal(9), Some("it was cancelled"), vec![]));
    assert_eq!(marked(order.id), 0);
    assert_eq!(host.query(order.id), journal, "that is its end");
}

#[test]
fn a_cancel_that_overtakes_its_order_forbids_it() {
    let host = Host::one("");
    let order = host.order("job");
    let forbidden = |journal: &Journal| matches!(journal, Journal::NotRun { rule, .. } if rule == "cancelled");
    let (journal, _) = split(host.ask(&ToAgent::Cancel { id: order.id, grace_ms: 200, epoch: 1 }));
    assert!(forbidden(&journal), "{journal:?}");
    let (journal, _) = split(host.run(&order));
    assert!(forbidden(&journal), "a copy that comes late: {journal:?}");
    assert!(forbidden(&host.query(order.id)));
    assert_eq!(host.ran(), 0);
    let old = Timestamp::now() - SignedDuration::from_hours(8 * 24);
    let seconds = u64::try_from(old.as_second()).expect("after 1970");
    let old = JobId::from_uuid(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0)));
    for never in [old, JobId::from_uuid(Uuid::from_u128(7))] {
        let heard = host.ask(&ToAgent::Cancel { id: never, grace_ms: 200, epoch: 1 });
        let is_absent = matches!(heard.last(), Some(FromAgent::State { journal: Journal::Absent, .. }));
        assert!(is_absent, "no order of this id is ever taken, so nothing is written: {heard:?}");
    }
}

#[tokio::test]
async fn what_never_runs_is_durable_before_it_is_told() {
    let host = Host::one("");
    let order = host.order("job");
    let spool = aurora::agent::Spool::with_faults(
        &host.config().spool,
        Machine::default(),
        Faults::new(
            |step| if step == FaultPoint::AfterStarted { Err(std::io::ErrorKind::Other.into()) } else { Ok(()) },
        ),
    );
    let spool = spool.expect("a journal");
    let job = spool.accept(&order, Timestamp::now()).expect("writes").expect("taken");
    spool.claim(&job, &Claim::never("cancelled", "it was taken back")).expect_err("it is linked, and not durable");
    let synced = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&synced);
    let desk = host.desk(|parts| {
        parts.faults = Faults::new(move |step| {
            counted.fetch_add(usize::from(step == FaultPoint::BeforeExec), Ordering::Relaxed);
            Ok(())
        });
    });
    let id = order.id;
    for (times, follows) in [(1, false), (2, true)] {
        let heard = follow(&desk, ToAgent::Query { id, from: 0, follow: follows }).await;
        assert!(matches!(heard.last(), Some(FromAgent::State { journal: Journal::NotRun { .. }, .. })), "{heard:?}");
        assert!(synced.load(Ordering::Relaxed) >= times, "follows: {follows}");
    }
}

#[test]
fn what_is_taken_back_before_it_runs_never_runs() {
    let host = Host::one("");
    let order = host.order("job");
    let spool = aurora::agent::Spool::open(&host.config().spool, Machine::default()).expect("a journal");
    spool.accept(&order, Timestamp::now()).expect("writes").expect("taken");
    let late = JobOrder { not_after: Timestamp::now() - SignedDuration::from_secs(1), ..host.order("job") };
    spool.accept(&late, late.not_after - SignedDuration::from_secs(1)).expect("writes").expect("taken in time");
    // As an agent would that was told to: by the one decision that lets nobody start it.
    let job = spool.job(order.id).expect("reads").expect("is there");
    assert!(spool.claim(&job, &Claim::never("cancelled", "it was taken back")).expect("writes"));
    for (order, rule) in [(&order, "cancelled"), (&late, "expired")] {
        let (journal, _) = split(host.run(order));
        assert!(matches!(&journal, Journal::NotRun { rule: word, .. } if word == rule), "{journal:?}");
    }
    assert_eq!(host.ran(), 0);
}

#[test]
fn much_output_is_capped_and_counted_and_other_bytes_are_kept() {
    let body = "head -c 8388608 /dev/zero | tr '\\0' 'x'\nprintf '\\377\\376\\000\\033]0;' >&2";
    let host = Host::with(&[("job", body, "timeout = \"60s\"")]);
    let order = host.order("job");
    host.run(&order);
    let (journal, chunks) = host.end(order.id);
    let Journal::Done { output, sha256, .. } = &journal else { panic!("{journal:?}") };
    assert_eq!((output.out, output.err), (8 << 20, 7));
    let (journal, again) = host.end(order.id);
    assert_eq!(done(&journal).0, End::Exit(0));
    let kept: Vec<u8> = again.iter().flat_map(|chunk| chunk.bytes.clone()).collect();
    assert_eq!(kept.len() as u64, output.out + output.err - output.cut);
    assert!((2 << 20..5 << 19).contains(&kept.len()), "{}", kept.len());
    assert_eq!(*sha256, hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&kept)));
    let err: Vec<u8> = chunks.iter().filter(|c| c.stream == Stream::Err).flat_map(|c| c.bytes.clone()).collect();
    assert_eq!(err, b"\xff\xfe\0\x1b]0;");
    // Once its end is durable elsewhere, what it wrote goes; its end stays.
    host.ask(&ToAgent::Fin { id: order.id });
    assert_eq!(host.end(order.id), (journal, vec![]));
}

#[test]
fn a_command_gets_a_clean_environment() {
    let host = Host::with(&[
        ("job", "echo ran-from-bash-env > /dev/null\nexec env", "env = { OWN = \"yes\" }"),
        ("where", "read line && echo $line\nps -o sid= -o pgid= -p $$\npwd", ""),
    ]);
    let trap = host.path().join("trap");
    std::fs::write(&trap, format!("touch {}/sprung\n", host.path().display())).expect("writes");
    let order = host.order("job");
    let mut exec = host.exec(&ToAgent::Run(Box::new(order.clone())));
    exec.env("LD_PRELOAD", "/nonexistent.so").env("BASH_ENV", &trap).env("ENV", &trap).env("SECRET", "canary");
    exec.env("PATH", "/nonexistent").env("HOME", "/root").env("LANG", "C.UTF-8");
    assert!(exec.output().expect("runs").status.success());
    let (journal, chunks) = host.end(order.id);
    assert_eq!(done(&journal).0, End::Exit(0));
    assert_eq!(text(&chunks, Stream::Err), "", "the loader was told nothing");
    let out = text(&chunks, Stream::Out);
    let names: BTreeSet<&str> = out.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let mine =
        BTreeSet::from(["AURORA_JOB", "HOME", "LANG", "LOGNAME", "OLDPWD", "OWN", "PATH", "PWD", "TERM", "USER"]);
    assert!(names.is_subset(&mine) && names.contains("OWN"), "{out}");
    assert!(out.contains("TERM=dumb\n") && !out.contains("/nonexistent"), "{out}");
    assert!(!host.path().join("sprung").exists());
    // No standard input, and a group of its own.
    let order = host.order("where");
    host.run(&order);
    let (_, chunks) = host.end(order.id);
    let out = text(&chunks, Stream::Out);
    let numbers: Vec<&str> = out.split_whitespace().collect();
    assert!(numbers.len() == 3 && numbers[0] != numbers[1], "{out}");
}

#[test]
fn the_same_order_from_many_processes_runs_once() {
    let host = Host::one("sleep 0.05");
    for round in 1..=8 {
        let order = host.order("job");
        let question = ToAgent::Run(Box::new(order.clone()));
        let agents: Vec<_> = (0..8).map(|_| host.exec(&question).spawn().expect("starts")).collect();
        for agent in agents {
            let heard = answers(&agent.wait_with_output().expect("ends"));
            assert!(matches!(heard.last(), Some(FromAgent::State { .. })), "{heard:?}");
        }
        assert_eq!(done(&host.end(order.id).0).0, End::Exit(0));
        assert_eq!(host.ran(), round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_order_from_many_desks_runs_once() {
    let host = Host::one("");
    let desks: Vec<Desk> = (0..8).map(|_| host.desk(|_| {})).collect();
    for round in 1..=25 {
        let order = host.order("job");
        let ask = |desk: &Desk| {
            let (desk, order) = (desk.clone(), order.clone());
            async move { split(follow(&desk, ToAgent::Run(Box::new(order))).await).0 }
        };
        let ends = futures_util::future::join_all(desks.iter().map(ask)).await;
        assert!(ends.iter().all(|end| *end == ends[0] && done(end).0 == End::Exit(0)), "{ends:?}");
        assert_eq!(host.ran(), round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_reading_holds_up_neither_the_job_nor_others() {
    let host = Host::one("head -c 8388608 /dev/zero");
    let desk = host.desk(|_| {});
    let order = host.order("job");
    let (sender, deaf) = mpsc::channel(3);
    let mut session = Session::new();
    desk.serve(&mut session, hello(1), &sender).await;
    desk.serve(&mut session, ToAgent::Run(Box::new(order.clone())), &sender).await;
    // The order is carried out beside what is asked, and who asks before it is written hears that there is none.
    eventually("the order in the journal", || !matches!(host.query(order.id), Journal::Absent));
    let (journal, _) = split(follow(&desk, ToAgent::Query { id: order.id, from: 0, follow: true }).await);
    assert_eq!(done(&journal).0, End::Exit(0));
    let other = follow(&desk, ToAgent::Run(Box::new(host.order("job")))).await;
    assert_eq!(done(&split(other).0).0, End::Exit(0));
    drop((deaf, session));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_does_not_allow_is_refused_by_its_rule_and_leaves_nothing() {
    let host = Host::with(&[("job", "echo >> ran", ""), ("other", "echo >> ran", "timeout = \"9s\"")]);
    let desk = host.desk(|_| {});
    let order = host.order("job");
    let with = |change: &dyn Fn(&mut Plan)| {
        let mut order = JobOrder { id: JobId::from_uuid(Uuid::now_v7()), ..order.clone() };
        change(&mut order.plan);
        order.hash = order.plan.hash();
        order
    };
    let cases = [
        (with(&|plan| plan.command = "rm".parse().expect("a name")), "whitelist"),
        (with(&|plan| plan.argv = vec!["/bin/sh".into(), "-c".into(), "id".into()]), "whitelist.plan"),
        (with(&|plan| drop(plan.env.insert("LD_PRELOAD".into(), "/tmp/a.so".into()))), "whitelist.plan"),
        (with(&|plan| plan.cwd = Some("/tmp".into())), "whitelist.plan"),
        (with(&|plan| plan.timeout_ms += 1), "whitelist.plan"),
        (with(&|plan| plan.command = "other".parse().expect("a name")), "whitelist.plan"),
        (with(&|plan| drop(plan.args.insert("action".into(), "; rm -rf /".into()))), "whitelist.argument"),
        (with(&|plan| plan.host = "web-2".parse().expect("a name")), "host"),
        (JobOrder { hash: host.order("other").hash, ..with(&|_| {}) }, "conflict"),
        (JobOrder { not_after: Timestamp::now() - SignedDuration::from_secs(1), ..with(&|_| {}) }, "expired"),
        (JobOrder { epoch: 0, ..with(&|_| {}) }, "fenced"),
        (JobOrder { engine: EngineId::from_uuid(Uuid::from_u128(2)), ..with(&|_| {}) }, "fenced"),
    ];
    for (order, refused) in cases {
        let id = order.id;
        let heard = follow(&desk, ToAgent::Run(Box::new(order))).await;
        assert!(
            matches!(heard.last(), Some(FromAgent::Refused { rule, .. }) if rule == refused),
            "{refused}: {heard:?}"
        );
        let heard = follow(&desk, ToAgent::Query { id, from: 0, follow: true }).await;
        assert!(matches!(heard.last(), Some(FromAgent::State { journal: Journal::Absent, .. })), "{heard:?}");
    }
    let good = with(&|_| {});
    follow(&desk, ToAgent::Run(Box::new(good.clone()))).await;
    let changed = JobOrder { id: good.id, ..host.order("other") };
    let heard = follow(&desk, ToAgent::Run(Box::new(changed))).await;
    assert!(matches!(heard.last(), Some(FromAgent::Refused { rule, .. }) if rule == "conflict"), "{heard:?}");
    assert_eq!(host.ran(), 1);
}

#[test]
fn a_key_that_is_bound_to_the_agent_asks_it_and_nothing_else() {
    let host = Host::one("");
    let run = |command: &str| {
        let mut exec = Command::new(AURORA);
        exec.arg("--config").arg(host.path().join("agent.toml")).args(["agent", "exec", "--from-ssh"]);
        exec.env("SSH_ORIGINAL_COMMAND", command).output().expect("runs")
    };
    let order = host.order("job");
    let letter =
        BASE64.encode(serde_json::to_string(&(hello(1), ToAgent::Run(Box::new(order.clone())))).expect("JSON"));
    let good = format!("aurora agent exec --id 0 --b64 {letter} --mark {MARK}");
    for bad in ["", "sh", &format!("{good}; touch {}/sprung", host.path().display()), &format!("{good}\n")] {
        let output = run(bad);
        assert_eq!(output.status.code(), Some(2), "{bad}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(host.ran(), 0);
    assert!(matches!(answers(&run(&good)).last(), Some(FromAgent::State { .. })));
    host.end(order.id);
    assert_eq!(host.ran(), 1);
    assert!(!host.path().join("sprung").exists());
}

#[test]
fn a_journal_of_somebody_else_is_not_used() {
    let host = Host::one("");
    std::fs::create_dir(host.path().join("spool")).expect("makes");
    std::fs::set_permissions(host.path().join("spool"), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let output = host.exec(&ToAgent::Probe { nonce: 1 }).output().expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("chmod 700"), "{error}");
}

/// A small file system for the journal.
struct Tmpfs(PathBuf);

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
#[ignore = "needs a tmpfs"]
fn a_full_disk_refuses_orders_and_never_lies_about_what_runs() {
    let host = Host::one("sleep 1\nhead -c 3000000 /dev/zero");
    let spool = host.path().join("spool");
    std::fs::create_dir(&spool).expect("makes");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs"]).arg(&spool).output();
    assert!(mount.expect("runs").status.success());
    let _tmpfs = Tmpfs(spool.clone());
    let order = host.order("job");
    host.run(&order);
    let mut file = std::fs::File::create(spool.join("filler")).expect("creates");
    while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    drop(file);
    let refused = host.order("job");
    let heard = host.run(&refused);
    assert!(matches!(heard.last(), Some(FromAgent::Refused { rule, .. }) if rule == "full"), "{heard:?}");
    // It ran and cannot say so: then it still runs, as far as anybody is told.
    std::thread::sleep(Duration::from_secs(3));
    assert!(matches!(host.query(order.id), Journal::Started { .. }));
    std::fs::remove_file(spool.join("filler")).expect("removes");
    let (journal, chunks) = host.end(order.id);
    let Journal::Done { end: End::Exit(0), output, .. } = journal else { panic!("{journal:?}") };
    let kept: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    assert_eq!((output.out, output.out - output.cut), (3_000_000, kept as u64));
    assert_eq!(host.ran(), 1);
}
