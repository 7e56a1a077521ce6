//! `aurora inbox`

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{Act, Item, Message, MessageRow, Order, age};
use crate::protocol::{Reply, Request};

use super::args::{Global, InboxCommand, Listing, query};
use super::exit::{Exit, Failure, Outcome};
use super::session::{Session, ask, unexpected};
use super::{desk, export, output, save, trace, views};

/// Messages that are ranked at most; older ones are not looked at.
const RANKED: usize = 1_000;

pub(super) async fn run(command: InboxCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        InboxCommand::List { filter, view, conversations, listing: Listing { limit, json } } => {
            let filter = match view {
                Some(name) => views::filter(config, global, &name).await?,
                None => filter.filter()?,
            };
            if conversations {
                desk::list(config, global, filter, limit, json.json).await?;
            } else {
                let request = Request::Inbox { filter, before: None, limit };
                list(config, global, request, limit, json.json).await?;
            }
        }
        InboxCommand::Views(json) => views::list(config, global, json.json).await?,
        InboxCommand::Search { words, best, listing: Listing { limit, json } } => {
            let filter = query(&words.join(" ")).map_err(Failure::usage)?;
            if filter.text.is_none() && filter.from.is_none() {
                return Err(Failure::usage("a search needs a word; `aurora inbox list` takes conditions alone"));
            }
            let order = if best { Order::Best } else { Order::Newest };
            if best && limit > RANKED {
                output::aside(&format!(
                    "only the newest {RANKED} messages that match are ranked, so no more are shown"
                ));
            }
            let request = Request::Search { filter, order, before: None, limit };
            list(config, global, request, limit, json.json).await?;
        }
        InboxCommand::Show { id: Item::Message(id), trace: true, json, .. } => {
            trace::show(config, global, id.into(), json.json).await?;
        }
        InboxCommand::Show { id: Item::Message(id), save: Some(dir), json, .. } => {
            save::run(config, global, id, &dir, json.json).await?;
        }
        InboxCommand::Show { id: Item::Message(id), save: None, json, .. } => {
            match ask(config, global, Request::Message(id)).await? {
                Reply::Message(None) => return Err(Failure::new(Exit::Failed, format!("no message has the id {id}"))),
                Reply::Message(Some(message)) if json.json => output::json(&message)?,
                Reply::Message(Some(message)) => show(&message)?,
                reply => return Err(unexpected(&reply)),
            }
        }
        InboxCommand::Show { save: Some(_), .. } | InboxCommand::Show { trace: true, .. } => {
            return Err(Failure::usage("files and a way belong to a message; name one"));
        }
        InboxCommand::Show { id: Item::Conversation(id), json, .. } => {
            desk::show(config, global, id, json.json).await?;
        }
        InboxCommand::Count { filter } => match ask(config, global, Request::InboxCount(filter.filter()?)).await? {
            Reply::Count(count) => output::line(&count.to_string())?,
            reply => return Err(unexpected(&reply)),
        },
        InboxCommand::Ack { ids, undo } => {
            desk::act(config, global, ids, if undo { Act::Unack } else { Act::Ack }).await?;
        }
        InboxCommand::Snooze { ids, when } => desk::act(config, global, ids, desk::snooze(&when)?).await?,
        InboxCommand::Assign { ids, who } => desk::assign(config, global, ids, &who).await?,
        InboxCommand::Label { ids, label, remove } => {
            desk::act(config, global, ids, if remove { Act::Unlabel(label) } else { Act::Label(label) }).await?;
        }
        InboxCommand::Note { id, text } => desk::act(config, global, vec![id], Act::Note(text)).await?,
        InboxCommand::Undo { id } => desk::undo(config, global, id).await?,
        InboxCommand::Export { filter } => export::run(config, global, &filter.filter()?).await?,
    }
    Ok(Exit::Fine)
}

/// Asks until `limit` messages are here or no more match, and prints them.
async fn list(config: &Config, global: &Global, first: Request, limit: usize, json: bool) -> Result<(), Failure> {
    let mut session = Session::open(config, global).await?;
    let rows = pages(&mut session, first, limit).await;
    session.close().await;
    let rows = rows?;
    if json {
        return Ok(output::json(&rows)?);
    }
    let now = Timestamp::now();
    let cells = rows.into_iter().map(|row| {
        let state = state(&row);
        [row.id.to_string(), row.channel.to_string(), age(row.received, now), state, row.from, row.subject]
    });
    Ok(output::table(["ID", "CHANNEL", "AGE", "STATE", "FROM", "SUBJECT"], cells)?)
}

async fn pages(session: &mut Session, mut request: Request, most: usize) -> Result<Vec<MessageRow>, Failure> {
    let mut rows = Vec::new();
    loop {
        let page = match session.ask(request.clone()).await? {
            Reply::Page(page) => page,
            reply => return Err(unexpected(&reply)),
        };
        rows.extend(page.rows);
        match &mut request {
            Request::Inbox { before, limit, .. } | Request::Search { order: Order::Newest, before, limit, .. }
                if page.next.is_some() && rows.len() < most =>
            {
                *before = page.next;
                *limit = most - rows.len();
            }
            // What fits best is asked for once: older ones would not be compared with these.
            _ => return Ok(rows),
        }
    }
}

fn state(row: &MessageRow) -> String {
    let state = match (&row.marks.acked, &row.marks.read) {
        (Some(_), _) => "acked",
        (None, Some(_)) => "read",
        (None, None) => "new",
    };
    if row.vip { format!("{state} vip") } else { state.to_owned() }
}

fn show(message: &Message) -> Result<(), Failure> {
    let row = &message.row;
    output::line(&row.subject)?;
    let address = message.address.as_deref().filter(|address| *address != row.from);
    output::line(&format!(
        "from      {}{}",
        row.from,
        address.map(|address| format!(" <{address}>")).unwrap_or_default()
    ))?;
    output::line(&format!("channel   {} ({})", row.channel, row.kind))?;
    output::line(&format!("received  {}", row.received))?;
    output::line(&format!("state     {}", state(row)))?;
    if let Some(who) = &row.marks.acked_by {
        output::line(&format!("taken by  {who}"))?;
    }
    output::line("")?;
    output::lines(&message.text)?;
    if message.attachments.is_empty() {
        return Ok(());
    }
    output::line("")?;
    for (number, attachment) in (1..).zip(&message.attachments) {
        output::line(&format!("file {number}    {}", attachment.described()))?;
    }
    Ok(output::line(&format!("          aurora inbox show {} --save DIR", row.id))?)
}
