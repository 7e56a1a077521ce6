//! What is watched in the made-up world, and what looks find there.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::CheckConfig;
use crate::engine::Script;
use crate::model::{CheckKind, Observation, Phase, Step, Value, Verdict};

use super::Scene;
use super::chance::Chance;

/// Checks of the scene that is busy.
const BUSY: u64 = 40;
/// Seconds that the shop has been down when the world begins.
const DOWN_FOR: i64 = 260;
/// In a lively world the shop is down for the first part of each such stretch of seconds.
const STRETCH: i64 = 900;
const DOWN_OF_IT: i64 = 300;

/// How one of them is configured.
const CHECKS: [&str; 12] = [
    "id = \"shop\"\ntype = \"http\"\nurl = \"https://shop.example.org/health\"\nwhen = 'status == 200'\nwarn = 'latency < 800ms'",
    "id = \"www\"\ntype = \"http\"\nurl = \"https://www.example.org/\"\nwhen = 'status == 200'",
    "id = \"api\"\ntype = \"http\"\nurl = \"https://api.example.org/v1/ping\"\nwhen = 'status == 200'",
    "id = \"pay\"\ntype = \"http\"\nurl = \"https://pay.example.com/status\"\nwhen = 'status == 200'",
    "id = \"www.cert\"\ntype = \"tls\"\nhost = \"www.example.org\"\nport = 443\nwhen = 'cert_expires > 1d'\nwarn = 'cert_expires > 7d'",
    "id = \"relay\"\ntype = \"tcp\"\nhost = \"mail.example.org\"\nport = 25\npreset = \"smtp\"",
    "id = \"database\"\ntype = \"tcp\"\nhost = \"10.0.0.7\"\nport = 5432",
    "id = \"cache\"\ntype = \"tcp\"\nhost = \"10.0.0.8\"\nport = 6379",
    "id = \"nginx\"\ntype = \"process\"\nprocess = \"nginx\"",
    "id = \"disk\"\ntype = \"disk\"\npath = \"/\"",
    "id = \"memory\"\ntype = \"memory\"",
    "id = \"load\"\ntype = \"load\"",
];

/// The checks of `scene`, as a configuration has them.
pub(super) fn configured(scene: Scene) -> String {
    let mut text = String::new();
    if scene == Scene::Busy {
        for number in 1..=BUSY {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "[[checks]]\nid = \"node-{number:02}\"\ntype = \"http\"\nurl = \"https://node-{number:02}.example.net/health\"\ninterval = \"1s\"\ntimeout = \"900ms\"\n"
            );
        }
        return text;
    }
    for check in CHECKS {
        let _ = write!(text, "[[checks]]\n{check}\ninterval = \"30s\"\n");
    }
    text
}

/// What looks find.
#[derive(Debug)]
pub(super) struct Found {
    pub scene: Scene,
    pub seed: u64,
    /// When the world began.
    pub began: Timestamp,
}

impl Script for Found {
    fn look(&self, check: &CheckConfig, at: Timestamp) -> Observation {
        let (id, kind) = (check.id.as_str(), check.target.kind());
        let took = self.took(id, kind, at);
        let seconds = at.as_second() - self.began.as_second();
        let fault = self.fault(id, seconds);
        let phases = phases(kind, took, fault);
        let values = values(kind, took, fault, self.chance(id, at.as_second() / 30));
        let (verdict, cause) = match (fault, judge(check, &values)) {
            (Some(Fault::Refused), _) => (Verdict::Critical, Some("connection refused (os error 111)".to_owned())),
            (_, judged) => judged,
        };
        let mut steps = vec![Step {
            at: Duration::ZERO,
            text: format!("looking at {}", crate::config::target_line(&check.target)),
        }];
        steps.extend(phases.iter().scan(Duration::ZERO, |at, (phase, length)| {
            *at += *length;
            Some(Step { at: *at, text: format!("{phase:?} done").to_lowercase() })
        }));
        let outcome = cause.clone().unwrap_or_else(|| "everything holds".to_owned());
        steps.push(Step { at: took, text: outcome });
        Observation { at, took, verdict, cause, phases, values, steps }
    }
}

