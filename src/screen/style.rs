//! How a cell of a pane looks, and the control sequence that says so (SGR, ECMA-48 8.3.117).

use std::fmt::Write;

use super::sequence::{Param, Params};

/// A colour of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Color {
    /// One of the terminal's own: 0 to 7, their bright forms 8 to 15, the cube and the greys up to 255.
    Indexed(u8),
    /// Red, green and blue.
    Rgb(u8, u8, u8),
}

/// What is set of a cell besides its colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Attributes(u8);

impl Attributes {
    /// Bold.
    pub const BOLD: Self = Self(1);
    /// Faint. Where bold is set too, bold is shown.
    pub const DIM: Self = Self(1 << 1);
    /// Italic.
    pub const ITALIC: Self = Self(1 << 2);
    /// Underlined, in whichever way.
    pub const UNDERLINE: Self = Self(1 << 3);
    /// Foreground and background exchanged.
    pub const INVERSE: Self = Self(1 << 4);
    /// Struck through.
    pub const STRIKE: Self = Self(1 << 5);

    /// Whether all of `other` is set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn set(&mut self, other: Self, on: bool) {
        if on {
            self.0 |= other.0;
        } else {
            self.0 &= !other.0;
        }
    }
}

/// How a cell looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Style {
    /// Its foreground; the terminal's own when absent.
    pub fg: Option<Color>,
    /// Its background; the terminal's own when absent.
    pub bg: Option<Color>,
    /// The rest.
    pub attributes: Attributes,
}

/// Each attribute with the parameter that sets it.
const SET: [(u16, Attributes); 6] = [
    (1, Attributes::BOLD),
    (2, Attributes::DIM),
    (3, Attributes::ITALIC),
    (4, Attributes::UNDERLINE),
    (7, Attributes::INVERSE),
    (9, Attributes::STRIKE),
];

impl Style {
    /// Whether all of `attributes` is set.
    #[must_use]
    pub fn has(&self, attributes: Attributes) -> bool {
        self.attributes.contains(attributes)
    }

    /// Only its background: what an erased cell keeps.
    pub(super) fn erased(self) -> Self {
        Self { bg: self.bg, ..Self::default() }
    }

    /// Writes the sequence that makes a terminal draw like this, whatever it drew like before.
    pub fn write_sgr(&self, out: &mut String) {
        out.push_str("\x1b[0");
        for (number, attribute) in SET {
            if self.has(attribute) {
                push(out, format_args!(";{number}"));
            }
        }
        for (color, base) in [(self.fg, 30u16), (self.bg, 40)] {
            match color {
                None => {}
                Some(Color::Indexed(index @ 0..8)) => push(out, format_args!(";{}", base + u16::from(index))),
                Some(Color::Indexed(index @ 8..16)) => push(out, format_args!(";{}", base + 52 + u16::from(index))),
                Some(Color::Indexed(index)) => push(out, format_args!(";{};5;{index}", base + 8)),
                Some(Color::Rgb(red, green, blue)) => push(out, format_args!(";{};2;{red};{green};{blue}", base + 8)),
            }
        }
        out.push('m');
    }

    /// Does what the parameters of one SGR say, as tmux reads them.
    pub(super) fn apply(&mut self, params: Params<'_>) {
        let list: Vec<Param<'_>> = params.list().collect();
        if list.is_empty() {
            *self = Self::default();
        }
        let number = |index: usize| match list.get(index) {
            Some(Param::Number(number)) => Some(*number),
            _ => None,
        };
        let mut index = 0;
        while let Some(param) = list.get(index) {
            match param {
                Param::Text(text) => self.apply_colons(text),
                Param::Missing => *self = Self::default(),
                Param::Number(which @ (38 | 48 | 58)) => {
                    index += 1;
                    match number(index) {
                        // What is no colour is read as further attributes.
                        Some(2) if self.set_rgb(*which, number(index + 1), number(index + 2), number(index + 3)) => {
                            index += 3;
                        }
                        Some(5) => {
                            index += 1;
                            self.set_indexed(*which, number(index));
                        }
                        _ => {}
                    }
                }
                Param::Number(number) => self.apply_one(*number),
            }
            index += 1;
        }
    }

    fn apply_one(&mut self, number: u32) {
        let low = |base: u32| Some(Color::Indexed(u8::try_from(number - base).unwrap_or(0)));
        match number {
            0 => *self = Self::default(),
            21 => self.attributes.set(Attributes::UNDERLINE, true),
            22 => {
                self.attributes.set(Attributes::BOLD, false);
                self.attributes.set(Attributes::DIM, false);
            }
            23 => self.attributes.set(Attributes::ITALIC, false),
            24 => self.attributes.set(Attributes::UNDERLINE, false),
            27 => self.attributes.set(Attributes::INVERSE, false),
            29 => self.attributes.set(Attributes::STRIKE, false),
            30..=37 => self.fg = low(30),
            39 => self.fg = None,
            40..=47 => self.bg = low(40),
            49 => self.bg = None,
            90..=97 => self.fg = low(82),
            100..=107 => self.bg = low(92),
            _ => {
                if let Some((_, attribute)) = SET.iter().find(|(set, _)| u32::from(*set) == number) {
                    self.attributes.set(*attribute, true);
                }
            }
        }
    }

    /// A parameter with parts, `4:3` or `38:2::255:0:0` (ISO 8613-6).
    fn apply_colons(&mut self, text: &str) {
        let parts: Vec<Option<u32>> = text.split(':').map(|part| part.parse().ok()).collect();
        match parts[..] {
            [Some(4), Some(kind)] if kind <= 5 => self.attributes.set(Attributes::UNDERLINE, kind > 0),
            [Some(which), Some(5), index, ..] => self.set_indexed(which, index),
            [Some(which), Some(2), red, green, blue] | [Some(which), Some(2), _, red, green, blue, ..] => {
                self.set_rgb(which, red, green, blue);
            }
            _ => {}
        }
    }

