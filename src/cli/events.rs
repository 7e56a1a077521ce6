//! `aurora events`

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{EventFilter, age};
use crate::protocol::{Reply, Request};

use super::args::{EventsCommand, Global, Listing};
use super::exit::{Exit, Failure, Outcome};
use super::session::{Session, ask, unexpected};
use super::{output, trace};

/// Events asked for at once.
const PAGE: usize = 1_000;

pub(super) async fn run(command: EventsCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        EventsCommand::List { filter, listing: Listing { limit, json } } => {
            let mut session = Session::open(config, global).await?;
            let events = pages(&mut session, &filter.into(), limit).await;
            session.close().await;
            let events = events?;
            if json.json {
                output::json(&events)?;
            } else {
                let now = Timestamp::now();
                let rows = events.into_iter().map(|event| {
                    [
                        event.id.to_string(),
                        event.channel.to_string(),
                        event.kind,
                        age(event.received, now),
                        event.assurance.to_string(),
                        event.state.as_str().to_owned(),
                        event.subject.or(event.cause).unwrap_or_default(),
                    ]
                });
                output::table(["ID", "CHANNEL", "TYPE", "AGE", "ASSURANCE", "STATE", "SUBJECT"], rows)?;
            }
        }
        EventsCommand::Show { id, trace: true, json, .. } => trace::show(config, global, id, json.json).await?,
        EventsCommand::Show { id, raw, json, .. } => match ask(config, global, Request::Event(id)).await? {
            Reply::Event(None) => return Err(Failure::new(Exit::Failed, format!("no event has the id {id}"))),
            Reply::Event(Some(full)) if raw => output::bytes(&full.body)?,
            Reply::Event(Some(full)) if json.json => output::json(&full)?,
            Reply::Event(Some(full)) => {
                let event = &full.event;
                output::line(&format!("{}  {}  {}", event.id, event.channel, event.kind))?;
                output::line(&format!("received  {}", event.received))?;
                output::line(&format!("time      {}", event.time))?;
                output::line(&format!("key       {}", event.dedupe_key))?;
                output::line(&format!("assurance {}", event.assurance))?;
                output::line(&format!("state     {}", event.state.as_str()))?;
                if let Some(cause) = &event.cause {
                    output::line(&format!("cause     {cause}"))?;
                }
                if let Some(report) = &full.report {
                    output::line(&format!("about     {}", report.about))?;
                    let why = if report.detail.is_empty() { "" } else { ", " };
                    output::line(&format!("so far    {}{why}{}", report.status, report.detail))?;
                }
                output::line("")?;
                for (name, value) in &full.headers {
                    output::line(&format!("{name}: {value}"))?;
                }
                output::line("")?;
                output::lines(&String::from_utf8_lossy(&full.body))?;
            }
            reply => return Err(unexpected(&reply)),
        },
        EventsCommand::Count { filter } => match ask(config, global, Request::EventCount(filter.into())).await? {
            Reply::Count(count) => output::line(&count.to_string())?,
            reply => return Err(unexpected(&reply)),
        },
        EventsCommand::Replay { filter } => match ask(config, global, Request::Replay(filter.into())).await? {
            Reply::Count(count) => output::line(&format!("{count} events were read again"))?,
            reply => return Err(unexpected(&reply)),
        },
    }
    Ok(Exit::Fine)
}

async fn pages(session: &mut Session, filter: &EventFilter, limit: usize) -> Result<Vec<crate::model::Event>, Failure> {
    let mut events = Vec::new();
    while events.len() < limit {
        let before = events.last().map(|event: &crate::model::Event| event.seq);
        let wanted = PAGE.min(limit - events.len());
        let request = Request::Events { filter: filter.clone(), before, after: None, limit: wanted };
        match session.ask(request).await? {
            Reply::Events(page) => {
                let last_page = page.len() < wanted;
                events.extend(page);
                if last_page {
                    break;
                }
            }
            reply => return Err(unexpected(&reply)),
        }
    }
    Ok(events)
}
