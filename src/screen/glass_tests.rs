use proptest::prelude::*;

use super::emulator::Emulator;
use super::glass::{Glass, pattern};
use super::pane_screen::{InputModes, PaneScreen};
use super::style::{Attributes, plain, styled};
use super::{Color, MAX_BYTES, MAX_LINES};
use crate::model::{PaneChunk, PaneId, PaneSeed};

const PANE: PaneId = PaneId { server: 7, number: 3 };

fn seed(columns: u16, rows: u16, bytes: &[u8]) -> PaneSeed {
    PaneSeed {
        pane: PANE,
        offset: 0,
        missed: 0,
        too_fast: false,
        cols: columns,
        rows,
        history: 0,
        bytes: bytes.to_vec(),
    }
}

fn feed(glass: &mut Glass, text: &str) {
    let chunk = PaneChunk { pane: PANE, offset: glass.offset(), bytes: text.as_bytes().to_vec() };
    glass.feed(&chunk).expect("no hole");
}

fn screen(columns: u16, rows: u16, text: &str) -> Emulator {
    let mut screen = Emulator::new(columns, rows);
    screen.feed(text.as_bytes());
    screen
}

fn shows(screen: &impl PaneScreen) -> Vec<String> {
    let row = |row| screen.row(row).map(|cell| cell.to_string()).collect::<String>().trim_end().to_owned();
    (0..screen.size().1).map(row).collect()
}

#[test]
fn sizes_are_brought_into_their_bounds() {
    for (asked, got) in
        [((0, 0), (2, 2)), ((1, 300), (2, 300)), ((u16::MAX, u16::MAX), (500, 300)), ((80, 24), (80, 24))]
    {
        assert_eq!(Emulator::new(asked.0, asked.1).size(), got);
    }
}

#[test]
fn modes_of_keys_and_pastes_are_in_every_dump_whichever_way_they_are() {
    let modes = |cursor_keys, paste| InputModes { cursor_keys, keypad: cursor_keys, paste };
    let mut glass = Glass::new(20, 4);
    assert_eq!(glass.screen().input_modes(), modes(false, true), "nothing was said");
    let mut other = Glass::new(20, 4);
    for (said, is) in [
        ("\x1b[?1h\x1b=\x1b[?2004h$ ", modes(true, true)),
        ("\x1b[?2004l", modes(true, false)),
        ("\x1b[?1l\x1b>\x1b[?1049h", modes(false, false)),
        ("\x1b[?1;2004h\x1b=\x1b[?1049l", modes(true, true)),
        ("\x1bc", modes(false, false)),
    ] {
        feed(&mut glass, said);
        assert_eq!(glass.screen().input_modes(), is, "{said:?}");
        other.seed(&seed(20, 4, &glass.dump()));
        assert_eq!(other.screen().input_modes(), is, "a dump after {said:?}");
    }
    // What a capture does not say stays as it was.
    glass.seed(&seed(20, 4, b"$ "));
    assert_eq!(glass.screen().input_modes(), modes(false, false));
}

#[test]
fn what_a_property_found_once_comes_out_of_a_dump_as_it_was() {
    for printed in [
        // Faint beside bold.
        "\x1b[1ma\x1b[0;2mb\x1b[0;1mc\x1b[0md",
        "\x1b[2m─\x1b[1m─\x1b[0;2m─",
        "\x1b[;2m\x1b[4h─\x1b[1m\x1b[ZA",
        // Behind the last column, with the origin in the region and lines drawn from now on.
        "\x1b[?6h0123456789012345678a\x1b(0",
        "\x1b[?6h0123456789012345678a\x1b)0\x0e",
    ] {
        let one = screen(20, 6, printed);
        let mut other = Emulator::new(20, 6);
        other.feed(&one.dump());
        same(&one, &other).unwrap_or_else(|error| panic!("{printed:?}: {error}"));
    }
}

