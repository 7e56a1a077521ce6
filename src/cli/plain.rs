//! What happens, in sentences for a screen reader: one line each, the weight as the first word, nothing twice.

use jiff::Timestamp;

use crate::model::{Event, EventState, MessageId, MessageRow, age};
use crate::protocol::{Link, Problem, Severity, Snapshot};

/// What was told so far, so that it is not told again.
#[derive(Debug, Default)]
pub(super) struct Plain {
    problems: Vec<Told>,
    line_is_broken: bool,
}

#[derive(Debug)]
struct Told {
    about: String,
    severity: Severity,
    since: Timestamp,
}

impl Plain {
    /// How things are at the beginning.
    pub(super) fn greet(&mut self, snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
        let vip: u64 = snapshot.channels.iter().map(|channel| channel.unread_vip).sum();
        let others: u64 = snapshot.channels.iter().map(|channel| channel.unread).sum();
        let mut lines = vec![format!(
            "aurora on {}: {} on {}, {vip} of them from VIPs.",
            snapshot.node,
            counted(vip + others, "unread message"),
            counted(snapshot.channels.len() as u64, "channel"),
        )];
        let problems = self.look(snapshot, now);
        if problems.is_empty() {
            lines.push("Nothing is wrong.".to_owned());
        }
        lines.extend(problems);
        lines
    }

    /// What has begun and what has ended since the last look.
    pub(super) fn look(&mut self, snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
        // The worst comes first; one that is milder about the same thing waits until that is over.
        let mut problems: Vec<Problem> = Vec::new();
        for problem in snapshot.problems(now) {
            if !problems.iter().any(|worse| worse.about == problem.about) {
                problems.push(problem);
            }
        }
        let mut lines = Vec::new();
        self.problems.retain(|told| {
            let goes_on = problems.iter().any(|problem| problem.about == told.about);
            if !goes_on {
                lines.push(format!("Over: {}, noticed {}.", told.about, ago(told.since, now)));
            }
            goes_on
        });
        for problem in problems {
            match self.problems.iter_mut().find(|told| told.about == problem.about) {
                // Its age and its figures change all the time; only another weight is news.
                Some(told) if told.severity == problem.severity => {}
                Some(told) => {
                    told.severity = problem.severity;
                    lines.push(sentence(&problem));
                }
                None => {
                    lines.push(sentence(&problem));
                    self.problems.push(Told { about: problem.about, severity: problem.severity, since: now });
                }
            }
        }
        lines
    }

    /// An event; `inbox` may hold its message.
    pub(super) fn event(event: &Event, inbox: &[MessageRow], now: Timestamp) -> String {
        let when = match age(event.received, now).as_str() {
            "now" => String::new(),
            _ => format!(" It came {}.", ago(event.received, now)),
        };
        if event.state == EventState::Dead {
            let cause = event.cause.as_deref().unwrap_or("no reason is known");
            return format!(
                "Warning: something on {} was kept but not understood: {cause}.{when} See: aurora events show {}",
                event.channel, event.id
            );
        }
        let id = MessageId::from(event.id);
        let row = inbox.iter().find(|row| row.id == id);
        let subject = event.subject.as_deref().filter(|subject| !subject.is_empty()).unwrap_or(&event.kind);
        match row {
            Some(row) if row.vip => format!("VIP message from {} on {}: {subject}.{when}", row.from, event.channel),
            Some(row) if !row.from.is_empty() => {
                format!("Message from {} on {}: {subject}.{when}", row.from, event.channel)
            }
            _ => format!("Message on {}: {subject}.{when}", event.channel),
        }
    }

    /// The line to the engine, when it breaks and when it is back.
    pub(super) fn link(&mut self, link: &Link) -> Option<&'static str> {
        let broken = matches!(link, Link::Reconnecting { .. });
        let changed = std::mem::replace(&mut self.line_is_broken, broken) != broken;
        changed.then_some(if broken {
            "Critical: the line to the engine is broken. It is tried again; nothing that happens meanwhile is left out."
        } else {
            "Over: the line to the engine is back."
        })
    }
}

