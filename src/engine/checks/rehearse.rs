//! The past of checks in a made-up world: what a script says was found, taken in as looks are.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::CheckPanel;
use crate::store::{CheckResult, Store, StoreError};

use super::observe::Script;
use super::restore::restore;
use super::service::CheckSet;
use super::writer::Writer;

/// Results are written down in steps of this length.
const STEP: SignedDuration = SignedDuration::from_hours(1);

/// Lets `script` tell what was found from `from` to `to`, one look at each check every `every`, and keeps all of it.
/// Answers how the checks stand then.
pub(in super::super) async fn rehearse(
    store: &Arc<Store>,
    set: &CheckSet,
    script: &dyn Script,
    every: Duration,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<CheckPanel>, StoreError> {
    let since_1970 = |at: Timestamp| Duration::try_from(at.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
    let mut watches = restore(store, set.checks.clone(), since_1970(from), from).await?;
    let mut writer = Writer::new();
    let (mut at, mut written) = (from, from);
    while at <= to {
        for (number, watch) in &mut watches {
            let found = script.look(&watch.plan.config, at);
            let settled = watch.settle(&found, at);
            let result = CheckResult { check: *number, at: found.at, verdict: found.verdict, took: found.took };
            writer.note(result, settled.failure, settled.state);
        }
        at = at.checked_add(every).unwrap_or(Timestamp::MAX);
        if (at > to || at.duration_since(written) >= STEP)
            && let Some(batch) = writer.batch(&mut watches, since_1970(at), at)
        {
            written = at;
            store.keep_checks(Arc::clone(&batch)).await?;
            writer.written(batch, Ok(()));
        }
    }
    store.keep_checks(Arc::new(writer.last(&mut watches))).await?;
    Ok(watches.values().map(|watch| watch.panel(None, to)).collect())
}
