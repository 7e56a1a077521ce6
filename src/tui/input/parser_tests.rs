use crossterm::event::{KeyCode, KeyEventKind, MouseButton, MouseEventKind};

use super::super::event::Answer;
use super::*;

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Input::Key(KeyEvent::new(code, modifiers))
}

fn plain(code: KeyCode) -> Input {
    key(code, KeyModifiers::NONE)
}

/// Everything that comes of bytes in one piece, and of the silence after them.
fn whole(bytes: &[u8]) -> Vec<Input> {
    let mut parser = Parser::default();
    let mut inputs = parser.feed(bytes);
    inputs.extend(parser.pause());
    assert_eq!(parser.pending(), Pending::Nothing);
    inputs
}

/// Sequences and what they are; the empty list is what is swallowed.
fn corpus() -> Vec<(&'static [u8], Vec<Input>)> {
    const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
    const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
    let mouse = |kind, column, row| {
        Input::Mouse(crossterm::event::MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    };
    let answer = |answer| vec![Input::Answer(answer)];
    vec![
        (b"q", vec![plain(KeyCode::Char('q'))]),
        (b"Q", vec![key(KeyCode::Char('Q'), SHIFT)]),
        ("é".as_bytes(), vec![plain(KeyCode::Char('é'))]),
        ("日".as_bytes(), vec![plain(KeyCode::Char('日'))]),
        ("🦀".as_bytes(), vec![plain(KeyCode::Char('🦀'))]),
        (b"\r", vec![plain(KeyCode::Enter)]),
        (b"\t", vec![plain(KeyCode::Tab)]),
        (b"\x7f", vec![plain(KeyCode::Backspace)]),
        (b"\x03", vec![key(KeyCode::Char('c'), CONTROL)]),
        (b"\x00", vec![key(KeyCode::Char(' '), CONTROL)]),
        (b"\x1c", vec![key(KeyCode::Char('\\'), CONTROL)]),
        (b"\x1d", vec![key(KeyCode::Char(']'), CONTROL)]),
        (b"\x1f", vec![key(KeyCode::Char('_'), CONTROL)]),
        (b"\x1b", vec![plain(KeyCode::Esc)]),
        (b"\x1b\x1b", vec![plain(KeyCode::Esc), plain(KeyCode::Esc)]),
        (b"\x1b[A", vec![plain(KeyCode::Up)]),
        (b"\x1bOB", vec![plain(KeyCode::Down)]),
        (b"\x1b[1;5C", vec![key(KeyCode::Right, CONTROL)]),
        (
            b"\x1b[1;1:3A",
            vec![Input::Key(KeyEvent::new_with_kind(KeyCode::Up, KeyModifiers::NONE, KeyEventKind::Release))],
        ),
        (b"\x1b[H", vec![plain(KeyCode::Home)]),
        (b"\x1b[4~", vec![plain(KeyCode::End)]),
        (b"\x1b[5~", vec![plain(KeyCode::PageUp)]),
        (b"\x1b[3;2~", vec![key(KeyCode::Delete, SHIFT)]),
        (b"\x1b[Z", vec![key(KeyCode::BackTab, SHIFT)]),
        (b"\x1bOQ", vec![plain(KeyCode::F(2))]),
        (b"\x1b[12~", vec![plain(KeyCode::F(2))]),
        (b"\x1b[24~", vec![plain(KeyCode::F(12))]),
        (b"\x1b[[B", vec![plain(KeyCode::F(2))]),
        (b"\x1bOM", vec![plain(KeyCode::Enter)]),
        (b"\x1bOp", vec![plain(KeyCode::Char('0'))]),
        (b"\x1b[27u", vec![plain(KeyCode::Esc)]),
        (b"\x1b[99;5u", vec![key(KeyCode::Char('c'), CONTROL)]),
        (b"\x1b[97:65;2;65u", vec![key(KeyCode::Char('a'), SHIFT)]),
        (b"\x1b[9;2u", vec![key(KeyCode::BackTab, SHIFT)]),
        (b"\x1b[57400u", vec![plain(KeyCode::Char('1'))]),
        (b"\x1b[27;5;9~", vec![key(KeyCode::Tab, CONTROL)]),
        (b"\x1b[200~hello\r\n\x1b[Aq\x03 \xc3\xa9\x1b[201~", vec![Input::Paste("hello\n\x1b[Aq\x03 é".into())]),
        (b"\x1b[200~\x1b\x1b[20\x1b[201~x", vec![Input::Paste("\x1b\x1b[20".into()), plain(KeyCode::Char('x'))]),
        (b"\x1b[200~\x1b[201~", vec![Input::Paste(String::new())]),
        (b"\x1b[<0;12;3M", vec![mouse(MouseEventKind::Down(MouseButton::Left), 11, 2)]),
        (b"\x1b[<0;12;3m", vec![mouse(MouseEventKind::Up(MouseButton::Left), 11, 2)]),
        (b"\x1b[<65;1;1M", vec![mouse(MouseEventKind::ScrollDown, 0, 0)]),
        (b"\x1b[<32;300;99M", vec![mouse(MouseEventKind::Drag(MouseButton::Left), 299, 98)]),
        (b"\x1b[I", vec![Input::Focus(true)]),
        (b"\x1b[O", vec![Input::Focus(false)]),
        (b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", answer(Answer::Background(30, 30, 46))),
        (b"\x1b]10;rgb:ff/ff/ff\x07", answer(Answer::Foreground(255, 255, 255))),
        (b"\x1b[?62;22c", answer(Answer::Attributes)),
        (b"\x1b[?2026;2$y", answer(Answer::Mode(2026, true))),
        (b"\x1b[?2026;0$y", answer(Answer::Mode(2026, false))),
        (b"\x1b[?997;1n", answer(Answer::Dark(true))),
        (b"\x1b[?1u", answer(Answer::Keyboard(1))),
        // What means nothing here is swallowed, with all that belongs to it.
        (b"\x1b[M !!", vec![]),
        (b"\x1b[24;80R", vec![]),
        (b"\x1b[>41;330;0c", vec![]),
        (b"\x1b[8;24;80t", vec![]),
        (b"\x1b[<0;0;0M", vec![]),
        (b"\x1b[57441u", vec![]),
        (b"\x1b[0;99999999999999999999u", vec![]),
        (b"\x1b]52;c;cm0gLXJmIC8=\x07", vec![]),
        (b"\x1b]11;rgb:q\x1b\\", vec![]),
        (b"\x1bP1$r0m\x1b\\", vec![]),
        (b"\x1b_Gi=31;OK\x1b\\", vec![]),
        (b"\x1b^private q\x1b\\", vec![]),
        (b"\x1bXstring Q\x07", vec![]),
        (b"\xff\xfe\x80", vec![]),
        (b"\xc3", vec![]),
        (b"\xe2\x28", vec![plain(KeyCode::Char('('))]),
        (b"\x1b[12\x18", vec![]),
        (b"\x1b[12\x1b[A", vec![plain(KeyCode::Up)]),
        (b"\x1b]0;x\x1b[A", vec![plain(KeyCode::Up)]),
        (b"\x1b[1;5", vec![]),
    ]
}

#[test]
fn sequences_are_what_they_are() {
    for (bytes, expected) in corpus() {
        assert_eq!(whole(bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_sequence_split_at_every_byte_is_the_same_sequence() {
    for (bytes, expected) in corpus() {
        for at in 0..=bytes.len() {
            let mut parser = Parser::default();
            let mut inputs = parser.feed(&bytes[..at]);
            inputs.extend(parser.feed(&bytes[at..]));
            inputs.extend(parser.pause());
            assert_eq!(inputs, expected, "{} at {at}", bytes.escape_ascii());
        }
        let mut parser = Parser::default();
        let mut inputs: Vec<Input> = bytes.iter().flat_map(|byte| parser.feed(&[*byte])).collect();
        inputs.extend(parser.pause());
        assert_eq!(inputs, expected, "{} byte by byte", bytes.escape_ascii());
    }
}

#[test]
fn what_follows_a_sequence_is_untouched_by_it() {
    for (bytes, mut expected) in corpus() {
        let mut parser = Parser::default();
        let mut inputs = parser.feed(bytes);
        inputs.extend(parser.pause());
        inputs.extend(parser.feed(b"j"));
        expected.push(plain(KeyCode::Char('j')));
        assert_eq!(inputs, expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn an_escape_and_a_letter_are_one_key_only_together() {
    assert_eq!(whole(b"\x1bx"), [key(KeyCode::Char('x'), KeyModifiers::ALT)]);
    let mut parser = Parser::default();
    assert_eq!(parser.feed(b"\x1b"), []);
    assert_eq!(parser.feed(b"x"), [plain(KeyCode::Esc), plain(KeyCode::Char('x'))]);
}

#[test]
fn a_paste_is_bounded_and_told_about_when_it_is_too_long() {
    let mut parser = Parser::default();
    parser.feed(b"\x1b[200~");
    for _ in 0..=PASTE_MAX / 1024 {
        assert_eq!(parser.feed(&[b'q'; 1024]), []);
    }
    assert!(parser.held.len() <= PASTE_MAX);
    assert_eq!(parser.pause(), None, "silence does not end a paste");
    assert_eq!(parser.feed(b"\x1b[201~j"), [Input::PasteTooLong(PASTE_MAX + 1024), plain(KeyCode::Char('j'))]);
}

#[test]
fn a_sequence_without_an_end_holds_little() {
    let mut parser = Parser::default();
    parser.feed(b"\x1b]11;");
    for _ in 0..100 {
        assert_eq!(parser.feed(&[b'x'; 1024]), []);
    }
    assert!(parser.held.capacity() <= 2 * HELD_MAX);
    assert_eq!(parser.feed(b"\x07"), []);
}

proptest::proptest! {
    #[test]
    fn bytes_nobody_thought_of_come_to_the_same_however_they_are_cut(
        bytes in proptest::collection::vec(
            proptest::prop_oneof![
                proptest::num::u8::ANY,
                proptest::sample::select(b"\x1b[]O<?;:~$012345679AMmuPX\\\x07\x18".to_vec()),
            ],
            0..64,
        ),
    ) {
        let inputs = whole(&bytes);
        let mut parser = Parser::default();
        // An escape and a character are a matter of time, so they stay together.
        let mut cut: Vec<Input> = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let at = rest.iter().position(|byte| *byte != ESC).map_or(rest.len(), |at| at + 1);
            cut.extend(parser.feed(&rest[..at]));
            rest = &rest[at..];
        }
        cut.extend(parser.pause());
        proptest::prop_assert_eq!(inputs, cut);
    }
}
