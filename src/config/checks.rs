//! `[[checks]]` and `[health]`: what is watched, how often, and when that is worth telling.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use toml::Spanned;

use crate::condition::Condition;
use crate::model::{CheckId, CheckKind, Endpoint, Target, nearest};

use super::check_file::{AlertFile, CheckFile, HealthFile};
use super::check_target::target;
use super::mistake::{Mistake, Source};
use super::period::{period, period_text};
use super::{Config, ConfigError, ConfiguredSecret, Vantage, check_defaults, check_schema};

/// What is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthConfig {
    /// The checks, in the order of the file. Shared: who watches and who compares need no copies.
    pub checks: Vec<Arc<CheckConfig>>,
    /// Whether they are the built-in ones of this machine.
    pub default_checks: bool,
    /// Addresses that answer while this machine's own network works.
    pub witnesses: Vec<Endpoint>,
    /// How many of them have to answer.
    pub need: usize,
}

/// One validated check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckConfig {
    /// Its id.
    pub id: CheckId,
    /// What it looks at, without the headers in `secret_headers`.
    pub target: Target,
    /// Headers whose values are secrets.
    pub secret_headers: Vec<(HeaderName, ConfiguredSecret)>,
    /// Whether it is looked at.
    pub enabled: bool,
    /// Time between two looks; a second at least.
    pub interval: Duration,
    /// Time a look may take; less than the interval.
    pub timeout: Duration,
    /// Time to the next look after a failure that is not confirmed yet; at most the interval.
    pub retry: Duration,
    /// Critical unless it holds.
    pub when: Condition,
    /// A warning unless it holds.
    pub warn: Option<Condition>,
    /// When a state counts.
    pub alert: Alert,
    /// Which nodes look at the same, and how many have to agree.
    pub vantage: Option<Vantage>,
}

/// When a state counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// Failures in a row that confirm a worse state; at least 1.
    pub fail: u32,
    /// Successes in a row that confirm a better one; at least 1.
    pub ok: u32,
    /// Takes the place of `fail`: so many failures among so many results, at most 64.
    pub m_of_n: Option<(u32, u32)>,
}

impl Default for Alert {
    fn default() -> Self {
        Self { fail: 3, ok: 2, m_of_n: None }
    }
}

/// Checks a file may name.
const MOST: usize = 10_000;
/// The interval where none is written.
const INTERVAL: Duration = Duration::from_secs(30);
/// Intervals that can be had.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 7);
/// The longest timeout where none is written.
const TIMEOUT_MAX: Duration = Duration::from_secs(10);
/// Results a window holds.
const WINDOW: u32 = 64;

impl HealthConfig {
    /// Validates what was typed. Relative paths are looked for in `dir`.
    pub(super) fn new(
        checks: &[CheckFile],
        health: &HealthFile,
        state_dir: &Path,
        dir: Option<&Path>,
        source: &Source,
    ) -> Result<Self, Mistake> {
        let witnesses = health.witnesses.iter().map(|witness| {
            witness.get_ref().parse::<Endpoint>().map_err(|error| Mistake::at(witness, error.to_string()))
        });
        let witnesses = witnesses.collect::<Result<Vec<_>, _>>()?;
        let need = match &health.need {
            None => 1,
            Some(need) => usize::try_from(*need.get_ref())
                .ok()
                .filter(|need| (1..=witnesses.len().max(1)).contains(need))
                .ok_or_else(|| {
                    Mistake::at(need, format!("must be 1 to the number of witnesses, {}", witnesses.len()))
                })?,
        };
        let default_checks = checks.is_empty();
        let mut validated = Vec::with_capacity(checks.len());
        let mut ids = HashSet::new();
        for check in checks {
            let config = CheckConfig::new(check, dir, source)?;
            if !ids.insert(config.id.clone()) {
                return Err(Mistake::at(&check.id, format!("another check is called `{}` already", config.id)));
            }
            if validated.len() >= MOST {
                return Err(Mistake::at(&check.id, format!("a file may name at most {MOST} checks")));
            }
            validated.push(Arc::new(config));
        }
        if default_checks {
            validated = of_this_machine(state_dir);
        }
        Ok(Self { checks: validated, default_checks, witnesses, need })
    }

