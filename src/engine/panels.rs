//! The state and counts of every channel, kept up to date without asking the store again.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{ChannelId, ChannelPanel, ChannelState, Event, MessageRow, Rejection, TaskState, TaskStatus};
use crate::store::{ChannelCounts, Unread};

use super::doors::listener_task;

struct Panel {
    shown: ChannelPanel,
    /// Names of the tasks that listen for it.
    listeners: Vec<String>,
    /// Events by second, the last minute of them.
    arrivals: VecDeque<(i64, u64)>,
}

impl Panel {
    fn counts(&self) -> ChannelCounts {
        let ChannelPanel { events, unread_vip, unread, last_event, .. } = self.shown;
        ChannelCounts { events, unread_vip, unread, last_event }
    }
}

/// A channel is down when one of its listeners is.
fn state(listening: &HashMap<String, TaskState>, listeners: &[String]) -> ChannelState {
    let states: Vec<Option<TaskState>> = listeners.iter().map(|name| listening.get(name).copied()).collect();
    if states.iter().all(|state| *state == Some(TaskState::Running)) {
        ChannelState::Listening
    } else if states.iter().any(|state| matches!(state, Some(TaskState::Waiting | TaskState::Stopped))) {
        ChannelState::Down
    } else {
        ChannelState::Unknown
    }
}

/// All panels, and which of them have changed since they were last published.
pub(super) struct Panels {
    panels: BTreeMap<ChannelId, Panel>,
    listening: HashMap<String, TaskState>,
    changed: BTreeSet<ChannelId>,
}

impl Panels {
    pub(super) fn new(config: &Config, counts: &HashMap<ChannelId, ChannelCounts>) -> Self {
        let mut panels = Self { panels: BTreeMap::new(), listening: HashMap::new(), changed: BTreeSet::new() };
        panels.configure(config, counts);
        panels
    }

    /// Shows the channels of `config` from now on. Those that were shown keep what is known of them; `counts` replaces their
    /// counts where it has any.
    pub(super) fn configure(&mut self, config: &Config, counts: &HashMap<ChannelId, ChannelCounts>) {
        let mut known = std::mem::take(&mut self.panels);
        self.panels = config
            .channels
            .values()
            .map(|channel| {
                let doors = channel.doors(config.ingress);
                let listeners: Vec<String> = doors.iter().map(|(address, _)| listener_task(*address)).collect();
                let before = known.remove(&channel.id);
                let counted = counts.get(&channel.id).cloned();
                let counted = counted.or_else(|| before.as_ref().map(Panel::counts)).unwrap_or_default();
                let (rejected, last_error, per_minute, arrivals) = before.map_or_else(Default::default, |panel| {
                    (panel.shown.rejected, panel.shown.last_error, panel.shown.per_minute, panel.arrivals)
                });
                let shown = ChannelPanel {
                    id: channel.id.clone(),
                    provider: channel.provider,
                    state: state(&self.listening, &listeners),
                    urls: doors.iter().map(|(address, path)| config.url(*address, path)).collect(),
                    events: counted.events,
                    unread_vip: counted.unread_vip,
                    unread: counted.unread,
                    per_minute,
                    last_event: counted.last_event,
                    rejected,
                    last_error,
                };
                (channel.id.clone(), Panel { shown, listeners, arrivals })
            })
            .collect();
    }

    pub(super) fn all(&self) -> Vec<ChannelPanel> {
        self.panels.values().map(|panel| panel.shown.clone()).collect()
    }

