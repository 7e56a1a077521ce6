//! `[tui]`: how the screen uses its terminal.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::file::TuiFile;

/// `true`, `false`, or `"auto"`: as it is best here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Switch {
    /// Always.
    On,
    /// Never.
    Off,
    /// As it is best here.
    #[default]
    Auto,
}

impl Switch {
    /// Whether it is on where `auto` says what is best.
    #[must_use]
    pub fn or(self, auto: bool) -> bool {
        match self {
            Self::On => true,
            Self::Off => false,
            Self::Auto => auto,
        }
    }
}

/// How the screen uses its terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalConfig {
    /// Whether frames are marked, so that a terminal that knows the marks (DEC mode 2026) shows each at once.
    pub sync: bool,
    /// Whether the screen does with less; `Auto` goes by how the line was measured to be.
    pub lite: Switch,
    /// Whether the screen takes the mouse; `Auto` is on this machine only.
    pub mouse: Switch,
    /// Whether the terminal's title says how things are.
    pub title: bool,
}

impl Default for TerminalConfig {
    fn default() -> Self {
        Self::of(&TuiFile::default())
    }
}

impl TerminalConfig {
    pub(super) fn of(file: &TuiFile) -> Self {
        Self {
            sync: file.sync.unwrap_or(true),
            lite: file.lite.unwrap_or_default(),
            mouse: file.mouse.unwrap_or_default(),
            title: file.title.unwrap_or(true),
        }
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Switch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or \"auto\"")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<Switch, E> {
                Ok(if on { Switch::On } else { Switch::Off })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Switch, E> {
                if text == "auto" {
                    Ok(Switch::Auto)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                }
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Serialize for Switch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::On => serializer.serialize_bool(true),
            Self::Off => serializer.serialize_bool(false),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl JsonSchema for Switch {
    fn schema_name() -> Cow<'static, str> {
        "Switch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": [true, false, "auto"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_a_truth_or_auto() {
        let read = |text: &str| toml::from_str::<TuiFile>(text).map(|file| file.lite);
        assert_eq!(read("lite = true").expect("reads"), Some(Switch::On));
        assert_eq!(read("lite = false").expect("reads"), Some(Switch::Off));
        assert_eq!(read("lite = \"auto\"").expect("reads"), Some(Switch::Auto));
        let error = read("lite = \"yes\"").expect_err("is refused").to_string();
        assert!(error.contains("true, false or \"auto\""), "{error}");
        assert_eq!([Switch::Auto.or(true), Switch::Off.or(true), Switch::On.or(false)], [true, false, true]);
    }
}
