//! What keys and updates do with panes, from the key to the frame.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::config::Theme;
use crate::model::{PaneFeedKind, Role};
use crate::protocol::{
    Link, PaneLine, PaneLines, PaneLost, PanePace, PaneReply, PaneRequest, PaneUpdate, Refusal, Reply, Request, Update,
};

use super::action::Action;
use super::app::App;
use super::encode::Encoder;
use super::ladder::ColourMode;
use super::msg::{Cmd, Msg, Purpose};
use super::pane_asks::PanePurpose;
use super::pane_sample::{address, chunk, panes, seed};
use super::styles::Look;
use super::{Place, sample};

pub(super) fn asked(commands: &[Cmd]) -> Vec<PaneRequest> {
    let request = |command: &Cmd| match command {
        Cmd::Ask(_, Request::Pane(request)) => Some(request.clone()),
        _ => None,
    };
    commands.iter().filter_map(request).collect()
}

pub(super) fn press(app: &mut App, keys: &str) -> Vec<Cmd> {
    let mut commands = Vec::new();
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            '^' => KeyCode::PageUp,
            '$' => KeyCode::End,
            key => KeyCode::Char(key),
        };
        commands.extend(app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0)));
    }
    commands
}

pub(super) fn told(app: &mut App, update: PaneUpdate) -> Vec<Cmd> {
    app.update(Msg::Update(Update::Pane(update)), sample::at(0))
}

pub(super) fn replied(app: &mut App, purpose: PanePurpose, reply: Result<PaneReply, &str>) -> Vec<Cmd> {
    let reply = reply.map(Reply::Pane).map_err(|why| Refusal::Failed(why.to_owned()));
    app.update(Msg::Reply(Purpose::Pane(purpose), reply), sample::at(0))
}

fn draw(app: &App) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(app.size.0, app.size.1)).expect("a terminal");
    terminal.draw(|frame| app.draw(frame)).expect("draws");
    terminal
}

pub(super) fn screen(app: &App) -> String {
    draw(app).backend().to_string()
}

pub(super) fn said(app: &App) -> &str {
    app.toast.as_ref().map_or("", |toast| &toast.text)
}

/// A screen on the list of panes, with the panes known.
fn listed(role: Role) -> App {
    let mut app = sample::app(sample::with_bridge(), role, false);
    let commands = press(&mut app, "6\t\t");
    assert_eq!(asked(&commands), [PaneRequest::Follow(true)]);
    told(&mut app, PaneUpdate::Panes(panes()));
    app
}

/// The same in the first pane of web-1, whose first watch is answered.
pub(super) fn zoomed(size: (u16, u16)) -> App {
    let mut app = listed(Role::Operator);
    let commands = press(&mut app, "j\n");
    let watch = PaneRequest::Watch { watch: 1, pane: address("web-1", 0), pace: PanePace::LIVE };
    assert_eq!(asked(&commands), [watch]);
    told(&mut app, seed(1, 1_000, size, 0, 0));
    app
}