fn sentence(problem: &Problem) -> String {
    let weight = match problem.severity {
        Severity::Info => "Note",
        Severity::Warn => "Warning",
        Severity::Crit => "Critical",
    };
    format!("{weight}: {}. Next: {}.", spoken(&problem.what), spoken(&problem.next))
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// How long ago, in one coarse unit and in words.
fn ago(then: Timestamp, now: Timestamp) -> String {
    match age(then, now).as_str() {
        "now" => "just now".to_owned(),
        "<1m" => "less than a minute ago".to_owned(),
        age => format!("{} ago", spoken(age)),
    }
}

/// The same text with times such as `12m` as words.
fn spoken(text: &str) -> String {
    let word = |word: &str| {
        let core = word.trim_matches(['(', ')', ',', ';', ':']);
        let digits = core.bytes().take_while(u8::is_ascii_digit).count();
        let unit = match &core[digits..] {
            "s" => "second",
            "m" => "minute",
            "h" => "hour",
            "d" => "day",
            "w" => "week",
            _ => return if core == "<1m" { word.replace(core, "less than a minute") } else { word.to_owned() },
        };
        match core[..digits].parse() {
            Ok(count) => word.replace(core, &counted(count, unit)),
            Err(_) => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {

    use crate::model::{ChannelPanel, CheckPanel, CheckState, ProviderKind};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn world(state: CheckState) -> Snapshot {
        let check = CheckPanel {
            cause: (state != CheckState::Ok).then(|| "status == 200: got 503".into()),
            last: Some(at(-5)),
            ..CheckPanel::sample("shop", state, at(-240))
        };
        let channel = ChannelPanel {
            events: 3,
            unread_vip: 1,
            unread: 1,
            ..ChannelPanel::sample("github", ProviderKind::Github)
        };
        Snapshot { channels: vec![channel], checks: vec![check], ..Snapshot::sample(at(0)) }
    }

    #[test]
    fn a_problem_is_told_when_it_begins_changes_and_ends_and_never_again() {
        let mut plain = Plain::default();
        let greeting = plain.greet(&world(CheckState::Ok), at(0));
        assert_eq!(
            greeting,
            ["aurora on hub-1: 2 unread messages on 1 channel, 1 of them from VIPs.", "Nothing is wrong."]
        );
        let begun = plain.look(&world(CheckState::Warn), at(10));
        assert_eq!(
            begun,
            ["Warning: check shop is warn (4 minutes): status == 200: got 503. Next: aurora check run shop --explain."]
        );
        assert_eq!(plain.look(&world(CheckState::Warn), at(600)), [""; 0], "only its age has changed");
        let worse = plain.look(&world(CheckState::Critical), at(610));
        assert!(worse.len() == 1 && worse[0].starts_with("Critical: check shop is critical"), "{worse:?}");
        assert_eq!(plain.look(&world(CheckState::Ok), at(1_220)), ["Over: check shop, noticed 15 minutes ago."]);
        assert_eq!(plain.look(&world(CheckState::Ok), at(1_230)), [""; 0]);
    }

    #[test]
    fn the_line_is_told_when_it_breaks_and_when_it_is_back() {
        let mut plain = Plain::default();
        let broken = |tries| Link::Reconnecting { since: at(0), tries, why: String::new() };
        assert_eq!(plain.link(&Link::Connected { rtt: None }), None);
        assert!(plain.link(&broken(1)).expect("told").starts_with("Critical"));
        assert_eq!(plain.link(&broken(2)), None);
        assert!(plain.link(&Link::Connected { rtt: None }).expect("told").starts_with("Over"));
    }

    #[test]
    fn times_are_words() {
        assert_eq!(spoken("last 5m (12h), got 1d; 20m2 x5m m"), "last 5 minutes (12 hours), got 1 day; 20m2 x5m m");
        assert_eq!(spoken("(<1m)"), "(less than a minute)");
    }
}
