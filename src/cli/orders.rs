//! `aurora do`: what the palette does, on the running engine.

use serde::Serialize;

use crate::client::{Client, Target};
use crate::config::Config;
use crate::model::Role;
use crate::policy;
use crate::protocol::{Order, VERBS};
use crate::server::socket_path;
use crate::tui::Place;

use super::args::Global;
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::session::unexpected;

/// What was done, as `--json` tells it.
#[derive(Serialize)]
struct Done<'a> {
    verb: &'static str,
    line: &'a str,
    changed: u64,
    said: String,
}

/// Does what `line` says. The engine decides whether this operator may, as it does for a key.
pub(super) async fn run(config: &Config, global: &Global, line: &str, json: bool) -> Outcome {
    let order: Order = line.parse().map_err(|error| {
        Failure::usage(if Place::is_begun(line) {
            format!("`{line}` is a place, and an order is expected; `aurora open '{line}'` goes there")
        } else {
            format!("{error}; `aurora do --list` lists all")
        })
    })?;
    let target = Target::Unix(socket_path(&config.state_dir));
    let mut client = Client::attach(target, false, global.read_only).await?;
    let reply = client.answer(order.request.clone()).await?;
    let told = order.told(&reply).ok_or_else(|| unexpected(&reply))?;
    if !told.is_whole {
        return Err(Failure::new(Exit::Failed, told.text));
    }
    if json {
        output::json(&Done { verb: order.verb.name, line, changed: told.changed, said: told.text })?;
    } else {
        output::line(&told.text)?;
    }
    Ok(Exit::Fine)
}

/// One verb, as `--list --json` tells it.
#[derive(Serialize)]
struct VerbRow {
    verb: &'static str,
    takes: &'static str,
    role: Option<Role>,
    does: &'static str,
}

/// Lists every verb, and the role it needs.
pub(super) fn list(json: bool) -> Outcome {
    let rows = VERBS.iter().map(|verb| VerbRow {
        verb: verb.name,
        takes: verb.takes.written(),
        role: verb.example.parse::<Order>().ok().map(|order| policy::needed(&order.request)),
        does: verb.words,
    });
    if json {
        output::json(&rows.collect::<Vec<_>>())?;
        return Ok(Exit::Fine);
    }
    let cells = rows.map(|row| {
        let role = row.role.map(|role| role.to_string()).unwrap_or_default();
        [row.verb.to_owned(), row.takes.to_owned(), role, row.does.to_owned()]
    });
    output::table(["VERB", "TAKES", "ROLE", "DOES"], cells)?;
    Ok(Exit::Fine)
}
