//! The rows of a capture (`capture-pane -e -N`), read for their text, their width and the colours they begin with.

use unicode_width::UnicodeWidthChar;

/// One row of a capture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Its text and colours, with no other control than SGR and the choice of the line drawing characters.
    pub(super) bytes: Vec<u8>,
    /// What to write first, so that `bytes` looks right after a reset.
    pub(super) pen: Vec<u8>,
    /// Columns its text takes.
    pub(super) width: usize,
    /// Whether its first character takes two.
    pub(super) begins_wide: bool,
}

/// Reads the rows. tmux writes only what changes between two cells, over the ends of rows too.
pub(super) fn rows(capture: &[u8]) -> Vec<Row> {
    let capture = capture.strip_suffix(b"\n").unwrap_or(capture);
    let mut pen = Pen::default();
    capture.split(|byte| *byte == b'\n').map(|line| row(line, &mut pen)).collect()
}

fn row(line: &[u8], pen: &mut Pen) -> Row {
    let mut row = Row { pen: pen.written(), ..Row::default() };
    let mut rest = line;
    while let Some((&first, after)) = rest.split_first() {
        match first {
            0x1b => {
                let (sequence, after) = escape(rest);
                rest = after;
                if let Some(parameters) = sequence.strip_prefix(b"\x1b[").and_then(|s| s.strip_suffix(b"m")) {
                    pen.apply(parameters);
                    row.bytes.extend_from_slice(sequence);
                }
            }
            // tmux shifts to the line drawing characters and back (SO, SI). Choosing them leaves nothing behind.
            0x0e | 0x0f => {
                pen.drawing = first == 0x0e;
                row.bytes.extend_from_slice(charset(pen.drawing));
                rest = after;
            }
            0..0x20 | 0x7f => rest = after,
            _ => {
                let end = rest.iter().position(|byte| *byte < 0x20 || *byte == 0x7f).unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                rest = after;
                for c in String::from_utf8_lossy(text).chars() {
                    let width = c.width().unwrap_or(0);
                    row.begins_wide |= row.width == 0 && width == 2;
                    row.width += width;
                }
                row.bytes.extend_from_slice(text);
            }
        }
    }
    row
}

fn charset(drawing: bool) -> &'static [u8] {
    if drawing { b"\x1b(0" } else { b"\x1b(B" }
}

/// The escape sequence at the begin of `bytes`, and what comes behind it: CSI up to its final byte, OSC (hyperlinks) up
/// to its end, everything else as two bytes.
fn escape(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = match bytes.get(1) {
        Some(b'[') => bytes.iter().skip(2).position(|byte| (0x40..0x7f).contains(byte)).map(|at| at + 3),
        Some(b']') => {
            let terminator = bytes.windows(2).position(|pair| pair == b"\x1b\\" || pair[1] == 0x07);
            terminator.map(|at| at + 2)
        }
        _ => Some(2),
    };
    bytes.split_at(end.unwrap_or(bytes.len()).min(bytes.len()))
}

/// What of SGR is set. tmux writes attributes, each colour and the colour of underlines as sequences of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Pen {
    attributes: Vec<Vec<u8>>,
    foreground: Vec<u8>,
    background: Vec<u8>,
    underline: Vec<u8>,
    drawing: bool,
}

impl Pen {
    fn apply(&mut self, parameters: &[u8]) {
        let first = parameters.split(|byte| b";:".contains(byte)).next().unwrap_or_default();
        let number = std::str::from_utf8(first).ok().and_then(|text| text.parse::<u16>().ok()).unwrap_or(0);
        match number {
            30..=39 | 90..=97 => self.foreground = parameters.to_vec(),
            40..=49 | 100..=107 => self.background = parameters.to_vec(),
            58 | 59 => self.underline = parameters.to_vec(),
            0 => {
                *self = Self { drawing: self.drawing, ..Self::default() };
                self.attributes.extend(parameters.split(|byte| *byte == b';').skip(1).map(<[u8]>::to_vec));
            }
            _ => self.attributes.extend(parameters.split(|byte| *byte == b';').map(<[u8]>::to_vec)),
        }
    }

    fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let attributes = self.attributes.join(&b';');
        for parameters in [&attributes, &self.foreground, &self.background, &self.underline] {
            if !parameters.is_empty() {
                out.extend_from_slice(b"\x1b[");
                out.extend_from_slice(parameters);
                out.push(b'm');
            }
        }
        if self.drawing {
            out.extend_from_slice(charset(true));
        }
        out
    }
}

/// Which rows go on in the next one because the terminal wrapped them, told by the same capture with such rows joined
/// (`-J`). Where the two do not agree, nothing is said to be wrapped.
pub(super) fn wrapped(capture: &[u8], joined: &[u8]) -> Vec<bool> {
    let lines: Vec<&[u8]> = capture.strip_suffix(b"\n").unwrap_or(capture).split(|byte| *byte == b'\n').collect();
    let mut rest = joined.strip_suffix(b"\n").unwrap_or(joined);
    let mut wrapped = Vec::with_capacity(lines.len());
    for line in &lines {
        let Some(after) = rest.strip_prefix(*line).or_else(|| rest.strip_prefix(line.trim_ascii_end())) else {
            return vec![false; lines.len()];
        };
        let ends = after.strip_prefix(b"\n");
        wrapped.push(ends.is_none() && !after.is_empty());
        rest = ends.unwrap_or(after);
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_on_over_the_ends_of_rows() {
        let rows = rows(b"\x1b[1;4m\x1b[38;2;1;2;3mhi\n\xe6\x97\xa5x\x1b[0;7m\nz\x1b]8;;http://x\x1b\\y\n");
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].pen, b"");
        assert_eq!(rows[1].pen, b"\x1b[1;4m\x1b[38;2;1;2;3m");
        assert_eq!((rows[1].width, rows[1].begins_wide), (3, true));
        assert_eq!(rows[2].pen, b"\x1b[7m");
        assert_eq!(rows[2].bytes, b"zy", "links are left out");
    }

    #[test]
    fn line_drawing_is_chosen_and_given_back() {
        let rows = rows(b"\x0elqk\x0fx\n\x0eq\nq\n");
        assert_eq!(rows[0].bytes, b"\x1b(0lqk\x1b(Bx");
        assert_eq!(rows[2].pen, b"\x1b(0");
    }

    #[test]
    fn wrapped_rows_are_told_by_the_joined_capture() {
        assert_eq!(wrapped(b"abcd\nef\ngh\n", b"abcdef\ngh\n"), [true, false, false]);
        assert_eq!(wrapped(b"abcd  \nef\n\n", b"abcdef\n\n"), [true, false, false], "newer ones trim");
        assert_eq!(wrapped(b"abcd\nef\n", b"other\n"), [false, false]);
        assert_eq!(wrapped(b"\n\n\n", b"\n\n\n"), [false, false, false]);
    }
}
