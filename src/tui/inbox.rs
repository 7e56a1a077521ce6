//! The inbox as the screen holds it: rows, selection, filter, search, the open message.

use tui_textarea::TextArea;

use crate::model::{ChannelId, ContactId, InboxFilter, Marks, Message, MessageId, MessageRow};
use crate::protocol::Request;

/// Rows asked for at once.
const PAGE: usize = 200;
/// Rows kept while nobody scrolls, so that a screen that stays open for weeks does not grow.
const MOST: usize = 5 * PAGE;

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

/// The tabs of an open message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Text,
    Headers,
    Raw,
    Json,
}

impl Tab {
    pub(super) const ALL: [Self; 4] = [Self::Text, Self::Headers, Self::Raw, Self::Json];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Headers => "Headers",
            Self::Raw => "Raw",
            Self::Json => "JSON",
        }
    }
}

/// A message that is open.
#[derive(Debug)]
pub(super) struct OpenMessage {
    pub message: Box<Message>,
    pub tab: Tab,
    pub scroll: usize,
}

impl OpenMessage {
    pub(super) fn new(message: Box<Message>) -> Self {
        Self { message, tab: Tab::Text, scroll: 0 }
    }

    pub(super) fn turn(&mut self, forward: bool) {
        let at = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or(0);
        let step = if forward { 1 } else { Tab::ALL.len() - 1 };
        self.tab = Tab::ALL[(at + step) % Tab::ALL.len()];
        self.scroll = 0;
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

/// The inbox view's state.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about what is here and what is on its way")]
pub(super) struct Inbox {
    pub rows: Vec<MessageRow>,
    /// What is selected, by place: it stays selected when rows come and go.
    selected: Option<i64>,
    pub shown: Shown,
    pub channel: Option<ChannelId>,
    pub search: Option<Search>,
    pub open: Option<OpenMessage>,
    /// No older rows are left to ask for.
    pub complete: bool,
    /// Rows are on their way.
    pub loading: bool,
    /// More has arrived than was told while rows were on their way: they are asked for once more.
    behind: bool,
    /// The rows that are on their way are newer ones of the same list.
    refreshing: bool,
    /// What arrived while rows were on their way, oldest first.
    meanwhile: Vec<MessageRow>,
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
            self.refreshing = true;
            self.meanwhile.clear();
            self.replace(rows.to_vec());
            return None;
        }
        self.refresh()
    }

    /// What to ask for the rows of another list.
    pub(super) fn request(&mut self) -> Option<Request> {
        self.refreshing = false;
        self.ask()
    }

    /// What to ask for newer rows of the same list.
    pub(super) fn refresh(&mut self) -> Option<Request> {
        self.refreshing = true;
        self.ask()
    }

    fn ask(&mut self) -> Option<Request> {
        let request = self.page(None);
        self.complete = false;
        self.behind = false;
        self.loading = request.is_some();
        self.meanwhile.clear();
        request
    }

    fn page(&self, before: Option<i64>) -> Option<Request> {
        match &self.search {
            Some(search) if search.query().trim().is_empty() => None,
            Some(search) => Some(Request::Search { query: search.query().to_owned(), before, limit: PAGE }),
            None => Some(Request::Inbox { filter: self.filter(), before, limit: PAGE }),
        }
    }

    fn filter(&self) -> InboxFilter {
        InboxFilter {
            channel: self.channel.clone(),
            contact: None,
            unread: self.shown == Shown::New,
            vip: self.shown == Shown::Vip,
            open: self.shown == Shown::Open,
        }
    }

    /// What to ask when the selection comes near the end of what is here.
    pub(super) fn older(&mut self) -> Option<Request> {
        let near = self.index() + PAGE / 4 >= self.rows.len();
        if self.complete || self.loading || !near || self.rows.is_empty() {
            return None;
        }
        self.loading = true;
        self.page(self.rows.last().map(|row| row.seq))
    }

