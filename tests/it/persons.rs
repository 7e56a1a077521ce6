//! Contacts that are one person: one thread, whichever way they write.

use serde_json::Value;

use crate::support::{Screen, Site, borrowed, eventually, github, now, standard};

/// Ann writes in a form, and as octocat on GitHub; the ids of both contacts.
pub fn filled() -> (Site, String, String) {
    let site = Site::served();
    form(&site, "m1", "Pots", "I asked on GitHub, too");
    let body = br#"{"action":"opened","issue":{"number":7,"title":"Broken pots","body":"Two of them"},
        "repository":{"full_name":"octo/pots"},"sender":{"login":"octocat","id":1}}"#;
    let headers = github(&site.secret("github"), "d1", "issues", body);
    assert!(site.post("/hooks/github", &borrowed(&headers), body).status < 300);
    site.projected(2);
    let contacts = site.json(&["contact", "list"]);
    let id = |channel: &str| {
        let all = contacts.as_array().expect("contacts");
        let found = all.iter().find(|contact| contact["channel"] == channel).expect("one on each channel");
        found["id"].as_str().expect("an id").to_owned()
    };
    let (ann, octocat) = (id("standard"), id("github"));
    (site, ann, octocat)
}

/// A message by Ann.
pub fn form(site: &Site, id: &str, subject: &str, text: &str) {
    let body = serde_json::json!({"type": "note", "subject": subject, "text": text,
        "from": {"name": "Ann", "email": "ann@example.org"}})
    .to_string();
    let headers = standard(&site.secret("standard"), id, now(), body.as_bytes());
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
}

fn conversation(site: &Site, channel: &str) -> Value {
    let query = format!("channel:{channel}");
    site.json(&["inbox", "list", "--conversations", &query])["rows"][0].clone()
}

#[test]
fn two_contacts_become_one_thread_and_are_two_again() {
    let (site, ann, octocat) = filled();
    assert_eq!(site.ok(&["inbox", "count", "--contact", &ann]), "1");
    let said = site.aurora(&["contact", "merge", &ann, &octocat]);
    let (told, aside) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert_eq!(told.trim(), "ann@example.org is one person with github:octocat");
    assert!(aside.contains("to undo it within 10 seconds: aurora inbox undo act_"), "{aside}");
    let again = site.json(&["contact", "merge", &octocat, &ann]);
    assert_eq!((&again["changed"], &again["contact"]["others"][0]["id"]), (&0.into(), &ann.as_str().into()), "{again}");

    let list = site.ok(&["contact", "list"]);
    assert_eq!(list.lines().count(), 2, "a heading and a person: {list}");
    assert!(list.contains(" and 1 more"), "{list}");
    let shown = site.ok(&["contact", "show", &ann]);
    assert!(shown.contains("ann@example.org") && shown.contains("github:octocat"), "{shown}");
    assert_eq!(site.ok(&["inbox", "count", "--contact", &ann]), "2");
    assert_eq!(site.ok(&["inbox", "count", "--contact", &octocat]), "2");

    let row = conversation(&site, "standard");
    assert_eq!(row["addresses"], 2);
    let id = row["id"].as_str().expect("an id");
    let page = site.json(&["inbox", "show", id]);
    let of = |index: usize| &page["entries"][index]["message"];
    assert_eq!((&of(0)["row"]["channel"], &of(0)["elsewhere"]), (&"standard".into(), &false.into()), "{page}");
    assert_eq!((&of(1)["row"]["channel"], &of(1)["elsewhere"]), (&"github".into(), &true.into()), "{page}");
    assert_eq!(page["person"].as_array().map(Vec::len), Some(2));
    let thread = site.ok(&["inbox", "show", id]);
    for words in ["one thread with", "github:octocat (github)", "Two of them", "github, another conversation"] {
        assert!(thread.contains(words), "{words:?}: {thread}");
    }
    site.ok(&["inbox", "ack", id]);
    assert_eq!(conversation(&site, "github")["acked"], Value::Null, "what is elsewhere was not taken");

    assert_eq!(site.ok(&["contact", "vip", &octocat]), "github:octocat is a VIP");
    assert_eq!(site.ok(&["inbox", "count", "--vip"]), "2", "both are the same VIP");
    assert_eq!(site.panel("github")["unread_vip"], 1);
    site.ok(&["contact", "vip", "--remove", &ann]);
    assert_eq!(site.ok(&["inbox", "count", "--vip"]), "0");

    let told = site.ok(&["contact", "split", &ann]);
    assert_eq!(told, "ann@example.org is a person by itself");
    assert_eq!(site.ok(&["contact", "split", &octocat]), "github:octocat is a person by itself already");
    assert_eq!(site.ok(&["inbox", "count", "--contact", &ann]), "1");
    assert_eq!(site.ok(&["contact", "list"]).lines().count(), 3);
    let audit = site.ok(&["audit", "list"]);
    for words in [&format!("is the same person as {octocat}"), "is a person by itself"] {
        assert!(audit.contains(words), "{audit}");
    }
}

