//! Moving through a list. Pure.

use super::action::Action;

/// The first row shown, page by page: a move inside a page changes two rows and not the whole screen.
pub(super) fn first_shown(selected: usize, height: usize) -> usize {
    selected.checked_div(height).map_or(0, |page| page * height)
}

/// Where `action` leads from `selected` in a list of `len` rows, `height` of which are shown.
pub(super) fn moved(action: Action, selected: usize, len: usize, height: usize) -> Option<usize> {
    let page = height.max(1);
    let to = match action {
        Action::Down => selected + 1,
        Action::Up => selected.saturating_sub(1),
        Action::PageDown => selected + page,
        Action::PageUp => selected.saturating_sub(page),
        Action::First => 0,
        Action::Last => len,
        _ => return None,
    };
    Some(to.min(len.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_stay_inside() {
        assert_eq!(moved(Action::Down, 4, 5, 3), Some(4));
        assert_eq!(moved(Action::Up, 0, 5, 3), Some(0));
        assert_eq!(moved(Action::PageDown, 0, 5, 3), Some(3));
        assert_eq!(moved(Action::Last, 0, 5, 3), Some(4));
        assert_eq!(moved(Action::Last, 0, 0, 3), Some(0));
        assert_eq!(moved(Action::Help, 0, 5, 3), None);
        assert_eq!(first_shown(7, 5), 5);
        assert_eq!(first_shown(7, 0), 0);
    }
}
