//! `[commands.*]`: the whitelist, every mistake with its place.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use crate::model::{
    Argument, ArgumentKind, CheckId, Class, CommandName, CommandTemplate, HostName, HostSelector, LayerKind, Piece,
    Risk, Shape, argv_pieces, compile_pattern, is_argument_name, is_plain_path, is_unseen, nearest,
};

use super::checks::place;
use super::command_file::{ArgumentFile, CommandFile, ScalarFile};
use super::command_guard;
use super::mistake::{Mistake, Source};
use super::period::period;
use super::prompts::{self, Places};

/// The commands, by name.
pub type Commands = BTreeMap<CommandName, CommandTemplate>;

/// Commands a file may name.
const MOST: usize = 1_000;
/// Arguments of one command.
const ARGUMENTS: usize = 32;
/// The timeout where none is written.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Timeouts that can be had.
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
/// The longest value in bytes, where nothing is written, and at all.
const MAX_LEN: (usize, usize) = (1_024, 16 << 10);
/// The pattern that is called `printable`; control characters are refused in every value.
const PRINTABLE: (&str, &str) = ("printable", ".+");

/// Validates `[commands]`. Of an agent's own file `hosts` may be left out: its commands run on that host. `places` says
/// where each host has its tmux.
pub(super) fn commands(
    typed: &BTreeMap<Spanned<String>, CommandFile>,
    of_agent: bool,
    places: &Places,
    source: &Source,
) -> Result<Commands, Mistake> {
    if let Some((key, _)) = typed.iter().nth(MOST) {
        return Err(Mistake::at(key, format!("a file may name at most {MOST} commands")));
    }
    let mut commands = Commands::new();
    for (key, command) in typed {
        let name: CommandName = key.get_ref().parse().map_err(|error| Mistake::at(key, format!("{error}")))?;
        commands.insert(name.clone(), Reader { key, command, places, source }.template(name, of_agent)?);
    }
    for (key, command) in typed {
        if let Some(rollback) = &command.rollback {
            check_rollback(rollback, key.get_ref(), &commands)?;
        }
    }
    Ok(commands)
}

/// The commands of `host`, this machine, for a file that names none: they look and change nothing.
pub(super) fn harmless(host: &HostName) -> Commands {
    let commands: [(&str, &str, &[&str]); 4] = [
        ("disk", "How full its file systems are.", &["df", "-h"]),
        ("memory", "How its memory is used.", &["free", "-h"]),
        (
            "processes",
            "Its processes, those with the most memory first.",
            &["ps", "-e", "-o", "pid,user,pcpu,pmem,etime,comm", "--sort=-pmem"],
        ),
        ("uptime", "How long it runs, and its load.", &["uptime"]),
    ];
    let template = |(name, about, argv): (&str, &str, &[&str])| {
        let name: CommandName = name.parse().ok()?;
        let template = CommandTemplate {
            name: name.clone(),
            about: Some(about.to_owned()),
            hosts: vec![HostSelector::Host(host.clone())],
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            keys: None,
            args: Vec::new(),
            cwd: None,
            env: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            risk: Risk::Low,
            class: Class::Idempotent,
            weakest_layer: None,
            at_once: None,
            rollback: None,
            checks: Vec::new(),
        };
        Some((name, template))
    };
    commands.into_iter().filter_map(template).collect()
}

/// One table of `[commands]`.
struct Reader<'a> {
    key: &'a Spanned<String>,
    command: &'a CommandFile,
    places: &'a Places,
    source: &'a Source,
}

