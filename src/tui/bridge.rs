//! The bridge as the screen holds it: hosts, the worst first, jobs, panes, and one of any in full.

use crate::model::{
    End, HostName, HostPanel, JobId, JobRow, JobState, LayerKind, LayerPanel, LayerState, NodePanel, Outcome,
    RolloutRow,
};
use crate::protocol::{BridgePanel, NodesPanel};
use crate::screen;

use super::job::OpenJob;
use super::narrow::{Narrowing, Sought};
use super::not_ok::Judged;
use super::pane_open::OpenPane;
use super::pane_tail::PaneTail;
use super::tiles::Tiles;

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BridgeTab {
    /// Hosts and the roads to them.
    #[default]
    Hosts,
    /// Commands that ran, run or wait.
    Jobs,
    /// The panes of all hosts.
    Panes,
    /// Commands on their way over several hosts.
    Rollouts,
}

impl BridgeTab {
    /// Every list, in the order of the tabs.
    pub const ALL: [Self; 4] = [Self::Hosts, Self::Jobs, Self::Panes, Self::Rollouts];

    /// The name on its tab.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hosts => "Hosts",
            Self::Jobs => "Jobs",
            Self::Panes => "Panes",
            Self::Rollouts => "Rollouts",
        }
    }
}

/// What the lists are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground<'a> {
    /// This node.
    pub node: &'a str,
    /// Its hosts and jobs.
    pub here: &'a BridgePanel,
    /// What the others share.
    pub nodes: &'a NodesPanel,
}

/// A job, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed<'a> {
    pub row: &'a JobRow,
    /// The other node it runs at; `None` for one of this node's.
    pub node: Option<&'a NodePanel>,
}

/// Which hosts, jobs or panes are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgeShown {
    /// Which of the lists.
    pub tab: BridgeTab,
    /// Only those with this in what a person would look for, in any case; all when empty.
    pub text: String,
}

/// How well a host can be reached, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// No road leads there.
    Gone,
    /// One of the roads must not be used.
    Barred,
    /// A road leads there, and not the one that is tried first.
    Detour,
    /// Nothing is known yet.
    Waiting,
    /// The road that is tried first is up.
    Up,
}

impl Reach {
    /// How well `panel` can be reached.
    pub(super) fn of(panel: &HostPanel) -> Self {
        let mut roads = panel.layers.iter().filter(|layer| layer.kind != LayerKind::Manual);
        let is_gone = |layer: &LayerPanel| matches!(layer.state, LayerState::Down | LayerState::Barred);
        if roads.clone().all(is_gone) {
            return Self::Gone;
        }
        if roads.clone().any(|layer| layer.state == LayerState::Barred) {
            return Self::Barred;
        }
        match roads.next() {
            Some(first) if panel.active == Some(first.kind) && first.state == LayerState::Up => Self::Up,
            _ if panel.active.is_some() => Self::Detour,
            _ => Self::Waiting,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "no road",
            Self::Barred => "barred",
            Self::Detour => "detour",
            Self::Waiting => "waiting",
            Self::Up => "up",
        }
    }
}

/// The view's state.
#[derive(Debug, Default)]
pub(super) struct Bridge {
    pub tab: BridgeTab,
    /// The selection stays with its host when the order changes.
    host: Option<HostName>,
    /// The same for jobs, and for rollouts, which are called as their first job is.
    job: Option<JobId>,
    /// What a host or a job must have.
    pub filter: Narrowing,
    /// Whether what is ok is left out of the lists.
    pub problems_only: bool,
    pub open: Option<Opened>,
}

/// What is shown in full.
#[derive(Debug)]
pub(super) enum Opened {
    Host(OpenHost),
    Job(Box<OpenJob>),
    Pane(Box<OpenPane>),
    Tiles(Tiles),
    Tail(Box<PaneTail>),
}

/// A host shown in full.
#[derive(Debug)]
pub(super) struct OpenHost {
    pub name: HostName,
    pub scroll: usize,
}

