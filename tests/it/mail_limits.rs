//! Hostile and huge mail: refused cleanly or taken cheaply, nothing left behind, other senders undisturbed.

use std::collections::HashMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aurora::config;
use aurora::ingress::{
    BodyBudget, Certificates, Channel, Door, FailureLimit, Receiving, Refusals, Route, Routes, Spool, Swap,
};
use aurora::model::Secret;
use aurora::net::{self, DoorLimits};
use aurora::store::{Blobs, Options, Store};
use tokio_util::sync::CancellationToken;

use crate::support::{Site, eventually, free_port, mailgun, multipart, request, send};

/// Every file below `blobs/`.
fn blobs(state: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![state.join("blobs")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("reads") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { dirs.push(path) } else { found.push(path) }
        }
    }
    found
}

fn fields(secret: &str, id: &str) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("recipient", "support@example.com".to_owned()),
        ("from", "ann@example.org".to_owned()),
        ("body-plain", "Hello".to_owned()),
        ("Message-Id", format!("<{id}@example.org>")),
    ];
    fields.extend(mailgun(secret, id));
    fields
}

fn genuine(site: &Site, id: &str) {
    let (content_type, body) = multipart(&fields(&site.secret("mailgun"), id), &[]);
    assert_eq!(site.post("/hooks/mailgun", &[("content-type", &content_type)], &body).status, 200, "{id}");
}

#[test]
fn hostile_forms_are_refused_and_leave_nothing() {
    let site = Site::served();
    let secret = site.secret("mailgun");
    let state = site.path().join("state");
    let file = |name: &str| (format!("name=\"attachment-1\"; filename=\"{name}\""), vec![b'x'; 300_000]);
    let (kind, whole) = {
        let file = file("a.bin");
        multipart(&fields(&secret, "hostile"), &[(file.0, &file.1)])
    };
    let unsigned = {
        let file = file("b.bin");
        multipart(&[("recipient", "a@b".to_owned())], &[(file.0, &file.1)]).1
    };
    let many: Vec<(&str, String)> = (0..201).map(|_| ("x", "y".to_owned())).collect();
    let nested = multipart(
        &fields(&secret, "nested"),
        &[(
            "name=\"f\"".into(),
            b"\r\n--7e51a-inner\r\nContent-Disposition: form-data; name=\"signature\"\r\n\r\n00\r\n",
        )],
    )
    .1;
    let cut = whole[..whole.len() - 30].to_vec();
    let text = |body: &[u8], from: &str, to: &str| String::from_utf8_lossy(body).replace(from, to).into_bytes();
    let long = format!("multipart/form-data; boundary={}", "b".repeat(100));
    let cases: Vec<(&str, &str, Vec<u8>, &[u16])> = vec![
        ("cut off", &kind, cut, &[400]),
        ("unsigned", &kind, unsigned, &[406]),
        ("201 parts", &kind, multipart(&many, &[]).1, &[413]),
        ("a boundary inside a line", &kind, nested, &[400]),
        ("another boundary", "multipart/form-data; boundary=other", whole.clone(), &[400]),
        ("no boundary", "multipart/form-data", whole.clone(), &[400]),
        ("two boundaries", "multipart/form-data; boundary=7e51a; boundary=x", whole.clone(), &[400]),
        ("a long boundary", &long, whole.clone(), &[400]),
        ("mixed", "multipart/mixed; boundary=7e51a", whole.clone(), &[415]),
        ("line feeds alone", &kind, text(&whole, "\r\n", "\n"), &[400]),
        ("endless headers", &kind, [b"--7e51a\r\nX: ".to_vec(), vec![b'a'; 100_000]].concat(), &[413]),
        ("an endless beginning", &kind, vec![b'a'; 100_000], &[400]),
        ("an endless name", "application/x-www-form-urlencoded", vec![b'a'; 100_000], &[413]),
        ("no names", &kind, text(&whole, "; name=", "; nome="), &[400]),
        ("deep JSON", "application/json", vec![b'['; 1_000_000], &[400]),
        ("large JSON", "application/json", vec![b' '; 3_000_000], &[413]),
        ("a form that is JSON", "application/x-www-form-urlencoded", b"{\"fields\":[],\"files\":[]}".to_vec(), &[406]),
        ("nothing", &kind, Vec::new(), &[400]),
    ];
    for (what, content_type, body, expected) in &cases {
        let answer = site.post("/hooks/mailgun", &[("content-type", content_type)], body);
        assert!(expected.contains(&answer.status), "{what}: {answer:?}");
        genuine(&site, &what.replace(' ', "-"));
        eventually("the files are gone", || blobs(&state).is_empty());
    }
    let bomb = [("content-type", kind.as_str()), ("content-encoding", "gzip")];
    assert_eq!(site.post("/hooks/mailgun", &bomb, b"\x1f\x8b\x08\0\0\0\0\0").status, 415);
    let mut doubled = request("POST", "/hooks/mailgun", &[("content-type", &kind), ("content-type", &kind)], &whole);
    assert!(matches!(send(site.address(), &doubled).expect("an answer").status, 400 | 406));
    doubled.clear();
    assert_eq!(site.events("mailgun"), cases.len(), "only the genuine ones are stored");
    assert!(blobs(&state).is_empty());
    let signed = fields(&secret, "hostile");
    let (kind, body) = multipart(&signed, &[(file("a.bin").0, b"x")]);
    assert_eq!(site.post("/hooks/mailgun", &[("content-type", &kind)], &body).status, 200, "its token was never spent");
    let (kind, body) = multipart(&signed, &[(file("a.bin").0, b"another file")]);
    assert_eq!(site.post("/hooks/mailgun", &[("content-type", &kind)], &body).status, 406, "now it is");
    assert_eq!(blobs(&state).len(), 1, "a captured token fills no disk");
}

