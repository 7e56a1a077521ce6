//! Few colours in, many styles out.

use ratatui::style::{Color, Modifier, Style};

use crate::config::{Colour, Theme};
use crate::model::{ChannelState, CheckState, LogLevel, TaskState};
use crate::protocol::Severity;

/// How many colours may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMode {
    /// None: severity is told by words, focus by bold and reverse.
    None,
    /// The terminal's sixteen.
    Sixteen,
    /// All.
    True,
}

/// How the screen looks: every style a view may use, and the characters it draws with.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Ordinary text.
    pub text: Style,
    /// Text of less weight.
    pub muted: Style,
    /// Headings.
    pub title: Style,
    /// What has the focus.
    pub selected: Style,
    /// The open view's name.
    pub tab: Style,
    /// Names of what can be pressed.
    pub key: Style,
    /// All is well.
    pub ok: Style,
    /// Look when there is time.
    pub warn: Style,
    /// Look now.
    pub crit: Style,
    /// VIPs.
    pub vip: Style,
    /// Whether only ASCII is drawn.
    pub ascii: bool,
}

impl Look {
    /// The look of `theme` in a terminal with these colours.
    #[must_use]
    pub fn new(theme: &Theme, mode: ColourMode, ascii: bool) -> Self {
        let colour = |colour: Colour| match (mode, colour) {
            (ColourMode::None, _) | (ColourMode::Sixteen, Colour::Rgb(..)) => None,
            (_, Colour::Default) => Some(Color::Reset),
            (_, Colour::Ansi(index)) => Some(ansi(index)),
            (ColourMode::True, Colour::Rgb(red, green, blue)) => Some(Color::Rgb(red, green, blue)),
        };
        let base = Style { fg: colour(theme.text), bg: colour(theme.background), ..Style::new() };
        let with = |of: Colour| Style { fg: colour(of).or(base.fg), ..base };
        let muted = if mode == ColourMode::None { base } else { with(theme.muted) };
        let accent = with(theme.accent);
        Self {
            text: base,
            muted,
            title: accent.add_modifier(Modifier::BOLD),
            selected: base.add_modifier(Modifier::REVERSED),
            tab: accent.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            key: accent.add_modifier(Modifier::BOLD),
            ok: with(theme.ok),
            warn: with(theme.warn).add_modifier(Modifier::BOLD),
            crit: with(theme.crit).add_modifier(Modifier::BOLD),
            vip: with(theme.vip).add_modifier(Modifier::BOLD),
            ascii,
        }
    }

    /// One of two characters: the second where only ASCII is drawn.
    #[must_use]
    pub fn glyph(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }

    pub(super) fn severity(&self, severity: Severity) -> Style {
        match severity {
            Severity::Info => self.muted,
            Severity::Warn => self.warn,
            Severity::Crit => self.crit,
        }
    }

    pub(super) fn channel(&self, state: ChannelState) -> Style {
        match state {
            ChannelState::Listening => self.ok,
            ChannelState::Down => self.crit,
            ChannelState::Unknown => self.muted,
        }
    }

    pub(super) fn task(&self, state: TaskState) -> Style {
        match state {
            TaskState::Running => self.ok,
            TaskState::Waiting => self.crit,
            TaskState::Starting | TaskState::Stopped => self.muted,
        }
    }

    pub(super) fn check(&self, state: CheckState) -> Style {
        match state {
            CheckState::Ok => self.ok,
            CheckState::Warn => self.warn,
            CheckState::Critical => self.crit,
            CheckState::Unknown | CheckState::Stale => self.muted,
        }
    }

    pub(super) fn log(&self, level: LogLevel) -> Style {
        match level {
            LogLevel::Error => self.crit,
            LogLevel::Warn => self.warn,
            LogLevel::Info => self.muted,
        }
    }
}

fn ansi(index: u8) -> Color {
    const NAMED: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    NAMED.get(usize::from(index)).copied().unwrap_or(Color::Reset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_there_are_none() {
        let look = Look::new(&Theme::built_in("dark").expect("built in"), ColourMode::None, false);
        for style in [look.text, look.muted, look.title, look.selected, look.ok, look.warn, look.crit, look.vip] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
        assert_ne!(look.selected, look.text, "focus is still visible");
    }
}
