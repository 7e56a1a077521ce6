//! What both ends of the link over HTTP hold on to: paths, how a question for entries is written, and how long anything
//! may be.

use crate::model::{EpochId, NodeName};
use crate::protocol::{PAGE_BYTES, PAGE_EVENTS, PageAsk, PageRefusal, WAIT_MAX};

/// Entries of a log.
pub(super) const EVENTS: &str = "/fed/v1/events";
/// Heartbeats.
pub(super) const HEARTBEAT: &str = "/fed/v1/heartbeat";
/// Looking for a third node.
pub(super) const PROBE: &str = "/fed/v1/probe";
/// Orders of operators.
pub(super) const ACT: &str = "/fed/v1/act";
/// What a node that cannot be called is asked.
pub(super) const ERRANDS: &str = "/fed/v1/errands";
/// Its answers.
pub(super) const ERRAND: &str = "/fed/v1/errand";
/// Whoever was invited.
pub(super) const JOIN: &str = "/fed/v1/join";

/// Bytes of a heartbeat, either way: it names every node its sender knows.
pub(super) const BEAT_MAX: usize = 256 << 10;
/// Bytes of a question for a third node, of a join, and of their answers.
pub(super) const SMALL_MAX: usize = 8 << 10;
/// Bytes of an order.
pub(super) const ACT_MAX: usize = 256 << 10;
/// Bytes of the answer to an order, which may be what a command wrote.
pub(super) const ACT_ANSWER_MAX: usize = 4 << 20;
/// Bytes of the questions that a node fetches at once.
pub(super) const ERRANDS_MAX: usize = 4 << 20;
/// Bytes of a page with what is around its entries.
pub(super) const PAGE_MAX: usize = PAGE_BYTES + (64 << 10);

/// The path and the query that ask for entries.
pub(super) fn page_path(ask: &PageAsk) -> String {
    let mut query = form_urlencoded::Serializer::new(format!("{EVENTS}?"));
    query.append_pair("origin", ask.origin.as_str());
    if let Some(epoch) = ask.epoch {
        query.append_pair("epoch", &epoch.to_string());
    }
    for (name, number) in NUMBERS.into_iter().zip([ask.after, ask.limit as u64, ask.wait]) {
        query.append_pair(name, &number.to_string());
    }
    query.finish()
}

/// The path and the query that fetch errands.
pub(super) fn errands_path(wait: u64) -> String {
    format!("{ERRANDS}?wait={wait}")
}

/// The path and the query to which the answer to an errand is brought.
pub(super) fn errand_path(number: u64) -> String {
    format!("{ERRAND}?number={number}")
}

/// The one number of such a query.
///
/// # Errors
/// When it is missing, or something else is there.
pub(super) fn only(query: &str, name: &str) -> Result<u64, String> {
    let number = query.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')?.parse().ok());
    number.ok_or_else(|| format!("the query is `{name}` and a number"))
}

/// The numbers of a question for entries.
const NUMBERS: [&str; 3] = ["after", "limit", "wait"];

/// Reads what [`page_path`] wrote, and takes what is asked for down to what is given.
///
/// # Errors
/// What is missing, unknown or said twice.
pub(super) fn page_ask(query: &str) -> Result<PageAsk, String> {
    let mut origin: Option<NodeName> = None;
    let mut epoch: Option<EpochId> = None;
    let mut numbers = [None; 3];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let bad = || format!("`{name}` cannot be read, or is there twice");
        let number = NUMBERS.iter().position(|known| *known == name);
        match (&*name, number) {
            ("origin", _) if origin.is_none() => origin = Some(value.parse().map_err(|_| bad())?),
            ("epoch", _) if epoch.is_none() => epoch = Some(value.parse().map_err(|_| bad())?),
            (_, Some(place)) if numbers[place].is_none() => {
                numbers[place] = Some(value.parse::<u64>().map_err(|_| bad())?);
            }
            _ => return Err(bad()),
        }
    }
    let [after, limit, wait] = numbers;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_EVENTS);
    Ok(PageAsk {
        origin: origin.ok_or("`origin` is missing")?,
        epoch,
        after: after.unwrap_or(0),
        limit: limit.clamp(1, PAGE_EVENTS),
        wait: wait.unwrap_or(0).min(WAIT_MAX),
    })
}

/// The status that says it.
pub(super) fn status_of(refusal: &PageRefusal) -> http::StatusCode {
    match refusal {
        PageRefusal::OtherEpoch { .. } => http::StatusCode::CONFLICT,
        PageRefusal::Gone { .. } => http::StatusCode::GONE,
        PageRefusal::Unknown => http::StatusCode::NOT_FOUND,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_for_entries_comes_through_as_it_was() {
        let ask = PageAsk {
            origin: "hub-1".parse().expect("a name"),
            epoch: Some(EpochId::from_uuid(uuid::Uuid::from_u128(7))),
            after: u64::MAX,
            limit: 500,
            wait: 25,
        };
        let query = |ask: &PageAsk| page_path(ask).split_once('?').expect("a query").1.to_owned();
        assert_eq!(page_ask(&query(&ask)), Ok(ask.clone()));
        let first = PageAsk { epoch: None, after: 0, ..ask.clone() };
        assert_eq!(page_ask(&query(&first)), Ok(first));
        let much = PageAsk { limit: 1 << 30, wait: 1 << 30, ..ask };
        let taken = page_ask(&query(&much)).expect("it is taken down");
        assert_eq!((taken.limit, taken.wait), (PAGE_EVENTS, WAIT_MAX));
        let errand = errand_path(u64::MAX);
        assert_eq!(only(errand.split_once('?').expect("a query").1, "number"), Ok(u64::MAX));
        assert!(
            only("", "wait").is_err() && only("wait=1&wait=2", "wait").is_err() && only("wait=-1", "wait").is_err()
        );
        for bad in
            ["", "after=1", "origin=-", "origin=a&origin=b", "origin=a&after=-1", "origin=a&x=1", "origin=a&epoch=1"]
        {
            assert!(page_ask(bad).is_err(), "{bad}");
        }
    }
}
