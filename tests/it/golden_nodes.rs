//! Other nodes on the screen: what little sizes, ASCII and a broken line make of them.

use std::time::Duration;

use aurora::config::Theme;
use aurora::model::{
    ChannelStats, CheckKind, CheckPanel, CheckState, NodeKey, NodeName, NodePanel, NodeState, Strip, Trust,
};
use aurora::protocol::{Link, NodesPanel, RemoteIncident, RemoteNode, SharedLine, Snapshot, Update};
use aurora::tui::{App, ColourMode, Look, Msg};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::golden::{at, snapshot};

fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}

fn node(text: &str, state: NodeState) -> NodePanel {
    let is_own = text == "hub-1";
    NodePanel {
        name: name(text),
        url: Some(format!("https://{text}.example.org:9292")),
        via: (text == "edge-3").then(|| name("hub-2")),
        state,
        since: at(-420),
        why: (state == NodeState::Quarantined).then(|| "entry 1205 is not chained to 1204".into()),
        trust: Trust::Report,
        keys: vec![NodeKey::from_bytes([7; 32]), NodeKey::from_bytes([8; 32])],
        version: Some("0.1.0".into()),
        last_seen: Some(at(if state.is_current() { -2 } else { -400 })),
        started: Some(at(-86_400)),
        rtt: (!is_own).then(|| Duration::from_millis(18)),
        skew_ms: Some(2_700),
        phi_tenths: Some(4),
        slowness: 1,
        high: 1_210,
        applied: 1_204,
        lag: Some(Duration::from_secs(12)),
        rate: 40,
        missing: 3,
        bytes: (1 << 20, 1 << 14),
        hears: vec![name("hub-1"), name("edge-3")],
    }
}

fn check(id: &str, state: CheckState) -> CheckPanel {
    CheckPanel {
        id: id.parse().expect("an id"),
        kind: CheckKind::Http,
        target: "https://example.org/".into(),
        state,
        since: at(-720),
        cause: (state != CheckState::Ok).then(|| "status == 200: got 503".into()),
        soft: None,
        flapping: false,
        last: Some(at(-5)),
        next: None,
        latency: Some(Duration::from_millis(31)),
        phases: Vec::new(),
        p50: None,
        p95: None,
        p99: None,
        uptime_24h: Some(99.5),
        strip: Strip::default(),
        interval: Duration::from_secs(30),
        enabled: true,
        sights: None,
    }
}

/// This node and one of each state, every one of which shares something.
pub fn nodes() -> NodesPanel {
    let others = [
        ("edge-3", NodeState::Down),
        ("hub-2", NodeState::Alive),
        ("hub-4", NodeState::Quarantined),
        ("hub-5", NodeState::Suspect),
        ("hub-6", NodeState::Left),
        ("hub-7", NodeState::Unknown),
    ];
    let remote = others.map(|(whose, _)| RemoteNode {
        checks: vec![check("api", CheckState::Ok), check("shop", CheckState::Critical)],
        counts: vec![ChannelStats {
            channel: "mail".parse().expect("an id"),
            messages: 40,
            unread: 7,
            vip: 2,
            processed_today: 9,
        }],
        incidents: vec![RemoteIncident {
            subject: "shop".into(),
            state: "critical".into(),
            since: at(-720),
            cause: Some("status == 200: got 503".into()),
            told_by: Some(name("hub-1")),
        }],
        messages: snapshot().inbox.into_iter().take(1).collect(),
        ..RemoteNode::new(name(whose))
    });
    let line = |whose: &str, seq| SharedLine {
        node: name(whose),
        seq,
        at: at(-60),
        about: "check shop".into(),
        text: "critical: status == 200: got 503".into(),
    };
    NodesPanel {
        me: Some(node("hub-1", NodeState::Alive)),
        nodes: others.map(|(whose, state)| node(whose, state)).to_vec(),
        remote: remote.to_vec(),
        news: vec![line("hub-2", 1_204), line("edge-3", 77), line("hub-2", 1_203)],
    }
}

fn app(size: (u16, u16), mode: ColourMode, ascii: bool) -> App {
    let look = Look::new(&Theme::built_in("terminal").expect("built in"), mode, ascii);
    let mut app = App::new(look, size, Link::Embedded, false, at(0));
    let world = Snapshot { nodes: nodes(), ..snapshot() };
    app.update(Msg::Update(Update::Snapshot(Box::new(world))), at(0));
    app
}

fn press(app: &mut App, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\t' => KeyCode::Tab,
            '\r' => KeyCode::Enter,
            key => KeyCode::Char(key),
        };
        app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), at(0));
    }
}

fn draw(app: &App, size: (u16, u16)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a terminal");
    terminal.draw(|frame| app.draw(frame)).expect("draws");
    terminal
}

const EVERYWHERE: [&str; 14] =
    ["1", "2", "3/@hub-2\r", "4", "4jjj", "4jjj\r", "4\t", "4\t\tj", "4i", "4jjt", "4jjD", "5/@hub-4", "5\r", "E"];

#[test]
fn every_state_of_nodes_at_every_size() {
    for size in [(80, 24), (120, 40), (60, 18)] {
        for (place, keys) in [("nodes", "4j"), ("topology", "4\t"), ("node", "4j\r")] {
            let mut app = app(size, ColourMode::Sixteen, false);
            press(&mut app, keys);
            insta::assert_snapshot!(format!("{place}_{}x{}", size.0, size.1), draw(&app, size).backend());
        }
    }
}

#[test]
fn every_place_with_nodes_draws_in_every_small_size() {
    for keys in EVERYWHERE {
        let mut app = app((80, 24), ColourMode::Sixteen, false);
        press(&mut app, keys);
        for columns in (1..=46).chain([59, 60, 71, 72, 89, 90, 109, 110, 160, 300]) {
            for rows in [1, 2, 3, 4, 5, 9, 10, 11, 17, 18, 24] {
                app.update(Msg::Resize(columns, rows), at(0));
                draw(&app, (columns, rows));
            }
        }
    }
}

#[test]
fn ascii_is_ascii_and_without_colours_every_state_is_a_word() {
    for keys in EVERYWHERE.into_iter().filter(|keys| !keys.starts_with('1')) {
        let mut app = app((120, 40), ColourMode::None, true);
        press(&mut app, keys);
        let text = draw(&app, (120, 40)).backend().to_string();
        assert!(text.is_ascii(), "{keys:?}:\n{text}");
        if keys == "4" {
            for word in ["alive", "down", "quarantined", "suspect", "left", "unknown"] {
                assert!(text.contains(word), "{word}:\n{text}");
            }
        }
    }
}

#[test]
fn a_node_that_is_not_heard_is_grey_with_its_age_and_one_that_is_is_not() {
    let mut app = app((120, 40), ColourMode::Sixteen, false);
    press(&mut app, "5/shop@");
    let terminal = draw(&app, (120, 40));
    let buffer = terminal.backend().buffer();
    let row = |name: &str| {
        let text = |y| (0..120).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        let y = (2..24).find(|y| text(*y).contains(name)).unwrap_or_else(|| panic!("{name}: {}", terminal.backend()));
        let seen = (13..110).filter(|x| buffer[(*x, y)].symbol() != " ");
        (text(y), seen.map(|x| buffer[(x, y)].fg).collect::<std::collections::HashSet<_>>().len())
    };
    let (gone, colours) = row("shop@edge-3");
    assert!(gone.contains("6m old") && colours == 1, "{gone}: {colours} colours");
    assert!(!row("shop@hub-5").0.contains(" old"), "suspicion is not yet silence");
}
