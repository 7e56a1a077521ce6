//! The themes a screen can be drawn with: the one in force, the one that was picked, and files that change.

use std::path::{Path, PathBuf};

use crate::config::{self, Config, FileChanges, ThemeChoice, ThemeLibrary};
use serde::{Deserialize, Serialize};

use super::background::Background;
use super::ladder::ColourMode;
use super::msg::Msg;
use super::styles::Look;

/// The file with what was picked, in the state directory.
const PICKED: &str = "theme.toml";

/// What a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Display {
    /// How many colours.
    pub colours: ColourMode,
    /// Whether only ASCII is drawn.
    pub ascii: bool,
    /// Whether text from outside is ASCII too.
    pub only_ascii: bool,
}

impl Display {
    fn look(self, theme: &config::Theme) -> Look {
        let look = Look::new(theme, self.colours, self.ascii);
        if self.only_ascii { look.only_ascii() } else { look }
    }
}

/// One theme of the picker.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Its name; `None` is what the configuration says.
    pub name: Option<String>,
    /// What is said of it.
    pub about: String,
    /// How the screen looks with it, or why it cannot be used.
    pub look: Result<Look, String>,
}

/// What the screen wants of its themes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThemeStep {
    /// All of them, to choose one.
    Offer,
    /// This one from now on; `None` is what the configuration says.
    Keep(Option<String>),
    /// The terminal has this background.
    Background(Background),
}

/// What was picked, and what the configuration said then: where it says something else by now, that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Picked {
    name: String,
    instead_of: String,
}

/// The themes of one screen.
#[derive(Debug)]
pub struct Themes {
    display: Display,
    library: ThemeLibrary,
    configured: ThemeChoice,
    /// The configuration file, to read it again.
    path: Option<PathBuf>,
    state_dir: PathBuf,
    /// What the command line says; it goes before all else.
    forced: Option<ThemeChoice>,
    picked: Option<Picked>,
    background: Option<Background>,
    /// What the files held when they were last looked at.
    seen: Vec<Option<Vec<u8>>>,
    changes: FileChanges,
}

impl Themes {
    /// The themes of `config`, which was read from `path`. `forced` is the theme the command line names.
    #[must_use]
    pub fn new(config: &Config, path: Option<&Path>, forced: Option<&str>, display: Display) -> Self {
        let mut themes = Self {
            display,
            library: config.themes.clone(),
            configured: config.theme.clone(),
            path: path.map(Path::to_owned).or_else(config::default_config_path),
            state_dir: config.state_dir.clone(),
            forced: forced.map(ThemeChoice::named),
            picked: None,
            background: None,
            seen: Vec::new(),
            changes: FileChanges::of([]),
        };
        themes.picked = themes.kept();
        themes.seen = themes.files();
        themes
    }

    /// The choice in force: of the command line, of the picker, of the configuration.
    fn choice(&self) -> ThemeChoice {
        let picked = self.picked.as_ref().filter(|picked| picked.instead_of == self.configured.to_string());
        match (&self.forced, picked) {
            (Some(forced), _) => forced.clone(),
            (None, Some(picked)) => ThemeChoice::named(&picked.name),
            (None, None) => self.configured.clone(),
        }
    }

    /// The name of the theme in force.
    fn name(&self) -> String {
        self.choice().name(self.background.map(Background::is_dark)).to_owned()
    }

    /// How the screen looks with the theme in force.
    ///
    /// # Errors
    /// In one line: which theme, where in its file, and what is wrong.
    pub fn look(&self) -> Result<Look, String> {
        self.look_of(&self.name()).map_err(|why| format!("the theme cannot be used: {why}"))
    }

    /// The look of the default theme, which needs nothing that could be broken.
    #[must_use]
    pub fn plain(&self) -> Look {
        let plain = config::Theme::built_in(config::Theme::DEFAULT);
        plain.map_or_else(|error| unreachable!("a test reads it: {error}"), |theme| self.display.look(&theme))
    }

    fn look_of(&self, name: &str) -> Result<Look, String> {
        self.library.theme(name).map(|theme| self.display.look(&theme)).map_err(|error| error.in_one_line())
    }

    /// Whether the theme depends on the terminal's background, so that it is worth asking for.
    #[must_use]
    pub fn asks_background(&self) -> bool {
        self.display.colours != ColourMode::None && matches!(self.choice(), ThemeChoice::ByBackground { .. })
    }