impl Bridge {
    /// The hosts that are shown, the worst first, then by name.
    pub(super) fn hosts<'a>(&self, ground: Ground<'a>) -> Vec<&'a HostPanel> {
        let sought = self.sought(ground);
        let marked =
            |host: &HostPanel, word: &str| host.labels.iter().any(|label| label.as_str().to_lowercase().contains(word));
        let fits = |host: &&HostPanel| {
            self.lists(host) && sought.fits(ground.node, |word| marked(host, word), |text| host_has(host, text))
        };
        let mut shown: Vec<&HostPanel> = ground.here.hosts.iter().filter(fits).collect();
        shown.sort_by(|a, b| Reach::of(a).cmp(&Reach::of(b)).then_with(|| a.name.cmp(&b.name)));
        shown
    }

    /// The jobs that are shown, the newest first, those of other nodes among ours; those with an unknown end stand
    /// before all others.
    pub(super) fn jobs<'a>(&self, ground: Ground<'a>) -> Vec<Listed<'a>> {
        let sought = self.sought(ground);
        let fits = |one: &Listed<'_>| {
            let node = one.node.map_or(ground.node, |node| node.name.as_str());
            self.lists(one) && sought.fits(node, |_| false, |text| job_has(one, text))
        };
        let mut shown: Vec<Listed<'a>> = all_jobs(ground).filter(fits).collect();
        if shown.iter().any(|one| one.node.is_some()) {
            shown.sort_by_key(|one| std::cmp::Reverse(one.row.asked));
        }
        shown.sort_by_key(|one| one.row.state.word() != "unknown");
        shown
    }

    /// The rollouts that are shown: those that are not over first, each newest first.
    pub(super) fn rollouts<'a>(&self, ground: Ground<'a>) -> Vec<&'a RolloutRow> {
        let sought = self.sought(ground);
        let has = |row: &RolloutRow, text: &str| {
            let found = |part: &str| part.to_lowercase().contains(text);
            found(&row.title) || found(row.by.as_str()) || found(&row.told()) || row.id.to_string() == text
        };
        let fits = |row: &&RolloutRow| self.lists(row) && sought.fits(ground.node, |_| false, |text| has(row, text));
        let mut shown: Vec<&RolloutRow> = ground.here.rollouts.iter().filter(fits).collect();
        shown.sort_by_key(|row| row.ended.is_some());
        shown
    }

    /// Whether a row is listed, as far as it is ok or not.
    pub(super) fn lists(&self, row: &impl Judged) -> bool {
        !self.problems_only || row.needs_a_look()
    }

    fn sought(&self, ground: Ground<'_>) -> Sought {
        let nodes = ground.nodes.nodes.iter().map(|node| node.name.as_str());
        self.filter.sought(nodes.chain([ground.node]))
    }

    /// What is listed.
    pub(super) fn listed(&self) -> BridgeShown {
        BridgeShown { tab: self.tab, text: self.filter.text().trim().to_owned() }
    }

    /// Lists this from now on.
    pub(super) fn list(&mut self, shown: &BridgeShown) {
        self.tab = shown.tab;
        self.filter.set(&shown.text);
        self.open = None;
    }

    /// Whether keys go into the filter now.
    pub(super) fn is_filtering(&self) -> bool {
        self.filter.typing && self.open.is_none()
    }

    /// Whether keys go into a field now: the filter, or the search of a pane.
    pub(super) fn is_typing(&self) -> bool {
        match &self.open {
            Some(Opened::Pane(open)) => open.is_typing(),
            _ => self.is_filtering(),
        }
    }

    /// Turns to another list; what was filtered in the one is not in the other.
    pub(super) fn turn(&mut self, forward: bool) {
        let (at, len) = (self.tab as usize, BridgeTab::ALL.len());
        self.tab = BridgeTab::ALL[if forward { at + 1 } else { at + len - 1 } % len];
        self.filter.clear();
    }

    /// The job that is shown in full.
    pub(super) fn open_job(&self) -> Option<&OpenJob> {
        match &self.open {
            Some(Opened::Job(job)) => Some(job),
            _ => None,
        }
    }

    pub(super) fn open_job_mut(&mut self) -> Option<&mut OpenJob> {
        match &mut self.open {
            Some(Opened::Job(job)) => Some(job),
            _ => None,
        }
    }

    /// Where the selection is, and how many rows there are.
    pub(super) fn index(&self, ground: Ground<'_>) -> (usize, usize) {
        match self.tab {
            BridgeTab::Hosts => {
                let shown = self.hosts(ground);
                let at = shown.iter().position(|host| Some(&host.name) == self.host.as_ref());
                (at.unwrap_or(0), shown.len())
            }
            BridgeTab::Jobs => {
                let shown = self.jobs(ground);
                (shown.iter().position(|one| Some(one.row.id) == self.job).unwrap_or(0), shown.len())
            }
            BridgeTab::Rollouts => {
                let shown = self.rollouts(ground);
                (shown.iter().position(|row| Some(row.id) == self.job).unwrap_or(0), shown.len())
            }
            // Who holds the panes knows.
            BridgeTab::Panes => (0, 0),
        }
    }

    /// Selects a row by its number.
    pub(super) fn select(&mut self, ground: Ground<'_>, index: usize) {
        match self.tab {
            BridgeTab::Hosts => self.host = self.hosts(ground).get(index).map(|host| host.name.clone()),
            BridgeTab::Jobs => self.job = self.jobs(ground).get(index).map(|one| one.row.id),
            BridgeTab::Rollouts => self.job = self.rollouts(ground).get(index).map(|row| row.id),
            BridgeTab::Panes => {}
        }
    }

    pub(super) fn select_host(&mut self, name: HostName) {
        self.host = Some(name);
    }

    pub(super) fn select_job(&mut self, id: JobId) {
        self.job = Some(id);
    }

    /// The job that keys are about: the one that is open, else the selected one. Those of other nodes are theirs.
    pub(super) fn job(&self, ground: Ground<'_>) -> Option<JobId> {
        match &self.open {
            Some(Opened::Job(job)) => Some(job.id),
            Some(_) => None,
            None => self.selected(ground).filter(|one| one.node.is_none()).map(|one| one.row.id),
        }
    }

    /// The job that is selected in the list, whosever it is.
    pub(super) fn selected<'a>(&self, ground: Ground<'a>) -> Option<Listed<'a>> {
        let is_listed = self.open.is_none() && self.tab == BridgeTab::Jobs;
        is_listed.then(|| self.jobs(ground).get(self.index(ground).0).copied()).flatten()
    }

    /// The rollout that is selected in the list.
    pub(super) fn rollout<'a>(&self, ground: Ground<'a>) -> Option<&'a RolloutRow> {
        let is_listed = self.open.is_none() && self.tab == BridgeTab::Rollouts;
        is_listed.then(|| self.rollouts(ground).get(self.index(ground).0).copied()).flatten()
    }

    /// The host that keys are about: the one that is open or selected, or that of the job.
    pub(super) fn host(&self, ground: Ground<'_>) -> Option<HostName> {
        match &self.open {
            Some(Opened::Host(host)) => return Some(host.name.clone()),
            None if self.tab == BridgeTab::Hosts => {
                return self.hosts(ground).get(self.index(ground).0).map(|host| host.name.clone());
            }
            _ => {}
        }
        let id = self.job(ground)?;
        let row = ground.here.jobs.iter().find(|row| row.id == id).map(|row| row.host.clone());
        row.or_else(|| self.open_job()?.job.as_ref().map(|job| job.plan.host.clone()))
    }
}

