//! Questions about nodes: whom to invite or join, what a node may do, whether it is forgotten, whether this node's key is
//! changed, and what is done there.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use tui_textarea::TextArea;

use crate::model::{CommandName, CommandTemplate, HostPanel, HostSelector, Invitation, NodeName, TaskStatus, Trust};
use crate::protocol::{BridgeReply, NodeOrder, NodeReply, NodeRequest, Refusal, Reply, Request, Severity};

use super::app::App;
use super::bridge::{BridgeShown, BridgeTab};
use super::bridge_asks::allowed_on;
use super::guard::Guard;
use super::keying::type_into;
use super::msg::{Cmd, Overlay, Purpose};
use super::place::Place;

/// Why something was asked about nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodePurpose {
    /// A token for who is invited.
    Invite,
    /// To be let in by another node.
    Join,
    /// Another key of this node.
    Rotate,
    /// This was ordered; in words, what is done when it is.
    Order(String),
    /// The hosts and the commands of this node, to choose one of each.
    Ground(NodeName),
    /// This command was ordered there.
    Run(NodeName, CommandName),
}

/// What is asked.
#[derive(Debug)]
pub(super) enum Step {
    /// What may the one do who joins?
    Invite,
    /// The token is on its way.
    Making,
    /// This is given to `aurora node join`.
    Invited(Box<Invitation>),
    /// Which token did the other node make?
    Join,
    /// It is being done; in words, what.
    Asked(&'static str),
    /// It is known now: its name, its fingerprint, and that of this node.
    Joined(NodeName, String, String),
    /// Shall this node, which is called so, have another key? Its name is typed to confirm it.
    Rotate(NodeName),
    /// It has: the fingerprint, and until when the key before counts.
    Rotated(String, Timestamp),
    /// What may it do from now on? It is this now.
    Trust(NodeName, Trust),
    /// Shall it be forgotten?
    Remove(NodeName),
    /// Which task is restarted there?
    Tasks(NodeName, Vec<TaskStatus>),
    /// On which host of its is a command run? Both are `None` until that node has said it.
    Hosts { node: NodeName, hosts: Option<Vec<HostPanel>>, commands: Option<Vec<CommandTemplate>> },
    /// It cannot be done, and why.
    Refused(String),
}

/// The question while it is open.
#[derive(Debug)]
pub(super) struct NodeDialog {
    pub step: Step,
    /// The row that is chosen, where there is a choice.
    pub selected: usize,
    /// What is typed, where something is.
    field: TextArea<'static>,
    guard: Guard,
}

impl NodeDialog {
    fn new(step: Step, selected: usize, now: Timestamp) -> Self {
        Self { step, selected, field: TextArea::default(), guard: Guard::new(now) }
    }

    pub(super) fn invite(now: Timestamp) -> Self {
        Self::new(Step::Invite, Trust::default() as usize, now)
    }

    pub(super) fn join(now: Timestamp) -> Self {
        Self::new(Step::Join, 0, now)
    }

    pub(super) fn rotate(me: NodeName, now: Timestamp) -> Self {
        Self::new(Step::Rotate(me), 0, now)
    }

    /// The field, where something is typed.
    pub(super) fn typing(&mut self) -> Option<&mut TextArea<'static>> {
        matches!(self.step, Step::Join | Step::Rotate(_)).then_some(&mut self.field)
    }

    /// What was typed, on one line.
    pub(super) fn typed(&self) -> String {
        self.field.lines().concat().trim().to_owned()
    }

    pub(super) fn trust(name: NodeName, trust: Trust, now: Timestamp) -> Self {
        Self::new(Step::Trust(name, trust), trust as usize, now)
    }

    pub(super) fn remove(name: NodeName, now: Timestamp) -> Self {
        Self::new(Step::Remove(name), 0, now)
    }

    pub(super) fn tasks(node: NodeName, tasks: Vec<TaskStatus>, now: Timestamp) -> Self {
        Self::new(Step::Tasks(node, tasks), 0, now)
    }

    pub(super) fn hosts(node: NodeName, now: Timestamp) -> Self {
        Self::new(Step::Hosts { node, hosts: None, commands: None }, 0, now)
    }

    /// How many there are to choose among.
    fn choices(&self) -> usize {
        match &self.step {
            Step::Invite | Step::Trust(..) => Trust::ALL.len(),
            Step::Tasks(_, tasks) => tasks.len(),
            Step::Hosts { hosts, .. } => hosts.as_ref().map_or(0, Vec::len),
            _ => 0,
        }
    }

