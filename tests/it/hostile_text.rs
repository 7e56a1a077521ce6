//! Hostile text leaves only our own control bytes in what reaches the terminal.

use crate::support::{Screen, Site, borrowed, github, now, standard};

const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]52;c;b3duZWQ=\u{7}\u{9b}31m\u{202e}desrever\u{200b}hidden\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}日本語\u{85}[red]\r\u{8}e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}";

fn fill(site: &Site) {
    let body = serde_json::json!({
        "type": "note", "data": { "subject": format!("S{HOSTILE}"), "text": format!("T{HOSTILE}\nsecond"), "from": { "name": format!("N{HOSTILE}"), "email": format!("{HOSTILE}@example.org") } }
    })
    .to_string();
    let mut headers = standard(&site.secret("standard"), "m1", now(), body.as_bytes());
    headers.push(("x-hostile", "\u{9b}2J\u{202e}".to_owned()));
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
    let mut dead = github(&site.secret("github"), "d1", "push", b"\x1b]0;dead\x07");
    dead.push(("x-hostile", "\u{9b}2J".to_owned()));
    assert_eq!(site.post("/hooks/github", &borrowed(&dead), b"\x1b]0;dead\x07").status, 202);
    site.post("/hooks/standard", &[("webhook-id", "\u{9b}")], b"\x1b");
    site.projected(1);
}

/// Every escape sequence and control byte in `bytes`, except the ones aurora itself writes.
fn foreign(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut foreign = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                let mut sequence = String::new();
                match chars.next() {
                    Some('[') => {
                        for next in chars.by_ref() {
                            sequence.push(next);
                            if ('@'..='~').contains(&next) {
                                break;
                            }
                        }
                        // Cursor moves, colours, modes of ours, erasing when a screen begins and to the end of a line.
                        let last = sequence.chars().next_back();
                        let mode = sequence.starts_with("?25")
                            || sequence.starts_with("?1049")
                            || sequence.starts_with("?2004")
                            || sequence.starts_with("?2026")
                            || sequence.starts_with("?2031")
                            || sequence.starts_with("?1000")
                            || sequence.starts_with("?1006");
                        let own = matches!(last, Some('H' | 'C' | 'D' | 'm'))
                            || (matches!(last, Some('h' | 'l')) && mode)
                            || matches!(sequence.as_str(), "2J" | "K" | "c" | "22;0t" | "23;0t");
                        if !own {
                            foreign.push(format!("CSI {sequence}"));
                        }
                    }
                    // The title, and the question for the background.
                    Some(']') => {
                        let string: String = chars.by_ref().take_while(|c| *c != '\u{7}' && *c != '\u{1b}').collect();
                        let title = string.strip_prefix("2;").is_some_and(|title| title.contains("aurora"));
                        let question = string == "11;?" && chars.next() == Some('\\');
                        if !title && !question {
                            foreign.push(format!("OSC {string}"));
                        }
                    }
                    other => foreign.push(format!("ESC {other:?}")),
                }
            }
            '\n' | '\r' => {}
            c if c.is_control() => foreign.push(format!("{c:?}")),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
                foreign.push(format!("{c:?}"));
            }
            _ => {}
        }
    }
    foreign
}

#[test]
fn the_checker_sees_what_it_should() {
    assert!(foreign(b"\x1b[1;1H\x1b[31mtext\x1b[?25l").is_empty());
    for bad in [
        &b"\x1b]0;x\x07"[..],
        b"\x1b[5A",
        b"\x07",
        "\u{9b}2J".as_bytes(),
        "\u{202e}".as_bytes(),
        b"\x1bc",
        b"\x1b[?1003h",
    ] {
        assert!(!foreign(bad).is_empty(), "{bad:?}");
    }
}

#[test]
fn no_view_lets_it_through() {
    let site = Site::served();
    fill(&site);
    let mut screen = Screen::start(&site, &["attach"], (100, 30));
    screen.shows("What needs me?");
    let cleared = screen.bytes().windows(4).filter(|window| window == b"\x1b[2J").count();
    for (keys, shown) in [
        ("3", "Inbox"),
        ("\r", "Headers"),
        ("\t", "x-hostile"),
        ("\t", "\"type\""),
        ("\t", "\"data\""),
        // A key right behind escape would be one with alt.
        ("\x1b", "1 of"),
        ("8", "Refusals"),
        ("\t", "malformed-header"),
        ("\t", "listener"),
        ("\t", "Logs"),
        ("2", "listening"),
    ] {
        screen.keys(keys);
        screen.shows(shown);
    }
    let bytes = screen.bytes();
    assert_eq!(foreign(&bytes), Vec::<String>::new());
    assert_eq!(
        bytes.windows(4).filter(|window| window == b"\x1b[2J").count(),
        cleared,
        "nothing erased the screen again"
    );
}

#[test]
fn no_command_lets_it_through() {
    let site = Site::served();
    fill(&site);
    let message = site.json(&["inbox", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let event = message.replace("msg_", "evt_");
    for args in [
        &["inbox", "list"][..],
        &["inbox", "show", &message],
        &["inbox", "search", "second"],
        &["events", "list"],
        &["events", "show", &event],
        &["contact", "list"],
        &["channel", "list"],
        &["task", "list"],
        &["inbox", "list", "--json"],
        &["events", "show", &event, "--json"],
    ] {
        let output = site.aurora(args);
        assert!(output.status.success(), "{args:?}");
        assert_eq!(foreign(&output.stdout), Vec::<String>::new(), "{args:?}");
    }
}

#[test]
fn a_hostile_channel_name_is_refused_harmlessly() {
    let site = Site::with("[channels.\"\\u001b]0;owned\\u0007\"]\nprovider = \"github\"\nsecrets = [\"env:X\"]\n");
    let output = site.aurora(&["config", "check"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(foreign(&output.stderr), Vec::<String>::new());
    let named = Site::new();
    let output = named.aurora(&["send-test", "\u{1b}[2J"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(foreign(&output.stderr), Vec::<String>::new());
}
