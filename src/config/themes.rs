//! Which theme a screen uses, and where themes are found: in the configuration, in files beside it, built in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::model::nearest;

use super::mistake::{Mistake, Source};
use super::theme::{Theme, ThemeError, ThemeFile};
use super::{ConfigError, default_config_path};

/// A file of a theme is not larger than this.
const LARGEST: u64 = 64 << 10;

/// `theme` as it was typed.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum ThemeChoiceFile {
    /// A name, or `auto` for `light` and `dark`.
    One(String),
    /// One for light terminals and one for dark ones.
    ByBackground {
        /// Where the background is light.
        light: String,
        /// Where it is dark.
        dark: String,
    },
}

impl<'de> Deserialize<'de> for ThemeChoiceFile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = ThemeChoiceFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a theme's name, \"auto\", or { light = \"NAME\", dark = \"NAME\" }")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ThemeChoiceFile, E> {
                Ok(ThemeChoiceFile::One(text.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<ThemeChoiceFile, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Pair {
                    light: String,
                    dark: String,
                }
                let Pair { light, dark } = Pair::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(ThemeChoiceFile::ByBackground { light, dark })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// Which theme a screen uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ThemeChoice {
    /// This one.
    One(String),
    /// It depends on the terminal's background; the default theme until that is known.
    ByBackground {
        /// Where it is light.
        light: String,
        /// Where it is dark.
        dark: String,
    },
}

impl ThemeChoice {
    /// The choice that `name` stands for: `auto` is the built-in pair.
    #[must_use]
    pub fn named(name: &str) -> Self {
        if name == "auto" {
            return Self::ByBackground { light: "light".to_owned(), dark: "dark".to_owned() };
        }
        Self::One(name.to_owned())
    }

    /// The theme for a background that is dark or not, or not known.
    #[must_use]
    pub fn name(&self, dark: Option<bool>) -> &str {
        match (self, dark) {
            (Self::One(name), _) => name,
            (Self::ByBackground { dark, .. }, Some(true)) => dark,
            (Self::ByBackground { light, .. }, Some(false)) => light,
            (Self::ByBackground { .. }, None) => Theme::DEFAULT,
        }
    }

    /// The names in it.
    fn names(&self) -> Vec<&str> {
        match self {
            Self::One(name) => vec![name],
            Self::ByBackground { light, dark } => vec![light, dark],
        }
    }
}

impl fmt::Display for ThemeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(name) => f.write_str(name),
            Self::ByBackground { light, dark } => write!(f, "{light} or {dark} by the background"),
        }
    }
}

/// Where a theme comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThemeOrigin {
    /// The program.
    BuiltIn,
    /// `[tui.themes.<name>]`.
    Configuration,
    /// A file.
    File(PathBuf),
}

impl fmt::Display for ThemeOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Configuration => f.write_str("configuration"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// The themes there are. One in the configuration goes before a file, and both before a built-in one of that name.
#[derive(Debug, Clone)]
pub struct ThemeLibrary {
    typed: BTreeMap<String, ThemeFile>,
    source: Source,
    /// Where files are looked for.
    dir: Option<PathBuf>,
}

impl ThemeLibrary {
    /// The themes of a configuration at `path`, or at the default path.
    pub(super) fn new(
        typed: &BTreeMap<Spanned<String>, ThemeFile>,
        path: Option<&Path>,
        source: &Source,
    ) -> Result<Self, Mistake> {
        for (key, theme) in typed {
            if !is_name(key.get_ref()) {
                return Err(Mistake::at(key, "a theme's name is made of 1 to 64 letters, digits and - _"));
            }
            Theme::typed(theme)?;
        }
        let dir = path.map(Path::to_owned).or_else(default_config_path);
        let dir = dir.and_then(|path| path.parent().map(|parent| parent.join("themes")));
        let typed = typed.iter().map(|(key, theme)| (key.get_ref().clone(), theme.clone())).collect();
        Ok(Self { typed, source: source.clone(), dir })
    }

    /// The themes in the configuration, as they were typed.
    #[must_use]
    pub fn typed(&self) -> &BTreeMap<String, ThemeFile> {
        &self.typed
    }

    /// The directory of the files.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Every theme by name: the built-in ones first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let built_in = Theme::built_in_names();
        let files = self.dir.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_stem()?.to_str()?.to_owned();
            (path.extension()? == "toml" && is_name(&name)).then_some(name)
        });
        let mut own: Vec<String> =
            self.typed.keys().cloned().chain(files).filter(|name| !built_in.contains(&name.as_str())).collect();
        own.sort();
        own.dedup();
        built_in.into_iter().map(str::to_owned).chain(own).collect()
    }

    /// Where the theme `name` comes from; `None` when there is none.
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<ThemeOrigin> {
        if self.typed.contains_key(name) {
            return Some(ThemeOrigin::Configuration);
        }
        if let Some(path) = self.file(name)
            && path.is_file()
        {
            return Some(ThemeOrigin::File(path));
        }
        Theme::built_in_names().contains(&name).then_some(ThemeOrigin::BuiltIn)
    }

    /// The file a theme of this name would have. A name that is none has no file anywhere.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        let dir = self.dir.as_ref().filter(|_| is_name(name))?;
        Some(dir.join(format!("{name}.toml")))
    }

    /// The theme `name`.
    ///
    /// # Errors
    /// When there is none, or it holds a mistake.
    pub fn theme(&self, name: &str) -> Result<Theme, ThemeError> {
        if let Some(typed) = self.typed.get(name) {
            return Ok(Theme::typed(typed).map_err(|mistake| Box::new(self.source.error(mistake)))?);
        }
        match self.origin(name) {
            Some(ThemeOrigin::File(path)) => read_theme(&path),
            Some(_) => Theme::built_in(name),
            None => Err(ThemeError::Unknown(name.to_owned(), self.names().join(", "))),
        }
    }

    /// The choice that was typed, when its themes exist. A file is read where a screen uses it: a mistake in it keeps
    /// no engine from starting.
    pub(super) fn choice(&self, typed: &Spanned<ThemeChoiceFile>) -> Result<ThemeChoice, Mistake> {
        let choice = match typed.get_ref() {
            ThemeChoiceFile::One(name) => ThemeChoice::named(name),
            ThemeChoiceFile::ByBackground { light, dark } => {
                ThemeChoice::ByBackground { light: light.clone(), dark: dark.clone() }
            }
        };
        for name in choice.names() {
            if self.origin(name).is_none() {
                let names = self.names();
                let mistake =
                    Mistake::at(typed, format!("unknown theme {name:?}; the themes are {}", names.join(", ")));
                return Err(match nearest(name, names.iter().map(String::as_str)) {
                    Some(name) => mistake.help(format!("did you mean `{name}`?")),
                    None => mistake.help("`aurora theme list` tells where themes are looked for"),
                });
            }
        }
        Ok(choice)
    }
}

