use proptest::prelude::*;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::*;

fn terminal(area: Rect) -> avt::Terminal {
    avt::Terminal::new(area.width.into(), area.height.into()).expect("a terminal")
}

fn same_colour(seen: Option<avt::Color>, wanted: Color) -> bool {
    let wanted = match wanted {
        Color::Reset => None,
        Color::Rgb(red, green, blue) => Some(avt::Color::rgb(red, green, blue)),
        other => {
            let text = colour(other, 30);
            let number: u8 = text.rsplit(';').next().expect("a number").parse().expect("a number");
            Some(avt::Color::Indexed(match (text.contains(';'), number) {
                (true, index) => index,
                (false, number @ 90..) => number - 90 + 8,
                (false, number) => number - 30,
            }))
        }
    };
    seen == wanted
}

/// Panics where the terminal does not show `wanted`.
#[track_caller]
fn compare(terminal: &avt::Terminal, wanted: &Buffer) {
    for (y, (line, row)) in
        terminal.screen().visible_lines().zip(wanted.content.chunks(wanted.area.width.into())).enumerate()
    {
        for (x, (cell, glyph)) in line.cells().iter().zip(glyphs(row)).enumerate() {
            if glyph.text.is_empty() {
                assert_eq!(cell.width(), 0, "{x} {y}");
                continue;
            }
            assert_eq!(cell.char().to_string(), glyph.text, "{x} {y}");
            let pen = cell.pen();
            let attributes = glyph.pen.attributes;
            assert_eq!(pen.is_inverse(), attributes.contains(Modifier::REVERSED), "{x} {y}");
            assert_eq!(pen.is_underline(), attributes.contains(Modifier::UNDERLINED), "{x} {y}");
            assert!(same_colour(pen.background(), glyph.pen.bg), "{x} {y} {:?} {:?}", pen.background(), glyph.pen.bg);
            if glyph.text != " " || !attributes.is_empty() {
                assert!(
                    same_colour(pen.foreground(), glyph.pen.fg),
                    "{x} {y} {:?} {:?}",
                    pen.foreground(),
                    glyph.pen.fg
                );
                assert_eq!(pen.is_bold(), attributes.contains(Modifier::BOLD), "{x} {y}");
            }
        }
    }
}

fn style() -> impl Strategy<Value = Style> {
    let colours =
        vec![Color::Reset, Color::Red, Color::DarkGray, Color::White, Color::Indexed(200), Color::Rgb(1, 2, 3)];
    let attributes = vec![Modifier::empty(), Modifier::BOLD, Modifier::REVERSED, Modifier::UNDERLINED | Modifier::BOLD];
    (prop::sample::select(colours.clone()), prop::sample::select(colours), prop::sample::select(attributes))
        .prop_map(|(fg, bg, attributes)| Style::new().fg(fg).bg(bg).add_modifier(attributes))
}

/// Text that is put somewhere on a frame.
fn piece() -> impl Strategy<Value = (u16, u16, String, Style)> {
    let text = prop::sample::select(vec![
        "a",
        "hello",
        "   ",
        "          ",
        "日本語",
        "│▁▂",
        "x日y",
        " 12ms ",
        "0123456789012345678901234",
    ]);
    (0..24_u16, 0..6_u16, text.prop_map(str::to_owned), prop_oneof![3 => Just(Style::new()), 2 => style()])
}

fn frame(base: &Buffer, pieces: &[(u16, u16, String, Style)]) -> Buffer {
    let mut buffer = base.clone();
    for (x, y, text, style) in pieces {
        buffer.set_stringn(*x, *y, text, usize::from(base.area.width - x), *style);
    }
    buffer
}

proptest! {
    #[test]
    fn a_terminal_that_was_told_shows_the_frame(
        frames in prop::collection::vec((any::<bool>(), prop::collection::vec(piece(), 0..6)), 1..8),
    ) {
        let area = Rect::new(0, 0, 24, 6);
        let mut terminal = terminal(area);
        let mut encoder = Encoder::new();
        let mut now = Buffer::empty(area);
        for (anew, pieces) in &frames {
            let base = if *anew { Buffer::empty(area) } else { now.clone() };
            now = frame(&base, pieces);
            let bytes = String::from_utf8(encoder.encode(&now)).expect("text");
            terminal.feed(bytes.as_str());
            compare(&terminal, &now);
            prop_assert!(encoder.encode(&now).is_empty(), "nothing has changed");
        }
    }
}