#[test]
fn one_token_with_many_files_at_once_leaves_one_file() {
    let site = Site::served();
    let signed = fields(&site.secret("mailgun"), "race");
    let (address, state) = (site.address(), site.path().join("state"));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let send_with = |n: u8| {
            let (kind, body) = multipart(&signed, &[("name=f; filename=x".into(), &vec![n; 100_000])]);
            let bytes = request("POST", "/hooks/mailgun", &[("content-type", &kind)], &body);
            scope.spawn(move || send(address, &bytes).expect("an answer").status)
        };
        let senders: Vec<_> = (0..16).map(send_with).collect();
        senders.into_iter().map(|sender| sender.join().expect("sends")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 406).count(), 15, "{statuses:?}");
    assert_eq!((site.events("mailgun"), blobs(&state).len()), (1, 1));
}

#[test]
fn an_address_of_mailgun_alone_answers_as_mailgun_wants() {
    let port = free_port();
    let mut site = Site::with(&format!(
        "[channels.mail]\nprovider = \"mailgun\"\nlisten = \"127.0.0.1:{port}\"\nsecrets = [\"env:PATH\"]\n"
    ));
    site.serve();
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    eventually("listening", || TcpStream::connect(address).is_ok());
    assert_eq!(send(address, &request("POST", "/elsewhere", &[], b"")).expect("an answer").status, 406);
    assert_eq!(send(site.address(), &request("POST", "/elsewhere", &[], b"")).expect("an answer").status, 406);
}

