//! How a cell of a pane is drawn with the colours this terminal has. Pure.

use ratatui::style::{Color, Modifier, Style};

use crate::config::Colour;
use crate::screen;
use crate::screen::Attributes;

use super::ladder::ColourMode;
use super::styles::Look;

const ATTRIBUTES: [(Attributes, Modifier); 6] = [
    (Attributes::BOLD, Modifier::BOLD),
    (Attributes::DIM, Modifier::DIM),
    (Attributes::ITALIC, Modifier::ITALIC),
    (Attributes::UNDERLINE, Modifier::UNDERLINED),
    (Attributes::INVERSE, Modifier::REVERSED),
    (Attributes::STRIKE, Modifier::CROSSED_OUT),
];

impl Look {
    /// The style of a cell of a pane. What has no colour of its own has that of the theme.
    pub(super) fn pane(&self, cell: screen::Style) -> Style {
        let colour = |colour: Option<screen::Color>, own: Option<Color>| match (self.colours, colour) {
            (ColourMode::None, _) | (_, None) => own,
            (mode, Some(colour)) => Some(shown(colour, mode)),
        };
        let style = Style { fg: colour(cell.fg, self.text.fg), bg: colour(cell.bg, self.text.bg), ..self.text };
        let set = ATTRIBUTES.into_iter().filter(|(attribute, _)| cell.has(*attribute)).map(|(_, modifier)| modifier);
        style.add_modifier(set.collect())
    }

    /// The frame of a pane that somebody at this keyboard types into.
    pub(super) fn driving(&self) -> Style {
        self.warn.add_modifier(Modifier::REVERSED)
    }
}

/// A colour of a pane on a terminal that has at least sixteen.
fn shown(colour: screen::Color, mode: ColourMode) -> Color {
    match (mode, colour) {
        (ColourMode::Sixteen, screen::Color::Indexed(index @ 16..)) => {
            let [red, green, blue] = channels(index);
            Color::Indexed(sixteen(red, green, blue))
        }
        (_, screen::Color::Indexed(index)) => Color::Indexed(index),
        (ColourMode::Sixteen, screen::Color::Rgb(red, green, blue)) => Color::Indexed(sixteen(red, green, blue)),
        (ColourMode::Indexed, screen::Color::Rgb(red, green, blue)) => {
            Color::Indexed(Colour::indexed(red, green, blue))
        }
        (_, screen::Color::Rgb(red, green, blue)) => Color::Rgb(red, green, blue),
    }
}

/// Red, green and blue of a colour of the cube, or of a grey.
fn channels(index: u8) -> [u8; 3] {
    let step = |level: u8| if level == 0 { 0 } else { 55 + 40 * level };
    match index {
        232.. => [8 + 10 * (index - 232); 3],
        _ => {
            let index = index.saturating_sub(16);
            [step(index / 36), step(index / 6 % 6), step(index % 6)]
        }
    }
}

/// The nearest of the sixteen, as terminals show them by default: hue first, then how bright it is.
fn sixteen(red: u8, green: u8, blue: u8) -> u8 {
    let channels = [red, green, blue];
    let (least, most) =
        channels.iter().fold((u8::MAX, 0), |(least, most), channel| (least.min(*channel), most.max(*channel)));
    if most - least < 48 {
        return match most {
            0..=63 => 0,
            64..=159 => 8,
            160..=223 => 7,
            _ => 15,
        };
    }
    let middle = least.midpoint(most);
    let hue = (0..3).zip(channels).filter(|(_, channel)| *channel > middle).map(|(bit, _)| 1 << bit).sum::<u8>();
    if most > 207 { hue + 8 } else { hue }
}

#[cfg(test)]
mod tests {
    use crate::config::Theme;

    use super::*;

    fn drawn(mode: ColourMode, fg: screen::Color) -> Style {
        let look = Look::new(&Theme::built_in("dark").expect("a theme"), mode, false);
        look.pane(screen::Style { fg: Some(fg), ..screen::Style::default() })
    }

    #[test]
    fn each_rung_has_only_its_own_colours() {
        use screen::Color::{Indexed, Rgb};
        assert_eq!(drawn(ColourMode::True, Rgb(1, 2, 3)).fg, Some(Color::Rgb(1, 2, 3)));
        assert_eq!(drawn(ColourMode::Indexed, Rgb(255, 0, 0)).fg, Some(Color::Indexed(196)));
        for (colour, near) in [
            (Rgb(255, 0, 0), 9),
            (Rgb(150, 10, 10), 1),
            (Indexed(196), 9),
            (Indexed(22), 2),
            (Indexed(244), 8),
            (Rgb(250, 250, 250), 15),
            (Indexed(3), 3),
            (Rgb(240, 200, 40), 11),
        ] {
            assert_eq!(drawn(ColourMode::Sixteen, colour).fg, Some(Color::Indexed(near)), "{colour:?}");
        }
        assert_eq!(drawn(ColourMode::None, Rgb(255, 0, 0)).fg, None);
    }
}
