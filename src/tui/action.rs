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
    /// Other aurora nodes.
    Nodes,
    /// Checks.
    Health,
    /// Hosts and jobs.
    Bridge,
    /// What waits for a yes.
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

    /// The action that goes there: its name, its words, and no hint.
    fn going(self) -> (&'static str, &'static str, &'static str) {
        let (name, words) = match self {
            Self::Overview => ("go_overview", "go to Overview"),
            Self::Channels => ("go_channels", "go to Channels"),
            Self::Inbox => ("go_inbox", "go to Inbox"),
            Self::Nodes => ("go_nodes", "go to Nodes"),
            Self::Health => ("go_health", "go to Health"),
            Self::Bridge => ("go_bridge", "go to Bridge"),
            Self::Approvals => ("go_approvals", "go to Approvals"),
            Self::Activity => ("go_activity", "go to Activity"),
        };
        (name, words, "")
    }
}

macro_rules! actions {
    ($($action:ident = $name:literal, $words:literal, $hint:literal;)+) => {
        /// One thing the operator can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            /// Open a view.
            Go(View),
            $(#[doc = concat!($words, ".")] $action,)+
        }

        impl Action {
            /// The actions that stand for themselves.
            const PLAIN: &[Self] = &[$(Self::$action),+];

            fn row(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    Self::Go(view) => view.going(),
                    $(Self::$action => ($name, $words, $hint),)+
                }
            }
        }
    };
}

// The name, which is stable and used in `[keys.<context>]`; what it does, in plain words, for help and palette; one or two
// words for the footer, or none.
actions! {
    Next = "next_urgent", "next that needs somebody: broken, critical, VIP waiting, warning, unread", "next";
    HistoryBack = "history_back", "back to the place before this one", "";
    HistoryForward = "history_forward", "forward again along the places", "";
    LastPlace = "last_place", "to the place before and back again", "";
    PreviousUrgent = "previous_urgent", "back to what needed somebody before", "";
    Search = "search", "search messages", "search";
    Palette = "palette", "palette: everything by name", "palette";
    Problems = "problems", "all that is wrong, in full, and what to do", "";
    Help = "help", "help: what keys do now", "help";
    Back = "back", "back", "back";
    Quit = "quit", "quit", "quit";
    Utc = "utc", "times in UTC, or in the zone here", "";
    Zoom = "zoom", "zoom: one part of what is shown, larger", "";
    Unzoom = "unzoom", "zoom out: all parts of what is shown", "";
    Suspend = "suspend", "suspend to the shell", "";
    Redraw = "redraw", "draw the screen again", "";
    Themes = "themes", "themes: choose how the screen looks", "";
    Down = "down", "down", "";
    Up = "up", "up", "";
    PageDown = "page_down", "a page down", "";
    PageUp = "page_up", "a page up", "";
    First = "first", "to the first", "";
    Last = "last", "to the last", "";
    Open = "open", "open", "open";
    NextTab = "next_tab", "next tab", "turn";
    PreviousTab = "previous_tab", "previous tab", "";
    Ack = "ack", "ack: take the message, or give it back", "ack";
    ToggleRead = "toggle_read", "mark read, or new again", "read";
    ToggleVip = "toggle_vip", "make the sender a VIP, or not", "vip";
    SamePerson = "same_person", "same person as another contact: one thread, whichever way they write", "";
    Save = "save", "save the files that came with the message", "save";
    Filter = "filter", "filter: all, new, VIP, open", "filter";
    Views = "views", "saved views: choose one, save what is shown, delete one", "views";
    ToggleOrder = "toggle_order", "what is searched: what fits best first, or the newest", "best";
    RestartTask = "restart_task", "restart the task, or one at the node", "restart";
    Reload = "reload", "reload configuration", "";
    CheckNow = "check_now", "look at the check now", "look now";
    FilterChecks = "filter_checks", "filter checks: id, kind, target or cause", "filter";
    ProblemsOnly = "problems_only", "only what is not ok, or all", "problems";
    RunCommand = "run_command", "run a command on the host, or at the node", "run";
    CancelJob = "cancel_job", "cancel the job: take it back, or stop its processes", "cancel";
    ResolveJob = "resolve_job", "say whether a job with an unknown end ran", "resolve";
    ProbeHost = "probe_host", "ask the host's agent now, over every layer", "probe";
    JobHost = "job_host", "go to the host of the job", "host";
    FilterBridge = "filter_bridge", "filter hosts, jobs or panes: name, label, state, command", "filter";
    Drive = "drive", "take the pane over: your keys go there until ctrl-]", "type";
    Tiles = "tiles", "tiles: live pictures of all listed panes, or of the picked ones", "tiles";
    TailPicked = "tail_picked", "tail: the last lines of the picked panes, as they come", "tail";
    MarkPane = "mark_pane", "be called when the pane prints, falls silent or shows a pattern", "mark";
    RecordPane = "record_pane", "record what the pane shows to a file, or no longer", "record";
    Left = "left", "to the left", "";
    Right = "right", "to the right", "";
    PanUp = "pan_up", "what is above, of a pane that is higher than its room", "";
    PanDown = "pan_down", "what is below, of a pane that is higher than its room", "";
    FollowCursor = "follow_cursor", "go with the pane's cursor again", "";
    Grant = "grant_approval", "say yes to exactly this plan", "yes";
    Deny = "deny_approval", "say no to this plan", "no";
    InviteNode = "invite_node", "invite another node: a token that counts once, for 15 minutes", "invite";
    JoinNode = "join_node", "join another node, by the token it made", "";
    RotateKey = "rotate_key", "change this node's key; the others learn the new one", "";
    TrustNode = "trust_node", "let the node do more or less here, and end its quarantine", "trust";
    RemoveNode = "remove_node", "forget the node: its key no longer counts", "forget";
    Pick = "pick", "pick this one for an act on many, or no longer", "pick";
    PickRange = "pick_range", "pick from here to where you go", "";
    PickAll = "pick_all", "pick all that are listed, or none", "";
    Snooze = "snooze", "snooze: out of sight until a time or a reply", "snooze";
    Label = "label", "put a label on, or take it off", "label";
    Assign = "assign", "assign to an operator, or to nobody", "assign";
    Note = "note", "write a note beside the conversation", "note";
    Undo = "undo", "undo what was just done", "";
    Trace = "trace", "the way of this message: each step with its time", "trace";
    Expand = "expand", "earlier messages in full, or a line of each", "expand";
    Find = "find", "search these lines", "search";
    NextMatch = "next_match", "next line that matches", "next match";
    PreviousMatch = "previous_match", "line before that matches", "match before";
    NextError = "next_error", "next line that says that something failed", "next error";
    PreviousError = "previous_error", "line before that says that something failed", "";
    TourNext = "tour_next", "go on to the next step of the tour", "";
    TourLeave = "tour_leave", "leave the tour", "";
    ToggleMouse = "toggle_mouse", "mouse: the screen's, or the terminal's", "";
    ToggleLite = "toggle_lite", "lite: do with less, as on a slow line, or not", "";
    ToggleFigures = "toggle_figures", "line figures: distance and bytes a second, or not", "";
}

