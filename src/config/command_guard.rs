//! What a value in a command must never come to: an option, a script, another program, a variable that loads code.
//!
//! Everything is refused that is not known to be harmless where free text meets a program that takes its words for
//! code. The lists follow what `GTFOBins` (gtfobins.github.io) collects. Words that were written down (`one_of`) and
//! numbers are never refused here.

use std::ops::Range;

use crate::model::{Argument, ArgumentKind, Piece};

/// A word of a template that could do harm.
#[derive(Debug)]
pub(super) struct Danger {
    /// The number of the word.
    pub word: usize,
    /// The place in it; all of it when absent.
    pub at: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

/// Programs that read their words as commands.
const SHELLS: &[&str] = &[
    "ash",
    "bash",
    "busybox",
    "busybox.static",
    "cmd",
    "csh",
    "dash",
    "elvish",
    "fish",
    "ksh",
    "ksh93",
    "mksh",
    "nu",
    "pdksh",
    "posh",
    "powershell",
    "pwsh",
    "rbash",
    "rc",
    "sh",
    "tcsh",
    "yash",
    "zsh",
];

/// Programs for which any free word can be another program, or a host where one runs. `--` protects none of them.
const STARTERS: &[&str] = &[
    "ansible",
    "at",
    "aws",
    "batch",
    "bwrap",
    "capsh",
    "chpst",
    "chroot",
    "chrt",
    "cpulimit",
    "crontab",
    "dbus-run-session",
    "distcc",
    "doas",
    "docker",
    "entr",
    "env",
    "exec",
    "expect",
    "fakeroot",
    "find",
    "firejail",
    "flock",
    "gcc",
    "gdb",
    "ionice",
    "ip",
    "kubectl",
    "ld.so",
    "logsave",
    "ltrace",
    "lxc",
    "machinectl",
    "make",
    "mosh",
    "nc",
    "ncat",
    "nerdctl",
    "nice",
    "nmap",
    "nohup",
    "nsenter",
    "numactl",
    "parallel",
    "perf",
    "pkexec",
    "podman",
    "prlimit",
    "rlwrap",
    "rsh",
    "run-parts",
    "runuser",
    "scp",
    "screen",
    "script",
    "setarch",
    "setpriv",
    "setsid",
    "sftp",
    "slogin",
    "socat",
    "ssh",
    "ssh-agent",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "taskset",
    "telnet",
    "time",
    "timeout",
    "tmux",
    "unshare",
    "valgrind",
    "watch",
    "xargs",
    "xdg-open",
];

/// Programs for which any free word, a path too, can be a program text.
const INTERPRETERS: &[&str] = &[
    "awk",
    "bc",
    "bun",
    "dc",
    "deno",
    "ed",
    "emacs",
    "ex",
    "gawk",
    "guile",
    "irb",
    "jjs",
    "jq",
    "jrunscript",
    "julia",
    "less",
    "lua",
    "luajit",
    "m4",
    "man",
    "mariadb",
    "mawk",
    "more",
    "most",
    "mysql",
    "nano",
    "nawk",
    "node",
    "nodejs",
    "npm",
    "npx",
    "nvim",
    "octave",
    "perl",
    "php",
    "pic",
    "pip",
    "pipx",
    "pnpm",
    "psql",
    "puppet",
    "python",
    "R",
    "rake",
    "red",
    "Rscript",
    "ruby",
    "rview",
    "rvim",
    "scheme",
    "sed",
    "sqlite3",
    "tclsh",
    "ts-node",
    "uv",
    "uvx",
    "vi",
    "view",
    "vim",
    "vim.basic",
    "vim.gtk3",
    "vim.nox",
    "vim.tiny",
    "vimdiff",
    "wish",
    "yarn",
];

/// Options whose value is, or names, something that is run. `-x` stands for `-xVALUE` and `-x VALUE`, `--long` for
/// `--long=VALUE` and `--long VALUE`.
const RUN_OPTIONS: &[(&str, &[&str])] = &[
    ("curl", &["-K", "--config", "-o", "--output", "-q", "--unix-socket"]),
    (
        "git",
        &[
            "-c",
            "-C",
            "--config-env",
            "--exec-path",
            "--git-dir",
            "--upload-pack",
            "-u",
            "--receive-pack",
            "--exec",
            "--template",
            "--open-files-in-pager",
            "-O",
            "--work-tree",
        ],
    ),
    ("grep", &["-f"]),
    ("journalctl", &["--file", "--root"]),
    ("logrotate", &["-m", "--mail"]),
    ("mount", &["-o", "--options", "-t", "--types"]),
    ("openssl", &["-engine", "-provider", "-config"]),
    ("rsync", &["-e", "--rsh", "--rsync-path", "-M", "--remote-option"]),
    ("sort", &["--compress-program", "-o"]),
    ("systemctl", &["-H", "--host", "-M", "--machine", "--root"]),
    (
        "tar",
        &[
            "--checkpoint-action",
            "-I",
            "--use-compress-program",
            "--to-command",
            "-F",
            "--info-script",
            "--new-volume-script",
            "--rmt-command",
            "--rsh-command",
            "-f",
            "--file",
        ],
    ),
    ("tcpdump", &["-z", "-w"]),
    ("wget", &["--use-askpass", "-e", "--execute", "--config", "-O"]),
    ("zip", &["-TT", "--unzip-command"]),
];

/// Variables that make programs load or run something, whole names and beginnings.
const VARIABLES: &[&str] = &[
    "_JAVA_OPTIONS",
    "BASHOPTS",
    "BASH_ENV",
    "BROWSER",
    "CDPATH",
    "EDITOR",
    "ENV",
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LESSCLOSE",
    "LESSOPEN",
    "LOCPATH",
    "MANPAGER",
    "NIS_PATH",
    "NLSPATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PAGER",
    "PATH",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PROMPT_COMMAND",
    "PS4",
    "PSQL_PAGER",
    "RES_OPTIONS",
    "RSYNC_RSH",
    "RUBYLIB",
    "RUBYOPT",
    "SHELL",
    "SHELLOPTS",
    "SSH_ASKPASS",
    "SYSTEMD_PAGER",
    "TAPE",
    "TAR_OPTIONS",
    "TERMCAP",
    "TERMINFO",
    "TERMINFO_DIRS",
    "VISUAL",
    "ZDOTDIR",
];
const VARIABLE_BEGINNINGS: &[&str] =
    &["BASH_FUNC_", "DYLD_", "GIT_", "LD_", "MALLOC_", "PYTHON", "npm_config_", "NPM_CONFIG_"];

/// Looks at the program itself.
pub(super) fn program(words: &[Vec<Piece>]) -> Result<(), Danger> {
    let danger = |at, message: &str, help| Err(Danger { word: 0, at, message: message.to_owned(), help });
    let first = words.first().map(Vec::as_slice).unwrap_or_default();
    if let Some(Piece::Value { at, .. }) = first.iter().find(|piece| matches!(piece, Piece::Value { .. })) {
        return danger(Some(at.clone()), "the program itself cannot be a value", "make one command of each program");
    }
    let Some(program) = literal(first).filter(|program| !program.trim().is_empty()) else {
        return danger(None, "the program has no name", "write it as \"/usr/bin/program\"");
    };
    let is_plain = match program.strip_prefix("./").or_else(|| program.strip_prefix('/')) {
        Some(path) => path.split('/').all(|part| !matches!(part, "" | "." | "..")),
        None => !program.contains('/') && !program.starts_with('-') && !matches!(program, "." | ".."),
    };
    if is_plain {
        return Ok(());
    }
    danger(
        None,
        "a program is `/usr/bin/name`, `./name` in its directory, or `name`",
        "without `..`, `.` and doubled slashes",
    )
}

/// Looks at what the values of `args` could be to the program.
pub(super) fn values(words: &[Vec<Piece>], args: &[Argument]) -> Result<(), Danger> {
    let name = words.first().and_then(|word| literal(word)).map(base).unwrap_or_default();
    let script = script(words);
    let mut options_are_over = false;
    for (number, word) in words.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|before| literal(&words[before]));
        for (place, piece) in word.iter().enumerate() {
            let Piece::Value { name: argument, at } = piece else { continue };
            let Some(argument) = args.iter().find(|known| known.name == *argument) else { continue };
            let prefix = match place.checked_sub(1).map(|before| &word[before]) {
                Some(Piece::Text(text)) => text.as_str(),
                _ => "",
            };
            let found = if Some(number) == script {
                Some((
                    "a shell would read it as a script: no value goes into the script of -c",
                    "let the shell out, or write the script and give it the value as $1",
                ))
            } else {
                let here = Here { name, before, prefix, begins: place == 0, options_are_over };
                danger_of(&argument.kind, &here)
            };
            if let Some((message, help)) = found {
                let message = format!("{{{}}}: {message}", argument.name);
                return Err(Danger { word: number, at: Some(at.clone()), message, help });
            }
        }
        options_are_over |= literal(word) == Some("--");
    }
    Ok(())
}

