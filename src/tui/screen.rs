//! The screen as ratatui draws it, and the bytes that come of it.

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
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
/// Seconds between two moments at which ages change: many ages that change one by one would be many frames. So much later
/// than it could an age become another one.
const STEP: i64 = 10;

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

    /// How long from `now` on the frame may stay as it is while nothing happens: until the first moment at which ages change, at which
    /// one of them does, and not much longer than [`STILL_MAX`].
    ///
    /// It is found by drawing what will be: nothing else knows every age that is on the screen.
    pub(super) fn still_for(&mut self, app: &mut App, now: Timestamp) -> Duration {
        let drawn_at = app.now;
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
        app.now = drawn_at;
        app.regions.replace(regions);
        until_step(now, other)
    }
}

/// From `now` to the first whole step that is at least so many seconds away.
fn until_step(now: Timestamp, seconds: u64) -> Duration {
    let due = now.as_second().saturating_add_unsigned(seconds);
    let step = due + (STEP - due.rem_euclid(STEP)) % STEP;
    Timestamp::from_second(step)
        .ok()
        .and_then(|at| Duration::try_from(at.duration_since(now)).ok())
        .filter(|left| !left.is_zero())
        .unwrap_or(Duration::from_secs(seconds))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_change_at_whole_steps() {
        let left = |millis, seconds| until_step(Timestamp::from_millisecond(millis).expect("in range"), seconds);
        assert_eq!(left(1_000_000, 1), Duration::from_secs(10), "all at the next one");
        assert_eq!(left(1_003_250, 5), Duration::from_millis(6_750));
        assert_eq!(left(1_000_000, 10), Duration::from_secs(10), "one that falls on a step is not late");
        assert_eq!(left(1_000_000, 11), Duration::from_secs(20));
    }
}
