//! `keys` of a command: what is typed into a pane, and which pane that is.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;

use crate::model::{Argument, HostName, PanePlace, PromptTemplate, is_unseen};

use super::command_file::CommandFile;
use super::host_file::HostFile;
use super::hosts::{tmux, tmux_word};
use super::mistake::Mistake;

/// How long a prompt may take, all in all.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Where each host has its tmux, as far as that is written down.
pub(super) type Places = BTreeMap<HostName, PanePlace>;

/// The places of `hosts`.
pub(super) fn places(hosts: &BTreeMap<Spanned<String>, HostFile>) -> Result<Places, Mistake> {
    let mut places = Places::new();
    for (key, host) in hosts {
        let Some(typed) = &host.tmux else { continue };
        // What is no name of a host is a mistake of its own.
        let Ok(name) = key.get_ref().parse() else { continue };
        let tmux = tmux(typed)?;
        places.insert(name, PanePlace { socket: tmux.socket, session: tmux.session, pane: None });
    }
    Ok(places)
}

/// Refuses what means nothing to a command that types, and what means something only to one.
pub(super) fn check(key: &Spanned<String>, command: &CommandFile) -> Result<(), Mistake> {
    let Some(keys) = &command.keys else {
        let only = [("pane", &command.pane), ("socket", &command.socket)];
        if let Some((name, typed)) = only.into_iter().find_map(|(name, typed)| Some((name, typed.as_ref()?))) {
            return Err(Mistake::at(typed, format!("`{name}` is of commands with `keys`, which type into a pane")));
        }
        if let Some((argument, _)) = command.args.iter().find(|(_, typed)| typed.get_ref().multiline == Some(true)) {
            return Err(Mistake::at(
                argument,
                "a word of a program has one line; `multiline` is of commands with `keys`",
            ));
        }
        return Ok(());
    };
    if command.argv.is_some() {
        return Err(Mistake::at(keys, "a command has `argv` or `keys`, not both")
            .help("`argv` runs a program, `keys` types into a pane"));
    }
    let none = |what: &str| format!("`{what}` means nothing to a command that types into a pane");
    let others = [("cwd", &command.cwd), ("timeout", &command.timeout), ("rollback", &command.rollback)];
    if let Some((name, typed)) = others.into_iter().find_map(|(name, typed)| Some((name, typed.as_ref()?))) {
        return Err(Mistake::at(typed, none(name)));
    }
    if let Some((variable, _)) = command.env.iter().next() {
        return Err(Mistake::at(variable, none("env")));
    }
    if command.idempotent == Some(true) {
        return Err(Mistake::at(key, "what is typed twice is there twice; such a command is never idempotent")
            .help("remove `idempotent`"));
    }
    Ok(())
}

/// The template of `keys`; its placeholders were looked at.
pub(super) fn template(
    keys: &Spanned<String>,
    command: &CommandFile,
    places: &Places,
) -> Result<PromptTemplate, Mistake> {
    let text = keys.get_ref();
    if text.trim().is_empty() {
        return Err(Mistake::at(keys, "nothing would be typed").help("for example keys = \"{text}\""));
    }
    if let Some(c) = text.chars().find(|c| is_unseen(*c)) {
        return Err(Mistake::at(keys, format!("it holds U+{:04X}, which controls or hides", u32::from(c)))
            .help("Enter is pressed after it by itself"));
    }
    let pane = command.pane.as_ref();
    let read =
        |typed: &Spanned<String>| typed.get_ref().parse().map_err(|error| Mistake::at(typed, format!("{error}")));
    let mut place: PanePlace = pane.map(read).transpose()?.unwrap_or_default();
    place.socket = command.socket.as_ref().map(tmux_word).transpose()?;
    Ok(PromptTemplate { text: text.clone(), place, places: places.clone() })
}

/// An argument of a command that types: what it may be is about what is read by a person or a program, not by a shell.
pub(super) fn typed_argument(mut argument: Argument, multiline: bool) -> Argument {
    argument.shape = if multiline { crate::model::Shape::Lines } else { crate::model::Shape::Line };
    argument
}
