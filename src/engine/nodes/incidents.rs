//! What is wrong on any node, and of which of it this node may have to tell. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::federation::{TOO_OLD, Telling};
use crate::model::NodeName;
use crate::protocol::REMOTE_STATES;

use super::remotes::ToldBody;

/// An incident, as an entry of a log says it.
#[derive(Debug, Clone)]
pub(super) struct Incident<'a> {
    /// On which node.
    pub node: &'a NodeName,
    /// The check it is about.
    pub subject: &'a str,
    /// Since when.
    pub since: Timestamp,
    /// Whether several nodes look at the same: then all of them have one incident.
    pub common: bool,
}

/// On which node, and about which check; no node where several look at the same.
type Place = (Option<NodeName>, String);

/// Something that is wrong now.
#[derive(Debug)]
struct Open {
    /// By what the telling knows it.
    name: String,
    /// What is said of it when it is told: the first entry about it.
    told: ToldBody,
    /// On which nodes it is.
    on: BTreeMap<NodeName, Timestamp>,
}

/// The incidents there are.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    telling: Telling,
    open: BTreeMap<Place, Open>,
}

impl Incidents {
    /// An entry of `age` says that something is wrong; where nobody knows its age, this node tells nobody. This node is the `place`-th that tells of it; `is_current` says
    /// which nodes are.
    pub(super) fn begins(
        &mut self,
        incident: &Incident<'_>,
        place: usize,
        age: Option<Duration>,
        now: Duration,
        is_current: impl Fn(&NodeName) -> bool,
    ) {
        let Incident { node, subject, since, common } = *incident;
        let at = place_of(node, subject, common);
        let mut known = self.open.remove(&at);
        if let Some(open) = &mut known {
            // What a node said that is gone by now goes on nowhere.
            open.on.retain(|on, _| on == node || is_current(on));
            if open.on.is_empty() || (!common && !open.on.values().any(|known| *known == since)) {
                self.telling.settled(&open.name);
                known = None;
            }
        }
        if known.is_none() && self.is_full(&at) {
            return;
        }
        let open = known.unwrap_or_else(|| {
            let name = name(node, subject, since);
            if let Some(age) = age {
                self.telling.begins(&name, place, age, now);
            }
            Open { name, told: ToldBody { node: node.clone(), since, common }, on: BTreeMap::new() }
        });
        self.open.entry(at).or_insert(open).on.insert(node.clone(), since);
    }

    /// Whether nothing more is told of beside what is wrong at that place: 1,000 of one node, and as many of several.
    fn is_full(&self, at: &Place) -> bool {
        let same = self.open.range((at.0.clone(), String::new())..).take_while(|(place, _)| place.0 == at.0);
        same.count() >= REMOTE_STATES
    }

    /// Nothing that `node` said is wrong counts any more: it is not known, not believed, or says it anew.
    pub(super) fn forget(&mut self, node: &NodeName) {
        let Self { telling, open } = self;
        open.retain(|_, open| {
            let was_there = open.on.remove(node).is_some();
            let stays = !was_there || !open.on.is_empty();
            if !stays {
                telling.dropped(&open.name);
            }
            stays
        });
    }

    /// It is over on `node`. Where this is `here`, and the incident is common, it is over for all: they judge alike.
    pub(super) fn ends(&mut self, node: &NodeName, subject: &str, here: bool) {
        for common in [false, true] {
            let at = place_of(node, subject, common);
            let Some(open) = self.open.get_mut(&at) else { continue };
            if open.on.remove(node).is_none() && common {
                continue;
            }
            if open.on.is_empty() || here {
                self.telling.settled(&open.name);
                self.open.remove(&at);
            }
        }
    }

    /// Somebody told of it.
    pub(super) fn told(&mut self, subject: &str, told: &ToldBody) {
        self.telling.settled(&name(&told.node, subject, told.since));
        let near = |open: &&Open| told.since.duration_since(open.told.since).abs() < too_old();
        let common = self.open.get(&(None, subject.to_owned())).filter(|_| told.common).filter(near);
        if let Some(open) = common {
            self.telling.settled(&open.name);
        }
    }

    /// What this node took to tell of could not be written down.
    pub(super) fn again(&mut self, now: Duration) {
        self.telling.again(now);
    }