    fn set_color(&mut self, which: u32, color: Option<Color>) {
        match which {
            38 => self.fg = color,
            48 => self.bg = color,
            _ => {}
        }
    }

    fn set_indexed(&mut self, which: u32, index: Option<u32>) {
        self.set_color(which, index.and_then(|index| u8::try_from(index).ok()).map(Color::Indexed));
    }

    /// Whether that is a colour.
    fn set_rgb(&mut self, which: u32, red: Option<u32>, green: Option<u32>, blue: Option<u32>) -> bool {
        let part = |part: Option<u32>| part.and_then(|part| u8::try_from(part).ok());
        let (Some(red), Some(green), Some(blue)) = (part(red), part(green), part(blue)) else { return false };
        self.set_color(which, Some(Color::Rgb(red, green, blue)));
        true
    }
}

/// Writes formatted text.
pub(super) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let result = out.write_fmt(text);
    debug_assert!(result.is_ok(), "writing to a String cannot fail");
}

/// The pieces of a line as panes hand them out: text with SGR and no other control, each piece with its style.
///
/// Any other control sequence ends the line there; what comes from [`super::Glass`] holds none.
#[must_use]
pub fn styled(line: &str) -> Vec<(Style, &str)> {
    let mut style = Style::default();
    let mut pieces = Vec::new();
    let mut rest = line;
    loop {
        let (text, after) = rest.split_once('\x1b').map_or((rest, None), |(text, after)| (text, Some(after)));
        let text = text.split(char::is_control).next().unwrap_or_default();
        if !text.is_empty() {
            pieces.push((style, text));
        }
        let Some((sgr, after)) =
            after.and_then(|after| after.strip_prefix('[')).and_then(|after| after.split_once('m'))
        else {
            return pieces;
        };
        if !sgr.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')) {
            return pieces;
        }
        style.apply(Params::new(sgr));
        rest = after;
    }
}

/// A line as panes hand them out, without its styles.
#[must_use]
pub fn plain(line: &str) -> String {
    styled(line).into_iter().map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(sequences: &[&str]) -> Style {
        let mut style = Style::default();
        for params in sequences {
            style.apply(Params::new(params));
        }
        style
    }

    fn with(attributes: &[Attributes], fg: Option<Color>, bg: Option<Color>) -> Style {
        let mut style = Style { fg, bg, ..Style::default() };
        for attribute in attributes {
            style.attributes.set(*attribute, true);
        }
        style
    }

    #[test]
    fn styles_are_read_as_tmux_reads_them() {
        use Attributes as A;
        use Color::{Indexed, Rgb};
        let red = Some(Indexed(1));
        for (sequences, style) in [
            (&["1;31"][..], with(&[A::BOLD], red, None)),
            (&["1;31", ""], Style::default()),
            (&["1;31", "0"], Style::default()),
            (&["31;;1"], with(&[A::BOLD], None, None)),
            (&["91;107"], with(&[], Some(Indexed(9)), Some(Indexed(15)))),
            (&["38;5;208;48;2;1;2;3"], with(&[], Some(Indexed(208)), Some(Rgb(1, 2, 3)))),
            (&["38:2::10:20:30", "48:5:7"], with(&[], Some(Rgb(10, 20, 30)), Some(Indexed(7)))),
            (&["38:2:10:20:30"], with(&[], Some(Rgb(10, 20, 30)), None)),
            (&["4:3"], with(&[A::UNDERLINE], None, None)),
            (&["4:3", "4:0"], Style::default()),
            (&["58;5;1"], Style::default()),
            (&["58;2;1;4;7;3"], with(&[A::ITALIC], None, None)),
            (&["1;2;3;4;7;9", "22;23;24;27;29"], Style::default()),
            (&["31;38;5;999"], Style::default()),
            (&["31;38;2;1;4"], with(&[A::BOLD, A::UNDERLINE], red, None)),
        ] {
            assert_eq!(after(sequences), style, "{sequences:?}");
        }
    }

    #[test]
    fn a_line_comes_apart_into_its_pieces() {
        let red = with(&[], Some(Color::Indexed(1)), None);
        assert_eq!(styled("a\x1b[31mb\x1b[mc"), [(Style::default(), "a"), (red, "b"), (Style::default(), "c")]);
        assert_eq!(plain("a\x1b[0;31mb\x1b[mc"), "abc");
        for (hostile, shown) in
            [("a\x1b]0;t\x07b", "a"), ("a\x1b[2Jb", "a"), ("a\x1b[31", "a"), ("a\rb", "a"), ("\x1b", "")]
        {
            assert_eq!(plain(hostile), shown, "{hostile:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(bits in 0u8..64, fg in any::<Option<(bool, u8, u8, u8)>>(), bg in any::<Option<(bool, u8, u8, u8)>>()) {
            let color = |color: Option<(bool, u8, u8, u8)>| {
                color.map(|(rgb, r, g, b)| if rgb { Color::Rgb(r, g, b) } else { Color::Indexed(r) })
            };
            let style = Style { fg: color(fg), bg: color(bg), attributes: Attributes(bits) };
            let mut text = String::new();
            style.write_sgr(&mut text);
            text.push('x');
            prop_assert_eq!(styled(&text), [(style, "x")]);
        }

        #[test]
        fn no_line_makes_it_panic_or_lets_control_through(line in any::<String>()) {
            prop_assert!(!plain(&line).chars().any(char::is_control));
        }
    }
}
