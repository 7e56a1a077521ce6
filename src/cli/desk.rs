//! `aurora inbox`: what is done with conversations.

use jiff::{Timestamp, Zoned};

use crate::client::act_id;
use crate::config::Config;
use crate::model::{
    Act, ActId, ConversationId, ConversationList, ConversationRow, Entry, InboxFilter, Item, OperatorName, Snooze,
    UNDO_OFFERED, age,
};
use crate::protocol::{Reply, Request};

use super::args::Global;
use super::exit::{Exit, Failure};
use super::output;
use super::session::{Session, ask, unexpected};

/// Messages of a conversation asked for at once.
const PAGE: usize = 200;

/// What `when` asks for: `now` ends a snooze.
pub(super) fn snooze(when: &str) -> Result<Act, Failure> {
    if when == "now" {
        return Ok(Act::Wake);
    }
    let snooze = Snooze::parse(when, &Zoned::now());
    snooze.map(Act::Snooze).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

/// Gives conversations to `who`, which may be `me` or `nobody`.
pub(super) async fn assign(config: &Config, global: &Global, ids: Vec<Item>, who: &str) -> Result<(), Failure> {
    let to = match who {
        "nobody" => Act::Unassign,
        "me" => match ask(config, global, Request::WhoAmI).await? {
            Reply::Identity(identity) => Act::Assign(identity.operator),
            reply => return Err(unexpected(&reply)),
        },
        name => {
            let name = name.parse::<OperatorName>();
            Act::Assign(name.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?)
        }
    };
    act(config, global, ids, to).await
}

/// Does something to `ids`, and tells what became of it.
pub(super) async fn act(config: &Config, global: &Global, ids: Vec<Item>, act: Act) -> Result<(), Failure> {
    let asked = ids.len();
    let request = Request::Act { id: act_id(), on: ids, act: act.clone(), seen: None };
    let acted = match ask(config, global, request).await? {
        Reply::Acted(acted) => acted,
        reply => return Err(unexpected(&reply)),
    };
    output::line(&act.done(acted.changed))?;
    if acted.changed > 0 {
        can_be_undone(acted.id);
    }
    if acted.more {
        output::aside("there are more; the same command takes the next");
    }
    let mut left = Vec::new();
    if acted.unknown > 0 {
        left.push(format!("{} of {asked} are not known", acted.unknown));
    }
    if acted.full > 0 {
        left.push(format!("{} of {asked} have as many labels or notes as they may", acted.full));
    }
    if left.is_empty() { Ok(()) } else { Err(Failure::new(Exit::Failed, left.join("; "))) }
}

/// Says how an act is undone, beside what a script reads.
pub(super) fn can_be_undone(id: ActId) {
    output::aside(&format!("to undo it within {} seconds: aurora inbox undo {id}", UNDO_OFFERED.as_secs()));
}

/// Undoes an act.
pub(super) async fn undo(config: &Config, global: &Global, id: ActId) -> Result<(), Failure> {
    match ask(config, global, Request::Undo(id)).await? {
        Reply::Undone(undone) if undone.left_alone > 0 => Ok(output::line(&format!(
            "{} restored; {} left alone, somebody has changed them since",
            undone.restored, undone.left_alone
        ))?),
        Reply::Undone(undone) => Ok(output::line(&format!("{} restored", undone.restored))?),
        reply => Err(unexpected(&reply)),
    }
}

/// Conversations in one answer at most.
const LISTED: usize = 1_000;

/// Prints the first `limit` conversations that match.
pub(super) async fn list(
    config: &Config,
    global: &Global,
    filter: InboxFilter,
    limit: usize,
    json: bool,
) -> Result<(), Failure> {
    let mut session = Session::open(config, global).await?;
    let rows = pages(&mut session, &filter, limit).await;
    session.close().await;
    let list = rows?;
    if json {
        return Ok(output::json(&list)?);
    }
    if list.partly {
        output::aside("only the newest messages with these words were looked at; more conversations may match");
    }
    let now = Timestamp::now();
    let cells = list.rows.into_iter().map(|row| {
        let count = if row.unread > 0 { format!("{}/{}", row.unread, row.messages) } else { row.messages.to_string() };
        let subject = match &row.repeats {
            Some(repeats) => format!("{}x {}, first {}", repeats.count, row.subject, age(repeats.first, now)),
            None => row.subject.clone(),
        };
        [row.id.to_string(), row.channel.to_string(), age(row.received, now), count, state(&row), row.from, subject]
    });
    Ok(output::table(["ID", "CHANNEL", "AGE", "COUNT", "STATE", "FROM", "SUBJECT"], cells)?)
}

/// Asks until `limit` conversations are here or no more match.
async fn pages(session: &mut Session, filter: &InboxFilter, limit: usize) -> Result<ConversationList, Failure> {
    let mut list = ConversationList::default();
    while list.rows.len() < limit {
        let wanted = LISTED.min(limit - list.rows.len());
        let before = list.rows.last().map(|row| row.place);
        let page = match session.ask(Request::Conversations { filter: filter.clone(), before, limit: wanted }).await? {
            Reply::Conversations(page) => page,
            reply => return Err(unexpected(&reply)),
        };
        let is_last = page.rows.len() < wanted;
        list.partly |= page.partly;
        list.rows.extend(page.rows);
        if is_last {
            break;
        }
    }
    Ok(list)
}

fn state(row: &ConversationRow) -> String {
    let state = match (row.unread, &row.acked) {
        (1.., _) => "new",
        (0, Some(_)) => "acked",
        (0, None) => "read",
    };
    let vip = row.vip.then(|| "vip".to_owned());
    let assignee = row.assignee.as_ref().map(|name| format!("@{name}"));
    let labels = row.labels.iter().map(|label| format!("#{label}"));
    [state.to_owned()].into_iter().chain(vip).chain(assignee).chain(labels).collect::<Vec<_>>().join(" ")
}

/// Shows a conversation: the newest messages, oldest first, and the notes between them.
pub(super) async fn show(config: &Config, global: &Global, id: ConversationId, json: bool) -> Result<(), Failure> {
    let page = match ask(config, global, Request::Conversation { id, before: None, limit: PAGE }).await? {
        Reply::Conversation(Some(page)) => page,
        Reply::Conversation(None) => {
            return Err(Failure::new(Exit::Failed, format!("no conversation has the id {id}")));
        }
        reply => return Err(unexpected(&reply)),
    };
    if json {
        return Ok(output::json(&page)?);
    }
    let row = &page.row;
    output::line(&row.subject)?;
    output::line(&format!("channel   {}", row.channel))?;
    output::line(&format!("messages  {}, unread {}", row.messages, row.unread))?;
    output::line(&format!("state     {}", state(row)))?;
    if let Some(who) = &row.acked_by {
        output::line(&format!("taken by  {who}"))?;
    }
    if let Some(snoozed) = &row.snoozed {
        output::line(&format!("snoozed   {snoozed}"))?;
    }
    if !page.person.is_empty() {
        let names = page.person.iter().map(|contact| format!("{} ({})", contact.address, contact.channel));
        output::line(&format!("person    one thread with {}", names.collect::<Vec<_>>().join(", ")))?;
    }
    if page.older.is_some() {
        output::line(&format!("only the newest {PAGE} messages are shown"))?;
    }
    for entry in &page.entries {
        output::line("")?;
        match entry {
            Entry::Message { row, text, cut, elsewhere } => {
                let on = if *elsewhere { format!("  {}, another conversation", row.channel) } else { String::new() };
                let on = if page.person.is_empty() || *elsewhere { on } else { format!("  {}", row.channel) };
                output::line(&format!("{}  {}  {}{on}", row.received, row.from, row.id))?;
                output::lines(text)?;
                if *cut {
                    output::line(&format!("the rest: aurora inbox show {}", row.id))?;
                }
            }
            Entry::Note(note) => {
                output::line(&format!("{}  note by {}", note.at, note.who))?;
                output::lines(&note.text)?;
            }
        }
    }
    Ok(())
}
