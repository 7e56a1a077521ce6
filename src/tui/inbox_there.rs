//! The messages other nodes share, as the inbox lists them with `@NODE`.

use crate::model::{Assignee, InboxFilter, MessageRow, NodePanel, search_words};

use super::action::{Action, View};
use super::app::App;
use super::list::moved;

/// What another node shares of its messages.
#[derive(Debug)]
pub(super) struct There<'a> {
    /// What was typed behind the `@`.
    pub name: String,
    /// The node, where one is called so.
    pub node: Option<&'a NodePanel>,
    /// Those that match, newest first.
    pub rows: Vec<&'a MessageRow>,
}

impl App {
    /// The messages of the other node whose are listed; `None` where this node's are.
    pub(super) fn there(&self) -> Option<There<'_>> {
        let filter = self.inbox.elsewhere().filter(|_| self.view == View::Inbox)?;
        let panel = self.nodes_panel();
        let name = filter.node.clone().unwrap_or_default();
        let node = panel.nodes.iter().find(|node| node.name.as_str() == name);
        let shared = panel.remote(&name).filter(|_| node.is_some());
        let rows = shared.iter().flat_map(|shared| &shared.messages).filter(|row| matches(row, &filter)).collect();
        Some(There { name, node, rows })
    }

    /// The selected one of them, by its number.
    pub(super) fn index_there(&self, there: &There<'_>) -> usize {
        there.rows.iter().position(|row| Some(row.id) == self.inbox.there).unwrap_or(0)
    }

    /// Moves through them.
    pub(super) fn scroll_there(&mut self, action: Action, height: usize) {
        let Some(there) = self.there() else { return };
        let to = moved(action, self.index_there(&there), there.rows.len(), height);
        let id = to.and_then(|to| there.rows.get(to)).map(|row| row.id);
        self.inbox.there = id.or(self.inbox.there);
    }

    /// Selects one by its number; answers whether another one was selected before.
    pub(super) fn select_there(&mut self, index: usize) -> bool {
        let Some(there) = self.there() else { return false };
        let before = self.index_there(&there);
        let id = there.rows.get(index).map(|row| row.id);
        self.inbox.there = id.or(self.inbox.there);
        before != index
    }

    /// Why nothing is done here to what is listed: it is another node's.
    pub(super) fn kept_there(&self) -> Option<String> {
        let there = self.there()?;
        Some(match there.node {
            Some(node) => format!("the messages of {} are opened and answered there", node.name),
            None => format!("no node is called {:?}", there.name),
        })
    }
}

/// Whether a shared message matches, as far as what is shared says.
fn matches(row: &MessageRow, filter: &InboxFilter) -> bool {
    let has = |part: &str, words: &str| {
        let part = part.to_lowercase();
        search_words(&words.to_lowercase()).all(|word| part.contains(word))
    };
    let text = format!("{} {} {}", row.from, row.subject, row.preview);
    let is_here_only = filter.label.is_some() || filter.contact.is_some() || filter.snoozed;
    let is_somebodys = matches!(filter.assignee, Some(Assignee::Me | Assignee::Operator(_)));
    !is_here_only
        && !is_somebodys
        && filter.channel.as_ref().is_none_or(|channel| *channel == row.channel)
        && filter.from.as_ref().is_none_or(|from| has(&row.from, from))
        && filter.text.as_ref().is_none_or(|words| has(&text, words))
        && (!filter.unread || row.marks.read.is_none())
        && (!filter.vip || row.vip)
        && (!filter.open || row.marks.acked.is_none())
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn what_is_shared_is_matched_by_what_it_says() {
        let row = sample::row(2, true);
        for (query, is_it) in [
            ("@hub-2", true),
            ("@hub-2 subject vip unread open", true),
            ("@hub-2 from:\"sender 2\" channel:mail", true),
            ("@hub-2 channel:shop", false),
            ("@hub-2 nothing", false),
            ("@hub-2 label:late", false),
            ("@hub-2 assignee:anna", false),
            ("@hub-2 assignee:nobody", true),
        ] {
            let filter: InboxFilter = query.parse().expect("a query");
            assert_eq!(matches(&row, &filter), is_it, "{query}");
        }
    }
}
