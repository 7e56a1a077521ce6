//! The bridge as the screen holds it: hosts, the worst first, jobs, panes, and one of any in full.

use tui_textarea::{CursorMove, TextArea};

use crate::model::{End, HostName, HostPanel, JobId, JobRow, JobState, LayerKind, LayerPanel, LayerState, Outcome};
use crate::protocol::BridgePanel;
use crate::screen;

use super::job::OpenJob;
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
}

impl BridgeTab {
    /// Every list, in the order of the tabs.
    pub const ALL: [Self; 3] = [Self::Hosts, Self::Jobs, Self::Panes];

    /// The name on its tab.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hosts => "Hosts",
            Self::Jobs => "Jobs",
            Self::Panes => "Panes",
        }
    }
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
    /// The same for jobs.
    job: Option<JobId>,
    /// What a host or a job must have.
    pub filter: TextArea<'static>,
    /// Keys go into the filter.
    pub typing: bool,
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
    pub(super) fn hosts<'a>(&self, panel: &'a BridgePanel) -> Vec<&'a HostPanel> {
        let text = self.looked_for();
        let mut shown: Vec<&HostPanel> = panel.hosts.iter().filter(|host| host_has(host, &text)).collect();
        shown.sort_by(|a, b| Reach::of(a).cmp(&Reach::of(b)).then_with(|| a.name.cmp(&b.name)));
        shown
    }

    /// The jobs that are shown, the newest first; those with an unknown end stand before all others.
    pub(super) fn jobs<'a>(&self, panel: &'a BridgePanel) -> Vec<&'a JobRow> {
        let text = self.looked_for();
        let mut shown: Vec<&JobRow> = panel.jobs.iter().filter(|row| job_has(row, &text)).collect();
        shown.sort_by_key(|row| row.state.word() != "unknown");
        shown
    }

    fn looked_for(&self) -> String {
        self.text().trim().to_lowercase()
    }

    /// What is typed as the filter.
    pub(super) fn text(&self) -> &str {
        self.filter.lines().first().map_or("", String::as_str)
    }

    /// What is listed.
    pub(super) fn listed(&self) -> BridgeShown {
        BridgeShown { tab: self.tab, text: self.text().trim().to_owned() }
    }

    /// Lists this from now on.
    pub(super) fn list(&mut self, shown: &BridgeShown) {
        self.tab = shown.tab;
        self.filter = TextArea::new(vec![shown.text.clone()]);
        self.filter.move_cursor(CursorMove::End);
        self.typing = false;
        self.open = None;
    }

    /// Lets the filter go; answers whether there was one.
    pub(super) fn unfilter(&mut self) -> bool {
        let was = self.typing || !self.text().is_empty();
        self.filter = TextArea::default();
        self.typing = false;
        was
    }

    /// Whether keys go into the filter now.
    pub(super) fn is_filtering(&self) -> bool {
        self.typing && self.open.is_none()
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
        self.unfilter();
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
    pub(super) fn index(&self, panel: &BridgePanel) -> (usize, usize) {
        match self.tab {
            BridgeTab::Hosts => {
                let shown = self.hosts(panel);
                let at = shown.iter().position(|host| Some(&host.name) == self.host.as_ref());
                (at.unwrap_or(0), shown.len())
            }
            BridgeTab::Jobs => {
                let shown = self.jobs(panel);
                (shown.iter().position(|row| Some(row.id) == self.job).unwrap_or(0), shown.len())
            }
            // Who holds the panes knows.
            BridgeTab::Panes => (0, 0),
        }
    }

    /// Selects a row by its number.
    pub(super) fn select(&mut self, panel: &BridgePanel, index: usize) {
        match self.tab {
            BridgeTab::Hosts => self.host = self.hosts(panel).get(index).map(|host| host.name.clone()),
            BridgeTab::Jobs => self.job = self.jobs(panel).get(index).map(|row| row.id),
            BridgeTab::Panes => {}
        }
    }

    pub(super) fn select_host(&mut self, name: HostName) {
        self.host = Some(name);
    }

    pub(super) fn select_job(&mut self, id: JobId) {
        self.job = Some(id);
    }

    /// The job that keys are about: the one that is open, else the selected one.
    pub(super) fn job(&self, panel: &BridgePanel) -> Option<JobId> {
        match &self.open {
            Some(Opened::Job(job)) => Some(job.id),
            None if self.tab == BridgeTab::Jobs => self.jobs(panel).get(self.index(panel).0).map(|row| row.id),
            Some(_) | None => None,
        }
    }

    /// The host that keys are about: the one that is open or selected, or that of the job.
    pub(super) fn host(&self, panel: &BridgePanel) -> Option<HostName> {
        match &self.open {
            Some(Opened::Host(host)) => return Some(host.name.clone()),
            None if self.tab == BridgeTab::Hosts => {
                return self.hosts(panel).get(self.index(panel).0).map(|host| host.name.clone());
            }
            _ => {}
        }
        let id = self.job(panel)?;
        let row = panel.jobs.iter().find(|row| row.id == id).map(|row| row.host.clone());
        row.or_else(|| self.open_job()?.job.as_ref().map(|job| job.plan.host.clone()))
    }
}

/// Whether `host` has `text`, in lower case, where a person would look for it.
fn host_has(host: &HostPanel, text: &str) -> bool {
    let found = |part: &str| part.to_lowercase().contains(text);
    text.is_empty()
        || found(host.name.as_str())
        || found(Reach::of(host).as_str())
        || host.labels.iter().any(|label| found(&format!("@{label}")))
        || host.layers.iter().any(|layer| found(&layer.why))
}

fn job_has(row: &JobRow, text: &str) -> bool {
    let found = |part: &str| part.to_lowercase().contains(text);
    text.is_empty()
        || found(row.host.as_str())
        || found(&row.title)
        || found(row.by.as_str())
        || found(&state_word(&row.state))
        || row.id.to_string() == text
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
    use super::super::sample;
    use super::*;

    fn names(hosts: &[&HostPanel]) -> Vec<String> {
        hosts.iter().map(|host| host.name.to_string()).collect()
    }

    #[test]
    fn the_worst_hosts_come_first_and_the_selection_stays() {
        let mut panel = sample::bridge();
        let mut bridge = Bridge::default();
        assert_eq!(names(&bridge.hosts(&panel)), ["db-1", "web-1", "web-2"]);
        let reaches: Vec<Reach> = bridge.hosts(&panel).into_iter().map(Reach::of).collect();
        assert_eq!(reaches, [Reach::Gone, Reach::Detour, Reach::Up]);
        bridge.select(&panel, 2);
        for layer in panel.hosts.iter_mut().flat_map(|host| &mut host.layers) {
            layer.state = LayerState::Barred;
        }
        assert_eq!((bridge.index(&panel), bridge.host(&panel)), ((2, 3), Some("web-2".parse().expect("a name"))));
        bridge.filter.insert_str("@WEB");
        assert_eq!(names(&bridge.hosts(&panel)), ["web-1", "web-2"]);
        assert_eq!(bridge.index(&panel), (1, 2));
        bridge.turn(true);
        assert!(bridge.text().is_empty() && bridge.tab == BridgeTab::Jobs);
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
        let words: Vec<String> = bridge.jobs(&panel).into_iter().map(|row| state_word(&row.state)).collect();
        assert_eq!(words, ["unknown", "running", "approval", "exit 3", "done"]);
        assert_eq!(bridge.host(&panel), Some(bridge.jobs(&panel)[0].host.clone()));
        bridge.filter.insert_str("exit 3");
        assert_eq!(bridge.jobs(&panel).len(), 1);
    }
}