#[test]
fn nothing_is_drawn_by_what_programs_say_to_the_terminal() {
    for said in [
        "\x1b]0;title\x07",
        "\x1b]52;c;aGVsbG8=\x1b\\",
        "\x1b]8;;https://example.com\x1b\\",
        "\x1bPqsixel\x1b\\",
        "\x1bkname\x1b\\",
        "\x1b[6n\x1b[c\x1b[>c\x1b[5n",
        "\x1b[?2004h\x1b[?1000h\x1b[>4;2m\x1b[2 q\x1b[22;0t",
        "\u{9b}\u{85}\u{202e}\u{200b}",
    ] {
        assert_eq!(shows(&screen(20, 2, &format!("a{said}b"))), ["ab", ""], "{said:?}");
    }
}

#[test]
fn wide_characters_marks_and_joined_ones_take_the_columns_they_take_in_tmux() {
    let shown = screen(8, 3, "日本e\u{301}x");
    let cells: Vec<(u16, String, u16)> =
        shown.row(0).map(|cell| (cell.column, cell.to_string(), cell.width)).take(4).collect();
    let cell = |column, text: &str, width| (column, text.to_owned(), width);
    assert_eq!(cells, [cell(0, "日", 2), cell(2, "本", 2), cell(4, "e\u{301}", 1), cell(5, "x", 1)]);
    assert_eq!(shows(&screen(8, 2, "👨\u{200d}👩\u{200d}👧!")), ["👨!", ""]);
    assert_eq!(shows(&screen(8, 2, "1234567e\u{301}x")), ["1234567e\u{301}", "x"], "marked in the last column");
    assert_eq!(shows(&screen(8, 2, "1234567日")), ["1234567", "日"], "it does not fit");
    assert_eq!(shows(&screen(8, 2, "\x1b[?7l1234567日")), ["1234567", ""], "and is not cut");
    assert_eq!(shows(&screen(8, 2, "abc\x1b[2D日")), ["a日", ""]);
    assert_eq!(shows(&screen(8, 2, "日\x1b[2Dx")), ["x", ""], "half of it goes with it");
}

#[test]
fn characters_that_come_in_pieces_come_whole() {
    let mut shown = Emulator::new(10, 2);
    for byte in "ä\x1b[31m日\u{fffd}".bytes() {
        shown.feed(&[byte]);
    }
    shown.feed(b"\xff");
    assert_eq!(shows(&shown), ["ä日\u{fffd}\u{fffd}", ""]);
}

#[test]
fn erased_cells_keep_only_the_background() {
    let shown = screen(6, 3, "\x1b[4;7;31;44mab\x1b[K\r\n\x1b[m");
    let styles: Vec<_> = shown.row(0).map(|cell| cell.style).collect();
    assert!(styles[0].has(Attributes::UNDERLINE) && styles[0].has(Attributes::INVERSE));
    assert_eq!((styles[0].fg, styles[5].fg, styles[5].bg), (Some(Color::Indexed(1)), None, Some(Color::Indexed(4))));
    assert!(!styles[5].has(Attributes::UNDERLINE));
    let wrapped = screen(4, 2, "\r\n\x1b[44mabcdefgh");
    assert_eq!(wrapped.row(1).map(|cell| cell.style.bg).collect::<Vec<_>>(), [Some(Color::Indexed(4)); 4]);
    let new = screen(4, 2, "\r\n\x1b[44mabcde");
    assert_eq!(new.row(1).skip(1).map(|cell| cell.style.bg).collect::<Vec<_>>(), [None; 3], "a wrap brings no colour");
}