    /// The panels that have changed since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<ChannelPanel> {
        let changed = std::mem::take(&mut self.changed);
        changed.iter().filter_map(|id| self.panels.get(id)).map(|panel| panel.shown.clone()).collect()
    }

    fn change(&mut self, id: &ChannelId, change: impl FnOnce(&mut Panel)) {
        if let Some(panel) = self.panels.get_mut(id) {
            let before = panel.shown.clone();
            change(panel);
            if panel.shown != before {
                self.changed.insert(id.clone());
            }
        }
    }

    /// Counts projected events and the new messages among them.
    pub(super) fn arrived(&mut self, events: &[Event], rows: &[MessageRow], now: Timestamp) {
        for event in events {
            self.change(&event.channel, |panel| {
                panel.shown.events += 1;
                panel.shown.last_event = Some(event.received);
                match panel.arrivals.back_mut() {
                    Some((second, count)) if *second == now.as_second() => *count += 1,
                    _ => panel.arrivals.push_back((now.as_second(), 1)),
                }
                panel.shown.per_minute += 1;
            });
        }
        for row in rows {
            self.change(&row.channel, |panel| {
                let count = if row.vip { &mut panel.shown.unread_vip } else { &mut panel.shown.unread };
                *count += 1;
            });
        }
    }

    pub(super) fn unread_changed(&mut self, unread: &Unread) {
        for (id, (vips, others)) in unread {
            self.change(id, |panel| {
                panel.shown.unread_vip = panel.shown.unread_vip.saturating_add_signed(*vips);
                panel.shown.unread = panel.shown.unread.saturating_add_signed(*others);
            });
        }
    }

    pub(super) fn rejected(&mut self, rejection: &Rejection) {
        let Some(id) = rejection.channel.as_ref().and_then(|id| id.parse::<ChannelId>().ok()) else { return };
        self.change(&id, |panel| {
            panel.shown.rejected += rejection.count;
            panel.shown.last_error = Some((rejection.last, format!("{}: {}", rejection.reason, rejection.detail)));
        });
    }

    /// Takes in the state of a task; that of a listener is the state of its channels. Its trouble is its
    /// own: it is about none of them.
    pub(super) fn task_changed(&mut self, task: &TaskStatus, now: Timestamp) {
        self.listening.insert(task.name.clone(), task.state);
        let affected: Vec<ChannelId> = self
            .panels
            .values()
            .filter(|panel| panel.listeners.contains(&task.name))
            .map(|panel| panel.shown.id.clone())
            .collect();
        for id in affected {
            let listening = state(&self.listening, &self.panels[&id].listeners);
            self.change(&id, |panel| {
                panel.shown.state = listening;
                let ended = task.last_error.as_ref().filter(|_| task.state == TaskState::Waiting);
                if let Some(error) = ended {
                    panel.shown.last_error = Some((now, format!("{}: {error}", task.name)));
                }
            });
        }
    }

    /// Forgets a task that has ended for good.
    pub(super) fn task_gone(&mut self, name: &str) {
        self.listening.remove(name);
    }

    /// Whether arrivals are counted that will be too old.
    pub(super) fn are_counting(&self) -> bool {
        self.panels.values().any(|panel| !panel.arrivals.is_empty())
    }

    /// Forgets arrivals older than a minute, and those that lie ahead since the clock was set back.
    pub(super) fn tick(&mut self, now: Timestamp) {
        let ids: Vec<ChannelId> = self.panels.keys().cloned().collect();
        for id in ids {
            self.change(&id, |panel| {
                let now = now.as_second();
                panel.arrivals.retain(|(second, _)| (now - 59..=now + 1).contains(second));
                panel.shown.per_minute = panel.arrivals.iter().map(|(_, count)| count).sum();
            });
        }
    }
}

impl std::fmt::Debug for Panels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.panels.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::config;
    use crate::model::{Assurance, EventState};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("in range")
    }

    fn event(received: i64) -> Event {
        Event {
            seq: 1,
            id: crate::model::EventId::from_uuid(uuid::Uuid::nil()),
            channel: "github".parse().expect("an id"),
            kind: "note".into(),
            time: at(received),
            received: at(received),
            subject: None,
            dedupe_key: "k".into(),
            assurance: Assurance::Body,
            state: EventState::Projected,
            cause: None,
        }
    }

    #[test]
    fn a_clock_that_is_set_leaves_the_rate_right() {
        let config = config::parse("", None).expect("defaults");
        for step in [-3_600, 3_600] {
            let mut panels = Panels::new(&config, &HashMap::new());
            let github = |panels: &Panels| {
                panels.all().into_iter().find(|panel| panel.id.as_str() == "github").expect("a panel")
            };
            panels.arrived(&[event(0), event(0)], &[], at(0));
            panels.tick(at(1));
            assert_eq!(github(&panels).per_minute, 2);
            panels.arrived(&[event(step)], &[], at(step));
            panels.tick(at(step + 1));
            assert_eq!(github(&panels).per_minute, 1, "{step}");
            assert_eq!(github(&panels).last_event, Some(at(step)), "{step}");
            panels.tick(at(step + 60));
            assert_eq!(github(&panels).per_minute, 0, "{step}");
        }
    }

    #[test]
    fn a_channel_that_stays_keeps_its_counts_and_takes_new_ones() {
        let config = config::parse("", None).expect("defaults");
        let mut panels = Panels::new(&config, &HashMap::new());
        panels.arrived(&[event(0)], &[], at(0));
        let github = |panels: &Panels| panels.all().into_iter().find(|panel| panel.id.as_str() == "github");
        panels.configure(&config, &HashMap::new());
        let panel = github(&panels).expect("a panel");
        assert_eq!((panel.events, panel.per_minute), (1, 1));
        let counts = ChannelCounts { events: 7, ..ChannelCounts::default() };
        panels.configure(&config, &HashMap::from([(panel.id, counts)]));
        assert_eq!(github(&panels).expect("a panel").events, 7);
        let other = "[channels.x]\nprovider = \"github\"\nsecrets = [\"env:X\"]\n";
        panels.configure(&config::parse(other, None).expect("a configuration"), &HashMap::new());
        assert_eq!(panels.all().len(), 1);
        assert!(github(&panels).is_none());
    }
}