    /// What is chosen, of the levels of trust.
    pub(super) fn chosen_trust(&self) -> Trust {
        Trust::ALL.get(self.selected).copied().unwrap_or_default()
    }

    /// The key that does it.
    pub(super) fn doing(&self) -> Option<(&'static str, &'static str)> {
        match &self.step {
            Step::Invite => Some(("enter", "makes the token")),
            Step::Trust(_, trust) if *trust == self.chosen_trust() => {
                Some(("enter", "keeps it, and ends a quarantine"))
            }
            Step::Trust(..) => Some(("enter", "does it")),
            Step::Join if !self.typed().is_empty() => Some(("enter", "joins")),
            Step::Rotate(me) if self.typed() == me.as_str() => Some(("enter", "changes it")),
            Step::Remove(_) => Some(("y", "forgets it")),
            Step::Tasks(..) => Some(("enter", "restarts it there")),
            Step::Hosts { hosts, .. } if hosts.is_some() => Some(("enter", "goes on to the command")),
            _ => None,
        }
    }

    fn waits_for(&self, purpose: &NodePurpose) -> bool {
        match (&self.step, purpose) {
            (Step::Making, NodePurpose::Invite) | (Step::Asked(_), NodePurpose::Join | NodePurpose::Rotate) => true,
            (Step::Hosts { node, .. }, NodePurpose::Ground(of)) => node == of,
            _ => false,
        }
    }
}

fn ask(purpose: NodePurpose, request: NodeRequest) -> Vec<Cmd> {
    vec![Cmd::Ask(Purpose::Node(purpose), Request::Node(request))]
}

impl App {
    pub(super) fn key_in_node(&mut self, key: KeyEvent, mut dialog: Box<NodeDialog>) -> Vec<Cmd> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let last = dialog.choices().saturating_sub(1);
        match key.code {
            KeyCode::Esc => return Vec::new(),
            KeyCode::Char('c') if control => return Vec::new(),
            KeyCode::Enter if dialog.typing().is_some() && dialog.doing().is_some() => return self.do_to_node(dialog),
            KeyCode::Enter if dialog.typing().is_some() => {}
            _ if dialog.typing().is_some() => {
                if let Some(field) = dialog.typing() {
                    type_into(field, key);
                }
            }
            KeyCode::Char('n' | 'q') if matches!(dialog.step, Step::Remove(_)) => return Vec::new(),
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => dialog.selected = (dialog.selected + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => {
                dialog.selected = dialog.selected.saturating_sub(1);
            }
            _ if !dialog.guard.hears(self.now) => {}
            KeyCode::Char('y') if !control && matches!(dialog.step, Step::Remove(_)) => return self.do_to_node(dialog),
            KeyCode::Enter if !matches!(dialog.step, Step::Remove(_)) => return self.do_to_node(dialog),
            _ => {}
        }
        self.overlay = Some(Overlay::Node(dialog));
        Vec::new()
    }

    /// Does what the dialog asks about, as it was chosen.
    fn do_to_node(&mut self, mut dialog: Box<NodeDialog>) -> Vec<Cmd> {
        let (trust, at) = (dialog.chosen_trust(), dialog.selected);
        let commands = match &mut dialog.step {
            Step::Invite => {
                dialog.step = Step::Making;
                ask(NodePurpose::Invite, NodeRequest::Invite { trust })
            }
            Step::Join => {
                let token = dialog.typed();
                dialog.step = Step::Asked("the other node is asked");
                ask(NodePurpose::Join, NodeRequest::Join { token, trust: Trust::default() })
            }
            Step::Rotate(_) => {
                dialog.step = Step::Asked("another key is made");
                ask(NodePurpose::Rotate, NodeRequest::Rotate)
            }
            Step::Trust(name, _) => {
                let done = format!("{name} may {trust} from now on");
                return ask(NodePurpose::Order(done), NodeRequest::Trust { name: name.clone(), trust });
            }
            Step::Remove(name) => {
                let done = format!("{name} is forgotten");
                return ask(NodePurpose::Order(done), NodeRequest::Remove(name.clone()));
            }
            Step::Tasks(node, tasks) => {
                let Some(task) = tasks.get(at).map(|task| task.name.clone()) else { return Vec::new() };
                let done = format!("{task} of {node} is started again");
                let order = NodeOrder::RestartTask(task);
                return ask(NodePurpose::Order(done), NodeRequest::On { node: node.clone(), order });
            }
            Step::Hosts { node, hosts, commands } => {
                let (hosts, commands) = (hosts.as_deref().unwrap_or_default(), commands.as_deref().unwrap_or_default());
                let Some(host) = hosts.get(at) else {
                    self.overlay = Some(Overlay::Node(dialog));
                    return Vec::new();
                };
                let on = HostSelector::Host(host.name.clone());
                let fitting = allowed_on(&on, hosts, commands);
                if fitting.is_empty() {
                    self.toast(Severity::Info, format!("no command of {node}'s whitelist may run on {}", host.name));
                    self.overlay = Some(Overlay::Node(dialog));
                    return Vec::new();
                }
                let node = node.clone();
                self.open_run_at(node, &on, fitting);
                return Vec::new();
            }
            _ => Vec::new(),
        };
        self.overlay = Some(Overlay::Node(dialog));
        commands
    }