#[test]
fn the_history_survives_seeds_and_other_sizes() {
    let mut glass = Glass::new(80, 24);
    glass.seed(&seed(10, 2, b"one\r\ntwo\r\nthree\r\nfour"));
    assert_eq!(glass.first_row(), 2, "the first seed brings its history");
    feed(&mut glass, "\r\nfive");
    glass.seed(&PaneSeed { offset: glass.offset(), ..seed(20, 3, b"old\r\nolder\r\nfour\r\nfive\r\n") });
    assert_eq!(glass.first_row(), 3, "the next ones do not, and nothing is said twice");
    feed(&mut glass, "x\r\n\x1b[31mred\x1b[m");
    let lines = glass.lines(None, 100);
    let texts: Vec<(u64, &str)> = lines.lines.iter().map(|line| (line.number, line.text.as_str())).collect();
    assert_eq!(texts, [(0, "one"), (1, "two"), (2, "three"), (3, "four")]);
    assert_eq!(lines.next, None);
    let two = glass.lines(Some(3), 2);
    assert_eq!(two.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(two.next, Some(1));
    assert_eq!(glass.text(), ["five", "x", "red"]);
}

#[test]
fn the_history_of_a_seed_goes_on_behind_what_is_known_of_it() {
    let numbers = |from: u32, to: u32| (from..=to).map(|n| n.to_string()).collect::<Vec<_>>().join("\r\n");
    let known = |glass: &Glass| -> Vec<String> {
        glass.lines(None, 1_000).lines.iter().map(|line| line.text.clone()).chain(glass.text()).collect()
    };
    let all = |from: u32, to: u32| (from..=to).map(|n| n.to_string()).collect::<Vec<_>>();
    let with_history = |missed, history, text: String| PaneSeed { missed, history, ..seed(10, 4, text.as_bytes()) };
    let mut glass = Glass::new(10, 4);
    glass.seed(&seed(10, 4, numbers(1, 50).as_bytes()));
    // Nothing was printed; more was; more than its history has; and a history that knows the last screen only.
    glass.seed(&with_history(1, 46, numbers(1, 50)));
    assert_eq!(known(&glass), all(1, 50));
    glass.seed(&with_history(1, 60, numbers(11, 74)));
    assert_eq!(known(&glass), all(1, 74));
    glass.seed(&with_history(1, 30, numbers(71, 104)));
    let mut twice = all(1, 74);
    twice.extend(all(71, 104));
    assert_eq!(known(&glass), twice, "what is not sure comes again");
    glass.seed(&with_history(1, 100, numbers(401, 504)));
    let mut torn = twice;
    torn.extend(all(401, 504));
    assert_eq!(known(&glass), torn);
    // A prompt and nothing else was known.
    let mut glass = Glass::new(10, 4);
    glass.seed(&seed(10, 4, b"$ "));
    glass.seed(&with_history(1, 20, format!("$ seq 23\r\n{}\r\n$ ", numbers(1, 23))));
    assert_eq!(known(&glass)[..3], ["$ seq 23", "1", "2"]);
}

#[test]
fn what_nobody_will_show_again_becomes_history() {
    let mut glass = Glass::new(10, 4);
    glass.seed(&seed(10, 4, b"1\r\n2\r\n3\r\n4"));
    let next = |missed, bytes: &[u8]| PaneSeed { missed, ..seed(10, 4, bytes) };
    glass.seed(&next(7, b"3\r\n4\r\n5\r\n6"));
    assert_eq!(glass.first_row(), 2, "the screen moved by two");
    glass.seed(&next(9, b"3\r\n4\r\n5\r\n6!"));
    assert_eq!(glass.first_row(), 2, "it did not move");
    glass.seed(&next(1_000, b"97\r\n98\r\n99\r\n100"));
    assert_eq!(glass.first_row(), 6, "nothing of it is left");
    glass.seed(&next(1_000, b"\x1b[?1049hvim"));
    glass.seed(&next(1_000, b"\x1b[?1049hless"));
    assert_eq!(glass.first_row(), 6, "the alternate screen has no history");
    let texts: Vec<String> = glass.lines(None, 9).lines.into_iter().map(|line| line.text).collect();
    assert_eq!(texts, ["1", "2", "3", "4", "5", "6!"]);
}

#[test]
fn holes_are_refused_and_repeats_are_passed_over() {
    let mut glass = Glass::new(10, 2);
    glass.seed(&PaneSeed { offset: 100, ..seed(10, 2, b"ab") });
    let chunk = |offset, text: &str| PaneChunk { pane: PANE, offset, bytes: text.into() };
    let hole = glass.feed(&chunk(101, "x")).expect_err("a hole");
    assert_eq!((hole.from, hole.to, glass.offset()), (100, 101, 100));
    glass.feed(&chunk(100, "cd")).expect("it fits");
    glass.feed(&chunk(99, "-cde")).expect("it begins early");
    glass.feed(&chunk(90, "old")).expect("it is old");
    assert_eq!((glass.text()[0].as_str(), glass.offset()), ("abcde", 103));
}

#[test]
fn searches_go_from_the_newest_to_the_oldest() {
    let mut glass = Glass::new(10, 2);
    glass.seed(&seed(10, 2, b""));
    for number in 0..50 {
        feed(&mut glass, &format!("line \x1b[32m{number}\x1b[m\r\n"));
    }
    feed(&mut glass, "the last li");
    let found = |regex: &str, before, limit| {
        let found = glass.stretch(0, before, usize::MAX).search(&pattern(regex).expect("a pattern"), limit);
        (found.lines.iter().map(|line| line.number).collect::<Vec<_>>(), found.next)
    };
    assert_eq!(found("line 4[0-9]$", None, 100), ((40..50).rev().collect(), None));
    assert_eq!(found("line 4", None, 3).0, [49, 48, 47]);
    let next = found("line 4", None, 3).1;
    assert_eq!(found("line 4", next, 3).0, [46, 45, 44]);
    assert_eq!(found("^the last li$", None, 9).0, [50], "a line that wraps is one line");
    assert_eq!(found("nothing", None, 9), (vec![], None));
    let seven = glass.stretch(0, None, usize::MAX).search(&pattern("line 7").expect("a pattern"), 9);
    assert_eq!(seven.lines[0].text, "line \x1b[0;32m7\x1b[0m");
}

#[test]
fn patterns_are_bounded() {
    for bad in ["(", "a{1000}{1000}", &"a".repeat(257)] {
        let said = pattern(bad).expect_err("refused").to_string();
        assert!(!said.contains('\n'), "{said}");
    }
}

#[test]
fn drift_is_seen_and_what_cannot_be_known_is_not_called_drift() {
    let mut glass = Glass::new(10, 3);
    glass.seed(&seed(10, 3, b"ab\x1b[31mc\x1b[m \r\nx"));
    assert!(!glass.differs(&seed(10, 3, b"ab\x1b[0;31mc\x1b[0m\r\nx")));
    assert!(!glass.differs(&seed(10, 3, b"ab\x1b[31mc\x1b[m\x1b[44m   \x1b[m\r\n\x1b[5mx")));
    assert!(glass.differs(&seed(10, 3, b"abc\r\nx")), "a colour");
    assert!(glass.differs(&seed(10, 3, b"ab\x1b[31mc\x1b[m\r\ny")), "a character");
    assert!(glass.differs(&seed(12, 3, b"ab\x1b[31mc\x1b[m\r\nx")), "a size");
}

#[test]
fn a_stream_that_asks_for_too_much_is_not_believed_until_it_is_seeded() {
    let mut glass = Glass::new(200, 100);
    glass.seed(&seed(200, 100, b""));
    feed(&mut glass, &"\x1b#8".repeat(100_000));
    assert!(!glass.is_sound());
    assert!(glass.differs(&seed(200, 100, b"")));
    let here = glass.offset();
    feed(&mut glass, "more");
    assert_eq!(glass.offset(), here + 4, "the stream is followed all the same");
    glass.seed(&PaneSeed { offset: here + 4, ..seed(80, 24, b"fine") });
    assert!(glass.is_sound());
    assert_eq!(glass.text()[0], "fine");
    for _ in 0..200 {
        feed(&mut glass, &"y\r\n".repeat(500));
        feed(&mut glass, "\x1b[H\x1b[2J\x1b[3J");
    }
    assert!(glass.is_sound(), "ordinary floods are no attack");
}

/// What a program that means harm would print, 12 KiB of each.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    const LENGTH: usize = 12 << 10;
    let repeated = |text: &str| text.as_bytes().iter().copied().cycle().take(LENGTH).collect::<Vec<u8>>();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let noise = |mask: u8| {
        (0..LENGTH)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random.to_le_bytes()[3] & mask
            })
            .collect::<Vec<u8>>()
    };
    let mut noise = noise;
    vec![
        (
            "huge counts",
            repeated("\x1b[65535@\x1b[65535L\x1b[65535S\x1b[65535bx\x1b[65535P\x1b[65535T\x1b[65535M\x1b[65535X"),
        ),
        ("a command without an end", repeated("\x1b]0;aaaaaaaa").replace_escapes()),
        ("a device string without an end", [b"\x1bP".to_vec(), repeated("q#0;2;0;0;0")].concat()),
        ("wide", repeated("日本語👍🏽\u{200d}e\u{301}\u{302}\u{303}\u{304}\u{305}")),
        ("towers", repeated("e\u{301}\u{302}\u{303}\u{304}a\u{301}")),
        ("line feeds", repeated("\n")),
        ("clearing", repeated("\x1b[2J\x1b[H\x1b[Jx")),
        ("alignment", repeated("\x1b#8\x1bc")),
        ("screens", repeated("\x1b[?1049h\x1b[?1049l\x1b[?47hx")),
        ("colours", repeated("\x1b[38;2;1;2;3;48;5;7;1;3;4ma\x1b[mb")),
        ("noise", noise(0xff)),
        ("ascii noise", noise(0x7f)),
    ]
}

