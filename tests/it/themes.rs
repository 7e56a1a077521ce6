//! Themes and what terminals show of them, through the whole program.

use crate::support::{Screen, Site, borrowed, eventually, now, standard};

/// Variables of an environment.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// The parameters of every SGR sequence in `bytes`.
fn sgr(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    sequences.collect()
}

/// Whether an SGR sequence is about a colour.
fn is_colour(parameters: &str) -> bool {
    let colour = |number: u32| matches!(number, 30..=49 | 58 | 59 | 90..=107);
    parameters.split([';', ':']).filter_map(|number| number.parse().ok()).any(colour)
}

#[test]
fn without_colours_the_stream_holds_none_and_everything_is_said_in_words() {
    let site = Site::with(
        "[[checks]]\nid = \"full\"\ntype = \"disk\"\npath = \"/\"\nwhen = 'used < 0%'\nalert = { fail = 1, ok = 1 }\n",
    );
    let no_color: (&[&str], Variables<'_>) = (&[], &[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]);
    let never: (&[&str], Variables<'_>) = (&["--color", "never", "--theme", "dark"], &[("COLORTERM", "truecolor")]);
    for (args, env) in [no_color, never] {
        let mut screen = Screen::start_with(&site, args, (80, 24), env);
        screen.shows("listening");
        screen.shows("crit");
        for (keys, word) in [("5", "critical"), ("8", "Refusals"), ("3", "no messages")] {
            screen.keys(keys);
            screen.shows(word);
        }
        let found = sgr(&screen.bytes());
        let coloured: Vec<_> = found.iter().filter(|parameters| is_colour(parameters)).collect();
        assert!(coloured.is_empty(), "{args:?}: {coloured:?}");
        assert!(found.iter().any(|parameters| parameters == "7"), "{args:?}: focus is reverse video: {found:?}");
        screen.keys("Qs");
        assert!(screen.ends());
    }
}

#[test]
fn each_terminal_gets_the_colours_it_knows() {
    let site = Site::served();
    let exact = |found: &[String]| found.iter().any(|parameters| parameters.contains("38;2;"));
    let cases: [(Variables<'_>, &[&str], bool); 4] = [
        (&[("COLORTERM", "truecolor")], &["attach"], true),
        (&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")], &["attach", "--color", "always"], true),
        (&[], &["attach"], false),
        (&[("TERM", "linux")], &["attach"], false),
    ];
    for (env, args, expected) in cases {
        let mut screen = Screen::start_with(&site, &[args, &["--theme", "dark"]].concat(), (80, 24), env);
        screen.shows("listening");
        assert_eq!(exact(&sgr(&screen.bytes())), expected, "{env:?}");
        screen.keys("Q");
        assert!(screen.ends());
    }
}

#[test]
fn the_background_is_asked_after_the_first_frame_and_only_where_it_matters() {
    let site = Site::with("[tui]\ntheme = \"auto\"\n");
    let colours: Variables<'_> = &[("COLORTERM", "truecolor")];
    let at = |screen: &Screen, what: &[u8]| screen.bytes().windows(what.len()).position(|window| window == what);
    let mut screen = Screen::start_with(&site, &[], (80, 24), colours);
    screen.shows("listening");
    let frame = at(&screen, b"Overview").expect("a frame");
    eventually("the question", || at(&screen, b"\x1b]11;?").is_some_and(|question| question > frame));
    let exact = |screen: &Screen| sgr(&screen.bytes()).iter().any(|parameters| parameters.contains("48;2;251;251;248"));
    assert!(!exact(&screen), "until it answers the terminal's own colours are used");
    screen.send(b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    eventually("the light theme", || exact(&screen));
    screen.send(b"\x1b[?997;1n");
    let dark = |screen: &Screen| sgr(&screen.bytes()).iter().any(|parameters| parameters.contains("48;2;20;24;31"));
    eventually("the dark theme", || dark(&screen));
    screen.shows("listening");
    screen.keys("Qs");
    assert!(screen.ends());
    let plain = Site::served();
    let mut screen = Screen::start_with(&plain, &["attach", "--theme", "dark"], (80, 24), colours);
    screen.shows("listening");
    screen.keys("Q");
    assert!(screen.ends());
    assert_eq!(at(&screen, b"\x1b]11;?"), None);
}

#[test]
fn themes_are_listed_and_linted() {
    let site = Site::new();
    std::fs::create_dir(site.path().join("themes")).expect("makes");
    std::fs::write(site.path().join("themes/grey.toml"), "base = \"light\"\nmuted = \"#bbbbbb\"\n").expect("writes");
    let themes = site.json(&["theme", "list"]);
    let names: Vec<&str> =
        themes.as_array().expect("a list").iter().filter_map(|theme| theme["name"].as_str()).collect();
    let built_in = ["terminal", "dark", "light", "high-contrast", "deuteranopia", "protanopia", "tritanopia"];
    assert_eq!(names, [&built_in[..], &["grey"]].concat());
    assert_eq!(themes[0]["roles"][0]["paints"], "Ordinary text.");
    for name in built_in {
        assert!(site.ok(&["theme", "lint", name]).starts_with(&format!("{name}: fine")));
    }
    assert!(site.ok(&["theme", "lint", "terminal"]).contains("cannot be known"));
    let linted = site.aurora(&["theme", "lint"]);
    assert_eq!(linted.status.code(), Some(1));
    let text = String::from_utf8_lossy(&linted.stdout).into_owned();
    assert!(text.contains("muted: contrast 1.8") && text.contains("at least 4.5"), "{text}");
    let file = site.path().join("themes/broken.toml");
    std::fs::write(&file, "base = \"dark\"\nwran = \"red\"\n").expect("writes");
    let linted = site.aurora(&["theme", "lint", file.to_str().expect("a path")]);
    let text = String::from_utf8_lossy(&linted.stdout).into_owned();
    assert!(text.contains("broken.toml:2:1") && text.contains("did you mean `warn`?"), "{text}");
    let output = site.aurora(&["--theme", "neon", "attach"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_theme_that_changes_changes_the_screen_and_a_broken_one_says_where() {
    let site = Site::with("[tui]\ntheme = \"mine\"\n");
    let file = site.path().join("themes/mine.toml");
    std::fs::create_dir(site.path().join("themes")).expect("makes");
    std::fs::write(&file, "ok = \"#010203\"\n").expect("writes");
    let mut screen = Screen::start_with(&site, &[], (100, 24), &[("COLORTERM", "truecolor")]);
    screen.shows("listening");
    let drawn = |colour: &str| sgr(&screen.bytes()).iter().any(|parameters| parameters.contains(colour));
    assert!(drawn("38;2;1;2;3"));
    std::fs::write(&file, "ok = \"#040506\"\n").expect("writes");
    crate::support::eventually("the new colour", || drawn("38;2;4;5;6"));
    std::fs::write(&file, "ok = \"#040506\"\nokk = \"#040506\"\n").expect("writes");
    screen.shows("mine.toml:2:1");
    screen.keys("Qs");
    assert!(screen.ends());
}

#[test]
fn a_dumb_terminal_is_told_in_sentences() {
    let site = Site::with(
        "[[checks]]\nid = \"full\"\ntype = \"disk\"\npath = \"/\"\nwhen = 'used < 0%'\nalert = { fail = 1, ok = 1 }\n",
    );
    let mut screen = Screen::start_with(&site, &[], (200, 50), &[("TERM", "dumb")]);
    screen.shows("For the full screen");
    screen.shows("aurora on test: 0 unread messages on 6 channels, 0 of them from VIPs.");
    screen.shows("Critical: check full is critical");
    for (id, subject) in [("m1", "Late order"), ("m2", "Another one")] {
        let body = format!(
            r#"{{"type":"note","subject":"{subject}","text":"x","from":{{"name":"Ann","email":"ann@example.org"}}}}"#
        );
        let headers = standard(&site.secret("standard"), id, now(), body.as_bytes());
        assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
        screen.shows(&format!("Message from Ann on standard: {subject}."));
    }
    let text = String::from_utf8(screen.bytes()).expect("text");
    assert!(!text.contains('\x1b'), "no cursor moves, no colours: {text:?}");
    assert_eq!(text.matches("Critical: check full").count(), 1, "{text}");
    assert_eq!(text.matches("Late order").count(), 1, "{text}");
    screen.keys("\x03");
    assert!(screen.ends());
}

#[test]
fn a_plain_watch_tells_what_begins_and_what_is_over() {
    let mut site = Site::with(
        "[[checks]]\nid = \"flag\"\ntype = \"tcp\"\nhost = \"127.0.0.1\"\nport = 1\ninterval = \"1s\"\nalert = { fail = 1, ok = 1 }\n",
    );
    site.serve();
    let mut screen = Screen::start_with(&site, &["watch", "--plain"], (200, 50), &[]);
    screen.shows("aurora on test");
    screen.shows("Critical: check flag is critical");
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("reads");
    std::fs::write(&file, text.replace("port = 1\n", &format!("port = {}\n", site.port))).expect("writes");
    screen.shows("Over: check flag, noticed");
    screen.keys("\x03");
    assert!(screen.ends());
}

#[test]
fn a_theme_is_picked_with_preview_and_kept_for_the_next_screen() {
    let site = Site::new();
    let colour =
        |screen: &Screen| sgr(&screen.bytes()).iter().any(|parameters| parameters.contains("48;2;251;251;248"));
    let mut screen = Screen::start_with(&site, &[], (80, 24), &[("COLORTERM", "truecolor")]);
    screen.shows("listening");
    screen.keys("\x14");
    screen.shows("Themes, enter keeps it");
    screen.shows("as configured");
    assert!(!colour(&screen));
    screen.keys("jjj");
    crate::support::eventually("a preview of the light theme", || colour(&screen));
    screen.keys("\r");
    screen.hides("Themes, enter");
    screen.keys("Qs");
    assert!(screen.ends());
    assert!(!site.path().join("themes").exists());
    let mut next = Screen::start_with(&site, &[], (80, 24), &[("COLORTERM", "truecolor")]);
    next.shows("listening");
    assert!(colour(&next), "it is light again");
    next.keys("Qs");
    assert!(next.ends());
}
