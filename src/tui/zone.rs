//! Times as people read them: the one place that writes them, in the zone of whoever looks or in UTC.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::app::App;

static UTC: TimeZone = TimeZone::UTC;

/// The zone times are shown in.
#[derive(Debug)]
pub(super) struct Zone {
    local: TimeZone,
    /// Whether times are shown in UTC all the same.
    utc: bool,
}

impl Default for Zone {
    fn default() -> Self {
        Self { local: TimeZone::UTC, utc: false }
    }
}

/// `at` to the second, with the name of its zone: `2026-11-21 18:31:02 CET`, in UTC `2026-11-21 17:31:02Z`.
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime(&format!("%Y-%m-%d %H:%M:%S{}", suffix(zone))).to_string()
}

/// The time of day of `at` in the same form: `18:31:02 CET`.
pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime(&format!("%H:%M:%S{}", suffix(zone))).to_string()
}

/// `at` to the minute in that form: `2026-11-21 18:31 CET`.
pub(super) fn short(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime(&format!("%Y-%m-%d %H:%M{}", suffix(zone))).to_string()
}

/// `at` to the millisecond in that form: `2026-11-21 18:31:02.417 CET`.
pub(super) fn instant(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime(&format!("%Y-%m-%d %H:%M:%S%.3f{}", suffix(zone))).to_string()
}

/// `at` to the minute; the name of its zone stands elsewhere.
pub(super) fn minute(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// What a zone is called at `at`: `CET`, or its offset where it has no name.
pub(super) fn name(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Z").to_string()
}

fn suffix(zone: &TimeZone) -> &'static str {
    if *zone == TimeZone::UTC { "Z" } else { " %Z" }
}

impl App {
    /// Shows times in `zone` from now on, unless they are shown in UTC.
    pub fn set_zone(&mut self, zone: TimeZone) {
        self.zone.local = zone;
    }

    /// The zone times are shown in.
    pub(super) fn zone(&self) -> &TimeZone {
        if self.zone.utc { &UTC } else { &self.zone.local }
    }

    /// Whether this machine's own time is UTC now, so that there is nothing to choose.
    pub(super) fn is_utc_anyway(&self) -> bool {
        self.zone.local.to_offset(self.now) == Offset::UTC
    }

    /// Shows times in UTC, or in this machine's zone again.
    pub(super) fn toggle_utc(&mut self) {
        self.zone.utc = !self.zone.utc;
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Role;
    use crate::protocol::Severity;

    use super::super::action::Action;
    use super::super::msg::Toast;
    use super::super::sample;
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone")
    }

    #[test]
    fn times_have_their_zone_and_know_summer() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert_eq!(moment(at("2026-11-21T17:31:02Z"), &TimeZone::UTC), "2026-11-21 17:31:02Z");
        assert_eq!(moment(at("2026-11-21T17:31:02Z"), &berlin()), "2026-11-21 18:31:02 CET");
        assert_eq!(clock(at("2026-07-21T23:31:02Z"), &berlin()), "01:31:02 CEST");
        assert_eq!(minute(at("2026-07-21T23:31:02Z"), &berlin()), "2026-07-22 01:31");
        assert_eq!(name(at("2026-07-21T23:31:02Z"), &TimeZone::UTC), "UTC");
    }

    #[test]
    fn times_are_toggled_to_utc_and_back() {
        let mut app = sample::app(sample::snapshot(), Role::Viewer, false);
        app.act(Action::Utc);
        let said = Toast { severity: Severity::Info, text: "this machine's own time is UTC".into() };
        assert_eq!(app.toast, Some(said));
        app.set_zone(berlin());
        assert_eq!(moment(sample::at(0), app.zone()), "2027-01-15 09:00:00 CET");
        app.act(Action::Utc);
        assert_eq!(moment(sample::at(0), app.zone()), "2027-01-15 08:00:00Z");
        app.act(Action::Utc);
        assert_eq!(name(sample::at(0), app.zone()), "CET");
    }
}