    /// Takes a step; answers what the screen is to be told.
    pub(super) fn take(&mut self, step: ThemeStep) -> Option<Msg> {
        match step {
            ThemeStep::Offer => Some(Msg::Themes(self.offers())),
            ThemeStep::Keep(name) => self.keep(name).err().map(|why| Msg::Look(Err(why))),
            ThemeStep::Background(background) => self.background(background).map(|look| Msg::Look(Ok(look))),
        }
    }

    /// Takes what the terminal says of its background; answers the look when that changes it.
    fn background(&mut self, background: Background) -> Option<Look> {
        let before = self.name();
        self.background = Some(background);
        if self.name() == before { None } else { self.look().ok() }
    }

    /// Every theme, the configured choice first.
    fn offers(&self) -> Vec<Offer> {
        let configured = self.configured.name(self.background.map(Background::is_dark));
        let first = Offer {
            name: None,
            about: format!("what the configuration says: {}", self.configured),
            look: self.look_of(configured),
        };
        let named = self.library.names().into_iter().map(|name| {
            let theme = self.library.theme(&name);
            let about = match &theme {
                Ok(theme) => theme.about.clone().unwrap_or_default(),
                Err(error) => error.in_one_line(),
            };
            let look = theme.map(|theme| self.display.look(&theme)).map_err(|error| error.in_one_line());
            Offer { name: Some(name), about, look }
        });
        std::iter::once(first).chain(named).collect()
    }

