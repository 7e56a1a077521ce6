//! What narrows a list: the field it is typed into, and what it asks for: words that a row must have, and `@NODE` for the
//! rows of one node. Pure.

use tui_textarea::{CursorMove, TextArea};

/// The field above a list.
#[derive(Debug, Default)]
pub(super) struct Narrowing {
    /// What a row must have; nothing when empty.
    pub field: TextArea<'static>,
    /// Keys go into it.
    pub typing: bool,
}

impl Narrowing {
    /// What was typed.
    pub(super) fn text(&self) -> &str {
        self.field.lines().first().map_or("", String::as_str)
    }

    /// Asks for `text` from now on.
    pub(super) fn set(&mut self, text: &str) {
        self.field = TextArea::new(vec![text.to_owned()]);
        self.field.move_cursor(CursorMove::End);
        self.typing = false;
    }

    /// Asks for nothing any more; answers whether it did.
    pub(super) fn clear(&mut self) -> bool {
        let was = self.typing || !self.text().is_empty();
        *self = Self::default();
        was
    }

    /// What it asks for; `nodes` are the names of all nodes, this one included.
    pub(super) fn sought<'a>(&self, nodes: impl Iterator<Item = &'a str>) -> Sought {
        Sought::new(self.text(), nodes)
    }
}

/// A filter as it was typed.
#[derive(Debug, Clone, Default)]
pub(super) struct Sought {
    /// The words, in lower case.
    text: String,
    /// What was typed behind each `@`, in lower case, and whether it is the whole name of a node.
    nodes: Vec<(String, bool)>,
}

impl Sought {
    /// Reads what was typed; `known` are the names of all nodes, this one included. What is no name yet, as somebody is
    /// still typing, means every node that begins so.
    pub(super) fn new<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.collect();
        let typed = typed.to_lowercase();
        let (nodes, words): (Vec<&str>, Vec<&str>) =
            typed.split_whitespace().partition(|word| word.len() > 1 && word.starts_with('@'));
        let nodes = nodes.into_iter().map(|word| {
            let name = &word[1..];
            (name.to_owned(), known.iter().any(|known| known.eq_ignore_ascii_case(name)))
        });
        let nodes = nodes.collect::<Vec<_>>();
        // Where no node is named, what stands between the words counts.
        let text = if nodes.is_empty() { typed.trim().to_owned() } else { words.join(" ") };
        Self { text, nodes }
    }

    /// Whether a row of `node` fits: `has` says whether it has the words, `marked` whether it has `@` and a word for
    /// another reason.
    pub(super) fn fits(&self, node: &str, marked: impl Fn(&str) -> bool, has: impl Fn(&str) -> bool) -> bool {
        let node = node.to_lowercase();
        let is_of = |(name, is_whole): &(String, bool)| {
            let is_meant = if *is_whole { node == *name } else { node.starts_with(name.as_str()) };
            is_meant || marked(name)
        };
        self.nodes.iter().all(is_of) && (self.text.is_empty() || has(&self.text))
    }
}

/// `text` with `@NODE` behind it, as a filter has it.
pub(super) fn with_node(text: &str, node: Option<&str>) -> String {
    match node {
        None => text.to_owned(),
        Some(node) if text.is_empty() => format!("@{node}"),
        Some(node) => format!("{text} @{node}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(typed: &str, node: &str, text: &str) -> bool {
        let known = ["hub-1", "hub-10", "edge"];
        Sought::new(typed, known.into_iter()).fits(node, |word| word == "web", |words| text.contains(words))
    }

    #[test]
    fn a_node_narrows_and_words_must_be_there() {
        assert!(fits("", "hub-1", ""));
        assert!(fits("@HUB-1", "hub-1", "tls") && !fits("@hub-1", "hub-10", "tls"), "the whole name means that one");
        assert!(fits("@hub", "hub-1", "") && fits("@hub", "hub-10", "") && !fits("@hub", "edge", ""));
        assert!(fits("tls @edge", "edge", "the tls port") && !fits("tls @edge", "edge", "http"));
        assert!(!fits("@edge @hub-1", "edge", ""), "both cannot be");
        assert!(fits("not ok", "edge", "is not ok") && !fits("not  ok", "edge", "is not ok"));
        assert!(fits("@web", "edge", ""), "labels are written so, too");
        assert!(!fits("a@edge", "edge", "b"), "an address is a word");
    }

    #[test]
    fn a_node_is_put_behind_words() {
        assert_eq!(with_node("tls", Some("edge")), "tls @edge");
        assert_eq!((with_node("", Some("edge")), with_node("tls", None)), ("@edge".into(), "tls".into()));
    }
}