/// Nothing ends the first string again.
trait ReplaceEscapes {
    fn replace_escapes(self) -> Self;
}

impl ReplaceEscapes for Vec<u8> {
    fn replace_escapes(mut self) -> Self {
        for byte in &mut self[2..] {
            if *byte == 0x1b {
                *byte = b'x';
            }
        }
        self
    }
}

#[test]
fn hostile_streams_stay_within_bounds() {
    for (name, bytes) in hostile() {
        for (columns, rows) in [(2, 2), (80, 24), (500, 300)] {
            let mut glass = Glass::new(columns, rows);
            glass.seed(&seed(columns, rows, b""));
            for piece in bytes.chunks(1_000) {
                feed(&mut glass, &String::from_utf8_lossy(piece));
                let chunk = PaneChunk { pane: PANE, offset: glass.offset(), bytes: piece.to_vec() };
                glass.feed(&chunk).expect("no hole");
            }
            assert_eq!(glass.screen().size(), (columns, rows), "{name}");
            let lines = glass.lines(None, usize::MAX).lines;
            assert!(lines.len() <= MAX_LINES, "{name}");
            assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= MAX_BYTES, "{name}");
            // A cell takes 80 bytes at most: a style, a character and its marks.
            let most = usize::from(columns) * usize::from(rows) * 80 * 2 + 4_096;
            assert!(glass.dump().len() <= most, "{name} at {columns}x{rows}: {}", glass.dump().len());
        }
    }
}