/// The most memory the engine ever had, in KiB.
fn high_water(site: &Site) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", site.pid())).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn a_mail_of_forty_mebibytes_takes_little_memory() {
    let site = Site::served();
    // Small ones first: what the threads that write files and the allocator take once is not this mail's.
    for n in 0..8 {
        let part = ("name=\"attachment-1\"; filename=\"a.bin\"".to_owned(), &[1; 4_000][..]);
        let (kind, body) = multipart(&fields(&site.secret("mailgun"), &format!("small{n}")), &[part]);
        assert_eq!(site.post("/hooks/mailgun", &[("content-type", &kind)], &body).status, 200);
    }
    site.projected(8);
    let before = high_water(&site);
    // Nothing that would be small on disk by chance, and a file that another does not share.
    let content: Vec<u8> =
        (0..(40_u32 << 20) - 20_000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    let part = ("name=\"attachment-1\"; filename=\"film.bin\"".to_owned(), content.as_slice());
    let (kind, body) = multipart(&fields(&site.secret("mailgun"), "large"), &[part]);
    assert_eq!(site.post("/hooks/mailgun", &[("content-type", &kind)], &body).status, 200);
    site.projected(9);
    let grown = high_water(&site).saturating_sub(before);
    assert!(grown <= 8 * 1024, "{grown} KiB more for one mail");
    let id = site.json(&["inbox", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let dir = site.path().join("saved");
    site.ok(&["inbox", "show", &id, "--save", dir.to_str().expect("text")]);
    assert!(std::fs::read(dir.join("film.bin")).expect("saved") == content, "it is what was sent");
    let (kind, over) =
        multipart(&fields(&site.secret("mailgun"), "larger"), &[("name=f; filename=x".into(), &vec![0; 41 << 20])]);
    assert_eq!(site.post("/hooks/mailgun", &[("content-type", &kind)], &over).status, 413);
    eprintln!("memory grew by {grown} KiB");
}

#[test]
fn a_kill_while_a_file_comes_in_leaves_nothing_after_the_next_start() {
    let mut site = Site::served();
    let state = site.path().join("state");
    let content = vec![7; 4 << 20];
    let (kind, body) = multipart(&fields(&site.secret("mailgun"), "cut"), &[("name=f; filename=x".into(), &content)]);
    let bytes = request("POST", "/hooks/mailgun", &[("content-type", &kind)], &body);
    let mut stream = TcpStream::connect(site.address()).expect("connects");
    stream.write_all(&bytes[..bytes.len() - 1_000]).expect("writes");
    eventually("the file begins", || !blobs(&state).is_empty());
    genuine(&site, "meanwhile");
    site.kill();
    assert!(!blobs(&state).is_empty());
    site.serve();
    assert!(blobs(&state).is_empty());
    assert_eq!(send(site.address(), &bytes).expect("an answer").status, 200, "the next try is taken");
    assert_eq!((site.events("mailgun"), blobs(&state).len()), (2, 1));
}

#[test]
fn a_disk_that_takes_no_file_is_503_and_passes_by_itself() {
    let site = Site::served();
    genuine(&site, "before");
    site.projected(1);
    let state = site.path().join("state");
    let limit = |bytes| {
        let pid = rustix::process::Pid::from_raw(i32::try_from(site.pid()).expect("a pid"));
        let limit = rustix::process::Rlimit { current: bytes, maximum: None };
        rustix::process::prlimit(pid, rustix::process::Resource::Fsize, limit).expect("sets the limit");
    };
    let content = vec![3; 6 << 20];
    let (kind, body) = multipart(&fields(&site.secret("mailgun"), "full"), &[("name=f; filename=x".into(), &content)]);
    let bytes = request("POST", "/hooks/mailgun", &[("content-type", &kind)], &body);
    limit(Some(5 << 20));
    // It may close while the rest still comes, and then there is no answer to read.
    eventually("the refusal is read", || send(site.address(), &bytes).is_some_and(|answer| answer.status == 503));
    eventually("the file is gone", || blobs(&state).is_empty());
    genuine(&site, "meanwhile");
    limit(None);
    assert_eq!(send(site.address(), &bytes).expect("an answer").status, 200, "the next try is taken");
    assert_eq!((site.events("mailgun"), blobs(&state).len()), (3, 1));
}

async fn door(dir: &Path, disk: u64, stop: CancellationToken) -> SocketAddr {
    let text = "[channels.mail]\nprovider = \"mailgun\"\nsecrets = [\"env:PATH\"]\n";
    let all = config::parse(text, None).expect("a configuration");
    let config = all.channels.values().next().expect("a channel").clone();
    let mut channel = Channel::new(&all, config).expect("a channel");
    channel.secrets = vec![Secret::new("k".into(), None)];
    let store = Arc::new(Store::open(dir, Options::default()).expect("a store"));
    channel.number = store.channel_numbers(vec![channel.config.id.clone()]).await.expect("a number")[0].1;
    let blobs = Arc::new(Blobs::open(dir).expect("a directory"));
    let listener = net::bind(([127, 0, 0, 1], 0).into()).await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let routes = HashMap::from([(
        address,
        Routes::from([("/in".to_owned(), Route { channel: Arc::new(channel), address: "".into() })]),
    )]);
    let door = Door {
        address,
        behind: Arc::new(Swap::new(Receiving {
            routes,
            certificates: Certificates::new(),
            proxies: vec!["127.0.0.1".parse().expect("a range")],
            speaking: HashMap::new(),
            limit: Arc::new(FailureLimit::new(600)),
        })),
        store,
        refusals: Arc::new(Refusals::default()),
        budget: Arc::new(BodyBudget::default()),
        spool: Arc::new(Spool { blobs, disk: Arc::new(BodyBudget::new(disk)) }),
    };
    tokio::spawn(net::serve(listener, Arc::new(door), DoorLimits::default(), Box::new(|_| {}), stop));
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_nobody_has_authenticated_stay_within_a_quota() {
    let dir = tempfile::tempdir().expect("a directory");
    let stop = CancellationToken::new();
    let address = door(dir.path(), 1 << 20, stop.clone()).await;
    let state = dir.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let from = |source: &str, id: &str, size: usize| {
            let (kind, body) = multipart(&fields("k", id), &[("name=f; filename=x".into(), &vec![1; size])]);
            request("POST", "/in", &[("content-type", &kind), ("x-forwarded-for", source)], &body)
        };
        let mail = |id: &str, size: usize| from("203.0.113.2", id, size);
        let large = from("203.0.113.1", "a", 900_000);
        let mut holder = TcpStream::connect(address).expect("connects");
        holder.write_all(&large[..large.len() - 500]).expect("writes");
        eventually("the file begins", || !blobs(&state).is_empty());
        std::thread::sleep(Duration::from_millis(200));
        let answer = send(address, &mail("b", 500_000)).expect("an answer");
        assert_eq!(answer.status, 503, "no room beside it");
        assert_eq!(send(address, &mail("c", 1_000)).expect("an answer").status, 200, "small ones have room");
        let second = send(address, &from("203.0.113.1", "e", 1_000)).expect("an answer");
        assert_eq!(second.status, 503, "its source has more than its part already");
        drop(holder);
        eventually("room again", || send(address, &mail("d", 900_000)).is_some_and(|answer| answer.status == 200));
    })
    .await
    .expect("runs");
    stop.cancel();
}
