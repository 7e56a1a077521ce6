//! Everything on the way from the app to its terminal: when a frame is drawn, with how much, and what goes with it.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::config::Switch;
use crate::protocol::{Link, Update};
use crate::screen::InputModes;

use super::app::App;
use super::degrade::Degrade;
use super::meter::Meter;
use super::output::Output;
use super::pace::{Pace, Urgency};
use super::screen::Screen;
use super::{terminal, title};

/// Asks what kind of terminal this is (DA1). All answer, and in order.
const ASK_ATTRIBUTES: &[u8] = b"\x1b[c";
/// Asks for the background, and to be told when light and dark change (OSC 11, mode 2031).
const ASK_BACKGROUND: &[u8] = b"\x1b]11;?\x1b\\\x1b[?2031h";
/// Light and dark are not told, or are again.
const QUIET_BACKGROUND: &[u8] = b"\x1b[?2031l";
const TELL_BACKGROUND: &[u8] = b"\x1b[?2031h";
/// How often the way to a terminal that is far away is measured again.
const MEASURE_EVERY: Duration = Duration::from_secs(30);
/// Without a message for so long, what comes next is the clock's.
pub(super) const QUIET: Duration = Duration::from_secs(1);
/// How often the rate of bytes is told anew while it is shown.
const RATE_EVERY: Duration = Duration::from_secs(5);

/// How the screen uses its terminal.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a terminal")]
pub struct Settings {
    /// Frames are marked (DEC mode 2026).
    pub sync: bool,
    /// Whether the screen does with less.
    pub lite: Switch,
    /// The screen takes the mouse.
    pub mouse: bool,
    /// The terminal's title says how things are.
    pub title: bool,
    /// The terminal, or the engine, is at the other end of an ssh.
    pub far: bool,
    /// The terminal may be asked questions.
    pub asks: bool,
}

/// The way to the terminal.
#[derive(Debug)]
pub(super) struct Painter {
    settings: Settings,
    screen: Screen,
    output: Output,
    pace: Pace,
    degrade: Degrade,
    meter: Meter,
    /// A frame is wanted, this much.
    wanted: Option<Urgency>,
    /// What goes out with the next frame.
    aside: Vec<u8>,
    title: Option<String>,
    /// When the terminal was last asked, and what it took to answer.
    asked: Option<Instant>,
    /// It was asked for its background.
    background: bool,
    awaits: bool,
    /// Somebody types into a pane: the terminal is asked nothing, as no answer may be among what is typed.
    driven: bool,
    terminal: Option<Duration>,
    engine: Option<Duration>,
}

impl Painter {
    /// For a terminal of `size` that is ours. `ask` goes out after the first frame.
    pub(super) fn new(settings: Settings, size: (u16, u16)) -> io::Result<Self> {
        let mut painter = Self {
            settings,
            screen: Screen::new(size, settings.sync),
            output: Output::start()?,
            pace: Pace::new(settings.far),
            degrade: Degrade::new(settings.lite),
            meter: Meter::new(Instant::now()),
            wanted: Some(Urgency::Key),
            aside: Vec::new(),
            title: None,
            asked: None,
            background: false,
            awaits: false,
            driven: false,
            terminal: None,
            engine: None,
        };
        painter.take_mouse(settings.mouse);
        Ok(painter)
    }

    /// A frame is wanted.
    pub(super) fn want(&mut self, urgency: Urgency) {
        self.wanted = self.wanted.max(Some(urgency));
    }

    /// Draws what is wanted when it is due; answers how long it still has to wait, when that is all it waits for.
    ///
    /// While the terminal has not taken the last frame none is made: the next one shows the newest state.
    /// The terminal is asked for its background once `background` matters, after a frame.
    pub(super) fn draw(&mut self, app: &mut App, background: bool, now: Instant) -> Option<Duration> {
        let urgency = self.wanted.filter(|_| !self.output.is_busy())?;
        self.pace.lite = self.degrade.is_lite(now);
        let wait = self.pace.wait(urgency, now);
        if !wait.is_zero() {
            return Some(wait);
        }
        self.wanted = None;
        app.status.lite = self.pace.lite;
        app.status.rate = self.meter.rate(now);
        let mut bytes = std::mem::take(&mut self.aside);
        bytes.extend(self.screen.frame(app));
        if self.settings.title {
            let title = app.title();
            if self.title.as_ref() != Some(&title) {
                bytes.extend(title::set(&title));
                self.title = Some(title);
            }
        }
        let first = self.settings.asks && self.asked.is_none();
        let background = self.settings.asks && background && !self.background && !self.driven;
        if background {
            bytes.extend_from_slice(ASK_BACKGROUND);
            self.background = true;
        }
        if first || background || self.terminal_is_far(now) {
            self.ask(&mut bytes, now);
        }
        if !bytes.is_empty() {
            self.meter.wrote(bytes.len());
            self.pace.drawn(now);
            self.output.write(bytes);
        }
        None
    }

