//! The past of one check, out of hours, minutes and results.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::health::Rollup;
use crate::model::{CheckHistory, CheckId};
use crate::store::{Span, Store, StoreError};

use super::restore::rollup;

/// Stretches of time in an answer.
const SLOTS: usize = 1_000;
/// Up to this long ago minutes are read, before that hours.
const BY_MINUTE: SignedDuration = SignedDuration::from_hours(48);
/// Results that are not counted yet, read at most.
const RESULTS: usize = 100_000;
/// Hours are kept for so long; there is nothing older.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);

/// The past of `id` since `since` in at most `slots` stretches. `None`: there never was such a check.
pub(in super::super) fn history(
    store: &Store,
    id: &CheckId,
    since: Timestamp,
    slots: usize,
    now: Timestamp,
) -> Result<Option<CheckHistory>, StoreError> {
    let Some(check) = store.check_number(id)? else { return Ok(None) };
    let oldest = now.checked_sub(KEPT).unwrap_or(now);
    let since = since.clamp(oldest, now);
    let span = if now.duration_since(since) <= BY_MINUTE { Span::Minute } else { Span::Hour };
    let step = step(now.duration_since(since), slots.clamp(1, SLOTS), span);
    let mut cut: BTreeMap<i64, Rollup> = BTreeMap::new();
    let mut add = |second: i64, part: &Rollup| cut.entry(second.div_euclid(step)).or_default().merge(part);
    let (minute_mark, hour_mark) = (store.check_mark(Span::Minute, now)?, store.check_mark(Span::Hour, now)?);
    let mut minutes_from = Span::Minute.of(since);
    if span == Span::Hour {
        let from = Span::Hour.of(since);
        for row in store.check_counts(Span::Hour, check, from, hour_mark)? {
            add(row.at * 3_600, &rollup(&row));
        }
        minutes_from = hour_mark.max(from) * 60;
    }
    // Late results make rows after the mark's minute too, so it is asked for up to now.
    for row in store.check_counts(Span::Minute, check, minutes_from, Span::Minute.of(now) + 1)? {
        add(row.at * 60, &rollup(&row));
    }
    let uncounted = Timestamp::from_second(minute_mark * 60).unwrap_or(now).max(since);
    let results = store.check_results(Some(check), uncounted, RESULTS)?;
    for result in results.iter().filter(|result| result.at <= now) {
        let mut one = Rollup::default();
        one.add(result.verdict, result.took);
        add(result.at.as_second(), &one);
    }
    let mut total = Rollup::default();
    for part in cut.values() {
        total.merge(part);
    }
    let length = Duration::from_secs(step.unsigned_abs());
    let whole = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    Ok(Some(CheckHistory {
        id: id.clone(),
        total: total.slot(since, whole),
        slots: cut
            .iter()
            .map(|(slot, part)| part.slot(Timestamp::from_second(slot * step).unwrap_or(since), length))
            .collect(),
        failures: store.check_failures(check)?,
    }))
}

/// Seconds in one of at most `slots` stretches of `length`: whole minutes or hours, and a length people use.
fn step(length: SignedDuration, slots: usize, span: Span) -> i64 {
    const STEPS: [i64; 14] =
        [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000];
    let slots = i64::try_from(slots).unwrap_or(1);
    let fits = |step: &i64| *step >= span.seconds() && length.as_secs() <= step * slots;
    STEPS.into_iter().find(fits).unwrap_or(KEPT.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_people_use() {
        let hours = SignedDuration::from_hours;
        assert_eq!(step(hours(1), 90, Span::Minute), 60);
        assert_eq!(step(hours(24), 24, Span::Minute), 3_600);
        assert_eq!(step(hours(24), 90, Span::Minute), 1_800);
        assert_eq!(step(hours(24 * 30), 30, Span::Hour), 86_400);
        assert_eq!(step(hours(3), 1_000, Span::Hour), 3_600, "an hour is the least there is");
        assert_eq!(step(hours(24 * 400), 1, Span::Hour), KEPT.as_secs());
    }
}