fn is_clean(text: &str) -> bool {
    styled(text).iter().map(|(_, piece)| piece.len()).sum::<usize>() == plain(text).len()
        && super::line(&plain(text)) == plain(text)
}

/// What programs print, and what only a fuzzer prints.
fn printed() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,12}",
        2 => prop::sample::select(vec!["\r\n", "\n", "\r", "\t", "\x08", "\x1bM", "\x1bD", "\x1b7", "\x1b8", "\x1bE", "\x0e", "\x0f"]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["日", "本", "e\u{301}", "👍", "\u{301}", "é", "\u{202e}", "─", "👨\u{200d}👩", "\u{2800}"]).prop_map(str::to_owned),
        4 => "\x1b\\[([0-9]{0,3}(;[0-9]{0,3}){0,2})[@A-HJ-MPSTXZ`bdfgmrsu]",
        1 => "\x1b\\[(1|3|7|31|44|38;5;[0-9]{1,3}|48;2;[0-9]{1,3};0;9)m",
        1 => "\x1b\\[\\?(1|3|6|7|25|47|1047|1049)[hl]",
        1 => "\x1b\\[4[hl]",
        1 => prop::sample::select(vec!["\x1b#8", "\x1bc", "\x1bH", "\x1b(0", "\x1b(B", "\x1b)0", "\x1b]0;t\x07", "\x1bP+q\x1b\\", "\x1b[", "\x1b"]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn same(one: &Emulator, other: &Emulator) -> Result<(), TestCaseError> {
    for row in 0..one.size().1 {
        prop_assert_eq!(one.row(row).collect::<Vec<_>>(), other.row(row).collect::<Vec<_>>(), "row {}", row);
    }
    prop_assert_eq!((one.cursor(), one.is_alternate()), (other.cursor(), other.is_alternate()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_fed_the_screen_holds(pieces in proptest::collection::vec((printed(), 0u16..40, 0u16..20), 1..6), noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut glass = Glass::new(20, 6);
        for (text, columns, rows) in &pieces {
            glass.seed(&PaneSeed { offset: glass.offset(), missed: u64::from(*rows), ..seed(*columns, *rows, text.as_bytes()) });
            let chunk = PaneChunk { pane: PANE, offset: glass.offset(), bytes: noise.clone() };
            glass.feed(&chunk).expect("no hole");
            feed(&mut glass, text);
            prop_assert!(glass.is_sound());
            let (columns, rows) = glass.screen().size();
            for row in 0..rows {
                let cells: Vec<_> = glass.screen().row(row).collect();
                prop_assert_eq!(cells.iter().map(|cell| cell.width).sum::<u16>(), columns);
                let text: String = cells.iter().map(ToString::to_string).collect();
                prop_assert_eq!(super::line(&text), text, "nothing is left to take out");
            }
            if let Some((column, row)) = glass.screen().cursor() {
                prop_assert!(column < columns && row < rows);
            }
            for line in glass.lines(None, usize::MAX).lines {
                prop_assert!(is_clean(&line.text), "{:?}", line.text);
            }
        }
    }

    #[test]
    fn a_screen_of_any_size_takes_anything(text in printed(), columns in 0u16..60, rows in 0u16..40) {
        let mut shown = Emulator::new(columns, rows);
        shown.feed(text.as_bytes());
        prop_assert_eq!(shown.size(), (columns.clamp(2, 500), rows.clamp(2, 300)));
        prop_assert!(!shown.is_exhausted());
    }

    #[test]
    fn a_dump_shows_the_same_and_goes_on_alike(text in printed(), more in printed()) {
        // A cursor outside of the region it counts from cannot be put there again.
        prop_assume!(!(text.contains("?6h") && text.contains('r')));
        let mut one = screen(20, 6, &text);
        let mut other = Emulator::new(20, 6);
        other.feed(&one.dump());
        same(&one, &other)?;
        one.feed(b"\x1b\\.");
        other.feed(b"\x1b\\.");
        // A repetition repeats what was printed before the dump.
        let more = more.replace('b', "c");
        one.feed(more.as_bytes());
        other.feed(more.as_bytes());
        same(&one, &other)?;
    }

    #[test]
    fn pieces_make_no_difference(text in printed(), cut in 0usize..200) {
        let bytes = text.as_bytes();
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        let mut cut = Emulator::new(20, 6);
        cut.feed(first);
        cut.feed(second);
        same(&screen(20, 6, &text), &cut)?;
    }
}