    fn ask(&mut self, bytes: &mut Vec<u8>, now: Instant) {
        bytes.extend_from_slice(ASK_ATTRIBUTES);
        (self.asked, self.awaits) = (Some(now), true);
    }

    /// Whether the screen is lite because of its terminal, and it is time to look whether it still has to be.
    fn terminal_is_far(&self, now: Instant) -> bool {
        let due = self.asked.is_some_and(|asked| now.saturating_duration_since(asked) >= MEASURE_EVERY);
        due && self.pace.lite && !self.driven && !self.awaits && self.terminal > self.engine
    }

    /// The terminal has answered everything it was asked.
    pub(super) fn answered(&mut self, app: &mut App, now: Instant) {
        if !std::mem::take(&mut self.awaits) {
            return;
        }
        let rtt = self.asked.map(|asked| now.saturating_duration_since(asked));
        self.terminal = rtt;
        app.status.terminal = rtt;
        self.measured();
    }

    /// The terminal was asked, and has not answered everything.
    pub(super) fn awaits(&self) -> bool {
        self.awaits
    }

    /// Listens for how far the engine is.
    pub(super) fn hear(&mut self, update: &Update) {
        if let Update::Link(Link::Connected { rtt }) = update {
            self.engine = *rtt;
            self.measured();
        }
    }

    fn measured(&mut self) {
        if let Some(rtt) = self.terminal.max(self.engine) {
            self.degrade.measured(rtt);
        }
    }

    /// Lite if it is not, and the other way round.
    pub(super) fn toggle_lite(&mut self, now: Instant) {
        self.degrade.toggle(now);
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(super) fn take_mouse(&mut self, on: bool) {
        self.aside.extend_from_slice(terminal::mouse(on));
    }

    /// Keys go to a pane from now on, or no longer. Meanwhile the mouse is the terminal's, which says nothing by itself.
    pub(super) fn drive(&mut self, on: bool, mouse: bool) {
        if std::mem::replace(&mut self.driven, on) == on {
            return;
        }
        self.take_mouse(mouse && !on);
        if self.background {
            self.aside.extend_from_slice(if on { QUIET_BACKGROUND } else { TELL_BACKGROUND });
        }
        if !on {
            self.mirror(InputModes::default());
        }
        self.want(Urgency::Key);
    }

    /// The terminal sends cursor keys, the keypad and pastes so.
    pub(super) fn mirror(&mut self, modes: InputModes) {
        self.aside.extend_from_slice(terminal::cursor_keys(modes.cursor_keys));
        self.aside.extend_from_slice(terminal::keypad(modes.keypad));
        self.aside.extend_from_slice(if modes.paste { b"\x1b[?2004h" } else { b"\x1b[?2004l" });
        self.want(Urgency::Key);
    }

    /// Another size of the terminal. What it shows is not known then: it may have been smaller in between, and cut.
    pub(super) fn resize(&mut self, size: (u16, u16)) {
        self.screen.resize(size);
        self.screen.forget();
    }

    /// Nothing is known of what the terminal shows.
    pub(super) fn forget(&mut self) {
        self.screen.forget();
    }

    /// The terminal is ours again, as it was at the beginning.
    pub(super) fn resume(&mut self, mouse: bool) {
        self.forget();
        self.title = None;
        // Mode 2031 was given back with the terminal.
        self.background = false;
        self.take_mouse(mouse);
    }

    /// How long from `now` on the frame stays as it is while nothing happens.
    pub(super) fn still_for(&mut self, app: &mut App, now: Timestamp) -> Duration {
        let still = self.screen.still_for(app, now);
        if app.status.figures { still.min(RATE_EVERY) } else { still }
    }

    /// Whether the terminal has not taken the last frame.
    pub(super) fn is_busy(&self) -> bool {
        self.output.is_busy()
    }

    /// Resolves when it has.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) async fn written(&mut self) -> io::Result<()> {
        let took = self.output.written().await?;
        let now = Instant::now();
        self.pace.written(took, now);
        self.degrade.written(took, now);
        Ok(())
    }

    /// Ends.
    pub(super) fn stop(self) {
        self.output.stop();
    }
}