    /// Takes the first page of what was asked, and what has arrived since.
    pub(super) fn replace(&mut self, page: Vec<MessageRow>) {
        self.loading = false;
        let (first, last) = (page.first().map_or(0, |row| row.seq), page.last().map_or(i64::MAX, |row| row.seq));
        let mut older = Vec::new();
        if std::mem::take(&mut self.refreshing) && self.index() > 0 {
            // Who has scrolled down stays there. Where old and new rows do not meet, the new ones wait above.
            if !self.rows.iter().any(|row| row.seq >= last) {
                self.behind = false;
                return;
            }
            older.extend(self.rows.iter().filter(|row| row.seq < last).cloned());
        }
        self.complete = page.len() < PAGE;
        let meanwhile = std::mem::take(&mut self.meanwhile);
        let newer = meanwhile.into_iter().rev().filter(|row| row.seq > first);
        self.rows = newer.chain(page).chain(older).collect();
        if !self.rows.iter().any(|row| Some(row.seq) == self.selected) {
            self.selected = self.rows.first().map(|row| row.seq);
        }
    }

    /// Takes an older page.
    pub(super) fn extend(&mut self, rows: Vec<MessageRow>) {
        self.loading = false;
        self.complete = rows.len() < PAGE;
        let last = self.rows.last().map_or(i64::MAX, |row| row.seq);
        self.rows.extend(rows.into_iter().filter(|row| row.seq < last));
    }

    /// Takes new messages, oldest first. Answers whether the rows must be asked for again.
    pub(super) fn arrived(&mut self, rows: &[MessageRow], omitted: u64) -> bool {
        if self.search.is_some() {
            return false;
        }
        if omitted > 0 {
            // One question at a time: in a burst every answer would be outdated by the next question.
            self.behind = self.loading;
            return !self.loading;
        }
        let newest = self.rows.first().map_or(0, |row| row.seq);
        let at_top = self.index() == 0;
        let new: Vec<MessageRow> = rows.iter().filter(|row| row.seq > newest && self.shows(row)).cloned().collect();
        if self.loading {
            self.meanwhile.extend(new.iter().cloned());
        }
        if !at_top && self.rows.len() >= MOST {
            // Far down in a long list, new rows wait above: the first row asks for them.
            return false;
        }
        self.rows.splice(0..0, new.into_iter().rev());
        if at_top && self.rows.len() > MOST {
            // What nobody looks at is asked for again when somebody scrolls there.
            self.rows.truncate(PAGE);
            self.complete = false;
        }
        if at_top && self.open.is_none() {
            // Whoever stands at the top wants to see what is new.
            self.selected = self.rows.first().map(|row| row.seq);
        }
        false
    }

    /// What to ask when more has arrived than was told.
    pub(super) fn catch_up(&mut self) -> Option<Request> {
        if std::mem::take(&mut self.behind) { self.refresh() } else { None }
    }

    fn shows(&self, row: &MessageRow) -> bool {
        self.channel.as_ref().is_none_or(|channel| *channel == row.channel)
            && match self.shown {
                Shown::All | Shown::New | Shown::Open => true,
                Shown::Vip => row.vip,
            }
    }

    /// Takes new marks. Rows stay where they are until the list is asked for again, so nothing jumps away.
    pub(super) fn marked(&mut self, marked: &[(i64, Marks)]) {
        let open = self.open.iter_mut().map(|open| &mut open.message.row);
        for row in self.rows.iter_mut().chain(open) {
            if let Some((_, marks)) = marked.iter().find(|(seq, _)| *seq == row.seq) {
                row.marks.clone_from(marks);
            }
        }
    }

    pub(super) fn vip_changed(&mut self, contact: ContactId, vip: bool) {
        let open = self.open.iter_mut().map(|open| &mut open.message.row);
        for row in self.rows.iter_mut().chain(open).filter(|row| row.contact == Some(contact)) {
            row.vip = vip;
        }
    }

    /// Where the selection stands.
    pub(super) fn index(&self) -> usize {
        self.rows.iter().position(|row| Some(row.seq) == self.selected).unwrap_or(0)
    }

