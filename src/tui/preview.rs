//! The selected conversation beside the list of the Inbox, where there is room. Looking at it marks nothing.

use crate::model::MessageId;
use crate::protocol::{Reply, Request};

use super::action::View;
use super::app::App;
use super::msg::{Cmd, Purpose};
use super::opened::OpenMessage;

/// From this width on the selected conversation is shown beside the list.
const WIDE: u16 = 140;

/// What is shown, and what was asked for.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// The message that came last.
    pub shown: Option<OpenMessage>,
    /// The message that was asked for last. One that could not be read is not asked for again.
    asked: Option<MessageId>,
    /// The answer is on its way. There is one question at a time, however fast the selection moves.
    waits: bool,
}

impl App {
    /// Whether there is room for it.
    pub(super) fn is_wide(&self) -> bool {
        self.size.0 >= WIDE
    }

    /// Whether the selected conversation is shown beside the list.
    pub(super) fn previews(&self) -> bool {
        self.view == View::Inbox && self.inbox.open.is_none() && self.is_wide() && !self.message_alone()
    }

    /// What of the selected message is here.
    pub(super) fn previewed(&self) -> Option<&OpenMessage> {
        let selected = self.inbox.list.selected()?.message();
        self.inbox.preview.shown.as_ref().filter(|shown| shown.message.row.id == selected)
    }

    /// Asks for what is selected by now, where it is to be shown.
    pub(super) fn preview(&mut self) -> Option<Cmd> {
        if !self.previews() || self.inbox.preview.waits {
            return None;
        }
        let id = self.inbox.list.selected()?.message();
        if self.inbox.preview.asked == Some(id) {
            return None;
        }
        (self.inbox.preview.asked, self.inbox.preview.waits) = (Some(id), true);
        Some(Cmd::Ask(Purpose::Preview, Request::Message(id)))
    }

    /// Takes the answer; nothing when it could not be read.
    pub(super) fn take_preview(&mut self, reply: Option<Reply>) {
        self.inbox.preview.waits = false;
        self.inbox.preview.shown = match reply {
            Some(Reply::Message(Some(message))) => Some(OpenMessage::new(message, false)),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use crate::model::Role;
    use crate::protocol::Refusal;

    use super::super::action::Action;
    use super::super::msg::Msg;
    use super::super::sample;
    use super::*;

    fn press(app: &mut App, key: char) -> Vec<Cmd> {
        app.update(Msg::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE)), sample::at(0))
    }

    fn asked(commands: &[Cmd]) -> Option<MessageId> {
        match commands {
            [Cmd::Ask(Purpose::Preview, Request::Message(id))] => Some(*id),
            [] => None,
            other => panic!("{other:?}"),
        }
    }

    fn answer(app: &mut App, n: i64) -> Vec<Cmd> {
        let reply = Ok(Reply::Message(Some(sample::message(sample::row(n, false)))));
        app.update(Msg::Reply(Purpose::Preview, reply), sample::at(0))
    }

    #[test]
    fn what_is_selected_is_asked_for_once_and_nothing_is_marked() {
        let mut app = sample::app(sample::snapshot(), Role::Operator, false);
        app.update(Msg::Resize(160, 40), sample::at(0));
        assert_eq!(asked(&press(&mut app, '3')), Some(sample::row(3, false).id));
        assert_eq!(asked(&press(&mut app, 'j')), None, "one question at a time");
        assert_eq!(asked(&answer(&mut app, 3)), Some(sample::row(2, false).id), "then about what is selected by now");
        assert!(app.previewed().is_none(), "what is not selected any more is not shown");
        assert_eq!(asked(&answer(&mut app, 2)), None);
        assert!(app.previewed().is_some() && app.inbox.open.is_none());
        press(&mut app, 'j');
        let refused = Msg::Reply(Purpose::Preview, Err(Refusal::Failed("x".into())));
        assert_eq!(asked(&app.update(refused, sample::at(0))), None, "what cannot be read is not asked for for ever");
        assert!(app.toast.is_none());
    }

    #[test]
    fn zoom_leaves_the_list_alone_and_narrow_screens_show_none() {
        let mut app = sample::app(sample::snapshot(), Role::Viewer, false);
        assert_eq!(press(&mut app, '3'), []);
        app.update(Msg::Resize(139, 40), sample::at(0));
        assert!(!app.previews() && app.why_not(Action::Zoom).is_some());
        assert!(asked(&app.update(Msg::Resize(140, 40), sample::at(0))).is_some());
        assert!(app.previews() && app.why_not(Action::Zoom).is_none());
        press(&mut app, '+');
        assert!(!app.previews());
        press(&mut app, '_');
        assert!(app.previews() && app.why_not(Action::Unzoom).is_some());
    }
}