/// A frame of a title, a pane of `rows` rows whose first line is the one with this number, and a line below.
fn pane(first: usize, rows: usize, style: Style) -> Buffer {
    let line = |n: usize| format!("{:120}", format!("[{n:5}] compiling part {} of the whole, as builds do", n * 7919));
    let lines = (0..rows).map(|y| line(first + y));
    let lines = [format!("{:120}", "web-1:0.1 make")].into_iter().chain(lines).chain([format!("{:120}", "live")]);
    let mut buffer = Buffer::with_lines(lines);
    buffer.set_style(Rect::new(0, 1, 20, u16::try_from(rows).expect("small")), style);
    buffer
}

#[test]
fn a_pane_that_scrolls_costs_its_new_lines() {
    let mut encoder = Encoder::new();
    let mut terminal = terminal(Rect::new(0, 0, 120, 40));
    let mut show = |first| {
        let frame = pane(first, 38, Style::new().fg(Color::Green).bg(Color::Blue));
        let bytes = encoder.encode(&frame);
        terminal.feed(std::str::from_utf8(&bytes).expect("text"));
        compare(&terminal, &frame);
        bytes.len()
    };
    assert!(show(0) > 2_000);
    let four: usize = (1..5).map(&mut show).sum();
    assert!(four <= 4 * 120, "{four} bytes for four lines, one at a time");
    assert!(show(9) <= 460, "five at once");
    assert!(show(5) <= 360, "and back");
}

proptest! {
    #[test]
    fn rows_that_move_are_where_they_belong(
        moves in prop::collection::vec((0..30_usize, 0..3_u16, prop::collection::vec(piece(), 0..3)), 1..8),
    ) {
        let mut encoder = Encoder::new();
        let mut terminal = terminal(Rect::new(0, 0, 120, 14));
        for (first, y, pieces) in moves {
            let pieces: Vec<_> = pieces.into_iter().map(|(x, row, text, style)| (x, row + y, text, style)).collect();
            let frame = frame(&pane(first, 12, Style::new().add_modifier(Modifier::REVERSED)), &pieces);
            terminal.feed(std::str::from_utf8(&encoder.encode(&frame)).expect("text"));
            compare(&terminal, &frame);
        }
    }
}

#[test]
fn a_frame_of_another_size_is_drawn_from_the_beginning() {
    let mut encoder = Encoder::new();
    let first = Buffer::with_lines(["hello"]);
    assert_eq!(encoder.encode(&first), b"\x1b[m\x1b[2J\x1b[Hhello");
    let second = Buffer::with_lines(["hello!"]);
    assert_eq!(encoder.encode(&second), b"\x1b[m\x1b[2J\x1b[Hhello!");
}

#[test]
fn figures_in_a_column_cost_a_few_bytes_each() {
    let rows = |of: fn(usize) -> String| {
        Buffer::with_lines((0..40).map(|n| format!("check-{n:02}      ok   {}   12m  ", of(n))))
    };
    let mut encoder = Encoder::new();
    encoder.encode(&rows(|n| format!("{}ms", 10 + n)));
    let bytes = encoder.encode(&rows(|n| format!("{}ms", 59 - n)));
    assert!(bytes.len() <= 40 * 7, "{} bytes: {}", bytes.len(), bytes.escape_ascii());
}

#[test]
fn a_line_that_empties_is_erased_and_a_selection_that_moves_writes_two_rows() {
    let mut encoder = Encoder::new();
    encoder.encode(&Buffer::with_lines(["a long line of text", "and another"]));
    assert_eq!(encoder.encode(&Buffer::with_lines(["a                  ", "and another"])), b"\x1b[1;3H\x1b[K");
    let list = |selected: u16| {
        let mut buffer = Buffer::with_lines([format!("{:120}", "one"), format!("{:120}", "two")]);
        buffer.set_style(Rect::new(0, selected, 120, 1), Style::new().add_modifier(Modifier::REVERSED));
        buffer
    };
    let mut encoder = Encoder::new();
    encoder.encode(&list(0));
    let bytes = encoder.encode(&list(1)).len();
    assert!(bytes <= 160, "{bytes} bytes");
}

#[test]
fn without_colours_no_colour_is_written() {
    let mut buffer = Buffer::with_lines(["ok", "down"]);
    buffer.set_style(Rect::new(0, 1, 4, 1), Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED));
    let mut encoder = Encoder::new();
    let bytes = String::from_utf8(encoder.encode(&buffer)).expect("text");
    assert_eq!(bytes, "\x1b[m\x1b[2J\x1b[Hok\r\n\x1b[1;7mdown");
}
