//! What keys, the palette and the help list can all do.

/// The views, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Is anything wrong, what needs me.
    Overview,
    /// A panel per channel.
    Channels,
    /// Messages.
    Inbox,
    /// Other aurora nodes; not built yet.
    Nodes,
    /// Checks.
    Health,
    /// Hosts, jobs and panes; not built yet.
    Bridge,
    /// What waits for a yes; not built yet.
    Approvals,
    /// Events, refusals, tasks and logs.
    Activity,
}

impl View {
    /// Every view, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::Channels,
        Self::Inbox,
        Self::Nodes,
        Self::Health,
        Self::Bridge,
        Self::Approvals,
        Self::Activity,
    ];

    /// The name on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Channels => "Channels",
            Self::Inbox => "Inbox",
            Self::Nodes => "Nodes",
            Self::Health => "Health",
            Self::Bridge => "Bridge",
            Self::Approvals => "Approvals",
            Self::Activity => "Activity",
        }
    }

    /// Why the view cannot be opened, when it cannot.
    #[must_use]
    pub fn missing(self) -> Option<&'static str> {
        match self {
            Self::Overview | Self::Channels | Self::Inbox | Self::Health | Self::Activity => None,
            Self::Nodes => Some("federation with other nodes is not built yet"),
            Self::Bridge => Some("the bridge to hosts is not built yet"),
            Self::Approvals => Some("nothing is built yet that needs an approval"),
        }
    }
}

/// One thing the operator can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Open a view.
    Go(View),
    /// Go to whatever needs a person next.
    Next,
    /// Search messages.
    Search,
    /// Open the palette.
    Palette,
    /// Show what keys do now.
    Help,
    /// Leave what is open.
    Back,
    /// Leave aurora.
    Quit,
    /// Give the terminal back to the shell for a while.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// One down.
    Down,
    /// One up.
    Up,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// Open what is selected.
    Open,
    /// The next tab.
    NextTab,
    /// The tab before.
    PreviousTab,
    /// Take the message, or give it back.
    Ack,
    /// Mark the message read, or new again.
    ToggleRead,
    /// Make the sender a VIP, or not.
    ToggleVip,
    /// Save the files that came with the message.
    Save,
    /// Show all, new, VIP or open messages.
    Filter,
    /// Start the selected task again.
    RestartTask,
    /// Let the engine read its configuration again.
    Reload,
    /// Look at the check now.
    CheckNow,
    /// Show only checks that are not ok, or all.
    ProblemsOnly,
}

impl Action {
    /// What it does, in plain words: for the help list and the palette.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Go(view) => return format!("go to {}", view.name()),
            Self::Next => "next that needs somebody: problem, VIP, unread",
            Self::Search => "search messages",
            Self::Palette => "palette: everything by name",
            Self::Help => "help: what keys do now",
            Self::Back => "back",
            Self::Quit => "quit",
            Self::Suspend => "suspend to the shell",
            Self::Redraw => "draw the screen again",
            Self::Down => "down",
            Self::Up => "up",
            Self::PageDown => "a page down",
            Self::PageUp => "a page up",
            Self::First => "to the first",
            Self::Last => "to the last",
            Self::Open => "open",
            Self::NextTab => "next tab",
            Self::PreviousTab => "previous tab",
            Self::Ack => "ack: take the message, or give it back",
            Self::ToggleRead => "mark read, or new again",
            Self::ToggleVip => "make the sender a VIP, or not",
            Self::Save => "save the files that came with the message",
            Self::Filter => "filter: all, new, VIP, open",
            Self::RestartTask => "restart the task",
            Self::Reload => "reload configuration",
            Self::CheckNow => "look at the check now",
            Self::ProblemsOnly => "only checks that are not ok, or all",
        }
        .to_owned()
    }

    /// One word for the footer.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Search => "search",
            Self::Palette => "palette",
            Self::Help => "help",
            Self::Back => "back",
            Self::Quit => "quit",
            Self::Open => "open",
            Self::NextTab => "turn",
            Self::Ack => "ack",
            Self::ToggleRead => "read",
            Self::ToggleVip => "vip",
            Self::Save => "save",
            Self::Filter => "filter",
            Self::RestartTask => "restart",
            Self::CheckNow => "look now",
            Self::ProblemsOnly => "problems",
            _ => "",
        }
    }
}
