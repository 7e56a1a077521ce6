//! `aurora check`

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::client::{Client, Target};
use crate::config::Config;
use crate::health::probe::{Tools, look};
use crate::model::{
    CheckHistory, CheckId, CheckKind, CheckPanel, CheckState, Failure as FailedCheck, HistorySlot, NodeName,
    Observation, Phase, Sights, Value, Verdict, age, short_duration,
};
use crate::protocol::{Reply, Request};
use crate::server::socket_path;

use super::args::{CheckCommand, Global};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::session::{ask, unexpected};

/// Stretches of time `check history` prints.
const SLOTS: usize = 24;
/// How far back it looks when nobody says.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Columns of the bar that shows where the time went.
const BAR: usize = 40;

pub(super) async fn run(command: CheckCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        CheckCommand::List(json) => match ask(config, global, Request::Snapshot).await? {
            Reply::Snapshot(snapshot) => list(snapshot.checks, json.json),
            reply => Err(unexpected(&reply)),
        },
        CheckCommand::Run { id, explain, json } => {
            let sights = if explain && !json.json { sights(config, global, &id).await } else { None };
            once(config, &id, explain, sights.as_deref(), json.json).await
        }
        CheckCommand::History { id, since, json } => {
            let until = Timestamp::now();
            let since = since.unwrap_or_else(|| until.checked_sub(DAY).unwrap_or_default());
            match ask(config, global, Request::CheckHistory { id: id.clone(), since, until, slots: SLOTS }).await? {
                Reply::CheckHistory(Some(history)) => history_of(&history, json.json),
                Reply::CheckHistory(None) => Err(Failure::new(
                    Exit::Failed,
                    format!("no check {id} was ever looked at; `aurora check list` names them"),
                )),
                reply => Err(unexpected(&reply)),
            }
        }
    }
}

/// Who sees what, as the running engine knows it, where several nodes have to agree on a check.
async fn sights(config: &Config, global: &Global, id: &CheckId) -> Option<String> {
    let check = config.health.checks.iter().find(|check| check.id == *id)?;
    let vantage = check.vantage.as_ref()?;
    let engine = Client::attach(Target::Unix(socket_path(&config.state_dir)), false, global.read_only).await;
    let known = match engine {
        Ok(mut client) => match client.answer(Request::Snapshot).await {
            Ok(Reply::Snapshot(snapshot)) => snapshot.checks.into_iter().find(|check| check.id == *id)?.sights,
            _ => None,
        },
        Err(_) => None,
    };
    let names: Vec<&str> = vantage.nodes.iter().map(NodeName::as_str).collect();
    Some(known.map_or_else(
        || {
            format!(
                "{} of {} have to see it down; what they see only a running engine knows",
                vantage.need,
                names.join(", ")
            )
        },
        |sights| sights.told(),
    ))
}

/// One check, as `--json` lists it.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a CheckId,
    #[serde(rename = "type")]
    kind: CheckKind,
    target: &'a str,
    state: CheckState,
    since: Timestamp,
    cause: Option<&'a str>,
    flapping: bool,
    enabled: bool,
    last: Option<Timestamp>,
    next: Option<Timestamp>,
    interval_ms: f64,
    latency_ms: Option<f64>,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    uptime_24h: Option<f64>,
    /// Where several nodes have to agree: this one's own sight, how many are needed, who sees what.
    vantage: Option<&'a Sights>,
}

fn list(mut checks: Vec<CheckPanel>, json: bool) -> Outcome {
    checks.sort_by(|a, b| (Reverse(a.state), &a.id).cmp(&(Reverse(b.state), &b.id)));
    if json {
        let rows: Vec<Row<'_>> = checks.iter().map(row).collect();
        output::json(&rows)?;
        return Ok(Exit::Fine);
    }
    let now = Timestamp::now();
    let rows = checks.into_iter().map(|check| {
        let state = match (check.enabled, check.flapping) {
            (false, _) => "off".to_owned(),
            (true, true) => format!("{} flapping", check.state.as_str()),
            (true, false) => check.state.as_str().to_owned(),
        };
        let soft = check.soft.map(|soft| format!("{} {}/{} ", soft.state.as_str(), soft.count, soft.of));
        [
            check.id.to_string(),
            check.kind.to_string(),
            state,
            age(check.since, now),
            check.last.map_or_else(|| "never".to_owned(), |last| age(last, now)),
            time(check.latency),
            time(check.p95),
            percent(check.uptime_24h),
            soft.unwrap_or_default() + &check.cause.unwrap_or(check.target),
        ]
    });
    output::table(["CHECK", "TYPE", "STATE", "SINCE", "LAST", "TOOK", "P95", "UP 24H", "CAUSE OR TARGET"], rows)?;
    Ok(Exit::Fine)
}

