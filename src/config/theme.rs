//! Themes: a colour for each role. Views ask for roles; `tui::styles` makes styles of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::model::nearest;

use super::mistake::{Mistake, Source};
use super::{Colour, ConfigError};

/// The one list of roles: the enum, and what may be typed for each.
macro_rules! roles {
    ($(#[doc = $words:literal] $role:ident $name:ident;)+) => {
        /// What a colour is for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Role {
            $(#[doc = $words] $role,)+
        }

        impl Role {
            /// Every role, in the order in which a theme is written.
            pub const ALL: [Self; [$(Self::$role),+].len()] = [$(Self::$role),+];

            /// Its key in a theme.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$role => stringify!($name),)+
                }
            }

            /// What is painted with it.
            #[must_use]
            pub fn paints(self) -> &'static str {
                match self {
                    $(Self::$role => $words.trim_ascii(),)+
                }
            }
        }

        /// Colours as they were typed.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct ColoursFile {
            $(
                #[doc = $words]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<Colour>,
            )+
        }

        impl ColoursFile {
            fn get(&self, role: Role) -> Option<Colour> {
                match role {
                    $(Role::$role => self.$name,)+
                }
            }
        }

        /// A theme as it was typed: a file in `themes/`, or `[tui.themes.<name>]`. What is left out is that of `base`.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct ThemeFile {
            /// The built-in theme it changes; `terminal` when absent.
            #[schemars(with = "Option<String>")]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub base: Option<Spanned<String>>,
            /// A sentence about it, for the list of themes.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub about: Option<String>,
            /// The colour vision it is made for; `aurora theme lint` holds it to that.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub vision: Option<Vision>,
            $(
                #[doc = $words]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<Colour>,
            )+
            /// Its colours where only sixteen are shown.
            pub sixteen: ColoursFile,
        }

        impl ThemeFile {
            fn get(&self, role: Role) -> Option<Colour> {
                match role {
                    $(Role::$role => self.$name,)+
                }
            }
        }
    };
}

roles! {
    /// Ordinary text.
    Text text;
    /// Behind everything.
    Background background;
    /// Text of less weight: ages, hints.
    Muted muted;
    /// Frames around panels and dialogs.
    Border border;
    /// Headings.
    Title title;
    /// Keys, and the name of the view that is open.
    Accent accent;
    /// Behind the row that is selected; `default` turns text and background round.
    Focus focus;
    /// The text of that row.
    FocusText focus_text;
    /// All is well.
    Ok ok;
    /// Look when there is time.
    Warn warn;
    /// Look now.
    Crit crit;
    /// Nothing can be said.
    Unknown unknown;
    /// What was known is too old.
    Stale stale;
    /// Somebody has taken it.
    Acked acked;
    /// VIPs.
    Vip vip;
}

/// A kind of colour blindness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Vision {
    /// Green is not told from red.
    Deuteranopia,
    /// Red is dark and not told from green.
    Protanopia,
    /// Blue is not told from green, nor yellow from pink.
    Tritanopia,
}

/// A complete theme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    colours: [Colour; Role::ALL.len()],
    sixteen: [Colour; Role::ALL.len()],
    /// The colour vision it is made for.
    pub vision: Option<Vision>,
    /// A sentence about it.
    pub about: Option<String>,
}

/// A theme that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// No theme has this name.
    #[error("unknown theme {0:?}; the themes are {1}")]
    Unknown(String, String),
    /// The theme holds a mistake.
    #[error(transparent)]
    Mistaken(#[from] Box<ConfigError>),
}

impl ThemeError {
    /// The same in one line: file, line and column, and what is wrong.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        match self {
            Self::Unknown(..) => self.to_string(),
            Self::Mistaken(error) => error.in_one_line(),
        }
    }
}

/// The themes of the program, with their text.
const BUILT_IN: [(&str, &str); 7] = [
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("deuteranopia", include_str!("../../themes/deuteranopia.toml")),
    ("protanopia", include_str!("../../themes/protanopia.toml")),
    ("tritanopia", include_str!("../../themes/tritanopia.toml")),
];

impl Theme {
    /// The name of the theme that is used where nothing is configured.
    pub const DEFAULT: &'static str = "terminal";

    /// The names of the built-in themes.
    #[must_use]
    pub fn built_in_names() -> [&'static str; BUILT_IN.len()] {
        BUILT_IN.map(|(name, _)| name)
    }