impl Reader<'_> {
    fn template(&self, name: CommandName, of_agent: bool) -> Result<CommandTemplate, Mistake> {
        let typed = self.command;
        prompts::check(self.key, typed)?;
        let args = self.arguments()?;
        let (argv, keys) = if let Some(keys) = &typed.keys {
            self.placeholders(std::slice::from_ref(keys), &args)?;
            (&[][..], Some(prompts::template(keys, typed, self.places)?))
        } else {
            let argv = typed.argv.as_ref().map(Spanned::get_ref).filter(|argv| !argv.is_empty()).ok_or_else(|| {
                Mistake::at(self.key, format!("command `{name}` has no program"))
                    .help("add: argv = [\"/usr/bin/program\", \"argument\"]")
            })?;
            self.words(argv, &args)?;
            (argv.as_slice(), None)
        };
        // What is typed is carried by what answers at once. A letter that lies somewhere would be typed into whatever
        // is there by then.
        let weakest = typed.weakest_layer.as_ref().map(layer).transpose()?;
        let weakest_layer = weakest.or(keys.as_ref().map(|_| LayerKind::Tmux));
        let timeout =
            if keys.is_some() { Ok(prompts::TIMEOUT) } else { typed.timeout.as_ref().map_or(Ok(TIMEOUT), timeout) };
        if typed.hosts.is_empty() && !of_agent {
            return Err(Mistake::at(self.key, format!("command `{name}` may run nowhere"))
                .help("add: hosts = [\"here\"], with names of hosts or \"@label\""));
        }
        let about = typed.about.clone().filter(|about| !about.is_empty());
        Ok(CommandTemplate {
            about: about.map(|about| about.replace('\n', " ")),
            hosts: typed.hosts.iter().map(selector).collect::<Result<_, _>>()?,
            argv: argv.iter().map(|word| word.get_ref().clone()).collect(),
            keys,
            args,
            cwd: typed.cwd.as_ref().map(directory).transpose()?,
            env: self.variables()?,
            timeout: timeout?,
            risk: typed.risk.as_ref().map_or(Ok(Risk::Low), risk)?,
            class: if typed.idempotent == Some(true) { Class::Idempotent } else { Class::AtMostOnce },
            weakest_layer,
            at_once: typed.at_once.as_ref().map(at_once).transpose()?,
            rollback: typed.rollback.as_ref().map(command_name).transpose()?,
            checks: typed.checks.iter().map(check_id).collect::<Result<_, _>>()?,
            name,
        })
    }

    fn arguments(&self) -> Result<Vec<Argument>, Mistake> {
        if let Some((key, _)) = self.command.args.iter().nth(ARGUMENTS) {
            return Err(Mistake::at(key, format!("a command takes at most {ARGUMENTS} arguments")));
        }
        let read = |(key, typed)| {
            let argument = argument(key, typed)?;
            if self.command.keys.is_none() {
                return Ok(argument);
            }
            let multiline = typed.get_ref().multiline == Some(true);
            if multiline && !matches!(argument.kind, ArgumentKind::Pattern(_)) {
                return Err(Mistake::at(typed, "only a `pattern` can have several lines"));
            }
            Ok(prompts::typed_argument(argument, multiline))
        };
        self.command.args.iter().map(read).collect()
    }

    /// Looks at every word: its placeholders, and what a value in it could do.
    fn words(&self, words: &[Spanned<String>], args: &[Argument]) -> Result<(), Mistake> {
        let taken_apart = self.placeholders(words, args)?;
        command_guard::program(&taken_apart).and_then(|()| command_guard::values(&taken_apart, args)).map_err(
            |danger| {
                let word = &words[danger.word];
                let mistake = match &danger.at {
                    Some(at) => self.within(word, at, danger.message),
                    None => Mistake::at(word, danger.message),
                };
                mistake.help(danger.help)
            },
        )
    }

    /// Takes the words apart. Every placeholder is an argument, and every argument has one.
    fn placeholders(&self, words: &[Spanned<String>], args: &[Argument]) -> Result<Vec<Vec<Piece>>, Mistake> {
        let mut used = Vec::new();
        let mut taken_apart = Vec::new();
        for word in words {
            let text = word.get_ref();
            if let Some(c) = text.chars().find(|c| is_unseen(*c) && *c != '\n' && *c != '\t') {
                return Err(Mistake::at(word, format!("a word holds U+{:04X}, which controls or hides", u32::from(c))));
            }
            let pieces = argv_pieces(text).map_err(|error| self.within(word, &error.at, error.to_string()))?;
            for piece in &pieces {
                let Piece::Value { name, at } = piece else { continue };
                if args.iter().all(|argument| argument.name != *name) {
                    let mistake = self.within(word, at, format!("`{name}` is no argument of this command"));
                    let known = args.iter().map(|argument| argument.name.as_str());
                    return Err(match nearest(name, known) {
                        Some(known) => mistake.help(format!("did you mean {{{known}}}?")),
                        None => {
                            mistake.help(format!("add: args.{name} = {{ one_of = [\"…\"] }}; a brace itself is `{{{{`"))
                        }
                    });
                }
                used.push(name.clone());
            }
            taken_apart.push(pieces);
        }
        if let Some((key, _)) = self.command.args.iter().find(|(key, _)| !used.contains(key.get_ref())) {
            let what = if self.command.keys.is_some() { "`keys` does not use" } else { "no word of argv uses" };
            return Err(
                Mistake::at(key, format!("{what} {{{}}}", key.get_ref())).help("use it, or remove the argument")
            );
        }
        Ok(taken_apart)
    }

    /// A mistake at a part of a word.
    fn within(&self, word: &Spanned<String>, at: &Range<usize>, message: String) -> Mistake {
        let span = place(&self.source.text, word.span(), word.get_ref(), at);
        Mistake { span: Some(span), message, help: None }
    }

    fn variables(&self) -> Result<BTreeMap<String, String>, Mistake> {
        let mut variables = BTreeMap::new();
        for (key, value) in &self.command.env {
            let name = key.get_ref();
            command_guard::variable(name).map_err(|message| Mistake::at(key, message))?;
            let text = value.get_ref();
            if text.len() > MAX_LEN.1 || text.chars().any(is_unseen) {
                let most = MAX_LEN.1;
                let rule = format!("the value of a variable is at most {most} bytes without control characters");
                return Err(Mistake::at(value, rule));
            }
            variables.insert(name.clone(), text.clone());
        }
        Ok(variables)
    }
}

