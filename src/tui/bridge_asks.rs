//! What the screen asks of the engine about the bridge, and what becomes of the answers.

use crate::model::{CommandName, CommandTemplate, HostName, HostPanel, HostSelector, JobId};
use crate::protocol::{
    BridgeNotice, BridgePanel, BridgeReply, BridgeRequest, NodeReply, Refusal, Reply, Request, Severity,
};

use super::action::View;
use super::app::App;
use super::bridge::{BridgeTab, Ground, OpenHost, Opened};
use super::bridge_keys::not_resolved;
use super::confirm::Confirm;
use super::job::OpenJob;
use super::msg::{Cmd, Overlay, Purpose};

/// Why something was asked about the bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgePurpose {
    /// A job in full, to show it.
    Job(JobId),
    /// What it wrote since.
    Output(JobId),
    /// The lines to paste in its place.
    ByHand(JobId),
    /// What would run, for the dialog whose job has this id.
    DryRun(JobId),
    /// This command was ordered.
    Run(CommandName),
    /// This was ordered.
    Order(Box<BridgeRequest>),
}

static NOTHING: BridgePanel = BridgePanel {
    hosts: Vec::new(),
    commands: Vec::new(),
    jobs: Vec::new(),
    rollouts: Vec::new(),
    approvals: Vec::new(),
    audit: Vec::new(),
};

fn ask(purpose: BridgePurpose, request: BridgeRequest) -> Cmd {
    Cmd::Ask(Purpose::Bridge(purpose), Request::Bridge(request))
}

/// Those of `commands` that may run on `on`: of several of `hosts` on every one.
pub(super) fn allowed_on(on: &HostSelector, hosts: &[HostPanel], commands: &[CommandTemplate]) -> Vec<CommandTemplate> {
    let hosts: Vec<_> = hosts.iter().filter(|host| on.means(&host.name, &host.labels)).collect();
    let allowed = |command: &&CommandTemplate| {
        let may = |host: &&HostPanel| command.hosts.iter().any(|selector| selector.means(&host.name, &host.labels));
        !hosts.is_empty() && hosts.iter().all(may)
    };
    commands.iter().filter(allowed).cloned().collect()
}

impl App {
    /// What is known of the bridge.
    pub(super) fn bridge_panel(&self) -> &BridgePanel {
        self.snapshot.as_ref().map_or(&NOTHING, |snapshot| &snapshot.bridge)
    }

