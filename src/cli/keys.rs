//! `aurora keys`

use serde::Serialize;

use crate::config::{Config, Context};
use crate::tui::Action;

use super::args::KeysCommand;
use super::exit::{Exit, Outcome};
use super::output;

/// One binding, as `--json` has it.
#[derive(Debug, Serialize)]
struct Row {
    context: &'static str,
    action: String,
    /// What is pressed; any of these.
    keys: Vec<String>,
    /// `default`, or the file and the line.
    source: String,
    /// What it does, in plain words.
    does: &'static str,
}

pub(super) fn run(command: KeysCommand, config: &Config) -> Outcome {
    match command {
        KeysCommand::List { context, json } => list(config, context, json.json),
        KeysCommand::Check => check(config),
    }
}

/// Where a line of the file is.
fn place(config: &Config, line: Option<usize>) -> Option<String> {
    line.map(|line| format!("{}:{line}", config.source()))
}

fn list(config: &Config, context: Option<Context>, json: bool) -> Outcome {
    // The innermost comes first, as it decides.
    let contexts: Vec<Context> = context.map_or_else(|| Context::ALL.to_vec(), |inner| inner.outwards().collect());
    let rows = contexts.into_iter().flat_map(|context| {
        config.keys.bindings().iter().filter(move |binding| binding.context == context).map(|binding| Row {
            context: binding.context.name(),
            action: binding.action.clone(),
            keys: binding.chords.iter().map(ToString::to_string).collect(),
            source: place(config, binding.line).unwrap_or_else(|| "default".to_owned()),
            does: Action::named(&binding.action).map(Action::words).unwrap_or_default(),
        })
    });
    if json {
        output::json(&rows.collect::<Vec<_>>())?;
    } else {
        let cells =
            |row: Row| [row.context.to_owned(), row.action, row.keys.join(", "), row.source, row.does.to_owned()];
        output::table(["CONTEXT", "ACTION", "KEYS", "SOURCE", "WHAT IT DOES"], rows.map(cells))?;
    }
    Ok(Exit::Fine)
}

fn check(config: &Config) -> Outcome {
    let notes = config.keys.notes();
    for note in &notes {
        let place = place(config, note.line).map(|place| format!("{place}: ")).unwrap_or_default();
        output::line(&format!("{place}{note}"))?;
    }
    let reached = if notes.is_empty() { "every action has its key" } else { "what has no key is in help and palette" };
    output::line(&format!("{}: no mistake; {reached}", config.source()))?;
    Ok(Exit::Fine)
}