/// The jobs of this node and of the others.
pub(super) fn all_jobs(ground: Ground<'_>) -> impl Iterator<Item = Listed<'_>> {
    let here = ground.here.jobs.iter().map(|row| Listed { row, node: None });
    let there = ground.nodes.shared();
    here.chain(there.flat_map(|(node, remote)| remote.jobs.iter().map(|row| Listed { row, node: Some(node) })))
}

/// Whether `host` has `text`, in lower case, where a person would look for it.
fn host_has(host: &HostPanel, text: &str) -> bool {
    let found = |part: &str| part.to_lowercase().contains(text);
    found(host.name.as_str())
        || found(Reach::of(host).as_str())
        || host.labels.iter().any(|label| found(&format!("@{label}")))
        || host.layers.iter().any(|layer| found(&layer.why))
}

fn job_has(one: &Listed<'_>, text: &str) -> bool {
    let found = |part: &str| part.to_lowercase().contains(text);
    let row = one.row;
    found(row.host.as_str())
        || one.node.is_some_and(|node| found(&format!("@{}", node.name)))
        || found(&row.title)
        || found(row.by.as_str())
        || found(&state_word(&row.state))
        || [Some(row.id), row.rollout].into_iter().flatten().any(|id| id.to_string() == text)
}

/// How a job is, in a word or two: of one that ran, how it ended.
pub(super) fn state_word(state: &JobState) -> String {
    match state {
        JobState::Ended(Outcome::Done(end)) if *end != End::Exit(0) => end.to_string(),
        state => state.word().to_owned(),
    }
}

/// Why a host is not reached as it should be, in one line: the first of its roads that has something to say.
pub(super) fn why(panel: &HostPanel) -> Option<String> {
    let told = |layer: &&LayerPanel| layer.kind != LayerKind::Manual && layer.state != LayerState::Up;
    let layer = panel.layers.iter().find(told)?;
    Some(format!("{} {}: {}", layer.kind, layer.state.as_str(), screen::line(&layer.why)))
}

#[cfg(test)]
mod tests {
    use super::super::{node_sample, sample};
    use super::*;

    fn ground(here: &BridgePanel) -> Ground<'_> {
        static NOBODY: NodesPanel = NodesPanel { me: None, nodes: Vec::new(), remote: Vec::new(), news: Vec::new() };
        Ground { node: "hub-1", here, nodes: &NOBODY }
    }

    fn names(hosts: &[&HostPanel]) -> Vec<String> {
        hosts.iter().map(|host| host.name.to_string()).collect()
    }

    #[test]
    fn the_worst_hosts_come_first_and_the_selection_stays() {
        let mut panel = sample::bridge();
        let mut bridge = Bridge::default();
        assert_eq!(names(&bridge.hosts(ground(&panel))), ["db-1", "web-1", "web-2"]);
        let reaches: Vec<Reach> = bridge.hosts(ground(&panel)).into_iter().map(Reach::of).collect();
        assert_eq!(reaches, [Reach::Gone, Reach::Detour, Reach::Up]);
        bridge.select(ground(&panel), 2);
        for layer in panel.hosts.iter_mut().flat_map(|host| &mut host.layers) {
            layer.state = LayerState::Barred;
        }
        assert_eq!(
            (bridge.index(ground(&panel)), bridge.host(ground(&panel))),
            ((2, 3), Some("web-2".parse().expect("a name")))
        );
        bridge.filter.field.insert_str("@WEB");
        assert_eq!(names(&bridge.hosts(ground(&panel))), ["web-1", "web-2"]);
        assert_eq!(bridge.index(ground(&panel)), (1, 2));
        bridge.turn(true);
        assert!(bridge.filter.text().is_empty() && bridge.tab == BridgeTab::Jobs);
    }

    #[test]
    fn a_host_with_a_new_road_waits() {
        let mut panel = sample::bridge().hosts.remove(1);
        panel.active = None;
        panel.layers[0].state = LayerState::Connecting;
        assert_eq!(Reach::of(&panel), Reach::Waiting);
        assert!(why(&panel).is_some_and(|why| why.starts_with("socket connecting: ")));
        panel.layers[0].state = LayerState::Barred;
        assert_eq!(Reach::of(&panel), Reach::Barred);
    }

    #[test]
    fn unknown_ends_stand_before_all_other_jobs() {
        let panel = sample::bridge();
        let mut bridge = Bridge { tab: BridgeTab::Jobs, ..Bridge::default() };
        let words: Vec<String> =
            bridge.jobs(ground(&panel)).into_iter().map(|one| state_word(&one.row.state)).collect();
        assert_eq!(words, ["unknown", "running", "approval", "exit 3", "done"]);
        assert_eq!(bridge.host(ground(&panel)), Some(bridge.jobs(ground(&panel))[0].row.host.clone()));
        bridge.filter.field.insert_str("exit 3");
        assert_eq!(bridge.jobs(ground(&panel)).len(), 1);
    }

    #[test]
    fn jobs_of_other_nodes_stand_among_ours_and_are_theirs() {
        let (here, nodes) = (sample::bridge(), node_sample::nodes());
        let ground = Ground { node: "hub-1", here: &here, nodes: &nodes };
        let mut bridge = Bridge { tab: BridgeTab::Jobs, ..Bridge::default() };
        let whose = |bridge: &Bridge| {
            let node = |one: Listed<'_>| one.node.map_or("here".to_owned(), |node| node.name.to_string());
            bridge.jobs(ground).into_iter().map(node).collect::<Vec<_>>()
        };
        assert_eq!(whose(&bridge), ["here", "hub-2", "here", "here", "here", "here"]);
        bridge.select(ground, 1);
        assert_eq!((bridge.job(ground), bridge.host(ground)), (None, None), "nothing is done to it here");
        assert_eq!(bridge.selected(ground).and_then(|one| one.node).map(|node| node.name.as_str()), Some("hub-2"));
        bridge.filter.field.insert_str("@hub-2");
        assert_eq!(whose(&bridge), ["hub-2"]);
        bridge.filter.field.insert_str(" exit 3");
        assert!(whose(&bridge).is_empty());
        let mut bridge = Bridge::default();
        bridge.filter.field.insert_str("@hub-2");
        assert!(bridge.hosts(ground).is_empty(), "hosts are not shared");
    }
}