    /// Everything durable is in `state_dir` instead: the default check of its file system goes along.
    pub(super) fn move_to(&mut self, state_dir: &Path) {
        if self.default_checks {
            self.checks = of_this_machine(state_dir);
        }
    }
}

/// The checks of this machine, for a file that names none.
fn of_this_machine(state_dir: &Path) -> Vec<Arc<CheckConfig>> {
    let targets = [
        ("disk", Target::Disk(PathBuf::from("/"))),
        ("state-disk", Target::Disk(state_dir.to_owned())),
        ("memory", Target::Memory),
        ("load", Target::Load),
    ];
    let usual = |(id, target): (&str, Target)| CheckConfig::usual(id.parse().ok()?, target).map(Arc::new);
    targets.into_iter().filter_map(usual).collect()
}

/// What `kind` demands when nothing is written.
fn usual_conditions(kind: CheckKind) -> Option<(Condition, Option<Condition>)> {
    let (when, warn) = check_defaults(kind);
    let read = |text| Condition::parse(text, check_schema(kind)).ok();
    Some((read(when)?, warn.and_then(read)))
}

fn usual_timeout(interval: Duration) -> Duration {
    (interval * 4 / 5).min(TIMEOUT_MAX)
}

impl CheckConfig {
    /// A check of `target` with nothing written about it.
    fn usual(id: CheckId, target: Target) -> Option<Self> {
        let (when, warn) = usual_conditions(target.kind())?;
        Some(Self {
            id,
            target,
            secret_headers: Vec::new(),
            enabled: true,
            interval: INTERVAL,
            timeout: usual_timeout(INTERVAL),
            retry: INTERVAL,
            when,
            warn,
            alert: Alert::default(),
            vantage: None,
        })
    }

    fn new(typed: &CheckFile, dir: Option<&Path>, source: &Source) -> Result<Self, Mistake> {
        let id: CheckId = typed.id.get_ref().parse().map_err(|error| Mistake::at(&typed.id, format!("{error}")))?;
        let kind: CheckKind = typed.kind.get_ref().parse().map_err(|error: String| {
            let names = CheckKind::ALL.map(CheckKind::as_str);
            let help = match nearest(typed.kind.get_ref(), names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("the types are {}", names.join(", ")),
            };
            Mistake::at(&typed.kind, error).help(help)
        })?;
        let (target, secret_headers) = target(typed, kind, dir)?;
        let usual = Self::usual(id, target)
            .ok_or_else(|| Mistake::at(&typed.kind, "its default condition cannot be read; this is a defect"))?;
        let interval = match &typed.interval {
            None => INTERVAL,
            Some(interval) => within(interval, INTERVALS.contains(&length(interval)?), "an interval is 1s to 7d")?,
        };
        let timeout = match &typed.timeout {
            None => usual_timeout(interval),
            Some(timeout) => {
                let fits = (Duration::from_millis(10)..interval).contains(&length(timeout)?);
                let most = period_text(interval);
                within(timeout, fits, &format!("a timeout is at least 10ms and less than the interval, {most}"))?
            }
        };
        let retry = match &typed.retry {
            None => interval,
            Some(retry) => {
                let fits = (Duration::from_secs(1)..=interval).contains(&length(retry)?);
                let most = period_text(interval);
                within(
                    retry,
                    fits,
                    &format!("a retry comes after 1s at least, and no later than the interval, {most}"),
                )?
            }
        };
        let condition = |typed: &Spanned<String>| condition(typed, kind, source);
        let when = typed.when.as_ref().map(condition).transpose()?;
        let warn = typed.warn.as_ref().map(condition).transpose()?;
        Ok(Self {
            enabled: typed.enabled.unwrap_or(true),
            secret_headers,
            interval,
            timeout,
            retry,
            // What is written takes the place of both defaults: they belong together.
            warn: if typed.when.is_some() { warn } else { warn.or(usual.warn) },
            when: when.unwrap_or(usual.when),
            alert: alert(typed.alert.as_ref(), typed.m_of_n.as_ref())?,
            vantage: typed.vantage.as_ref().map(Vantage::new).transpose()?,
            id: usual.id,
            target: usual.target,
        })
    }
}

