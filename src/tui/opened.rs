//! An open message as the screen holds it: a tab, its lines as they are drawn, where it is scrolled to.

use crate::model::Message;
use crate::screen;

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
    /// The lines of one tab at one width. To make them takes as long as the message is; a message is a mebibyte
    /// at times, so they are kept while it is scrolled.
    wrapped: Option<(Tab, u16, Vec<String>)>,
}

impl OpenMessage {
    pub(super) fn new(message: Box<Message>) -> Self {
        Self { message, tab: Tab::Text, scroll: 0, wrapped: None }
    }

    pub(super) fn turn(&mut self, forward: bool) {
        let at = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or(0);
        let step = if forward { 1 } else { Tab::ALL.len() - 1 };
        self.tab = Tab::ALL[(at + step) % Tab::ALL.len()];
        self.scroll = 0;
    }

    /// Makes the lines of the tab for a body of `width` columns and `height` rows, unless they are here.
    pub(super) fn wrap(&mut self, (width, height): (u16, u16)) {
        if !matches!(&self.wrapped, Some((tab, at, _)) if (*tab, *at) == (self.tab, width)) {
            let text = screen::lines(&self.text());
            let lines = text.split('\n').flat_map(|line| screen::wrap(line, usize::from(width.max(1)))).collect();
            self.wrapped = Some((self.tab, width, lines));
        }
        self.scroll = self.scroll.min(self.last(height));
    }

    /// The lines as they were wrapped last.
    pub(super) fn lines(&self) -> &[String] {
        self.wrapped.as_ref().map_or(&[], |(_, _, lines)| lines)
    }

    /// The first line of the last page of `height` rows.
    pub(super) fn last(&self, height: u16) -> usize {
        self.lines().len().saturating_sub(usize::from(height.max(1)))
    }

    /// What the tab shows, as it came.
    fn text(&self) -> String {
        let message = &self.message;
        match self.tab {
            Tab::Text => with_files(message),
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
        let mut open = OpenMessage::new(message(&"word ".repeat(200_000)));
        open.wrap((80, 20));
        let first = open.lines().as_ptr();
        open.scroll = usize::MAX;
        open.wrap((80, 20));
        assert_eq!((open.lines().as_ptr(), open.scroll), (first, open.last(20)), "scrolling makes none");
        let many = open.lines().len();
        open.wrap((40, 20));
        assert!(open.lines().len() > many, "another width does");
        open.turn(true);
        open.wrap((40, 20));
        assert_eq!((open.lines(), open.scroll), (&["a: b".to_owned()][..], 0));
    }
}
