//! Running a command: which one, with which values, and what exactly that is before it runs.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use tui_textarea::{CursorMove, TextArea};

use crate::client;
use crate::model::{Argument, ArgumentKind, CommandName, CommandTemplate, HostSelector, JobId, Lane, NodeName, Pace};
use crate::protocol::{BridgeRequest, Draft, NodeOrder, NodeRequest, Preview, Request, Severity};

use super::app::App;
use super::bridge_asks::BridgePurpose;
use super::guard::Guard;
use super::keying::type_into;
use super::msg::{Cmd, Overlay, Purpose};
use super::node_dialog::NodePurpose;

/// How far it is.
#[derive(Debug)]
pub(super) enum Step {
    /// Which command?
    Choose,
    /// With which values?
    Fill,
    /// What would run is on its way.
    Asking,
    /// This would run.
    Look(Box<Preview>),
    /// It cannot, and why.
    Refused(String),
}

/// The value of one argument while it is typed.
#[derive(Debug)]
pub(super) struct Value {
    pub argument: Argument,
    pub field: TextArea<'static>,
}

impl Value {
    fn new(argument: &Argument, value: Option<&String>) -> Self {
        let text = value.or(argument.default.as_ref()).cloned().unwrap_or_default();
        let mut field = TextArea::new(vec![text]);
        field.move_cursor(CursorMove::End);
        Self { argument: argument.clone(), field }
    }

    pub(super) fn typed(&self) -> &str {
        self.field.lines().first().map_or("", String::as_str)
    }

    /// The words that may be meant by what was typed.
    pub(super) fn fitting(&self) -> Vec<&str> {
        let ArgumentKind::OneOf(words) = &self.argument.kind else { return Vec::new() };
        let words = words.iter().map(String::as_str);
        // What is one of them already is no beginning of another: all are offered.
        if words.clone().any(|word| word == self.typed()) {
            return words.collect();
        }
        words.filter(|word| word.starts_with(self.typed())).collect()
    }

    /// Takes the next of the words that fit.
    fn complete(&mut self) {
        let fitting = self.fitting();
        let at = fitting.iter().position(|word| *word == self.typed());
        let next = at.map_or(0, |at| (at + 1) % fitting.len());
        if let Some(word) = fitting.get(next) {
            let mut field = TextArea::new(vec![(*word).to_owned()]);
            field.move_cursor(CursorMove::End);
            self.field = field;
        }
    }

    /// What is wrong with the value, as far as it shows without asking.
    pub(super) fn mistake(&self) -> Option<String> {
        let typed = self.typed();
        if typed.len() > self.argument.max_len {
            return Some(format!("it has at most {} bytes", self.argument.max_len));
        }
        match &self.argument.kind {
            ArgumentKind::OneOf(words) if !words.iter().any(|word| word == typed) => {
                Some(format!("it is one of {}", words.join(", ")))
            }
            ArgumentKind::Int(least, most) => match typed.parse::<i64>() {
                Ok(number) if (*least..=*most).contains(&number) => None,
                _ => Some(format!("it is a whole number from {least} to {most}")),
            },
            _ => None,
        }
    }
}

/// What an argument may be, in words.
pub(super) fn kind(kind: &ArgumentKind) -> String {
    match kind {
        ArgumentKind::OneOf(words) => format!("one of {}", words.join(", ")),
        ArgumentKind::Int(least, most) => format!("a whole number from {least} to {most}"),
        ArgumentKind::Pattern(pattern) => format!("text like {pattern}"),
        ArgumentKind::PathBelow(root) => format!("a path below {root}"),
    }
}

/// The dialog while it is open.
#[derive(Debug)]
pub(super) struct RunDialog {
    pub on: HostSelector,
    /// The other node whose host it is.
    pub node: Option<NodeName>,
    pub step: Step,
    /// The commands that may run there.
    commands: Vec<CommandTemplate>,
    /// What narrows them.
    pub field: TextArea<'static>,
    pub selected: usize,
    pub chosen: Option<CommandTemplate>,
    pub values: Vec<Value>,
    /// The value that is typed.
    pub at: usize,
    /// What has to be typed before it runs.
    pub typed: TextArea<'static>,
    /// Lines of the preview above the first that is shown.
    pub scroll: usize,
    /// What the job will be called: asking twice under it runs once.
    id: JobId,
    /// Of the step that is shown.
    guard: Guard,
}

impl RunDialog {
    pub(super) fn new(on: HostSelector, commands: Vec<CommandTemplate>, now: Timestamp) -> Self {
        Self {
            on,
            node: None,
            step: Step::Choose,
            commands,
            field: TextArea::default(),
            selected: 0,
            chosen: None,
            values: Vec::new(),
            at: 0,
            typed: TextArea::default(),
            scroll: 0,
            id: client::job_id(),
            guard: Guard::new(now),
        }
    }

