//! A newcomer's path: start, first message, search, ack, another theme, quit. Only what the screen says is used.

use std::process::{Command, Stdio};

use crate::support::{AURORA, Screen, Site, eventually};

#[test]
fn from_the_first_start_to_a_message_that_is_taken_and_a_theme_that_is_liked() {
    // Its own port and no API: other tests run beside it. Everything else is the default.
    let site = Site::bare("");
    let mut screen = Screen::start(&site, &[], (80, 24));
    // The first screen says what to do, in words that can be typed as they stand.
    screen.shows("Nothing has come in yet");
    screen.shows("aurora send-test standard");
    screen.shows("? help");
    screen.shows("listening");
    let sent = Command::new(AURORA)
        .args(site.args())
        .args(["send-test", "standard", "--text", "Hello from the newcomer"])
        .stdin(Stdio::null())
        .status()
        .expect("aurora runs");
    assert!(sent.success());
    screen.shows("Hello from the newcomer");
    // Help leads to everything, and is left by the key it names.
    screen.keys("?");
    screen.shows("What can be done here");
    screen.shows("search");
    screen.keys("\x1b");
    screen.hides("What can be done here");
    eventually("the message is indexed", || {
        site.json(&["inbox", "search", "newcomer"]).as_array().is_some_and(|found| !found.is_empty())
    });
    screen.keys("/");
    screen.shows("search:");
    screen.keys("newcomer");
    screen.shows("1 found");
    screen.keys("\r\r");
    screen.shows("A sample from");
    screen.keys("a");
    eventually("it is taken", || {
        let rows = site.json(&["inbox", "list"]);
        rows.as_array().is_some_and(|rows| rows.iter().any(|row| !row["marks"]["acked"].is_null()))
    });
    screen.keys("Q");
    screen.shows("stop it");
    screen.keys("s");
    assert!(screen.ends());
    assert!(screen.is_restored());
    // The same place the next day, in other colours.
    let mut screen = Screen::start_with(&site, &["--theme", "light"], (80, 24), &[("COLORTERM", "truecolor")]);
    screen.shows("nothing needs you");
    assert!(String::from_utf8_lossy(&screen.bytes()).contains("\x1b[38;2;"), "the colours of the theme");
    screen.keys("Q");
    screen.shows("stop it");
    screen.keys("s");
    assert!(screen.ends());
    assert_eq!(site.ok(&["inbox", "count"]), "1");
}
