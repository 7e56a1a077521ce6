//! The whitelist in effect, as data.

use serde_json::{Map, Value, json};

use crate::model::{Argument, ArgumentKind, Class, CommandTemplate, PanePlace, Shape};

use super::Commands;
use super::period::period_text;

/// The commands as `config print` shows them, with the names of the file.
pub(super) fn shown_commands(commands: &Commands) -> Map<String, Value> {
    commands.iter().map(|(name, command)| (name.to_string(), shown(command))).collect()
}

fn shown(command: &CommandTemplate) -> Value {
    let mut shown = json!({
        "hosts": command.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "timeout": period_text(command.timeout),
        "risk": command.risk,
        "idempotent": command.class == Class::Idempotent,
    });
    match &command.keys {
        None => shown["argv"] = json!(command.argv),
        Some(keys) => {
            shown["keys"] = json!(keys.text);
            let PanePlace { socket, session, pane } = &keys.place;
            if let Some(session) = session {
                let pane = pane.map(|(window, pane)| format!(":{window}.{pane}")).unwrap_or_default();
                shown["pane"] = json!(format!("{session}{pane}"));
            }
            if let Some(socket) = socket {
                shown["socket"] = json!(socket);
            }
        }
    }
    if !command.args.is_empty() {
        let args = command.args.iter().map(|argument| (argument.name.clone(), shown_argument(argument)));
        shown["args"] = Value::Object(args.collect());
    }
    if !command.env.is_empty() {
        shown["env"] = json!(command.env);
    }
    if !command.checks.is_empty() {
        shown["checks"] = json!(command.checks);
    }
    let others = [
        ("about", json!(command.about)),
        ("cwd", json!(command.cwd)),
        ("weakest_layer", json!(command.weakest_layer)),
        ("at_once", json!(command.at_once)),
        ("rollback", json!(command.rollback)),
    ];
    for (key, value) in others.into_iter().filter(|(_, value)| !value.is_null()) {
        shown[key] = value;
    }
    shown
}

fn shown_argument(argument: &Argument) -> Value {
    let (key, value) = match &argument.kind {
        ArgumentKind::OneOf(words) => ("one_of", json!(words)),
        ArgumentKind::Int(least, most) => ("int", json!([least, most])),
        ArgumentKind::Pattern(pattern) => ("pattern", json!(pattern)),
        ArgumentKind::PathBelow(root) => ("path_below", json!(root)),
    };
    let mut shown = json!({ key: value, "max_len": argument.max_len });
    if argument.shape == Shape::Lines {
        shown["multiline"] = json!(true);
    }
    if let Some(default) = &argument.default {
        shown["default"] = json!(default);
    }
    shown
}
