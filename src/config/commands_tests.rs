use std::path::Path;

use crate::model::{ArgumentKind, Class, CommandTemplate, HostSelector, LayerKind, Risk};

use super::{ConfigError, parse};

fn one(text: &str) -> CommandTemplate {
    let config = parse(text, None).unwrap_or_else(|error| panic!("{error}"));
    config.commands.into_values().next().expect("a command")
}

fn error(text: &str) -> ConfigError {
    *parse(text, Some(Path::new("test.toml"))).expect_err(text)
}

/// A command with `argv` and, per argument, what it may be.
fn command(argv: &str, args: &[(&str, &str)]) -> String {
    let args: Vec<String> = args.iter().map(|(name, kind)| format!("args.{name} = {{ {kind} }}\n")).collect();
    format!("[commands.c]\nhosts = [\"here\"]\nargv = {argv}\n{}", args.concat())
}

const FREE: &str = "pattern = '.+'";
const WORD: &str = "pattern = '[a-z0-9]+'";

#[test]
fn a_command_is_read() {
    let text = r#"
[commands.todo]
about = "The list."
hosts = ["web-1", "@web"]
argv = ["./todo", "{action}", "--at={n}", "{{}}"]
args.action = { one_of = ["list", "next", "done"], default = "list" }
args.n = { int = [0, 100], default = 5 }
cwd = "/srv/todo"
env.LANG = "C.UTF-8"
timeout = "30s"
risk = "high"
idempotent = true
weakest_layer = "trigger"
at_once = 3
"#;
    let todo = one(text);
    assert_eq!(todo.name.as_str(), "todo");
    assert_eq!(todo.hosts.iter().map(HostSelector::to_string).collect::<Vec<_>>(), ["web-1", "@web"]);
    assert_eq!(todo.args[1].default.as_deref(), Some("5"));
    assert_eq!(todo.args[0].kind, ArgumentKind::OneOf(vec!["list".into(), "next".into(), "done".into()]));
    assert_eq!((todo.risk, todo.weakest_layer, todo.at_once), (Risk::High, Some(LayerKind::Trigger), Some(3)));
    assert_eq!(todo.timeout.as_secs(), 30);
    let shown = parse(text, None).expect("a configuration").effective()["commands"]["todo"].clone();
    assert_eq!(shown["args"]["n"], serde_json::json!({ "int": [0, 100], "max_len": 1024, "default": "5" }));
}

#[test]
fn without_a_word_this_machine_can_be_looked_at() {
    let config = parse("", None).expect("defaults");
    let names: Vec<&str> = config.commands.keys().map(crate::model::CommandName::as_str).collect();
    assert_eq!(names, ["disk", "memory", "processes", "uptime"]);
    assert!(config.commands.values().all(|command| command.risk == Risk::Low && command.args.is_empty()));
    let own = parse("[commands.x]\nhosts = [\"here\"]\nargv = [\"true\"]\n", None).expect("a configuration");
    assert_eq!(own.commands.len(), 1);
}

#[test]
fn a_command_with_keys_types_into_the_pane_of_its_host() {
    let text = "[hosts.web-1]\nssh = { target = \"web\" }\ntmux = { session = \"claude\", socket = \"ai\" }\n\
        [commands.ask]\nhosts = [\"web-1\", \"web-2\"]\nkeys = \"{text}\"\n\
        args.text = { max_len = 2000, pattern = \"printable\" }\n";
    let read = |text: &str| parse(text, None).expect("a configuration").commands.into_values().next().expect("one");
    let ask = read(text);
    assert_eq!((ask.class, ask.weakest_layer, ask.argv.len()), (Class::AtMostOnce, Some(LayerKind::Tmux), 0));
    let place = |command: &CommandTemplate, host: &str| {
        command.keys.as_ref().expect("keys").place_on(&host.parse().expect("a name")).to_string()
    };
    assert_eq!(place(&ask, "web-1"), "the active pane of claude of tmux -L ai");
    assert_eq!(place(&ask, "web-2"), "the active pane of the only session");
    assert!(ask.args[0].check("a\nb").is_err() && ask.args[0].check("see ../b").is_ok());
    let own = read(&format!("{text}pane = \"work:1.0\"\nweakest_layer = \"exec\"\n"));
    assert_eq!((place(&own, "web-1").as_str(), own.weakest_layer), ("pane work:1.0", Some(LayerKind::Exec)));
    let lines = read(&text.replace("2000", "2000, multiline = true"));
    assert_eq!(lines.args[0].check("a\n\nb"), Ok(()));
}

