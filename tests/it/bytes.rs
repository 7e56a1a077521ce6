//! What the screen costs a line: bytes and frames, counted in a pseudo terminal that answers nothing.

use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Screen, Site, now};

const FRAME: &[u8] = b"\x1b[?2026h";
const COLOURS: [(&str, &str); 1] = [("COLORTERM", "truecolor")];

fn count(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).filter(|window| *window == what).count()
}

/// A scene of the demo at 120x40.
fn demo(site: &Site, scene: &str, env: &[(&str, &str)]) -> Screen {
    let dir = site.path().to_str().expect("text");
    let screen = Screen::start_with(site, &["demo", "--scene", scene], (120, 40), &[&[("TMPDIR", dir)], env].concat());
    screen.shows("DEMO");
    screen
}

/// Waits until nothing has been written for `quiet`; answers how much was.
fn settled(screen: &Screen, quiet: Duration) -> usize {
    let started = Instant::now();
    let (mut length, mut since) = (screen.bytes().len(), Instant::now());
    while since.elapsed() < quiet {
        assert!(started.elapsed() < PATIENCE, "it never rests");
        std::thread::sleep(Duration::from_millis(10));
        let now = screen.bytes().len();
        if now != length {
            (length, since) = (now, Instant::now());
        }
    }
    length
}

#[test]
fn a_screen_on_which_nothing_changes_costs_nothing() {
    let site = Site::new();
    let mut screen = demo(&site, "still", &COLOURS);
    for view in ["1", "3", "5", "8"] {
        screen.keys(view);
        let before = settled(&screen, Duration::from_millis(700));
        std::thread::sleep(Duration::from_secs(3));
        // At most an age that grows into its next step meanwhile.
        let written = screen.bytes().len() - before;
        assert!(written <= 200, "view {view}: {written} bytes in three seconds");
    }
}

#[test]
fn a_busy_screen_stays_within_its_bytes() {
    let site = Site::new();
    let mut screen = demo(&site, "busy", &COLOURS);
    screen.keys("5");
    screen.shows("node-20");
    // At the end of a minute every strip moves by one: about 5 kB, once a minute, and no part of this budget. A machine
    // that stands still may bring one into any five seconds; then others are looked at.
    let (written, took) = loop {
        let (minute, begun) = (now() / 60, Instant::now());
        let before = screen.bytes().len();
        std::thread::sleep(Duration::from_secs(5));
        let (bytes, took) = (screen.bytes(), begun.elapsed());
        // The strips may be drawn a second late.
        if now() / 60 == minute && now() % 60 > 7 {
            break (bytes[before..].to_vec(), took);
        }
    };
    let frames = count(&written, FRAME);
    assert!(frames > 0, "figures change");
    // A thousand bytes a second, and a second's worth for what was held back before.
    let most = 1_000 * (took.as_secs() + 1);
    assert!(written.len() as u64 <= most, "{} bytes in {took:?}, {frames} frames", written.len());
}

#[test]
fn a_cursor_move_costs_little() {
    let site = Site::new();
    let mut screen = demo(&site, "still", &COLOURS);
    for view in ["2", "3", "5", "8"] {
        screen.keys(view);
        let mut before = settled(&screen, Duration::from_millis(900));
        let mut sizes = Vec::new();
        for key in ["j", "j", "j", "k", "k"] {
            screen.keys(key);
            let after = settled(&screen, Duration::from_millis(500));
            sizes.push(after - before);
            before = after;
        }
        sizes.sort_unstable();
        assert!(sizes[2] <= 400, "view {view}: {sizes:?} bytes");
    }
}

#[test]
fn without_colours_there_is_not_one_in_the_stream_and_every_severity_is_a_word() {
    let site = Site::new();
    let mut screen = demo(&site, "still", &[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]);
    for view in ["1", "2", "3", "5", "8", "?"] {
        screen.keys(view);
        settled(&screen, Duration::from_millis(200));
    }
    screen.keys("\x1b");
    settled(&screen, Duration::from_millis(400));
    screen.keys("5");
    settled(&screen, Duration::from_millis(200));
    for word in ["critical", "warn", "ok"] {
        screen.shows(word);
    }
    let bytes = screen.bytes();
    let text = String::from_utf8_lossy(&bytes);
    for sequence in text.split("\x1b[").skip(1) {
        let Some(end) = sequence.find(|c: char| c.is_ascii_alphabetic()) else { continue };
        if !sequence[end..].starts_with('m') {
            continue;
        }
        for parameter in sequence[..end].split(';').filter_map(|number| number.parse::<u32>().ok()) {
            let is_colour = matches!(parameter, 30..=38 | 40..=48 | 90..=97 | 100..=107);
            assert!(!is_colour, "a colour: {:?}", &sequence[..=end]);
        }
    }
}

#[test]
fn the_first_frame_waits_for_no_answer_of_the_terminal() {
    let site = Site::served();
    // This terminal never answers; the screen is there all the same.
    let mut screen = Screen::start_with(&site, &["attach"], (120, 40), &COLOURS);
    screen.shows("Is anything wrong?");
    screen.shows("attached");
    screen.keys("Q");
    assert!(screen.ends());
}