    fn typed_filter(&self) -> String {
        self.field.lines().first().map_or("", String::as_str).trim().to_lowercase()
    }

    /// The commands that fit what was typed, by name.
    pub(super) fn fitting(&self) -> Vec<&CommandTemplate> {
        let text = self.typed_filter();
        let has = |part: &str| part.to_lowercase().contains(&text);
        let fits = |command: &&CommandTemplate| has(command.name.as_str()) || command.about.as_deref().is_some_and(has);
        self.commands.iter().filter(fits).collect()
    }

    /// Takes a command; with values where they are known already.
    fn choose(&mut self, command: &CommandTemplate, values: &BTreeMap<String, String>) {
        self.values = command.args.iter().map(|argument| Value::new(argument, values.get(&argument.name))).collect();
        self.chosen = Some(command.clone());
        self.at = 0;
        self.step = Step::Fill;
    }

    fn draft(&self) -> Option<Draft> {
        let confirm = match &self.step {
            Step::Look(preview) => preview.confirm.as_ref().map(|_| self.confirmed().to_owned()),
            _ => None,
        };
        let seen = match &self.step {
            Step::Look(preview) => Some(preview.hash.clone()),
            _ => None,
        };
        Some(Draft {
            id: self.id,
            on: self.on.clone(),
            any: false,
            command: self.chosen.as_ref()?.name.clone(),
            args: self.values.iter().map(|value| (value.argument.name.clone(), value.typed().to_owned())).collect(),
            layer: None,
            lane: Lane::Urgent,
            confirm,
            seen,
            pace: Pace::default(),
        })
    }

    /// What was typed to confirm it.
    pub(super) fn confirmed(&self) -> &str {
        self.typed.lines().first().map_or("", String::as_str)
    }

    /// Asks what would run.
    fn preview(&mut self) -> Vec<Cmd> {
        let Some(draft) = self.draft() else { return Vec::new() };
        self.step = Step::Asking;
        let purpose = Purpose::Bridge(BridgePurpose::DryRun(self.id));
        vec![Cmd::Ask(purpose, self.to_whom(BridgeRequest::DryRun(Box::new(draft))))]
    }

    /// `request`, to whom it concerns: this node, or the other one.
    fn to_whom(&self, request: BridgeRequest) -> Request {
        match &self.node {
            None => Request::Bridge(request),
            Some(node) => Request::Node(NodeRequest::On { node: node.clone(), order: NodeOrder::Bridge(request) }),
        }
    }

    /// Takes what would run, when it was asked for here.
    pub(super) fn take(&mut self, id: JobId, preview: Result<Box<Preview>, String>, now: Timestamp) {
        if id != self.id || !matches!(self.step, Step::Asking) {
            return;
        }
        (self.guard, self.scroll, self.typed) = (Guard::new(now), 0, TextArea::default());
        self.step = match preview {
            Ok(preview) => match &preview.refused {
                Some((rule, why)) => Step::Refused(format!("{rule}: {why}")),
                None => Step::Look(preview),
            },
            Err(why) => Step::Refused(why),
        };
    }

    /// The field that keys and what is pasted go into.
    pub(super) fn typing(&mut self) -> Option<&mut TextArea<'static>> {
        match &self.step {
            Step::Choose => Some(&mut self.field),
            Step::Fill => self.values.get_mut(self.at).map(|value| &mut value.field),
            Step::Look(preview) if preview.confirm.is_some() => Some(&mut self.typed),
            _ => None,
        }
    }

    /// One step back; `false` where there is none.
    fn back(&mut self) -> bool {
        self.step = match self.step {
            Step::Choose => return false,
            Step::Fill => Step::Choose,
            Step::Asking | Step::Look(_) | Step::Refused(_) if self.values.is_empty() => Step::Choose,
            Step::Asking | Step::Look(_) | Step::Refused(_) => Step::Fill,
        };
        true
    }
}

impl App {
    /// Opens the dialog for `on`, with what is known of the command already.
    pub(super) fn open_run(
        &mut self,
        on: &HostSelector,
        command: Option<(&CommandName, &BTreeMap<String, String>)>,
    ) -> Vec<Cmd> {
        let mut dialog = RunDialog::new(on.clone(), self.commands_on(on), self.now);
        let mut commands = Vec::new();
        if let Some((name, values)) = command {
            let Some(template) = dialog.commands.iter().find(|known| known.name == *name).cloned() else {
                self.toast(Severity::Info, format!("{name} is no command that may run on {}", dialog.on));
                return Vec::new();
            };
            dialog.choose(&template, values);
            if dialog.values.iter().all(|value| value.mistake().is_none()) {
                commands = dialog.preview();
            }
        }
        self.overlay = Some(Overlay::Run(Box::new(dialog)));
        commands
    }

