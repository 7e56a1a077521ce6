//! Times to come as operators type them: `1h`, `tomorrow 9:00`, `mon`, `2026-12-01`.

use jiff::civil::{Date, Time, Weekday};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

/// Text that is no time to come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMoment {
    /// It is not understood.
    #[error("{0:?} is no time; try 1h, 2d, 18:00, tomorrow 9:00, monday, next week, 2026-12-01 or until-reply")]
    Unknown(String),
    /// It has passed.
    #[error("{0:?} has passed; give a time to come")]
    Passed(String),
}

/// When a day begins for whoever names only the day.
const MORNING: Time = Time::constant(9, 0, 0, 0);

/// Reads `text` as a time after `now`, in the time zone of `now`.
///
/// Lengths (`30m`, `1h`, `2d`, `1w`) count from now; a day is 24 hours then. A time alone (`18:00`) is the next one.
/// Days are `today`, `tomorrow`, a weekday (the next one after today), `next week` (Monday) or a date, each with a
/// time behind it or 9:00. RFC 3339 is taken as it is.
///
/// # Errors
/// When it is not understood, or has passed.
pub fn moment(text: &str, now: &Zoned) -> Result<Timestamp, BadMoment> {
    let words = text.trim().to_lowercase();
    let found = text.trim().parse::<Timestamp>().ok().or_else(|| length(&words, now)).or_else(|| on_a_day(&words, now));
    match found {
        None => Err(BadMoment::Unknown(text.to_owned())),
        Some(moment) if moment <= now.timestamp() => Err(BadMoment::Passed(text.to_owned())),
        Some(moment) => Ok(moment),
    }
}

fn length(text: &str, now: &Zoned) -> Option<Timestamp> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text[..split].parse::<u32>().ok()?;
    let seconds = match text[split..].trim() {
        "m" | "min" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return None,
    };
    now.timestamp().checked_add(SignedDuration::from_secs(seconds * i64::from(number))).ok()
}

fn on_a_day(text: &str, now: &Zoned) -> Option<Timestamp> {
    let today = now.date();
    if let Some(time) = time_of_day(text) {
        let day = if time > now.time() { today } else { today.tomorrow().ok()? };
        return moment_at(day, time, now);
    }
    let (day, time) = match text.rsplit_once(' ').and_then(|(day, time)| Some((day.trim(), time_of_day(time)?))) {
        Some((day, time)) => (day, time),
        None => (text, MORNING),
    };
    let day = match day {
        "today" => today,
        "tomorrow" => today.tomorrow().ok()?,
        "next week" => after(today, Weekday::Monday)?,
        day => match weekday(day) {
            Some(weekday) => after(today, weekday)?,
            None => day.parse::<Date>().ok()?,
        },
    };
    moment_at(day, time, now)
}

fn moment_at(day: Date, time: Time, now: &Zoned) -> Option<Timestamp> {
    day.to_datetime(time).to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp())
}

/// The first `weekday` after `day`.
fn after(day: Date, weekday: Weekday) -> Option<Date> {
    let days = day.weekday().until(weekday);
    day.checked_add(i32::from(if days == 0 { 7 } else { days }).days()).ok()
}

fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.len() <= 2 && text.chars().all(|c| c.is_ascii_digit());
    if !digits(hour) || !digits(minute) || minute.len() != 2 {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn weekday(text: &str) -> Option<Weekday> {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let place = names.iter().position(|name| text.len() >= 3 && name.starts_with(text))?;
    Weekday::from_monday_one_offset(i8::try_from(place + 1).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Saturday at 16:30 in a zone with summer time.
    fn now() -> Zoned {
        "2026-11-21T16:30:00[Europe/Berlin]".parse().expect("a time")
    }

    #[test]
    fn times_to_come_are_read() {
        for (text, at) in [
            ("1h", "2026-11-21T17:30:00[Europe/Berlin]"),
            ("30m", "2026-11-21T17:00:00[Europe/Berlin]"),
            ("2 days", "2026-11-23T16:30:00[Europe/Berlin]"),
            ("18:00", "2026-11-21T18:00:00[Europe/Berlin]"),
            ("9:00", "2026-11-22T09:00:00[Europe/Berlin]"),
            ("today 23:59", "2026-11-21T23:59:00[Europe/Berlin]"),
            ("tomorrow", "2026-11-22T09:00:00[Europe/Berlin]"),
            (" Tomorrow 7:15 ", "2026-11-22T07:15:00[Europe/Berlin]"),
            ("mon", "2026-11-23T09:00:00[Europe/Berlin]"),
            ("saturday 8:00", "2026-11-28T08:00:00[Europe/Berlin]"),
            ("next week", "2026-11-23T09:00:00[Europe/Berlin]"),
            ("2027-07-01", "2027-07-01T09:00:00[Europe/Berlin]"),
            ("2026-12-01 14:00", "2026-12-01T14:00:00[Europe/Berlin]"),
            ("2026-12-01T00:00:00Z", "2026-12-01T01:00:00[Europe/Berlin]"),
        ] {
            let expected: Zoned = at.parse().expect("a time");
            assert_eq!(moment(text, &now()), Ok(expected.timestamp()), "{text}");
        }
    }

    #[test]
    fn what_has_passed_or_says_nothing_is_refused() {
        for text in ["today", "2026-11-20", "2020-01-01T00:00:00Z", "0h"] {
            assert_eq!(moment(text, &now()), Err(BadMoment::Passed(text.to_owned())));
        }
        for text in ["", "h", "-1h", "soon", "25:00", "9:5", "mo", "tomorrow at nine", "99999999999h", "2026-02-30"] {
            assert_eq!(moment(text, &now()), Err(BadMoment::Unknown(text.to_owned())), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_typed_a_moment_lies_ahead(text in "([0-9]{0,11}[mhdw: -]?|today|tomorrow|fri|next week)( ?[0-9]{0,2}:?[0-9]{0,2})|.{0,20}") {
            if let Ok(moment) = moment(&text, &now()) {
                proptest::prop_assert!(moment > now().timestamp());
            }
        }
    }
}
