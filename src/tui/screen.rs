//! The screen as ratatui draws it, and the bytes that come of it.

use std::convert::Infallible;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

use super::app::App;
use super::encode::Encoder;

/// Around a frame, so that a terminal that knows it (DEC mode 2026) shows the frame at once; others ignore it.
const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
const END_FRAME: &[u8] = b"\x1b[?2026l";
/// How far ahead is looked for the next change.
const STILL_MAX: Duration = Duration::from_mins(5);

/// A backend of a size that draws nothing: the frame it would draw is taken from ratatui as a whole.
#[derive(Debug)]
struct Nowhere {
    size: Size,
}

/// What is drawn.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<Nowhere>,
    encoder: Encoder,
    sync: bool,
}

impl Screen {
    /// A screen of columns and rows on which nothing is known to be; `sync` puts marks around frames.
    pub(super) fn new((width, height): (u16, u16), sync: bool) -> Self {
        let size = Size { width, height };
        let Ok(terminal) = Terminal::new(Nowhere { size });
        Self { terminal, encoder: Encoder::new(), sync }
    }

    /// Another size.
    pub(super) fn resize(&mut self, (width, height): (u16, u16)) {
        self.terminal.backend_mut().size = Size { width, height };
    }

    /// Nothing is known of the terminal any more: the next frame is a whole one.
    pub(super) fn forget(&mut self) {
        self.encoder = Encoder::new();
    }

    /// The bytes of the next frame; none when nothing has changed.
    pub(super) fn frame(&mut self, app: &App) -> Vec<u8> {
        let Ok(drawn) = self.terminal.draw(|frame| app.draw(frame));
        let bytes = self.encoder.encode(drawn.buffer);
        if bytes.is_empty() || !self.sync {
            return bytes;
        }
        [BEGIN_FRAME, &bytes, END_FRAME].concat()
    }

    /// How long the frame stays as it is while nothing happens, in whole seconds and at most [`STILL_MAX`].
    ///
    /// It is found by drawing what will be: nothing else knows every age that is on the screen.
    pub(super) fn still_for(&mut self, app: &mut App) -> Duration {
        let now = app.now;
        // Frames nobody sees say nothing of where something is.
        let regions = app.regions.take();
        let mut differs = |seconds: u64| {
            app.now = now.checked_add(Duration::from_secs(seconds)).unwrap_or(now);
            let Ok(drawn) = self.terminal.draw(|frame| app.draw(frame));
            !self.encoder.shows(drawn.buffer)
        };
        let (mut same, mut other) = (0, STILL_MAX.as_secs());
        if !differs(other) {
            same = other;
        }
        while same + 1 < other {
            let middle = same.midpoint(other);
            if differs(middle) { other = middle } else { same = middle }
        }
        app.now = now;
        app.regions.replace(regions);
        Duration::from_secs(other)
    }
}

impl Backend for Nowhere {
    type Error = Infallible;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, _: I) -> Result<(), Infallible> {
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, _: P) -> Result<(), Infallible> {
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn clear_region(&mut self, _: ClearType) -> Result<(), Infallible> {
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
