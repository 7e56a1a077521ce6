//! The way of an event: `aurora events show ID --trace` and `aurora inbox show ID --trace`.

use crate::config::Config;
use crate::model::{EventId, short_duration};
use crate::protocol::{Reply, Request};

use super::args::Global;
use super::exit::{Exit, Failure};
use super::output;
use super::session::{ask, unexpected};

/// Prints the way of the event `id`.
pub(super) async fn show(config: &Config, global: &Global, id: EventId, json: bool) -> Result<(), Failure> {
    let trace = match ask(config, global, Request::Trace(id)).await? {
        Reply::Trace(Some(trace)) => trace,
        Reply::Trace(None) => return Err(Failure::new(Exit::Failed, format!("no event has the id {id}"))),
        reply => return Err(unexpected(&reply)),
    };
    if json {
        return Ok(output::json(&trace)?);
    }
    let rows = trace.steps.into_iter().map(|step| {
        let at = step.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let after = step.after.map_or_else(String::new, |after| format!("+{}", short_duration(after)));
        [step.name, at, after, step.what]
    });
    Ok(output::table(["STEP", "TIME", "AFTER", "WHAT"], rows)?)
}
