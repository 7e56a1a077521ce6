//! `aurora audit`

use jiff::Timestamp;
use serde::Serialize;

use crate::config::Config;
use crate::model::{AuditEntry, AuditVerdict, age, counted};
use crate::protocol::{BridgeReply, BridgeRequest, Reply, Request};

use super::args::{AuditCommand, Global, Listing};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::session::{Session, ask, unexpected};

/// Entries asked for at once.
const PAGE: usize = 1_000;

pub(super) async fn run(command: AuditCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        AuditCommand::List { about, listing: Listing { limit, json } } => {
            let request = BridgeRequest::Audit { about, before: None, limit };
            let entries = match ask(config, global, Request::Bridge(request)).await? {
                Reply::Bridge(BridgeReply::Audit(entries)) => entries,
                reply => return Err(unexpected(&reply)),
            };
            list(&entries, json.json)
        }
        AuditCommand::Verify { head, json } => verify(config, global, head.as_deref(), json.json).await,
        AuditCommand::Export => export(config, global).await,
    }
}

fn list(entries: &[AuditEntry], json: bool) -> Outcome {
    if json {
        output::json(&entries)?;
        return Ok(Exit::Fine);
    }
    let now = Timestamp::now();
    let rows = entries.iter().map(|entry| {
        let note = &entry.note;
        [
            entry.seq.to_string(),
            age(note.at, now),
            note.by.as_ref().map_or_else(|| "aurora".to_owned(), ToString::to_string),
            note.kind.as_str().to_owned(),
            note.about.clone(),
            note.what.clone(),
        ]
    });
    output::table(["ENTRY", "AGE", "BY", "KIND", "ABOUT", "WHAT"], rows)?;
    Ok(Exit::Fine)
}

/// What `audit verify --json` prints.
#[derive(Serialize)]
struct Verified {
    entries: u64,
    whole: bool,
    broken: Option<u64>,
    why: Option<String>,
    head: String,
}

async fn verify(config: &Config, global: &Global, kept: Option<&str>, json: bool) -> Outcome {
    let mut session = Session::open(config, global).await?;
    let verified = read(&mut session, kept).await;
    session.close().await;
    let verified = verified?;
    if json {
        output::json(&verified)?;
    } else if let (Some(broken), Some(why)) = (verified.broken, &verified.why) {
        output::line(&format!(
            "broken at entry {broken}: {why}; {} before it whole",
            counted(verified.entries, "entry")
        ))?;
    } else {
        output::line(&format!("{}, all whole; the head is {}", counted(verified.entries, "entry"), verified.head))?;
    }
    Ok(if verified.whole { Exit::Fine } else { Exit::Failed })
}

async fn read(session: &mut Session, kept: Option<&str>) -> Result<Verified, Failure> {
    let (entries, mut broken, head) = match session.ask(Request::Bridge(BridgeRequest::VerifyAudit)).await? {
        Reply::Bridge(BridgeReply::AuditVerified { entries, broken, head }) => (entries, broken, head),
        reply => return Err(unexpected(&reply)),
    };
    if let (Some(kept), None) = (kept, &broken) {
        let is_there = kept == head || find(session, kept).await?;
        if !is_there {
            broken =
                Some((entries + 1, format!("no entry has the hash {kept} that was kept: what followed is cut off")));
        }
    }
    let (broken, why) = broken.unzip();
    Ok(Verified { entries, whole: broken.is_none(), broken, why, head })
}

/// Whether an entry has this hash.
async fn find(session: &mut Session, hash: &str) -> Result<bool, Failure> {
    let mut before = None;
    loop {
        let page = page(session, before).await?;
        if page.iter().any(|entry| entry.hash == hash) {
            return Ok(true);
        }
        match page.last() {
            Some(oldest) if oldest.seq > 1 => before = Some(oldest.seq),
            _ => return Ok(false),
        }
    }
}

async fn page(session: &mut Session, before: Option<u64>) -> Result<Vec<AuditEntry>, Failure> {
    let request = BridgeRequest::Audit { about: None, before, limit: PAGE };
    match session.ask(Request::Bridge(request)).await? {
        Reply::Bridge(BridgeReply::Audit(entries)) => Ok(entries),
        reply => Err(unexpected(&reply)),
    }
}

/// The last line of an export.
#[derive(Serialize)]
struct Head {
    entries: u64,
    head: String,
}

/// Prints every entry as one line, oldest first, and the head. What does not fit is not exported as if it did.
async fn export(config: &Config, global: &Global) -> Outcome {
    let mut session = Session::open(config, global).await?;
    let entries = all(&mut session).await;
    session.close().await;
    let mut verdict = AuditVerdict::default();
    for entry in entries? {
        verdict.take(&entry);
        output::json_line(&entry)?;
    }
    if let Some((seq, why)) = verdict.broken {
        return Err(Failure::new(Exit::Failed, format!("the audit log is broken at entry {seq}: {why}")));
    }
    output::json_line(&Head { entries: verdict.entries, head: verdict.head })?;
    Ok(Exit::Fine)
}

/// Every entry, oldest first.
async fn all(session: &mut Session) -> Result<Vec<AuditEntry>, Failure> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    loop {
        let page = page(session, entries.last().map(|entry| entry.seq)).await?;
        let is_last = page.len() < PAGE;
        entries.extend(page);
        if is_last {
            entries.reverse();
            return Ok(entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::screen;

    /// Whoever checks an export hashes its lines as they are printed.
    #[test]
    fn what_is_kept_is_printed_as_it_is_hashed() {
        for c in '\0'..=char::MAX {
            let kept = crate::model::seen(&c.to_string());
            let line = serde_json::to_string(&kept).expect("JSON");
            assert_eq!(screen::json(&line), line, "{c:?}");
        }
    }
}
