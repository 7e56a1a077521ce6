//! What the palette offers of hosts, commands, jobs, approvals and panes.

use crate::model::{ApprovalState, HostSelector, LayerKind};
use crate::protocol::{BridgeRequest, Order, Request, Takes, Verb};
use crate::screen;

use super::action::View;
use super::app::App;
use super::bridge::{BridgeShown, BridgeTab, Reach, state_word};
use super::choices::{Choice, Does};
use super::panes::{Listed, PaneState};
use super::place::Place;

/// Places of the bridge that need no name.
pub(super) fn places() -> Vec<Choice> {
    let name = |tab: BridgeTab| tab.name().to_lowercase();
    let lists = BridgeTab::ALL.into_iter().map(|tab| {
        let place = Place::Bridge(BridgeShown { tab, text: String::new() });
        Choice::place(format!("go to {}: {}", View::Bridge.name(), name(tab)), place)
    });
    lists.collect()
}

impl App {
    /// What may follow a verb about the bridge.
    pub(super) fn bridge_arguments(&self, verb: &Verb) -> Vec<Choice> {
        let panel = self.bridge_panel();
        match verb.takes {
            Takes::Host => {
                let hosts = panel.hosts.iter().map(|host| {
                    let words = format!("{}: {}", host.name, Reach::of(host).as_str());
                    self.read(&format!("{} {}", verb.name, host.name), &words)
                });
                hosts.flatten().collect()
            }
            Takes::Command => self.commands_everywhere(),
            Takes::Job => {
                let open = panel.jobs.iter().filter(|row| row.state.outcome().is_none());
                let choice = |row: &crate::model::JobRow| {
                    let words = format!("{} on {}: {}", row.title, row.host, state_word(&row.state));
                    self.read(&format!("{} {}", verb.name, row.id), &words)
                };
                open.filter_map(choice).collect()
            }
            Takes::Resolution => {
                let unknown = panel.jobs.iter().filter(|row| row.state.word() == "unknown");
                let both = unknown.flat_map(|row| {
                    [("ran", "ran"), ("not-ran", "did not run")].into_iter().filter_map(move |(said, words)| {
                        let words = format!("{} on {} {words}", row.title, row.host);
                        self.read(&format!("{} {} {said}", verb.name, row.id), &words)
                    })
                });
                both.collect()
            }
            Takes::Approval => {
                let open = panel.approvals.iter().filter(|approval| approval.state == ApprovalState::Open);
                let choice = |approval: &crate::model::Approval| {
                    let what = approval
                        .plans
                        .first()
                        .map_or_else(String::new, |plan| format!("{} on {}", plan.command, plan.host));
                    let words = format!("{what}: asked for by {}", approval.by);
                    let mut choice = self.read(&format!("{} {} {}", verb.name, approval.id, approval.hash), &words)?;
                    let me = self.identity.as_ref().map(|identity| &identity.operator);
                    choice.why = choice.why.or_else(|| approval.closed_to(me?, verb.name == "grant", self.now));
                    Some(choice)
                };
                open.filter_map(choice).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A line that can be read, as a choice that is shown before it is done.
    fn read(&self, line: &str, words: &str) -> Option<Choice> {
        Some(self.ordered(line, words, Order::parse(line, &self.asking()).ok()?.request))
    }

    /// Every command on every host it may run on.
    fn commands_everywhere(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for host in &self.bridge_panel().hosts {
            for command in self.commands_on(&HostSelector::Host(host.name.clone())) {
                let about = command.about.as_deref().map(|about| format!(": {about}")).unwrap_or_default();
                let words = format!("run {} on {}{about}", command.name, host.name);
                choices.extend(self.read(&format!("run {} {}", host.name, command.name), &words));
            }
        }
        choices
    }

    /// Hosts, jobs, commands and approvals by their names.
    pub(super) fn bridge_objects(&self) -> Vec<Choice> {
        let panel = self.bridge_panel();
        let hosts = panel.hosts.iter().map(|host| {
            let over = host.active.filter(|layer| *layer != LayerKind::Local);
            let over = over.map(|layer| format!(" over {layer}")).unwrap_or_default();
            let words = format!("host {}: {}{over}", host.name, Reach::of(host).as_str());
            Choice::place(words, Place::Host(host.name.clone()))
        });
        let jobs = panel.jobs.iter().map(|row| {
            let words = format!("job {} on {}: {}", row.title, row.host, state_word(&row.state));
            Choice::place(words, Place::Job(row.id))
        });
        let approvals = panel.approvals.iter().map(|approval| {
            let what =
                approval.plans.first().map_or_else(String::new, |plan| format!("{} on {}", plan.command, plan.host));
            Choice::place(format!("approval {what}: {}", approval.state.as_str()), Place::Approval(approval.id))
        });
        hosts.chain(self.commands_everywhere()).chain(jobs).chain(approvals).chain(self.pane_choices()).collect()
    }

    /// Panes by their names, as far as they were told: the list of panes asks for them, and a line that begins with `pane`.
    fn pane_choices(&self) -> Vec<Choice> {
        let listed = self.panes.listed("", |_| &[]).into_iter();
        let choice = |listed: Listed<'_>| {
            let row = listed.row?;
            let name = listed.host.name(row);
            // One that cannot be written cannot be chosen by what is written.
            let shown = name.to_string();
            let words = format!("pane {shown}: {}, {}", row.facts.command, PaneState::of(listed.host, row).as_str());
            (screen::line(&shown) == shown).then(|| Choice::place(words, Place::Pane(name)))
        };
        listed.filter_map(choice).collect()
    }
}

/// What choosing `request` does: what runs something, stops it or answers for it is shown first.
pub(super) fn does(request: Request) -> Does {
    match request {
        Request::Bridge(
            request @ (BridgeRequest::Run(_)
            | BridgeRequest::Cancel(_)
            | BridgeRequest::Resolve { .. }
            | BridgeRequest::Vote { .. }),
        ) => Does::Confirm(request),
        Request::Person { act, .. } => Does::Say(act),
        request => Does::Order(request),
    }
}