#[test]
fn mistakes_are_shown_at_their_place() {
    let line = |key: &str| format!("[commands.c]\nhosts = [\"here\"]\nargv = [\"p\"]\n{key}\n");
    let prompt = |key: &str| {
        let keys = "hosts = [\"h\"]\nkeys = \"{text}\"\nargs.text = { pattern = 'printable' }";
        format!("[commands.ask]\n{keys}\n{key}\n")
    };
    let cases = [
        ("[commands.\"a b\"]\nhosts = [\"h\"]\nargv = [\"p\"]\n".to_owned(), (1, 11), "command id"),
        ("[commands.c]\nhosts = [\"h\"]\n".to_owned(), (1, 11), "no program"),
        ("[commands.c]\nargv = [\"p\"]\n".to_owned(), (1, 11), "may run nowhere"),
        ("[commands.c]\nhosts = [\"ops@web\"]\nargv = [\"p\"]\n".to_owned(), (2, 10), "host id"),
        ("[commands.c]\nhosts = [\"-oProxyCommand=x\"]\nargv = [\"p\"]\n".to_owned(), (2, 10), "host id"),
        (prompt("argv = [\"p\"]"), (3, 8), "not both"),
        (prompt("cwd = \"/\""), (5, 7), "means nothing"),
        (prompt("timeout = \"5s\""), (5, 11), "means nothing"),
        (prompt("rollback = \"c\""), (5, 12), "means nothing"),
        (prompt("env.A = \"b\""), (5, 5), "means nothing"),
        (prompt("idempotent = true"), (1, 11), "never idempotent"),
        (prompt("pane = \"0.1\""), (5, 8), "SESSION:WINDOW.PANE"),
        (prompt("pane = \"a:#(id).1\""), (5, 8), "SESSION:WINDOW.PANE"),
        (prompt("socket = \"../x\""), (5, 10), "letters, digits"),
        (prompt("args.more = { pattern = 'x' }"), (5, 6), "does not use {more}"),
        (prompt("").replace("{text}", "{txet}"), (3, 9), "`txet` is no argument"),
        (prompt("").replace("\"{text}\"", "\"{text}\\n\""), (3, 8), "U+000A"),
        (prompt("").replace("pattern = 'printable'", "one_of = ['a'], multiline = true"), (4, 13), "several lines"),
        (line("pane = \"a:0.1\""), (4, 8), "commands with `keys`"),
        (command("[\"p\", \"{a}\"]", &[("a", "pattern = 'x', multiline = true")]), (4, 6), "one line"),
        (command("[\"p\", \"--x={nmae}\"]", &[("name", WORD)]), (3, 19), "`nmae` is no argument"),
        (command("[\"p\", \"a}\"]", &[]), (3, 16), "stands alone"),
        (command("[\"p\"]", &[("name", WORD)]), (4, 6), "no word of argv uses {name}"),
        (command("[\"p\", \"{a}\"]", &[("a", "")]), (4, 10), "exactly one of"),
        (command("[\"p\", \"{a}\"]", &[("a", "int = [1, 2], pattern = 'x'")]), (4, 10), "exactly one of"),
        (command("[\"p\", \"{a}\"]", &[("a", "int = [2, 1]")]), (4, 18), "no number"),
        (command("[\"p\", \"{a}\"]", &[("a", "pattern = '('")]), (4, 22), "not a regular expression"),
        (command("[\"p\", \"{a}\"]", &[("a", "pattern = '(a{1000}){1000}'")]), (4, 22), "too big"),
        (command("[\"p\", \"{a}\"]", &[("a", "one_of = []")]), (4, 21), "no word could"),
        (command("[\"p\", \"{a}\"]", &[("a", "one_of = ['x', '']")]), (4, 27), "empty value"),
        (command("[\"p\", \"{a}\"]", &[("a", "path_below = 'srv'")]), (4, 25), "absolute"),
        (command("[\"p\", \"{a}\"]", &[("a", "int = [1, 2], default = 3")]), (4, 36), "not a whole number from 1 to 2"),
        (command("[\"p\", \"{a}\"]", &[("a", "pattern = 'x', max_len = 0")]), (4, 37), "1 to 16384 bytes"),
        (line("cwd = \"../x\""), (4, 7), "absolute"),
        (line("timeout = \"1ms\""), (4, 11), "1s to 1d"),
        (line("risk = \"some\""), (4, 8), "low, high or critical"),
        (line("weakest_layer = \"ftp\""), (4, 17), "unknown layer"),
        (line("at_once = 0"), (4, 11), "1 to 1000"),
        (line("rollback = \"undo\""), (4, 12), "no command `undo`"),
        (line("env.LD_PRELOAD = \"/x.so\""), (4, 5), "LD_PRELOAD can make a program load"),
        (line("env.\"A=B\" = \"x\""), (4, 5), "a variable is called"),
        (line("env.A = \"a\\nb\""), (4, 9), "without control characters"),
        (line("timeot = \"1s\""), (4, 1), "timeot"),
    ];
    for (text, place, words) in cases {
        let error = error(&text);
        assert_eq!(error.position(), Some(place), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    assert_eq!(error(&command("[\"p\", \"{nmae}\"]", &[("name", WORD)])).help.as_deref(), Some("did you mean {name}?"));
}

#[test]
fn a_rollback_can_run_by_itself() {
    let pair = |undo: &str| {
        format!(
            "[commands.c]\nhosts = [\"here\"]\nargv = [\"p\", \"{{v}}\"]\nargs.v = {{ int = [1, 9] }}\nrisk = \"high\"\nrollback = \"u\"\n\
             [commands.u]\nhosts = [\"here\"]\n{undo}\n"
        )
    };
    assert!(parse(&pair("argv = [\"undo\", \"{v}\"]\nargs.v = { int = [1, 9] }"), None).is_ok());
    assert!(parse(&pair("argv = [\"undo\", \"{w}\"]\nargs.w = { int = [1, 9], default = 1 }"), None).is_ok());
    for (undo, words) in [
        ("argv = [\"undo\"]\nrisk = \"critical\"", "has the risk critical"),
        ("argv = [\"undo\", \"{w}\"]\nargs.w = { int = [1, 9] }", "`u` needs `w`"),
        ("argv = [\"undo\", \"{v}\"]\nargs.v = { int = [1, 99] }", "`u` needs `v`"),
    ] {
        let error = error(&pair(undo));
        assert_eq!(error.position(), Some((6, 12)), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn variables_that_load_code_are_refused() {
    for name in [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "DYLD_INSERT_LIBRARIES",
        "BASH_ENV",
        "ENV",
        "BASH_FUNC_ls",
        "PATH",
        "GIT_SSH_COMMAND",
        "GIT_EXTERNAL_DIFF",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PERL5OPT",
        "RUBYOPT",
        "NODE_OPTIONS",
        "IFS",
        "PS4",
        "PROMPT_COMMAND",
        "PAGER",
        "EDITOR",
        "LESSOPEN",
        "RSYNC_RSH",
        "TAR_OPTIONS",
        "JAVA_TOOL_OPTIONS",
    ] {
        let text = format!("[commands.c]\nhosts = [\"here\"]\nargv = [\"p\"]\nenv.{name} = \"x\"\n");
        assert!(error(&text).message.contains("load or run something else"), "{name}");
    }
}

#[test]
fn a_program_is_never_a_value_and_never_elsewhere() {
    for argv in [
        "[\"{a}\"]",
        "[\"/usr/bin/{a}\"]",
        "[\"../p\", \"{a}\"]",
        "[\"./../p\", \"{a}\"]",
        "[\"/srv/../bin/p\", \"{a}\"]",
        "[\"bin/p\", \"{a}\"]",
        "[\"\", \"{a}\"]",
        "[\" \", \"{a}\"]",
        "[\"-p\", \"{a}\"]",
        "[\"//p\", \"{a}\"]",
        "[\"..\", \"{a}\"]",
    ] {
        let error = error(&command(argv, &[("a", "one_of = ['x']")]));
        assert_eq!(error.position().map(|(line, _)| line), Some(3), "{error}");
    }
    for argv in ["[\"p\", \"{a}\"]", "[\"./p\", \"{a}\"]", "[\"/usr/bin/p\", \"{a}\"]"] {
        assert!(parse(&command(argv, &[("a", "one_of = ['x']")]), None).is_ok(), "{argv}");
    }
}

/// What `GTFOBins` collects, as templates: each would let whoever gives the value run something else.
#[test]
fn no_free_value_becomes_an_option_a_script_or_a_program() {
    let refused = [
        "[\"git\", \"{a}\"]",
        "[\"git\", \"-c\", \"{a}\", \"status\"]",
        "[\"git\", \"fetch\", \"--upload-pack={a}\", \"origin\"]",
        "[\"git\", \"grep\", \"-O{a}\", \"x\"]",
        "[\"/usr/bin/git\", \"log\", \"{a}\"]",
        "[\"git\", \"-C\", \"{a}\", \"status\"]",
        "[\"tar\", \"-cf\", \"/dev/null\", \"{a}\"]",
        "[\"tar\", \"xf\", \"{a}\"]",
        "[\"tar\", \"--checkpoint-action={a}\", \"x\"]",
        "[\"tar\", \"--use-compress-program\", \"{a}\", \"-x\"]",
        "[\"tar\", \"-I{a}\", \"-x\"]",
        "[\"find\", \"{a}\"]",
        "[\"find\", \"/srv\", \"-name\", \"{a}\"]",
        "[\"find\", \"/srv\", \"--\", \"{a}\"]",
        "[\"rsync\", \"{a}\", \"/dst\"]",
        "[\"rsync\", \"-e\", \"{a}\", \"--\", \"x\", \"y\"]",
        "[\"rsync\", \"--rsh={a}\", \"x\", \"y\"]",
        "[\"ssh\", \"{a}\"]",
        "[\"ssh\", \"--\", \"{a}\"]",
        "[\"ssh\", \"host\", \"uptime\", \"{a}\"]",
        "[\"scp\", \"--\", \"{a}\", \"x\"]",
        "[\"env\", \"{a}\"]",
        "[\"sudo\", \"-u\", \"{a}\", \"id\"]",
        "[\"xargs\", \"{a}\"]",
        "[\"nice\", \"--\", \"{a}\"]",
        "[\"timeout\", \"5\", \"{a}\"]",
        "[\"awk\", \"{a}\"]",
        "[\"awk\", \"--\", \"{a}\"]",
        "[\"sed\", \"-n\", \"{a}\"]",
        "[\"python3.13\", \"{a}\"]",
        "[\"nodejs\", \"--\", \"{a}\"]",
        "[\"deno\", \"--\", \"{a}\"]",
        "[\"bun\", \"--\", \"{a}\"]",
        "[\"Rscript\", \"--\", \"{a}\"]",
        "[\"mariadb\", \"--\", \"{a}\"]",
        "[\"npx\", \"--\", \"{a}\"]",
        "[\"pip3\", \"--\", \"{a}\"]",
        "[\"vim.basic\", \"--\", \"{a}\"]",
        "[\"busybox.static\", \"--\", \"{a}\"]",
        "[\"perl\", \"-e\", \"{a}\"]",
        "[\"vim\", \"--\", \"{a}\"]",
        "[\"less\", \"{a}\"]",
        "[\"man\", \"{a}\"]",
        "[\"sqlite3\", \"x.db\", \"{a}\"]",
        "[\"docker\", \"exec\", \"web\", \"{a}\"]",
        "[\"kubectl\", \"exec\", \"web\", \"--\", \"{a}\"]",
        "[\"systemd-run\", \"{a}\"]",
        "[\"curl\", \"{a}\"]",
        "[\"curl\", \"-o\", \"{a}\", \"http://127.0.0.1/\"]",
        "[\"wget\", \"{a}\"]",
        "[\"zip\", \"-TT\", \"{a}\", \"x\"]",
        "[\"tcpdump\", \"-z\", \"{a}\"]",
        "[\"systemctl\", \"-H\", \"{a}\", \"status\"]",
        "[\"mount\", \"-o\", \"{a}\", \"/x\"]",
        "[\"ls\", \"-{a}\"]",
        "[\"ls\", \"--{a}\"]",
        "[\"rm\", \"{a}\"]",
        "[\"rm\", \"-r\", \"{a}.bak\"]",
        "[\"chmod\", \"{a}\", \"/srv\"]",
        "[\"sh\", \"-c\", \"{a}\"]",
        "[\"bash\", \"-lc\", \"echo {a}\"]",
        "[\"/bin/dash\", \"-e\", \"-c\", \"-x\", \"echo {a}\"]",
        "[\"sh\", \"-c\", \"echo $1\", \"sh\", \"{a}\"]",
        "[\"busybox\", \"sh\", \"-c\", \"{a}\"]",
        "[\"sh\", \"{a}\"]",
    ];
    for argv in refused {
        let error = error(&command(argv, &[("a", FREE)]));
        let (line, column) = error.position().expect("a place");
        assert_eq!(line, 3, "{error}");
        let typed = format!("argv = {argv}");
        assert!(typed[column - 1..].starts_with("{a}"), "{argv}: {error}");
    }
    // What was written down is what may be, also for these programs.
    for argv in ["[\"git\", \"{a}\"]", "[\"awk\", \"{a}\"]", "[\"ssh\", \"--\", \"{a}\"]", "[\"ls\", \"-{a}\"]"] {
        assert!(parse(&command(argv, &[("a", "one_of = ['x', '-y']")]), None).is_ok(), "{argv}");
    }
    let script = "[\"sh\", \"-c\", \"echo {a}\"]";
    assert!(error(&command(script, &[("a", "one_of = ['x']")])).message.contains("script of -c"), "{script}");
    assert!(
        parse(&command("[\"sh\", \"-c\", \"df $1\", \"sh\", \"{a}\"]", &[("a", "path_below = '/srv'")]), None).is_ok()
    );
}

#[test]
fn free_values_have_their_place() {
    for (argv, kind) in [
        ("[\"git\", \"log\", \"--\", \"{a}\"]", FREE),
        ("[\"git\", \"log\", \"{a}\"]", WORD),
        ("[\"tar\", \"-C\", \"/srv\", \"-c\", \"--\", \"{a}\"]", FREE),
        ("[\"grep\", \"-r\", \"-e{a}\", \"/srv\"]", FREE),
        ("[\"journalctl\", \"--unit={a}\"]", FREE),
        ("[\"find\", \"{a}\", \"-type\", \"f\"]", "path_below = '/srv'"),
        ("[\"tail\", \"-n\", \"{a}\", \"x\"]", "int = [1, 100]"),
        ("[\"renice\", \"--\", \"{a}\"]", "int = [-5, 5]"),
        ("[\"p\", \"x{a}\"]", FREE),
    ] {
        assert!(parse(&command(argv, &[("a", kind)]), None).is_ok(), "{argv}");
    }
    assert!(error(&command("[\"renice\", \"{a}\"]", &[("a", "int = [-5, 5]")])).message.contains("negative number"));
    assert!(error(&command("[\"awk\", \"{a}\"]", &[("a", "path_below = '/srv'")])).message.contains("program text"));
}
