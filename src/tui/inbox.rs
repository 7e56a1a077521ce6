//! The inbox as the screen holds it: a list, its filter or search, the open message.

use tui_textarea::TextArea;

use crate::model::{
    Assignee, BadQuery, ChannelId, ContactId, ConversationRow, DeskChange, InboxFilter, Item, Label, MessageId,
    MessagePage, OperatorName, Order, Place, SavedView,
};
use crate::protocol::Request;

use super::listed::Listed;
use super::opened::OpenMessage;
use super::picked::Picked;
use super::preview::Preview;
use super::window::{PAGE, Placed, Window};

/// Which messages are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shown {
    /// All.
    #[default]
    All,
    /// What nobody has read.
    New,
    /// By VIPs.
    Vip,
    /// What nobody has taken.
    Open,
    /// What nobody has read or taken. The key of all lists that shows what is not ok leads here.
    Waiting,
}

impl Shown {
    pub(super) fn next(self) -> Self {
        match self {
            Self::All => Self::New,
            Self::New => Self::Vip,
            Self::Vip => Self::Open,
            Self::Open | Self::Waiting => Self::All,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::New => "new",
            Self::Vip => "VIP",
            Self::Open => "open",
            Self::Waiting => "new and open",
        }
    }
}

/// A search that is being typed.
#[derive(Debug)]
pub(super) struct Search {
    pub field: TextArea<'static>,
    /// Keys go into the field; otherwise they move through the hits.
    pub typing: bool,
    /// What comes first.
    pub order: Order,
    /// Older messages match, too, and were not ranked.
    pub unranked: bool,
}

impl Search {
    fn new(field: TextArea<'static>, typing: bool) -> Self {
        Self { field, typing, order: Order::Newest, unranked: false }
    }

    pub(super) fn query(&self) -> &str {
        self.field.lines().first().map_or("", String::as_str)
    }
}

/// The saved view that is shown.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub name: String,
    /// As it was saved.
    pub query: String,
    filter: InboxFilter,
}

/// What actions are about.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub item: Item,
    pub message: MessageId,
    pub contact: Option<ContactId>,
    pub vip: bool,
    pub unread: bool,
    pub acked: bool,
    pub labels: Vec<Label>,
}

/// The inbox view's state.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub list: Window<Listed>,
    pub picked: Picked<Item>,
    pub shown: Shown,
    pub channel: Option<ChannelId>,
    pub search: Option<Search>,
    /// The view whose conversations are listed.
    pub saved: Option<Saved>,
    /// The list was asked for by words, and older messages that hold them were not looked at.
    pub partly: bool,
    /// The view somebody wants to go to, until it is clear what it is.
    pub awaited: Option<String>,
    /// The views there are, as far as anybody has asked.
    pub views: Vec<SavedView>,
    /// The node this is, once that is known: `@NODE` of another one lists what that shares.
    pub node: String,
    /// The selected message of another node.
    pub there: Option<MessageId>,
    /// Who looks, once that is known: a view may be about what is theirs.
    pub me: Option<OperatorName>,
    pub open: Option<OpenMessage>,
    /// The selected conversation beside the list.
    pub preview: Preview,
    /// Parts of a page that is not whole yet.
    gathered: Vec<Listed>,
}

impl Inbox {
    /// What to ask for the rows of another list.
    pub(super) fn request(&mut self) -> Option<Request> {
        let request = self.page(None);
        self.partly = false;
        self.picked.clear();
        if request.is_some() {
            self.list.begin();
        } else {
            self.list.clear();
        }
        request
    }

    /// What to ask for newer rows of the same list.
    pub(super) fn refresh(&mut self) -> Option<Request> {
        let request = self.page(None)?;
        if self.search.as_ref().is_some_and(|search| search.order == Order::Best) {
            // What is ranked stands in no order that more could be put into.
            self.list.begin();
        } else {
            self.list.refresh();
        }
        Some(request)
    }