/// Where a value stands.
struct Here<'a> {
    /// The program, without its directory.
    name: &'a str,
    /// The word before, when it is literal.
    before: Option<&'a str>,
    /// The literal text before it in its own word.
    prefix: &'a str,
    /// Whether its word begins with it.
    begins: bool,
    /// Whether a word before is `--`.
    options_are_over: bool,
}

fn danger_of(kind: &ArgumentKind, here: &Here<'_>) -> Option<(&'static str, &'static str)> {
    if kind.is_closed() {
        let is_option = here.begins && !here.options_are_over && kind.may_look_like_an_option();
        return is_option.then_some(("a negative number would be read as an option", "put \"--\" before it"));
    }
    let is_path = matches!(kind, ArgumentKind::PathBelow(_));
    let closed = "make it one_of, and write down what may be";
    if is_one_of(INTERPRETERS, here.name) {
        return Some(("this program takes its words for program text", closed));
    }
    if !is_path && (is_one_of(STARTERS, here.name) || is_one_of(SHELLS, here.name)) {
        return Some(("this program takes its words for other programs or hosts", closed));
    }
    if runs(here) {
        return Some(("this option names something that is run or overwritten", closed));
    }
    if !here.prefix.is_empty() && here.prefix.chars().all(|c| c == '-') && !here.options_are_over {
        return Some(("it would choose the option itself", closed));
    }
    let is_option = here.begins && !here.options_are_over && kind.may_look_like_an_option();
    is_option.then_some((
        "a value that begins with `-` would be read as an option",
        "put \"--\" before it, or begin the pattern with what a value begins with, as [A-Za-z0-9]",
    ))
}

