//! The panes of all hosts as the screen holds them: which there are, which are listed, picked and selected.

use crate::model::{HostName, HostPanel, Label, PaneAddress, PaneDriver, PaneName};
use crate::protocol::{HostPanes, NoPane, PaneRow, ProgramDoing};
use crate::screen;

use super::pane_drive::{Drive, Takes};
use super::pane_watch::Watches;

/// What is known of panes.
#[derive(Debug, Default)]
pub(super) struct Panes {
    /// By host; `None` until anything was heard.
    pub hosts: Option<Vec<HostPanes>>,
    /// The selection stays with its pane, or host without panes, when others come and go.
    selected: Option<Key>,
    /// For the tiles and the merged tail, in the order they were picked.
    pub picked: Vec<PaneAddress>,
    /// What is looked at.
    pub watches: Watches,
    /// What is typed into.
    pub drive: Option<Drive>,
    /// Panes that were asked for to type there, and how often any was.
    pub takes: Takes,
    /// How often anything was searched in a pane: an answer is of one search.
    pub searches: u64,
    /// The engine was asked to tell of panes.
    pub follows: bool,
    /// A pane that is to be opened once it is known which it is.
    pub sought: Option<PaneName>,
}

/// What stands on a row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Pane(PaneAddress),
    Host(HostName),
}

/// A row of the list: a pane, or a host of which no panes are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed<'a> {
    pub host: &'a HostPanes,
    pub row: Option<&'a PaneRow>,
}

/// How a pane is, what matters most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PaneState {
    /// It calls a person.
    Calls,
    /// Its program asks something a person decides.
    Asks,
    /// There is no road to its host: what is known is old.
    Stale,
    /// Its program has ended.
    Dead,
    /// Keys go to a mode of tmux.
    Mode,
    /// Somebody types there.
    Driven,
    /// Its program works.
    Working,
    /// Its program waits for a prompt.
    Idle,
    /// It is there.
    Live,
}

impl PaneState {
    /// How `row` of `host` is.
    pub(super) fn of(host: &HostPanes, row: &PaneRow) -> Self {
        let doing = row.program.as_ref().map(|program| program.doing);
        match () {
            () if row.calls.is_some() => Self::Calls,
            () if is_stale(host) => Self::Stale,
            () if row.facts.dead.is_some() => Self::Dead,
            () if doing == Some(ProgramDoing::Asks) => Self::Asks,
            () if row.facts.mode.is_some() => Self::Mode,
            () if row.facts.driver.is_some() => Self::Driven,
            () if doing == Some(ProgramDoing::Working) => Self::Working,
            () if doing == Some(ProgramDoing::Idle) => Self::Idle,
            () => Self::Live,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Asks => "asks",
            Self::Stale => "stale",
            Self::Dead => "dead",
            Self::Mode => "mode",
            Self::Driven => "driven",
            Self::Working => "working",
            Self::Idle => "idle",
            Self::Live => "live",
        }
    }
}

/// Whether what is told of the host's panes is old.
pub(super) fn is_stale(host: &HostPanes) -> bool {
    host.layer.is_none()
}

impl Listed<'_> {
    fn key(&self) -> Key {
        match self.row {
            Some(row) => Key::Pane(self.host.address(row)),
            None => Key::Host(self.host.host.clone()),
        }
    }

    /// What a person would look for in it, in lower case.
    fn has(&self, text: &str, labels: &[Label]) -> bool {
        let found = |part: &str| part.to_lowercase().contains(text);
        let host = self.host.host.as_str();
        let anywhere = text.is_empty()
            || found(host)
            || found(&format!("@{host}"))
            || labels.iter().any(|label| found(&format!("@{label}")))
            || self.host.why.as_deref().is_some_and(found);
        anywhere
            || self.row.is_some_and(|row| {
                let facts = &row.facts;
                found(&self.host.name(row).to_string())
                    || [&facts.command, &facts.title, &facts.window_name, &facts.session]
                        .into_iter()
                        .any(|text| found(text))
                    || found(PaneState::of(self.host, row).as_str())
                    || row.program.as_ref().is_some_and(|program| found(&program.tool))
            })
    }
}

impl Panes {
    /// The rows that have all words of `text`, which is in lower case; a word `@NAME` is a host or a label. `labels` are
    /// those of a host.
    pub(super) fn listed<'a>(&'a self, text: &str, labels: impl Fn(&HostName) -> &'a [Label]) -> Vec<Listed<'a>> {
        let hosts = self.hosts.as_deref().unwrap_or_default();
        let rows = hosts.iter().flat_map(|host| {
            let none = host.panes.is_empty().then_some(Listed { host, row: None });
            host.panes.iter().map(move |row| Listed { host, row: Some(row) }).chain(none)
        });
        rows.filter(|row| text.split_whitespace().all(|word| row.has(word, labels(&row.host.host)))).collect()
    }

    /// The pane and its host.
    pub(super) fn row(&self, pane: &PaneAddress) -> Option<(&HostPanes, &PaneRow)> {
        let host = self.hosts.as_ref()?.iter().find(|host| host.host == pane.host)?;
        host.panes.iter().find(|row| row.facts.id == pane.pane).map(|row| (host, row))
    }

    /// How a person names it, for a screen.
    pub(super) fn shown_name(&self, pane: &PaneAddress) -> String {
        self.name(pane)
            .map_or_else(|| format!("{}:%{}", pane.host, pane.pane.number), |name| screen::line(&name.to_string()))
    }

