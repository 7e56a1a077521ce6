//! One host: its roads, which of them may carry what, and what its agent says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{AgentCard, Class, HostName, HostPanel, LayerKind, LayerPanel, LayerState, SpoolId, rules};

use super::HostSpec;
use super::clock::back;
use super::road::{Road, apart};

/// A clock that differs by more keeps commands that must not run twice off the trigger layer.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(5);
/// A clock that differs by more is wrong: no moment can be named to it.
const SKEW_WRONG: SignedDuration = SignedDuration::from_hours(24);
/// Figures alone (round trips, counts) make a new panel no more often than this.
const FIGURES_EVERY: Duration = Duration::from_secs(5);

/// What a road has to fulfil to carry something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fare {
    /// Only this one.
    pub(super) only: Option<LayerKind>,
    /// None weaker than this.
    pub(super) weakest: Option<LayerKind>,
    /// What a second run would do; `None` for questions, which change nothing.
    pub(super) class: Option<Class>,
}

/// One host.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) spec: HostSpec,
    roads: Vec<Road>,
    card: Option<AgentCard>,
    /// Its clock less ours.
    skew: Option<SignedDuration>,
    /// Its clock is wrong, in words. The skew is the last one that made sense.
    wrong_clock: Option<String>,
    /// It tells of a term no engine can have, in words.
    pub(super) wrong_term: Option<String>,
    /// Its agent told of no higher term than ours since this engine started.
    pub(super) drove: bool,
    /// It has taken an order of ours in this term.
    pub(super) proved: bool,
    /// How often our term was raised for it since it took an order of ours.
    pub(super) raises: u8,
    /// Another engine has taken it over, in words.
    pub(super) fenced: Option<String>,
    told: Option<(HostPanel, Timestamp)>,
    /// Probes that are on their way: when they were sent, by nonce.
    probes: BTreeMap<u64, Timestamp>,
}

/// Probes that are remembered until they are answered.
const PROBES: usize = 64;

impl Host {
    pub(super) fn new(spec: HostSpec, now: Timestamp) -> Self {
        let roads = spec.layers.iter().map(|kind| Road::new(*kind, now)).collect();
        Self {
            spec,
            roads,
            card: None,
            skew: None,
            wrong_clock: None,
            wrong_term: None,
            drove: false,
            proved: false,
            raises: 0,
            fenced: None,
            told: None,
            probes: BTreeMap::new(),
        }
    }

    /// A host that is not in the configuration: there is no road to it.
    pub(super) fn stranger(name: HostName, now: Timestamp) -> Self {
        Self::new(HostSpec { name, labels: Vec::new(), layers: Vec::new(), at_once: 0 }, now)
    }

    /// Our clock was put back; its own was not.
    pub(super) fn clock_back(&mut self, step: SignedDuration) {
        self.roads.iter_mut().for_each(|road| road.clock_back(step));
        self.probes.values_mut().for_each(|sent| back(sent, step));
        self.skew = self.skew.map(|skew| skew.saturating_add(step));
        if let Some((_, at)) = &mut self.told {
            back(at, step);
        }
    }

    /// Takes what the configuration says now; roads that stay keep their health.
    pub(super) fn configure(&mut self, spec: HostSpec, now: Timestamp) {
        let mut known = std::mem::take(&mut self.roads);
        for kind in &spec.layers {
            let place = known.iter().position(|road| road.kind == *kind);
            self.roads.push(place.map_or_else(|| Road::new(*kind, now), |place| known.swap_remove(place)));
        }
        self.spec = spec;
    }

    pub(super) fn name(&self) -> &HostName {
        &self.spec.name
    }

    pub(super) fn road(&self, kind: LayerKind) -> Option<&Road> {
        self.roads.iter().find(|road| road.kind == kind)
    }

    pub(super) fn road_mut(&mut self, kind: LayerKind) -> Option<&mut Road> {
        self.roads.iter_mut().find(|road| road.kind == kind)
    }

    pub(super) fn roads_mut(&mut self) -> impl Iterator<Item = &mut Road> {
        self.roads.iter_mut()
    }

    /// How its roads are, in their order.
    pub(super) fn states(&self) -> impl Iterator<Item = (LayerKind, LayerState)> {
        self.roads.iter().map(|road| (road.kind, road.state.clone()))
    }

    /// When a road has to be asked so that it can prove itself.
    pub(super) fn probe_at(&self) -> Option<Timestamp> {
        self.roads.iter().filter_map(Road::probe_at).min()
    }

    /// The roads that have to be asked now.
    pub(super) fn unproven(&self, now: Timestamp) -> Vec<LayerKind> {
        let due = |road: &&Road| road.probe_at().is_some_and(|at| at <= now);
        self.roads.iter().filter(due).map(|road| road.kind).collect()
    }

