use std::path::Path;

use super::super::parse;
use super::*;

const WEB: &str = r#"
[hosts.web-1]
layers = ["socket", "tmux", "trigger", "exec"]
labels = ["web"]
socket = { addr = "10.0.0.7:8899", key = "file:secrets/web-1" }
ssh = { target = "ops@web-1", port = 22, identity = "/k/id_ed25519", known_hosts = "/k/known_hosts", agent = "aurora", agent_config = "/etc/aurora/agent.toml" }
tmux = { session = "claude", record = "drive" }
trigger = { dir = "/mnt/web-1/spool" }
[hosts.here]
layers = ["local"]
"#;

fn host(text: &str, name: &str) -> HostConfig {
    let config = parse(text, None).unwrap_or_else(|error| panic!("{error}"));
    config.hosts[&name.parse::<HostName>().expect("a name")].clone()
}

#[test]
fn hosts_of_the_contract_are_read() {
    let web = host(WEB, "web-1");
    let kinds = [LayerKind::Socket, LayerKind::Tmux, LayerKind::Trigger, LayerKind::Exec, LayerKind::Manual];
    assert_eq!(web.kinds(), kinds);
    let ssh = web.ssh.expect("ssh");
    assert_eq!((ssh.place.to_string().as_str(), ssh.port, ssh.agent.as_str()), ("ops@web-1", 22, "aurora"));
    assert_eq!((web.tmux.session.as_deref(), web.tmux.record), (Some("claude"), PaneRecord::Drive));
    assert!(
        web.layers.iter().any(
            |layer| matches!(layer, LayerConfig::Trigger(t) if t.key.reference.to_string() == "file:secrets/web-1")
        ),
        "the key of the socket"
    );
    assert_eq!(host(WEB, "here").kinds(), [LayerKind::Local, LayerKind::Manual]);
}

#[test]
fn the_order_is_the_file_s_and_manual_is_last() {
    let short =
        |layers: &str| host(&format!("[hosts.a]\nssh = {{ target = \"a\" }}\nlayers = {layers}\n"), "a").kinds();
    assert_eq!(short("[\"exec\", \"tmux\"]"), [LayerKind::Exec, LayerKind::Tmux, LayerKind::Manual]);
    assert_eq!(short("[\"exec\", \"manual\"]"), [LayerKind::Exec, LayerKind::Manual]);
    let usual = host("[hosts.a]\nssh = { target = \"a\" }\n", "a");
    assert_eq!(usual.kinds(), [LayerKind::Tmux, LayerKind::Exec, LayerKind::Manual]);
    let only_by_hand = host("[hosts.a]\nlayers = [\"manual\"]\nssh = { target = \"a\" }\n", "a");
    assert_eq!(only_by_hand.kinds(), [LayerKind::Manual], "a person, and nothing else");
}

#[test]
fn without_hosts_it_is_this_machine_and_one_host_replaces_it() {
    let config = parse("", None).expect("defaults");
    let names: Vec<&str> = config.hosts.keys().map(HostName::as_str).collect();
    assert_eq!(names, ["here"]);
    let config = parse("[hosts.a]\nssh = { target = \"a\" }\n", None).expect("one");
    assert_eq!(config.hosts.keys().map(HostName::as_str).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn mistakes_are_shown_at_their_place() {
    let ssh = |rest: &str| format!("[hosts.a]\nssh = {{ {rest} }}\n");
    let cases = [
        ("[hosts.\"a b\"]\n".to_owned(), (1, 8), "host id"),
        ("[hosts.a]\n".to_owned(), (1, 8), "no layer leads"),
        ("[hosts.a]\nlayers = [\"tmx\"]\n".to_owned(), (2, 11), "unknown layer"),
        ("[hosts.a]\nlayers = [\"local\", \"local\"]\n".to_owned(), (2, 20), "there already"),
        ("[hosts.a]\nlayers = [\"manual\", \"local\"]\n".to_owned(), (2, 11), "always last"),
        ("[hosts.a]\nlayers = [\"socket\"]\n".to_owned(), (2, 11), "needs the table `socket`"),
        ("[hosts.a]\nlayers = [\"exec\"]\n".to_owned(), (2, 11), "needs the table `ssh`"),
        ("[hosts.a]\nlayers = [\"local\"]\nat_once = 0\n".to_owned(), (3, 11), "1 to 64"),
        ("[hosts.a]\nlayers = [\"local\"]\nlabels = [\"a b\"]\n".to_owned(), (3, 11), "label"),
        ("[hosts.a]\nsockt = 1\n".to_owned(), (2, 1), "sockt"),
        ("[hosts.a]\ntrigger = { dir = \"/mnt/a\" }\n".to_owned(), (2, 11), "signed with the host's key"),
        ("[hosts.a]\ntrigger = { dir = \"a\", key = \"env:K\" }\n".to_owned(), (2, 19), "begins with /"),
        ("[hosts.a]\nsocket = { addr = \"nowhere\", key = \"env:K\" }\n".to_owned(), (2, 19), ""),
        ("[hosts.a]\nsocket = { addr = \"a:1\", key = \"hunter2\" }\n".to_owned(), (2, 32), "reference"),
        (
            "[hosts.a]\nsocket = { addr = \"a:1\", key = \"env:K\", pin = \"12\" }\n".to_owned(),
            (2, 47),
            "64 hexadecimal",
        ),
        (ssh("target = \"-oProxyCommand=x\""), (2, 18), "no place for ssh"),
        (ssh("target = \"a:22\""), (2, 18), "a key of its own"),
        (ssh("target = \"a\", port = 0"), (2, 30), "1 to 65535"),
        (ssh("target = \"a\", jump = [\"b\", \"-J\"]"), (2, 36), "no place for ssh"),
        (ssh("target = \"a\", agent = \"a;b\""), (2, 31), "letters, digits"),
        (ssh("target = \"a\", agent_config = \"$(id)\""), (2, 38), "letters, digits"),
        (ssh("target = \"a\", identity = \"id\""), (2, 34), "begins with /"),
        (ssh("target = \"a\", identity = \"/k/%h\""), (2, 34), "something else"),
        (ssh("target = \"a\", known_hosts = \"/k/${HOME}\""), (2, 37), "something else"),
        ("[hosts.a]\nlayers = [\"local\"]\ntmux = { session = \"#{x}\" }\n".to_owned(), (3, 20), "letters"),
    ];
    for (text, place, words) in cases {
        let error = parse(&text, Some(Path::new("test.toml"))).expect_err(&text);
        assert_eq!(error.position(), Some(place), "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let error = parse("[hosts.a]\nlayers = [\"tmx\"]\n", None).expect_err("a mistake");
    assert_eq!(error.help.as_deref(), Some("did you mean `tmux`?"));
    let error = parse("[hosts.a]\nlabls = [\"a\"]\n", None).expect_err("a mistake");
    assert_eq!(error.help.as_deref(), Some("did you mean `labels`?"));
}
