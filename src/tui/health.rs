//! Health as the screen holds it: checks, the worst first, and one of them in full.

use tui_textarea::TextArea;

use crate::model::{CheckHistory, CheckId, CheckPanel, CheckState};

use super::place::ChecksShown;

/// The view's state.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// The selection stays with its check when the order changes.
    selected: Option<CheckId>,
    /// Whether checks that are ok are left out.
    pub problems_only: bool,
    /// What a check must have in its id, kind, target or cause; nothing when empty.
    pub filter: TextArea<'static>,
    /// Keys go into the filter.
    pub typing: bool,
    /// The check that is shown in full.
    pub open: Option<OpenCheck>,
}

/// A check shown in full.
#[derive(Debug)]
pub(super) struct OpenCheck {
    pub id: CheckId,
    /// Its past, once it has come.
    pub history: Option<Box<CheckHistory>>,
    pub scroll: usize,
}

impl OpenCheck {
    pub(super) fn new(id: CheckId) -> Self {
        Self { id, history: None, scroll: 0 }
    }
}

impl Health {
    /// The checks that are shown, the worst first, then by name.
    pub(super) fn shown<'a>(&self, checks: &'a [CheckPanel]) -> Vec<&'a CheckPanel> {
        let text = self.text().trim().to_lowercase();
        let is_shown = |check: &&CheckPanel| (!self.problems_only || needs_a_look(check)) && has(check, &text);
        let mut shown: Vec<&CheckPanel> = checks.iter().filter(is_shown).collect();
        shown.sort_by(|a, b| (b.state, b.flapping).cmp(&(a.state, a.flapping)).then_with(|| a.id.cmp(&b.id)));
        shown
    }

    /// What is typed as the filter.
    pub(super) fn text(&self) -> &str {
        self.filter.lines().first().map_or("", String::as_str)
    }

    /// Which checks are listed.
    pub(super) fn listed(&self) -> ChecksShown {
        ChecksShown { problems_only: self.problems_only, text: self.text().trim().to_owned() }
    }

    /// Lists these checks from now on.
    pub(super) fn list(&mut self, shown: &ChecksShown) {
        self.problems_only = shown.problems_only;
        self.filter = TextArea::new(vec![shown.text.clone()]);
        self.filter.move_cursor(tui_textarea::CursorMove::End);
        self.typing = false;
    }

    /// Lets the filter go; answers whether there was one.
    pub(super) fn unfilter(&mut self) -> bool {
        let was = self.typing || !self.text().is_empty();
        self.filter = TextArea::default();
        self.typing = false;
        was
    }

    /// Whether keys go into the filter now.
    pub(super) fn is_typing(&self) -> bool {
        self.typing && self.open.is_none()
    }

    /// Where the selection is among `shown`. A check that has gone leaves it at the first.
    pub(super) fn index(&self, shown: &[&CheckPanel]) -> usize {
        let selected = self.selected.as_ref();
        shown.iter().position(|check| Some(&check.id) == selected).unwrap_or(0)
    }

    /// Selects the check at `index` of `shown`.
    pub(super) fn select(&mut self, shown: &[&CheckPanel], index: usize) {
        self.selected = shown.get(index).map(|check| check.id.clone());
    }

    /// Selects the check `id`.
    pub(super) fn select_check(&mut self, id: CheckId) {
        self.selected = Some(id);
    }

    /// The check that keys are about: the one that is open, else the selected one.
    pub(super) fn target(&self, checks: &[CheckPanel]) -> Option<CheckId> {
        if let Some(open) = &self.open {
            return Some(open.id.clone());
        }
        let shown = self.shown(checks);
        shown.get(self.index(&shown)).map(|check| check.id.clone())
    }
}

/// Whether `check` has `text`, in lower case, where a person would look for it.
fn has(check: &CheckPanel, text: &str) -> bool {
    let found = |part: &str| part.to_lowercase().contains(text);
    text.is_empty()
        || found(check.id.as_str())
        || found(&check.kind.to_string())
        || found(&check.target)
        || check.cause.as_deref().is_some_and(found)
}

/// Whether an operator would want to know.
fn needs_a_look(check: &CheckPanel) -> bool {
    check.state != CheckState::Ok || check.flapping || check.soft.is_some()
}

#[cfg(test)]
mod tests {

    use jiff::Timestamp;

    use super::*;

    fn check(id: &str, state: CheckState) -> CheckPanel {
        CheckPanel::sample(id, state, Timestamp::UNIX_EPOCH)
    }

    fn names(shown: &[&CheckPanel]) -> Vec<String> {
        shown.iter().map(|check| check.id.to_string()).collect()
    }

    #[test]
    fn the_worst_come_first_and_the_selection_stays_with_its_check() {
        let mut checks = vec![
            check("a", CheckState::Ok),
            check("b", CheckState::Critical),
            check("c", CheckState::Warn),
            check("d", CheckState::Ok),
        ];
        let mut health = Health::default();
        let shown = health.shown(&checks);
        assert_eq!(names(&shown), ["b", "c", "a", "d"]);
        health.select(&shown, 3);
        checks[3].state = CheckState::Critical;
        let shown = health.shown(&checks);
        assert_eq!((names(&shown), health.index(&shown)), (["b", "d", "c", "a"].map(str::to_owned).to_vec(), 1));
        health.problems_only = true;
        assert_eq!(names(&health.shown(&checks)), ["b", "d", "c"]);
        for (text, found) in [("C", vec!["c"]), ("HTTP", vec!["b", "d", "c"]), ("nothing", vec![])] {
            health.list(&ChecksShown { problems_only: true, text: text.into() });
            assert_eq!(names(&health.shown(&checks)), found, "{text}");
        }
        assert!(health.unfilter() && !health.unfilter());
        checks.remove(3);
        let shown = health.shown(&checks);
        assert_eq!(health.index(&shown), 0, "its check has gone");
    }
}
