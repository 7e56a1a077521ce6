//! The orders about hosts, jobs and approvals: how each is read, and what became of it.

use std::collections::BTreeMap;

use crate::model::{JobId, Lane, Pace, counted};

use super::order::Told;
use super::order_words::{BadLine, Word, joined, only};
use super::verbs::Asking;
use super::{BridgeReply, BridgeRequest, Draft, Reply, Request};

/// `cancel JOB`.
pub(super) fn cancel(words: &[Word<'_>], _: &Asking) -> Result<Request, BadLine> {
    Ok(Request::Bridge(BridgeRequest::Cancel(only(words, "cancel")?.parsed()?)))
}

/// `probe HOST`.
pub(super) fn probe(words: &[Word<'_>], _: &Asking) -> Result<Request, BadLine> {
    Ok(Request::Bridge(BridgeRequest::Probe(only(words, "probe")?.parsed()?)))
}

/// `resolve JOB ran|not-ran NOTE…`.
pub(super) fn resolve(words: &[Word<'_>], _: &Asking) -> Result<Request, BadLine> {
    let [job, said, rest @ ..] = words else {
        return Err(BadLine::new(1, "`resolve` needs a job, and `ran` or `not-ran`"));
    };
    let ran = match said.text {
        "ran" => true,
        "not-ran" => false,
        other => return Err(BadLine::new(said.column, format!("`ran` or `not-ran` is expected, not `{other}`"))),
    };
    Ok(Request::Bridge(BridgeRequest::Resolve { id: job.parsed()?, ran, note: note(rest) }))
}

/// `grant APPROVAL HASH NOTE…` and `deny …`: without the hash nobody says what they have seen.
pub(super) fn vote(words: &[Word<'_>], yes: bool) -> Result<Request, BadLine> {
    let (approval, rest) = words.split_first().ok_or_else(|| BadLine::new(1, "an approval is expected"))?;
    let id = approval.parsed()?;
    let Some((hash, rest)) = rest.split_first() else {
        let column = approval.column + approval.text.chars().count();
        return Err(BadLine::new(
            column,
            "the hash of what you have seen is expected, as `aurora approval show` has it",
        ));
    };
    Ok(Request::Bridge(BridgeRequest::Vote { id, hash: hash.parsed()?, yes, note: note(rest) }))
}

/// `run HOST COMMAND NAME=VALUE…`; the host may be `@LABEL`. The job is called as an act would be.
pub(super) fn run(words: &[Word<'_>], asking: &Asking) -> Result<Request, BadLine> {
    let [host, command, values @ ..] = words else {
        return Err(BadLine::new(1, "`run` needs a host and a command"));
    };
    let mut args = BTreeMap::new();
    for word in values {
        let Some((name, value)) = word.text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(BadLine::new(word.column, format!("`NAME=VALUE` is expected, not `{}`", word.text)));
        };
        if args.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(BadLine::new(word.column, format!("`{name}` has a value already")));
        }
    }
    Ok(Request::Bridge(BridgeRequest::Run(Box::new(Draft {
        id: JobId::from_uuid(*asking.act.as_uuid()),
        on: host.parsed()?,
        any: false,
        command: command.parsed()?,
        args,
        layer: None,
        lane: Lane::Urgent,
        confirm: None,
        seen: None,
        pace: Pace::default(),
    }))))
}

fn note(words: &[Word<'_>]) -> Option<String> {
    (!words.is_empty()).then(|| joined(words))
}

impl BridgeRequest {
    /// What `reply` says became of it; `None` when it answers something else.
    #[must_use]
    pub fn told(&self, reply: &Reply) -> Option<Told> {
        let Reply::Bridge(reply) = reply else { return None };
        let told = |changed, text| Some(Told { changed, text, is_whole: true });
        match (self, reply) {
            (BridgeRequest::Run(draft), BridgeReply::Running { jobs, approval }) => {
                let what = match &jobs[..] {
                    [one] => format!("{} on {} is {}", draft.command, one.host, one.id),
                    jobs => format!("{} on {}", draft.command, counted(jobs.len(), "host")),
                };
                let waits = approval.map(|id| format!(", and waits for approval {id}")).unwrap_or_default();
                told(jobs.len() as u64, format!("{what}{waits}"))
            }
            (BridgeRequest::Cancel(id), BridgeReply::Done | BridgeReply::Job(Some(_))) => {
                told(1, format!("{id} is being stopped"))
            }
            (BridgeRequest::Resolve { id, ran, .. }, BridgeReply::Done | BridgeReply::Job(Some(_))) => {
                told(1, format!("{id} {}", if *ran { "ran" } else { "did not run" }))
            }
            (BridgeRequest::Probe(host), BridgeReply::Done | BridgeReply::Hosts(_)) => {
                told(1, format!("{host} is asked over every layer"))
            }
            (BridgeRequest::Vote { id, yes, .. }, BridgeReply::Done | BridgeReply::Approval(Some(_))) => {
                told(1, format!("your {} to {id} is written down", if *yes { "yes" } else { "no" }))
            }
            (BridgeRequest::Cancel(id) | BridgeRequest::Resolve { id, .. }, BridgeReply::Job(None)) => {
                Some(Told { changed: 0, text: format!("no job has the id {id}"), is_whole: false })
            }
            (BridgeRequest::Vote { id, .. }, BridgeReply::Approval(None)) => {
                Some(Told { changed: 0, text: format!("no approval has the id {id}"), is_whole: false })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::model::{ActId, HostSelector};

    use super::super::Order;
    use super::*;

    const JOB: &str = "job_01a1fbc1535071810000000000000001";
    const APPROVAL: &str = "apr_01a1fbc1535071810000000000000001";

    fn order(line: &str) -> Result<Order, BadLine> {
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        Order::parse(line, &Asking { now, act: ActId::from_uuid(Uuid::from_u128(7)), seen: None })
    }

    fn read(line: &str) -> Result<BridgeRequest, String> {
        let Request::Bridge(request) = order(line).map_err(|error| error.to_string())?.request else {
            panic!("{line} is about the bridge")
        };
        Ok(request)
    }

    #[test]
    fn a_command_is_read_with_its_values() {
        let Ok(BridgeRequest::Run(draft)) = read("run web-1 todo action=add text=a=b") else { panic!("is read") };
        assert_eq!((draft.on, draft.command.as_str()), (HostSelector::Host("web-1".parse().expect("a name")), "todo"));
        assert_eq!((draft.args["text"].as_str(), draft.id.as_uuid().as_u128()), ("a=b", 7));
        let Ok(BridgeRequest::Run(many)) = read("run @web todo") else { panic!("is read") };
        assert_eq!(many.on, HostSelector::Label("web".parse().expect("a label")));
        assert_eq!(read("run web-1").expect_err("no command"), "column 1: `run` needs a host and a command");
        assert_eq!(read("run web-1 todo x").expect_err("no value"), "column 16: `NAME=VALUE` is expected, not `x`");
        assert_eq!(read("run web-1 todo x=1 x=2").expect_err("twice"), "column 20: `x` has a value already");
        assert!(read("run -oProxyCommand=x todo").is_err());
    }

    #[test]
    fn a_vote_names_what_was_seen() {
        let without = read(&format!("grant {APPROVAL}")).expect_err("no hash");
        assert!(without.starts_with("column 43: the hash of what you have seen"), "{without}");
        assert!(read(&format!("grant {APPROVAL} 12ab")).is_err());
        let hash = "0f".repeat(32);
        let Ok(BridgeRequest::Vote { yes, note, hash: seen, .. }) = read(&format!("deny {APPROVAL} {hash} not  today"))
        else {
            panic!("is read")
        };
        assert_eq!((yes, note.as_deref(), seen.as_str()), (false, Some("not today"), hash.as_str()));
    }

    #[test]
    fn an_unknown_end_is_decided_in_words() {
        let ran = |line: &str| match read(line) {
            Ok(BridgeRequest::Resolve { ran, note, .. }) => Ok((ran, note)),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(ran(&format!("resolve {JOB} ran")), Ok((true, None)));
        assert_eq!(ran(&format!("resolve {JOB} not-ran I looked")), Ok((false, Some("I looked".into()))));
        let other = ran(&format!("resolve {JOB} perhaps")).expect_err("no answer");
        assert_eq!(other, "column 46: `ran` or `not-ran` is expected, not `perhaps`");
    }

    #[test]
    fn what_became_of_it_is_told() {
        let order = order(&format!("cancel {JOB}")).expect("is read");
        let told = |reply| order.told(&Reply::Bridge(reply)).map(|told| (told.text, told.is_whole));
        assert_eq!(told(BridgeReply::Done), Some((format!("{JOB} is being stopped"), true)));
        assert_eq!(told(BridgeReply::Job(None)), Some((format!("no job has the id {JOB}"), false)));
        assert_eq!(told(BridgeReply::Manual(Vec::new())), None);
    }
}