    /// How a person names it, while it is listed.
    pub(super) fn name(&self, pane: &PaneAddress) -> Option<PaneName> {
        self.row(pane).map(|(host, row)| host.name(row))
    }

    /// The pane a person means; nothing while that is not known yet.
    ///
    /// # Errors
    /// Why there is none, once its host is known well enough to say so.
    pub(super) fn find(&self, sought: &PaneName) -> Result<Option<PaneAddress>, String> {
        let Some(hosts) = &self.hosts else { return Ok(None) };
        let Some(host) = hosts.iter().find(|host| host.host == sought.host) else {
            return Err(format!("no panes of a host called {} are known", sought.host));
        };
        match host.find(sought) {
            Ok(pane) => Ok(Some(pane)),
            Err(NoPane::Unreached { why: None, .. }) => Ok(None),
            Err(no_pane) => Err(no_pane.to_string()),
        }
    }

    /// Where the selection is among `listed`.
    pub(super) fn index(&self, listed: &[Listed<'_>]) -> usize {
        listed.iter().position(|row| Some(row.key()) == self.selected).unwrap_or(0)
    }

    /// What is selected by being the row at `index` of `listed`.
    pub(super) fn key_at(listed: &[Listed<'_>], index: usize) -> Selection {
        Selection(listed.get(index).map(Listed::key))
    }

    pub(super) fn select(&mut self, selection: Selection) {
        self.selected = selection.0;
    }

    pub(super) fn select_pane(&mut self, pane: PaneAddress) {
        self.selected = Some(Key::Pane(pane));
    }

    /// Lets go of the panes of hosts that are not there any more.
    pub(super) fn keep_hosts(&mut self, panels: &[HostPanel]) {
        if let Some(hosts) = &mut self.hosts {
            hosts.retain(|host| panels.iter().any(|panel| panel.name == host.host));
        }
    }

    /// Takes the panes of some hosts, as they are now.
    pub(super) fn take(&mut self, told: &[HostPanes]) {
        let hosts = self.hosts.get_or_insert_default();
        for host in told {
            match hosts.iter_mut().find(|known| known.host == host.host) {
                Some(known) => known.clone_from(host),
                None => hosts.push(host.clone()),
            }
        }
        hosts.sort_by(|a, b| a.host.cmp(&b.host));
        self.picked.retain(|pane| {
            let host = hosts.iter().find(|host| host.host == pane.host);
            host.is_none_or(|host| host.panes.iter().any(|row| row.facts.id == pane.pane) || is_stale(host))
        });
    }
}

impl Panes {
    /// Somebody types there, or nobody, before the list says so.
    pub(super) fn driven(&mut self, pane: &PaneAddress, driver: Option<&PaneDriver>) {
        let hosts = self.hosts.iter_mut().flatten().filter(|host| host.host == pane.host);
        for row in hosts.flat_map(|host| &mut host.panes).filter(|row| row.facts.id == pane.pane) {
            row.facts.driver = driver.cloned();
        }
    }
}

/// What a row of the list stands for.
#[derive(Debug, Clone)]
pub(super) struct Selection(Option<Key>);

#[cfg(test)]
mod tests {
    use super::super::pane_sample;
    use super::*;

    fn names(panes: &Panes, text: &str) -> Vec<String> {
        let named = |row: &Listed<'_>| {
            row.row.map_or_else(|| row.host.host.to_string(), |pane| row.host.name(pane).to_string())
        };
        panes.listed(text, |_| &[]).iter().map(named).collect()
    }

    fn panes() -> Panes {
        let mut panes = Panes::default();
        panes.take(&pane_sample::panes());
        panes
    }

    #[test]
    fn panes_stand_by_host_and_the_selection_stays() {
        let mut panes = panes();
        assert_eq!(names(&panes, ""), ["db-1", "web-1:0.0", "web-1:0.1", "web-2:claude:0.0", "web-2:work:0.0"]);
        assert_eq!(names(&panes, "@web-2 work"), ["web-2:work:0.0"]);
        assert_eq!(names(&panes, "make"), ["web-1:0.0"]);
        let second = Panes::key_at(&panes.listed("", |_| &[]), 2);
        panes.select(second);
        let mut told = pane_sample::panes();
        told[1].panes.remove(0);
        panes.take(&told);
        assert_eq!(panes.index(&panes.listed("", |_| &[])), 1);
    }

    #[test]
    fn a_name_means_one_pane_or_says_why_not() {
        let panes = panes();
        let find = |text: &str| panes.find(&text.parse().expect("a name"));
        assert_eq!(find("web-1:0.1").map(|pane| pane.map(|pane| pane.pane.number)), Ok(Some(1)));
        assert_eq!(find("web-2:work:0.0").map(|pane| pane.map(|pane| pane.pane.number)), Ok(Some(5)));
        assert!(find("web-2:0.0").is_err_and(|why| why.contains("several sessions")));
        assert!(find("web-1:7.0").is_err_and(|why| why == "no pane is called web-1:7.0"));
        assert!(find("db-1:0.0").is_err_and(|why| why.ends_with(": no tmux server runs there")));
        assert!(find("web-9:0.0").is_err());
        assert_eq!(Panes::default().find(&"web-1:0.0".parse().expect("a name")), Ok(None), "nothing is known yet");
    }
}