    fn page(&mut self, before: Option<Place>) -> Option<Request> {
        self.gathered.clear();
        self.ask(before)
    }

    /// Takes a part of a page. Answers what to ask for the rest of it, `None` when it is whole.
    pub(super) fn gather(&mut self, part: MessagePage) -> Option<Request> {
        self.gathered.extend(part.rows.into_iter().map(|row| Listed::Message(Box::new(row))));
        if let Some(search) = self.search.as_mut().filter(|search| search.order == Order::Best) {
            // Older ones would be ranked among themselves only.
            search.unranked = part.next.is_some();
            return None;
        }
        let seq = part.next.filter(|_| self.gathered.len() < PAGE)?;
        self.list.take_beginning(&self.gathered);
        self.ask(Some(Place { tier: 0, seq, n: 0 }))
    }

    /// The page that was gathered.
    pub(super) fn gathered(&mut self) -> Vec<Listed> {
        std::mem::take(&mut self.gathered)
    }

    fn ask(&self, before: Option<Place>) -> Option<Request> {
        match &self.search {
            Some(search) if search.query().trim().is_empty() => None,
            // While a condition is being typed there is nothing to ask, and nothing of other nodes.
            Some(search) => {
                let filter: InboxFilter = search.query().parse().ok()?;
                if self.elsewhere().is_some() {
                    return None;
                }
                let before = before.map(|place| place.seq);
                Some(Request::Search { filter, order: search.order, before, limit: PAGE })
            }
            None => Some(Request::Conversations { filter: self.filter(), before, limit: PAGE }),
        }
    }

    /// What is listed where it is of another node.
    pub(super) fn elsewhere(&self) -> Option<InboxFilter> {
        let filter: InboxFilter = self.search.as_ref()?.query().parse().ok()?;
        let is_other = filter.node.as_ref().is_some_and(|node| *node != self.node);
        is_other.then_some(filter)
    }

    /// Which messages are listed, the words of a search included.
    pub(super) fn listed(&self) -> InboxFilter {
        match &self.search {
            Some(search) => {
                let text = search.query().trim();
                text.parse().unwrap_or_else(|_| InboxFilter { text: Some(text.to_owned()), ..InboxFilter::default() })
            }
            None => self.filter(),
        }
    }

    /// Lists these messages from now on: by the keys of the list where those can say it, else as a search.
    pub(super) fn show(&mut self, filter: &InboxFilter) {
        self.open = None;
        self.search = None;
        self.saved = None;
        self.channel.clone_from(&filter.channel);
        let ways = [Shown::All, Shown::New, Shown::Vip, Shown::Open, Shown::Waiting];
        let way = ways.into_iter().find(|way| {
            self.shown = *way;
            self.filter() == *filter
        });
        if way.is_none() {
            (self.shown, self.channel) = (Shown::All, None);
            let field = TextArea::new(vec![filter.to_string()]);
            self.search = Some(Search::new(field, false));
        }
    }

    /// Whether only what waits for somebody is listed.
    pub(super) fn problems_only(&self) -> bool {
        self.shown == Shown::Waiting && self.search.is_none() && self.saved.is_none()
    }

    /// Lists only what waits for somebody, or everything again. Answers what to ask for it.
    pub(super) fn list_problems_only(&mut self, on: bool) -> Option<Request> {
        (self.shown, self.search, self.saved) = (if on { Shown::Waiting } else { Shown::All }, None, None);
        let request = self.request();
        self.list.keep_selected();
        request
    }

    /// Lists the conversations of a view from now on.
    pub(super) fn show_view(&mut self, view: &SavedView) -> Result<(), BadQuery> {
        let filter = view.query.parse()?;
        (self.open, self.search, self.channel, self.shown) = (None, None, None, Shown::All);
        self.saved = Some(Saved { name: view.name.clone(), query: view.query.clone(), filter });
        Ok(())
    }

