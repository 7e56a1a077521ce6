//! Questions before something is done to a job or said about a plan or a person: what it is about stands there in full.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use tui_textarea::TextArea;

use crate::model::{Approval, ApprovalId, JobId, PersonAct, Plan, PlanHash, short_duration};
use crate::protocol::{BridgeRequest, Severity};
use crate::screen::exact;

use super::app::App;
use super::guard::Guard;
use super::keying::type_into;
use super::msg::{Cmd, Overlay};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asks {
    /// Shall it be stopped?
    Cancel(JobId),
    /// Did it run?
    Resolve(JobId),
    /// Shall this be said of a person?
    Person(PersonAct),
    /// Yes or no, to exactly this.
    Vote { id: ApprovalId, hash: PlanHash, yes: bool },
}

/// The question while it is open.
#[derive(Debug)]
pub(super) struct Confirm {
    pub asks: Asks,
    pub title: &'static str,
    /// What it is about. It may hold text from outside.
    pub lines: Vec<String>,
    /// A line that goes with the answer.
    pub note: TextArea<'static>,
    /// What was chosen where there is a choice: whether it ran.
    pub ran: Option<bool>,
    /// Rows of what it is about that are above.
    pub scroll: usize,
    guard: Guard,
}

impl Confirm {
    pub(super) fn cancel(id: JobId, lines: Vec<String>, now: Timestamp) -> Self {
        Self::new(Asks::Cancel(id), "Stop this job?", lines, now)
    }

    pub(super) fn resolve(id: JobId, lines: Vec<String>, now: Timestamp) -> Self {
        Self::new(Asks::Resolve(id), "Did this job run?", lines, now)
    }

    pub(super) fn vote(approval: &Approval, yes: bool, now: Timestamp) -> Self {
        let title = if yes { "Say yes to exactly this?" } else { "Say no to this?" };
        let asks = Asks::Vote { id: approval.id, hash: approval.hash.clone(), yes };
        let mut lines =
            vec![format!("asked for by {}; {} of {} have said yes", approval.by, approval.yes(), approval.need)];
        lines.extend(each_once(&approval.plans));
        if let Some(course) = &approval.rollout {
            lines.extend(course.told().into_iter().map(|(label, text)| format!("{label}: {text}")));
            lines.extend(course.undoing.iter().flat_map(|undoing| each_once(&undoing.plans)));
        }
        lines.push(format!("hash {}", approval.hash));
        Self::new(asks, title, lines, now)
    }

    pub(super) fn person(act: PersonAct, lines: Vec<String>, now: Timestamp) -> Self {
        let title = match act {
            PersonAct::Merge { .. } => "Are these one person?",
            PersonAct::Split { .. } => "A person by itself?",
        };
        Self::new(Asks::Person(act), title, lines, now)
    }

    fn new(asks: Asks, title: &'static str, lines: Vec<String>, now: Timestamp) -> Self {
        Self { asks, title, lines, note: TextArea::default(), ran: None, scroll: 0, guard: Guard::new(now) }
    }

    /// Whether there is a line to write.
    pub(super) fn has_note(&self) -> bool {
        matches!(self.asks, Asks::Resolve(_) | Asks::Vote { yes: false, .. })
    }

    /// What was written.
    pub(super) fn written(&self) -> &str {
        self.note.lines().first().map_or("", String::as_str).trim()
    }

    /// What is still missing before it can be done.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match self.asks {
            Asks::Resolve(_) if self.ran.is_none() => Some("choose with tab whether it ran"),
            Asks::Resolve(_) if self.written().is_empty() => Some("write how you know"),
            Asks::Vote { yes: false, .. } if self.written().is_empty() => Some("write why not"),
            _ => None,
        }
    }

    fn hears(&self, now: Timestamp) -> bool {
        self.guard.hears(now)
    }

    /// What is asked of the engine when it is to be done.
    fn confirmed(&self) -> Vec<Cmd> {
        let note = (!self.written().is_empty()).then(|| self.written().to_owned());
        App::ask_bridge(match &self.asks {
            Asks::Cancel(id) => BridgeRequest::Cancel(*id),
            Asks::Resolve(id) => BridgeRequest::Resolve { id: *id, ran: self.ran == Some(true), note },
            Asks::Vote { id, hash, yes } => BridgeRequest::Vote { id: *id, hash: hash.clone(), yes: *yes, note },
            Asks::Person(act) => return App::say_person(*act),
        })
    }
}

/// What runs, each once with all its hosts.
fn each_once(plans: &[Plan]) -> Vec<String> {
    let mut shown: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
    for plan in plans {
        let runs = what_runs(plan);
        match shown.iter_mut().find(|(known, _)| *known == runs) {
            Some((_, hosts)) => hosts.push(plan.host.as_str()),
            None => shown.push((runs, vec![plan.host.as_str()])),
        }
    }
    let told = |(runs, hosts): (Vec<String>, Vec<&str>)| [vec![format!("on {}:", hosts.join(", "))], runs].concat();
    shown.into_iter().flat_map(told).collect()
}

/// What a plan does, but for where.
fn what_runs(plan: &Plan) -> Vec<String> {
    if let Some(prompt) = &plan.keys {
        return vec![format!("{}: types {} into {}", plan.command, exact(&prompt.text), prompt.place)];
    }
    let argv: Vec<String> = plan.argv.iter().map(|word| exact(word)).collect();
    let mut lines = vec![format!("{}: {}", plan.command, argv.join(" "))];
    lines.extend(plan.cwd.iter().map(|cwd| format!("in {}", exact(cwd))));
    lines.extend(plan.env.iter().map(|(name, value)| format!("with {}={}", exact(name), exact(value))));
    let timeout = short_duration(std::time::Duration::from_millis(plan.timeout_ms));
    lines.push(format!("killed after {timeout}"));
    lines
}

impl App {
    pub(super) fn key_in_confirm(&mut self, key: KeyEvent, mut confirm: Box<Confirm>) -> Vec<Cmd> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let does =
            if confirm.has_note() { key.code == KeyCode::Enter } else { key.code == KeyCode::Char('y') && !control };
        // The last row that can be the first, and the rows of a page.
        let (last, page) = super::view::confirm::scrolls(self, &confirm);
        confirm.scroll = confirm.scroll.min(last);
        let is_cut = matches!(confirm.asks, Asks::Vote { yes: true, .. }) && confirm.scroll < last;
        match key.code {
            KeyCode::Esc => return Vec::new(),
            KeyCode::Char('c') if control => return Vec::new(),
            _ if !confirm.hears(self.now) => {}
            KeyCode::Down => confirm.scroll = (confirm.scroll + 1).min(last),
            KeyCode::Up => confirm.scroll = confirm.scroll.saturating_sub(1),
            KeyCode::PageDown => confirm.scroll = (confirm.scroll + page).min(last),
            KeyCode::PageUp => confirm.scroll = confirm.scroll.saturating_sub(page),
            _ if does && is_cut => self.toast(Severity::Info, "down shows the rest of it first"),
            _ if does => match confirm.missing() {
                None => return confirm.confirmed(),
                Some(missing) => self.toast(Severity::Info, missing),
            },
            KeyCode::Tab | KeyCode::BackTab if matches!(confirm.asks, Asks::Resolve(_)) => {
                confirm.ran = Some(confirm.ran != Some(true));
            }
            KeyCode::Char('n' | 'q') if !confirm.has_note() && !control => return Vec::new(),
            _ if confirm.has_note() => drop(type_into(&mut confirm.note, key)),
            _ => {}
        }
        self.overlay = Some(Overlay::Confirm(confirm));
        Vec::new()
    }
}
