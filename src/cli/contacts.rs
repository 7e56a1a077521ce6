//! `aurora contact`

use jiff::Timestamp;

use crate::client::act_id;
use crate::config::Config;
use crate::model::{Contact, ContactFilter, PersonAct, age};
use crate::protocol::{Reply, Request};

use super::args::{ContactCommand, Global, Listing};
use super::exit::{Exit, Failure, Outcome};
use super::session::{ask, unexpected};
use super::{desk, output};

/// Contacts in one answer at most.
const LISTED: usize = 1_000;

pub(super) async fn run(command: ContactCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        ContactCommand::List { channel, vip, listing: Listing { limit, json } } => {
            let request = Request::Contacts { filter: ContactFilter { channel, vip }, limit };
            if limit > LISTED {
                output::aside(&format!("at most {LISTED} contacts are listed, those who wrote last"));
            }
            match ask(config, global, request).await? {
                Reply::Contacts(contacts) if json.json => output::json(&contacts)?,
                Reply::Contacts(contacts) => output::table(LISTED_AS, contacts.iter().map(person))?,
                reply => return Err(unexpected(&reply)),
            }
        }
        ContactCommand::Show { id, json } => match ask(config, global, Request::Contact(id)).await? {
            Reply::Contact(None) => return Err(Failure::new(Exit::Failed, format!("no contact has the id {id}"))),
            Reply::Contact(Some(contact)) if json.json => output::json(&contact)?,
            Reply::Contact(Some(contact)) => output::table(LISTED_AS, contact.all().map(address))?,
            reply => return Err(unexpected(&reply)),
        },
        ContactCommand::Vip { id, remove } => match ask(config, global, Request::SetVip { id, vip: !remove }).await? {
            Reply::Contact(Some(contact)) => {
                let now = if contact.vip { "is a VIP" } else { "is no VIP" };
                output::line(&format!("{} {now}", contact.address))?;
            }
            reply => return Err(unexpected(&reply)),
        },
        ContactCommand::Merge { contact, with, json } => {
            say(config, global, PersonAct::Merge { contact, with }, json.json).await?;
        }
        ContactCommand::Split { id, json } => say(config, global, PersonAct::Split { contact: id }, json.json).await?,
    }
    Ok(Exit::Fine)
}

/// Says something about who is one person, and tells what became of it.
async fn say(config: &Config, global: &Global, act: PersonAct, json: bool) -> Result<(), Failure> {
    let acted = match ask(config, global, Request::Person { id: act_id(), act }).await? {
        Reply::Person(acted) => acted,
        reply => return Err(unexpected(&reply)),
    };
    if json {
        return Ok(output::json(&acted)?);
    }
    output::line(&acted.told())?;
    if acted.changed > 0 {
        desk::can_be_undone(acted.id);
    }
    Ok(())
}

const LISTED_AS: [&str; 7] = ["ID", "CHANNEL", "VIP", "MESSAGES", "LAST", "NAME", "ADDRESS"];

/// A person in one line: the contact who wrote last, what all of them wrote, and under how many more addresses.
fn person(contact: &Contact) -> [String; 7] {
    let mut cells = address(contact);
    cells[3] = contact.all().map(|one| one.messages).sum::<u64>().to_string();
    if !contact.others.is_empty() {
        cells[6] = format!("{} and {} more", contact.address, contact.others.len());
    }
    cells
}

/// One contact by itself.
fn address(contact: &Contact) -> [String; 7] {
    [
        contact.id.to_string(),
        contact.channel.to_string(),
        if contact.vip { "vip".to_owned() } else { String::new() },
        contact.messages.to_string(),
        contact.last.map(|last| age(last, Timestamp::now())).unwrap_or_default(),
        contact.name.clone(),
        contact.address.clone(),
    ]
}
