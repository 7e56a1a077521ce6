//! `aurora channel`

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{ChannelPanel, age};
use crate::protocol::{Reply, Request};

use super::args::{ChannelCommand, Global};
use super::exit::{Exit, Outcome};
use super::session::{ask, unexpected};
use super::{output, send_test, verify};

pub(super) async fn run(command: ChannelCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        ChannelCommand::List(json) => match ask(config, global, Request::Snapshot).await? {
            Reply::Snapshot(snapshot) if json.json => output::json(&snapshot.channels)?,
            Reply::Snapshot(snapshot) => table(snapshot.channels)?,
            reply => return Err(unexpected(&reply)),
        },
        ChannelCommand::Test { id } => return send_test::test(config, &id).await,
        ChannelCommand::Verify { id, request, at, explain } => return verify::run(config, &id, &request, at, explain),
    }
    Ok(Exit::Fine)
}

fn table(channels: Vec<ChannelPanel>) -> std::io::Result<()> {
    let now = Timestamp::now();
    let rows = channels.into_iter().map(|channel| {
        [
            channel.id.to_string(),
            channel.provider.to_string(),
            channel.state.as_str().to_owned(),
            channel.last_event.map_or_else(|| "never".to_owned(), |last| age(last, now)),
            channel.urls.join(" "),
        ]
    });
    output::table(["CHANNEL", "PROVIDER", "STATE", "LAST", "ADDRESS"], rows)
}