fn row(check: &CheckPanel) -> Row<'_> {
    Row {
        id: &check.id,
        kind: check.kind,
        target: &check.target,
        state: check.state,
        since: check.since,
        cause: check.cause.as_deref(),
        flapping: check.flapping,
        enabled: check.enabled,
        last: check.last,
        next: check.next,
        interval_ms: millis(check.interval),
        latency_ms: check.latency.map(millis),
        p50_ms: check.p50.map(millis),
        p95_ms: check.p95.map(millis),
        p99_ms: check.p99.map(millis),
        uptime_24h: check.uptime_24h,
        vantage: check.sights.as_ref(),
    }
}

/// Looks once, in this process and with the file as it is now: nothing is kept, and no engine is needed.
async fn once(config: &Config, id: &CheckId, explain: bool, sights: Option<&str>, json: bool) -> Outcome {
    let Some(check) = config.health.checks.iter().find(|check| check.id == *id) else {
        let names: Vec<&str> = config.health.checks.iter().map(|check| check.id.as_str()).collect();
        return Err(Failure::usage(format!("no check is called {id}; configured are {}", names.join(", "))));
    };
    let target = config.check_target(check)?;
    let found = look(&target, &check.when, check.warn.as_ref(), check.timeout, &Tools::default()).await;
    if json {
        output::json(&FoundRow::from(&found))?;
    } else {
        if explain {
            output::line(&format!("{id}  {} {}", target.kind(), crate::config::target_line(&target)))?;
            output::line(&format!("  when  {}", check.when))?;
            if let Some(warn) = &check.warn {
                output::line(&format!("  warn  {warn}"))?;
            }
            if let Some(sights) = sights {
                output::line(&format!("  seen  {sights}"))?;
            }
            explained(&found)?;
        }
        let cause = found.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
        let state = CheckState::from(found.verdict).as_str();
        output::line(&format!("{state} after {}{cause}", short_duration(found.took)))?;
    }
    Ok(match found.verdict {
        Verdict::Ok => Exit::Fine,
        Verdict::Warn => Exit::Degraded,
        Verdict::Critical => Exit::Down,
        Verdict::Unknown => Exit::Failed,
    })
}

fn explained(found: &Observation) -> std::io::Result<()> {
    if !found.steps.is_empty() {
        output::line("steps")?;
    }
    for step in &found.steps {
        output::line(&format!("  {:>7}  {}", short_duration(step.at), step.text))?;
    }
    if !found.values.is_empty() {
        output::line("values")?;
    }
    for (name, value) in &found.values {
        let text: String = value.to_string().chars().take(200).collect();
        output::line(&format!("  {name} = {text}"))?;
    }
    if !found.phases.is_empty() {
        output::line("time")?;
    }
    for line in bars(&found.phases) {
        output::line(&line)?;
    }
    Ok(())
}

/// Each phase as a bar of its share, set off by what came before.
fn bars(phases: &[(Phase, Duration)]) -> Vec<String> {
    let all: f64 = phases.iter().map(|(_, took)| took.as_secs_f64()).sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a few columns")]
    let columns = |seconds: f64| if all > 0.0 { (seconds / all * 40.0).round() as usize } else { 0 };
    let mut before = 0.0;
    phases
        .iter()
        .map(|(phase, took)| {
            let (from, to) = (columns(before), columns(before + took.as_secs_f64()));
            before += took.as_secs_f64();
            let bar = format!("{}{}", " ".repeat(from.min(BAR - 1)), "#".repeat((to - from).max(1)));
            format!("  {:<10} {:<BAR$} {:>7}", word(*phase), bar, short_duration(*took))
        })
        .collect()
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => "dns",
        Phase::Connect => "connect",
        Phase::Tls => "tls",
        Phase::FirstByte => "first byte",
        Phase::Transfer => "transfer",
    }
}

/// One stretch of time, as `--json` shows it.
#[derive(Serialize)]
struct SlotRow {
    from: Timestamp,
    seconds: f64,
    ok: u64,
    warn: u64,
    critical: u64,
    unknown: u64,
    uptime: Option<f64>,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    longest_ms: Option<f64>,
}

impl From<&HistorySlot> for SlotRow {
    fn from(slot: &HistorySlot) -> Self {
        Self {
            from: slot.from,
            seconds: slot.length.as_secs_f64(),
            ok: slot.ok,
            warn: slot.warn,
            critical: slot.critical,
            unknown: slot.unknown,
            uptime: slot.uptime,
            p50_ms: slot.p50.map(millis),
            p95_ms: slot.p95.map(millis),
            p99_ms: slot.p99.map(millis),
            longest_ms: slot.longest.map(millis),
        }
    }
}

