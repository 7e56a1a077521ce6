//! `aurora config`

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;

use serde_json::Value;

use crate::config::{ConfigFile, EXAMPLE, ValuePath, default_config_path, lines_of_keys};
use crate::engine::certificates;
use crate::ingress::{Certificates, Channel};
use crate::model::counted;

use super::args::{ConfigCommand, Global};
use super::exit::{Exit, Failure, Outcome};
use super::load::load;
use super::output;

pub(super) fn run(command: ConfigCommand, global: &Global) -> Outcome {
    match command {
        ConfigCommand::Init => init(global),
        ConfigCommand::Check => check(global),
        ConfigCommand::Print(json) => print(json.json, global),
        ConfigCommand::Schema => {
            output::json(&schemars::schema_for!(ConfigFile))?;
            Ok(Exit::Fine)
        }
    }
}

/// Shows what is in effect, and where each value comes from.
fn print(json: bool, global: &Global) -> Outcome {
    let config = load(global)?;
    let mut effective = config.effective();
    let sources = config.value_lines().into_iter().map(|(path, line)| {
        let source = overruled(&path, global).map_or(line.map_or(Source::Default, Source::Line), Source::Outside);
        (path, source)
    });
    if json {
        let told = |(path, source): (ValuePath, Source)| (written(&path), source.in_full(config.source()).into());
        effective["sources"] = Value::Object(sources.map(told).collect());
        output::json(&effective)?;
        return Ok(Exit::Fine);
    }
    let text = toml::to_string_pretty(&effective).map_err(|error| Failure::new(Exit::Failed, error))?;
    // Only what is no default has a note: most of it is.
    let places = lines_of_keys(&text);
    let notes: BTreeMap<usize, String> =
        sources.filter_map(|(path, source)| Some((*places.get(&path)?, source.note()?))).collect();
    let file = config.source();
    output::line(&match config.text() {
        Some(_) => format!("# What {file} says has its line there; the rest is the default."),
        None => "# There is no configuration file: what has no note is the default.".to_owned(),
    })?;
    for (number, line) in (1..).zip(text.trim_end().lines()) {
        match notes.get(&number) {
            Some(note) => output::line(&format!("{line}  # {note}"))?,
            None => output::line(line)?,
        }
    }
    Ok(Exit::Fine)
}

/// Where a value comes from.
enum Source {
    Default,
    /// This line of the file.
    Line(usize),
    /// An option, or a variable of the environment.
    Outside(&'static str),
}

impl Source {
    /// As it is told beside a value; a default is not.
    fn note(&self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::Line(line) => Some(format!("line {line}")),
            Self::Outside(name) => Some((*name).to_owned()),
        }
    }

    /// As `--json` has it: `default`, the file and the line, or the name.
    fn in_full(&self, file: &str) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::Line(line) => format!("{file}:{line}"),
            Self::Outside(name) => (*name).to_owned(),
        }
    }
}

/// What of the command line or the environment says the value at `path`, if it does.
fn overruled(path: &[String], global: &Global) -> Option<&'static str> {
    let [section, key] = path else { return None };
    match (section.as_str(), key.as_str()) {
        ("node", "state_dir") if global.state_dir.is_some() => {
            let option = |arg: std::ffi::OsString| arg.to_string_lossy().starts_with("--state-dir");
            Some(if std::env::args_os().any(option) { "--state-dir" } else { "AURORA_STATE_DIR" })
        }
        ("tui", "theme") if global.theme.is_some() => Some("--theme"),
        _ => None,
    }
}

/// The keys of `path` as TOML writes them: one with a dot in it has quotes.
fn written(path: &[String]) -> String {
    let is_bare = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let keys = path.iter().map(|key| if is_bare(key) { key.clone() } else { format!("{key:?}") });
    keys.collect::<Vec<_>>().join(".")
}

fn init(global: &Global) -> Outcome {
    use std::io::Write;

    let path = global.config.clone().or_else(default_config_path);
    let path = path.ok_or_else(|| Failure::usage("there is no home directory; name a file with --config"))?;
    let shown = path.display();
    let fail = |error: std::io::Error| Failure::new(Exit::Failed, format!("failed to write {shown}: {error}"));
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(fail)?;
    }
    match std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => file.write_all(EXAMPLE.as_bytes()).map_err(fail)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::new(Exit::Failed, format!("{shown} is there already; it is not overwritten")));
        }
        Err(error) => return Err(fail(error)),
    }
    output::line(&format!("{shown} is written; every active line in it is the default"))?;
    Ok(Exit::Fine)
}

fn check(global: &Global) -> Outcome {
    let config = load(global)?;
    let mut problems = Vec::new();
    if !config.default_channels {
        for channel in config.channels.values() {
            if let Err(problem) = Channel::new(&config, channel.clone()) {
                problems.push(problem.to_string());
            }
        }
    }
    if let Err(problem) = certificates(&config, &Certificates::new()) {
        problems.push(problem.to_string());
    }
    problems.extend(
        config
            .health
            .checks
            .iter()
            .filter_map(|check| config.check_target(check).err())
            .map(|problem| problem.to_string()),
    );
    if !problems.is_empty() {
        return Err(Failure::usage(problems.join("\n")));
    }
    let from = global.config.clone().or_else(default_config_path).filter(|path| path.exists());
    let from = from.map_or_else(|| "the defaults".to_owned(), |path| path.display().to_string());
    output::line(&format!(
        "{from}: no mistake, {}, {}",
        counted(config.channels.len(), "channel"),
        counted(config.health.checks.len(), "check")
    ))?;
    Ok(Exit::Fine)
}
