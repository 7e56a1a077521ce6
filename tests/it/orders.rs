//! `aurora do`: the palette's orders from a shell, on the running engine, under the same roles.

use crate::support::{Screen, Site};

fn code(site: &Site, args: &[&str]) -> (Option<i32>, String) {
    let output = site.aurora(args);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_the_palette_does_is_done_from_a_shell() {
    let site = Site::served();
    site.ok(&["send-test", "standard", "--count", "2"]);
    site.projected(2);
    let ids: Vec<String> = site
        .json(&["inbox", "list"])
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["id"].as_str().expect("an id").to_owned())
        .collect();
    let line = format!("ack {} {}", ids[0], ids[1]);
    assert_eq!(site.ok(&["do", &line]), "2 taken");
    assert_eq!(site.ok(&["inbox", "count", "--unread"]), "0");
    let done = site.json(&["do", &format!("unread {}", ids[0])]);
    assert_eq!((&done["verb"], &done["changed"]), (&"unread".into(), &1.into()), "{done}");
    let words = |verb: &str, rest: &str| site.ok(&["do", &format!("{verb} {} {rest}", ids[0])]);
    assert_eq!(words("label", "late"), "1 labelled late");
    assert_eq!(words("note", "she waits for a call"), "1 noted");
    assert_eq!(words("assign", "nobody"), "0 assigned to nobody");
    assert_eq!(words("snooze", "until-reply"), "1 snoozed until a new message");
    assert_eq!(words("wake", ""), "1 brought back");
    assert_eq!(site.ok(&["do", "save view late ones: label:late"]), "the view late ones is kept");
    assert_eq!(site.json(&["inbox", "list", "--view", "late ones", "--conversations"])["rows"][0]["notes"], 1);
    assert_eq!(site.ok(&["do", "delete view late ones"]), "there is no view late ones any more");
    let labelled = site.aurora(&["do", &format!("unlabel {} late", ids[0])]);
    let said = String::from_utf8_lossy(&labelled.stderr).into_owned();
    let undo = said.trim().rsplit(' ').next().expect("an id");
    assert_eq!(site.ok(&["do", "undo", undo]), "1 as before");
    assert_eq!(site.ok(&["do", "restart", "search", "index"]), "search index is started again");
    assert_eq!(site.ok(&["do", "reload"]), "the configuration was read again");
    let row = &site.json(&["inbox", "list"])[0];
    let contact = row["contact"].as_str().map(str::to_owned);
    if let Some(contact) = contact {
        assert!(site.ok(&["do", &format!("vip {contact}")]).ends_with("is a VIP"));
    }
    let unknown = "ack msg_01a1fbc1535071810000000000000001";
    let (exit, said) = code(&site, &["do", unknown]);
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("no such conversation or message"), "{said}");
    let (exit, said) = code(&site, &["do", "restart nothing"]);
    assert!(exit == Some(1) && said.contains("no task is called \"nothing\""), "{said}");
    let (exit, said) = code(&site, &["--read-only", "do", "reload"]);
    assert!(exit == Some(5) && said.contains("read-only"), "{said}");
}

#[test]
fn a_line_that_cannot_be_read_is_usage_and_needs_no_engine() {
    let site = Site::new();
    for (line, said) in [
        ("akc x", "column 1: no verb is called `akc`; did you mean `ack`?"),
        ("inbox unread", "`aurora open 'inbox unread'` goes there"),
        ("ack", "column 5: `ack` needs ID…"),
        ("\u{1b}[2J", "no verb is called"),
    ] {
        let (exit, error) = code(&site, &["do", line]);
        assert!(exit == Some(2) && error.contains(said) && !error.contains('\u{1b}'), "{line:?}: {error}");
    }
    let list = site.ok(&["do", "--list"]);
    assert!(list.contains("restart") && list.contains("operator"), "{list}");
    assert!(site.json(&["do", "--list"]).as_array().is_some_and(|verbs| verbs.len() > 5));
    let (exit, error) = code(&site, &["do", "reload"]);
    assert!(exit == Some(4) && error.contains("no engine listens"), "{error}");
}

#[test]
fn a_viewer_is_denied_in_words() {
    let uid = rustix::process::geteuid().as_raw();
    let mut site = Site::with(&format!("[operators.anna]\nrole = \"viewer\"\nunix = {uid}\n"));
    site.serve();
    for verb in site.json(&["do", "--list"]).as_array().expect("verbs") {
        assert!(verb["role"] == "operator" || verb["role"] == "approver", "{verb}");
    }
    let (exit, error) = code(&site, &["do", "reload"]);
    assert!(exit == Some(5) && error.contains("this needs the role operator; anna has the role viewer"), "{error}");
}

#[test]
fn a_place_is_read_before_the_screen_starts() {
    let site = Site::new();
    for (place, said) in [
        ("helth", "column 1: no place is called `helth`; did you mean `health`?"),
        ("health /tls @hub-2", "column 13: no node is called `hub-2`; the only one known here is `@"),
        ("inbox form:x", "column 7: no condition is called `form:`; did you mean `from:`?"),
        ("health nothing", "column 8: no check is called `nothing`"),
        ("reload", "this is an order; `aurora do \"reload\"` does it"),
        ("health", "this is no terminal"),
    ] {
        let (exit, error) = code(&site, &["open", place]);
        assert!(exit == Some(2) && error.contains(said), "{place:?}: {error}");
    }
}

/// The whole way through a real terminal: open at a place, palette, history, what is urgent, and back after a hang-up.
#[test]
fn an_operator_finds_the_way() {
    let site = Site::served();
    site.ok(&["send-test", "standard"]);
    site.projected(1);
    let mut screen = Screen::start(&site, &["open", "health", "/disk"], (100, 30));
    screen.shows("/disk");
    screen.shows("hidden");
    screen.keys(":inbox unread\r");
    screen.shows("Hello from aurora");
    screen.keys("[");
    screen.shows("/disk");
    screen.keys("]");
    screen.shows("Hello from aurora");
    screen.keys("-");
    screen.shows("/disk");
    screen.keys("n");
    screen.shows("1 of ");
    // An order with an argument, chosen step by step.
    screen.keys(":restart \u{1b}");
    screen.shows("Palette: do, go to");
    screen.keys("restart search index\r");
    screen.shows("search index is started again");
    // A place that cannot be is explained and leads nowhere.
    screen.keys(":inbox form:x\r");
    screen.shows("did you mean `from:`?");
    screen.keys("\u{3}");
    screen.hides("Palette: do, go to");
    screen.keys("8\t");
    screen.shows("Refusals");
    screen.signal(rustix::process::Signal::HUP);
    assert!(screen.ends());
    let mut screen = Screen::start(&site, &["attach"], (100, 30));
    screen.shows("back where the line to the terminal broke");
    screen.keys(":\u{1b}[A");
    screen.shows(": restart search index");
    screen.keys("\u{3}Q");
    assert!(screen.ends());
    let mut screen = Screen::start(&site, &["attach"], (100, 30));
    screen.shows("What needs me?");
    screen.keys("Q");
    assert!(screen.ends());
}
