//! What the terminal says was pressed, as one key.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::config::{Held, Key, KeyCap};

/// The key of `event`; `None` for a release, for keys nobody can write down, and with modifiers that are no part of a key.
///
/// Legacy terminals and those with the kitty protocol tell the same press in different ways; both are one [`Key`].
pub(super) fn key(event: KeyEvent) -> Option<Key> {
    let modifiers = event.modifiers;
    if event.kind == KeyEventKind::Release || modifiers.intersects(KeyModifiers::SUPER | KeyModifiers::HYPER) {
        return None;
    }
    let mut held = Held {
        ctrl: modifiers.contains(KeyModifiers::CONTROL),
        // Some keyboards still have a meta key, and terminals send it as they send alt.
        alt: modifiers.intersects(KeyModifiers::ALT | KeyModifiers::META),
        shift: modifiers.contains(KeyModifiers::SHIFT),
    };
    let cap = match event.code {
        KeyCode::Char(c) => KeyCap::Char(c),
        // The null byte is ctrl-space, or ctrl-@ on the keyboards that have it there.
        KeyCode::Null => {
            held.ctrl = true;
            KeyCap::Char(' ')
        }
        KeyCode::Enter => KeyCap::Enter,
        KeyCode::Esc => KeyCap::Esc,
        KeyCode::Tab => KeyCap::Tab,
        KeyCode::BackTab => {
            held.shift = true;
            KeyCap::Tab
        }
        KeyCode::Backspace => KeyCap::Backspace,
        KeyCode::Delete => KeyCap::Delete,
        KeyCode::Insert => KeyCap::Insert,
        KeyCode::Home => KeyCap::Home,
        KeyCode::End => KeyCap::End,
        KeyCode::PageUp => KeyCap::PageUp,
        KeyCode::PageDown => KeyCap::PageDown,
        KeyCode::Up => KeyCap::Up,
        KeyCode::Down => KeyCap::Down,
        KeyCode::Left => KeyCap::Left,
        KeyCode::Right => KeyCap::Right,
        KeyCode::F(number) => KeyCap::Function(number),
        _ => return None,
    };
    Key::new(cap, held)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: KeyModifiers = KeyModifiers::NONE;
    const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
    const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
    const ALT: KeyModifiers = KeyModifiers::ALT;

    #[test]
    fn one_press_is_one_key_however_the_terminal_says_it() {
        let char = KeyCode::Char;
        let cases: &[(&str, &[(KeyCode, KeyModifiers)])] = &[
            ("a", &[(char('a'), NONE)]),
            ("Q", &[(char('Q'), NONE), (char('Q'), SHIFT), (char('q'), SHIFT)]),
            ("Ä", &[(char('Ä'), NONE), (char('Ä'), SHIFT), (char('ä'), SHIFT)]),
            ("?", &[(char('?'), NONE), (char('?'), SHIFT)]),
            ("ß", &[(char('ß'), NONE), (char('ß'), SHIFT)]),
            ("space", &[(char(' '), NONE), (char(' '), SHIFT)]),
            ("ctrl-r", &[(char('r'), CONTROL), (char('R'), CONTROL), (char('r'), CONTROL.union(SHIFT))]),
            ("ctrl-space", &[(char(' '), CONTROL), (KeyCode::Null, NONE), (char('@'), CONTROL), (char('2'), CONTROL)]),
            ("tab", &[(KeyCode::Tab, NONE), (char('i'), CONTROL)]),
            ("shift-tab", &[(KeyCode::BackTab, NONE), (KeyCode::BackTab, SHIFT), (KeyCode::Tab, SHIFT)]),
            (
                "enter",
                &[(KeyCode::Enter, NONE), (char('m'), CONTROL), (KeyCode::Enter, SHIFT), (KeyCode::Enter, CONTROL)],
            ),
            ("backspace", &[(KeyCode::Backspace, NONE), (char('h'), CONTROL), (KeyCode::Backspace, CONTROL)]),
            ("esc", &[(KeyCode::Esc, NONE), (char('['), CONTROL), (KeyCode::Esc, ALT), (char('3'), CONTROL)]),
            ("ctrl-\\", &[(char('\\'), CONTROL), (char('4'), CONTROL)]),
            ("ctrl-]", &[(char(']'), CONTROL), (char('5'), CONTROL)]),
            ("ctrl-_", &[(char('_'), CONTROL), (char('7'), CONTROL), (char('/'), CONTROL)]),
            ("alt-x", &[(char('x'), ALT), (char('x'), KeyModifiers::META)]),
            ("alt-X", &[(char('X'), ALT), (char('x'), ALT.union(SHIFT))]),
            ("ctrl-alt-x", &[(char('x'), CONTROL.union(ALT))]),
            ("alt-enter", &[(KeyCode::Enter, ALT), (char('m'), CONTROL.union(ALT))]),
            ("ctrl-shift-right", &[(KeyCode::Right, CONTROL.union(SHIFT))]),
            ("shift-f3", &[(KeyCode::F(3), SHIFT)]),
            ("pgdn", &[(KeyCode::PageDown, NONE)]),
        ];
        for (written, events) in cases {
            for (code, modifiers) in *events {
                let found = key(KeyEvent::new(*code, *modifiers)).map(|key| key.to_string());
                assert_eq!(found.as_deref(), Some(*written), "{code:?} with {modifiers:?}");
                assert_eq!(written.parse::<Key>().map(|key| key.to_string()).as_deref(), Ok(*written));
            }
        }
    }

    #[test]
    fn what_is_no_press_is_no_key() {
        let release = KeyEvent::new_with_kind(KeyCode::Char('a'), NONE, KeyEventKind::Release);
        let repeat = KeyEvent::new_with_kind(KeyCode::Char('a'), NONE, KeyEventKind::Repeat);
        assert_eq!(key(release), None);
        assert_eq!(key(repeat), "a".parse().ok(), "whoever holds a key wants more of it");
        for (code, modifiers) in [
            (KeyCode::CapsLock, NONE),
            (KeyCode::Modifier(crossterm::event::ModifierKeyCode::LeftShift), SHIFT),
            (KeyCode::Media(crossterm::event::MediaKeyCode::Play), NONE),
            (KeyCode::F(13), NONE),
            (KeyCode::Char('a'), KeyModifiers::SUPER),
            (KeyCode::Char('ä'), CONTROL),
            (KeyCode::Char('\u{1}'), NONE),
        ] {
            assert_eq!(key(KeyEvent::new(code, modifiers)), None, "{code:?} with {modifiers:?}");
        }
    }
}
