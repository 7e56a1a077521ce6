//! `aurora contact`

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{Contact, ContactFilter, age};
use crate::protocol::{Reply, Request};

use super::args::{ContactCommand, Global, Listing};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::session::{ask, unexpected};

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
                Reply::Contacts(contacts) => table(&contacts)?,
                reply => return Err(unexpected(&reply)),
            }
        }
        ContactCommand::Show { id, json } => match ask(config, global, Request::Contact(id)).await? {
            Reply::Contact(None) => return Err(Failure::new(Exit::Failed, format!("no contact has the id {id}"))),
            Reply::Contact(Some(contact)) if json.json => output::json(&contact)?,
            Reply::Contact(Some(contact)) => table(&[*contact])?,
            reply => return Err(unexpected(&reply)),
        },
        ContactCommand::Vip { id, remove } => match ask(config, global, Request::SetVip { id, vip: !remove }).await? {
            Reply::Contact(Some(contact)) => {
                let now = if contact.vip { "is a VIP" } else { "is no VIP" };
                output::line(&format!("{} {now}", contact.address))?;
            }
            reply => return Err(unexpected(&reply)),
        },
    }
    Ok(Exit::Fine)
}

fn table(contacts: &[Contact]) -> Result<(), Failure> {
    let now = Timestamp::now();
    let rows = contacts.iter().map(|contact| {
        [
            contact.id.to_string(),
            contact.channel.to_string(),
            if contact.vip { "vip".to_owned() } else { String::new() },
            contact.messages.to_string(),
            contact.last.map(|last| age(last, now)).unwrap_or_default(),
            contact.name.clone(),
            contact.address.clone(),
        ]
    });
    Ok(output::table(["ID", "CHANNEL", "VIP", "MESSAGES", "LAST", "NAME", "ADDRESS"], rows)?)
}