/// What an action is about, where that is more than the view it is pressed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Conversations.
    Desk,
    /// Hosts, jobs and approvals.
    Bridge,
    /// Nodes.
    Nodes,
    /// Where one looks: the selection, the scroll.
    Moves,
    /// What is on the screen, or anything else.
    Other,
}

impl Action {
    /// What it is about. In the Nodes view some are about nodes that are about something else elsewhere.
    pub(super) fn subject(self, view: View) -> Subject {
        match self {
            Self::RunCommand | Self::RestartTask if view == View::Nodes => Subject::Nodes,
            Self::InviteNode | Self::JoinNode | Self::RotateKey | Self::TrustNode | Self::RemoveNode => Subject::Nodes,
            Self::Ack
            | Self::ToggleRead
            | Self::Snooze
            | Self::Label
            | Self::Assign
            | Self::Note
            | Self::Undo
            | Self::Pick
            | Self::PickRange
            | Self::PickAll => Subject::Desk,
            Self::RunCommand
            | Self::CancelJob
            | Self::ResolveJob
            | Self::ProbeHost
            | Self::JobHost
            | Self::FilterBridge
            | Self::Grant
            | Self::Deny => Subject::Bridge,
            Self::Down | Self::Up | Self::PageDown | Self::PageUp | Self::First | Self::Last => Subject::Moves,
            _ => Subject::Other,
        }
    }

    /// Every action.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::PLAIN.iter().copied().chain(View::ALL.into_iter().map(Self::Go))
    }

    /// The action called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|action| action.name() == name)
    }

    /// Its stable name: in the configuration, in help, and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// What it does, in plain words: for help and the palette.
    #[must_use]
    pub fn words(self) -> &'static str {
        self.row().1
    }

    /// A word or two for the footer; empty where it is not worth the room.
    #[must_use]
    pub fn hint(self) -> &'static str {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_of_its_own_and_words() {
        for action in Action::all() {
            assert_eq!(Action::named(action.name()), Some(action), "two actions are called {}", action.name());
            assert!(action.name().chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", action.name());
            assert!(!action.words().is_empty(), "{}", action.name());
        }
        assert_eq!(Action::named("next_urgent"), Some(Action::Next));
        assert_eq!(Action::named("Next"), None);
    }
}
