//! Activity as the screen holds it: four lists under tabs.

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ActivityTab {
    #[default]
    Events,
    Refusals,
    Tasks,
    Logs,
}

impl ActivityTab {
    pub(super) const ALL: [Self; 4] = [Self::Events, Self::Refusals, Self::Tasks, Self::Logs];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Events => "Events",
            Self::Refusals => "Refusals",
            Self::Tasks => "Tasks",
            Self::Logs => "Logs",
        }
    }
}

/// The view's state: which list, and where in each.
#[derive(Debug, Default)]
pub(super) struct Activity {
    pub tab: ActivityTab,
    selected: [usize; 4],
}

impl Activity {
    pub(super) fn turn(&mut self, forward: bool) {
        let step = if forward { 1 } else { ActivityTab::ALL.len() - 1 };
        self.tab = ActivityTab::ALL[(self.tab as usize + step) % ActivityTab::ALL.len()];
    }

    pub(super) fn index(&self) -> usize {
        self.selected[self.tab as usize]
    }

    pub(super) fn select(&mut self, index: usize) {
        self.selected[self.tab as usize] = index;
    }
}