/// What is wrong with something that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The application answers that it cannot.
    Unavailable,
    /// Nobody listens.
    Refused,
    /// The certificate ends soon.
    Expiring,
    /// It is slower than usual.
    Slow,
}

impl Found {
    /// What is wrong with `id`, `seconds` after the beginning.
    fn fault(&self, id: &str, seconds: i64) -> Option<Fault> {
        let lively = self.scene == Scene::Lively;
        // As of the beginning the shop is down; later it comes and goes, when anything does.
        let since_down = seconds + DOWN_FOR;
        let down = if lively && seconds > 0 { since_down % STRETCH < DOWN_OF_IT } else { since_down >= 0 };
        match id {
            "shop" if down => Some(Fault::Unavailable),
            "shop" if (-2 * 60..0).contains(&since_down) => Some(Fault::Slow),
            // An outage that is long over.
            "shop" if (-71 * 60..-64 * 60).contains(&since_down) => Some(Fault::Unavailable),
            "www.cert" => Some(Fault::Expiring),
            // Now and then one try fails, which confirms nothing.
            "relay" if (-35..=0).contains(&seconds) || (lively && seconds % 420 < 30 && seconds > 60) => {
                Some(Fault::Refused)
            }
            "api" if (-40 * 60..-36 * 60).contains(&seconds) => Some(Fault::Refused),
            "node-17" if seconds > -12 * 60 => Some(Fault::Unavailable),
            _ => None,
        }
    }

    fn chance(&self, id: &str, moment: i64) -> Chance {
        Chance::new(self.seed ^ moment.unsigned_abs(), id)
    }

    /// How long a look takes. In a busy world that is another number each second, of as many digits.
    fn took(&self, id: &str, kind: CheckKind, at: Timestamp) -> Duration {
        if self.scene == Scene::Busy {
            let place = Chance::new(self.seed, id).below(88);
            // By tenths: a look that is late, and the next one that is not, may begin in the same second.
            let tenths = at.as_millisecond().unsigned_abs() / 100;
            return Duration::from_millis(12 + (place + tenths) % 88);
        }
        let usual: u64 = match (id, kind) {
            ("pay", _) => 210_000,
            (_, CheckKind::Http) => 84_000,
            (_, CheckKind::Tls) => 31_000,
            ("relay", _) => 18_000,
            (_, CheckKind::Tcp) => 1_300,
            _ => 240,
        };
        let slow = if self.fault(id, at.as_second() - self.began.as_second()) == Some(Fault::Slow) { 12 } else { 1 };
        // Mostly as ever, now and then much longer.
        let rare = self.chance(id, at.as_second()).below(1_000);
        let longer = usual * rare * rare / 1_000_000 * rare / 1_000;
        Duration::from_micros((usual + longer) * slow)
    }
}

fn phases(kind: CheckKind, took: Duration, fault: Option<Fault>) -> Vec<(Phase, Duration)> {
    let shares: &[(Phase, u32)] = match kind {
        CheckKind::Http => {
            &[(Phase::Dns, 2), (Phase::Connect, 14), (Phase::Tls, 24), (Phase::FirstByte, 54), (Phase::Transfer, 6)]
        }
        CheckKind::Tls => &[(Phase::Dns, 8), (Phase::Connect, 32), (Phase::Tls, 60)],
        CheckKind::Tcp => &[(Phase::Connect, 100)],
        _ => &[],
    };
    let reached = if fault == Some(Fault::Refused) { 1 } else { shares.len() };
    shares.iter().take(reached).map(|(phase, share)| (*phase, took * *share / 100)).collect()
}

