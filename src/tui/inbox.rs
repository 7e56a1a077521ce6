//! The inbox as the screen holds it: a list, its filter or search, the open message.

use tui_textarea::TextArea;

use crate::model::{ChannelId, ContactId, InboxFilter, Marks, MessageId, MessagePage, MessageRow, Order};
use crate::protocol::Request;

use super::opened::OpenMessage;
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
}

impl Shown {
    pub(super) fn next(self) -> Self {
        match self {
            Self::All => Self::New,
            Self::New => Self::Vip,
            Self::Vip => Self::Open,
            Self::Open => Self::All,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::New => "new",
            Self::Vip => "VIP",
            Self::Open => "open",
        }
    }
}

/// A search that is being typed.
#[derive(Debug)]
pub(super) struct Search {
    pub field: TextArea<'static>,
    /// Keys go into the field; otherwise they move through the hits.
    pub typing: bool,
}

impl Search {
    fn new() -> Self {
        Self { field: TextArea::default(), typing: true }
    }

    pub(super) fn query(&self) -> &str {
        self.field.lines().first().map_or("", String::as_str)
    }
}

/// A list of messages, newest first.
impl Placed for MessageRow {
    type Key = MessageId;
    type Place = i64;

    fn key(&self) -> MessageId {
        self.id
    }

    fn place(&self) -> i64 {
        self.seq
    }
}

/// The inbox view's state.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub list: Window<MessageRow>,
    pub shown: Shown,
    pub channel: Option<ChannelId>,
    pub search: Option<Search>,
    pub open: Option<OpenMessage>,
    /// Parts of a page that is not whole yet.
    gathered: Vec<MessageRow>,
}

impl Inbox {
    /// Whether rows come from the snapshot and its notices, without asking.
    fn is_live(&self) -> bool {
        self.search.is_none() && self.shown == Shown::All && self.channel.is_none()
    }

    /// Takes the rows of a snapshot. Answers what to ask when they are not the ones shown.
    pub(super) fn refreshed(&mut self, rows: &[MessageRow]) -> Option<Request> {
        if let Some(open) = &mut self.open
            && let Some(row) = rows.iter().find(|row| row.seq == open.message.row.seq)
        {
            open.message.row = row.clone();
        }
        if self.is_live() {
            self.list.refresh();
            self.list.take_first(rows.to_vec());
            return None;
        }
        self.refresh()
    }

    /// What to ask for the rows of another list.
    pub(super) fn request(&mut self) -> Option<Request> {
        let request = self.page(None);
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
        self.list.refresh();
        Some(request)
    }

    fn page(&mut self, before: Option<i64>) -> Option<Request> {
        self.gathered.clear();
        self.ask(before)
    }

    /// Takes a part of a page. Answers what to ask for the rest of it, `None` when it is whole.
    pub(super) fn gather(&mut self, part: MessagePage) -> Option<Request> {
        self.gathered.extend(part.rows);
        let before = part.next.filter(|_| self.gathered.len() < PAGE)?;
        self.ask(Some(before))
    }

    /// The page that was gathered.
    pub(super) fn gathered(&mut self) -> Vec<MessageRow> {
        std::mem::take(&mut self.gathered)
    }

    fn ask(&self, before: Option<i64>) -> Option<Request> {
        match &self.search {
            Some(search) if search.query().trim().is_empty() => None,
            // While a condition is being typed there is nothing to ask.
            Some(search) => {
                let filter = search.query().parse().ok()?;
                Some(Request::Search { filter, order: Order::Newest, before, limit: PAGE })
            }
            None => Some(Request::Inbox { filter: self.filter(), before, limit: PAGE }),
        }
    }

    fn filter(&self) -> InboxFilter {
        InboxFilter {
            channel: self.channel.clone(),
            unread: self.shown == Shown::New,
            vip: self.shown == Shown::Vip,
            open: self.shown == Shown::Open,
            ..InboxFilter::default()
        }
    }

    /// What to ask when the selection comes near the end of what is here.
    pub(super) fn older(&mut self) -> Option<Request> {
        let last = self.list.older()?;
        self.page(Some(last))
    }

    /// Takes new messages, oldest first. Answers what to ask when some were left out.
    pub(super) fn arrived(&mut self, rows: &[MessageRow], omitted: u64) -> Option<Request> {
        if self.search.is_some() {
            return None;
        }
        if omitted > 0 {
            return if self.list.missed() { self.refresh() } else { None };
        }
        let new: Vec<MessageRow> = rows.iter().filter(|row| self.shows(row)).cloned().collect();
        self.list.arrived(new);
        None
    }

    /// What to ask when more has arrived than was told.
    pub(super) fn catch_up(&mut self) -> Option<Request> {
        if self.list.is_behind() { self.refresh() } else { None }
    }

    fn shows(&self, row: &MessageRow) -> bool {
        self.channel.as_ref().is_none_or(|channel| *channel == row.channel)
            && match self.shown {
                Shown::All | Shown::New | Shown::Open => true,
                Shown::Vip => row.vip,
            }
    }

    /// The rows, and the one that is open.
    fn each_row(&mut self) -> impl Iterator<Item = &mut MessageRow> {
        self.list.rows_mut().chain(self.open.iter_mut().map(|open| &mut open.message.row))
    }

    /// Takes new marks. Rows stay where they are until the list is asked for again, so nothing jumps away.
    pub(super) fn marked(&mut self, marked: &[(i64, Marks)]) {
        for row in self.each_row() {
            if let Some((_, marks)) = marked.iter().find(|(seq, _)| *seq == row.seq) {
                row.marks.clone_from(marks);
            }
        }
    }

    pub(super) fn vip_changed(&mut self, contact: ContactId, vip: bool) {
        for row in self.each_row().filter(|row| row.contact == Some(contact)) {
            row.vip = vip;
        }
    }

    /// The message that actions are about: the open one, else the selected one.
    pub(super) fn target(&self) -> Option<&MessageRow> {
        match &self.open {
            Some(open) => Some(&open.message.row),
            None => self.list.selected(),
        }
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
                self.search = Some(Search::new());
                self.list.clear();
                true
            }
        }
    }
}
