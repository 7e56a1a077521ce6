//! Zoom: one part of a view in place of two, remembered for each class of terminal sizes as long as the screen runs.

use super::action::View;
use super::app::App;
use super::msg::Cmd;
use super::view;

/// Below so many rows a list has no summary.
const LOW: u16 = 16;

/// What of a view is shown, for small, ordinary and wide terminals.
#[derive(Debug, Default)]
pub(super) struct Zoom {
    /// Whether the checks are shown without what is said of the selected one.
    checks_alone: [bool; 3],
    /// Whether an open message is shown without the list.
    message_alone: [bool; 3],
}

/// Small, ordinary or wide.
fn class((columns, rows): (u16, u16)) -> usize {
    match (columns, rows) {
        (..80, _) | (_, ..24) => 0,
        (..120, _) => 1,
        _ => 2,
    }
}

impl App {
    /// Whether the list of checks has all the room.
    pub(super) fn checks_alone(&self) -> bool {
        self.zoom.checks_alone[class(self.size)] || self.is_low()
    }

    /// Whether there are too few rows for anything below a list.
    fn is_low(&self) -> bool {
        self.size.1 < LOW
    }

    /// Whether the open message has all the room, where the list would fit beside it.
    pub(super) fn message_alone(&self) -> bool {
        self.zoom.message_alone[class(self.size)]
    }

    /// Why there is nothing to show larger.
    pub(super) fn no_zoom(&self) -> Option<String> {
        let why = match self.view {
            View::Health if self.health.open.is_some() => "the check has the whole screen already",
            View::Health if self.checks_alone() && self.on_check().is_none() => "no check is selected",
            View::Inbox if self.inbox.open.is_none() && !self.previews() => "the list has the whole screen already",
            View::Inbox
                if self.inbox.open.is_some() && self.message_alone() || !view::message::fits_beside(self.size) =>
            {
                "the message has the whole screen already"
            }
            View::Health | View::Inbox => return None,
            _ => "nothing here has parts",
        };
        Some(why.to_owned())
    }

    /// Why there is nothing to show beside what is shown.
    pub(super) fn no_unzoom(&self) -> Option<String> {
        let why = match self.view {
            View::Health if self.health.open.is_some() => return None,
            View::Health if self.is_low() => "there is no room for more than the list",
            View::Health if self.checks_alone() => return None,
            View::Inbox if self.inbox.open.is_some() && !view::message::fits_beside(self.size) => {
                "the list does not fit beside the message"
            }
            View::Inbox if self.message_alone() && (self.inbox.open.is_some() || self.is_wide()) => return None,
            View::Health | View::Inbox => "everything is shown already",
            _ => "nothing here has parts",
        };
        Some(why.to_owned())
    }

    /// From list and summary to the list, from the list to one check in full; from list and message to the message.
    pub(super) fn zoom_in(&mut self) -> Vec<Cmd> {
        let class = class(self.size);
        match self.view {
            View::Health if self.checks_alone() => return self.open(),
            View::Health => self.zoom.checks_alone[class] = true,
            _ => self.zoom.message_alone[class] = true,
        }
        Vec::new()
    }

    /// One step back.
    pub(super) fn zoom_out(&mut self) {
        let class = class(self.size);
        match self.view {
            View::Health if self.health.open.take().is_some() => {}
            View::Health => self.zoom.checks_alone[class] = false,
            _ => self.zoom.message_alone[class] = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Role;

    use super::super::action::Action;
    use super::super::msg::Msg;
    use super::super::sample;
    use super::*;

    #[test]
    fn checks_go_from_all_to_one_and_back() {
        let mut app = sample::app(sample::snapshot(), Role::Viewer, false);
        assert_eq!(app.why_not(Action::Zoom).as_deref(), Some("nothing here has parts"));
        app.act(Action::Go(View::Health));
        assert!(app.why_not(Action::Unzoom).is_some());
        app.act(Action::Zoom);
        assert!(app.checks_alone() && app.health.open.is_none());
        app.act(Action::Zoom);
        assert!(app.health.open.is_some() && app.why_not(Action::Zoom).is_some());
        app.act(Action::Unzoom);
        assert!(app.checks_alone() && app.health.open.is_none());
        app.act(Action::Unzoom);
        assert!(!app.checks_alone() && app.why_not(Action::Unzoom).is_some());
    }

    #[test]
    fn each_class_of_sizes_has_its_own() {
        let mut app = sample::app(sample::snapshot(), Role::Viewer, false);
        app.act(Action::Go(View::Health));
        app.act(Action::Zoom);
        app.update(Msg::Resize(60, 18), sample::at(0));
        assert!(!app.checks_alone());
        app.update(Msg::Resize(40, 10), sample::at(0));
        assert!(app.checks_alone() && app.why_not(Action::Unzoom).is_some(), "there is no room below the list");
        app.update(Msg::Resize(100, 30), sample::at(0));
        assert!(app.checks_alone());
        assert_eq!([(39, 9), (80, 23), (80, 24), (119, 60), (120, 40)].map(class), [0, 0, 1, 1, 2]);
    }
}