fn values(kind: CheckKind, took: Duration, fault: Option<Fault>, mut chance: Chance) -> Vec<(String, Value)> {
    let gib = |number: u64| Value::Bytes(number << 30);
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let mut around = |middle: f64| middle + chance.below(40) as f64 / 10.0;
    let latency = ("latency", Value::Duration(took));
    let values = match kind {
        CheckKind::Http => {
            let status = if fault == Some(Fault::Unavailable) { 503.0 } else { 200.0 };
            vec![("status", Value::Number(status)), ("ip", Value::Text("203.0.113.7".to_owned())), latency]
        }
        CheckKind::Tls => {
            let days = if fault == Some(Fault::Expiring) { 5 } else { 61 };
            vec![
                ("cert_expires", Value::Duration(Duration::from_hours(24 * days))),
                ("cert_trusted", Value::Bool(true)),
                ("cert_issuer", Value::Text("Example CA R3".to_owned())),
                latency,
            ]
        }
        CheckKind::Tcp if fault == Some(Fault::Refused) => vec![latency],
        CheckKind::Tcp => vec![("connect", Value::Duration(took)), latency],
        CheckKind::Process => vec![("count", Value::Number(5.0)), ("memory", Value::Bytes(61 << 20)), latency],
        CheckKind::Disk => vec![
            ("used", Value::Percent(around(68.0))),
            ("inodes_used", Value::Percent(12.0)),
            ("free", gib(61)),
            ("size", gib(200)),
            latency,
        ],
        CheckKind::Memory => {
            vec![("used", Value::Percent(around(41.0))), ("available", gib(9)), ("size", gib(16)), latency]
        }
        CheckKind::Load => vec![
            ("cpu", Value::Percent(around(9.0))),
            ("load5_per_core", Value::Number(around(0.0) / 10.0)),
            ("cores", Value::Number(4.0)),
            latency,
        ],
    };
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What the conditions of `check` say to `values`.
fn judge(check: &CheckConfig, values: &[(String, Value)]) -> (Verdict, Option<String>) {
    let demanded = check.when.judge(values);
    if !demanded.holds {
        return (Verdict::Critical, Some(demanded.because.join("; ")));
    }
    match check.warn.as_ref().map(|warn| warn.judge(values)) {
        Some(wished) if !wished.holds => (Verdict::Warn, Some(wished.because.join("; "))),
        _ => (Verdict::Ok, None),
    }
}

#[cfg(test)]
mod tests {
    use crate::demo::World;

    use super::*;

    #[test]
    fn in_a_busy_world_every_check_has_another_figure_each_second() {
        let began = Timestamp::from_second(1_800_000_000).expect("in range");
        let config = World { scene: Scene::Busy, seed: 7, began }.config().expect("a configuration");
        let found = Found { scene: Scene::Busy, seed: 7, began };
        assert_eq!(config.health.checks.len(), 40);
        for check in &config.health.checks {
            let shown = |second| {
                let at = Timestamp::from_second(began.as_second() + second).expect("in range");
                crate::model::short_duration(found.look(check, at).took)
            };
            let changes = (0..100).filter(|second| shown(*second) != shown(second + 1)).count();
            assert_eq!(changes, 100, "{}", check.id);
        }
    }

    #[test]
    fn conditions_decide_as_they_do_elsewhere() {
        let began = Timestamp::from_second(1_800_000_000).expect("in range");
        let config = World { scene: Scene::Lively, seed: 1, began }.config().expect("a configuration");
        let found = Found { scene: Scene::Lively, seed: 1, began };
        let verdicts: Vec<(&str, Verdict, Option<String>)> = config
            .health
            .checks
            .iter()
            .map(|check| (check.id.as_str(), found.look(check, began)))
            .filter(|(_, seen)| seen.verdict != Verdict::Ok)
            .map(|(id, seen)| (id, seen.verdict, seen.cause))
            .collect();
        let expected = [
            ("shop", Verdict::Critical, "status == 200: got 503"),
            ("www.cert", Verdict::Warn, "cert_expires > 1w: got 5d"),
            ("relay", Verdict::Critical, "connection refused (os error 111)"),
        ];
        assert_eq!(verdicts, expected.map(|(id, verdict, cause)| (id, verdict, Some(cause.to_owned()))));
    }
}
