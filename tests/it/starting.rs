//! The screen before its engine: there at once, and gone again with a reason when no engine comes.

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::support::{Screen, Site, eventually};

/// A site whose engine does not get past its lock before somebody reads from it.
fn slow() -> Site {
    let site = Site::new();
    let lock = site.path().join("state/lock");
    mknodat(CWD, &lock, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("makes a pipe");
    site
}

#[test]
fn the_first_frame_waits_for_no_engine_and_keys_are_not_lost() {
    let site = slow();
    let mut screen = Screen::start(&site, &[], (80, 24));
    screen.shows("waiting for the engine");
    screen.shows("starting");
    screen.keys("3");
    screen.shows("read  : palette");
    screen.shows("waiting for the engine");
    let _engine = std::fs::File::open(site.path().join("state/lock")).expect("opens");
    screen.shows("engine here");
    screen.shows("no messages");
    screen.keys("Q");
    screen.shows("stop it");
    screen.keys("s");
    assert!(screen.ends(), "it ends well");
    assert!(screen.is_restored());
}

#[test]
fn who_leaves_before_the_engine_is_there_gets_the_terminal_back_at_once() {
    let site = slow();
    let mut screen = Screen::start(&site, &[], (80, 24));
    screen.shows("starting");
    screen.keys("Q");
    assert!(screen.is_restored());
    assert!(!screen.ends(), "an engine that was given up is told");
    assert!(screen.text().contains("it was given up"), "{}", screen.text());
}

#[test]
fn a_terminal_that_goes_away_before_the_engine_is_there_leaves_a_process_that_can_be_ended() {
    let site = slow();
    let mut screen = Screen::start(&site, &[], (80, 24));
    screen.shows("starting");
    screen.hang_up();
    eventually("it ends", || {
        // One that comes while nobody listens is lost.
        screen.signal(Signal::TERM);
        screen.has_ended()
    });
}

#[test]
fn an_engine_that_does_not_start_says_why_on_the_terminal_it_gives_back() {
    let site = Site::new();
    std::fs::write(site.path().join("state/aurora.db"), "this is no database").expect("writes");
    let mut screen = Screen::start(&site, &[], (80, 24));
    assert!(!screen.ends());
    assert!(screen.is_restored());
    assert!(screen.text().contains("not a database"), "{}", screen.text());
}