fn argument(key: &Spanned<String>, typed: &Spanned<ArgumentFile>) -> Result<Argument, Mistake> {
    let name = key.get_ref();
    if !is_argument_name(name) {
        return Err(Mistake::at(key, "an argument is called by 1 to 64 of a-z A-Z 0-9 _, beginning with a letter"));
    }
    let file = typed.get_ref();
    let kind = kind(name, typed)?;
    let max_len = match &file.max_len {
        None => MAX_LEN.0,
        Some(most) => usize::try_from(*most.get_ref())
            .ok()
            .filter(|most| (1..=MAX_LEN.1).contains(most))
            .ok_or_else(|| Mistake::at(most, format!("a value has 1 to {} bytes", MAX_LEN.1)))?,
    };
    let mut argument = Argument { name: name.clone(), kind, default: None, max_len, shape: Shape::Word };
    if let ArgumentKind::OneOf(words) = &argument.kind {
        for (word, typed) in words.iter().zip(file.one_of.iter().flat_map(Spanned::get_ref)) {
            argument.check(word).map_err(|why| Mistake::at(typed, why))?;
        }
    }
    if let Some(typed) = &file.default {
        let default = match typed.get_ref() {
            ScalarFile::Number(number) => number.to_string(),
            ScalarFile::Text(text) => text.clone(),
        };
        argument.check(&default).map_err(|why| Mistake::at(typed, why))?;
        argument.default = Some(default);
    }
    Ok(argument)
}

fn kind(name: &str, typed: &Spanned<ArgumentFile>) -> Result<ArgumentKind, Mistake> {
    let ArgumentFile { one_of, int, pattern, path_below, .. } = typed.get_ref();
    match (one_of, int, pattern, path_below) {
        (Some(words), None, None, None) => {
            if words.get_ref().is_empty() {
                return Err(Mistake::at(words, "no word could ever be given").help("write the words that may be"));
            }
            Ok(ArgumentKind::OneOf(words.get_ref().iter().map(|word| word.get_ref().clone()).collect()))
        }
        (None, Some(range), None, None) => match *range.get_ref() {
            [least, most] if least <= most => Ok(ArgumentKind::Int(least, most)),
            [least, most] => Err(Mistake::at(range, format!("there is no number from {least} to {most}"))),
        },
        (None, None, Some(pattern), None) => {
            let text = pattern.get_ref();
            let text = if text == PRINTABLE.0 { PRINTABLE.1 } else { text };
            compile_pattern(text).map_err(|why| Mistake::at(pattern, why))?;
            Ok(ArgumentKind::Pattern(text.to_owned()))
        }
        (None, None, None, Some(root)) if is_plain_path(root.get_ref()) => {
            Ok(ArgumentKind::PathBelow(root.get_ref().clone()))
        }
        (None, None, None, Some(root)) => {
            Err(Mistake::at(root, "a directory is absolute, without `.`, `..`, doubled slashes and one at its end")
                .help("for example path_below = \"/srv/www\""))
        }
        _ => Err(Mistake::at(typed, format!("`{name}` has to be exactly one of one_of, int, pattern and path_below"))
            .help("for example { one_of = [\"start\", \"stop\"] }")),
    }
}

