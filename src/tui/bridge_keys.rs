//! What keys do on the bridge and with approvals, and why they do not.

use crate::model::{Approval, HostSelector, JobId, JobRow, JobState, Outcome};
use crate::protocol::{BridgeRequest, Order, Request};

use super::action::{Action, View};
use super::app::App;
use super::approvals::OpenApproval;
use super::bridge::{BridgeShown, BridgeTab, Ground, Opened, Reach};
use super::confirm::Confirm;
use super::job::JobTab;
use super::list::moved;
use super::msg::{Cmd, Overlay};
use super::place::Place;
use super::travel::Selected;
use super::view;

impl App {
    /// Why `action` cannot be done with hosts, jobs and approvals; `None` when it can, or is about something else.
    pub(super) fn bridge_missing(&self, action: Action) -> Option<String> {
        let request = match action {
            Action::RunCommand => match self.on_host() {
                None => return Some(self.not_ours().unwrap_or_else(|| "no host is selected; go to Bridge".to_owned())),
                Some(on) if self.commands_on(&on).is_empty() => {
                    return Some("no command of the whitelist may run there".to_owned());
                }
                // What it needs is what the dialog asks first.
                Some(on) => self.draft_for(&on)?,
            },
            Action::ProbeHost => match self.on_bridge().then(|| self.bridge.host(self.ground())).flatten() {
                Some(name) => BridgeRequest::Probe(name),
                None => return Some(self.not_ours().unwrap_or_else(|| "no host is selected; go to Bridge".to_owned())),
            },
            Action::CancelJob | Action::ResolveJob => {
                let Some(id) = self.on_job() else { return Some(self.no_job()) };
                let state = self.job_row(id).map(|row| &row.state);
                let why = match action {
                    Action::CancelJob => not_stopped(state),
                    _ => not_resolved(state, self.host_is_gone(id)),
                };
                if let Some(why) = why {
                    return Some(why.to_owned());
                }
                if action == Action::CancelJob {
                    BridgeRequest::Cancel(id)
                } else {
                    BridgeRequest::Resolve { id, ran: false, note: None }
                }
            }
            Action::JobHost => {
                return self.on_job().is_none().then(|| self.no_job());
            }
            Action::FilterBridge => {
                return (!self.on_bridge() || self.bridge.open.is_some())
                    .then(|| "this filters the lists of hosts, jobs and panes; go to Bridge".to_owned());
            }
            Action::Grant | Action::Deny => {
                let Some(approval) = self.on_approval() else { return Some("no approval is selected".to_owned()) };
                let me = &self.identity.as_ref()?.operator;
                let (id, hash, yes) = (approval.id, approval.hash.clone(), action == Action::Grant);
                if let Some(why) = approval.closed_to(me, yes, self.now) {
                    return Some(why);
                }
                BridgeRequest::Vote { id, hash, yes, note: None }
            }
            _ => return None,
        };
        self.denied(&Request::Bridge(request))
    }

    /// A wish whose role is that of every command.
    fn draft_for(&self, on: &HostSelector) -> Option<BridgeRequest> {
        let command = self.commands_on(on).into_iter().next()?.name;
        let line = format!("run {on} {command}");
        match Order::parse(&line, &self.asking()).ok()?.request {
            Request::Bridge(request) => Some(request),
            _ => None,
        }
    }

    fn on_bridge(&self) -> bool {
        self.view == View::Bridge
    }

    fn on_host(&self) -> Option<HostSelector> {
        let name = self.on_bridge().then(|| self.bridge.host(self.ground())).flatten();
        name.map(HostSelector::Host)
    }

    fn on_job(&self) -> Option<JobId> {
        self.on_bridge().then(|| self.bridge.job(self.ground())).flatten()
    }

    fn no_job(&self) -> String {
        self.not_ours().unwrap_or_else(|| "no job is selected; go to Bridge, jobs".to_owned())
    }

    fn on_approval(&self) -> Option<&Approval> {
        (self.view == View::Approvals).then(|| self.approvals.target(&self.bridge_panel().approvals)).flatten()
    }