    /// Takes an answer about nodes, or a refusal.
    pub(super) fn node_replied(&mut self, purpose: NodePurpose, reply: Result<Reply, Refusal>) -> Vec<Cmd> {
        let reply = match reply {
            Ok(Reply::Node(reply)) => reply,
            Ok(_) => return Vec::new(),
            Err(refusal) => {
                let why = refusal.to_string();
                match &mut self.overlay {
                    Some(Overlay::Node(dialog)) if dialog.waits_for(&purpose) => dialog.step = Step::Refused(why),
                    // The other of two questions was refused for the same reason, or nobody waits any more.
                    _ if matches!(purpose, NodePurpose::Ground(_)) => {}
                    _ => self.toast(Severity::Crit, format!("not done: {why}")),
                }
                return Vec::new();
            }
        };
        match (purpose, reply) {
            (purpose @ NodePurpose::Invite, NodeReply::Invited(invitation)) => match &mut self.overlay {
                Some(Overlay::Node(dialog)) if dialog.waits_for(&purpose) => {
                    dialog.step = Step::Invited(Box::new(invitation));
                }
                // Nobody sees this token, so nobody has it.
                _ => self.toast(Severity::Info, "the invitation was not looked at; it ends by itself"),
            },
            (purpose @ NodePurpose::Join, NodeReply::Joined { name, fingerprint, own }) => match &mut self.overlay {
                Some(Overlay::Node(dialog)) if dialog.waits_for(&purpose) => {
                    dialog.step = Step::Joined(name, fingerprint, own);
                }
                _ => self.toast(Severity::Info, format!("{name} is known now; compare the fingerprints")),
            },
            (purpose @ NodePurpose::Rotate, NodeReply::Rotated { key, until }) => match &mut self.overlay {
                Some(Overlay::Node(dialog)) if dialog.waits_for(&purpose) => {
                    dialog.step = Step::Rotated(key.fingerprint(), until);
                }
                _ => self.toast(Severity::Info, format!("this node has another key: {}", key.fingerprint())),
            },
            (NodePurpose::Order(done), _) => self.toast(Severity::Info, done),
            (NodePurpose::Ground(node), NodeReply::Bridge(said)) => self.take_ground(&node, *said),
            (NodePurpose::Run(node, command), NodeReply::Bridge(said)) => {
                let BridgeReply::Running { jobs, approval } = *said else { return Vec::new() };
                let waits = approval.map(|id| format!(", and waits there for approval {id}")).unwrap_or_default();
                let job = jobs.first().map(|job| format!(" as {}", job.id)).unwrap_or_default();
                self.toast(Severity::Info, format!("{command} runs at {node}{job}{waits}"));
                let listed = BridgeShown { tab: BridgeTab::Jobs, text: format!("@{node}") };
                return self.go_to_place(Place::Bridge(listed));
            }
            _ => {}
        }
        Vec::new()
    }

    /// Takes the hosts or the commands of a node, where they are waited for.
    fn take_ground(&mut self, of: &NodeName, said: BridgeReply) {
        let Some(Overlay::Node(dialog)) = &mut self.overlay else { return };
        let Step::Hosts { node, hosts, commands } = &mut dialog.step else { return };
        if node != of {
            return;
        }
        match said {
            BridgeReply::Hosts(found) => *hosts = Some(found),
            BridgeReply::Commands(found) => *commands = Some(found),
            _ => {}
        }
        if let (Some(known), Some(_)) = (&hosts, &commands)
            && known.is_empty()
        {
            dialog.step = Step::Refused(format!("{of} has no hosts to run anything on"));
        }
    }
}