/// Reads the theme in the file at `path`.
///
/// # Errors
/// When it cannot be read or holds a mistake.
pub fn read_theme(path: &Path) -> Result<Theme, ThemeError> {
    let file = path.display().to_string();
    let failed = |message: String| {
        Box::new(ConfigError { file: file.clone(), source: String::new(), span: None, message, help: None })
    };
    let size = std::fs::metadata(path).map_err(|error| failed(format!("failed to read the theme: {error}")))?.len();
    if size > LARGEST {
        return Err(failed(format!("a theme is at most {LARGEST} bytes; this has {size}")).into());
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(format!("failed to read the theme: {error}")))?;
    Theme::read(&text, &file)
}

/// Names are parts of paths, and are shown.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn library(files: &[(&str, &str)], config: &str) -> (tempfile::TempDir, ThemeLibrary) {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("themes")).expect("makes");
        for (name, text) in files {
            std::fs::write(dir.path().join("themes").join(name), text).expect("writes");
        }
        let config = parse(config, Some(&dir.path().join("config.toml"))).unwrap_or_else(|error| panic!("{error}"));
        (dir, config.themes)
    }

    #[test]
    fn themes_are_found_in_the_configuration_in_files_and_in_the_program() {
        let files = [("mine.toml", "base = \"dark\"\n"), ("dark.toml", "ok = \"blue\"\n"), ("read me.toml", "")];
        let (_dir, library) = library(&files, "[tui.themes.office]\nbase = \"light\"\n");
        let names = library.names();
        assert_eq!(&names[..2], ["terminal", "dark"]);
        assert_eq!(&names[7..], ["mine", "office"]);
        assert_eq!(library.origin("office"), Some(ThemeOrigin::Configuration));
        assert!(matches!(library.origin("dark"), Some(ThemeOrigin::File(_))), "an own one goes before");
        assert_eq!(library.origin("light"), Some(ThemeOrigin::BuiltIn));
        assert_eq!(library.origin("../../etc/passwd"), None);
        for name in names {
            library.theme(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert!(library.theme("neon").expect_err("none").to_string().contains("office"));
    }

    #[test]
    fn a_broken_file_is_a_mistake_of_the_theme_only() {
        let (dir, library) = library(&[("mine.toml", "wran = \"red\"\n")], "[tui]\ntheme = \"mine\"\n");
        let error = library.theme("mine").expect_err("a mistake").in_one_line();
        assert!(error.starts_with(&format!("{}:1:1: unknown field", dir.path().join("themes/mine.toml").display())));
        std::fs::write(dir.path().join("themes/mine.toml"), vec![b'#'; 70_000]).expect("writes");
        assert!(library.theme("mine").expect_err("too large").to_string().contains("at most"));
    }

    #[test]
    fn a_choice_is_a_name_or_a_pair() {
        let choice = |text: &str| parse(text, None).map(|config| config.theme).map_err(|error| error.to_string());
        assert_eq!(choice(""), Ok(ThemeChoice::One("terminal".into())));
        let auto = choice("[tui]\ntheme = \"auto\"\n").expect("fine");
        assert_eq!(auto.name(None), "terminal", "nothing is known yet");
        assert_eq!((auto.name(Some(true)), auto.name(Some(false))), ("dark", "light"));
        let pair = choice("[tui]\ntheme = { light = \"light\", dark = \"high-contrast\" }\n").expect("fine");
        assert_eq!(pair.name(Some(true)), "high-contrast");
        let error = choice("[tui]\ntheme = { light = \"light\", dark = \"drak\" }\n").expect_err("a mistake");
        assert!(error.contains("unknown theme") && error.contains("did you mean `dark`?"), "{error}");
        assert!(choice("[tui]\ntheme = { light = \"light\" }\n").is_err());
        assert!(choice("[tui.themes.\"a b\"]\nok = \"red\"\n").is_err());
    }
}
