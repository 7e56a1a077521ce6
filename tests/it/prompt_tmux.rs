//! Prompts: typed into panes of a real tmux by the program, over a real engine and agent.

use std::io::Write;
use std::process::Output;

use serde_json::Value;

use crate::support::{Site, eventually};
use crate::tmux::Tmux;

/// A site whose only host is this machine, with a command that types into the tmux of the test.
fn site(tmux: &Tmux, more: &str) -> Site {
    let site = Site::bare("");
    let file = site.path().join("config.toml");
    let text = std::fs::read_to_string(&file).expect("reads");
    let socket = &tmux.socket;
    let commands = format!(
        r#"{text}
[hosts.here]
layers = ["local"]
tmux = {{ session = "main", socket = "{socket}" }}
[commands.ask]
hosts = ["here"]
keys = "{{text}}"
args.text = {{ max_len = 2000, pattern = "printable", multiline = true }}
{more}"#
    );
    std::fs::write(&file, commands).expect("writes");
    site
}

fn ask(site: &Site, text: &str) -> (Option<i32>, Value) {
    let output = run(site, &["ask", &format!("text={text}"), "--json"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = serde_json::from_str(&told)
        .unwrap_or_else(|error| panic!("{error}: {told} {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), told)
}

fn run(site: &Site, args: &[&str]) -> Output {
    site.aurora(&[&["run", "here"], args].concat())
}

/// A line editor that prints what it was given, and takes the first `swallows` Enters for new lines. `read -n` of bash makes
/// a line feed of what Enter sends.
fn editor(swallows: u32) -> String {
    let script = format!(
        r#"stty raw -echo; n={swallows}; b=; printf "> "
        while IFS= read -r -d "" -n1 c; do case "$c" in
        $'\n') if [ $n -gt 0 ]; then n=$((n-1)); printf "\r\n"; else printf "\r\ngot<%s>\r\n> " "$b"; b=; fi;;
        *) b+="$c"; printf "%s" "$c";; esac; done"#
    );
    format!("bash -c '{}'", script.replace('\'', r"'\''"))
}

#[test]
#[ignore = "needs tmux"]
fn a_prompt_is_typed_once_and_seen_to_be_taken() {
    let tmux = Tmux::with("main", (80, 24), &editor(0));
    tmux.session("other", (80, 24), "cat");
    let mut site = site(&tmux, "");
    site.serve();
    tmux.run(&["select-window", "-t", "=main:"]);
    let dry = run(&site, &["ask", "text=look; $(id) 'x'", "--dry-run"]);
    let shown = String::from_utf8_lossy(&dry.stdout).into_owned();
    assert!(shown.contains("types    \"look; $(id) 'x'\""), "{shown}");
    assert!(shown.contains(&format!("into     the active pane of main of tmux -L {}", tmux.socket)), "{shown}");
    let before = tmux.run(&["capture-pane", "-p", "-t", "=main:"]);
    assert_eq!(before.trim(), ">", "a dry run types nothing");

    let (code, told) = ask(&site, "look; $(id) 'x' Enter;");
    assert_eq!((code, told["prompt"].as_str()), (Some(0), Some("submitted")), "{told}");
    assert_eq!((told["state"].as_str(), told["attempts"].as_u64()), (Some("done"), Some(1)));
    assert!(told["stdout"].as_str().is_some_and(|word| word.contains("main:0.0")), "{told}");
    eventually("the program has it", || {
        tmux.run(&["capture-pane", "-p", "-t", "=main:"]).contains("got<look; $(id) 'x' Enter;>")
    });
    assert_eq!(tmux.run(&["list-buffers"]), "");
    assert_eq!(tmux.run(&["capture-pane", "-p", "-t", "=other:"]).trim(), "");

    // Somebody has scrolled back: what is typed goes to the program all the same.
    tmux.run(&["copy-mode", "-t", "=main:"]);
    let (code, told) = ask(&site, "again");
    assert_eq!((code, told["prompt"].as_str()), (Some(0), Some("submitted")), "{told}");
    tmux.run(&["set-option", "-w", "-t", "=main:", "remain-on-exit", "on"]);
    let id = told["id"].as_str().expect("an id").to_owned();
    assert!(site.ok(&["job", "show", &id]).contains("submitted"));

    // What is not there, or has ended, is not typed into.
    tmux.run(&["respawn-pane", "-k", "-t", "=main:", "true"]);
    eventually("it has ended", || tmux.run(&["list-panes", "-t", "=main:", "-F", "#{pane_dead}"]).trim() == "1");
    let (code, told) = ask(&site, "nobody is there");
    assert_eq!((code, told["prompt"].as_str(), told["state"].as_str()), (Some(1), Some("not-typed"), Some("not-run")));
    assert!(told["reason"].as_str().is_some_and(|why| why.contains("has ended")), "{told}");
    tmux.run(&["kill-session", "-t", "=main:"]);
    let (_, told) = ask(&site, "nobody is there");
    assert!(told["reason"].as_str().is_some_and(|why| why.contains("no session main")), "{told}");
}

#[test]
#[ignore = "needs tmux"]
fn an_enter_that_was_swallowed_comes_once_more_and_never_a_third_time() {
    let tmux = Tmux::with("main", (80, 24), &editor(1));
    let mut site = site(&tmux, "");
    site.serve();
    let (code, told) = ask(&site, "do it");
    assert_eq!((code, told["prompt"].as_str()), (Some(0), Some("submitted")), "{told}");
    assert!(tmux.screen().contains("got<do it>"), "{}", tmux.screen());

    tmux.run(&["respawn-pane", "-k", "-t", "=main:", &editor(3)]);
    eventually("it began anew", || tmux.screen().trim() == ">");
    let (code, told) = ask(&site, "do it");
    assert_eq!((code, told["prompt"].as_str()), (Some(3), Some("typed-not-confirmed")), "{told}");
    assert_eq!(tmux.screen().matches("do it").count(), 1, "typed once: {}", tmux.screen());
    tmux.run(&["send-keys", "-t", "=main:", "-H", "0d"]);
    tmux.run(&["send-keys", "-t", "=main:", "-H", "0d"]);
    eventually("two Enters are left for a person", || tmux.screen().contains("got<do it>"));
}

#[test]
#[ignore = "needs tmux"]
fn a_prompt_that_is_taken_back_while_another_is_typed_is_not_typed() {
    let tmux = Tmux::with("main", (80, 24), &editor(0));
    let mut site = site(&tmux, "");
    site.serve();
    assert_eq!(ask(&site, "one").0, Some(0));
    // Another prompt is being typed there.
    let pane = tmux.run(&["display-message", "-p", "-t", "=main:", "#{pid}.#{s/%//:pane_id}"]);
    let claim = site.path().join("state/spool").join(format!("pane.{}", pane.trim()));
    let mut held = std::fs::File::create(&claim).expect("a claim");
    held.lock().expect("locks");
    held.write_all(br#"{"who":"prompt","since":"2026-01-01T00:00:00Z"}"#).expect("writes");
    let id = site.ok(&["run", "here", "ask", "text=two", "--detach"]);
    let state = || site.json(&["job", "list"])[0]["state"].to_string();
    eventually("it waits for its turn", || state().contains("running"));
    site.ok(&["job", "cancel", &id]);
    drop(held);
    eventually("it is over", || state().contains("not-run"));
    assert!(state().contains("cancelled"), "{}", state());
    assert!(!tmux.screen().contains("two"), "{}", tmux.screen());
    assert_eq!(ask(&site, "three").0, Some(0), "the next one is");
}

#[test]
#[ignore = "needs tmux"]
fn what_asks_instead_is_left_to_a_person() {
    // Enter opens a question. Another one would answer it.
    let script = r#"stty raw -echo; printf "> "; while IFS= read -r -d "" -n1 c; do
        if [ "$c" = $'\n' ]; then printf "\033[2J\033[HDo you want to proceed? [Yes] "; break; fi; printf "%s" "$c"; done
        IFS= read -r -d "" -n1 c; printf "\r\nANSWERED"; cat"#;
    let tmux = Tmux::with("main", (80, 24), &format!("bash -c '{}'", script.replace('\'', r"'\''")));
    let mut site = site(&tmux, "");
    site.serve();
    let (_, told) = ask(&site, "remove everything");
    assert_eq!(told["prompt"].as_str(), Some("submitted"), "{told}");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(tmux.screen().contains("Do you want to proceed") && !tmux.screen().contains("ANSWERED"));
}

#[test]
#[ignore = "needs tmux"]
fn bash_and_a_program_that_shows_nothing() {
    let tmux = Tmux::start();
    tmux.shows("prompt>");
    let mut site = site(&tmux, "");
    site.serve();
    let (code, told) = ask(&site, "echo one\necho two");
    assert_eq!((code, told["prompt"].as_str()), (Some(0), Some("submitted")), "{told}");
    eventually("both lines ran", || tmux.screen().lines().filter(|row| matches!(*row, "one" | "two")).count() == 2);
    tmux.type_line("stty -echo; cat >/dev/null");
    eventually("it waits", || tmux.run(&["display-message", "-p", "#{pane_current_command}"]).trim() == "cat");
    let (code, told) = ask(&site, "hunter2");
    assert_eq!((code, told["prompt"].as_str()), (Some(3), Some("typed-not-confirmed")), "{told}");
}
