//! Finding and reading the configuration file.

use std::path::{Path, PathBuf};

use super::mistake::Source;
use super::resolved::{default_state_dir, expand_home};
use super::{Config, ConfigError, ConfigFile};

/// The documented configuration: its active lines are exactly the defaults.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Where the configuration is looked for without `--config`.
#[must_use]
pub fn default_config_path() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "aurora").map(|dirs| dirs.config_dir().join("config.toml"))
}

/// Reads the configuration at `path`, or at the default path, or takes the defaults when no file is there.
///
/// # Errors
/// When a file that was named is missing, or a file holds a mistake.
pub fn load(path: Option<&Path>) -> Result<Config, Box<ConfigError>> {
    let named = path.is_some();
    let Some(path) = path.map(Path::to_owned).or_else(default_config_path) else {
        return parse("", None);
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text, Some(&path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => parse("", None),
        Err(error) => Err(Box::new(ConfigError {
            file: path.display().to_string(),
            source: String::new(),
            span: None,
            message: format!("failed to read the configuration: {error}"),
            help: named.then(|| "run `aurora config init` to write one, or leave --config out".into()),
        })),
    }
}

/// The state directory that the file at `path`, or at the default path, names; for commands that ask a running
/// engine what is wrong with its configuration. `None` when the file cannot even be read as TOML.
#[must_use]
pub fn state_dir(path: Option<&Path>) -> Option<PathBuf> {
    let path = path.map(Path::to_owned).or_else(default_config_path)?;
    let table: toml::Table = std::fs::read_to_string(path).ok()?.parse().ok()?;
    let named = table.get("node").and_then(|node| node.get("state_dir")).and_then(toml::Value::as_str);
    Some(named.map_or_else(default_state_dir, expand_home))
}

/// Reads the configuration `text`, which came from `path`.
///
/// # Errors
/// When it holds a mistake, with its place.
pub fn parse(text: &str, path: Option<&Path>) -> Result<Config, Box<ConfigError>> {
    let name = path.map_or_else(|| "<defaults>".to_owned(), |path| path.display().to_string());
    let file: ConfigFile = toml::from_str(text).map_err(|e| ConfigError::from_toml(&name, text, &e))?;
    let source = Source { name, text: text.to_owned() };
    Config::from_file(file, path, source.clone()).map_err(|mistake| Box::new(source.error(mistake)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commented examples of the file, without the sentences around them.
    fn with_examples() -> String {
        let uncomment = |line: &'static str| match line.strip_prefix("#") {
            Some(rest) if !rest.is_empty() && !rest.starts_with([' ', '#']) => rest,
            _ => line,
        };
        EXAMPLE.lines().map(uncomment).collect::<Vec<_>>().join("\n")
    }

    fn error(text: &str) -> ConfigError {
        *parse(text, Some(Path::new("test.toml"))).expect_err("a mistake")
    }

    #[test]
    fn active_lines_of_the_example_are_exactly_the_defaults() {
        let example = parse(EXAMPLE, None).expect("the example parses");
        let defaults = parse("", None).expect("nothing parses");
        assert_eq!(format!("{example:?}"), format!("{defaults:?}"));
        assert!(EXAMPLE.lines().any(|line| line.starts_with("ingress = ")), "defaults are written out");
    }

    #[test]
    fn examples_in_comments_parse_too() {
        let config = parse(&with_examples(), None).unwrap_or_else(|e| panic!("{e}"));
        assert!(!config.default_channels);
        assert!(config.channels.len() >= 3);
    }

    #[test]
    fn every_key_is_in_the_example() {
        let schema = serde_json::to_value(schemars::schema_for!(ConfigFile)).expect("a schema");
        let example = with_examples();
        let mut missing = Vec::new();
        let mut pending = vec![schema];
        while let Some(node) = pending.pop() {
            if let Some(properties) = node.get("properties").and_then(|p| p.as_object()) {
                let words: std::collections::HashSet<&str> =
                    example.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
                missing.extend(properties.keys().filter(|key| !words.contains(key.as_str())).cloned());
            }
            pending.extend(node.as_object().into_iter().flat_map(|o| o.values().cloned()));
        }
        assert_eq!(missing, Vec::<String>::new(), "keys that config.example.toml does not show");
    }

    #[test]
    fn a_mistake_is_answered_with_its_place() {
        let cases = [
            ("[listen]\nlissten = 1\n", (2, 1), "lissten"),
            ("[listen]\n\ningress = \"nowhere\"\n", (3, 11), "not an address"),
            ("[listen]\ningress = \"0.0.0.0:9296\"\n", (2, 11), "without TLS"),
            ("[channels.a]\nprovider = \"nope\"\nsecrets = [\"env:X\"]\n", (2, 12), "unknown provider"),
            ("[channels.a]\nprovider = \"github\"\n", (2, 12), "no secrets"),
            ("[channels.a]\nprovider = \"github\"\nsecrets = [\"hunter2\"]\n", (3, 12), "reference"),
            ("[channels.\"a b\"]\nprovider = \"github\"\nsecrets = [\"env:X\"]\n", (1, 11), "channel id"),
            ("[limits]\nbody_max = \"1 XiB\"\n", (2, 12), "not a size"),
            ("[listen]\napi = \"0.0.0.0:8901\"\n", (2, 7), "without TLS"),
            ("[listen]\napi = \"127.0.0.1:9296\"\n", (2, 7), "listen.api and listen.ingress both want"),
            ("[limits]\nqueue = 0\n", (2, 9), "at least 1"),
            ("[tui]\ntheme = \"neon\"\n", (2, 9), "unknown theme"),
            (
                "[channels.a]\nprovider = \"github\"\nsecrets = [\"env:X\"]\nrequire_assurance = \"body+time\"\n",
                (4, 21),
                "never proves",
            ),
            (
                "[channels.a]\nprovider = \"github\"\nsecrets = [\"env:X\"]\n[channels.b]\nprovider = \"github\"\nsecrets = [\"env:X\"]\n",
                (4, 11),
                "both want",
            ),
        ];
        for (text, place, words) in cases {
            let error = error(text);
            assert_eq!(error.position(), Some(place), "{error}");
            assert!(error.message.contains(words), "{error}");
            let shown = error.to_string();
            assert!(shown.contains(&format!("test.toml:{}:{}", place.0, place.1)), "{shown}");
            assert!(shown.contains('^'), "{shown}");
        }
    }

    #[test]
    fn a_literal_secret_is_never_shown() {
        for secrets in ["[\"hunter2\"]", "\"hunter2\"", "[\"hunter2]", "hunter2", "[\n\"hunter2\"\n]"] {
            let text = format!("[channels.a]\nprovider = \"github\"\nsecrets = {secrets}\n");
            let shown = error(&text).to_string();
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn an_unknown_key_gets_a_suggestion() {
        let error = error("[chanels.a]\nprovider = \"github\"\n");
        assert_eq!(error.help.as_deref(), Some("did you mean `channels`?"));
    }
}