fn length(typed: &Spanned<String>) -> Result<Duration, Mistake> {
    period(typed.get_ref()).map_err(|error| Mistake::at(typed, error))
}

fn within(typed: &Spanned<String>, fits: bool, rule: &str) -> Result<Duration, Mistake> {
    if fits { length(typed) } else { Err(Mistake::at(typed, rule)) }
}

fn alert(typed: Option<&Spanned<AlertFile>>, m_of_n: Option<&Spanned<[u32; 2]>>) -> Result<Alert, Mistake> {
    let usual = Alert::default();
    let mut alert = usual;
    if let Some(typed) = typed {
        let AlertFile { fail, ok } = *typed.get_ref();
        alert = Alert { fail: fail.unwrap_or(usual.fail), ok: ok.unwrap_or(usual.ok), m_of_n: None };
        if !(1..=1_000).contains(&alert.fail) || !(1..=1_000).contains(&alert.ok) {
            return Err(Mistake::at(typed, "fail and ok are 1 to 1000"));
        }
        if let (Some(window), Some(_)) = (m_of_n, fail) {
            return Err(Mistake::at(window, "it takes the place of `alert.fail`").help("leave one of the two out"));
        }
    }
    if let Some(window) = m_of_n {
        let [m, n] = *window.get_ref();
        if !(1..=n).contains(&m) || n > WINDOW {
            return Err(Mistake::at(window, format!("it is m failures among n results, 1 <= m <= n <= {WINDOW}")));
        }
        alert.m_of_n = Some((m, n));
    }
    Ok(alert)
}

/// Reads a condition; a mistake in it is shown at its place in the file.
fn condition(typed: &Spanned<String>, kind: CheckKind, source: &Source) -> Result<Condition, Mistake> {
    Condition::parse(typed.get_ref(), check_schema(kind)).map_err(|error| Mistake {
        span: Some(place(&source.text, typed.span(), typed.get_ref(), &error.span)),
        message: error.message,
        help: error.help,
    })
}

/// Where `inner`, a place in `value`, stands in the file, when `value` is written at `outer` as it is. A value
/// with escapes has other places than its text; then all of it is meant.
pub(super) fn place(text: &str, outer: Range<usize>, value: &str, inner: &Range<usize>) -> Range<usize> {
    let written = text.get(outer.clone()).unwrap_or_default();
    for quote in ["\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'"] {
        let plain = written.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote.trim_end()));
        if plain == Some(value) {
            let start = outer.start + quote.len();
            // A place behind the last letter is its closing quote.
            return start + inner.start..start + inner.end.max(inner.start + 1);
        }
    }
    outer
}