    fn kinds(&self) -> impl Iterator<Item = LayerKind> {
        self.roads.iter().map(|road| road.kind)
    }

    /// Why nothing at all may be said to this host. Somebody else answered in its place on a road that proves who
    /// answers; that no weaker road may make up for. Files prove nobody, so a foreign directory bars only itself.
    pub(super) fn barred(&self) -> Option<String> {
        let barred = |road: &&Road| road.state == LayerState::Barred && road.kind != LayerKind::Trigger;
        self.roads.iter().find(barred).map(Road::line)
    }

    /// The rule that keeps everything new from this host, and why.
    pub(super) fn closed(&self) -> Option<(&'static str, String)> {
        let fenced = || self.fenced.clone().map(|why| (rules::FENCED, why));
        let term = || self.wrong_term.clone().map(|why| ("term", why));
        self.barred().map(|why| ("barred", why)).or_else(term).or_else(fenced)
    }

    /// Whether what is said over a road about a job that wants no weaker one than `weakest` counts.
    pub(super) fn may_speak(&self, kind: LayerKind, weakest: Option<LayerKind>) -> bool {
        let own = |road: &Road| road.spool.is_none() || road.spool == self.spool();
        self.barred().is_none()
            && weakest.is_none_or(|weakest| kind <= weakest)
            && self.road(kind).is_some_and(|road| own(road) && road.state != LayerState::Barred)
    }

    /// This engine orders in another term now. Says whose host it is, when nothing keeps it from ordering any more.
    pub(super) fn new_term(&mut self) -> Option<HostName> {
        (self.proved, self.drove) = (false, false);
        self.fenced.take().map(|_| self.spec.name.clone())
    }

    /// The journal at the other end of a road.
    pub(super) fn set_spool(&mut self, kind: LayerKind, spool: SpoolId) {
        if let Some(road) = self.road_mut(kind) {
            road.spool = Some(spool);
        }
    }

    /// The journal of this host: the one at the end of the first road that told of one.
    pub(super) fn spool(&self) -> Option<SpoolId> {
        self.roads.iter().find_map(|road| road.spool)
    }

    /// The roads that may carry something now, best first: those that are up, then those that prove themselves.
    pub(super) fn open(&self, fare: Fare) -> Vec<LayerKind> {
        // Who is fenced off may still ask how things are.
        let fenced = self.fenced.is_some() || self.wrong_term.is_some();
        if self.barred().is_some() || (fenced && fare.class.is_some()) {
            return Vec::new();
        }
        let of = |state: LayerState| {
            self.roads.iter().filter(move |road| road.state == state && self.fits(road, fare)).map(|road| road.kind)
        };
        of(LayerState::Up).chain(of(LayerState::Proving)).collect()
    }

    fn fits(&self, road: &Road, fare: Fare) -> bool {
        permits(fare, road.kind)
            && (road.spool.is_none() || road.spool == self.spool())
            && (road.kind != LayerKind::Trigger
                || fare.class != Some(Class::AtMostOnce)
                || self.skew.is_none_or(|skew| skew.abs() <= SKEW_MAX))
    }

    /// Why no road is configured that may ever carry this, if so.
    pub(super) fn never(&self, fare: Fare) -> Option<String> {
        if fare.only == Some(LayerKind::Manual) || self.kinds().any(|kind| permits(fare, kind)) {
            return None;
        }
        let kinds: Vec<&str> = self.kinds().map(LayerKind::as_str).collect();
        let wanted = match (fare.only, fare.weakest) {
            (Some(only), _) => format!("only `{only}` was asked for"),
            (None, Some(weakest)) => format!("the command wants `{weakest}` or stronger"),
            (None, None) => "no layer is configured".to_owned(),
        };
        Some(format!("{wanted}, and {} has: {}", self.name(), kinds.join(", ")))
    }

    /// Why no road is open, a line of all of them.
    pub(super) fn silence(&self) -> String {
        if let Some(why) = self.wrong_term.as_ref().or(self.fenced.as_ref()).or(self.wrong_clock.as_ref()) {
            return why.clone();
        }
        let lines: Vec<String> = self.roads.iter().map(Road::line).collect();
        format!("no road to {} answers ({}); it can be run by hand", self.name(), lines.join("; "))
    }

    /// A moment of our clock as its own clock shows it, by what it last said.
    pub(super) fn to_host(&self, at: Timestamp) -> Timestamp {
        at.saturating_add(self.skew.unwrap_or_default()).unwrap_or(at)
    }

