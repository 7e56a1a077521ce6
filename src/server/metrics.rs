//! The engine's numbers as `OpenMetrics` text, which Prometheus reads.

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::model::{ChannelState, TaskState};
use crate::protocol::Figures;

/// The media type of the text.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
    fn gauges<'v, const N: usize>(
        &self,
        encoder: &mut DescriptorEncoder,
        values: impl Iterator<Item = ([(&'static str, &'v str); N], i64)>,
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

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Written {
        let Figures { version, started, channels, refused, dead_letters, clients, tasks, store } = &self.0;
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

    #[test]
    fn the_text_is_stable() {
        let started = Timestamp::from_second(1_700_000_000).expect("in range");
        let figures = Figures {
            version: "0.1.0".into(),
            started,
            channels: vec![ChannelPanel {
                id: "mail".parse().expect("an id"),
                provider: ProviderKind::Standard,
                state: ChannelState::Listening,
                urls: Vec::new(),
                events: 7,
                unread_vip: 1,
                unread: 2,
                per_minute: 0,
                last_event: None,
                rejected: 0,
                last_error: None,
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
            store: StoreFigures {
                recorded: 9,
                waiting: 5,
                commits: vec![(Some(Duration::from_millis(1)), 6), (None, 2)],
                committing: Duration::from_millis(1_500),
            },
        };
        insta::assert_snapshot!(render(figures).expect("text"));
    }
}