#[test]
fn what_was_said_of_a_person_is_undone_and_what_cannot_be_is_refused() {
    let (site, ann, octocat) = filled();
    let merged = site.json(&["contact", "merge", &ann, &octocat]);
    let act = merged["id"].as_str().expect("an id");
    assert_eq!(site.ok(&["inbox", "undo", act]), "2 restored");
    assert_eq!(site.ok(&["contact", "list"]).lines().count(), 3);
    let line = format!("merge {ann} {octocat}");
    assert_eq!(site.ok(&["do", &line]), "ann@example.org is one person with github:octocat");
    let said = site.aurora(&["do", &format!("split {ann}")]);
    let aside = String::from_utf8_lossy(&said.stderr).into_owned();
    let undo = aside.trim().rsplit(' ').next().expect("an id");
    assert_eq!(site.ok(&["do", "undo", undo]), "2 as before");

    let refused = |args: &[&str]| {
        let output = site.aurora(args);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let nobody = "con_01a1fbc1535071810000000000000001";
    for (args, exit, words) in [
        (["contact", "merge", &ann, &ann], 1, "two are needed to be one person"),
        (["contact", "merge", &ann, nobody], 1, "no contact has the id con_01a1"),
        (["contact", "merge", "x", &ann], 2, "con_"),
    ] {
        let (code, said) = refused(&args);
        assert!(code == Some(exit) && said.contains(words), "{args:?}: {code:?} {said}");
    }
    let (code, said) = refused(&["--read-only", "contact", "split", &ann]);
    assert!(code == Some(5) && said.contains("read-only"), "{code:?} {said}");
    let keys: Vec<String> = merged.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, ["id", "changed", "contact"]);
}

#[test]
fn a_screen_makes_one_thread_of_two_contacts() {
    let (site, ann, octocat) = filled();
    let mut screen = Screen::start(&site, &["attach"], (120, 30));
    screen.keys("3");
    screen.shows("Broken pots");
    screen.keys("\r");
    screen.shows("Headers");
    screen.shows("Two of them");
    screen.keys("=");
    screen.shows("same person as Ann, ann@example.org on standard");
    screen.keys("ann\r");
    screen.shows("are one person: what they write is one thread");
    screen.shows("octocat, github:octocat on github, 1 message");
    eventually("the question hears keys", || {
        screen.keys("y");
        site.json(&["contact", "show", &ann])["others"][0]["id"] == octocat.as_str()
    });
    screen.shows("what you do here is about this conversation on github");
    screen.shows("-- Ann on standard, another conversation, new");
    screen.shows("2 addre");
    // Every screen hears of it, whoever says it.
    site.ok(&["contact", "split", &octocat]);
    screen.hides("another conversation");
    screen.hides("2 addre");
}
