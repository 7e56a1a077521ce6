//! Looks at the machine the tests run on.

use std::path::PathBuf;

use crate::condition::Condition;
use crate::config::check_schema;
use crate::model::{ProcessTarget, Target, Value, Verdict};

use super::super::{Tools, look};
use super::servers::{PATIENCE, SHORT, cause, look_at, value};

#[tokio::test]
async fn disk_memory_and_load_have_values() {
    // What they would be warned of is the business of the machine the tests run on.
    let disk = look_at(Target::Disk(std::env::temp_dir()), Some("used <= 100% and size > 0B"), PATIENCE).await;
    assert!(disk.verdict < Verdict::Critical, "{disk:?}");
    let memory = look_at(Target::Memory, Some("used > 0% and available < 1000000GiB"), PATIENCE).await;
    assert!(memory.verdict < Verdict::Critical, "{memory:?}");
    let load = look_at(Target::Load, Some("cores >= 1 and load5_per_core >= 0 and cpu <= 101%"), PATIENCE).await;
    assert!(load.verdict < Verdict::Critical, "{load:?}");
    let gone = look_at(Target::Disk("/nowhere/at/all".into()), None, PATIENCE).await;
    assert!(cause(&gone).contains("no such file"), "{gone:?}");
}

#[tokio::test]
async fn processes_are_found_by_name_and_by_number() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("pid");
    let by_number = || Target::Process(ProcessTarget::PidFile(file.clone()));
    std::fs::write(&file, format!("{}\n", child.id())).expect("writes");
    let found = look_at(by_number(), Some("count == 1 and memory > 0B and uptime < 1h"), PATIENCE).await;
    assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
    let found = look_at(Target::Process(ProcessTarget::Name("sleep".into())), None, PATIENCE).await;
    assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
    // The number of a process that began long after the file was written belongs to somebody else.
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(24);
    std::fs::File::options().write(true).open(&file).and_then(|file| file.set_modified(long_ago)).expect("sets");
    assert!(cause(&look_at(by_number(), None, PATIENCE).await).contains("is sleep, which began after"));
    child.kill().expect("ends");
    child.wait().expect("ends");
    assert_eq!(cause(&look_at(by_number(), None, PATIENCE).await), "count > 0: got 0");
    std::fs::write(&file, "nonsense").expect("writes");
    assert!(cause(&look_at(by_number(), None, PATIENCE).await).contains("holds no process number"));
    let gone = look_at(Target::Process(ProcessTarget::PidFile(PathBuf::from("/nowhere/pid"))), None, PATIENCE).await;
    assert_eq!((cause(&gone), value(&gone, "count")), ("count > 0: got 0", &Value::Number(0.0)));
}

#[tokio::test]
async fn files_that_never_answer_hold_up_one_thread_and_no_look() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("pipe");
    // Who opens a pipe that nobody writes to waits, as on a network file system whose server is gone.
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("a pipe");
    let target = Target::Process(ProcessTarget::PidFile(path.clone()));
    let when = Condition::parse("count > 0", check_schema(target.kind())).expect("a condition");
    let tools = Tools::default();
    for _ in 0..2 {
        let observation = look(&target, &when, None, SHORT, &tools).await;
        assert!(cause(&observation).starts_with("no result after 300ms"), "{observation:?}");
    }
    // Opening the other end lets the one thread go; a second one would wait for ever, and the test with it.
    std::fs::write(&path, "").expect("writes");
}
