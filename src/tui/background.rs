//! Whether the terminal is light or dark, by what it answers. Pure.

use super::input::Answer;

/// The background of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// Text is light on it.
    Dark,
    /// Text is dark on it.
    Light,
}

impl Background {
    /// Whether it is dark.
    #[must_use]
    pub fn is_dark(self) -> bool {
        self == Self::Dark
    }

    /// The background that `answer` tells of; `None` when it is about something else.
    pub(super) fn of(answer: Answer) -> Option<Self> {
        let dark = match answer {
            Answer::Dark(dark) => dark,
            // Luma of ITU-R BT.601, in thousandths: near enough to how light it looks.
            Answer::Background(red, green, blue) => {
                299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) < 127_500
            }
            _ => return None,
        };
        Some(if dark { Self::Dark } else { Self::Light })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_say_how_light_the_terminal_is() {
        let cases = [
            (Answer::Background(0, 0, 0), Some(Background::Dark)),
            (Answer::Background(0, 0x2b, 0x36), Some(Background::Dark)),
            (Answer::Background(0, 0, 255), Some(Background::Dark)),
            (Answer::Background(0xfd, 0xf6, 0xe3), Some(Background::Light)),
            (Answer::Background(0, 255, 0), Some(Background::Light)),
            (Answer::Dark(true), Some(Background::Dark)),
            (Answer::Dark(false), Some(Background::Light)),
            (Answer::Foreground(0, 0, 0), None),
            (Answer::Attributes, None),
        ];
        for (answer, expected) in cases {
            assert_eq!(Background::of(answer), expected, "{answer:?}");
        }
    }
}