fn selector(typed: &Spanned<String>) -> Result<HostSelector, Mistake> {
    typed.get_ref().parse().map_err(|error: String| {
        Mistake::at(typed, error).help("write the name of a host, or `@` and a label; never an address")
    })
}

fn directory(typed: &Spanned<String>) -> Result<String, Mistake> {
    let path = typed.get_ref();
    if (is_plain_path(path) || path == "/") && !path.chars().any(is_unseen) {
        Ok(path.clone())
    } else {
        Err(Mistake::at(typed, "a directory is absolute, without `.`, `..` and doubled slashes"))
    }
}

fn timeout(typed: &Spanned<String>) -> Result<Duration, Mistake> {
    let timeout = period(typed.get_ref()).map_err(|error| Mistake::at(typed, error))?;
    if TIMEOUTS.contains(&timeout) { Ok(timeout) } else { Err(Mistake::at(typed, "a timeout is 1s to 1d")) }
}

fn risk(typed: &Spanned<String>) -> Result<Risk, Mistake> {
    typed.get_ref().parse().map_err(|error: String| Mistake::at(typed, error))
}

fn layer(typed: &Spanned<String>) -> Result<LayerKind, Mistake> {
    typed.get_ref().parse().map_err(|error: String| Mistake::at(typed, error))
}

fn at_once(typed: &Spanned<u32>) -> Result<u32, Mistake> {
    if (1..=1_000).contains(typed.get_ref()) {
        Ok(*typed.get_ref())
    } else {
        Err(Mistake::at(typed, "it is 1 to 1000"))
    }
}

fn command_name(typed: &Spanned<String>) -> Result<CommandName, Mistake> {
    typed.get_ref().parse().map_err(|error| Mistake::at(typed, format!("{error}")))
}

fn check_id(typed: &Spanned<String>) -> Result<CheckId, Mistake> {
    typed.get_ref().parse().map_err(|error| Mistake::at(typed, format!("{error}")))
}

/// Commands that wait for the health of checks name checks that there are. An agent has none and does not ask.
pub(super) fn name_checks<'a>(
    typed: &BTreeMap<Spanned<String>, CommandFile>,
    known: impl Iterator<Item = &'a CheckId> + Clone,
) -> Result<(), Mistake> {
    let wanted = typed.values().flat_map(|command| &command.checks);
    for check in wanted {
        if !known.clone().any(|id| id.as_str() == check.get_ref()) {
            let mistake = Mistake::at(check, format!("there is no check `{}`", check.get_ref()));
            return Err(match nearest(check.get_ref(), known.map(CheckId::as_str)) {
                Some(id) => mistake.help(format!("did you mean `{id}`?")),
                None => mistake.help("[[checks]] with this `id` would be one"),
            });
        }
    }
    Ok(())
}

/// A rollback runs by itself, with the values of what it undoes: it has to be there, to take no other values, and to
/// need no more than what it undoes.
fn check_rollback(typed: &Spanned<String>, of: &str, commands: &Commands) -> Result<(), Mistake> {
    let command = |name: &str| commands.iter().find(|(known, _)| known.as_str() == name).map(|(_, command)| command);
    let Some(undoing) = command(typed.get_ref()) else {
        let mistake = Mistake::at(typed, format!("there is no command `{}`", typed.get_ref()));
        return Err(match nearest(typed.get_ref(), commands.keys().map(CommandName::as_str)) {
            Some(name) => mistake.help(format!("did you mean `{name}`?")),
            None => mistake,
        });
    };
    let Some(undone) = command(of) else { return Ok(()) };
    if undoing.risk > undone.risk {
        let (name, risk, less) = (&undoing.name, undoing.risk, undone.risk);
        return Err(Mistake::at(typed, format!("`{name}` has the risk {risk}, what it undoes only {less}"))
            .help("a rollback runs by itself; it cannot need more than what it undoes"));
    }
    let given = |wanted: &&Argument| {
        wanted.default.is_none() && undone.args.iter().all(|own| own.name != wanted.name || own.kind != wanted.kind)
    };
    match undoing.args.iter().find(given) {
        None => Ok(()),
        Some(missing) => Err(Mistake::at(typed, format!("`{}` needs `{}`", undoing.name, missing.name))
            .help("a rollback gets the values of what it undoes; give it the same arguments, or defaults")),
    }
}
