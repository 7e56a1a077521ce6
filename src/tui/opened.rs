//! An open message as the screen holds it: a tab, its lines as they are drawn, where it is scrolled to.

use jiff::tz::TimeZone;

use crate::model::{ConversationPage, ConversationRow, Entry, Label, Message, TraceStep, short_duration};
use crate::screen;

use super::zone::{instant, short};

/// The tabs of an open message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Text,
    Headers,
    Raw,
    Json,
    Trace,
}

impl Tab {
    pub(super) const ALL: [Self; 5] = [Self::Text, Self::Headers, Self::Raw, Self::Json, Self::Trace];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Headers => "Headers",
            Self::Raw => "Raw",
            Self::Json => "JSON",
            Self::Trace => "Trace",
        }
    }
}

/// A message that is open.
#[derive(Debug)]
pub(super) struct OpenMessage {
    pub message: Box<Message>,
    pub tab: Tab,
    pub scroll: usize,
    /// It was opened as its conversation, and what is done is done to all of it.
    pub whole: bool,
    /// The conversation, once it has come.
    page: Option<Box<ConversationPage>>,
    /// Whether earlier messages are shown in full.
    pub expanded: bool,
    /// Its way, once it has come.
    trace: Option<Vec<TraceStep>>,
    /// The lines of one tab at one width, with times of one zone. To make them takes as long as the message is; a message is a mebibyte
    /// at times, so they are kept while it is scrolled.
    wrapped: Option<(Tab, u16, TimeZone, Vec<String>)>,
}

impl OpenMessage {
    pub(super) fn new(message: Box<Message>, whole: bool) -> Self {
        Self { message, tab: Tab::Text, scroll: 0, whole, page: None, expanded: false, trace: None, wrapped: None }
    }

    /// Takes the conversation the message is in.
    pub(super) fn take(&mut self, page: Box<ConversationPage>) {
        let seq = self.message.row.seq;
        let known = page.entries.iter().find_map(|entry| match entry {
            Entry::Message { row, .. } if row.seq == seq => Some(&row.marks),
            _ => None,
        });
        if let Some(marks) = known {
            // Asked after the message: what was done while that was read is in here, and not in it.
            self.message.row.marks.clone_from(marks);
        }
        self.page = Some(page);
        self.wrapped = None;
    }

    /// Takes the way of the message; no steps where nobody knows it.
    pub(super) fn take_trace(&mut self, steps: Vec<TraceStep>) {
        self.trace = Some(steps);
        self.wrapped = None;
    }

    /// Shows earlier messages in full, or a line of each.
    pub(super) fn expand(&mut self) {
        self.expanded = !self.expanded;
        self.wrapped = None;
    }

    /// Whether there are earlier messages or notes to show.
    pub(super) fn has_more(&self) -> bool {
        self.page.as_ref().is_some_and(|page| page.entries.len() > 1)
    }

    /// The conversation, when it was opened as such and has come.
    pub(super) fn conversation(&self) -> Option<&ConversationRow> {
        self.page.as_ref().filter(|_| self.whole).map(|page| &page.row)
    }

    /// Whether what changed of this conversation changes the thread that is shown.
    pub(super) fn shows(&self, changed: &ConversationRow) -> bool {
        let person = self.page.iter().flat_map(|page| &page.person);
        changed.id == self.message.conversation || person.map(|one| Some(one.id)).any(|one| one == changed.contact)
    }

    /// How its conversation stands, once that is known.
    pub(super) fn row(&self) -> Option<&ConversationRow> {
        self.page.as_ref().map(|page| &page.row)
    }

    pub(super) fn labels(&self) -> &[Label] {
        self.row().map_or(&[], |row| &row.labels)
    }

    pub(super) fn turn(&mut self, forward: bool) {
        let at = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or(0);
        let step = if forward { 1 } else { Tab::ALL.len() - 1 };
        self.show(Tab::ALL[(at + step) % Tab::ALL.len()]);
    }

