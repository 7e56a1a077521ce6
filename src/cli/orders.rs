//! `aurora do`: what the palette does, on the running engine.

use jiff::Zoned;
use serde::Serialize;

use crate::client::{Client, Target, act_id};
use crate::config::Config;
use crate::model::{Role, UNDO_OFFERED};
use crate::policy;
use crate::protocol::{Asking, BridgeReply, Order, Reply, VERBS};
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

/// Who asks for an order: now, and about everything there is.
pub(super) fn asking() -> Asking {
    Asking { now: Zoned::now(), act: act_id(), seen: None }
}

/// Does what `line` says. The engine decides whether this operator may, as it does for a key.
pub(super) async fn run(config: &Config, global: &Global, line: &str, json: bool) -> Outcome {
    let order = Order::parse(line, &asking()).map_err(|error| {
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
    let act = match &reply {
        Reply::Acted(acted) => Some((acted.id, acted.changed)),
        Reply::Person(acted) => Some((acted.id, acted.changed)),
        _ => None,
    };
    if let Some((id, _)) = act.filter(|(_, changed)| *changed > 0) {
        // Beside what a script reads.
        output::aside(&format!("to undo it within {} seconds: aurora do undo {id}", UNDO_OFFERED.as_secs()));
    }
    if !told.is_whole {
        return Err(Failure::new(Exit::Failed, told.text));
    }
    if json {
        output::json(&Done { verb: order.verb.name, line, changed: told.changed, said: told.text })?;
    } else {
        output::line(&told.text)?;
    }
    let is_held = matches!(&reply, Reply::Bridge(BridgeReply::Running { approval: Some(_), .. }));
    Ok(if is_held { Exit::Denied } else { Exit::Fine })
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
    let asking = asking();
    let rows = VERBS.iter().map(|verb| VerbRow {
        verb: verb.name,
        takes: verb.takes.written(),
        role: Order::parse(verb.example, &asking).ok().map(|order| policy::needed(&order.request)),
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
