//! Themes: few colours in. What they colour is computed in `tui::styles`.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// One colour of a theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Whatever the terminal uses by default.
    Default,
    /// One of the terminal's own sixteen colours.
    Ansi(u8),
    /// An exact colour, as `#ffaa00`.
    Rgb(u8, u8, u8),
}

const NAMES: [&str; 16] = [
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "white",
    "bright-black",
    "bright-red",
    "bright-green",
    "bright-yellow",
    "bright-blue",
    "bright-magenta",
    "bright-cyan",
    "bright-white",
];

impl FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "default" {
            return Ok(Self::Default);
        }
        if let Some(index) = (0u8..16).zip(NAMES).find(|(_, name)| *name == text).map(|(index, _)| index) {
            return Ok(Self::Ansi(index));
        }
        text.strip_prefix('#')
            .filter(|hex| hex.len() == 6)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .map(|rgb| {
                let [_, red, green, blue] = rgb.to_be_bytes();
                Self::Rgb(red, green, blue)
            })
            .ok_or_else(|| format!("unknown colour {text:?}; expected default, a name like bright-blue, or #rrggbb"))
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The colours of a theme file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theme {
    /// Ordinary text.
    pub text: Colour,
    /// Behind everything.
    pub background: Colour,
    /// Text of less weight: ages, hints, frames.
    pub muted: Colour,
    /// What has the focus.
    pub accent: Colour,
    /// All is well.
    pub ok: Colour,
    /// Look when there is time.
    pub warn: Colour,
    /// Look now.
    pub crit: Colour,
    /// VIPs.
    pub vip: Colour,
}

/// A theme that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// No theme has this name.
    #[error("unknown theme {0:?}; the built-in themes are {names}", names = Theme::BUILT_IN.map(|(name, _)| name).join(", "))]
    Unknown(String),
    /// The theme file does not parse.
    #[error("theme {0:?}: {1}")]
    Malformed(String, String),
}

impl Theme {
    const BUILT_IN: [(&'static str, &'static str); 3] = [
        ("terminal", include_str!("../../themes/terminal.toml")),
        ("dark", include_str!("../../themes/dark.toml")),
        ("light", include_str!("../../themes/light.toml")),
    ];

    /// The built-in theme called `name`.
    ///
    /// # Errors
    /// When there is no such theme.
    pub fn built_in(name: &str) -> Result<Self, ThemeError> {
        let (_, text) = Self::BUILT_IN
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| ThemeError::Unknown(name.to_owned()))?;
        toml::from_str(text).map_err(|e| ThemeError::Malformed(name.to_owned(), e.message().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_themes_parse() {
        for (name, _) in Theme::BUILT_IN {
            Theme::built_in(name).expect(name);
        }
        assert!(Theme::built_in("nope").expect_err("unknown").to_string().contains("terminal, dark, light"));
    }

    #[test]
    fn the_default_theme_leaves_the_palette_to_the_terminal() {
        let theme = Theme::built_in("terminal").expect("built in");
        assert_eq!((theme.text, theme.background), (Colour::Default, Colour::Default));
        for colour in [theme.muted, theme.accent, theme.ok, theme.warn, theme.crit, theme.vip] {
            assert!(matches!(colour, Colour::Ansi(_)), "{colour:?}");
        }
    }
}