    /// Keeps `name` for this screen and the next ones, until the configuration says something else; `None` gives
    /// the choice back to it. The configuration itself is never written.
    ///
    /// An error says in one line why it could not be kept for the next ones. This screen has it all the same.
    fn keep(&mut self, name: Option<String>) -> Result<(), String> {
        self.forced = None;
        self.picked = name.map(|name| Picked { name, instead_of: self.configured.to_string() });
        let file = self.state_dir.join(PICKED);
        let kept = match &self.picked {
            None => match std::fs::remove_file(&file) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                done => done,
            },
            Some(picked) => toml::to_string(picked).map_err(std::io::Error::other).and_then(|text| {
                std::fs::create_dir_all(&self.state_dir)?;
                std::fs::write(&file, text)
            }),
        };
        kept.map_err(|error| format!("the theme is not kept for the next time: {}: {error}", file.display()))
    }

    /// What was picked before. What cannot be read is as good as nothing.
    fn kept(&self) -> Option<Picked> {
        toml::from_str(&std::fs::read_to_string(self.state_dir.join(PICKED)).ok()?).ok()
    }

    /// The bytes of the files the look depends on.
    fn files(&mut self) -> Vec<Option<Vec<u8>>> {
        let files = [self.path.clone(), self.library.file(&self.name())];
        self.changes.add(files.iter().flatten().map(PathBuf::as_path));
        files.into_iter().map(|path| std::fs::read(path?).ok()).collect()
    }

    /// Waits until the configuration or the theme's file has changed, and answers the look from then on.
    ///
    /// # Errors
    /// In one line: what is wrong with it, and where; the old one stays.
    pub async fn changed(&mut self) -> Result<Look, String> {
        loop {
            self.changes.next().await;
            let found = self.files();
            if found == self.seen {
                continue;
            }
            let file_changed = found.first() != self.seen.first();
            self.seen = found;
            if file_changed {
                let config = match config::load(self.path.as_deref().filter(|path| path.exists())) {
                    Ok(config) => config,
                    Err(error) => return Err(error.in_one_line()),
                };
                self.library = config.themes;
                self.configured = config.theme;
                // Another theme may be in force now, with another file.
                self.seen = self.files();
            }
            return self.look();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISPLAY: Display = Display { colours: ColourMode::True, ascii: false, only_ascii: false };

    struct Place {
        dir: tempfile::TempDir,
    }

    impl Place {
        fn new(config: &str) -> Self {
            let place = Self { dir: tempfile::tempdir().expect("a directory") };
            std::fs::create_dir(place.dir.path().join("themes")).expect("makes");
            place.write("config.toml", config);
            place
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.dir.path().join(name), text).expect("writes");
        }

        fn themes(&self, forced: Option<&str>) -> Themes {
            let path = self.dir.path().join("config.toml");
            let mut config = config::load(Some(&path)).unwrap_or_else(|error| panic!("{error}"));
            config.move_to(&self.dir.path().join("state"));
            Themes::new(&config, Some(&path), forced, DISPLAY)
        }
    }

    fn built_in(name: &str) -> Look {
        DISPLAY.look(&config::Theme::built_in(name).expect(name))
    }

    #[tokio::test]
    async fn a_pick_is_kept_until_the_configuration_says_something_else() {
        let place = Place::new("[tui]\ntheme = \"dark\"\n");
        let mut themes = place.themes(None);
        assert_eq!(themes.look(), Ok(built_in("dark")));
        themes.keep(Some("light".into())).expect("kept");
        assert_eq!(themes.look(), Ok(built_in("light")));
        assert_eq!(place.themes(None).look(), Ok(built_in("light")), "the next screen has it too");
        assert_eq!(place.themes(Some("protanopia")).look(), Ok(built_in("protanopia")), "the command line goes before");
        place.write("config.toml", "[tui]\ntheme = \"high-contrast\"\n");
        assert_eq!(place.themes(None).look(), Ok(built_in("high-contrast")));
        let mut themes = place.themes(None);
        themes.keep(None).expect("nothing to remove is fine");
        themes.keep(Some("light".into())).expect("kept");
        themes.keep(None).expect("given back");
        assert_eq!(place.themes(None).look(), Ok(built_in("high-contrast")));
        assert_eq!(
            std::fs::read_to_string(place.dir.path().join("config.toml")).expect("reads"),
            "[tui]\ntheme = \"high-contrast\"\n",
            "the operator's file is theirs"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn changed_files_change_the_look_and_broken_ones_say_where() {
        let place = Place::new("[tui]\ntheme = \"mine\"\n");
        place.write("themes/mine.toml", "base = \"dark\"\n");
        let mut themes = place.themes(None);
        assert_eq!(themes.look(), Ok(built_in("dark")));
        place.write("themes/mine.toml", "base = \"light\"\n");
        assert_eq!(themes.changed().await, Ok(built_in("light")));
        place.write("themes/mine.toml", "base = \"light\"\n\nwran = \"red\"\n");
        let error = themes.changed().await.expect_err("a mistake");
        assert!(error.contains("themes/mine.toml:3:1:") && error.contains("did you mean `warn`?"), "{error}");
        place.write("config.toml", "[tui]\ntheme = \"protanopia\"\n");
        assert_eq!(themes.changed().await, Ok(built_in("protanopia")));
        place.write("config.toml", "[tui]\ntheme = \"neon\"\n");
        let error = themes.changed().await.expect_err("a mistake");
        assert!(error.contains("config.toml:2:9:"), "{error}");
        let quiet = tokio::time::timeout(std::time::Duration::from_secs(30), themes.changed()).await;
        assert!(quiet.is_err(), "what is said is said once: {quiet:?}");
    }

    #[tokio::test]
    async fn the_background_decides_between_two() {
        let place = Place::new("[tui]\ntheme = \"auto\"\n");
        let mut themes = place.themes(None);
        assert!(themes.asks_background());
        assert_eq!(themes.look(), Ok(themes.plain()), "until it is known");
        assert_eq!(themes.background(Background::Dark), Some(built_in("dark")));
        assert_eq!(themes.background(Background::Dark), None, "nothing new");
        assert_eq!(themes.background(Background::Light), Some(built_in("light")));
        themes.keep(Some("dark".into())).expect("kept");
        assert!(!themes.asks_background());
        assert_eq!(themes.background(Background::Light), None);
    }

    #[tokio::test]
    async fn a_broken_theme_is_offered_with_its_reason() {
        let place = Place::new("");
        place.write("themes/mine.toml", "ok = \"grue\"\n");
        let offers = place.themes(None).offers();
        assert_eq!(offers[0].name, None);
        assert_eq!(offers.iter().filter(|offer| offer.look.is_ok()).count(), 8);
        let mine = offers.iter().find(|offer| offer.name.as_deref() == Some("mine")).expect("it is listed");
        assert!(mine.look.is_err() && mine.about.contains("mine.toml:1:6"), "{mine:?}");
    }
}
