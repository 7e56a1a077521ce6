//! Faults of the machine below a running engine: a disk that is full, read-only, or answers with errors.
//!
//! What was acknowledged is there afterwards, what is not is refused with 503, and nobody has to restart anything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::support::{Answer, CHANNELS, Site, borrowed, eventually, now, standard, write_private};

fn deliver(site: &Site, secret: &str, id: &str, size: usize) -> Answer {
    let text = "x".repeat(size);
    let body = format!("{{\"type\":\"note\",\"text\":\"{id} {text}\"}}");
    site.post("/hooks/standard", &borrowed(&standard(secret, id, now(), body.as_bytes())), body.as_bytes())
}

fn status(site: &Site) -> (i32, String) {
    let output = site.aurora(&["status"]);
    (output.status.code().expect("it ends"), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every key that is stored, once the engine is stopped and the database proved whole.
fn stored(site: &mut Site) -> BTreeSet<String> {
    assert!(site.stop(), "it stops well");
    let database = rusqlite::Connection::open(site.path().join("state/aurora.db")).expect("opens");
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checks");
    assert_eq!(check, "ok");
    let mut statement = database.prepare("SELECT dedupe_key FROM event").expect("prepares");
    let keys = statement.query_map([], |row| row.get(0)).expect("queries");
    keys.collect::<Result<_, _>>().expect("rows")
}

/// Lets the files of the engine grow to `bytes` and no further: every write behind that is an error.
fn limit_files(site: &Site, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(site.pid()).expect("a pid"));
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("sets the limit");
}

#[test]
fn io_errors_are_503_and_red_and_pass_by_themselves() {
    let mut site = Site::served();
    let secret = site.secret("standard");
    let mut accepted = BTreeSet::new();
    let round = |site: &Site, accepted: &mut BTreeSet<String>, name: &str| {
        eventually("deliveries are accepted", || {
            deliver(site, &secret, &format!("{name}-first"), 100).status / 100 == 2
        });
        accepted.insert(format!("{name}-first"));
        for n in 0..20 {
            let id = format!("{name}-{n}");
            assert_eq!(deliver(site, &secret, &id, 1_000).status, 204, "{id}");
            accepted.insert(id);
        }
    };
    round(&site, &mut accepted, "a");
    site.projected(accepted.len());
    let message = site.json(&["inbox", "list"])[0]["id"].as_str().expect("an id").to_owned();
    // Its log is longer already: that the log cannot be written either must not matter.
    limit_files(&site, Some(1));
    let refused = deliver(&site, &secret, "refused", 1_000);
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after"), "{}", refused.head);
    eventually("it is red", || status(&site).0 == 3);
    let shown = status(&site).1;
    assert!(shown.contains("crit") && shown.contains("the store cannot write: I/O error"), "{shown}");
    for n in 0..50 {
        assert_eq!(deliver(&site, &secret, &format!("more-{n}"), 1_000).status, 503);
    }
    // What changes something says why it cannot.
    let output = site.aurora(&["inbox", "ack", &message]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && text.contains("I/O error"), "{text}");
    assert_eq!(site.ok(&["inbox", "count"]), "21", "reading goes on");
    limit_files(&site, None);
    round(&site, &mut accepted, "b");
    eventually("it is not red", || !status(&site).1.contains("cannot write"));
    let log = std::fs::read_to_string(site.path().join("serve.log")).expect("a log");
    assert!(log.contains("the store writes again"), "{log}");
    assert!(log.lines().count() < 60, "it does not flood:\n{log}");
    let stored = stored(&mut site);
    let lost: Vec<&String> = accepted.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// A library that makes reads of the database fail while a file is there, built with the compiler that builds `SQLite`.
fn read_errors(site: &Site) -> PathBuf {
    let library = site.path().join("read_errors.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/read_errors.c");
    let output = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").output();
    let output = output.expect("a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

#[test]
fn read_errors_are_503_and_pass_without_a_restart() {
    let mut site = Site::served();
    let secret = site.secret("standard");
    // So many that no page holds all of them: after a start, which reads and writes a few itself, the place of the
    // next one is still read from the file.
    let mut expected = BTreeSet::new();
    for n in 0..900 {
        assert_eq!(deliver(&site, &secret, &format!("before {n}"), 1_000).status, 204);
        expected.insert(format!("before {n}"));
    }
    site.projected(900);
    assert!(site.stop(), "it stops well");
    let (library, broken) = (read_errors(&site), site.path().join("broken"));
    site.serve_in(&[("LD_PRELOAD", &library), ("READ_ERRORS", &broken)]);
    std::fs::write(&broken, "").expect("breaks it");
    // One whose place happens to be in memory is accepted, and rightly so.
    let refused = (0..50).any(|n| {
        let (text, status) = (format!("while {n}"), deliver(&site, &secret, &format!("while {n}"), 100).status);
        assert!([204, 503].contains(&status), "{status}");
        if status == 204 {
            expected.insert(text);
        }
        status == 503
    });
    assert!(refused, "nothing had to be read");
    eventually("it is red", || status(&site).1.contains("the store cannot read"));
    let (code, shown) = status(&site);
    assert_eq!(code, 3);
    assert!(shown.contains("unreadable or corrupt") && shown.contains("only if that fails put a backup"), "{shown}");
    std::fs::remove_file(&broken).expect("mends it");
    eventually("deliveries are accepted again", || deliver(&site, &secret, "after", 100).status == 204);
    expected.insert("after".to_owned());
    site.projected(expected.len());
    eventually("it is red no more", || !status(&site).1.contains("the store cannot read"));
    // Whether it says that it reads again depends on how much could not be read.
    let log = std::fs::read_to_string(site.path().join("serve.log")).expect("a log");
    assert!(log.contains("the store fails") && log.lines().count() < 60, "{log}");
    assert_eq!(stored(&mut site), expected);
}

#[test]
fn a_store_that_cannot_write_keeps_back_only_what_it_must_write() {
    let site = Site::served();
    let secret = site.secret("standard");
    assert_eq!(deliver(&site, &secret, "1", 100).status, 204);
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    limit_files(&site, Some(1));
    assert_eq!(deliver(&site, &secret, "2", 1_000).status, 503);
    // Not by writing the file: the limit is the engine's alone, and so is the fault.
    let mut text = text
        .replace("\"test\"", "\"elsewhere\"")
        .replace("provider = \"standard\"\n", "provider = \"standard\"\nbody_max = \"1KiB\"\n");
    std::fs::write(&file, &text).expect("writes");
    eventually("another name and other channels of the same ids", || status(&site).1.contains("elsewhere"));
    assert_eq!(deliver(&site, &secret, "3", 2_000).status, 413);
    text.push_str("[channels.fresh]\nprovider = \"standard\"\nsecrets = [\"file:state/secrets/standard\"]\n");
    std::fs::write(&file, &text).expect("writes");
    eventually("a channel that is new must wait", || status(&site).1.contains("the configuration was not read again"));
    assert!(!status(&site).1.contains("mend the file"), "{}", status(&site).1);
    limit_files(&site, None);
    eventually("the store writes", || deliver(&site, &secret, "4", 100).status / 100 == 2);
    site.signal(rustix::process::Signal::HUP);
    eventually("the channel is there", || !status(&site).1.contains("not read again"));
}

/// A small file system for the state directory of a site.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(site: &Site, options: &str) -> Self {
        // What it hides is there again behind it.
        let secrets = CHANNELS.map(|id| (id, site.secret(id)));
        let tmpfs = Self(site.path().join("state"));
        tmpfs.run("mount", &["-t", "tmpfs", "-o", &format!("{options},mode=0700"), "tmpfs"]);
        for (id, secret) in secrets {
            write_private(&tmpfs.0.join("secrets").join(id), &secret);
        }
        tmpfs
    }

    #[track_caller]
    fn run(&self, program: &str, args: &[&str]) {
        let output = Command::new(program).args(args).arg(&self.0).output().expect("runs");
        assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Fills the file system of `path` with one file, to the last byte.
fn fill(path: &Path) {
    use std::io::Write;

    let mut file = std::fs::File::create(path).expect("creates");
    let block = [1u8; 4096];
    while file.write_all(&block).is_ok() {}
}

/// Delivers from several senders at once until the store refuses; answers what was accepted.
fn load_until_refused(site: &Site, secret: &str, name: &str) -> BTreeSet<String> {
    let sender = |sender: usize| {
        let mut accepted = BTreeSet::new();
        let mut refused = 0;
        for n in 0..5_000 {
            let id = format!("{name}-{sender}-{n}");
            match deliver(site, secret, &id, 8_000).status {
                204 => drop(accepted.insert(id)),
                503 => refused += 1,
                other => panic!("{id}: {other}"),
            }
            if refused >= 50 {
                break;
            }
        }
        assert_eq!(refused, 50, "the disk fills");
        accepted
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4).map(|n| scope.spawn(move || sender(n))).collect();
        senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect()
    })
}

#[test]
#[ignore = "needs a tmpfs"]
fn a_disk_that_fills_under_load_loses_nothing_and_recovers() {
    let mut site = Site::new();
    let tmpfs = Tmpfs::mount(&site, "size=13m");
    let ballast = |name: &str, mebibytes: usize| {
        let path = tmpfs.0.join(name);
        std::fs::write(&path, vec![1u8; mebibytes << 20]).expect("writes");
        path
    };
    // What is freed has to hold what projection and the index catch up with, and leave room besides.
    let (first, second) = (ballast("first", 6), ballast("second", 3));
    site.serve();
    let secret = site.secret("standard");
    let mut accepted = load_until_refused(&site, &secret, "load");
    assert!(accepted.len() > 20, "{}", accepted.len());
    eventually("it is red", || status(&site).1.contains("the store cannot write: disk full"));
    assert_eq!(status(&site).0, 3);

    std::fs::remove_file(first).expect("frees the space");
    eventually("deliveries are accepted again", || deliver(&site, &secret, "after", 8_000).status == 204);
    accepted.insert("after".to_owned());
    for n in 0..20 {
        let id = format!("after-{n}");
        assert_eq!(deliver(&site, &secret, &id, 8_000).status, 204, "{id}");
        accepted.insert(id);
    }
    eventually("it is not red", || !status(&site).1.contains("cannot write"));
    site.projected(accepted.len());
    let log = std::fs::read_to_string(site.path().join("serve.log")).expect("a log");
    assert!(log.contains("the store writes again"), "{log}");
    assert!(log.lines().count() < 100, "it does not flood:\n{log}");

    // Full again, and killed there.
    accepted.extend(load_until_refused(&site, &secret, "again"));
    site.kill();
    std::fs::remove_file(second).expect("frees the space");
    site.serve();
    assert_eq!(deliver(&site, &secret, "last", 8_000).status, 204);
    accepted.insert("last".to_owned());
    let stored = stored(&mut site);
    let lost: Vec<&String> = accepted.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
#[ignore = "needs a tmpfs"]
fn a_start_on_a_full_or_read_only_disk_says_so_and_leaves_nothing_half_made() {
    let mut site = Site::new();
    let tmpfs = Tmpfs::mount(&site, "size=1m");
    let ballast = tmpfs.0.join("ballast");
    fill(&ballast);
    let output = site.aurora(&["serve"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("No space left") || text.contains("full"), "{text}");
    std::fs::remove_file(&ballast).expect("frees the space");
    tmpfs.run("mount", &["-o", "remount,ro"]);
    let output = site.aurora(&["serve"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.to_lowercase().contains("read-only"), "{text}");
    tmpfs.run("mount", &["-o", "remount,rw,size=8m"]);
    site.serve();
    let secret = site.secret("standard");
    assert_eq!(deliver(&site, &secret, "1", 100).status, 204);
    assert_eq!(stored(&mut site).len(), 1);
}
