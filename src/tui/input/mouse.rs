//! The mouse as SGR reports it (mode 1006): `CSI < button ; column ; row M` pressed, `m` released.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// What the mouse did; `None` for what nobody needs.
pub(super) fn sgr(parameters: &str, pressed: bool) -> Option<MouseEvent> {
    let mut numbers = parameters.split(';').map(|number| number.parse::<u16>().ok());
    let (code, column, row) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let button = match code & 0b1100_0011 {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (code & 0b1100_0011, button) {
        (_, Some(button)) if code & 0b10_0000 != 0 => MouseEventKind::Drag(button),
        (_, Some(button)) if pressed => MouseEventKind::Down(button),
        (_, Some(button)) => MouseEventKind::Up(button),
        (3, None) => MouseEventKind::Moved,
        (0b0100_0000, None) => MouseEventKind::ScrollUp,
        (0b0100_0001, None) => MouseEventKind::ScrollDown,
        (0b0100_0010, None) => MouseEventKind::ScrollLeft,
        (0b0100_0011, None) => MouseEventKind::ScrollRight,
        _ => return None,
    };
    let bits = [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)];
    let modifiers = bits.into_iter().filter(|(bit, _)| code & bit != 0).map(|(_, modifier)| modifier).collect();
    // Both count from 1.
    Some(MouseEvent { kind, column: column.checked_sub(1)?, row: row.checked_sub(1)?, modifiers })
}