    /// What comes first in the search; `None` where no words are searched for.
    pub(super) fn is_ranked(&self) -> Option<Order> {
        let search = self.search.as_ref()?;
        let filter: InboxFilter = search.query().parse().ok()?;
        (filter.text.is_some() || filter.from.is_some()).then_some(search.order)
    }

    /// Puts what fits best first, or the newest again.
    pub(super) fn toggle_order(&mut self) {
        if let Some(search) = &mut self.search {
            search.unranked = false;
            search.order = match search.order {
                Order::Newest => Order::Best,
                Order::Best => Order::Newest,
            };
        }
    }

    fn filter(&self) -> InboxFilter {
        if let Some(saved) = &self.saved {
            return saved.filter.clone();
        }
        InboxFilter {
            channel: self.channel.clone(),
            unread: matches!(self.shown, Shown::New | Shown::Waiting),
            vip: self.shown == Shown::Vip,
            open: matches!(self.shown, Shown::Open | Shown::Waiting),
            ..InboxFilter::default()
        }
    }

    /// What to ask when the selection comes near the end of what is here.
    pub(super) fn older(&mut self) -> Option<Request> {
        if self.search.as_ref().is_some_and(|search| search.order == Order::Best) {
            return None;
        }
        let last = self.list.older()?;
        self.page(Some(last))
    }

    /// Takes conversations as they are now, the newest last. Answers what to ask when some were left out.
    pub(super) fn arrived(&mut self, conversations: &[ConversationRow], omitted: u64) -> Option<Request> {
        if self.search.is_some() {
            return None;
        }
        if omitted > 0 {
            return if self.list.missed() { self.refresh() } else { None };
        }
        let held = |row: &&ConversationRow| self.list.holds(row.id.into());
        if conversations.iter().any(|row| !held(&row) && self.shows(row).is_none()) {
            // Only the store knows whether it holds the words of the view.
            return if self.list.missed() { self.refresh() } else { None };
        }
        let due = conversations.iter().filter(|row| held(row) || self.shows(row) == Some(true));
        let rows: Vec<Listed> = due.map(|row| Listed::Conversation(Box::new(row.clone()))).collect();
        self.list.arrived(rows);
        None
    }

    /// What to ask when more has arrived than was told.
    pub(super) fn catch_up(&mut self) -> Option<Request> {
        if self.list.is_behind() { self.refresh() } else { None }
    }

    /// Whether a conversation belongs to the list; `None` where only the store can say.
    fn shows(&self, row: &ConversationRow) -> Option<bool> {
        if let Some(saved) = &self.saved {
            return belongs(row, &saved.filter, self.me.as_ref());
        }
        let shows = row.snoozed.is_none()
            && self.channel.as_ref().is_none_or(|channel| *channel == row.channel)
            && match self.shown {
                Shown::All => true,
                Shown::New => row.unread > 0,
                Shown::Open => row.acked.is_none(),
                Shown::Vip => row.vip,
                Shown::Waiting => row.unread > 0 && row.acked.is_none(),
            };
        Some(shows)
    }

    /// Takes what was done on the desk. Rows stay where they are until the list is asked for again, so nothing jumps
    /// away. Answers what to ask when some of it was left out.
    pub(super) fn changed(&mut self, change: &DeskChange) -> Option<Request> {
        let found = self.list.rows_mut().filter_map(|row| match row {
            Listed::Message(row) => Some(row.as_mut()),
            Listed::Conversation(_) => None,
        });
        let open = self.open.iter_mut().chain(&mut self.preview.shown).map(|open| &mut open.message.row);
        for row in found.chain(open) {
            if let Some((_, marks)) = change.marks.iter().find(|(seq, _)| *seq == row.seq) {
                row.marks.clone_from(marks);
            }
        }
        self.arrived(&change.conversations, change.omitted)
    }

    pub(super) fn vip_changed(&mut self, contact: ContactId, vip: bool) {
        for row in self.list.rows_mut().filter(|row| row.contact() == Some(contact)) {
            row.set_vip(vip);
        }
        if let Some(row) =
            self.open.as_mut().map(|open| &mut open.message.row).filter(|row| row.contact == Some(contact))
        {
            row.vip = vip;
        }
    }

