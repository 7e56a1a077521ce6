//! `aurora inbox show ID --save DIR`: the files that came with a message, written where nothing is overwritten.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::client::Download;
use crate::config::Config;
use crate::model::MessageId;
use crate::protocol::{Bytes, Reply, Request};

use super::args::Global;
use super::exit::{Exit, Failure};
use super::output;
use super::session::{Session, unexpected};

pub(super) async fn run(
    config: &Config,
    global: &Global,
    id: MessageId,
    dir: &Path,
    json: bool,
) -> Result<(), Failure> {
    let mut session = Session::open(config, global).await?;
    let saved = save(&mut session, id, dir).await;
    session.close().await;
    let saved = saved?;
    if json {
        let list = saved.iter().map(|(path, size)| json!({ "path": path.display().to_string(), "size": size }));
        return Ok(output::json(&list.collect::<Vec<_>>())?);
    }
    for (path, size) in &saved {
        output::line(&format!("{}  {size} bytes", path.display()))?;
    }
    Ok(output::line(&format!("{} written", saved.len()))?)
}

async fn save(session: &mut Session, id: MessageId, dir: &Path) -> Result<Vec<(PathBuf, u64)>, Failure> {
    let message = match session.ask(Request::Message(id)).await? {
        Reply::Message(Some(message)) => message,
        Reply::Message(None) => return Err(Failure::new(Exit::Failed, format!("no message has the id {id}"))),
        reply => return Err(unexpected(&reply)),
    };
    let mut saved = Vec::new();
    for (number, attachment) in (1..).zip(&message.attachments) {
        let name = attachment.file_name();
        let unusable = |error| {
            let path = dir.join(&name);
            Failure::new(Exit::Failed, format!("failed to write {}: {error}", path.display()))
        };
        let mut download = Download::create(dir).map_err(unusable)?;
        let mut offset = 0;
        loop {
            let bytes = match session.ask(Request::Attachment { message: id, number, offset }).await? {
                Reply::Attachment(Some(Bytes(bytes))) => bytes,
                Reply::Attachment(None) => {
                    let text = format!("file {number} of message {id}, {name}, is no longer there and is not written");
                    return Err(Failure::new(Exit::Failed, text));
                }
                reply => return Err(unexpected(&reply)),
            };
            if bytes.is_empty() {
                break;
            }
            download.write(&bytes).map_err(unusable)?;
            offset += bytes.len() as u64;
        }
        saved.push((download.finish(&name).map_err(unusable)?, offset));
    }
    Ok(saved)
}
