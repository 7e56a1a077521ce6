//! The gate between two stages of a rollout: whether the checks its command names are well.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{CheckId, Verdict};

use super::super::checks::Checks;

/// A check that is not well is looked at so often before it is believed.
const LOOKS: u32 = 3;
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest time for all looks at all checks together.
const PATIENCE: Duration = Duration::from_mins(5);

/// Looks at each of `ids` now; the results count like any other of the check. Well is *ok* and *warn*: what nobody can
/// say is not.
///
/// # Errors
/// Which check is not well, and why; when nobody looks.
pub(super) async fn look(checks: &Arc<Checks>, ids: &[CheckId]) -> Result<(), String> {
    let all = async {
        for id in ids {
            one(checks, id).await?;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, all)
        .await
        .unwrap_or_else(|_| Err(format!("the checks did not say so within {} s", PATIENCE.as_secs())))
}

async fn one(checks: &Arc<Checks>, id: &CheckId) -> Result<(), String> {
    for left in (0..LOOKS).rev() {
        let found = checks.now(id.clone()).await.map_err(|refusal| format!("check {id}: {refusal}"))?;
        let word = match found.verdict {
            Verdict::Ok | Verdict::Warn => return Ok(()),
            Verdict::Critical => "critical",
            Verdict::Unknown => "unknown",
        };
        if left == 0 {
            let cause = found.cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            return Err(format!("check {id} is {word}{cause}"));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
