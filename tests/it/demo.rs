//! `aurora demo`: the made-up world in a terminal, and on its own.

use std::collections::HashMap;
use std::path::Path;

use aurora::client::Client;
use aurora::config::Theme;
use aurora::demo::{Demo, Scene, World};
use aurora::protocol::{Notice, Update};
use aurora::tui::{ColourMode, Headless, Look};
use jiff::Timestamp;
use rustix::process::Signal;

use crate::support::{PATIENCE, Screen, Site};

/// A demo on a screen, with its files below the directory of `site`.
fn demo(site: &Site, args: &[&str], size: (u16, u16)) -> Screen {
    let dir = site.path().to_str().expect("text");
    Screen::start_with(site, &[&["demo"], args].concat(), size, &[("TMPDIR", dir)])
}

/// What demos have left below the directory of `site`.
fn left(site: &Site) -> Vec<String> {
    let entries = std::fs::read_dir(site.path()).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("aurora-demo-")).collect()
}

#[test]
fn the_demo_is_a_place_to_work_in_and_leaves_nothing_behind() {
    let site = Site::new();
    let mut screen = demo(&site, &["--scene", "still"], (160, 40));
    screen.shows("DEMO");
    screen.shows("status == 200: got 503");
    assert_eq!(left(&site).len(), 1);
    screen.keys("3/");
    screen.shows("search:");
    screen.keys("Hecke");
    screen.shows("2 found");
    screen.keys("\r\r");
    screen.shows("Der Gärtner steht schon im Garten");
    screen.keys("a");
    screen.shows("taken by");
    // There is nothing to choose: nothing of it goes on without the screen.
    screen.keys("Q");
    assert!(screen.ends());
    assert!(screen.is_restored());
    assert_eq!(left(&site), [""; 0]);
    assert!(!site.path().join("state/aurora.db").exists(), "the state directory on the command line is not touched");
}

#[test]
fn a_demo_that_is_ended_leaves_nothing_behind_either() {
    let site = Site::new();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut screen = demo(&site, &[], (80, 24));
        screen.shows("DEMO");
        screen.signal(signal);
        assert!(screen.ends());
        assert_eq!(left(&site), [""; 0]);
    }
}

#[test]
fn the_hostile_message_stays_text() {
    let site = Site::new();
    let screen = demo(&site, &["--scene", "still"], (120, 40));
    screen.shows("You won");
    let bytes = screen.bytes();
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(!has(b"\x1b]0;owned") && !has(b"\x1b]52") && !has("\u{202e}".as_bytes()));
}

#[tokio::test]
async fn in_a_busy_world_forty_rows_change_every_second() {
    let world = World { scene: Scene::Busy, seed: 1, began: Timestamp::now() };
    let (demo, _logs) = Demo::begin(world).await.expect("plays");
    let mut client = Client::embedded(demo.handle(), true, false).await.expect("is let in");
    let mut seen: HashMap<String, Vec<std::time::Duration>> = HashMap::new();
    let counting = async {
        while seen.len() < 40 || seen.values().any(|figures| figures.len() < 4) {
            let update = client.next().await.expect("it goes on");
            let Update::Notice(Notice::Checks(panels)) = update else { continue };
            for panel in panels {
                seen.entry(panel.id.to_string()).or_default().extend(panel.latency);
            }
        }
    };
    let started = Timestamp::now();
    tokio::time::timeout(PATIENCE, counting).await.expect("everybody's figures change");
    let seconds = Timestamp::now().duration_since(started).as_secs() + 2;
    for (id, figures) in seen {
        assert!(figures.windows(2).all(|pair| pair[0] != pair[1]), "{id}: {figures:?}");
        assert!(figures.len() <= usize::try_from(seconds).expect("positive"), "{id}: once a second: {figures:?}");
    }
    let dir = demo.dir().to_owned();
    assert!(Path::new(&dir).join("aurora.db").exists());
    demo.end().await.expect("ends");
    assert!(!dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_made_up_hosts_ends_waits_or_is_taken_back() {
    let world = World { scene: Scene::Still, seed: 1, began: Timestamp::now() };
    let (demo, _logs) = Demo::begin(world).await.expect("plays");
    let client = Client::embedded(demo.handle(), true, false).await.expect("is let in");
    let look = Look::new(&Theme::built_in("terminal").expect("a theme"), ColourMode::None, false);
    let mut screen = Headless::open(client, look, (100, 30), world.began).await;
    let steps = [
        (":run db-1 uptime\r", "no road now"),
        ("y", "no road leads to db-1"),
        ("C", "Stop this job?"),
        ("y", "operator took it back"),
        (":run web-2 restart service=shop\r", "this would run"),
        ("web-2\r", "shop runs again"),
        ("1n", "may have run"),
        ("R", "Did this job run?"),
        ("\tlooked there\r", "by a person's word"),
    ];
    for (keys, seen) in steps {
        // Confirmations hear nothing in their first moments.
        screen.pass(std::time::Duration::from_secs(1));
        screen.press(keys).await;
        tokio::time::timeout(PATIENCE, screen.wait_for(seen)).await.expect(seen);
    }
    drop(screen);
    demo.end().await.expect("ends");
}

#[test]
fn pictures_are_the_same_whenever_they_are_made() {
    let site = Site::new();
    let picture = |name: &str| {
        let path = site.path().join(name);
        let file = path.to_str().expect("text");
        site.ok(&["demo", "--scene", "still", "--keys", "5", "--size", "100x30", "--picture", file]);
        std::fs::read_to_string(path).expect("a picture")
    };
    let first = picture("one.svg");
    assert_eq!(first, picture("two.svg"));
    assert!(first.contains("status == 200: got 503") && first.contains("DEMO"));
}

#[test]
fn the_pictures_of_the_documentation_show_the_demo() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    let mut count = 0;
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "svg") {
            continue;
        }
        let svg = std::fs::read_to_string(&path).expect("a picture");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{}", path.display());
        assert!(svg.contains("DEMO"), "{}", path.display());
        assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count(), "{}", path.display());
        assert!(!svg.contains(|c: char| c.is_control() && c != '\n'), "{}", path.display());
        count += 1;
    }
    assert!(count >= 7);
}