    /// What actions are about: what is open, else what is selected.
    pub(super) fn target(&self) -> Option<Target> {
        if let Some(open) = &self.open {
            let row = &open.message.row;
            let whole = open.conversation();
            return Some(Target {
                item: if open.whole { open.message.conversation.into() } else { row.id.into() },
                message: row.id,
                contact: row.contact,
                vip: row.vip,
                unread: whole.map_or(row.marks.read.is_none(), |whole| whole.unread > 0),
                acked: whole.map_or(row.marks.acked.is_some(), |whole| whole.acked.is_some()),
                labels: open.labels().to_vec(),
            });
        }
        let row = self.list.selected()?;
        Some(Target {
            item: row.key(),
            message: row.message(),
            contact: row.contact(),
            vip: row.vip(),
            unread: row.is_unread(),
            acked: row.is_acked(),
            labels: row.labels().to_vec(),
        })
    }

    // What is picked

    fn keys(&self) -> Vec<Item> {
        self.list.rows().iter().map(Placed::key).collect()
    }

    /// Everything that is picked.
    pub(super) fn picked(&self) -> Vec<Item> {
        if self.picked.is_empty() {
            return Vec::new();
        }
        self.picked.all(&self.keys(), self.list.index()).into_iter().collect()
    }

    pub(super) fn pick_range(&mut self) {
        self.picked.range(&self.keys(), self.list.index());
    }

    pub(super) fn pick_all(&mut self) {
        self.picked.every(&self.keys());
    }

    /// Begins a search, or goes on with the one there is; answers whether it is a new one.
    pub(super) fn begin_search(&mut self) -> bool {
        self.open = None;
        match &mut self.search {
            Some(search) => {
                search.typing = true;
                false
            }
            None => {
                self.search = Some(Search::new(TextArea::default(), true));
                self.picked.clear();
                self.list.clear();
                true
            }
        }
    }
}

/// Whether a conversation matches `filter` when `me` asks; `None` where only the store can say.
fn belongs(row: &ConversationRow, filter: &InboxFilter, me: Option<&OperatorName>) -> Option<bool> {
    let assignee = match &filter.assignee {
        None => true,
        Some(Assignee::Me) => row.assignee.is_some() && row.assignee.as_ref() == me,
        Some(Assignee::Nobody) => row.assignee.is_none(),
        Some(Assignee::Operator(name)) => row.assignee.as_ref() == Some(name),
    };
    let label = filter.label.as_ref().map(|label| label.to_lowercase());
    let label = label.is_none_or(|label| row.labels.iter().any(|known| known.as_str() == label));
    let known = assignee
        && label
        && row.snoozed.is_some() == filter.snoozed
        && filter.channel.as_ref().is_none_or(|channel| *channel == row.channel)
        && (!filter.unread || row.unread > 0)
        && (!filter.vip || row.vip)
        && (!filter.open || row.acked.is_none());
    let asks = filter.text.is_some() || filter.from.is_some() || filter.contact.is_some() || filter.node.is_some();
    if known && asks { None } else { Some(known) }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_view_knows_its_conversations_or_says_that_it_does_not() {
        let anna: OperatorName = "anna".parse().expect("a name");
        let mut row = sample::conversation(&sample::row(2, true));
        row.assignee = Some(anna.clone());
        row.labels = vec!["late".parse().expect("a label")];
        let belongs = |query: &str| belongs(&row, &query.parse().expect(query), Some(&anna));
        for (query, is_in) in [
            ("assignee:me", Some(true)),
            ("assignee:nobody", Some(false)),
            ("label:LATE unread vip open channel:mail", Some(true)),
            ("label:other", Some(false)),
            ("snoozed", Some(false)),
            ("late order", None),
            ("from:sender channel:shop", Some(false)),
        ] {
            assert_eq!(belongs(query), is_in, "{query}");
        }
    }
}