    pub(super) fn select(&mut self, index: usize) {
        self.selected = self.rows.get(index).map(|row| row.seq);
    }

    /// The message that actions are about: the open one, else the selected one.
    pub(super) fn target(&self) -> Option<&MessageRow> {
        match &self.open {
            Some(open) => Some(&open.message.row),
            None => self.rows.get(self.index()),
        }
    }

    /// Shows the message `id` as selected, once it is among the rows.
    pub(super) fn select_message(&mut self, id: MessageId) {
        if let Some(row) = self.rows.iter().find(|row| row.id == id) {
            self.selected = Some(row.seq);
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
                self.rows.clear();
                self.complete = true;
                self.loading = false;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn row(seq: i64) -> MessageRow {
        MessageRow {
            seq,
            id: MessageId::from_uuid(uuid::Uuid::from_u128(seq.unsigned_abs().into())),
            channel: "a".parse().expect("an id"),
            kind: "note".into(),
            contact: None,
            from: String::new(),
            vip: false,
            subject: format!("s{seq}"),
            preview: String::new(),
            received: Timestamp::UNIX_EPOCH,
            marks: Marks::default(),
        }
    }

    fn rows(range: std::ops::RangeInclusive<i64>) -> Vec<MessageRow> {
        range.rev().map(row).collect()
    }

    #[test]
    fn the_selection_stays_on_its_message() {
        let mut inbox = Inbox::default();
        inbox.replace(rows(1..=5));
        inbox.select(2);
        inbox.arrived(&[row(6), row(7)], 0);
        assert_eq!(inbox.target().map(|row| row.seq), Some(3));
        assert_eq!(inbox.index(), 4);
        inbox.select(0);
        inbox.arrived(&[row(8)], 0);
        assert_eq!(inbox.target().map(|row| row.seq), Some(8), "who stands at the top sees what is new");
    }

    #[test]
    fn a_snapshot_keeps_the_place_of_who_has_scrolled() {
        let mut inbox = Inbox::default();
        inbox.replace(rows(1..=300));
        inbox.select(250);
        let place = inbox.target().map(|row| row.seq);
        assert_eq!(inbox.refreshed(&rows(150..=350)), None);
        assert_eq!(inbox.target().map(|row| row.seq), place);
        assert_eq!(inbox.rows.len(), 350);
        inbox.refreshed(&rows(900..=1_000));
        assert_eq!(inbox.target().map(|row| row.seq), place, "a gap is not bridged, and nobody is moved");
        inbox.select(0);
        inbox.refreshed(&rows(900..=1_000));
        assert_eq!(inbox.rows.len(), 101);
    }

    #[test]
    fn a_burst_asks_one_question_at_a_time() {
        let mut inbox = Inbox::default();
        inbox.replace(rows(1..=5));
        assert!(inbox.arrived(&[row(9)], 100), "rows were left out");
        assert!(inbox.refresh().is_some());
        assert!(!inbox.arrived(&[row(20)], 100), "the answer is on its way");
        inbox.replace(rows(1..=15));
        assert!(inbox.catch_up().is_some());
        inbox.replace(rows(1..=30));
        assert!(inbox.catch_up().is_none());
    }

    #[test]
    fn what_arrives_while_rows_are_on_their_way_is_not_lost() {
        let mut inbox = Inbox::default();
        inbox.replace(rows(1..=5));
        assert!(inbox.request().is_some());
        inbox.arrived(&[row(6)], 0);
        inbox.replace(rows(1..=5));
        assert_eq!(inbox.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn a_screen_that_stays_open_does_not_grow() {
        let mut inbox = Inbox::default();
        inbox.replace(rows(1..=5));
        for seq in 6..5_000 {
            inbox.arrived(&[row(seq)], 0);
        }
        assert!(inbox.rows.len() <= MOST + 1);
        inbox.select(1);
        for seq in 5_000..10_000 {
            inbox.arrived(&[row(seq)], 0);
        }
        assert!(inbox.rows.len() <= MOST + 1, "not while somebody is further down either");
        assert!(!inbox.complete, "older ones can be asked for");
    }
}
