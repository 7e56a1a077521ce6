//! One colour of a theme: how it is written, what it looks like, and how far it is from another.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

impl Colour {
    /// How it looks, when that is known: the terminal's own colours are what its owner made them.
    pub(super) fn seen(self) -> Option<Light> {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        match self {
            Self::Rgb(red, green, blue) => Some(Light([red, green, blue].map(linear))),
            Self::Default | Self::Ansi(_) => None,
        }
    }

    /// The nearest of the 240 colours that every terminal with 256 shows alike: a cube of 216 and 24 greys.
    #[must_use]
    pub fn indexed(red: u8, green: u8, blue: u8) -> u8 {
        const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
        let step = |channel: u8| (0u8..).zip(STEPS).min_by_key(|(_, step)| step.abs_diff(channel)).unwrap_or_default();
        let far = |to: [u8; 3]| {
            let square = |(a, b): (u8, u8)| u32::from(a.abs_diff(b)).pow(2);
            [red, green, blue].into_iter().zip(to).map(square).sum::<u32>()
        };
        let [(r, red_step), (g, green_step), (b, blue_step)] = [red, green, blue].map(step);
        let cube = (far([red_step, green_step, blue_step]), 16 + 36 * r + 6 * g + b);
        let greys = (0u8..24).map(|n| (far([8 + 10 * n; 3]), 232 + n));
        greys.chain([cube]).min().map_or(16, |(_, index)| index)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Ansi(index) => f.write_str(NAMES.get(usize::from(*index)).copied().unwrap_or("default")),
            Self::Rgb(red, green, blue) => write!(f, "#{red:02x}{green:02x}{blue:02x}"),
        }
    }
}

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
            .filter(|hex| hex.len() == 6 && hex.chars().all(|c| c.is_ascii_hexdigit()))
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

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Colour {
    fn schema_name() -> Cow<'static, str> {
        "Colour".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = format!("^(default|{}|#[0-9a-fA-F]{{6}})$", NAMES.join("|"));
        json_schema!({
            "type": "string",
            "pattern": pattern,
            "description": "`default`, a name like `bright-blue`, or `#rrggbb`."
        })
    }
}

/// A colour as light: red, green and blue in linear sRGB, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light(pub [f64; 3]);

impl Light {
    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0;
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The contrast ratio of WCAG 2.2: 1 for equal colours, 21 for black on white.
    pub(super) fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The same as seen through `matrix`.
    pub(super) fn through(self, matrix: &[[f64; 3]; 3]) -> Self {
        Self(matrix.map(|row| row.iter().zip(self.0).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0)))
    }

    /// How different two colours look: the distance in CIE 1976 L*a*b*, where 2 is just seen.
    pub(super) fn distance(self, other: Self) -> f64 {
        let (a, b) = (self.lab(), other.lab());
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    fn lab(self) -> [f64; 3] {
        let [red, green, blue] = self.0;
        // To XYZ, as shares of the white D65 (IEC 61966-2-1).
        let x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505;
        let y = self.luminance();
        let z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.0888;
        let curve = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let [x, y, z] = [x, y, z].map(curve);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn light(text: &str) -> Light {
        text.parse::<Colour>().expect("a colour").seen().expect("exact")
    }

    #[test]
    fn colours_are_written_as_they_are_read() {
        for text in ["default", "bright-black", "cyan", "#14181f"] {
            assert_eq!(text.parse::<Colour>().expect(text).to_string(), text);
        }
        for text in ["", "#12345", "#+12345", "grey", "#gggggg"] {
            assert!(text.parse::<Colour>().is_err(), "{text}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((light("#000000").contrast(light("#ffffff")) - 21.0).abs() < 0.01);
        assert!((light("#777777").contrast(light("#ffffff")) - 4.48).abs() < 0.01, "the example just below 4.5");
    }

    #[test]
    fn the_nearest_of_256_is_found_in_cube_and_greys() {
        let cases =
            [((0, 0, 0), 16), ((255, 255, 255), 231), ((255, 0, 0), 196), ((95, 135, 175), 67), ((18, 18, 18), 233)];
        for ((red, green, blue), expected) in cases {
            assert_eq!(Colour::indexed(red, green, blue), expected);
        }
    }
}
