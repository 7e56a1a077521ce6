//! A screen without a terminal: keys go in as a terminal would send them, frames come out. For pictures and tests.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};

use crate::client::Client;
use crate::protocol::{RequestId, Update};

use super::app::App;
use super::input::{Input, Parser};
use super::msg::{Cmd, Msg, Purpose};
use super::screen::Screen;
use super::styles::Look;

/// A screen whose clock goes on only when it is told to.
#[derive(Debug)]
pub struct Headless {
    client: Client,
    app: App,
    size: (u16, u16),
    now: Timestamp,
    asked: HashMap<RequestId, Purpose>,
    terminal: Screen,
}

impl Headless {
    /// A screen of `size` in columns and rows on the engine of `client`, which follows. It waits for the engine's
    /// snapshot; none comes from an engine that has stopped.
    pub async fn open(client: Client, look: Look, size: (u16, u16), now: Timestamp) -> Self {
        let app = App::new(look, size, client.link(), client.is_read_only(), now);
        let terminal = Screen::new(size, true);
        let mut screen = Self { client, app, size, now, asked: HashMap::new(), terminal };
        while let Some(update) = screen.client.next().await {
            let is_snapshot = matches!(update, Update::Snapshot(_));
            screen.hear(update);
            if is_snapshot {
                break;
            }
        }
        screen.settle().await;
        screen
    }

    /// Begins the tour.
    pub fn begin_tour(&mut self) {
        self.app.begin_tour();
    }

    /// Lets so much time go by on its clock.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).unwrap_or(self.now);
        self.update(Msg::Tick);
    }

    /// Takes `keys`, the bytes that a terminal sends for them; each has its full effect before the next.
    pub async fn press(&mut self, keys: &str) {
        let mut parser = Parser::default();
        for piece in keys.split_inclusive(|_| true) {
            let mut inputs = parser.feed(piece.as_bytes());
            // An escape is followed by a pause: it is the key.
            inputs.extend(parser.pause());
            for input in inputs {
                let msg = match input {
                    Input::Key(key) => Msg::Key(key),
                    Input::Paste(text) => Msg::Paste(text),
                    _ => continue,
                };
                self.update(msg);
                self.settle().await;
            }
        }
    }

    /// Gives it another size, which may show more.
    pub async fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        self.terminal.resize(size);
        self.update(Msg::Resize(size.0, size.1));
        self.settle().await;
    }

    /// What it shows.
    #[must_use]
    pub fn frame(&self) -> Buffer {
        let Ok(mut terminal) = Terminal::new(TestBackend::new(self.size.0, self.size.1));
        let Ok(drawn) = terminal.draw(|frame| self.app.draw(frame));
        drawn.buffer.clone()
    }

    /// The bytes that a terminal gets now which showed what it got last, the marks of the frame among them; none when
    /// nothing has changed.
    pub fn written(&mut self) -> Vec<u8> {
        self.terminal.frame(&self.app)
    }

    /// Waits until its frame has `text`: what hosts tell of their panes comes later than answers do. It waits for good
    /// where nothing ever shows it.
    pub async fn wait_for(&mut self, text: &str) {
        while !self.has(text)
            && let Some(update) = self.client.next().await
        {
            self.hear(update);
            self.settle().await;
        }
    }

    fn has(&self, text: &str) -> bool {
        let frame = self.frame();
        let width = usize::from(frame.area.width).max(1);
        frame.content.chunks(width).any(|row| row.iter().map(Cell::symbol).collect::<String>().contains(text))
    }

    /// Waits until everything that was asked is answered.
    async fn settle(&mut self) {
        while !self.asked.is_empty()
            && let Some(update) = self.client.next().await
        {
            self.hear(update);
        }
    }

    fn hear(&mut self, update: Update) {
        match update {
            Update::Reply { id, reply } => {
                if let Some(purpose) = self.asked.remove(&id) {
                    self.update(Msg::Reply(purpose, reply));
                }
            }
            update => self.update(Msg::Update(update)),
        }
    }

    fn update(&mut self, msg: Msg) {
        for cmd in self.app.update(msg, self.now) {
            match cmd {
                Cmd::Ask(purpose, request) => drop(self.asked.insert(self.client.ask(request), purpose)),
                Cmd::Seen { watch, offset } => self.client.seen(watch, offset),
                _ => {}
            }
        }
    }
}