    /// What this node has to tell of now: which check, and what the entry says.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<(String, ToldBody)> {
        let due = self.telling.take_due(now);
        let open = self.open.iter().filter(|(_, open)| due.contains(&open.name));
        open.map(|((_, subject), open)| (subject.clone(), open.told.clone())).collect()
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.telling.next_due()
    }
}

/// By what all nodes choose who tells of an incident.
pub(super) fn chosen_by(node: &NodeName, subject: &str, common: bool) -> String {
    if common { subject.to_owned() } else { format!("{node} {subject}") }
}

fn place_of(node: &NodeName, subject: &str, common: bool) -> Place {
    ((!common).then(|| node.clone()), subject.to_owned())
}

/// The name of an incident, the same on every node.
fn name(node: &NodeName, subject: &str, since: Timestamp) -> String {
    format!("{node} {subject} {since}")
}

fn too_old() -> SignedDuration {
    SignedDuration::try_from(TOO_OLD).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn hub(number: u32) -> NodeName {
        format!("hub-{number}").parse().expect("a name")
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// It begins on a node, this node being the `place`-th that tells, while all are current but `gone`.
    fn begins(incidents: &mut Incidents, node: u32, second: i64, place: usize, gone: Option<u32>) {
        let (node, gone) = (hub(node), gone.map(hub));
        let incident = Incident { node: &node, subject: "web", since: at(second), common: true };
        let now = seconds(second.unsigned_abs());
        incidents.begins(&incident, place, Some(seconds(0)), now, |node| gone.as_ref() != Some(node));
    }

    fn due(incidents: &mut Incidents, now: u64) -> Vec<String> {
        let due = incidents.take_due(seconds(now));
        due.into_iter().map(|(subject, told)| format!("{subject} {}", told.node)).collect()
    }

    #[test]
    fn what_several_see_is_one_incident() {
        let mut incidents = Incidents::default();
        begins(&mut incidents, 1, 1, 0, None);
        assert_eq!(due(&mut incidents, 1), ["web hub-1"]);
        begins(&mut incidents, 2, 2, 0, None);
        assert!(due(&mut incidents, 99).is_empty());
        // It ends there first, and goes on here; then it is over, and the next one is another.
        incidents.ends(&hub(2), "web", false);
        begins(&mut incidents, 2, 30, 0, None);
        assert!(due(&mut incidents, 99).is_empty());
        incidents.ends(&hub(1), "web", true);
        begins(&mut incidents, 2, 40, 0, None);
        assert_eq!(due(&mut incidents, 99), ["web hub-2"]);
    }

    #[test]
    fn who_told_of_it_as_another_node_s_told_of_all() {
        let mut incidents = Incidents::default();
        begins(&mut incidents, 1, 1, 1, None);
        incidents.told("web", &ToldBody { node: hub(2), since: at(2), common: true });
        assert!(due(&mut incidents, 99).is_empty());
        // Who told of one long ago, as a log says that comes late, did not tell of this one.
        incidents.ends(&hub(1), "web", true);
        begins(&mut incidents, 1, 5_000, 1, None);
        incidents.told("web", &ToldBody { node: hub(2), since: at(3), common: true });
        assert_eq!(due(&mut incidents, 5_010), ["web hub-1"]);
    }

    #[test]
    fn an_incident_on_a_node_that_is_gone_holds_nothing_open() {
        let mut incidents = Incidents::default();
        begins(&mut incidents, 2, 1, 0, None);
        assert_eq!(due(&mut incidents, 1), ["web hub-2"]);
        begins(&mut incidents, 1, 300, 0, Some(2));
        assert_eq!(due(&mut incidents, 300), ["web hub-1"], "had it been the same, it would have begun here, too");
    }

    #[test]
    fn an_incident_of_one_node_is_its_own() {
        let mut incidents = Incidents::default();
        for (node, second) in [(1, 1), (2, 1), (1, 5)] {
            let node = hub(node);
            let incident = Incident { node: &node, subject: "disk", since: at(second), common: false };
            incidents.begins(&incident, 0, Some(seconds(0)), seconds(5), |_| true);
        }
        let due = incidents.take_due(seconds(5));
        let told: Vec<_> = due.iter().map(|(_, told)| (told.node.as_str(), told.since)).collect();
        assert_eq!(told, [("hub-1", at(5)), ("hub-2", at(1))], "of the first of hub-1 nobody has to be told any more");
    }
}
