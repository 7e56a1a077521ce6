//! `aurora watch`: a snapshot, then one line an event. It can be resumed, and leaves nothing out.

use jiff::Timestamp;
use serde::Serialize;

use crate::client::{Client, Target};
use crate::config::Config;
use crate::model::{Event, EventFilter, EventId};
use crate::protocol::{Notice, Reply, Request, Snapshot, Update};
use crate::server::socket_path;

use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::session::unexpected;

/// Events asked for at once.
const PAGE: usize = 500;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum Line<'a> {
    Snapshot { node: &'a str, at: Timestamp, channels: &'a [crate::model::ChannelPanel], up_to: i64 },
    Event { event: &'a Event },
}

pub(super) async fn run(config: &Config, json: bool, plain: bool, since: Option<EventId>) -> Outcome {
    let target = Target::Unix(socket_path(&config.state_dir));
    let mut client = Client::attach(target, true, true).await?;
    let printer = Printer { json, plain };
    // Where the printed events end. A notice is only a hint to read on from there, so a line that broke or
    // a burst that was cut leaves nothing out.
    let mut printed: Option<i64> = None;
    if let Some(id) = since {
        match client.answer(Request::Event(id)).await? {
            Reply::Event(Some(full)) => printed = Some(full.event.seq),
            Reply::Event(None) => return Err(Failure::new(Exit::Failed, format!("no event has the id {id}"))),
            reply => return Err(unexpected(&reply)),
        }
        client.ask(Request::Snapshot);
    }
    let mut greeted = false;
    let mut reading = None;
    let mut hinted = 0;
    loop {
        let update = tokio::select! {
            update = client.next() => update,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Fine),
        };
        let Some(update) = update else { return Err(Failure::new(Exit::Down, "the engine has ended")) };
        match update {
            Update::Snapshot(snapshot) | Update::Reply { reply: Ok(Reply::Snapshot(snapshot)), .. } => {
                if !std::mem::replace(&mut greeted, true) {
                    printer.snapshot(&snapshot)?;
                }
                printed.get_or_insert(snapshot.up_to);
                hinted = hinted.max(snapshot.up_to);
            }
            Update::Notice(Notice::Arrived { up_to, .. }) => hinted = hinted.max(up_to),
            Update::Reply { id, reply } if Some(id) == reading => {
                reading = None;
                let Reply::Events(events) = reply? else { continue };
                for event in events.iter().filter(|event| event.seq <= hinted) {
                    printer.event(event)?;
                    printed = Some(event.seq);
                }
            }
            _ => {}
        }
        if let Some(after) = printed
            && after < hinted
            && reading.is_none()
        {
            let filter = EventFilter::default();
            reading = Some(client.ask(Request::Events { filter, before: None, after: Some(after), limit: PAGE }));
        }
    }
}

struct Printer {
    json: bool,
    plain: bool,
}

impl Printer {
    fn snapshot(&self, snapshot: &Snapshot) -> Result<(), Failure> {
        let Snapshot { node, at, channels, up_to, .. } = snapshot;
        if self.json {
            return Ok(output::json_line(&Line::Snapshot { node, at: *at, channels, up_to: *up_to })?);
        }
        let unread: u64 = channels.iter().map(|channel| channel.unread + channel.unread_vip).sum();
        let text = format!("{node}: {} channels, {unread} unread", channels.len());
        Ok(output::line(&text)?)
    }

    fn event(&self, event: &Event) -> Result<(), Failure> {
        if self.json {
            return Ok(output::json_line(&Line::Event { event })?);
        }
        let subject = event.subject.as_deref().or(event.cause.as_deref()).unwrap_or_default();
        let text = if self.plain {
            format!("New on {}: {subject}. Type {}, event {}.", event.channel, event.kind, event.id)
        } else {
            let time = event.received.strftime("%H:%M:%SZ");
            format!("{time}  {}  {:<12}  {:<24}  {subject}", event.id, event.channel, event.kind)
        };
        Ok(output::line(&text)?)
    }
}
