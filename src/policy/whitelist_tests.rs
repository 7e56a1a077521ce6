use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::model::{
    Argument, ArgumentKind, Class, CommandTemplate, HostName, PanePlace, Plan, PromptTemplate, Risk, Shape, is_unseen,
};

use super::whitelist::{BYTES_MAX, matches, may_run_on, plan};

fn host() -> HostName {
    "web-1".parse().expect("a name")
}

fn argument(name: &str, kind: ArgumentKind, default: Option<&str>) -> Argument {
    Argument { name: name.into(), kind, default: default.map(str::to_owned), max_len: 4_096, shape: Shape::Word }
}

fn template(argv: &[&str], args: Vec<Argument>) -> CommandTemplate {
    CommandTemplate {
        name: "todo".parse().expect("a name"),
        about: None,
        hosts: vec!["web-1".parse().expect("a host"), "@db".parse().expect("a label")],
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        keys: None,
        args,
        cwd: Some("/srv/todo".into()),
        env: BTreeMap::from([("LANG".into(), "C".into())]),
        timeout: Duration::from_secs(30),
        risk: Risk::Low,
        class: Class::AtMostOnce,
        weakest_layer: None,
        at_once: None,
        rollback: None,
        checks: Vec::new(),
    }
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn refusal(template: &CommandTemplate, pairs: &[(&str, &str)]) -> String {
    plan(template, &values(pairs), &host()).expect_err("refused").to_string()
}

fn todo() -> CommandTemplate {
    let action = ArgumentKind::OneOf(vec!["list".into(), "done".into()]);
    let args = vec![argument("action", action, None), argument("n", ArgumentKind::Int(0, 9), Some("1"))];
    template(&["./todo", "{action}", "--n={n}", "{{}}"], args)
}

#[test]
fn a_plan_is_exactly_what_runs() {
    let line = plan(&todo(), &values(&[("action", "list")]), &host()).expect("a plan");
    assert_eq!(line.plan().argv, ["./todo", "list", "--n=1", "{}"]);
    assert_eq!(line.plan().args, values(&[("action", "list"), ("n", "1")]));
    assert_eq!((line.plan().cwd.as_deref(), line.plan().timeout_ms), (Some("/srv/todo"), 30_000));
    assert_eq!(*line.hash(), line.plan().hash());
}

#[test]
fn a_refusal_names_its_rule() {
    let todo = todo();
    assert_eq!(
        refusal(&todo, &[("action", "list; rm -rf /")]),
        "whitelist.argument action: \"list; rm -rf /\" is not one of list, done"
    );
    assert_eq!(refusal(&todo, &[]), "whitelist.argument action: it has no value");
    assert_eq!(refusal(&todo, &[("action", "list"), ("n", "007")]), "whitelist.argument n: \"007\" is written 7");
    let unknown = refusal(&todo, &[("action", "list"), ("x\u{1b}[2J", "1")]);
    assert_eq!(unknown, "whitelist.argument: todo has no argument \"x\\u{1b}[2J\"; it takes action, n");
    let many = template(&vec!["p"; 300], Vec::new());
    assert!(refusal(&many, &[]).starts_with("whitelist.size: 300 words"));
    let long = template(&["p", &"x".repeat(BYTES_MAX)], Vec::new());
    assert!(refusal(&long, &[]).starts_with("whitelist.size: "));
    for argv in [&[][..], &[""], &["{x}"], &["p", "{"]] {
        assert!(refusal(&template(argv, Vec::new()), &[]).starts_with("whitelist.template: "), "{argv:?}");
    }
}

#[test]
fn a_command_runs_where_it_may() {
    let todo = todo();
    assert_eq!(may_run_on(&todo, &host(), &[]), Ok(()));
    let other: HostName = "db-1".parse().expect("a name");
    assert_eq!(may_run_on(&todo, &other, &["db".parse().expect("a label")]), Ok(()));
    let refused = may_run_on(&todo, &other, &["web".parse().expect("a label")]).expect_err("refused");
    assert_eq!(refused.to_string(), "whitelist.host: todo may not run on db-1; it may on web-1, @db");
}

/// A command that types.
fn ask() -> CommandTemplate {
    let place: PanePlace = "claude".parse().expect("a place");
    let places = BTreeMap::from([(host(), place)]);
    let keys = PromptTemplate { text: "please {text}".into(), place: PanePlace::default(), places };
    let text = Argument { shape: Shape::Lines, ..argument("text", ArgumentKind::Pattern(".+".into()), None) };
    CommandTemplate { keys: Some(keys), cwd: None, env: BTreeMap::new(), ..template(&[], vec![text]) }
}

#[test]
fn a_prompt_is_exactly_its_text_and_its_place() {
    let made = |text: &str| plan(&ask(), &values(&[("text", text)]), &host());
    let line = made("look into ../src\n- {braces} $(id) ; Enter").expect("a plan");
    let keys = line.plan().keys.as_ref().expect("keys");
    assert_eq!(keys.text, "please look into ../src\n- {braces} $(id) ; Enter");
    assert_eq!(keys.place.to_string(), "the active pane of claude");
    assert!(line.plan().argv.is_empty());
    for bad in ["a\x1b[201~\rb", "a\rb", "a\u{202e}b", "", "\u{9b}201~"] {
        assert!(made(bad).is_err(), "{bad:?}");
    }
    let long = "x".repeat(4_097);
    assert!(made(&long).is_err());
    let (good, _) = line.into_parts();
    assert!(matches(&ask(), &good).is_ok());
    let elsewhere = good.keys.clone().map(|keys| crate::model::Prompt { place: PanePlace::default(), ..keys });
    let other = good.keys.clone().map(|keys| crate::model::Prompt { text: "rm".into(), ..keys });
    for keys in [elsewhere, other, None] {
        let refused = matches(&ask(), &Plan { keys, ..good.clone() }).expect_err("refused").to_string();
        assert!(refused.starts_with("whitelist.plan: the engine's keys of todo"), "{refused}");
    }
    let program = Plan { argv: vec!["/bin/sh".into()], ..good };
    assert!(matches(&ask(), &program).is_err());
}

/// What an engine in foreign hands could order in place of what the host's own template makes.
#[test]
fn an_engine_cannot_widen_what_a_host_allows() {
    let todo = todo();
    let good = plan(&todo, &values(&[("action", "list")]), &host()).expect("a plan").into_parts().0;
    assert_eq!(matches(&todo, &good).expect("the same").plan(), &good);
    let wider: Vec<(&str, Plan)> = vec![
        ("argv", Plan { argv: vec!["/bin/sh".into(), "-c".into(), "id".into()], ..good.clone() }),
        ("argv", Plan { argv: [good.argv.clone(), vec!["--force".into()]].concat(), ..good.clone() }),
        ("argv", Plan { argv: vec!["./todo".into(), "list --n=1 {}".into()], ..good.clone() }),
        ("env", Plan { env: BTreeMap::from([("LD_PRELOAD".into(), "/x.so".into())]), ..good.clone() }),
        ("env", Plan { env: BTreeMap::new(), ..good.clone() }),
        ("cwd", Plan { cwd: Some("/".into()), ..good.clone() }),
        ("cwd", Plan { cwd: None, ..good.clone() }),
        ("timeout", Plan { timeout_ms: u64::MAX, ..good.clone() }),
        ("class", Plan { class: Class::Idempotent, ..good.clone() }),
        ("command", Plan { command: "other".parse().expect("a name"), ..good.clone() }),
        ("args", Plan { args: values(&[("action", "list")]), ..good.clone() }),
    ];
    for (what, plan) in wider {
        let refused = matches(&todo, &plan).expect_err("refused").to_string();
        assert!(refused.starts_with(&format!("whitelist.plan: the engine's {what} of todo")), "{refused}");
    }
    let own_words = Plan { args: values(&[("action", "reboot"), ("n", "1")]), ..good.clone() };
    assert!(matches(&todo, &own_words).expect_err("refused").rule.starts_with("whitelist.argument action"));
    let more = Plan { args: values(&[("action", "list"), ("n", "1"), ("sudo", "1")]), ..good };
    assert_eq!(matches(&todo, &more).expect_err("refused").rule, "whitelist.argument");
}

/// Values that were used against programs before: for shells, paths, options, terminals and logs.
const HOSTILE: &[&str] = &[
    "",
    "\0",
    "a\0b",
    "\n",
    "a\nb",
    "a\r\nb",
    "\u{1b}[2J",
    "\u{1b}]52;c;aWQ=\u{7}",
    "\u{9b}31m",
    "a\u{202e}b",
    "\u{200b}",
    "\u{feff}x",
    "a\u{2028}b",
    "\t",
    "..",
    "../x",
    "x/..",
    "a/../b",
    "../../etc/shadow",
    "-rf",
    "--help",
    "-oProxyCommand=id",
    "--checkpoint-action=exec=sh",
    "-exec",
    "--upload-pack=sh",
    "-e sh",
    "-",
    "--",
    "-c",
    "-\u{ad}x",
    "\u{ad}-x",
];

#[test]
fn hostile_values_never_get_in() {
    // The widest argument there can be, as a word of its own, with and without `--`.
    let any = || vec![argument("a", ArgumentKind::Pattern("(?s).*".into()), None)];
    let (bare, behind) = (template(&["p", "{a}"], any()), template(&["p", "--", "{a}"], any()));
    for value in HOSTILE {
        let refused = refusal(&bare, &[("a", value)]);
        assert!(refused.starts_with("whitelist.argument a: "), "{value:?}: {refused}");
        assert!(!refused.chars().any(is_unseen), "{refused:?}");
        let is_word = !value.is_empty() && value.starts_with('-') && !value.chars().any(is_unseen);
        assert_eq!(plan(&behind, &values(&[("a", value)]), &host()).is_ok(), is_word, "{value:?}");
    }
}

proptest! {
    #[test]
    fn a_value_comes_out_as_it_went_in_and_in_one_word(value in any::<String>(), before in "[a-z=/]{0,5}") {
        let any = vec![argument("a", ArgumentKind::Pattern("(?s).*".into()), None)];
        let word = format!("{before}{{a}}.x");
        let made = plan(&template(&["p", &word, "--", "{a}"], any), &values(&[("a", &value)]), &host());
        match made {
            Ok(line) => {
                let own = format!("{before}{value}.x");
                prop_assert_eq!(&line.plan().argv, &["p", own.as_str(), "--", value.as_str()]);
                prop_assert!(!value.chars().any(is_unseen));
                prop_assert!(!line.plan().argv[1].starts_with('-'));
            }
            Err(refused) => {
                let harmless = !value.is_empty() && !value.chars().any(is_unseen) && value.len() <= 4_096
                    && value.split('/').all(|part| part != "..") && !(before.is_empty() && value.starts_with('-'));
                prop_assert!(!harmless, "{refused}");
            }
        }
    }

    #[test]
    fn a_path_never_leads_out(value in "(/|\\.|\\.\\.|a|srv|www|-){0,12}") {
        let below = vec![argument("a", ArgumentKind::PathBelow("/srv/www".into()), None)];
        if let Ok(line) = plan(&template(&["p", "{a}"], below), &values(&[("a", &value)]), &host()) {
            let path = std::path::Path::new(&line.plan().argv[1]);
            prop_assert!(path.starts_with("/srv/www"));
            prop_assert!(path.components().all(|part| part != std::path::Component::ParentDir));
        }
    }

    #[test]
    fn a_closed_argument_takes_only_what_is_written_down(value in any::<String>()) {
        let todo = todo();
        let made = plan(&todo, &values(&[("action", &value), ("n", &value)]), &host());
        prop_assert!(made.is_err());
        let number = plan(&todo, &values(&[("action", "list"), ("n", &value)]), &host());
        prop_assert_eq!(number.is_ok(), value.len() == 1 && value.as_bytes()[0].is_ascii_digit());
    }

    #[test]
    fn a_plan_has_another_hash_only_with_other_bytes(one in "[a-c]{1,3}", two in "[a-c]{1,3}") {
        let any = || vec![argument("a", ArgumentKind::Pattern(".+".into()), None), argument("b", ArgumentKind::Pattern(".+".into()), None)];
        let made = |a: &str, b: &str| plan(&template(&["p", "x{a}", "y{b}"], any()), &values(&[("a", a), ("b", b)]), &host()).expect("a plan");
        let (first, second) = (made(&one, &two), made(&two, &one));
        prop_assert_eq!(first.hash() == second.hash(), one == two);
    }
}
