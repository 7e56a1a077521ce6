//! A line that breaks at random places while events arrive and things are done: nothing is lost, doubled or done twice.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Screen, Site, borrowed, eventually, now, standard};

const EVENTS: usize = 1_000;

/// Lets everything through between a socket of its own and the engine's, and breaks each line after a random number
/// of bytes as long as it is told to.
struct Cutter {
    path: PathBuf,
    cuts: Arc<AtomicUsize>,
    cutting: Arc<AtomicBool>,
}

impl Cutter {
    fn start(site: &Site) -> Self {
        let path = site.path().join("cut.sock");
        let listener = UnixListener::bind(&path).expect("listens");
        let engine = site.path().join("state/aurora.sock");
        let (cuts, cutting) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
        let (counted, goes_on) = (Arc::clone(&cuts), Arc::clone(&cutting));
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (Ok(near), Ok(far)) = (near, UnixStream::connect(&engine)) else { continue };
                // Some lines die in the greeting, some in the first snapshot, some in the middle of an answer.
                let most = if rand::random_bool(0.2) { 300 } else { 400_000 };
                let left = rand::random_range(1..most);
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().expect("clones"), to.try_clone().expect("clones"));
                    let (counted, goes_on) = (Arc::clone(&counted), Arc::clone(&goes_on));
                    std::thread::spawn(move || copy(from, to, left, &counted, &goes_on));
                }
            }
        });
        Self { path, cuts, cutting }
    }
}

/// Copies until `left` bytes have passed, then breaks the line in both directions.
fn copy(mut from: UnixStream, mut to: UnixStream, mut left: usize, cuts: &AtomicUsize, cutting: &AtomicBool) {
    let mut chunk = [0; 4096];
    while let Ok(count) = from.read(&mut chunk) {
        let cut = cutting.load(Ordering::Relaxed) && count >= left;
        let passes = if cut { left } else { count };
        if count == 0 || to.write_all(&chunk[..passes]).is_err() || cut {
            cuts.fetch_add(usize::from(cut), Ordering::Relaxed);
            break;
        }
        left = left.saturating_sub(count).max(1);
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn deliver(site: &Site, n: usize) {
    let body = format!("{{\"type\":\"note\",\"subject\":\"event{n:04}end\",\"from\":\"ann{n}@example.org\"}}");
    let headers = standard(&site.secret("standard"), &format!("m{n}"), now(), body.as_bytes());
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
}

#[test]
fn a_line_that_breaks_again_and_again_loses_and_doubles_nothing() {
    let site = Site::served();
    let cutter = Cutter::start(&site);
    for n in 0..20 {
        deliver(&site, n);
    }
    site.projected(20);
    let target = format!("unix:{}", cutter.path.display());
    let started = Instant::now();
    let mut screen = loop {
        let mut screen = Screen::start(&site, &["attach", &target], (139, 100));
        // The first line may be cut in its greeting, which ends the command.
        while started.elapsed() < PATIENCE && !screen.text().contains("What needs me?") && !screen.has_ended() {
            std::thread::sleep(Duration::from_millis(20));
        }
        if screen.text().contains("What needs me?") {
            break screen;
        }
        assert!(started.elapsed() < PATIENCE, "never attached:\n{}", screen.text());
    };
    screen.keys("3");
    screen.shows("event0000end");
    // Somewhere in the list, with something typed that is not sent.
    screen.keys("G");
    let selected = |screen: &Screen| screen.reversed_line().unwrap_or_default();
    eventually("the last is selected", || selected(&screen).contains("event0000end"));
    for n in 20..EVENTS {
        deliver(&site, n);
        if n % 250 == 0 {
            // Asked while the line may be down: it waits, and is done once.
            screen.keys("a");
        }
    }
    site.projected(EVENTS);
    cutter.cutting.store(false, Ordering::Relaxed);
    eventually("the line is there", || {
        // What is said at the bottom stands before the state of the line until a key.
        screen.keys("j");
        std::thread::sleep(Duration::from_millis(200));
        screen.text().contains("attached") && !screen.text().contains("RECONNECTING")
    });
    assert!(selected(&screen).contains("event0000end"), "the selection stayed:\n{}", screen.text());
    assert!(cutter.cuts.load(Ordering::Relaxed) >= 2, "the line was cut");
    let newest = format!("event{:04}end", EVENTS - 1);
    screen.keys("g");
    screen.shows(&newest);
    let lines = screen.text();
    let seen: Vec<&str> = lines.lines().filter_map(|line| line.split("event").nth(1)?.get(..4)).collect();
    let unlike: HashSet<&str> = seen.iter().copied().collect();
    assert!(seen.len() > 90 && seen.len() == unlike.len(), "each stands there once:\n{lines}");
    // Older rows are asked for page by page; there are as many as were sent, and no more.
    let all = format!("{EVENTS} of {EVENTS} ");
    eventually("the end of the list", || {
        screen.keys("G");
        std::thread::sleep(Duration::from_millis(200));
        screen.text().lines().any(|line| format!("{line} ").contains(&all))
    });
    assert!(selected(&screen).contains("event0000end"), "{}", screen.text());
}