/// What one look found, as `--json` shows it.
#[derive(Serialize)]
struct FoundRow<'a> {
    at: Timestamp,
    verdict: Verdict,
    cause: Option<&'a str>,
    took_ms: f64,
    /// Milliseconds, by phase.
    phases: BTreeMap<Phase, f64>,
    values: BTreeMap<&'a str, &'a Value>,
    steps: Vec<StepRow<'a>>,
}

#[derive(Serialize)]
struct StepRow<'a> {
    at_ms: f64,
    text: &'a str,
}

impl<'a> From<&'a Observation> for FoundRow<'a> {
    fn from(found: &'a Observation) -> Self {
        Self {
            at: found.at,
            verdict: found.verdict,
            cause: found.cause.as_deref(),
            took_ms: millis(found.took),
            phases: found.phases.iter().map(|(phase, took)| (*phase, millis(*took))).collect(),
            values: found.values.iter().map(|(name, value)| (name.as_str(), value)).collect(),
            steps: found.steps.iter().map(|step| StepRow { at_ms: millis(step.at), text: &step.text }).collect(),
        }
    }
}

#[derive(Serialize)]
struct FailedRow<'a> {
    state: CheckState,
    observation: FoundRow<'a>,
}

impl<'a> From<&'a FailedCheck> for FailedRow<'a> {
    fn from(failure: &'a FailedCheck) -> Self {
        Self { state: failure.state, observation: (&failure.observation).into() }
    }
}

#[derive(Serialize)]
struct HistoryRow<'a> {
    id: &'a CheckId,
    total: SlotRow,
    slots: Vec<SlotRow>,
    failures: Vec<FailedRow<'a>>,
}

fn history_of(history: &CheckHistory, json: bool) -> Outcome {
    if json {
        let slots = history.slots.iter().map(SlotRow::from).collect();
        let failures = history.failures.iter().map(FailedRow::from).collect();
        let row = HistoryRow { id: &history.id, total: (&history.total).into(), slots, failures };
        output::json(&row)?;
        return Ok(Exit::Fine);
    }
    let cells = |from: String, slot: &HistorySlot| {
        [
            from,
            percent(slot.uptime),
            slot.ok.to_string(),
            slot.warn.to_string(),
            slot.critical.to_string(),
            slot.unknown.to_string(),
            time(slot.p50),
            time(slot.p95),
            time(slot.p99),
            time(slot.longest),
        ]
    };
    let slots = history.slots.iter().map(|slot| cells(slot.from.strftime("%Y-%m-%d %H:%MZ").to_string(), slot));
    let rows = slots.chain([cells("all".to_owned(), &history.total)]);
    output::table(["FROM", "UPTIME", "OK", "WARN", "CRIT", "UNKNOWN", "P50", "P95", "P99", "LONGEST"], rows)?;
    for failure in &history.failures {
        let found = &failure.observation;
        let state = CheckState::from(found.verdict).as_str();
        output::line("")?;
        output::line(&format!("{}  {state}: {}", found.at, found.cause.as_deref().unwrap_or_default()))?;
        explained(found)?;
    }
    Ok(Exit::Fine)
}

fn millis(duration: Duration) -> f64 {
    // Microseconds are as fine as it is kept.
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn time(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), short_duration)
}

fn percent(share: Option<f64>) -> String {
    // Never rounded up to a hundred: one failure is to be seen.
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2}%", (share * 100.0).floor() / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_each_other() {
        let ms = Duration::from_millis;
        let lines = bars(&[(Phase::Dns, ms(10)), (Phase::Connect, ms(10)), (Phase::FirstByte, ms(20))]);
        assert_eq!(lines[0], format!("  dns        {:<40}    10ms", "#".repeat(10)));
        assert_eq!(lines[1], format!("  connect    {:<40}    10ms", format!("{}{}", " ".repeat(10), "#".repeat(10))));
        assert_eq!(lines[2], format!("  first byte {:<40}    20ms", format!("{}{}", " ".repeat(20), "#".repeat(20))));
        assert_eq!(bars(&[(Phase::Connect, Duration::ZERO)]).len(), 1);
    }

    #[test]
    fn one_failure_in_many_is_no_hundred_percent() {
        assert_eq!(percent(Some(99.999)), "99.99%");
        assert_eq!((percent(Some(100.0)), percent(None)), ("100.00%".to_owned(), "-".to_owned()));
    }
}
