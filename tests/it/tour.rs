//! `aurora demo --tour`: each step is done with the keys it names, on the screens of the demo.

use std::time::Duration;

use aurora::client::Client;
use aurora::config::Theme;
use aurora::demo::{Demo, Scene, World};
use aurora::tui::{ColourMode, Headless, Look};
use jiff::Timestamp;

use crate::matrix::text;
use crate::support::{Screen, Site};

/// What is pressed and what is to be seen before the next keys, step by step. Confirmations hear nothing in the first
/// moments.
const WALK: [&[(&str, &str)]; 8] = [
    &[("n", "may have run")],
    &[("3", "13 unread"), ("\r", "Ida Holm"), ("a", "done: 1 taken")],
    &[("u", "undone: 1 as before")],
    &[("/order", "68 found"), ("\r", "? help")],
    &[("5", "1 critical"), ("\r", "status == 200: got 503")],
    &[(":run web-1 uptime", "How long it runs"), ("\r", "y run it"), ("y", "over tmux; it worked")],
    &[("7", "0 of 1 yes"), ("a", "Say yes to exactly this?"), ("y", "1 of 1 yes")],
    &[("?", "What can be done here")],
];

/// A world that stands still since `began`, with a screen of it on the tour.
async fn toured(size: (u16, u16), began: Timestamp) -> (Demo, Headless) {
    let (demo, _logs) = Demo::begin(World { scene: Scene::Still, seed: 1, began }).await.expect("plays");
    let client = Client::embedded(demo.handle(), true, false).await.expect("is let in");
    let look = Look::new(&Theme::built_in("terminal").expect("a theme"), ColourMode::None, false);
    let mut screen = Headless::open(client, look, size, began).await;
    screen.begin_tour();
    (demo, screen)
}

async fn sees(screen: &mut Headless, seen: &str) {
    let waited = tokio::time::timeout(Duration::from_mins(1), screen.wait_for(seen)).await;
    assert!(waited.is_ok(), "nothing shows {seen:?}:\n{}", text(&screen.frame()));
}

async fn walk(size: (u16, u16)) {
    let (demo, mut screen) = toured(size, Timestamp::now()).await;
    for (number, step) in (1..).zip(WALK) {
        let title = format!("Tour {number} of 8");
        for (keys, seen) in step {
            // What was done to get here is not what this step asks for.
            sees(&mut screen, &title).await;
            screen.pass(Duration::from_secs(1));
            screen.press(keys).await;
            sees(&mut screen, seen).await;
        }
    }
    let frame = text(&screen.frame());
    assert!(!frame.contains("Tour") && frame.contains("that was the tour"), "{frame}");
    drop(screen);
    demo.end().await.expect("ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_done_with_the_keys_it_names_at_80x24() {
    Box::pin(walk((80, 24))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_at_60x18_and_120x40() {
    Box::pin(walk((60, 18))).await;
    Box::pin(walk((120, 40))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_says_what_to_do_below_the_view_it_is_about() {
    for size in [(80, 24), (60, 18)] {
        // Past: what the engine does now then has the age of something new.
        let began = Timestamp::from_second(1_795_165_200).expect("in range");
        let (demo, mut screen) = toured(size, began).await;
        insta::assert_snapshot!(format!("tour_begins_{}x{}", size.0, size.1), text(&screen.frame()));
        // Four are skipped.
        screen.press("\x0e\x0e\x0e\x0e5").await;
        sees(&mut screen, "Tour 5 of 8").await;
        insta::assert_snapshot!(format!("tour_check_{}x{}", size.0, size.1), text(&screen.frame()));
        drop(screen);
        demo.end().await.expect("ends");
    }
}

#[test]
fn it_is_begun_from_the_command_line_and_left_by_a_key() {
    let site = Site::new();
    let dir = site.path().to_str().expect("text");
    let mut screen = Screen::start_with(&site, &["demo", "--tour", "--scene", "still"], (80, 24), &[("TMPDIR", dir)]);
    screen.shows("Tour 1 of 8: what needs you");
    screen.keys("n");
    screen.shows("Tour 2 of 8");
    screen.keys("\x0e");
    screen.shows("Tour 3 of 8");
    screen.keys("\x18");
    screen.hides("Tour");
    screen.keys("Q");
    assert!(screen.ends());
    let help = site.ok(&["demo", "--help"]);
    assert!(help.contains("--tour"), "{help}");
}
