//! Keys to actions: the one table that dispatches, and from which help, palette and hints are made.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{Action, View};

/// Where a binding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// Everywhere.
    Global,
    /// In any list or text that can be moved through.
    List,
    /// In the list of messages.
    Inbox,
    /// In an open message.
    Message,
    /// Under Activity.
    Activity,
    /// In the list of tasks.
    Tasks,
    /// On the panels of channels.
    Channels,
    /// In the list of checks.
    Health,
    /// In a check that is shown in full.
    Check,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    code: KeyCode,
    control: bool,
}

const fn key(c: char) -> Key {
    Key { code: KeyCode::Char(c), control: false }
}

const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), control: true }
}

const fn named(code: KeyCode) -> Key {
    Key { code, control: false }
}

impl Key {
    fn matches(self, event: KeyEvent) -> bool {
        // Shift is part of the character already.
        self.code == event.code && self.control == event.modifiers.contains(KeyModifiers::CONTROL)
    }

    /// The key as it is written in help and hints.
    pub(super) fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::PageDown => "pgdn".to_owned(),
            KeyCode::PageUp => "pgup".to_owned(),
            KeyCode::BackTab => "shift-tab".to_owned(),
            code => code.to_string().to_lowercase(),
        };
        if self.control { format!("ctrl-{name}") } else { name }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding {
    pub context: Context,
    pub keys: &'static [Key],
    pub action: Action,
}

macro_rules! bindings {
    ($($context:ident { $([$($key:expr),+] => $action:expr;)+ })+) => {
        &[$($(Binding { context: Context::$context, keys: &[$($key),+], action: $action },)+)+]
    };
}

const ESC: Key = named(KeyCode::Esc);
const ENTER: Key = named(KeyCode::Enter);

/// Every binding. The first match in the innermost context wins.
pub(super) const BINDINGS: &[Binding] = bindings! {
    Message {
        [key('a')] => Action::Ack;
        [key('m')] => Action::ToggleRead;
        [key('V')] => Action::ToggleVip;
        [key('s')] => Action::Save;
        [named(KeyCode::Tab), named(KeyCode::Right)] => Action::NextTab;
        [named(KeyCode::BackTab), named(KeyCode::Left)] => Action::PreviousTab;
    }
    Inbox {
        [ENTER] => Action::Open;
        [key('a')] => Action::Ack;
        [key('m')] => Action::ToggleRead;
        [key('V')] => Action::ToggleVip;
        [key('f')] => Action::Filter;
    }
    Tasks {
        [key('R')] => Action::RestartTask;
    }
    Activity {
        [ENTER] => Action::Open;
        [named(KeyCode::Tab), named(KeyCode::Right)] => Action::NextTab;
        [named(KeyCode::BackTab), named(KeyCode::Left)] => Action::PreviousTab;
    }
    Channels {
        [ENTER] => Action::Open;
    }
    Check {
        [key('r')] => Action::CheckNow;
    }
    Health {
        [ENTER] => Action::Open;
        [key('r')] => Action::CheckNow;
        [key('!')] => Action::ProblemsOnly;
    }
    List {
        [key('j'), named(KeyCode::Down)] => Action::Down;
        [key('k'), named(KeyCode::Up)] => Action::Up;
        [ctrl('d'), named(KeyCode::PageDown)] => Action::PageDown;
        [ctrl('u'), named(KeyCode::PageUp)] => Action::PageUp;
        [key('g'), named(KeyCode::Home)] => Action::First;
        [key('G'), named(KeyCode::End)] => Action::Last;
    }
    Global {
        [key('n')] => Action::Next;
        [key('/')] => Action::Search;
        [key(':')] => Action::Palette;
        [key('?')] => Action::Help;
        [ESC, key('q')] => Action::Back;
        [ctrl('r')] => Action::Reload;
        [key('Q'), ctrl('c')] => Action::Quit;
        [key('1')] => Action::Go(View::Overview);
        [key('2')] => Action::Go(View::Channels);
        [key('3')] => Action::Go(View::Inbox);
        [key('4')] => Action::Go(View::Nodes);
        [key('5')] => Action::Go(View::Health);
        [key('6')] => Action::Go(View::Bridge);
        [key('7')] => Action::Go(View::Approvals);
        [key('8')] => Action::Go(View::Activity);
        [ctrl('l')] => Action::Redraw;
        [ctrl('z')] => Action::Suspend;
    }
};

/// The action of `event` where `contexts` count, innermost first.
pub(super) fn action(contexts: &[Context], event: KeyEvent) -> Option<Action> {
    valid(contexts).find(|binding| binding.keys.iter().any(|key| key.matches(event))).map(|binding| binding.action)
}

/// The bindings that count in `contexts`, innermost first.
pub(super) fn valid(contexts: &[Context]) -> impl Iterator<Item = &'static Binding> {
    contexts.iter().flat_map(|context| BINDINGS.iter().filter(move |binding| binding.context == *context))
}

/// How the keys of `binding` are written.
pub(super) fn written(binding: &Binding) -> String {
    binding.keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_context() {
        for (index, binding) in BINDINGS.iter().enumerate() {
            for other in &BINDINGS[index + 1..] {
                if binding.context == other.context {
                    let shared = binding.keys.iter().find(|key| other.keys.contains(key));
                    assert_eq!(shared, None, "{:?} and {:?}", binding.action, other.action);
                }
            }
        }
    }

    #[test]
    fn the_innermost_context_wins() {
        let event = KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE);
        assert_eq!(action(&[Context::Inbox, Context::Global], event), Some(Action::Ack));
        assert_eq!(action(&[Context::Global], event), None);
        let shifted = KeyEvent::new(KeyCode::Char('Q'), KeyModifiers::SHIFT);
        assert_eq!(action(&[Context::Global], shifted), Some(Action::Quit));
    }

    #[test]
    fn keys_are_written_as_people_say_them() {
        assert_eq!(ctrl('z').name(), "ctrl-z");
        assert_eq!(named(KeyCode::PageDown).name(), "pgdn");
        assert_eq!(ESC.name(), "esc");
    }
}
