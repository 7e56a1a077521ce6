//! What an agent says of panes, cut to what is kept of it: the agent is another machine's.

use crate::model::PaneFacts;

/// Panes of one host that are listed.
const PANES: usize = 1_000;
/// Longest name, title or command, in bytes.
const NAME: usize = 256;
/// Longest reason, in bytes.
const WHY: usize = 400;

/// The panes of a list: none twice, no more than are kept, and no text longer than is kept.
pub(super) fn panes(mut panes: Vec<PaneFacts>) -> Vec<PaneFacts> {
    panes.truncate(PANES);
    for facts in &mut panes {
        let texts = [&mut facts.session, &mut facts.window_name, &mut facts.command, &mut facts.title];
        texts.into_iter().chain(facts.mode.as_mut()).for_each(|text| cut(text, NAME));
    }
    panes.sort_by(|a, b| (&a.session, a.window, a.index, a.id).cmp(&(&b.session, b.window, b.index, b.id)));
    let mut seen = std::collections::BTreeSet::new();
    panes.retain(|facts| seen.insert(facts.id));
    panes
}

/// A reason, in one line.
pub(super) fn why(mut why: String) -> String {
    cut(&mut why, WHY);
    why.replace(['\n', '\r'], " ")
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
    }
}

#[cfg(test)]
mod tests {
    use super::super::rig::facts;
    use super::*;

    #[test]
    fn a_list_is_in_order_and_no_longer_than_is_kept() {
        let mut many: Vec<PaneFacts> = (0..3_000).rev().map(facts).collect();
        many[2_999].title = "ä".repeat(100_000);
        let kept = panes(many);
        assert_eq!(kept.len(), PANES);
        assert!(kept.is_sorted_by_key(|facts| facts.index));
        let mut long = facts(1);
        long.title = "ä".repeat(100_000);
        assert_eq!(
            panes(vec![long.clone(), long])[..].iter().map(|facts| facts.title.len()).collect::<Vec<_>>(),
            [NAME]
        );
        assert_eq!(why("no\nserver".to_owned()), "no server");
    }
}