    /// Opens the dialog for a host of another node, on which these commands may run.
    pub(super) fn open_run_at(&mut self, node: NodeName, on: &HostSelector, commands: Vec<CommandTemplate>) {
        let dialog = RunDialog { node: Some(node), ..RunDialog::new(on.clone(), commands, self.now) };
        self.overlay = Some(Overlay::Run(Box::new(dialog)));
    }

    pub(super) fn key_in_run(&mut self, key: KeyEvent, mut dialog: Box<RunDialog>) -> Vec<Cmd> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') || key.code == KeyCode::Esc && !dialog.back() {
            return Vec::new();
        }
        let commands = match (&dialog.step, key.code) {
            (_, KeyCode::Esc) | (Step::Asking | Step::Refused(_), _) => Vec::new(),
            (Step::Choose, _) => Self::key_in_choice(key, &mut dialog),
            (Step::Fill, _) => self.key_in_values(key, &mut dialog),
            (Step::Look(_), _) => match self.key_in_preview(key, &mut dialog) {
                Some(commands) => return commands,
                None => Vec::new(),
            },
        };
        self.overlay = Some(Overlay::Run(dialog));
        commands
    }

    fn key_in_choice(key: KeyEvent, dialog: &mut RunDialog) -> Vec<Cmd> {
        match key.code {
            KeyCode::Enter => {
                let Some(command) = dialog.fitting().get(dialog.selected).map(|command| (*command).clone()) else {
                    return Vec::new();
                };
                dialog.choose(&command, &BTreeMap::new());
                if dialog.values.is_empty() {
                    return dialog.preview();
                }
            }
            KeyCode::Down => {
                dialog.selected = (dialog.selected + 1).min(dialog.fitting().len().saturating_sub(1));
            }
            KeyCode::Up => dialog.selected = dialog.selected.saturating_sub(1),
            _ => {
                type_into(&mut dialog.field, key);
                dialog.selected = 0;
            }
        }
        Vec::new()
    }

    fn key_in_values(&mut self, key: KeyEvent, dialog: &mut RunDialog) -> Vec<Cmd> {
        let last = dialog.values.len().saturating_sub(1);
        match key.code {
            KeyCode::Tab => {
                if let Some(value) = dialog.values.get_mut(dialog.at) {
                    value.complete();
                }
            }
            KeyCode::Enter => match dialog.values.get(dialog.at).and_then(Value::mistake) {
                Some(mistake) => self.toast(Severity::Info, mistake),
                None if dialog.at < last => dialog.at += 1,
                None => return dialog.preview(),
            },
            KeyCode::Down => dialog.at = (dialog.at + 1).min(last),
            KeyCode::Up => dialog.at = dialog.at.saturating_sub(1),
            _ => {
                if let Some(value) = dialog.values.get_mut(dialog.at) {
                    type_into(&mut value.field, key);
                }
            }
        }
        Vec::new()
    }

    /// Keys where it is shown what would run; `None` while the dialog stays.
    fn key_in_preview(&mut self, key: KeyEvent, dialog: &mut RunDialog) -> Option<Vec<Cmd>> {
        let Step::Look(preview) = &dialog.step else { return None };
        let wanted = preview.confirm.clone();
        let plain = !key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Down => dialog.scroll += 1,
            KeyCode::Up => dialog.scroll = dialog.scroll.saturating_sub(1),
            KeyCode::PageDown => dialog.scroll += 8,
            KeyCode::PageUp => dialog.scroll = dialog.scroll.saturating_sub(8),
            _ if !dialog.guard.hears(self.now) => {}
            KeyCode::Char('y') if wanted.is_none() && plain => return Some(self.run_it(dialog)),
            KeyCode::Enter => match wanted {
                None => self.toast(Severity::Info, "y runs it"),
                Some(wanted) if dialog.confirmed() == wanted => return Some(self.run_it(dialog)),
                Some(wanted) => self.toast(Severity::Info, format!("type {wanted} to run it")),
            },
            _ if wanted.is_some() => drop(type_into(&mut dialog.typed, key)),
            _ => {}
        }
        None
    }

    fn run_it(&mut self, dialog: &RunDialog) -> Vec<Cmd> {
        let Some(draft) = dialog.draft() else { return Vec::new() };
        let command = draft.command.clone();
        self.toast(Severity::Info, format!("{command} on {} is asked for", dialog.on));
        let purpose = match &dialog.node {
            None => Purpose::Bridge(BridgePurpose::Run(command)),
            Some(node) => Purpose::Node(NodePurpose::Run(node.clone(), command)),
        };
        vec![Cmd::Ask(purpose, dialog.to_whom(BridgeRequest::Run(Box::new(draft))))]
    }
}
