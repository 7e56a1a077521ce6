//! A look from beginning to end.

use std::time::Duration;

use jiff::Timestamp;

use crate::condition::Condition;
use crate::model::{Observation, Target, Value, Verdict};

use super::failure::Failure;
use super::record::{Facts, Record};
use super::{Tools, disk, http, machine, process, tcp, tls};

/// Looks at `target` once, within `timeout`.
///
/// Critical when it does not answer as its protocol demands or `when` does not hold, a warning when `warn` does not
/// hold, unknown when the reason is on our side. `when` and `warn` were read with the schema of its kind.
pub async fn look(
    target: &Target,
    when: &Condition,
    warn: Option<&Condition>,
    timeout: Duration,
    tools: &Tools,
) -> Observation {
    let at = Timestamp::now();
    let mut record = Record::new();
    let result = match tokio::time::timeout(timeout, probe(target, timeout, tools, &mut record)).await {
        Ok(result) => result,
        Err(_) => Err(record.timed_out(timeout)),
    };
    let took = record.elapsed();
    let phases = record.close();
    record.value("latency", Value::Duration(took));
    let (verdict, cause) = match result {
        Ok(()) => judge(&record, when, warn),
        Err(Failure { verdict, cause }) => (verdict, Some(cause)),
    };
    let outcome = cause.as_deref().unwrap_or("everything holds").to_owned();
    record.step(outcome);
    Observation { at, took, verdict, cause, phases, values: record.short_values(), steps: record.steps }
}

async fn probe(target: &Target, timeout: Duration, tools: &Tools, record: &mut Record) -> Result<(), Failure> {
    match target {
        Target::Http(target) => http::look(target, timeout, tools, record).await,
        Target::Tcp(target) => tcp::look(target, timeout, tools, record).await,
        Target::Tls(target) => tls::look(target, timeout, tools, record).await,
        Target::Process(target) => process::look(target, tools, record).await,
        Target::Disk(path) => disk::look(path, tools, record).await,
        Target::Memory => machine::memory(tools, record).await,
        Target::Load => machine::load(tools, record).await,
    }
}

fn judge(record: &Record, when: &Condition, warn: Option<&Condition>) -> (Verdict, Option<String>) {
    let facts = Facts::new(record);
    let because = |reasons: Vec<String>| {
        Some(reasons.into_iter().map(|reason| facts.explain(reason)).collect::<Vec<_>>().join("; "))
    };
    let demanded = when.judge(&facts);
    if !demanded.holds {
        return (Verdict::Critical, because(demanded.because));
    }
    match warn.map(|warn| warn.judge(&facts)) {
        Some(wished) if !wished.holds => (Verdict::Warn, because(wished.because)),
        _ => (Verdict::Ok, None),
    }
}
