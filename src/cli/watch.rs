//! `aurora watch`: a snapshot, then one line an event. It can be resumed, and leaves nothing out.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use crate::client::{Client, Target};
use crate::config::Config;
use crate::model::{Event, EventFilter, EventId, counted};
use crate::protocol::{Notice, Reply, Request, Snapshot, Update};
use crate::server::socket_path;

use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::plain::Plain;
use super::session::unexpected;

/// Events asked for at once.
const PAGE: usize = 500;
/// How often problems are looked at that end by time alone.
const LOOK: Duration = Duration::from_secs(30);

#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum Line<'a> {
    Snapshot { node: &'a str, at: Timestamp, channels: &'a [crate::model::ChannelPanel], up_to: i64 },
    Event { event: &'a Event },
}

pub(super) async fn run(config: &Config, json: bool, plain: bool, since: Option<EventId>) -> Outcome {
    let target = Target::Unix(socket_path(&config.state_dir));
    let client = Client::attach(target, true, true).await?;
    let printer = match (json, plain) {
        (true, _) => Printer::Json,
        (_, true) => Printer::plain(),
        _ => Printer::Columns,
    };
    follow(client, printer, since).await
}

/// The same in sentences, in place of the screen.
pub(super) async fn plainly(client: Client) -> Outcome {
    follow(client, Printer::plain(), None).await
}

async fn follow(mut client: Client, mut printer: Printer, since: Option<EventId>) -> Outcome {
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
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while output::is_read() {
        let update = tokio::select! {
            update = client.next() => update,
            _ = looks.tick() => {
                printer.look()?;
                continue;
            }
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Fine),
        };
        let Some(update) = update else { return Err(Failure::new(Exit::Down, "the engine has ended")) };
        printer.hear(&update)?;
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
    Ok(Exit::Fine)
}

/// How it is printed.
enum Printer {
    Json,
    Columns,
    /// In sentences, which know what was said before and what the engine showed last.
    Plain(Plain, Option<Box<Snapshot>>),
}

impl Printer {
    fn plain() -> Self {
        Self::Plain(Plain::default(), None)
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Failure> {
        let Snapshot { node, at, channels, up_to, .. } = snapshot;
        match self {
            Self::Json => {
                output::json_line(&Line::Snapshot { node, at: *at, channels, up_to: *up_to })?;
            }
            Self::Columns => {
                let unread: u64 = channels.iter().map(|channel| channel.unread + channel.unread_vip).sum();
                output::line(&format!("{node}: {}, {unread} unread", counted(channels.len(), "channel")))?;
            }
            Self::Plain(plain, _) => tell(plain.greet(snapshot, Timestamp::now()))?,
        }
        Ok(())
    }

    fn event(&self, event: &Event) -> Result<(), Failure> {
        match self {
            Self::Json => output::json_line(&Line::Event { event })?,
            Self::Columns => {
                let subject = event.subject.as_deref().or(event.cause.as_deref()).unwrap_or_default();
                let time = event.received.strftime("%H:%M:%SZ");
                output::line(&format!("{time}  {}  {:<12}  {:<24}  {subject}", event.id, event.channel, event.kind))?;
            }
            Self::Plain(_, known) => {
                let inbox = known.as_ref().map(|snapshot| snapshot.inbox.as_slice()).unwrap_or_default();
                output::line(&Plain::event(event, inbox, Timestamp::now()))?;
            }
        }
        Ok(())
    }

    /// Keeps what the engine shows, and tells what has begun or ended by it. What it shows first is the greeting's.
    fn hear(&mut self, update: &Update) -> Result<(), Failure> {
        let Self::Plain(plain, known) = self else { return Ok(()) };
        match update {
            Update::Snapshot(snapshot) => {
                let first = known.replace(snapshot.clone()).is_none();
                if first { Ok(()) } else { self.look() }
            }
            Update::Notice(notice) => {
                if let Some(snapshot) = known {
                    snapshot.apply(notice);
                }
                if *notice == Notice::Stopping {
                    output::line("Warning: the engine stops.")?;
                }
                self.look()
            }
            Update::Link(link) => Ok(plain.link(link).map_or(Ok(()), output::line)?),
            Update::Reply { .. } | Update::Pane(_) => Ok(()),
        }
    }

    fn look(&mut self) -> Result<(), Failure> {
        let Self::Plain(plain, Some(snapshot)) = self else { return Ok(()) };
        tell(plain.look(snapshot, Timestamp::now()))
    }
}

fn tell(lines: Vec<String>) -> Result<(), Failure> {
    for line in lines {
        output::line(&line)?;
    }
    Ok(())
}
