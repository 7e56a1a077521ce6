//! Every size from 1x1 to 300x100: whatever is open and whatever is pressed, the screen draws and does not panic.

use aurora::protocol::{Link, Update};
use aurora::tui::{App, ColourMode, Msg};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::golden::{Stage, at};

/// Keys that lead into every view, dialog and tab, and out again.
const KEYS: &str = "12345678jkgG/?:EnNamVfrR!+_UqQx \t\r\u{1b}";

fn code(key: char) -> KeyCode {
    match key {
        '\t' => KeyCode::Tab,
        '\r' => KeyCode::Enter,
        '\u{1b}' => KeyCode::Esc,
        key => KeyCode::Char(key),
    }
}

fn press(app: &mut App, code: KeyCode) {
    app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), at(0));
}

fn click(app: &mut App, kind: MouseEventKind, column: u16, row: u16) {
    app.update(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }), at(0));
}

/// Draws `app` on a screen of `size`; what is drawn outside of it panics.
fn draw(app: &mut App, size: (u16, u16)) {
    app.update(Msg::Resize(size.0, size.1), at(0));
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a terminal");
    terminal.draw(|frame| app.draw(frame)).expect("draws");
}

#[derive(Debug, Clone)]
enum Step {
    Key(KeyCode),
    Size(u16, u16),
    /// A click or a turn of the wheel in a corner, at an edge or outside: shares of the size in 60ths.
    Mouse(u8, u16, u16),
    Line(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let keys: Vec<char> = KEYS.chars().collect();
    let edge = prop_oneof![Just(0u16), Just(1), Just(30), Just(59), Just(60), Just(61)];
    prop_oneof![
        6 => prop::sample::select(keys).prop_map(|key| Step::Key(code(key))),
        1 => prop::sample::select(vec![KeyCode::PageDown, KeyCode::End, KeyCode::Home, KeyCode::Up]).prop_map(Step::Key),
        2 => (1u16..=300, 1u16..=100).prop_map(|(columns, rows)| Step::Size(columns, rows)),
        2 => (1u16..=60, 1u16..=20).prop_map(|(columns, rows)| Step::Size(columns, rows)),
        2 => (0u8..3, edge.clone(), edge).prop_map(|(kind, x, y)| Step::Mouse(kind, x, y)),
        1 => any::<bool>().prop_map(Step::Line),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn no_size_and_no_key_is_too_much(steps in prop::collection::vec(step(), 1..24), ascii: bool) {
        let mut size = (80, 24);
        let mut app = Stage::new(size, ColourMode::Sixteen, ascii).app;
        for step in steps {
            match step {
                Step::Key(code) => press(&mut app, code),
                Step::Size(columns, rows) => size = (columns, rows),
                Step::Mouse(kind, x, y) => {
                    let kinds = [
                        MouseEventKind::Down(MouseButton::Left), MouseEventKind::ScrollDown, MouseEventKind::ScrollUp,
                    ];
                    click(&mut app, kinds[usize::from(kind)], size.0 * x / 60, size.1 * y / 60);
                }
                Step::Line(true) => drop(app.update(Msg::Update(Update::Link(Link::Embedded)), at(0))),
                Step::Line(false) => {
                    let link = Link::Reconnecting { since: at(-90), tries: 3, why: "connection reset".into() };
                    app.update(Msg::Update(Update::Link(link)), at(0));
                }
            }
            draw(&mut app, size);
        }
    }
}

#[test]
fn every_view_and_dialog_draws_in_every_small_size() {
    for keys in ["1", "2", "3", "3/", "5", "5+", "5\r", "8", "8\t", "8\t\t", "8\t\t\t", "?", ":", "E", "Ej", "Q"] {
        let mut app = Stage::new((80, 24), ColourMode::Sixteen, false).keys(keys).app;
        for columns in (1..=46).chain([59, 60, 61, 79, 99, 109, 110, 119, 159, 160, 300]) {
            for rows in [1, 2, 3, 4, 5, 9, 10, 11, 12, 18, 24] {
                draw(&mut app, (columns, rows));
            }
        }
    }
}
