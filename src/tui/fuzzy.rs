//! How well what was typed fits a line, and which of its letters it meant. Pure.

/// What a term costs where it begins the line, a word, or stands inside one.
const BEGINS: [u32; 3] = [0, 1, 3];
/// What it costs where its letters only come in order, each at the beginning of a word.
const SCATTERED: u32 = 8;
/// What each letter costs besides that stands inside a word and not behind the one before, without the gap between them.
const INSIDE: usize = 2;
/// The most that letters inside of words cost.
const GAPS: u32 = 40;

/// How well `typed` fits `text`: the lower the better, with the places of the letters meant, in characters.
/// Every word typed must be found, in any order and any case; `None` where one is not.
pub(super) fn fit(typed: &str, text: &str) -> Option<(u32, Vec<usize>)> {
    let text: Vec<char> = text.chars().map(lower).collect();
    let mut cost = 0;
    let mut places = Vec::new();
    for term in typed.split_whitespace() {
        let term: Vec<char> = term.chars().map(lower).collect();
        let (one, found) = whole(&term, &text).or_else(|| scattered(&term, &text))?;
        cost += one;
        places.extend(found);
    }
    places.sort_unstable();
    places.dedup();
    Some((cost, places))
}

/// One character for one, so that places stay places.
fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn begins_word(text: &[char], at: usize) -> bool {
    at == 0 || !text[at - 1].is_alphanumeric()
}

fn whole(term: &[char], text: &[char]) -> Option<(u32, Vec<usize>)> {
    let at = text.windows(term.len()).enumerate().filter(|(_, window)| *window == term).map(|(at, _)| at);
    let best = at.min_by_key(|at| (*at != 0, !begins_word(text, *at), *at))?;
    let cost = if best == 0 {
        BEGINS[0]
    } else if begins_word(text, best) {
        BEGINS[1]
    } else {
        BEGINS[2]
    };
    Some((cost, (best..best + term.len()).collect()))
}

/// The letters in order, beginnings of words preferred as long as the rest still fits behind them.
fn scattered(term: &[char], text: &[char]) -> Option<(u32, Vec<usize>)> {
    let mut places: Vec<usize> = Vec::with_capacity(term.len());
    for (index, letter) in term.iter().enumerate() {
        let from = places.last().map_or(0, |last| last + 1);
        let follows = |at: &usize| text[*at] == *letter && fits(&term[index + 1..], &text[at + 1..]);
        let mut at = (from..text.len()).filter(follows);
        let nearest = at.next()?;
        let word =
            if nearest == from { None } else { std::iter::once(nearest).chain(at).find(|at| begins_word(text, *at)) };
        places.push(word.unwrap_or(nearest));
    }
    let before = std::iter::once(None).chain(places.iter().copied().map(Some));
    let inside = before.zip(&places).map(|(before, at)| match before {
        _ if begins_word(text, *at) => 0,
        Some(before) if before + 1 == *at => 0,
        Some(before) => INSIDE + at - before - 1,
        None => INSIDE,
    });
    Some((SCATTERED + u32::try_from(inside.sum::<usize>()).unwrap_or(GAPS).min(GAPS), places))
}

fn fits(term: &[char], text: &[char]) -> bool {
    let mut text = text.iter();
    term.iter().all(|letter| text.any(|c| c == letter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost(typed: &str, text: &str) -> Option<u32> {
        fit(typed, text).map(|(cost, _)| cost)
    }

    fn meant(typed: &str, text: &str) -> String {
        let (_, places) = fit(typed, text).expect("it fits");
        text.chars().enumerate().map(|(at, c)| if places.contains(&at) { c.to_ascii_uppercase() } else { c }).collect()
    }

    #[test]
    fn beginnings_come_before_middles_and_letters() {
        assert_eq!(cost("", "quit"), Some(0));
        let costs = ["go", "inb", "box", "gibx"].map(|typed| cost(typed, "go to inbox").expect("it fits"));
        assert!(costs.is_sorted_by(|a, b| a < b), "{costs:?}");
        assert_eq!(cost("xyz", "go to inbox"), None);
        assert_eq!(cost("inbox health", "go to inbox"), None, "every word counts");
        assert!(cost("gti", "go to inbox") < cost("gti", "reload configuration"), "beginnings of words are meant");
    }

    #[test]
    fn the_letters_meant_are_marked() {
        assert_eq!(meant("inb", "go to inbox"), "go to INBox");
        assert_eq!(meant("to GO", "go to inbox"), "GO TO inbox");
        assert_eq!(meant("gti", "go to inbox"), "Go To Inbox");
        assert_eq!(meant("rt", "mark read, or new again: test"), "mark Read, or new again: Test");
        assert_eq!(meant("é", "an é"), "an é");
    }

    proptest! {
        #[test]
        fn what_is_marked_are_the_letters_typed(typed in "[a-c é]{0,6}", text in "[a-dé: ]{0,30}") {
            if let Some((_, places)) = fit(&typed, &text) {
                let text: Vec<char> = text.chars().collect();
                prop_assert!(places.is_sorted() && places.iter().all(|at| *at < text.len()));
                prop_assert!(places.iter().all(|at| typed.contains(text[*at])));
            }
        }

        #[test]
        fn a_part_of_a_line_always_fits(text in "[a-d é]{1,20}", from in 0_usize..20, to in 0_usize..20) {
            let part: String = text.chars().skip(from.min(to)).take(to.abs_diff(from)).collect();
            prop_assert!(fit(&part, &text).is_some());
        }
    }
}
