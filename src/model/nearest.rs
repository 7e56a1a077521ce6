//! What was probably meant by a name that is not known.

/// The known name nearest to `typed`; `None` when none is near: more than half of it would have to change.
#[must_use]
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (edits, name) = known.into_iter().map(|name| (distance(typed, name), name)).min_by_key(|(edits, _)| *edits)?;
    (edits <= typed.len().max(3) / 2).then_some(name)
}

/// Edits between two words: insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_neighbours_are_one_edit() {
        assert_eq!(distance("lsiten", "listen"), 1);
        assert_eq!(distance("", "ab"), 2);
    }

    #[test]
    fn nonsense_is_near_to_nothing() {
        assert_eq!(nearest("statsu", ["latency", "status"]), Some("status"));
        assert_eq!(nearest("zzz", ["latency", "status"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