impl Config {
    /// The target of `check` with the secrets in its headers.
    ///
    /// # Errors
    /// The first secret that cannot be read or sent, with its place in the file.
    pub fn check_target(&self, check: &CheckConfig) -> Result<Target, Box<ConfigError>> {
        let mut target = check.target.clone();
        let Target::Http(http) = &mut target else { return Ok(target) };
        let bases: Vec<&Path> = self.file_dir.as_deref().into_iter().chain([self.state_dir.as_path()]).collect();
        for (name, secret) in &check.secret_headers {
            let fail = |why: &str| {
                Box::new(ConfigError {
                    file: self.source.name.clone(),
                    source: self.source.text.clone(),
                    span: secret.span.clone(),
                    message: format!("check `{}`: {why}", check.id),
                    help: None,
                })
            };
            let value = secret.reference.read(&bases).map_err(|error| fail(&error.to_string()))?;
            self.read.note(&value);
            let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
                fail(&format!("the value of the header {name} cannot be sent: it is not one line of text"))
            })?;
            value.set_sensitive(true);
            http.headers.push((name.clone(), value));
        }
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::parse;
    use super::*;

    fn one(text: &str) -> Result<Arc<CheckConfig>, Box<ConfigError>> {
        parse(text, None).map(|config| config.health.checks.into_iter().next().expect("a check"))
    }

    #[test]
    fn this_machine_is_watched_without_a_word_and_a_file_replaces_that() {
        let mut config = parse("", None).expect("defaults");
        let ids = |config: &Config| config.health.checks.iter().map(|check| check.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(&config), ["disk", "state-disk", "memory", "load"]);
        config.move_to(Path::new("/elsewhere"));
        assert!(config.health.checks.iter().any(|check| check.target == Target::Disk("/elsewhere".into())));
        let own = parse("[[checks]]\nid = \"m\"\ntype = \"memory\"\n", None).expect("one");
        assert_eq!((ids(&own), own.health.default_checks), (vec!["m".to_owned()], false));
    }

    #[test]
    fn defaults_fit_the_interval() {
        let check = one("[[checks]]\nid = \"a\"\ntype = \"http\"\nurl = \"http://127.0.0.1/\"\ninterval = \"5s\"\n")
            .expect("a check");
        assert_eq!((check.timeout, check.retry), (Duration::from_secs(4), Duration::from_secs(5)));
        let check =
            one("[[checks]]\nid = \"a\"\ntype = \"load\"\ninterval = \"1h\"\nwhen = \"cpu < 99%\"\n").expect("a check");
        assert_eq!((check.timeout, check.warn.is_none()), (Duration::from_secs(10), true));
    }

    #[test]
    fn mistakes_in_checks_are_shown_at_their_place() {
        let head = "[[checks]]\nid = \"a\"\ntype = \"http\"\nurl = \"http://127.0.0.1/\"\n";
        let cases = [
            ("[[checks]]\nid = \"a b\"\ntype = \"load\"\n".to_owned(), (2, 6), "check id"),
            ("[[checks]]\nid = \"a\"\ntype = \"htp\"\n".to_owned(), (3, 8), "unknown check type"),
            (format!("{head}when = \"status == 200 and latenzy < 1s\"\n"), (5, 27), "latenzy"),
            (format!("{head}when = 'status == \"x\"'\n"), (5, 19), ""),
            (format!("{head}when = \"status ==\"\n"), (5, 18), ""),
            (format!("{head}interval = \"10ms\"\n"), (5, 12), "1s to 7d"),
            (format!("{head}interval = \"5s\"\ntimeout = \"5s\"\n"), (6, 11), "less than the interval, 5s"),
            (format!("{head}retry = \"1h\"\n"), (5, 9), "no later than the interval, 30s"),
            (format!("{head}alert = {{ fail = 0 }}\n"), (5, 9), "1 to 1000"),
            (format!("{head}alert = {{ fail = 3 }}\nm_of_n = [3, 5]\n"), (6, 10), "takes the place"),
            (format!("{head}m_of_n = [5, 3]\n"), (5, 10), "m <= n"),
            (format!("{head}m_of_n = [5, 65]\n"), (5, 10), "<= 64"),
            (format!("{head}{head}"), (6, 6), "another check is called `a`"),
            (format!("{head}[health]\nwitnesses = [\"nowhere\"]\n"), (6, 14), "not an address"),
            (format!("{head}[health]\nwitnesses = [\"127.0.0.1:53\"]\nneed = 2\n"), (7, 8), "number of witnesses, 1"),
        ];
        for (text, place, words) in cases {
            let error = parse(&text, Some(Path::new("test.toml"))).expect_err(&text);
            assert_eq!(error.position(), Some(place), "{error}");
            assert!(error.message.contains(words), "{error}");
            assert!(error.to_string().contains('^'), "{error}");
        }
        let error = one("[[checks]]\nid = \"a\"\ntype = \"proces\"\n").expect_err("a mistake");
        assert_eq!(error.help.as_deref(), Some("did you mean `process`?"));
    }

    #[test]
    fn places_in_strings_are_exact_where_they_can_be() {
        for (written, value, expected) in [
            ("\"abc\"", "abc", 3..4),
            ("'abc'", "abc", 3..4),
            ("\"\"\"\nabc\"\"\"", "abc", 6..7),
            ("\"a\\u0062c\"", "abc", 0..10),
        ] {
            let text = format!("{written} # more");
            assert_eq!(place(&text, 0..written.len(), value, &(2..3)), expected, "{written}");
        }
        assert_eq!(place("\"abc\"", 0..5, "abc", &(3..3)), 4..5, "the end is the closing quote");
    }
}
