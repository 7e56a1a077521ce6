//! One look at a check, and one at the witnesses.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::config::CheckConfig;
use crate::health::probe::{Tools, look};
use crate::model::{Endpoint, Observation, Verdict};

use super::watch::Prepared;

/// A look that takes longer than its timeout by this much is given up.
const GRACE: Duration = Duration::from_secs(1);
/// Time a witness has to answer.
const WITNESS_TIMEOUT: Duration = Duration::from_secs(2);

/// Says what a look finds, where nothing is looked at: in a world that is made up.
pub trait Script: Send + Sync + std::fmt::Debug {
    /// What a look at `check` finds that begins at `at`.
    fn look(&self, check: &CheckConfig, at: Timestamp) -> Observation;
}

/// One look, whatever becomes of it; with a `script` it is what that says.
pub(super) async fn observe(plan: &Prepared, tools: &Tools, script: Option<&dyn Script>) -> Observation {
    if let Some(script) = script {
        return script.look(&plan.config, Timestamp::now());
    }
    let (at, began, config) = (Timestamp::now(), Instant::now(), &plan.config);
    let look = look(plan.target(), &config.when, config.warn.as_ref(), config.timeout, tools);
    let cause = match tokio::time::timeout(config.timeout + GRACE, AssertUnwindSafe(look).catch_unwind()).await {
        Ok(Ok(observation)) => return observation,
        Ok(Err(_)) => "the probe panicked; this is a defect",
        Err(_) => "the probe did not end in time; this is a defect",
    };
    tracing::error!(check = config.id.as_str(), cause);
    Observation {
        at,
        took: began.elapsed(),
        verdict: Verdict::Unknown,
        cause: Some(cause.to_owned()),
        phases: Vec::new(),
        values: Vec::new(),
        steps: Vec::new(),
    }
}

/// How many of `witnesses` let themselves be connected to; `need` are enough.
pub(super) async fn answering(witnesses: &[Endpoint], need: usize) -> usize {
    let asked: FuturesUnordered<_> = witnesses
        .iter()
        .map(|witness| async move {
            let connect = tokio::net::TcpStream::connect((witness.host.as_str(), witness.port));
            tokio::time::timeout(WITNESS_TIMEOUT, connect).await.is_ok_and(|connected| connected.is_ok())
        })
        .collect();
    asked.filter(|answered| std::future::ready(*answered)).take(need).count().await
}
