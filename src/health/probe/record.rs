//! What a look writes down while it goes on, so that one that is cut short still says how far it came.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;

use crate::condition::{Argument, Values, json_value};
use crate::model::{Phase, Step, Value, short_duration};

use super::failure::Failure;
use super::tcp::shown;

/// Characters of a text that an observation keeps.
const TEXT_MAX: usize = 200;

/// The notes of one look.
#[derive(Debug)]
pub(super) struct Record {
    started: Instant,
    /// What is being done, for a look that runs out of time.
    doing: Cow<'static, str>,
    /// It is waited for something on our side.
    ours: bool,
    phase: Option<(Phase, Instant)>,
    phases: Vec<(Phase, Duration)>,
    pub(super) values: Vec<(String, Value)>,
    pub(super) steps: Vec<Step>,
    /// Why a value is as it is, for the cause: `cert_trusted: got false (expired 3d ago)`.
    remarks: Vec<(&'static str, String)>,
    /// The last answer to a request.
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// What was heard in a conversation and has not been found in it yet.
    pub(super) heard: Vec<u8>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            doing: Cow::Borrowed("starting"),
            ours: false,
            phase: None,
            phases: Vec::with_capacity(5),
            values: Vec::with_capacity(16),
            steps: Vec::with_capacity(8),
            remarks: Vec::new(),
            headers: HeaderMap::new(),
            body: None,
            heard: Vec::new(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// A phase begins, which also says what is being done: `connecting to 203.0.113.7:443`.
    pub(super) fn begin(&mut self, phase: Phase, doing: impl Into<Cow<'static, str>>) {
        self.end();
        self.doing(doing);
        self.phase = Some((phase, Instant::now()));
    }

    /// The phase that is going on ends now. Phases that come again, as after a redirect, add up.
    pub(super) fn end(&mut self) {
        self.end_at(Instant::now());
    }

    /// The phase that is going on ended at `end`, and the next one of the same work begins there.
    pub(super) fn end_at(&mut self, end: Instant) {
        let Some((phase, start)) = self.phase.take() else { return };
        let took = end.saturating_duration_since(start);
        match self.phases.iter_mut().find(|(known, _)| *known == phase) {
            Some((_, sum)) => *sum += took,
            None => self.phases.push((phase, took)),
        }
    }

    /// A phase begins that is counted from `start`.
    pub(super) fn begin_at(&mut self, phase: Phase, doing: &'static str, start: Instant) {
        self.doing(doing);
        self.phase = Some((phase, start));
    }

    /// What is being done, outside of phases.
    pub(super) fn doing(&mut self, doing: impl Into<Cow<'static, str>>) {
        self.doing = doing.into();
        self.ours = false;
    }

    /// It is waited for something on our side: to run out of time now says nothing about the target.
    pub(super) fn waiting(&mut self, doing: &'static str) {
        self.doing(doing);
        self.ours = true;
    }

    pub(super) fn step(&mut self, text: impl Into<String>) {
        self.steps.push(Step { at: self.elapsed(), text: text.into() });
    }

    /// Sets a value; one that is there is replaced, as by the answer after a redirect.
    pub(super) fn value(&mut self, name: &str, value: Value) {
        match self.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name.to_owned(), value)),
        }
    }

    pub(super) fn remark(&mut self, name: &'static str, why: String) {
        self.remarks.push((name, why));
    }

    pub(super) fn timed_out(&mut self, timeout: Duration) -> Failure {
        self.end();
        let heard = match self.heard.as_slice() {
            [] => String::new(),
            heard => format!(", heard {}", shown(heard)),
        };
        let cause = format!("no result after {} while {}{heard}", short_duration(timeout), self.doing);
        if self.ours { Failure::unknown(cause) } else { Failure::critical(cause) }
    }

    /// The values for good: texts that are longer than a line are cut.
    pub(super) fn short_values(&mut self) -> Vec<(String, Value)> {
        for (_, value) in &mut self.values {
            if let Value::Text(text) = value
                && let Some((end, _)) = text.char_indices().nth(TEXT_MAX)
            {
                text.truncate(end);
                text.push('…');
                text.shrink_to_fit();
            }
        }
        std::mem::take(&mut self.values)
    }

    /// Turns phases into values; a look ends with it.
    pub(super) fn close(&mut self) -> Vec<(Phase, Duration)> {
        self.end();
        for (phase, took) in self.phases.clone() {
            let name = match phase {
                Phase::Dns => "dns",
                Phase::Connect => "connect",
                Phase::Tls => "tls",
                Phase::FirstByte => "first_byte",
                Phase::Transfer => "transfer",
            };
            self.value(name, Value::Duration(took));
        }
        std::mem::take(&mut self.phases)
    }
}

/// What conditions are asked about: the values, and the answer in text and as JSON.
pub(super) struct Facts<'a> {
    record: &'a Record,
    body: OnceCell<Value>,
    json: OnceCell<Option<serde_json::Value>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(record: &'a Record) -> Self {
        Self { record, body: OnceCell::new(), json: OnceCell::new() }
    }
}

impl Facts<'_> {
    /// One reason of a condition, with what is known about it.
    pub(super) fn explain(&self, reason: String) -> String {
        let of = |(name, _): &&(&str, String)| reason.trim_start_matches("not ").starts_with(name);
        match self.record.remarks.iter().find(of) {
            Some((_, why)) => format!("{reason} ({why})"),
            None if reason.contains("json(") && self.json.get().is_some_and(Option::is_none) => {
                format!("{reason} (the body is not JSON)")
            }
            None => reason,
        }
    }
}

impl Values for Facts<'_> {
    fn value(&self, name: &str) -> Cow<'_, Value> {
        match &self.record.body {
            Some(body) if name == "body" => {
                Cow::Borrowed(self.body.get_or_init(|| Value::Text(String::from_utf8_lossy(body).into_owned())))
            }
            _ => self.record.values.as_slice().value(name),
        }
    }

    /// `header` and `json`. A header that is there several times is joined by commas (RFC 9110, 5.3).
    fn call(&self, _function: &str, argument: &Argument) -> Cow<'_, Value> {
        Cow::Owned(match argument {
            Argument::Name(name) => {
                let found: Vec<_> = self.record.headers.get_all(name).iter().collect();
                if found.is_empty() {
                    Value::Missing
                } else {
                    let texts: Vec<_> = found.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
                    Value::Text(texts.join(", "))
                }
            }
            Argument::Path(path) => {
                let read = || self.record.body.as_ref().and_then(|body| serde_json::from_slice(body).ok());
                let document = self.json.get_or_init(read).as_ref();
                document.and_then(|document| path.find(document)).map_or(Value::Missing, json_value)
            }
        })
    }
}
