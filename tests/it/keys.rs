//! Keys as data: what the commands tell of them, and a reload that reaches a screen that is open.

use std::path::Path;

use crate::support::{Screen, Site};

/// Writes the file again with these lines behind its own; nobody reads half of it.
fn rewrite(site: &Site, original: &str, lines: &str) {
    let (file, next) = (site.path().join("config.toml"), site.path().join("next.toml"));
    std::fs::write(&next, format!("{original}\n{lines}")).expect("writes");
    std::fs::rename(&next, &file).expect("renames");
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("reads")
}

#[test]
fn keys_are_listed_with_where_they_come_from() {
    let site = Site::with("[keys.inbox]\nack = [\"x\", \"ctrl-x a\"]\n");
    let file = site.path().join("config.toml");
    let line = read(&file).lines().position(|line| line.starts_with("ack = ")).expect("a line") + 1;
    let list = site.json(&["keys", "list", "inbox"]);
    let rows = list.as_array().expect("rows");
    let fields: Vec<&str> = rows[0].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, ["context", "action", "keys", "source", "does"]);
    let row = |context: &str, action: &str| {
        rows.iter().find(|row| row["context"] == context && row["action"] == action).expect("is listed")
    };
    assert_eq!(row("inbox", "ack")["keys"], serde_json::json!(["x", "ctrl-x a"]));
    assert_eq!(row("inbox", "ack")["source"], format!("{}:{line}", file.display()));
    assert_eq!(row("global", "next_urgent")["source"], "default");
    assert!(rows.iter().all(|row| row["context"] != "tasks"), "what does not count there is left out");
    assert!(site.ok(&["keys", "list"]).contains("restart the task"));
    let wrong = site.aurora(&["keys", "list", "inbx"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `inbox`?"), "{wrong:?}");
}

#[test]
fn a_check_tells_mistakes_with_their_line_and_what_no_key_reaches() {
    let site = Site::with("[keys.inbox]\nack = \"n\"\n");
    let said = site.ok(&["keys", "check"]);
    assert!(said.contains("no key reaches `next_urgent` in `inbox`: `n` is for `ack` in `inbox`"), "{said}");
    let site = Site::with("[keys.inbox]\nack = \"x\"\nfilter = \"x\"\n");
    let wrong = site.aurora(&["keys", "check"]);
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr);
    let file = site.path().join("config.toml");
    let line = |start: &str| read(&file).lines().position(|line| line.starts_with(start)).expect("a line") + 1;
    assert!(said.contains(&format!("{}:{}:10", file.display(), line("filter = "))), "{said}");
    assert!(said.contains(&format!("`x` is `ack` already on line {}", line("ack = "))), "{said}");
}

#[test]
fn a_reload_reaches_the_screen_that_is_open_and_a_mistake_changes_nothing() {
    let mut site = Site::new();
    let original = read(&site.path().join("config.toml"));
    site.serve();
    let mut screen = Screen::start(&site, &["attach"], (80, 24));
    screen.shows("? help");
    rewrite(&site, &original, "[keys.global]\nhelp = \"f1\"\ngo_inbox = \"g i\"\n");
    screen.shows("f1 help");
    screen.keys("gi");
    screen.shows("no messages");
    screen.keys("1g");
    screen.shows("g and then");
    screen.keys("\u{1b}");
    screen.hides("g and then");
    rewrite(&site, &original, "[keys.global]\nhelp = \"f2\"\ngo_inbox = \"f2\"\n");
    screen.shows("the configuration is not in force");
    // What is said at the bottom stays until a key.
    screen.keys("5");
    screen.shows("f1 help");
}
