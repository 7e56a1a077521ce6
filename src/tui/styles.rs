//! Few colours in, many styles out.

use ratatui::style::{Color, Modifier, Style};

use crate::config::{Colour, Role, Theme};
use crate::model::{ChannelState, CheckState, LogLevel, TaskState};
use crate::protocol::Severity;

use super::ladder::ColourMode;
use super::signs::Sign;

/// How the screen looks: every style a view may use, and the characters it draws with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Ordinary text.
    pub text: Style,
    /// Text of less weight.
    pub muted: Style,
    /// Frames.
    pub border: Style,
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
    /// Nothing can be said.
    pub unknown: Style,
    /// What was known is too old.
    pub stale: Style,
    /// Somebody has taken it.
    pub acked: Style,
    /// VIPs.
    pub vip: Style,
    /// How many colours there are, for what comes with colours of its own.
    pub colours: ColourMode,
    /// Whether only ASCII is drawn.
    pub ascii: bool,
    /// Whether text from outside is ASCII too, as the terminal reads nothing else.
    pub only_ascii: bool,
}

impl Look {
    /// The look of `theme` in a terminal with these colours.
    #[must_use]
    pub fn new(theme: &Theme, mode: ColourMode, ascii: bool) -> Self {
        let colour = |role: Role| match (mode, theme.colour(role)) {
            (ColourMode::None, _) => None,
            (ColourMode::Sixteen, _) => Some(shown(theme.in_sixteen(role))),
            (ColourMode::Indexed, Colour::Rgb(red, green, blue)) => {
                Some(Color::Indexed(Colour::indexed(red, green, blue)))
            }
            (_, colour) => Some(shown(colour)),
        };
        let base = Style { fg: colour(Role::Text), bg: colour(Role::Background), ..Style::new() };
        let with = |role: Role| Style { fg: colour(role), ..base };
        let accent = with(Role::Accent);
        let selected = match colour(Role::Focus) {
            None | Some(Color::Reset) => base.add_modifier(Modifier::REVERSED),
            behind => Style { bg: behind, ..with(Role::FocusText) }.add_modifier(Modifier::BOLD),
        };
        Self {
            text: base,
            muted: with(Role::Muted),
            border: with(Role::Border),
            title: with(Role::Title).add_modifier(Modifier::BOLD),
            selected,
            tab: accent.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            key: accent.add_modifier(Modifier::BOLD),
            ok: with(Role::Ok),
            warn: with(Role::Warn).add_modifier(Modifier::BOLD),
            crit: with(Role::Crit).add_modifier(Modifier::BOLD),
            unknown: with(Role::Unknown),
            stale: with(Role::Stale),
            acked: with(Role::Acked),
            vip: with(Role::Vip).add_modifier(Modifier::BOLD),
            colours: mode,
            ascii,
            only_ascii: false,
        }
    }

    /// The same for a terminal that reads nothing but ASCII: text from outside is shown as `?` where it is more.
    #[must_use]
    pub fn only_ascii(self) -> Self {
        Self { ascii: true, only_ascii: true, ..self }
    }

    /// The character of a state.
    pub(super) fn sign(&self, state: &impl Sign) -> &'static str {
        let (unicode, ascii) = state.sign();
        self.glyph(unicode, ascii)
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
            ChannelState::Unknown => self.unknown,
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
            CheckState::Unknown => self.unknown,
            CheckState::Stale => self.stale,
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

/// A colour that needs no other in its place.
fn shown(colour: Colour) -> Color {
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
    match colour {
        Colour::Default => Color::Reset,
        Colour::Ansi(index) => NAMED.get(usize::from(index)).copied().unwrap_or(Color::Reset),
        Colour::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(theme: &str, mode: ColourMode) -> Look {
        Look::new(&Theme::built_in(theme).expect("built in"), mode, false)
    }

    fn styles(look: &Look) -> [Style; 14] {
        let Look { text, muted, border, title, selected, tab, key, ok, warn, crit, unknown, stale, acked, vip, .. } =
            *look;
        [text, muted, border, title, selected, tab, key, ok, warn, crit, unknown, stale, acked, vip]
    }

    #[test]
    fn without_colours_there_are_none_and_focus_is_still_visible() {
        for name in Theme::built_in_names() {
            let look = look(name, ColourMode::None);
            assert!(styles(&look).iter().all(|style| (style.fg, style.bg) == (None, None)), "{name}");
            assert!(look.selected.add_modifier.contains(Modifier::REVERSED), "{name}");
            assert!(look.tab != look.text && look.crit != look.text, "{name}");
        }
    }

    #[test]
    fn each_rung_uses_only_its_own_colours() {
        for name in Theme::built_in_names() {
            for style in styles(&look(name, ColourMode::Sixteen)) {
                for colour in [style.fg, style.bg].into_iter().flatten() {
                    assert!(!matches!(colour, Color::Indexed(_) | Color::Rgb(..)), "{name}: {colour:?}");
                }
            }
            for style in styles(&look(name, ColourMode::Indexed)) {
                assert!(!matches!(style.fg, Some(Color::Rgb(..))), "{name}");
            }
        }
        assert_eq!(look("dark", ColourMode::True).text.bg, Some(Color::Rgb(0x14, 0x18, 0x1f)));
        assert_eq!(look("dark", ColourMode::Sixteen).crit.fg, Some(Color::LightRed));
    }
}