    /// A moment of its own clock as ours shows it, by what it last said.
    pub(super) fn to_us(&self, at: Timestamp) -> Timestamp {
        at.saturating_sub(self.skew.unwrap_or_default()).unwrap_or(at)
    }

    /// Whether one of its roads is tried for the first time, so that nobody knows yet whether it can be reached.
    pub(super) fn is_untried(&self) -> bool {
        self.roads.iter().any(Road::is_untried)
    }

    /// Why nothing new is ordered while its clock is as it is, if so.
    pub(super) fn wrong_clock(&self) -> Option<&str> {
        self.wrong_clock.as_deref()
    }

    /// Takes in what its clock showed just now; half a round trip has passed since.
    pub(super) fn set_clock(&mut self, clock: Timestamp, kind: LayerKind, now: Timestamp) {
        let half = self.road(kind).and_then(Road::rtt).unwrap_or_default() / 2;
        let skew = clock.duration_since(now).saturating_add(SignedDuration::try_from(half).unwrap_or_default());
        if skew.abs() > SKEW_WRONG {
            let why = format!("the clock of {} shows {clock}, more than a day from ours; set it right", self.name());
            self.wrong_clock = Some(why);
            return;
        }
        (self.skew, self.wrong_clock) = (Some(skew), None);
        if let Some(card) = &mut self.card {
            card.skew_ms = i64::try_from(skew.as_millis()).unwrap_or_default();
        }
    }

    /// Takes in what its agent is.
    pub(super) fn set_card(&mut self, version: String, lost: Vec<String>) {
        let load_percent = self.card.as_ref().and_then(|card| card.load_percent);
        self.card = Some(AgentCard { version, lost, skew_ms: 0, load_percent });
    }

    /// Takes in how busy its machine is.
    pub(super) fn set_load(&mut self, load_percent: Option<u32>) {
        if let Some(card) = &mut self.card {
            card.load_percent = load_percent;
        }
    }

    /// A probe of ours is on its way.
    pub(super) fn probe_sent(&mut self, kind: LayerKind, nonce: u64, now: Timestamp) {
        if let Some(road) = self.road_mut(kind) {
            road.probed(now);
        }
        self.probes.insert(nonce, now);
        if self.probes.len() > PROBES {
            self.probes.pop_first();
        }
    }

    /// The round trip of a probe of ours that came back.
    pub(super) fn probe_back(&mut self, nonce: u64, now: Timestamp) -> Option<Duration> {
        self.probes.remove(&nonce).map(|sent| apart(sent, now))
    }

    /// The road that carries orders now.
    pub(super) fn active(&self) -> Option<LayerKind> {
        let fare = Fare { only: None, weakest: None, class: Some(Class::Idempotent) };
        self.open(fare).first().copied().filter(|_| self.wrong_clock.is_none())
    }

    /// How a road is, or what is wrong at its other end.
    fn panel(&self, road: &Road, now: Timestamp) -> LayerPanel {
        let panel = road.panel(now);
        match self.wrong_term.as_ref().or(self.wrong_clock.as_ref()) {
            Some(why) if matches!(panel.state, LayerState::Up | LayerState::Proving) => {
                LayerPanel { state: LayerState::Down, why: why.clone(), ..panel }
            }
            _ => panel,
        }
    }

    /// Its panel, when it differs from the one that was last told: at once when a state did, figures now and then.
    pub(super) fn news(&mut self, running: u32, queued: u32, now: Timestamp) -> Option<HostPanel> {
        let panel = HostPanel {
            name: self.spec.name.clone(),
            labels: self.spec.labels.clone(),
            layers: self.roads.iter().map(|road| self.panel(road, now)).collect(),
            active: self.active(),
            running,
            queued,
            agent: self.card.clone(),
        };
        let due = match &self.told {
            None => true,
            Some((told, at)) if apart(*at, now) < FIGURES_EVERY => differs(told, &panel),
            Some((told, _)) => *told != panel,
        };
        due.then(|| {
            self.told = Some((panel.clone(), now));
            panel
        })
    }
}

/// Whether a kind of road may carry this, whatever its state.
fn permits(fare: Fare, kind: LayerKind) -> bool {
    fare.only.is_none_or(|only| only == kind) && fare.weakest.is_none_or(|weakest| kind <= weakest)
}

/// Whether more than figures has changed.
fn differs(told: &HostPanel, panel: &HostPanel) -> bool {
    let shape = |panel: &HostPanel| {
        let layers: Vec<_> = panel.layers.iter().map(|layer| (layer.kind, layer.state.clone(), layer.since)).collect();
        (panel.labels.clone(), layers, panel.active, panel.running, panel.queued, panel.agent.is_some())
    };
    shape(told) != shape(panel)
}