/// Whether the value belongs to an option that runs something.
fn runs(here: &Here<'_>) -> bool {
    let Some((_, options)) = RUN_OPTIONS.iter().find(|(program, _)| is_called(here.name, program)) else {
        return false;
    };
    options.iter().any(|option| {
        let is_short = !option.starts_with("--");
        let in_word = here.prefix.strip_prefix(option).is_some_and(|rest| is_short || rest.starts_with('='));
        in_word || here.begins && here.before.is_some_and(|before| before == *option || bundles(before, option))
    })
}

/// Whether `word` is short options in one, the last of which is `option`: `-xf` ends with `-f`.
fn bundles(word: &str, option: &str) -> bool {
    let letter = option.strip_prefix('-').filter(|letter| letter.len() == 1);
    let letters = word.strip_prefix('-').unwrap_or(word);
    letter.is_some_and(|letter| {
        letters.len() > 1 && letters.ends_with(letter) && letters.chars().all(|c| c.is_ascii_alphabetic())
    })
}

/// The number of the word that a shell reads as a script: the first behind `-c` that is no option.
fn script(words: &[Vec<Piece>]) -> Option<usize> {
    let shell = words.iter().position(|word| literal(word).is_some_and(|word| is_one_of(SHELLS, base(word))))?;
    let is_option = |word: &[Piece]| matches!(word.first(), Some(Piece::Text(text)) if text.starts_with(['-', '+']));
    let is_c = |word: &[Piece]| {
        literal(word).and_then(|word| word.strip_prefix('-')).is_some_and(|letters| {
            !letters.starts_with('-') && letters.contains(['c', 'C']) || matches!(letters, "-command" | "-init-command")
        })
    };
    let c = (shell + 1..words.len()).find(|number| is_c(&words[*number]))?;
    (c + 1..words.len()).find(|number| !is_option(&words[*number]))
}

/// Refuses the names of variables that load or run something.
pub(super) fn variable(name: &str) -> Result<(), String> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= 128
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err("a variable is called by A-Z a-z 0-9 _, not beginning with a digit".to_owned());
    }
    if VARIABLES.contains(&name) || VARIABLE_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) {
        return Err(format!("{name} can make a program load or run something else; it is never set"));
    }
    Ok(())
}

/// The text of a word without placeholders.
fn literal(word: &[Piece]) -> Option<&str> {
    match word {
        [Piece::Text(text)] => Some(text),
        _ => None,
    }
}

/// The name of a program without its directory.
fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn is_one_of(programs: &[&str], name: &str) -> bool {
    programs.iter().any(|program| is_called(name, program))
}

/// Whether `name` is `program`, or it with a version behind: `python3.13` is `python`.
fn is_called(name: &str, program: &str) -> bool {
    name.strip_prefix(program)
        .is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-')))
}