    /// Shows this tab from its beginning.
    pub(super) fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.scroll = 0;
    }

    /// Makes the lines of the tab for a body of `width` columns and `height` rows, unless they are here.
    pub(super) fn wrap(&mut self, (width, height): (u16, u16), zone: &TimeZone) {
        if !matches!(&self.wrapped, Some((tab, at, of, _)) if (*tab, *at, of) == (self.tab, width, zone)) {
            let text = screen::lines(&self.text(zone));
            let width_of = usize::from(width.max(1));
            let lines = text.split('\n').flat_map(|line| match self.tab {
                // What is known of a step stays below it.
                Tab::Trace => screen::wrap_below(line, width_of),
                _ => screen::wrap(line, width_of),
            });
            let lines = lines.collect();
            self.wrapped = Some((self.tab, width, zone.clone(), lines));
        }
        self.scroll = self.scroll.min(self.last(height));
    }

    /// The lines as they were wrapped last.
    pub(super) fn lines(&self) -> &[String] {
        self.wrapped.as_ref().map_or(&[], |(_, _, _, lines)| lines)
    }

    /// The first line of the last page of `height` rows.
    pub(super) fn last(&self, height: u16) -> usize {
        self.lines().len().saturating_sub(usize::from(height.max(1)))
    }

    /// The message in full, then the notes and the other messages of its conversation, the newest first.
    fn with_conversation(&self, zone: &TimeZone) -> String {
        let mut parts = vec![with_files(&self.message)];
        parts.extend(self.page.as_ref().and_then(|page| one_thread(page)));
        let spans = self.page.as_ref().is_some_and(|page| !page.person.is_empty());
        let entries = self.page.as_ref().map(|page| page.entries.as_slice()).unwrap_or_default();
        for entry in entries.iter().rev() {
            match entry {
                Entry::Message { row, .. } if row.id == self.message.row.id => {}
                Entry::Message { row, text, cut, elsewhere } => {
                    let from = if row.from.is_empty() { "somebody" } else { &row.from };
                    let cut = if self.expanded && *cut { "\n(longer; search opens it by itself)" } else { "" };
                    let body = if self.expanded { text.clone() } else { format!("   {}", row.preview) };
                    let on = if spans { format!(" on {}", row.channel) } else { String::new() };
                    let new = if *elsewhere && row.marks.read.is_none() { ", new" } else { "" };
                    let other = if *elsewhere { format!(", another conversation{new}") } else { String::new() };
                    let at = short(row.received, zone);
                    parts.push(format!("-- {from}{on}{other}, {at}: {}\n{body}{cut}", row.subject));
                }
                Entry::Note(note) => {
                    parts.push(format!("## note by {}, {}\n{}", note.who, short(note.at, zone), note.text));
                }
            }
        }
        if self.page.as_ref().is_some_and(|page| page.older.is_some()) {
            parts.push("-- older messages are left out".to_owned());
        }
        parts.join("\n\n")
    }

    /// Each step of its way: when, how long after the one before, and below it what is known of it.
    fn way(&self, zone: &TimeZone) -> String {
        let steps = match &self.trace {
            None => return "reading".to_owned(),
            Some(steps) if steps.is_empty() => return "nobody knows this message any more".to_owned(),
            Some(steps) => steps,
        };
        let line = |step: &TraceStep| {
            let at = step.at.map_or_else(|| "-".to_owned(), |at| instant(at, zone));
            let after = step.after.map_or_else(String::new, |after| format!("   +{}", short_duration(after)));
            format!("{:10} {at}{after}\n           {}", step.name, step.what)
        };
        steps.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// What the tab shows, as it came.
    fn text(&self, zone: &TimeZone) -> String {
        let message = &self.message;
        match self.tab {
            Tab::Text => self.with_conversation(zone),
            Tab::Trace => self.way(zone),
            Tab::Headers => {
                message.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
            }
            Tab::Raw => {
                let shown = message.raw.len() as u64;
                let rest = message.raw_len.saturating_sub(shown);
                if rest > 0 {
                    format!("{}\n({rest} more bytes: aurora events show)", message.raw)
                } else {
                    message.raw.clone()
                }
            }
            Tab::Json => match serde_json::from_str::<serde_json::Value>(&message.raw) {
                Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
                Err(_) => "the body is not JSON".to_owned(),
            },
        }
    }
}