    /// What the lists of hosts and jobs are made of.
    pub(super) fn ground(&self) -> Ground<'_> {
        let node = self.snapshot.as_ref().map_or("", |snapshot| &snapshot.node);
        Ground { node, here: self.bridge_panel(), nodes: self.nodes_panel() }
    }

    /// The commands that may run on `on`: of several hosts on every one.
    pub(super) fn commands_on(&self, on: &HostSelector) -> Vec<CommandTemplate> {
        let panel = self.bridge_panel();
        allowed_on(on, &panel.hosts, &panel.commands)
    }

    /// Orders `request`.
    pub(super) fn ask_bridge(request: BridgeRequest) -> Vec<Cmd> {
        vec![ask(BridgePurpose::Order(Box::new(request.clone())), request)]
    }

    /// Shows a host in full.
    pub(super) fn open_host(&mut self, name: HostName) -> Vec<Cmd> {
        self.go(View::Bridge);
        self.bridge.tab = BridgeTab::Hosts;
        self.bridge.select_host(name.clone());
        self.bridge.open = Some(Opened::Host(OpenHost { name, scroll: 0 }));
        Vec::new()
    }

    /// Shows a job in full.
    pub(super) fn open_job(&mut self, id: JobId) -> Vec<Cmd> {
        self.go(View::Bridge);
        self.bridge.tab = BridgeTab::Jobs;
        self.bridge.select_job(id);
        self.bridge.open = Some(Opened::Job(Box::new(OpenJob::new(id))));
        self.ask_job()
    }

    /// Asks for the open job, and for what it wrote since.
    pub(super) fn ask_job(&mut self) -> Vec<Cmd> {
        let Some(open) = self.bridge.open_job_mut() else { return Vec::new() };
        let job = ask(BridgePurpose::Job(open.id), BridgeRequest::Job(open.id));
        // An answer over a line that broke will not come.
        open.output.asked = false;
        [job].into_iter().chain(self.ask_output()).collect()
    }

    fn ask_output(&mut self) -> Option<Cmd> {
        let open = self.bridge.open_job_mut().filter(|open| !open.output.asked && !open.output.is_whole)?;
        open.output.asked = true;
        let request = BridgeRequest::JobOutput { id: open.id, from: open.output.next };
        Some(ask(BridgePurpose::Output(open.id), request))
    }

    /// Asks for the lines a person pastes, where they are looked at and not here yet.
    pub(super) fn ask_by_hand(&self) -> Vec<Cmd> {
        let Some(open) = self.bridge.open_job().filter(|open| open.by_hand.is_none()) else { return Vec::new() };
        vec![ask(BridgePurpose::ByHand(open.id), BridgeRequest::Manual(open.id))]
    }

    /// Takes a change of the bridge, after the snapshot has it.
    pub(super) fn bridge_heard(&mut self, notice: &BridgeNotice) -> Vec<Cmd> {
        let Some(open) = self.bridge.open_job() else { return Vec::new() };
        match notice {
            BridgeNotice::Jobs(rows) if rows.iter().any(|row| row.id == open.id) => self.ask_job(),
            BridgeNotice::Wrote { id, next } if *id == open.id && *next > open.output.next => {
                self.ask_output().into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Takes an answer about the bridge, or a refusal.
    pub(super) fn bridge_replied(&mut self, purpose: BridgePurpose, reply: Result<Reply, Refusal>) -> Vec<Cmd> {
        match reply {
            Ok(reply) => self.bridge_answered(purpose, &reply),
            Err(refusal) => {
                self.bridge_refused(&purpose, &refusal);
                Vec::new()
            }
        }
    }

    fn bridge_answered(&mut self, purpose: BridgePurpose, reply: &Reply) -> Vec<Cmd> {
        let said = match reply {
            Reply::Bridge(said) => said,
            // The same, of another node's bridge.
            Reply::Node(NodeReply::Bridge(said)) => said,
            _ => return Vec::new(),
        };
        let open = |app: &'_ mut Self, id| app.bridge.open_job_mut().is_some_and(|open: &mut OpenJob| open.id == id);
        match (purpose, said) {
            (BridgePurpose::Job(id), BridgeReply::Job(job)) if open(self, id) => {
                if let Some(open) = self.bridge.open_job_mut() {
                    open.is_missing = job.is_none();
                    open.job.clone_from(job);
                }
            }
            (BridgePurpose::Output(id), BridgeReply::Output(part)) if open(self, id) => {
                let more = self.bridge.open_job_mut().is_some_and(|open| open.output.take(part));
                return if more { self.ask_output().into_iter().collect() } else { Vec::new() };
            }
            (BridgePurpose::ByHand(id), BridgeReply::Manual(lines)) if open(self, id) => {
                if let Some(open) = self.bridge.open_job_mut() {
                    open.by_hand = Some(Ok(lines.clone()));
                }
            }
            (BridgePurpose::DryRun(id), BridgeReply::Preview(preview)) => {
                if let Some(Overlay::Run(dialog)) = &mut self.overlay {
                    dialog.take(id, Ok(preview.clone()), self.now);
                }
            }
            (BridgePurpose::Run(command), BridgeReply::Running { jobs, approval }) => {
                if let Some(id) = approval {
                    self.toast(Severity::Info, format!("{command} waits for approval {id}"));
                }
                match &jobs[..] {
                    [one] => return self.open_job(one.id),
                    _ => {
                        self.go(View::Bridge);
                        (self.bridge.tab, self.bridge.open) = (BridgeTab::Jobs, None);
                        self.bridge.filter.clear();
                    }
                }
            }
            (BridgePurpose::Order(request), _) => {
                if let Some(told) = request.told(reply) {
                    self.toast(if told.is_whole { Severity::Info } else { Severity::Warn }, told.text);
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn bridge_refused(&mut self, purpose: &BridgePurpose, refusal: &Refusal) {
        let why = refusal.to_string();
        match purpose {
            BridgePurpose::DryRun(id) => {
                if let Some(Overlay::Run(dialog)) = &mut self.overlay {
                    dialog.take(*id, Err(why), self.now);
                }
            }
            BridgePurpose::ByHand(id) => {
                if let Some(open) = self.bridge.open_job_mut().filter(|open| open.id == *id) {
                    open.by_hand = Some(Err(why));
                }
            }
            BridgePurpose::Output(id) => {
                if let Some(open) = self.bridge.open_job_mut().filter(|open| open.id == *id) {
                    open.output.asked = false;
                }
                self.toast(Severity::Warn, format!("what the job wrote did not come: {why}"));
            }
            BridgePurpose::Job(_) => self.toast(Severity::Warn, format!("the job did not come: {why}")),
            BridgePurpose::Run(command) => self.toast(Severity::Crit, format!("{command} does not run: {why}")),
            BridgePurpose::Order(_) => self.toast(Severity::Crit, format!("not done: {why}")),
        }
    }

    /// Shows what `request` would do, and does it once somebody has said so.
    pub(super) fn confirm_bridge(&mut self, request: BridgeRequest) -> Vec<Cmd> {
        let confirm = match request {
            BridgeRequest::Run(draft) => return self.open_run(&draft.on, Some((&draft.command, &draft.args))),
            BridgeRequest::Cancel(id) => Confirm::cancel(id, self.about_job(id), self.now),
            BridgeRequest::Resolve { id, ran, note } => {
                if let Some(why) = not_resolved(self.job_row(id).map(|row| &row.state), self.host_is_gone(id)) {
                    self.toast(Severity::Warn, why);
                    return Vec::new();
                }
                let mut confirm = Confirm::resolve(id, self.about_job(id), self.now);
                confirm.ran = Some(ran);
                confirm.note.insert_str(note.unwrap_or_default());
                confirm
            }
            BridgeRequest::Vote { id, hash, yes, note } => {
                let known = self.bridge_panel().approvals.iter().find(|approval| approval.id == id);
                let Some(approval) = known.filter(|approval| approval.hash == hash) else {
                    self.toast(Severity::Warn, "this is not the plan that is known here; look at it again");
                    return Vec::new();
                };
                let mut confirm = Confirm::vote(approval, yes, self.now);
                confirm.note.insert_str(note.unwrap_or_default());
                confirm
            }
            request => return Self::ask_bridge(request),
        };
        self.overlay = Some(Overlay::Confirm(Box::new(confirm)));
        Vec::new()
    }

    /// What a question about a job says of it.
    pub(super) fn about_job(&self, id: JobId) -> Vec<String> {
        let Some(row) = self.bridge_panel().jobs.iter().find(|row| row.id == id) else { return vec![id.to_string()] };
        let mut lines = vec![
            format!("{} on {}", row.title, row.host),
            format!("asked for by {}, {} now", row.by, super::bridge::state_word(&row.state)),
        ];
        if let Some(crate::model::Outcome::Unknown { reason }) = row.state.outcome() {
            lines.push(reason.clone());
        }
        lines.push(id.to_string());
        lines
    }
}