#[test]
fn the_list_tells_how_every_pane_is() {
    let mut app = listed(Role::Viewer);
    let shown = screen(&app);
    for text in [
        "! calls   web-1:0.0",
        "? asks    web-2:claude:0.0",
        "claude asks <1m: Do you",
        "ben types",
        "1 calls   1 asks",
        "no tmux server runs there",
    ] {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
    press(&mut app, "/@web-2 vim\n");
    let shown = screen(&app);
    assert!(shown.contains("web-2:work:0.0") && !shown.contains("web-1:0.0") && shown.contains("4 hidden"), "{shown}");
    assert_eq!(asked(&press(&mut app, "1")), [PaneRequest::Follow(false)], "nobody looks");
}

#[test]
fn a_host_that_is_being_asked_is_not_said_to_have_no_panes() {
    let mut app = listed(Role::Viewer);
    let mut hosts = panes();
    (hosts[1].layer, hosts[1].why) = (None, None);
    hosts[1].panes.clear();
    told(&mut app, PaneUpdate::Panes(hosts));
    let shown = screen(&app);
    assert!(shown.contains("it is being asked for its panes") && !shown.contains("no panes"), "{shown}");
}

#[test]
fn the_palette_names_panes_wherever_it_is_opened() {
    let mut app = sample::app(sample::with_bridge(), Role::Operator, false);
    assert_eq!(asked(&press(&mut app, ":pane")), [PaneRequest::Follow(true)]);
    told(&mut app, PaneUpdate::Panes(panes()));
    let shown = screen(&app);
    assert!(shown.contains("pane web-2:claude:0.0: node, asks"), "{shown}");
    assert_eq!(asked(&press(&mut app, "\u{1b}")), [PaneRequest::Follow(false)]);
    let commands = press(&mut app, ":pane claude\n");
    let watch = PaneRequest::Watch { watch: 1, pane: address("web-2", 4), pace: PanePace::LIVE };
    assert!(asked(&commands).contains(&watch), "{commands:?}");
}

#[test]
fn a_pane_is_drawn_one_for_one_and_follows_its_cursor() {
    let mut app = zoomed((200, 50));
    let shown = screen(&app);
    assert!(shown.contains("line 1049") && shown.contains("line 1030") && !shown.contains("line 1029"), "{shown}");
    assert!(shown.contains("200x50, 1-80 by 31-50 shown"), "{shown}");
    press(&mut app, "KKKK");
    assert!(screen(&app).contains("line 1000"));
    press(&mut app, "l");
    assert!(screen(&app).contains("41-120 by 1-20 shown"), "{}", screen(&app));
    press(&mut app, "c");
    assert!(screen(&app).contains("line 1049"));
}

#[test]
fn looking_back_stays_where_it_is_and_the_end_is_live() {
    let mut app = zoomed((80, 20));
    let commands = press(&mut app, "^");
    let ask = PaneRequest::History { pane: address("web-1", 0), before: Some(1_000), limit: 500 };
    assert_eq!(asked(&commands), [ask]);
    let line = |number| PaneLine { number, text: format!("\x1b[31mold {number}\x1b[0m") };
    let lines = PaneLines {
        pane: address("web-1", 0).pane,
        first: 600,
        epoch: 1,
        next: 1_000,
        lines: (600..1_000).map(line).collect(),
        before: None,
    };
    replied(&mut app, PanePurpose::History(address("web-1", 0)), Ok(PaneReply::Lines(lines)));
    assert!(screen(&app).contains("old 981") && screen(&app).contains("paused, 0 new"), "{}", screen(&app));
    told(&mut app, chunk(1, 1_312, 0, "\r\nmore"));
    let shown = screen(&app);
    assert!(shown.contains("old 981") && shown.contains("paused, 312 new"), "{shown}");
    press(&mut app, "g");
    assert!(screen(&app).contains("old 600"));
    press(&mut app, "$");
    assert!(screen(&app).contains("more") && !screen(&app).contains("paused"), "{}", screen(&app));
}

#[test]
fn lines_of_another_epoch_are_not_mixed_with_those_that_are_looked_at() {
    let mut app = zoomed((80, 20));
    press(&mut app, "^");
    let line = |number| PaneLine { number, text: format!("other {number}") };
    let lines = |epoch| PaneLines {
        pane: address("web-1", 0).pane,
        epoch,
        first: 600,
        next: 1_000,
        lines: (600..1_000).map(line).collect(),
        before: None,
    };
    replied(&mut app, PanePurpose::History(address("web-1", 0)), Ok(PaneReply::Lines(lines(2))));
    assert!(!screen(&app).contains("other") && screen(&app).contains("paused"), "{}", screen(&app));
    // The engine was away for long, and so many lines have come since that the numbers alone would not tell.
    let PaneUpdate::Seed { watch, seed, .. } = seed(1, 5_000, (80, 20), 9_000, 0) else { panic!("a screen") };
    told(&mut app, PaneUpdate::Seed { watch, epoch: 2, first_row: 5_000, lost: PaneLost::default(), seed });
    assert!(screen(&app).contains("line 5019") && !screen(&app).contains("paused"), "{}", screen(&app));
}

#[test]
fn a_search_goes_on_by_itself_until_something_is_found() {
    let mut app = zoomed((80, 20));
    press(&mut app, "/error\n");
    let lines =
        |lines, before| PaneLines { pane: address("web-1", 0).pane, epoch: 1, first: 0, next: 1_000, lines, before };
    let found = Ok(PaneReply::Lines(lines(Vec::new(), Some(700))));
    let commands = replied(&mut app, PanePurpose::Search(1), found);
    let search = |before| PaneRequest::Search {
        pane: address("web-1", 0),
        pattern: "(?i)error".into(),
        before: Some(before),
        limit: 200,
    };
    assert_eq!(asked(&commands), [search(700)]);
    assert!(screen(&app).contains("searching"), "{}", screen(&app));
    let line = PaneLine { number: 300, text: "an error".into() };
    replied(&mut app, PanePurpose::Search(1), Ok(PaneReply::Lines(lines(vec![line], Some(300)))));
    assert!(screen(&app).contains("match 1 of 1+"), "{}", screen(&app));
    assert_eq!(asked(&press(&mut app, "N")), [search(300)]);
    replied(&mut app, PanePurpose::Search(1), Ok(PaneReply::Lines(lines(Vec::new(), None))));
    assert!(screen(&app).contains("match 1 of 1 "), "{}", screen(&app));
}

#[test]
fn what_is_searched_is_shown_line_by_line() {
    let mut app = zoomed((80, 20));
    let commands = press(&mut app, "/line 1\n");
    let ask = PaneRequest::Search { pane: address("web-1", 0), pattern: "(?i)line 1".into(), before: None, limit: 200 };
    assert_eq!(asked(&commands), [ask]);
    let line = |number| PaneLine { number, text: format!("line {number}") };
    let lines = |numbers: &[u64], before| PaneLines {
        pane: address("web-1", 0).pane,
        first: 0,
        epoch: 1,
        next: 1_000,
        lines: numbers.iter().copied().map(line).collect(),
        before,
    };
    replied(&mut app, PanePurpose::Search(1), Ok(PaneReply::Lines(lines(&[1_010, 500, 400], Some(400)))));
    assert!(screen(&app).contains("match 1 of 3+"), "{}", screen(&app));
    press(&mut app, "N");
    assert!(screen(&app).contains("match 2 of 3+") && screen(&app).contains("paused"), "{}", screen(&app));
    let commands = press(&mut app, "NN");
    let older =
        PaneRequest::Search { pane: address("web-1", 0), pattern: "(?i)line 1".into(), before: Some(400), limit: 200 };
    assert!(asked(&commands).contains(&older), "{commands:?}");
    press(&mut app, "\u{1b}\u{1b}");
    assert!(!screen(&app).contains("match 2"), "{}", screen(&app));
    replied(&mut app, PanePurpose::Search(1), Err("late"));
    // Another search of the same pane, begun before the first had its answer.
    press(&mut app, "/other\n");
    replied(&mut app, PanePurpose::Search(1), Ok(PaneReply::Lines(lines(&[1_010, 500], None))));
    assert!(screen(&app).contains("searching"), "{}", screen(&app));
    replied(&mut app, PanePurpose::Search(2), Ok(PaneReply::Lines(lines(&[900], None))));
    assert!(screen(&app).contains("match 1 of 1"), "{}", screen(&app));
}

#[test]
fn what_is_wrong_with_a_pane_is_said_in_words() {
    let mut app = zoomed((80, 20));
    told(&mut app, seed(1, 1_100, (80, 20), 90_000, 12_288));
    assert!(!screen(&app).contains("missed"), "it was sent shorter, and is not lost: {}", screen(&app));
    let mut hosts = panes();
    hosts[1].panes[0].lost = PaneLost { bytes: 12_288, gaps: 1, too_fast: 0, drift: 0 };
    told(&mut app, PaneUpdate::Panes(hosts));
    assert!(screen(&app).contains("12 KiB missed in 1 gap"), "{}", screen(&app));
    let mut hosts = panes();
    hosts[1].panes[0].facts.feed = Some(PaneFeedKind::Glimpses);
    hosts[1].panes[0].calls = None;
    hosts[1].panes[0].lost = PaneLost { bytes: 0, gaps: 2, too_fast: 2, drift: 0 };
    told(&mut app, PaneUpdate::Panes(hosts.clone()));
    let shown = screen(&app);
    assert!(shown.contains("too fast to follow, looked at once a second"), "{shown}");
    assert!(shown.contains("0 B and more missed in 2 gaps"), "{shown}");
    hosts[1].panes[0].lost = PaneLost { bytes: 2_048, gaps: 3, too_fast: 2, drift: 0 };
    hosts[1].panes[0].facts.feed = Some(PaneFeedKind::Control);
    told(&mut app, PaneUpdate::Panes(hosts));
    let shown = screen(&app);
    assert!(
        shown.contains("2 KiB and more missed in 3 gaps, too fast to follow") && !shown.contains("looked at"),
        "{shown}"
    );
    told(&mut app, PaneUpdate::Stale { watch: 1, since: Some((sample::at(-120), "the road broke".into())) });
    assert!(screen(&app).contains("STALE for 2m: the road broke"), "{}", screen(&app));
    told(&mut app, PaneUpdate::Stale { watch: 1, since: None });
    let mut hosts = panes();
    (hosts[1].panes[0].facts.synchronized, hosts[1].panes[0].calls) = (true, None);
    told(&mut app, PaneUpdate::Panes(hosts));
    assert!(screen(&app).contains("synchronize-panes: keys would"), "{}", screen(&app));
    assert!(app.why_not(Action::Drive).is_some_and(|why| why.contains("tmux would type into the other panes")));
    let mut hosts = panes();
    hosts[1].panes[0].facts.mode = Some("copy-mode".into());
    hosts[1].panes[0].facts.dead = Some(Some(2));
    hosts[1].panes[0].facts.generation = 3;
    told(&mut app, PaneUpdate::Panes(hosts));
    let shown = screen(&app);
    assert!(shown.contains("DEAD, exit 2   in copy-mode") && shown.contains("generation 3"), "{shown}");
    told(&mut app, PaneUpdate::Ended { watch: 1, why: "it was closed".into() });
    assert!(screen(&app).contains("asked for again: it was closed"), "{}", screen(&app));
    assert_eq!(app.why_not(Action::Drive).as_deref(), Some("its program has ended; nothing reads what is typed"));
}

#[test]
fn a_pane_is_watched_again_on_the_next_line() {
    let mut app = zoomed((80, 20));
    let broken = Link::Reconnecting { since: sample::at(0), tries: 1, why: String::new() };
    assert_eq!(app.update(Msg::Update(Update::Link(broken)), sample::at(0)), []);
    assert!(screen(&app).contains("line 1005"), "what was shown stays");
    assert!(screen(&app).contains("STALE as of now: the line to the engine broke"), "{}", screen(&app));
    let commands = app.update(Msg::Update(Update::Link(Link::Connected { rtt: None })), sample::at(0));
    let watch = PaneRequest::Watch { watch: 2, pane: address("web-1", 0), pace: PanePace::LIVE };
    assert_eq!(asked(&commands), [PaneRequest::Follow(true), watch]);
    // An engine that was started again is still opening the road.
    assert!(screen(&app).contains("STALE"), "{}", screen(&app));
    told(&mut app, seed(2, 1_000, (80, 20), 0, 0));
    assert!(!screen(&app).contains("STALE"), "{}", screen(&app));
}

#[test]
fn viewers_watch_and_read_only_agents_say_so() {
    let viewer = listed(Role::Viewer);
    let mut app = listed(Role::Viewer);
    press(&mut app, "j");
    assert!(app.why_not(Action::Drive).is_some_and(|why| why.contains("needs the role operator")));
    assert!(viewer.why_not(Action::Tiles).is_none(), "looking is open to everybody");
    let mut app = listed(Role::Operator);
    let mut hosts = panes();
    hosts[1].may_drive = false;
    told(&mut app, PaneUpdate::Panes(hosts));
    press(&mut app, "j");
    assert!(app.why_not(Action::Drive).is_some_and(|why| why.contains("only to be watched")));
}

#[test]
fn tiles_are_live_and_lead_into_one_and_back() {
    let mut app = listed(Role::Operator);
    app.update(Msg::Resize(120, 40), sample::at(0));
    let watched =
        |commands: &[Cmd]| asked(commands).iter().filter(|ask| matches!(ask, PaneRequest::Watch { .. })).count();
    let commands = press(&mut app, "t");
    assert_eq!(watched(&commands), 4);
    told(&mut app, seed(1, 1_000, (80, 24), 0, 0));
    let shown = screen(&app);
    assert!(shown.contains("line 1023") && shown.contains("> web-1:0.0") | shown.contains("▶ web-1:0.0"), "{shown}");
    let commands = press(&mut app, "\n");
    let mut unwatched = asked(&commands);
    unwatched.sort_by_key(|ask| format!("{ask:?}"));
    assert_eq!(unwatched.len(), 4, "three are let go, one has another pace: {unwatched:?}");
    press(&mut app, "\u{1b}");
    assert!(screen(&app).contains("4 panes"), "{}", screen(&app));
    press(&mut app, "\u{1b}");
    // Only the picked ones.
    press(&mut app, "j  t");
    assert!(screen(&app).contains("2 panes"), "{}", screen(&app));
}

#[test]
fn last_lines_of_picked_panes_stand_together() {
    let mut app = listed(Role::Operator);
    assert!(app.why_not(Action::TailPicked).is_some_and(|why| why.contains("no pane is picked")));
    press(&mut app, "j  l");
    told(&mut app, seed(1, 1_000, (80, 5), 0, 0));
    told(&mut app, chunk(1, 1_001, 0, "\r\nnew"));
    let shown = screen(&app);
    assert!(shown.contains("web-1:0.0") && shown.contains("line 1003") && shown.contains("line 1004"), "{shown}");
    assert!(!shown.contains("new "), "a line is told when it is done: {shown}");
}

#[test]
fn a_pane_is_a_place() {
    let mut app = sample::app(sample::with_bridge(), Role::Operator, false);
    app.go_to_place(Place::Pane("web-1:0.1".parse().expect("a name")));
    let commands = app.update(Msg::Tick, sample::at(0));
    assert_eq!(asked(&commands), [PaneRequest::Follow(true)]);
    assert!(screen(&app).contains("looking for web-1:0.1"), "{}", screen(&app));
    let commands = told(&mut app, PaneUpdate::Panes(panes()));
    assert!(matches!(&asked(&commands)[..], [PaneRequest::Watch { pane, .. }] if *pane == address("web-1", 1)));
    assert_eq!(app.here().place.to_string(), "pane web-1:0.1");
    app.go_to_place(Place::Pane("web-1:5.0".parse().expect("a name")));
    assert_eq!(said(&app), "no pane is called web-1:5.0");
}

#[test]
fn a_mark_is_filled_in() {
    let mut app = zoomed((80, 20));
    let commands = press(&mut app, "m \t5m\terror\n");
    let [PaneRequest::Mark { mark, .. }] = &asked(&commands)[..] else { panic!("{commands:?}") };
    assert!(mark.activity && mark.pattern.as_deref() == Some("error"), "{mark:?}");
    assert_eq!(mark.silence.map(|silence| silence.as_secs()), Some(300));
}

#[test]
fn a_scrolling_pane_costs_little() {
    let mut app = zoomed((120, 40));
    let look = Look::new(&Theme::built_in("dark").expect("a theme"), ColourMode::True, false);
    app.update(Msg::Look(Ok(look)), sample::at(0));
    app.update(Msg::Resize(120, 40), sample::at(0));
    told(&mut app, seed(1, 0, (120, 40), 0, 0));
    let mut encoder = Encoder::new();
    let mut frame = |app: &App| encoder.encode(draw(app).backend().buffer()).len();
    frame(&app);
    let (mut offset, mut bytes) = (0, 0);
    // Ten seconds at four lines a second, each as long as lines of a build are, and in colours.
    for n in 0..40_u64 {
        let text = format!(
            "\r\n\x1b[32m[{n:4}/400]\x1b[0m Compiling part-{:05} v0.{}.{} (/srv/build/\x1b[1mpart\x1b[0m)",
            n * 7_919 % 99_991,
            n % 9,
            n % 7
        );
        told(&mut app, chunk(1, n + 1, offset, &text));
        offset += text.len() as u64;
        bytes += frame(&app);
    }
    assert!(bytes / 10 <= 4_200, "{} bytes a second", bytes / 10);
    assert!(
        bytes / 10 <= 1_000,
        "{} bytes a second: lite has to be below this with a quarter of the frames",
        bytes / 10
    );
}

#[test]
fn no_size_and_no_cell_is_too_much() {
    let hostile = "日本語👩‍👩‍👧‍👦e\u{301}\u{301}\u{202e}\x1b]0;x\x07\x1b[9999;9999H\x1b[38;2;1;2;3;48;5;200m\u{200b}\u{feff}\x1b[?1049h█";
    for pane in [(2, 2), (80, 24), (220, 90)] {
        let mut app = zoomed(pane);
        told(
            &mut app,
            PaneUpdate::Seed {
                watch: 1,
                epoch: 1,
                first_row: 1_000,
                lost: PaneLost::default(),
                seed: crate::model::PaneSeed {
                    pane: address("web-1", 0).pane,
                    offset: 1,
                    missed: 0,
                    too_fast: false,
                    cols: pane.0,
                    rows: pane.1,
                    history: 0,
                    bytes: hostile.repeat(5).into_bytes(),
                },
            },
        );
        for size in [(1, 1), (2, 5), (5, 2), (40, 10), (80, 24), (300, 100)] {
            app.update(Msg::Resize(size.0, size.1), sample::at(0));
            for keys in ["", "lJ", "^g", "/x", "\u{1b}\u{1b}c", "t", "\n"] {
                press(&mut app, keys);
                screen(&app);
            }
        }
    }
}

/// What programs say to terminals to make them do something.
const SAID_TO_TERMINALS: [&[u8]; 24] = [
    b"\x1b]52;c;cm0gLXJmIC8=\x07",
    b"\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\",
    b"\x1b]0;title\x07\x1b[21t",
    b"\x1b[c\x1b[>c\x1b[=c\x1b[6n\x1b[5n\x1b[?6n",
    b"\x1bP$qm\x1b\\\x1bP+q544e\x1b\\",
    b"\x1bP0;1q#0!200~\x1b\\",
    b"\x1b_Gf=24,s=1,v=1;AAAA\x1b\\",
    b"\x1b^private\x1b\\\x1bXstring\x1b\\",
    b"\x9b31m\x9d52;c;AAAA\x9c\x90q\x9c",
    "\u{9b}6n\u{9d}52;c;AAAA\u{9c}".as_bytes(),
    b"\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?1004h\x1b[?1h\x1b=",
    b"\x1b[?1049h\x1b[?25l\x1b[?2026h",
    b"\x05\x07\x08\x0e\x0f\x7f\x00",
    b"\x1b[8;9;9t\x1b[4i\x1b[5i\x1b#8",
    b"\x1b[9999;9999H\x1b[9999S\x1b[9999b\x1b[3J",
    b"\x1b]1337;File=inline=1:AAAA\x07\x1b]4;1;?\x07\x1b]11;?\x07",
    b"\x1b[31",
    b"\x1b]0;without an end",
    b"\x1bPwithout an end",
    b"\x1bc\x1b[!p",
    b"\xff\xfe\xc0\xaf\xe2\x82",
    "\u{202e}\u{2066}\u{200b}\u{feff}\u{ad}e\u{301}\u{301}\u{301}".as_bytes(),
    "\u{1f469}\u{200d}\u{1f469}\u{65e5}\u{672c}".as_bytes(),
    b"plain text\r\nand more of it",
];

/// The first escape sequence or control character in what goes to a terminal that does more there than draw.
fn does_more(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let mut parts = text.split('\x1b');
    // Lines and columns are also gone by.
    let is_unseen = |c: char| {
        (c.is_control() && !matches!(c, '\r' | '\n' | '\x08'))
            || matches!(c, '\u{200b}' | '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let plain = parts.next().unwrap_or_default();
    if plain.contains(is_unseen) {
        return Some(format!("{plain:?}"));
    }
    parts.find_map(|part| {
        let body = part.strip_prefix('[').map(|body| body.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
        // Colours, places, erasing, margins; and a line up.
        let draws = body.map_or(part.starts_with('M'), |body| {
            body.starts_with(['m', 'H', 'A', 'B', 'C', 'D', 'G', 'd', 'J', 'K', 'X', 'r', 'b'])
        });
        (!draws || part.contains(is_unseen)).then(|| format!("ESC {part:?}"))
    })
}

#[test]
fn five_hundred_hostile_streams_draw_cells_and_do_nothing_else() {
    assert!(does_more(b"\x1b[1;31mred\x1b[2;3H").is_none() && does_more(b"\x1b[6n").is_some());
    let (mut app, mut encoder) = (zoomed((60, 15)), Encoder::new());
    let mut random = 1_u64;
    let mut next = move |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).expect("31 bits") % below
    };
    for stream in 0..500 {
        let mut bytes = Vec::new();
        for _ in 0..20 {
            bytes.extend_from_slice(SAID_TO_TERMINALS[next(SAID_TO_TERMINALS.len())]);
            // Some of them are cut, or have something else within.
            let cut = bytes.len() - next(3).min(bytes.len());
            bytes.truncate(cut);
            bytes.push(u8::try_from(next(256)).expect("a byte"));
        }
        let PaneUpdate::Seed { watch, epoch, first_row, lost, mut seed } = seed(1, 1_000, (60, 15), 0, 0) else {
            panic!("a screen")
        };
        seed.bytes = bytes.clone();
        told(&mut app, PaneUpdate::Seed { watch, epoch, first_row, lost, seed });
        let drawn = encoder.encode(draw(&app).backend().buffer());
        assert_eq!(does_more(&drawn), None, "stream {stream}: {:?}", String::from_utf8_lossy(&bytes));
    }
}