/// With which addresses a thread is, where one person has several, and what acts on it are about.
fn one_thread(page: &ConversationPage) -> Option<String> {
    let names: Vec<String> =
        page.person.iter().map(|contact| format!("{} on {}", contact.address, contact.channel)).collect();
    (!names.is_empty()).then(|| {
        let channel = &page.row.channel;
        format!("== one person: {}\n   what you do here is about this conversation on {channel}", names.join(", "))
    })
}

/// The text, and below it the files that came along.
fn with_files(message: &Message) -> String {
    let files: Vec<String> =
        (1..).zip(&message.attachments).map(|(number, file)| format!("file {number}: {}", file.described())).collect();
    if files.is_empty() {
        return message.text.clone();
    }
    format!("{}\n\n{}", message.text, files.join("\n"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::model::{ConversationId, Marks, MessageId, MessageRow};

    use super::*;

    fn message(text: &str) -> Box<Message> {
        let id = MessageId::from_uuid(uuid::Uuid::from_u128(1));
        Box::new(Message {
            row: MessageRow {
                seq: 1,
                id,
                channel: "a".parse().expect("an id"),
                kind: "note".into(),
                contact: None,
                from: String::new(),
                vip: false,
                subject: String::new(),
                preview: String::new(),
                received: Timestamp::UNIX_EPOCH,
                marks: Marks::default(),
            },
            conversation: ConversationId::from_uuid(uuid::Uuid::from_u128(2)),
            address: None,
            text: text.to_owned(),
            attachments: Vec::new(),
            headers: vec![("a".into(), "b".into())],
            raw: "{}".into(),
            raw_len: 2,
        })
    }

    #[test]
    fn lines_are_made_once_for_a_tab_and_a_width() {
        let mut open = OpenMessage::new(message(&"word ".repeat(200_000)), false);
        open.wrap((80, 20), &TimeZone::UTC);
        let first = open.lines().as_ptr();
        open.scroll = usize::MAX;
        open.wrap((80, 20), &TimeZone::UTC);
        assert_eq!((open.lines().as_ptr(), open.scroll), (first, open.last(20)), "scrolling makes none");
        let many = open.lines().len();
        open.wrap((40, 20), &TimeZone::UTC);
        assert!(open.lines().len() > many, "another width does");
        open.turn(true);
        open.wrap((40, 20), &TimeZone::UTC);
        assert_eq!((open.lines(), open.scroll), (&["a: b".to_owned()][..], 0));
    }

    #[test]
    fn the_way_and_the_times_between_messages_are_in_the_zone_that_is_shown() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let mut open = OpenMessage::new(message("hello"), false);
        open.show(Tab::Trace);
        open.wrap((60, 20), &TimeZone::UTC);
        assert_eq!(open.lines(), ["reading"]);
        let mut trace = crate::model::Trace::default();
        let at = |milliseconds: i64| Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).ok();
        trace.step("received", at(0), "on channel mail");
        trace.step("verified", None, "body");
        trace.step("stored", at(4), "committed");
        open.take_trace(trace.steps);
        open.wrap((60, 20), &berlin);
        assert_eq!(
            open.lines(),
            [
                "received   2027-01-15 09:00:00.000 CET",
                "           on channel mail",
                "verified   -",
                "           body",
                "stored     2027-01-15 09:00:00.004 CET   +4.0ms",
                "           committed"
            ]
        );
        open.wrap((60, 20), &TimeZone::UTC);
        assert_eq!(open.lines()[0], "received   2027-01-15 08:00:00.000Z");
    }
}
