//! Lines of a pane, copied to be searched: what a pattern costs is then nobody's delay who looks at the pane.

use regex::Regex;

use super::glass::{Line, Lines};
use super::style::plain;

/// Lines of a glass, newest first, each with the rows it is wrapped into.
#[derive(Debug, Clone, Default)]
pub struct Stretch {
    pub(super) wrapped: Vec<Vec<(u64, Box<str>)>>,
    pub(super) next: Option<u64>,
}

impl Stretch {
    /// Where to go on, as `before` of the next one. `None`: there are no more.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.next
    }

    /// The rows in which the pattern begins to match, newest first, `limit` of them at most.
    #[must_use]
    pub fn search(&self, pattern: &Regex, limit: usize) -> Lines {
        let mut found = Lines::default();
        for rows in &self.wrapped {
            if found.lines.len() >= limit {
                found.next = rows.last().map(|(number, _)| number + 1);
                return found;
            }
            let mut joined = String::new();
            let mut starts = Vec::new();
            for (_, text) in rows {
                starts.push(joined.len());
                joined.push_str(&plain(text));
            }
            let mut hits: Vec<usize> = pattern
                .find_iter(&joined)
                .map(|hit| starts.partition_point(|start| *start <= hit.start()) - 1)
                .collect();
            hits.dedup();
            for hit in hits.into_iter().rev() {
                let (number, text) = &rows[hit];
                if found.lines.len() == limit {
                    found.next = Some(number + 1);
                    return found;
                }
                found.lines.push(Line { number: *number, text: text.to_string() });
            }
        }
        found.next = self.next;
        found
    }
}
