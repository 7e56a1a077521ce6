//! Answers to queries, taken off the input so that they never look typed.

use super::event::Answer;

/// The answer in a CSI sequence that begins with `?`; what is between that and its last byte is `parameters`.
pub(super) fn csi(parameters: &str, last: u8) -> Option<Answer> {
    let numbers = |text: &str| text.split(';').map(|number| number.parse::<u16>().ok()).collect::<Option<Vec<_>>>();
    match last {
        b'c' => Some(Answer::Attributes),
        b'n' => match numbers(parameters)?.as_slice() {
            [997, 1] => Some(Answer::Dark(true)),
            [997, 2] => Some(Answer::Dark(false)),
            _ => None,
        },
        b'u' => parameters.parse().ok().map(Answer::Keyboard),
        // 1 set, 2 reset; 0 is unknown, 3 and 4 are fixed.
        b'y' => match numbers(parameters.strip_suffix('$')?)?.as_slice() {
            [mode, state] => Some(Answer::Mode(*mode, matches!(state, 1 | 2))),
            _ => None,
        },
        _ => None,
    }
}

/// The answer in an OSC string: a colour as X11 writes it, with one to four digits a channel.
pub(super) fn osc(text: &str) -> Option<Answer> {
    let (number, colour) = text.split_once(';')?;
    let (_, channels) = colour.split_once(':').filter(|(form, _)| matches!(*form, "rgb" | "rgba"))?;
    let mut channels = channels.split('/').map(channel);
    let (red, green, blue) = (channels.next()??, channels.next()??, channels.next()??);
    match number {
        "10" => Some(Answer::Foreground(red, green, blue)),
        "11" => Some(Answer::Background(red, green, blue)),
        _ => None,
    }
}

/// A channel in one to four hexadecimal digits, as a share of the largest number of so many digits.
fn channel(digits: &str) -> Option<u8> {
    let value = u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
    let largest = match digits.len() {
        digits @ 1..=4 => (1 << (4 * digits)) - 1,
        _ => return None,
    };
    u8::try_from(value * 255 / largest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_at_every_depth() {
        assert_eq!(osc("11;rgb:ffff/8080/0000"), Some(Answer::Background(255, 128, 0)));
        assert_eq!(osc("10;rgb:f/8/0"), Some(Answer::Foreground(255, 136, 0)));
        assert_eq!(osc("11;rgba:ff/00/12/ff"), Some(Answer::Background(255, 0, 18)));
        for text in
            ["11;rgb:ffff/8080", "11;rgb:+f/0/0", "11;red", "12;rgb:0/0/0", "11;rgb:fffff/0/0", "", "11;rgb:é/0/0"]
        {
            assert_eq!(osc(text), None, "{text}");
        }
    }
}
