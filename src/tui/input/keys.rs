//! Keys as terminals encode them: control characters, CSI and SS3 sequences, the kitty protocol.
//!
//! Sources: xterm's control sequences (ctlseqs), <https://sw.kovidgoyal.net/kitty/keyboard-protocol/>.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// The key of a character that stands for itself or for a key with control.
pub(super) fn character(c: char) -> KeyEvent {
    let control = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
    match c {
        '\r' => plain(KeyCode::Enter),
        '\t' => plain(KeyCode::Tab),
        '\x7f' => plain(KeyCode::Backspace),
        '\x1b' => plain(KeyCode::Esc),
        '\0' => control(' '),
        // The terminal sends what is left of the character after its upper bits are gone.
        '\x01'..='\x1a' => control(char::from(c as u8 - 1 + b'a')),
        '\x1c'..='\x1f' => control(char::from(c as u8 | 0x40)),
        c if c.is_uppercase() => KeyEvent::new(KeyCode::Char(c), KeyModifiers::SHIFT),
        c => plain(KeyCode::Char(c)),
    }
}

fn plain(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// The key of `ESC O` and `last`: cursor keys in application mode, F1 to F4, the keypad.
pub(super) fn single_shift(last: u8) -> Option<KeyEvent> {
    let code = match last {
        b'M' => KeyCode::Enter,
        b'R' => KeyCode::F(3),
        b'j'..=b'y' => KeyCode::Char(char::from(last - b'j' + b'*')),
        b'X' => KeyCode::Char('='),
        _ => letter(last)?,
    };
    Some(plain(code))
}

/// The key that the last character of a sequence names.
fn letter(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'E' => KeyCode::KeypadBegin,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P' => KeyCode::F(1),
        b'Q' => KeyCode::F(2),
        b'S' => KeyCode::F(4),
        _ => return None,
    })
}

/// The key of a CSI sequence with these parameters, which begin without a private mark.
pub(super) fn csi(parameters: &str, last: u8) -> Option<KeyEvent> {
    if let Some(function) = parameters.strip_prefix('[').filter(|rest| rest.is_empty()).and(function_of_linux(last)) {
        return Some(plain(function));
    }
    let mut fields = parameters.split(';');
    let first = fields.next().unwrap_or_default();
    let (modifiers, kind) = held(fields.next().unwrap_or_default())?;
    let code = match last {
        b'u' => return kitty(first, modifiers, kind),
        b'~' if first == "27" => return kitty(fields.next()?, modifiers, kind),
        b'~' => numbered(first)?,
        b'Z' => return Some(KeyEvent::new_with_kind(KeyCode::BackTab, modifiers | KeyModifiers::SHIFT, kind)),
        // `CSI row ; column R` says where the cursor is; only a first parameter of 1 is a key.
        b'R' if first == "1" || parameters.is_empty() => KeyCode::F(3),
        _ if first.is_empty() || first == "1" => letter(last)?,
        _ => return None,
    };
    Some(KeyEvent::new_with_kind(code, modifiers, kind))
}

/// F1 to F5 on the console of Linux: `CSI [ A` to `CSI [ E`.
fn function_of_linux(last: u8) -> Option<KeyCode> {
    matches!(last, b'A'..=b'E').then(|| KeyCode::F(last - b'A' + 1))
}

/// Modifiers and kind, as `1 + mask` and, after a colon, 1 pressed, 2 repeated, 3 released.
fn held(field: &str) -> Option<(KeyModifiers, KeyEventKind)> {
    const BITS: [KeyModifiers; 6] = [
        KeyModifiers::SHIFT,
        KeyModifiers::ALT,
        KeyModifiers::CONTROL,
        KeyModifiers::SUPER,
        KeyModifiers::HYPER,
        KeyModifiers::META,
    ];
    let (mask, kind) = field.split_once(':').unwrap_or((field, ""));
    let mask: u16 = if mask.is_empty() { 0 } else { mask.parse::<u16>().ok()?.checked_sub(1)? };
    let modifiers = (0..).zip(BITS).filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, modifier)| modifier).collect();
    let kind = match kind {
        "" | "1" => KeyEventKind::Press,
        "2" => KeyEventKind::Repeat,
        "3" => KeyEventKind::Release,
        _ => return None,
    };
    Some((modifiers, kind))
}

/// Keys that have a number: `CSI number ~`.
fn numbered(number: &str) -> Option<KeyCode> {
    Some(match number.parse::<u8>().ok()? {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        number @ 11..=15 => KeyCode::F(number - 10),
        number @ 17..=21 => KeyCode::F(number - 11),
        number @ 23..=24 => KeyCode::F(number - 12),
        _ => return None,
    })
}

/// A key by its code point, and keys that have one in the private area.
fn kitty(codes: &str, modifiers: KeyModifiers, kind: KeyEventKind) -> Option<KeyEvent> {
    let code: u32 = codes.split(':').next()?.parse().ok()?;
    let code = match code {
        9 if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        9 => KeyCode::Tab,
        13 | 57_414 => KeyCode::Enter,
        27 => KeyCode::Esc,
        8 | 127 => KeyCode::Backspace,
        57_399..=57_408 => KeyCode::Char(char::from_digit(code - 57_399, 10)?),
        57_409..=57_413 => KeyCode::Char(['.', '/', '*', '-', '+'][usize::try_from(code - 57_409).ok()?]),
        57_415 => KeyCode::Char('='),
        57_416 => KeyCode::Char(','),
        57_417 => KeyCode::Left,
        57_418 => KeyCode::Right,
        57_419 => KeyCode::Up,
        57_420 => KeyCode::Down,
        57_421 => KeyCode::PageUp,
        57_422 => KeyCode::PageDown,
        57_423 => KeyCode::Home,
        57_424 => KeyCode::End,
        57_425 => KeyCode::Insert,
        57_426 => KeyCode::Delete,
        // Modifiers alone, keys for sound and the like mean nothing here.
        0xe000..=0xf8ff => return None,
        code => KeyCode::Char(char::from_u32(code).filter(|c| !c.is_control())?),
    };
    Some(KeyEvent::new_with_kind(code, modifiers, kind))
}
