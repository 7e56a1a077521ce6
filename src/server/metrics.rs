//! The engine's numbers as `OpenMetrics` text, which Prometheus reads.

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::model::{ChannelState, CheckState, TaskState};
use crate::protocol::{CheckFigures, Figures, LookFigures};

/// The media type of the text.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Checks that have series of their own, the first by id, so that series do not come and go. 10,000 checks are allowed, and
/// each would be four series; all of them are in `aurora_checks`, which counts by state, and on `/api/health`.
const CHECKS: usize = 2_000;

/// The text of `figures`.
pub(super) fn render(figures: Figures) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("aurora");
    registry.register_collector(Box::new(Numbers(figures)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Numbers(Figures);

/// What one number is called and means.
struct Name(&'static str, &'static str);

type Written = Result<(), std::fmt::Error>;

impl Name {
    fn open<'a>(
        &self,
        encoder: &'a mut DescriptorEncoder,
        kind: MetricType,
    ) -> Result<MetricEncoder<'a>, std::fmt::Error> {
        encoder.encode_descriptor(self.0, self.1, None, kind)
    }

    fn gauge(&self, encoder: &mut DescriptorEncoder, value: i64) -> Written {
        self.open(encoder, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counter(&self, encoder: &mut DescriptorEncoder, value: u64) -> Written {
        self.open(encoder, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A gauge a label.
    fn gauges<'v, const N: usize, V: EncodeGaugeValue>(
        &self,
        encoder: &mut DescriptorEncoder,
        values: impl Iterator<Item = ([(&'static str, &'v str); N], V)>,
    ) -> Written {
        let mut metric = self.open(encoder, MetricType::Gauge)?;
        for (labels, value) in values {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// A counter a label.
    fn counters<'v, const N: usize>(
        &self,
        encoder: &mut DescriptorEncoder,
        values: impl Iterator<Item = ([(&'static str, &'v str); N], u64)>,
    ) -> Written {
        let mut metric = self.open(encoder, MetricType::Counter)?;
        for (labels, value) in values {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }
}

/// What is counted fits: nobody has 2^63 of anything.
fn whole(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The number of a state; they stay as they are when a state is added.
fn number(state: CheckState) -> i64 {
    match state {
        CheckState::Ok => 0,
        CheckState::Unknown => 1,
        CheckState::Stale => 2,
        CheckState::Warn => 3,
        CheckState::Critical => 4,
    }
}

fn label(check: &CheckFigures) -> [(&'static str, &str); 1] {
    [("check", check.id.as_str())]
}

fn encode_checks(to: &mut DescriptorEncoder, checks: &[CheckFigures]) -> Written {
    let counts = CheckState::tally(checks.iter().map(|check| check.state));
    Name("checks", "Checks that are enabled, by state")
        .gauges(to, counts.iter().map(|(state, count)| ([("state", state.as_str())], whole(*count))))?;
    let listed = &checks[..checks.len().min(CHECKS)];
    Name("checks_unlisted", "Checks that are counted by state only, for there are too many")
        .gauge(to, whole(checks.len() - listed.len()))?;
    Name("check_up", "Whether a check is neither critical nor stale")
        .gauges(to, listed.iter().map(|check| (label(check), i64::from(check.state.is_up()))))?;
    Name("check_state", "How a check stands: 0 ok, 1 unknown, 2 stale, 3 warn, 4 critical")
        .gauges(to, listed.iter().map(|check| (label(check), number(check.state))))?;
    let latencies = listed.iter().filter_map(|check| Some((label(check), check.latency?.as_secs_f64())));
    Name("check_latency_seconds", "How long the last look took").gauges(to, latencies)?;
    let uptimes = listed.iter().filter_map(|check| Some((label(check), check.uptime_24h? / 100.0)));
    Name("check_uptime_ratio", "Known results of the last 24 hours that were not critical").gauges(to, uptimes)
}

fn encode_looks(to: &mut DescriptorEncoder, looks: &LookFigures) -> Written {
    Name("check_looks", "Looks at checks since the engine started").counter(to, looks.begun)?;
    Name("check_looks_skipped", "Planned looks that nobody took").counter(to, looks.skipped)?;
    let lag: Vec<(String, f64)> =
        looks.lag.iter().map(|(percent, lag)| ((percent / 100.0).to_string(), lag.as_secs_f64())).collect();
    Name("check_lag_seconds", "How much later than planned looks began, since the engine started")
        .gauges(to, lag.iter().map(|(quantile, lag)| ([("quantile", quantile.as_str())], *lag)))
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Written {
        let Figures { version, started, channels, refused, dead_letters, clients, tasks, checks, looks, store } =
            &self.0;
        let to = &mut encoder;
        Name("build", "The version that runs")
            .open(to, MetricType::Info)?
            .encode_info(&[("version", version.as_str())])?;
        Name("start_time_seconds", "When the engine started").gauge(to, Timestamp::as_second(*started))?;
        let by_channel = |of: fn(&crate::model::ChannelPanel) -> u64| {
            channels.iter().map(move |channel| ([("channel", channel.id.as_str())], of(channel)))
        };
        Name("events", "Events acknowledged since the state directory was made")
            .counters(to, by_channel(|channel| channel.events))?;
        Name("channel_listening", "Whether a channel can take deliveries").gauges(
            to,
            by_channel(|channel| u64::from(channel.state == ChannelState::Listening))
                .map(|(labels, value)| (labels, whole(value))),
        )?;
        let unread = channels.iter().flat_map(|channel| {
            let id = ("channel", channel.id.as_str());
            [([id, ("vip", "true")], whole(channel.unread_vip)), ([id, ("vip", "false")], whole(channel.unread))]
        });
        Name("messages_unread", "Messages nobody has read").gauges(to, unread)?;
        let refused = refused
            .iter()
            .map(|(channel, reason, count)| ([("channel", channel.as_str()), ("reason", reason.as_str())], *count));
        Name("deliveries_refused", "Deliveries refused since the engine started").counters(to, refused)?;
        Name("dead_letters", "Events that were verified and kept but not understood")
            .gauge(to, whole(*dead_letters))?;
        Name("clients", "Clients that follow").gauge(to, whole(*clients))?;
        let running = |state| i64::from(state == TaskState::Running);
        Name("task_running", "Whether a background task does its work")
            .gauges(to, tasks.iter().map(|task| ([("task", task.name.as_str())], running(task.state))))?;
        Name("task_restarts", "How often a background task was started again")
            .counters(to, tasks.iter().map(|task| ([("task", task.name.as_str())], task.restarts)))?;
        encode_checks(to, checks)?;
        encode_looks(to, looks)?;
        Name("deliveries_recorded", "Deliveries committed since the engine started").counter(to, store.recorded)?;
        Name("store_queue_length", "Deliveries that wait for their commit").gauge(to, whole(store.waiting))?;
        let buckets: Vec<(f64, u64)> = store
            .commits
            .iter()
            .map(|(bound, count)| (bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64()), *count))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Name("store_commit_seconds", "How long commits take")
            .open(to, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(store.committing.as_secs_f64(), count, &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::model::{ChannelPanel, ProviderKind, TaskStatus};
    use crate::protocol::StoreFigures;

    use super::*;

    fn check(id: &str, state: CheckState) -> CheckFigures {
        let latency = (state != CheckState::Unknown).then_some(Duration::from_millis(12));
        CheckFigures { id: id.parse().expect("an id"), state, latency, uptime_24h: latency.map(|_| 99.5) }
    }

    fn figures() -> Figures {
        let started = Timestamp::from_second(1_700_000_000).expect("in range");
        Figures {
            version: "0.1.0".into(),
            started,
            channels: vec![ChannelPanel {
                events: 7,
                unread_vip: 1,
                unread: 2,
                ..ChannelPanel::sample("mail", ProviderKind::Standard)
            }],
            refused: vec![(String::new(), "unknown-path".into(), 3), ("mail".into(), "signature".into(), 4)],
            dead_letters: 1,
            clients: 2,
            tasks: vec![TaskStatus {
                name: "projector".into(),
                state: TaskState::Running,
                since: started,
                restarts: 1,
                last_error: None,
                next_try: None,
                trouble: None,
            }],
            checks: vec![check("db", CheckState::Unknown), check("web", CheckState::Critical)],
            looks: LookFigures {
                begun: 11,
                skipped: 1,
                lag: vec![(50.0, Duration::from_millis(1)), (99.0, Duration::from_millis(20))],
            },
            store: StoreFigures {
                recorded: 9,
                waiting: 5,
                commits: vec![(Some(Duration::from_millis(1)), 6), (None, 2)],
                committing: Duration::from_millis(1_500),
            },
        }
    }

    #[test]
    fn the_text_is_stable() {
        insta::assert_snapshot!(render(figures()).expect("text"));
    }

    #[test]
    fn too_many_checks_are_counted_and_not_listed() {
        let checks = (0..CHECKS + 3).map(|n| check(&format!("c{n:05}"), CheckState::Critical)).collect();
        let text = render(Figures { checks, ..figures() }).expect("text");
        assert_eq!(text.lines().filter(|line| line.starts_with("aurora_check_up{")).count(), CHECKS);
        assert!(
            text.contains("aurora_checks_unlisted 3\n") && text.contains("aurora_checks{state=\"critical\"} 2003\n")
        );
    }
}
