//! Where a key counts: `[keys.<context>]`.

use std::str::FromStr;

use crate::model::nearest;

/// A part of the screen with keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Everywhere.
    Global,
    /// Everywhere while the tour of the demo goes on.
    Tour,
    /// In any list or text that can be moved through.
    List,
    /// In the list of messages.
    Inbox,
    /// In an open message.
    Message,
    /// On the panels of channels.
    Channels,
    /// In the list of checks.
    Health,
    /// In a check that is shown in full.
    Check,
    /// Among nodes.
    Nodes,
    /// Among hosts and jobs.
    Bridge,
    /// In the list of panes.
    Panes,
    /// In a pane.
    Pane,
    /// In a pane that is searched.
    PaneMatches,
    /// Among live pictures of panes.
    Tiles,
    /// Among approvals.
    Approvals,
    /// Under Activity.
    Activity,
    /// In a list of lines under Activity.
    Lines,
    /// In a list of lines that is searched.
    Matches,
    /// In the list of tasks.
    Tasks,
}

impl FromStr for Context {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let names = || Self::ALL.into_iter().map(Self::name);
        Self::named(name).ok_or_else(|| match nearest(name, names()) {
            Some(near) => format!("unknown context `{name}`; did you mean `{near}`?"),
            None => format!("unknown context `{name}`; the contexts are {}", names().collect::<Vec<_>>().join(", ")),
        })
    }
}

impl Context {
    /// Every context; an outer one comes before those within it.
    pub const ALL: [Self; 19] = [
        Self::Global,
        Self::Tour,
        Self::List,
        Self::Inbox,
        Self::Message,
        Self::Channels,
        Self::Health,
        Self::Check,
        Self::Nodes,
        Self::Bridge,
        Self::Panes,
        Self::Pane,
        Self::PaneMatches,
        Self::Tiles,
        Self::Approvals,
        Self::Activity,
        Self::Lines,
        Self::Matches,
        Self::Tasks,
    ];

    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Tour => "tour",
            Self::List => "list",
            Self::Inbox => "inbox",
            Self::Message => "message",
            Self::Channels => "channels",
            Self::Health => "health",
            Self::Check => "check",
            Self::Nodes => "nodes",
            Self::Bridge => "bridge",
            Self::Panes => "panes",
            Self::Pane => "pane",
            Self::PaneMatches => "pane_matches",
            Self::Tiles => "tiles",
            Self::Approvals => "approvals",
            Self::Activity => "activity",
            Self::Lines => "lines",
            Self::Matches => "matches",
            Self::Tasks => "tasks",
        }
    }

    /// The context called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|context| context.name() == name)
    }

    /// The context around this one, whose keys count here too where this one has no other use for them.
    #[must_use]
    pub fn within(self) -> Option<Self> {
        match self {
            Self::Global => None,
            Self::Tour | Self::List => Some(Self::Global),
            Self::Tasks | Self::Lines => Some(Self::Activity),
            Self::Matches => Some(Self::Lines),
            Self::Panes => Some(Self::Bridge),
            Self::PaneMatches => Some(Self::Pane),
            Self::Inbox
            | Self::Message
            | Self::Channels
            | Self::Health
            | Self::Check
            | Self::Nodes
            | Self::Bridge
            | Self::Pane
            | Self::Tiles
            | Self::Approvals
            | Self::Activity => Some(Self::List),
        }
    }

    /// This context and those around it, innermost first.
    pub fn outwards(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |context| context.within())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_context_has_a_name_of_its_own_and_ends_in_global() {
        for context in Context::ALL {
            assert_eq!(Context::named(context.name()), Some(context));
            assert_eq!(context.outwards().last(), Some(Context::Global));
        }
    }
}