    /// The job `id` as lists show it.
    pub(super) fn job_row(&self, id: JobId) -> Option<&JobRow> {
        self.bridge_panel().jobs.iter().find(|row| row.id == id)
    }

    /// Does what `action` says about hosts, jobs and approvals.
    pub(super) fn act_on_bridge(&mut self, action: Action) -> Vec<Cmd> {
        match action {
            Action::RunCommand => match self.on_host() {
                Some(on) => self.open_run(&on, None),
                None => Vec::new(),
            },
            Action::ProbeHost => {
                let host = self.bridge.host(self.ground());
                host.map(|name| Self::ask_bridge(BridgeRequest::Probe(name))).unwrap_or_default()
            }
            Action::CancelJob => {
                let cancel = self.on_job().map(BridgeRequest::Cancel);
                cancel.map(|request| self.confirm_bridge(request)).unwrap_or_default()
            }
            Action::ResolveJob => {
                if let Some(id) = self.on_job() {
                    let confirm = Confirm::resolve(id, self.about_job(id), self.now);
                    self.overlay = Some(Overlay::Confirm(Box::new(confirm)));
                }
                Vec::new()
            }
            Action::JobHost => {
                let host = self.bridge.host(self.ground());
                host.map(|name| self.open_host(name)).unwrap_or_default()
            }
            Action::Grant | Action::Deny => {
                if let Some(approval) = self.on_approval() {
                    let confirm = Confirm::vote(approval, action == Action::Grant, self.now);
                    self.overlay = Some(Overlay::Confirm(Box::new(confirm)));
                }
                Vec::new()
            }
            Action::FilterBridge => {
                self.bridge.filter.typing = true;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Why there is nothing to open on the bridge.
    pub(super) fn nothing_on_bridge(&self) -> Option<String> {
        match &self.bridge.open {
            Some(Opened::Job(_)) => Some("the job is open already".to_owned()),
            Some(_) => None,
            None => (self.bridge.index(self.ground()).1 == 0)
                .then(|| "nothing is listed".to_owned())
                .or_else(|| self.not_ours()),
        }
    }

    /// Why there is no approval to open.
    pub(super) fn no_approval(&self) -> Option<String> {
        match &self.approvals.open {
            Some(_) => Some("the approval is open already".to_owned()),
            None => self.on_approval().is_none().then(|| "no approval is selected".to_owned()),
        }
    }

    /// Opens what is selected; of a host that is open, and of a rollout, its jobs.
    pub(super) fn open_on_bridge(&mut self) -> Vec<Cmd> {
        if let Some(Opened::Host(host)) = &self.bridge.open {
            let text = host.name.to_string();
            self.bridge.list(&BridgeShown { tab: BridgeTab::Jobs, text });
            return Vec::new();
        }
        if let Some(text) = self.bridge.rollout(self.ground()).map(|row| row.id.to_string()) {
            self.bridge.list(&BridgeShown { tab: BridgeTab::Jobs, text });
            return Vec::new();
        }
        if let Some(id) = self.bridge.job(self.ground()) {
            return self.open_job(id);
        }
        self.bridge.host(self.ground()).map(|name| self.open_host(name)).unwrap_or_default()
    }

    pub(super) fn open_approval(&mut self) -> Vec<Cmd> {
        let id = self.on_approval().map(|approval| approval.id);
        self.approvals.open = id.map(|id| OpenApproval { id, scroll: 0 });
        Vec::new()
    }

    /// Turns to another list, or to another part of the open job.
    pub(super) fn turn_bridge(&mut self, forward: bool) -> Vec<Cmd> {
        let Some(open) = self.bridge.open_job_mut() else {
            self.bridge.turn(forward);
            return Vec::new();
        };
        open.turn(forward);
        let (id, tab) = (open.id, open.tab);
        let may = tab == JobTab::ByHand && self.denied(&Request::Bridge(BridgeRequest::Manual(id))).is_none();
        if may { self.ask_by_hand() } else { Vec::new() }
    }

    /// Moves through what the bridge shows.
    pub(super) fn scroll_bridge(&mut self, action: Action) {
        if self.on_panes() {
            return self.scroll_panes(action);
        }
        let height = self.list_height();
        let lines = view::bridge::lines(self);
        let body = view::job::body(self);
        let below = usize::from(view::bridge::below(self));
        match &mut self.bridge.open {
            Some(Opened::Job(open)) if open.tab == JobTab::Output => open.output.scroll(action, body.0),
            Some(Opened::Job(open)) => {
                let last = (body.1 + 1).saturating_sub(body.0.max(1)).max(1);
                open.scroll = moved(action, open.scroll, last, body.0).unwrap_or(open.scroll);
            }
            Some(Opened::Host(open)) => {
                let last = (lines + 2).saturating_sub(height.max(1)).max(1);
                open.scroll = moved(action, open.scroll, last, height).unwrap_or(open.scroll);
            }
            Some(Opened::Pane(_) | Opened::Tiles(_) | Opened::Tail(_)) => {}
            None => {
                let (index, len) = self.bridge.index(self.ground());
                if let Some(to) = moved(action, index, len, height.saturating_sub(below)) {
                    self.select_listed(to);
                }
            }
        }
    }

    /// Moves through approvals, or through the one that is open.
    pub(super) fn scroll_approvals(&mut self, action: Action) {
        let height = self.list_height();
        let lines = view::approvals::lines(self);
        if let Some(open) = &mut self.approvals.open {
            let last = (lines + 2).saturating_sub(height.max(1)).max(1);
            open.scroll = moved(action, open.scroll, last, height).unwrap_or(open.scroll);
            return;
        }
        let Some(snapshot) = &self.snapshot else { return };
        let shown = self.approvals.shown(&snapshot.bridge.approvals);
        if let Some(to) = moved(action, self.approvals.index(&shown), shown.len(), height) {
            self.approvals.select(&shown, to);
        }
    }

    /// Where the screen is on the bridge, and what is selected there.
    pub(super) fn here_on_bridge(&self) -> (Place, Selected) {
        let ground = self.ground();
        match &self.bridge.open {
            Some(Opened::Host(host)) => (Place::Host(host.name.clone()), Selected::Nothing),
            Some(Opened::Job(job)) => (Place::Job(job.id), Selected::Nothing),
            Some(Opened::Pane(open)) => (Place::Pane(open.name.clone()), Selected::Nothing),
            Some(Opened::Tiles(_) | Opened::Tail(_)) => (Place::Bridge(self.bridge.listed()), Selected::Nothing),
            None => {
                let selected = match self.bridge.tab {
                    BridgeTab::Hosts => self.bridge.host(ground).map(Selected::Host),
                    BridgeTab::Jobs => self.bridge.selected(ground).map(|one| Selected::Job(one.row.id)),
                    BridgeTab::Panes => self.on_pane().map(Selected::Pane),
                    BridgeTab::Rollouts => self.bridge.rollout(ground).map(|row| Selected::Job(row.id)),
                };
                (Place::Bridge(self.bridge.listed()), selected.unwrap_or(Selected::Nothing))
            }
        }
    }

    /// Where it is among approvals.
    pub(super) fn here_on_approvals(&self) -> (Place, Selected) {
        match &self.approvals.open {
            Some(open) => (Place::Approval(open.id), Selected::Nothing),
            None => {
                let target = self.approvals.target(&self.bridge_panel().approvals);
                (Place::Approvals, target.map_or(Selected::Nothing, |one| Selected::Approval(one.id)))
            }
        }
    }

    /// Goes to a place on the bridge or among approvals.
    pub(super) fn go_to_bridge(&mut self, place: Place, selected: Selected) -> Vec<Cmd> {
        match place {
            Place::Host(name) => return self.open_host(name),
            Place::Job(id) => return self.open_job(id),
            Place::Pane(name) => return self.seek_pane(name),
            Place::Bridge(shown) => {
                self.go(View::Bridge);
                self.bridge.list(&shown);
            }
            Place::Approval(id) => {
                self.go(View::Approvals);
                self.approvals.select_approval(id);
                self.approvals.open = Some(OpenApproval { id, scroll: 0 });
            }
            _ => {
                self.go(View::Approvals);
                self.approvals.open = None;
            }
        }
        match selected {
            Selected::Host(name) => self.bridge.select_host(name),
            Selected::Job(id) => self.bridge.select_job(id),
            Selected::Pane(pane) => self.panes.select_pane(pane),
            Selected::Approval(id) => self.approvals.select_approval(id),
            _ => {}
        }
        Vec::new()
    }

    /// What the selected entry of the audit log is about, where there is a place for it.
    pub(super) fn audited(&self) -> Option<Place> {
        let about = &self.activity.audit.selected()?.note.about;
        if let Ok(id) = about.parse() {
            return Some(Place::Job(id));
        }
        if let Ok(id) = about.parse() {
            return Some(Place::Approval(id));
        }
        let host = self.bridge_panel().hosts.iter().find(|host| host.name.as_str() == about);
        host.map(|host| Place::Host(host.name.clone()))
    }

    /// Whether no road leads to the host of a job.
    pub(super) fn host_is_gone(&self, job: JobId) -> bool {
        let Some(row) = self.job_row(job) else { return false };
        let panel = self.bridge_panel().hosts.iter().find(|panel| panel.name == row.host);
        panel.is_none_or(|panel| Reach::of(panel) == Reach::Gone)
    }

    /// Selects a row of a list by its number; answers whether another one was selected before.
    pub(super) fn select_on_bridge(&mut self, index: usize) -> bool {
        if self.on_panes() {
            return self.select_among_panes(index);
        }
        let Some(snapshot) = &self.snapshot else { return false };
        if self.view == View::Approvals {
            let shown = self.approvals.shown(&snapshot.bridge.approvals);
            let before = self.approvals.index(&shown);
            self.approvals.select(&shown, index);
            return before != index;
        }
        let before = self.bridge.index(self.ground()).0;
        self.select_listed(index);
        before != index
    }

    /// Selects a host or a job by the number of its row.
    fn select_listed(&mut self, index: usize) {
        let Some(snapshot) = &self.snapshot else { return };
        let ground = Ground { node: &snapshot.node, here: &snapshot.bridge, nodes: &snapshot.nodes };
        self.bridge.select(ground, index);
    }

    /// Why nothing is done here to the selected job: it is another node's.
    fn not_ours(&self) -> Option<String> {
        let node = self.on_bridge().then(|| self.bridge.selected(self.ground())).flatten()?.node?;
        Some(format!("this job is {}'s: it is looked at and stopped there", node.name))
    }
}

/// Why a job cannot be stopped.
fn not_stopped(state: Option<&JobState>) -> Option<&'static str> {
    match state {
        Some(JobState::Ended(_)) => Some("the job is over"),
        Some(JobState::Cancelling) => Some("its processes are being stopped already"),
        _ => None,
    }
}

/// Why nobody has to say what became of a job. Whether its host is gone for good the engine says.
pub(super) fn not_resolved(state: Option<&JobState>, gone: bool) -> Option<&'static str> {
    match state {
        Some(JobState::Ended(Outcome::Done(_) | Outcome::NotRun { .. })) => Some("how the job ended is known"),
        Some(JobState::AwaitingApproval(_)) => Some("it waits for approval and has not run"),
        Some(JobState::Staged { .. }) => Some("it waits for its stage and has not run"),
        Some(JobState::Accepted | JobState::Running | JobState::Cancelling) if !gone => {
            Some("its host has it and says how it ends")
        }
        Some(
            JobState::Ended(Outcome::Unknown { .. })
            | JobState::Queued { .. }
            | JobState::Sending
            | JobState::Unsure
            | JobState::Accepted
            | JobState::Running
            | JobState::Cancelling,
        )
        | None => None,
    }
}