    /// The built-in theme called `name`.
    ///
    /// # Errors
    /// When there is no such theme.
    pub fn built_in(name: &str) -> Result<Self, ThemeError> {
        let (_, text) = BUILT_IN
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| ThemeError::Unknown(name.to_owned(), Self::built_in_names().join(", ")))?;
        Self::read(text, name)
    }

    /// Reads the theme `text`, which came from `file`.
    ///
    /// # Errors
    /// When it holds a mistake, with its place.
    pub fn read(text: &str, file: &str) -> Result<Self, ThemeError> {
        let typed: ThemeFile = toml::from_str(text).map_err(|e| Box::new(ConfigError::from_toml(file, text, &e)))?;
        let source = Source { name: file.to_owned(), text: text.to_owned() };
        Ok(Self::typed(&typed).map_err(|mistake| Box::new(source.error(mistake)))?)
    }

    /// The theme that was typed, complete.
    pub(super) fn typed(typed: &ThemeFile) -> Result<Self, Mistake> {
        let base = match &typed.base {
            None => None,
            Some(base) => Some(Self::built_in(base.get_ref()).map_err(|error| {
                let mistake = Mistake::at(base, format!("no built-in theme is called {:?}", base.get_ref()));
                match nearest(base.get_ref(), Self::built_in_names()) {
                    Some(name) => mistake.help(format!("did you mean `{name}`?")),
                    None => mistake.help(error.to_string()),
                }
            })?),
        };
        // The built-in themes name every role and need no base; only what is typed is without one.
        let complete = Role::ALL.iter().all(|role| typed.get(*role).is_some());
        let base = match base {
            None if !complete => Self::built_in(Self::DEFAULT).ok(),
            base => base,
        };
        let colour = |role: Role| {
            let inherited = base.as_ref().map(|base| base.colour(role));
            typed.get(role).or(inherited).unwrap_or(Colour::Default)
        };
        let in_sixteen = |role: Role| {
            let own = typed.get(role).filter(|colour| !matches!(colour, Colour::Rgb(..)));
            let inherited = base.as_ref().map(|base| base.in_sixteen(role));
            typed.sixteen.get(role).or(own).or(inherited).unwrap_or(Colour::Default)
        };
        Ok(Self {
            colours: Role::ALL.map(colour),
            sixteen: Role::ALL.map(in_sixteen),
            vision: typed.vision.or(base.as_ref().and_then(|base| base.vision)),
            about: typed.about.clone(),
        })
    }

    /// Its colour for `role`.
    #[must_use]
    pub fn colour(&self, role: Role) -> Colour {
        self.colours[role as usize]
    }

    /// Its colour for `role` where only sixteen are shown. An exact colour has none of its own: the nearest of
    /// sixteen unknown ones may be that of another severity, so the one its base has for the role stays.
    #[must_use]
    pub fn in_sixteen(&self, role: Role) -> Colour {
        self.sixteen[role as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(name: &str) -> Theme {
        Theme::built_in(name).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn built_in_themes_name_every_role_and_say_what_it_paints() {
        for (name, text) in BUILT_IN {
            let theme = built_in(name);
            assert!(theme.about.is_some(), "{name}");
            for role in Role::ALL {
                let line = format!("# {}\n{} = ", role.paints(), role.name());
                assert!(text.contains(&line), "{name} does not say {line:?}");
                assert!(!matches!(theme.in_sixteen(role), Colour::Rgb(..)), "{name}: {}", role.name());
            }
        }
        let error = Theme::built_in("nope").expect_err("unknown").to_string();
        assert!(error.contains("terminal, dark, light"), "{error}");
    }

    #[test]
    fn the_default_theme_leaves_the_palette_to_the_terminal() {
        let theme = built_in(Theme::DEFAULT);
        for role in Role::ALL {
            let colour = theme.colour(role);
            assert_eq!(colour, theme.in_sixteen(role));
            match role {
                Role::Text | Role::Background | Role::Focus | Role::FocusText => assert_eq!(colour, Colour::Default),
                _ => assert!(matches!(colour, Colour::Ansi(_)), "{colour:?}"),
            }
        }
    }

    #[test]
    fn in_sixteen_colours_severities_stay_apart() {
        for name in Theme::built_in_names() {
            let theme = built_in(name);
            let told = [Role::Ok, Role::Warn, Role::Crit, Role::Unknown, Role::Vip].map(|role| theme.in_sixteen(role));
            for (index, colour) in told.iter().enumerate() {
                assert!(!told[index + 1..].contains(colour), "{name}: {colour} stands for two");
            }
        }
    }

    #[test]
    fn what_is_left_out_is_that_of_the_base() {
        let theme = Theme::read("base = \"light\"\ncrit = \"#ff0000\"\nvip = \"blue\"\n", "mine.toml").expect("fine");
        let light = built_in("light");
        assert_eq!(theme.colour(Role::Crit), Colour::Rgb(255, 0, 0));
        assert_eq!(theme.in_sixteen(Role::Crit), light.in_sixteen(Role::Crit), "an exact colour keeps the fall-back");
        assert_eq!((theme.colour(Role::Vip), theme.in_sixteen(Role::Vip)), (Colour::Ansi(4), Colour::Ansi(4)));
        assert_eq!(theme.colour(Role::Text), light.colour(Role::Text));
        let bare = Theme::read("warn = \"red\"\n[sixteen]\nwarn = \"cyan\"\n", "bare.toml").expect("fine");
        assert_eq!((bare.colour(Role::Warn), bare.in_sixteen(Role::Warn)), (Colour::Ansi(1), Colour::Ansi(6)));
        assert_eq!(bare.colour(Role::Crit), built_in("terminal").colour(Role::Crit));
    }

    #[test]
    fn a_mistake_in_a_theme_has_its_place_and_a_suggestion() {
        let cases = [
            ("base = \"dark\"\nwran = \"red\"\n", "mine.toml:2:1", "did you mean `warn`?"),
            ("base = \"drak\"\n", "mine.toml:1:8", "did you mean `dark`?"),
            ("ok = \"grue\"\n", "mine.toml:1:6", "unknown colour"),
            ("[sixteen]\nokk = \"red\"\n", "mine.toml:2:1", "did you mean `ok`?"),
            ("vision = \"tritanopa\"\n", "mine.toml:1:10", "did you mean `tritanopia`?"),
        ];
        for (text, place, words) in cases {
            let error = Theme::read(text, "mine.toml").expect_err("a mistake");
            assert!(error.to_string().contains(place) && error.to_string().contains(words), "{error}");
            assert!(error.in_one_line().starts_with(place), "{}", error.in_one_line());
        }
    }
}
