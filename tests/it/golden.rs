//! Golden screens: what the views look like, at 80x24 and 120x40.

use aurora::config::Theme;
use aurora::model::{
    Assurance, Attachment, ChannelPanel, ChannelState, ConversationId, ConversationList, ConversationRow, Event,
    EventId, EventState, KeyOverrides, LogLevel, LogLine, Marks, Message, MessageId, MessageRow, Place, ProviderKind,
    Rejection, TaskState, TaskStatus,
};
use aurora::protocol::{Bytes, ConfigStatus, Link, Notice, Refusal, Reply, Request, Snapshot, Update};
use aurora::tui::{App, Cmd, ColourMode, Look, Msg, Part, Purpose, Save};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use uuid::Uuid;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
}

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128((0x01a1_fbc1_5350_7181 << 64) | n)
}

fn row(n: i64, from: &str, vip: bool, subject: &str, preview: &str) -> MessageRow {
    MessageRow {
        seq: n,
        id: MessageId::from_uuid(uuid(n.unsigned_abs().into())),
        channel: if n % 2 == 0 { "github" } else { "standard" }.parse().expect("an id"),
        kind: "note".into(),
        contact: None,
        from: from.into(),
        vip,
        subject: subject.into(),
        preview: preview.into(),
        received: at(-600 * (10 - n)),
        marks: Marks::default(),
    }
}

fn panel(id: &str, provider: ProviderKind, state: ChannelState) -> ChannelPanel {
    ChannelPanel {
        id: id.parse().expect("an id"),
        provider,
        state,
        urls: vec![format!("http://127.0.0.1:9296/hooks/{id}")],
        events: 120,
        unread_vip: 1,
        unread: 12,
        per_minute: 3,
        last_event: Some(at(-90)),
        rejected: 2,
        last_error: None,
    }
}

fn task(name: &str, state: TaskState, error: Option<&str>) -> TaskStatus {
    TaskStatus {
        name: name.into(),
        state,
        since: at(-300),
        restarts: 0,
        last_error: error.map(str::to_owned),
        next_try: None,
        trouble: None,
    }
}

pub fn snapshot() -> Snapshot {
    let mut inbox = vec![
        row(9, "Ann Big", true, "Where is my order 4711?", "It was due on Monday, and the shop opens tomorrow."),
        row(8, "octocat", false, "example/garden#12 issues opened: The gate is stuck", "It moved last week."),
        row(7, "日本の客", false, "見積もりのお願い", "お世話になっております。"),
        row(6, "octocat", false, "example/garden push: refs/heads/main", "0123abcd Oil the gate (Ann)"),
        row(5, "", false, "backup.finished", "{ \"size\": 1234 }"),
    ];
    inbox[3].marks = Marks { read: Some(at(-60)), acked: None, acked_by: None };
    inbox[4].marks = Marks { read: Some(at(-60)), acked: Some(at(-50)), acked_by: Some("ann".into()) };
    let events = inbox
        .iter()
        .map(|row| Event {
            seq: row.seq,
            id: EventId::from(row.id),
            channel: row.channel.clone(),
            kind: row.kind.clone(),
            time: row.received,
            received: row.received,
            subject: Some(row.subject.clone()),
            dedupe_key: format!("key{}", row.seq),
            assurance: Assurance::Body,
            state: EventState::Projected,
            cause: None,
        })
        .collect();
    let mut legacy = panel("legacy", ProviderKind::Secret, ChannelState::Down);
    legacy.last_error = Some((at(-300), "listener 127.0.0.1:9301: address already in use".into()));
    Snapshot {
        node: "hub-1".into(),
        version: "0.1.0".into(),
        state_dir: "/var/lib/aurora".into(),
        started: at(-7_200),
        config: ConfigStatus {
            loaded: at(-7_200),
            source: "/etc/aurora/config.toml".into(),
            theme: "terminal".into(),
            keys: KeyOverrides::new(),
            last_change: Vec::new(),
            last_error: None,
        },
        store: None,
        at: at(0),
        clients: 1,
        channels: vec![
            panel("github", ProviderKind::Github, ChannelState::Listening),
            legacy,
            panel("standard", ProviderKind::Standard, ChannelState::Listening),
        ],
        checks: crate::golden_health::checks(),
        isolated: None,
        tasks: vec![
            task("listener 127.0.0.1:9296", TaskState::Running, None),
            task("listener 127.0.0.1:9301", TaskState::Waiting, Some("Address already in use (os error 98)")),
            task("projector", TaskState::Running, None),
        ],
        inbox,
        events,
        rejections: vec![Rejection {
            reason: "replay".into(),
            alarm: true,
            channel: Some("github".into()),
            source: "203.0.113.9".into(),
            detail: "a body that is stored came again under a fresh id".into(),
            count: 3,
            first: at(-400),
            last: at(-300),
        }],
        logs: vec![LogLine {
            n: 1,
            at: at(-7_000),
            level: LogLevel::Info,
            target: "aurora".into(),
            text: "engine started".into(),
        }],
        dead_letters: 1,
        bridge: aurora::protocol::BridgePanel::default(),
        calls: Vec::new(),
        nodes: aurora::protocol::NodesPanel::default(),
        up_to: 9,
    }
}

/// The conversations of the snapshot's messages, as an engine would list them.
pub fn conversations() -> Vec<ConversationRow> {
    let mut rows: Vec<ConversationRow> = snapshot().inbox.iter().map(conversation).collect();
    rows[1].messages = 4;
    rows[1].labels = vec!["garden".parse().expect("a label"), "urgent".parse().expect("a label")];
    rows[2].assignee = Some("anna".parse().expect("a name"));
    rows[3].notes = 2;
    rows
}

fn conversation(row: &MessageRow) -> ConversationRow {
    let tier = if row.marks.acked.is_some() { 0 } else { 1 + u8::from(row.marks.read.is_none()) };
    ConversationRow {
        id: ConversationId::from_uuid(uuid(row.seq.unsigned_abs().into())),
        place: Place { tier, seq: row.seq, n: row.seq },
        channel: row.channel.clone(),
        newest: row.id,
        kind: row.kind.clone(),
        contact: row.contact,
        from: row.from.clone(),
        vip: row.vip,
        subject: row.subject.clone(),
        preview: row.preview.clone(),
        received: row.received,
        messages: 1,
        unread: u64::from(row.marks.read.is_none()),
        acked: row.marks.acked,
        acked_by: row.marks.acked_by.clone(),
        labels: Vec::new(),
        assignee: None,
        snoozed: None,
        notes: 0,
        repeats: None,
        addresses: 1,
    }
}

pub struct Stage {
    pub app: App,
    size: (u16, u16),
}

impl Stage {
    pub fn new(size: (u16, u16), mode: ColourMode, ascii: bool) -> Self {
        let theme = Theme::built_in("terminal").expect("built in");
        let mut app = App::new(Look::new(&theme, mode, ascii), size, Link::Embedded, false, at(0));
        for command in app.update(Msg::Update(Update::Snapshot(Box::new(snapshot()))), at(0)) {
            if let Cmd::Ask(purpose @ Purpose::Rows(_), _) = command {
                app.update(
                    Msg::Reply(
                        purpose,
                        Ok(Reply::Conversations(ConversationList { rows: conversations(), partly: false })),
                    ),
                    at(0),
                );
            }
        }
        Self { app, size }
    }

    pub fn key(&mut self, code: KeyCode) -> Vec<Cmd> {
        self.app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), at(0))
    }

    /// Presses `n`, and answers that everything unread in the snapshot waits.
    pub fn next(&mut self) -> Vec<Cmd> {
        let asked = self.key(KeyCode::Char('n'));
        assert!(matches!(asked[..], [Cmd::Ask(Purpose::Next, Request::Unread { .. })]), "{asked:?}");
        self.app.update(Msg::Reply(Purpose::Next, Ok(Reply::Messages(snapshot().inbox))), at(0))
    }

    pub fn keys(mut self, keys: &str) -> Self {
        for c in keys.chars() {
            self.key(match c {
                '\t' => KeyCode::Tab,
                '\r' => KeyCode::Enter,
                c => KeyCode::Char(c),
            });
        }
        self
    }

    pub fn open(mut self) -> Self {
        let row = snapshot().inbox.remove(0);
        let message = Message {
            conversation: ConversationId::from_uuid(uuid(9)),
            address: Some("ann@bigcustomer.example".into()),
            text: "Hello,\n\nit was due on Monday, and the shop opens tomorrow. Could somebody look where the parcel is, please? We have called twice.\n\nAnn".into(),
            attachments: vec![Attachment {
                name: "label\u{1b}[2J.pdf".into(),
                declared: "application/pdf".into(),
                found: "application/zip".into(),
                size: 48_200,
                ..Attachment::default()
            }],
            headers: vec![("content-type".into(), "application/json".into())],
            raw: "{\"subject\":\"Where is my order 4711?\"}".into(),
            raw_len: 37,
            row,
        };
        let id = message.row.id;
        assert!(matches!(self.key(KeyCode::Enter)[..], [Cmd::Ask(Purpose::Open(_), _)]));
        self.app.update(Msg::Reply(Purpose::Open(id), Ok(Reply::Message(Some(Box::new(message))))), at(0));
        self
    }

    pub fn draw(&self) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).expect("a terminal");
        terminal.draw(|frame| self.app.draw(frame)).expect("draws");
        terminal
    }
}

pub fn shot(name: &str, keys: &str, open: bool) {
    for size in [(80, 24), (120, 40)] {
        let mut stage = Stage::new(size, ColourMode::Sixteen, false).keys(keys);
        if open {
            stage = stage.open();
        }
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), stage.draw().backend());
    }
}

#[test]
fn overview() {
    shot("overview", "", false);
}

#[test]
fn where_little_fits_what_matters_is_left() {
    for (size, keys) in
        [((60, 18), ""), ((40, 10), ""), ((40, 10), "3"), ((60, 18), "3"), ((39, 9), ""), ((12, 2), ""), ((1, 1), "")]
    {
        let stage = Stage::new(size, ColourMode::Sixteen, false).keys(keys);
        let view = if keys.is_empty() { "overview" } else { "inbox" };
        insta::assert_snapshot!(format!("little_{view}_{}x{}", size.0, size.1), stage.draw().backend());
    }
}

#[test]
fn channels() {
    shot("channels", "2j", false);
}

#[test]
fn everything_that_is_wrong_in_full() {
    for size in [(80, 24), (120, 40), (60, 18)] {
        let stage = Stage::new(size, ColourMode::Sixteen, false).keys("Ej");
        insta::assert_snapshot!(format!("problems_{}x{}", size.0, size.1), stage.draw().backend());
    }
}

#[test]
fn a_broken_line_makes_every_view_grey_and_says_how_old_it_is() {
    let link = Link::Reconnecting { since: at(-130), tries: 3, why: "connection reset".into() };
    for keys in ["", "2", "3", "5", "8", "E"] {
        let mut stage = Stage::new((80, 24), ColourMode::Sixteen, false);
        let before = stage.draw().backend().buffer().clone();
        stage.app.update(Msg::Update(Update::Link(link.clone())), at(0));
        let stage = stage.keys(keys);
        let drawn = stage.draw();
        let text = drawn.backend().to_string();
        assert_eq!(text.matches("data 2m old").count(), 2, "in the title and in the footer after {keys}:\n{text}");
        if keys.is_empty() {
            insta::assert_snapshot!("stale_80x24", drawn.backend());
            let coloured = |buffer: &ratatui::buffer::Buffer| {
                let body = &buffer.content()[80 * 2..80 * 23];
                let seen = body.iter().filter(|cell| cell.symbol() != " ");
                seen.map(|cell| cell.fg).collect::<std::collections::HashSet<_>>().len()
            };
            assert!(coloured(&before) > 3);
            assert_eq!(coloured(drawn.backend().buffer()), 1, "all of it is grey");
        }
    }
}

#[test]
fn wide_terminals_have_their_room_used_and_small_ones_zoom() {
    for keys in ["1", "5"] {
        let view = if keys == "1" { "overview" } else { "health" };
        let stage = Stage::new((200, 60), ColourMode::Sixteen, false).keys(keys);
        insta::assert_snapshot!(format!("{view}_200x60"), stage.draw().backend());
    }
    let stage = Stage::new((60, 18), ColourMode::Sixteen, false).keys("5");
    insta::assert_snapshot!("health_60x18", stage.draw().backend());
    insta::assert_snapshot!("health_zoomed_60x18", stage.keys("+").draw().backend());
    let stage = Stage::new((120, 40), ColourMode::Sixteen, false).keys("3").open().keys("+");
    insta::assert_snapshot!("message_zoomed_120x40", stage.draw().backend());
}

#[test]
fn inbox() {
    shot("inbox", "3jj", false);
    insta::assert_snapshot!(
        "inbox_60x18",
        Stage::new((60, 18), ColourMode::Sixteen, false).keys("3jj").draw().backend()
    );
}

#[test]
fn message() {
    shot("message", "3", true);
}

#[test]
fn activity_tasks() {
    shot("activity_tasks", "8\t\t", false);
}

#[test]
fn activity_refusals() {
    shot("activity_refusals", "8\t", false);
}

/// The logs with a hole in them, pinned while more came, and searched.
fn logs(size: (u16, u16), keys: &str) -> Stage {
    let mut stage = Stage::new(size, ColourMode::Sixteen, false).keys("8\t\t\t");
    let line = |n: i64| LogLine {
        n,
        at: at(-30),
        level: if n % 9 == 0 { LogLevel::Error } else { LogLevel::Info },
        target: "aurora".into(),
        text: format!("{} of delivery {n}", if n % 9 == 0 { "Timeout" } else { "end" }),
    };
    for n in (2..40).chain(1_244..1_250) {
        stage.app.update(Msg::Update(Update::Notice(Notice::Log(line(n)))), at(0));
    }
    stage = stage.keys(keys);
    for n in 1_250..1_562 {
        stage.app.update(Msg::Update(Update::Notice(Notice::Log(line(n)))), at(0));
    }
    stage
}

#[test]
fn logs_stay_where_they_are_while_more_come() {
    for size in [(80, 24), (120, 40), (60, 18)] {
        let name = format!("logs_paused_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, logs(size, "kk").draw().backend());
        let name = format!("logs_searched_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, logs(size, "/timeout\rn").draw().backend());
    }
    let text = |keys: &str| logs((80, 24), keys).draw().backend().to_string();
    assert!(text("kkG").contains("delivery 1561"), "at the end the newest are followed");
    let stage = logs((80, 24), "k").keys("G");
    assert!(stage.draw().backend().to_string().contains("delivery 1561"));
    assert!(text("EE").contains("Timeout of delivery 36"), "errors lead from one to the other");
    assert!(text("/timeout\rNNNN").contains("no more lines match"));
}

#[test]
fn help_over_the_inbox() {
    shot("help", "3?", false);
}

#[test]
fn help_is_searched() {
    shot("help_searched", "3?mark", false);
}

#[test]
fn help_fits_a_small_terminal_and_goes_on_below() {
    let mut stage = Stage::new((60, 18), ColourMode::Sixteen, false).keys("3?");
    for _ in 0..14 {
        stage.key(KeyCode::Down);
    }
    insta::assert_snapshot!("help_60x18", stage.draw().backend());
}

#[test]
fn a_chord_that_was_begun_says_how_it_goes_on() {
    let mut snapshot = snapshot();
    let chords = [("go_inbox", "g i"), ("go_health", "g h"), ("go_bridge", "g b")];
    let chords = chords.map(|(action, chord)| (action.to_owned(), vec![chord.to_owned()]));
    snapshot.config.keys.insert("global".into(), chords.into());
    snapshot.config.keys.insert("list".into(), [("first".to_owned(), vec!["g g".to_owned()])].into());
    for size in [(80, 24), (60, 18)] {
        let mut stage = Stage::new(size, ColourMode::Sixteen, false);
        stage.app.update(Msg::Update(Update::Snapshot(Box::new(snapshot.clone()))), at(0));
        let mut stage = stage.keys("2g");
        assert!(!stage.draw().backend().to_string().contains("to the first"));
        stage.app.update(Msg::Tick, at(1));
        insta::assert_snapshot!(format!("which_{}x{}", size.0, size.1), stage.draw().backend());
    }
}

#[test]
fn palette() {
    shot("palette", ":go to", false);
}

#[test]
fn quit() {
    shot("quit", "Q", false);
}

#[test]
fn styles_in_sixteen_colours_and_without() {
    for (view, keys) in [("overview", "1"), ("inbox", "3"), ("health", "5")] {
        for (rung, mode) in [("16", ColourMode::Sixteen), ("none", ColourMode::None)] {
            let stage = Stage::new((80, 24), mode, false).keys(keys);
            insta::assert_snapshot!(format!("{view}_styles_{rung}"), format!("{:?}", stage.draw().backend().buffer()));
        }
    }
}

#[test]
fn ascii_draws_only_ascii() {
    // What others wrote is shown as they wrote it; here they wrote ASCII.
    let mut world = snapshot();
    for row in &mut world.inbox {
        row.from.retain(|c| c.is_ascii());
        row.subject.retain(|c| c.is_ascii());
        row.preview.retain(|c| c.is_ascii());
    }
    for event in &mut world.events {
        event.subject.iter_mut().for_each(|subject| subject.retain(|c| c.is_ascii()));
    }
    for size in [(60, 18), (80, 24), (120, 40)] {
        for keys in ["1", "2", "3j", "3\r", "3/x", "5", "5\r", "8", "8\t", "8\t\t", "8\t\t\t", "?", ":", "Q", "6"] {
            let look = Look::new(&Theme::built_in("terminal").expect("built in"), ColourMode::None, true);
            let mut app = App::new(look, size, Link::Embedded, false, at(0));
            app.update(Msg::Update(Update::Snapshot(Box::new(world.clone()))), at(0));
            let text = Stage { app, size }.keys(keys).draw().backend().to_string();
            assert!(text.is_ascii(), "{keys:?} at {size:?}:\n{text}");
        }
    }
}

#[test]
fn a_terminal_without_utf_8_gets_nothing_but_ascii() {
    let mut stage = Stage::new((80, 24), ColourMode::Sixteen, false).keys("3");
    assert!(stage.draw().backend().to_string().contains("日本の客"));
    let look = Look::new(&Theme::built_in("terminal").expect("built in"), ColourMode::Sixteen, false);
    stage.app.update(Msg::Look(Ok(look.only_ascii())), at(0));
    let text = stage.draw().backend().to_string();
    assert!(text.is_ascii() && text.contains("? ? ? ?"), "{text}");
}

#[test]
fn a_theme_that_is_wrong_is_told_and_the_old_one_stays() {
    let mut stage = Stage::new((80, 24), ColourMode::Sixteen, false);
    let before = stage.draw().backend().buffer().content()[..80 * 23].to_vec();
    stage.app.update(Msg::Look(Err("themes/mine.toml:3:1: unknown field `wran`".into())), at(0));
    let drawn = stage.draw();
    assert_eq!(drawn.backend().buffer().content()[..80 * 23], before[..]);
    assert!(drawn.backend().to_string().contains("themes/mine.toml:3:1"));
}

#[test]
fn without_colours_every_state_is_still_a_word() {
    let stage = Stage::new((80, 24), ColourMode::None, false);
    let terminal = stage.draw();
    let buffer = terminal.backend().buffer();
    assert!(
        buffer
            .content()
            .iter()
            .all(|cell| cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset)
    );
    let text = terminal.backend().to_string();
    for word in ["crit", "warn", "listening", "down", "VIP"] {
        assert!(text.contains(word), "{word}:\n{text}");
    }
}

#[test]
fn next_goes_to_the_broken_task_then_to_the_critical_check_and_then_to_a_vip() {
    let mut stage = Stage::new((80, 24), ColourMode::Sixteen, false);
    for said in
        ["1 of 7: listener 127.0.0.1:9301 is not running", "2 of 7: check shop is critical", "3 of 7: VIP waiting"]
    {
        stage.next();
        let text = stage.draw().backend().to_string();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_node_alone_says_how_there_come_to_be_more() {
    let stage = Stage::new((80, 24), ColourMode::Sixteen, false).keys("4");
    assert!(stage.draw().backend().to_string().contains("aurora node join TOKEN"));
}

#[test]
fn files_are_saved_part_by_part_under_safe_names() {
    let mut stage = Stage::new((80, 24), ColourMode::Sixteen, false).keys("3").open();
    let asked = |commands: &[Cmd]| {
        let [Cmd::Ask(Purpose::Save(part), Request::Attachment { message, number, offset })] = commands else {
            panic!("{commands:?}")
        };
        assert_eq!(*part, Part { message: *message, number: *number, offset: *offset });
        *part
    };
    let answer = |part: Part, bytes: Option<&[u8]>| {
        Msg::Reply(Purpose::Save(part), Ok(Reply::Attachment(bytes.map(|bytes| Bytes(bytes.to_vec())))))
    };
    let first = asked(&stage.key(KeyCode::Char('s')));
    assert_eq!((first.number, first.offset), (1, 0));
    assert!(stage.key(KeyCode::Char('s')).is_empty(), "one at a time");
    assert_eq!(stage.app.update(answer(first, Some(b"zip")), at(0)), [Cmd::Save(Save::Write(b"zip".to_vec()))]);
    assert!(stage.app.update(answer(first, Some(b"zip")), at(0)).is_empty(), "a part is written once");
    let next = asked(&stage.app.update(Msg::Saved(Ok(None)), at(0)));
    assert_eq!(next, Part { offset: 3, ..first });
    let finish = Cmd::Save(Save::Finish("label_[2J.pdf".into()));
    assert_eq!(stage.app.update(answer(next, Some(b"")), at(0)), [finish]);
    let path = "/home/ann/Downloads/label_[2J-1.pdf".into();
    assert!(stage.app.update(Msg::Saved(Ok(Some(path))), at(0)).is_empty());
    assert!(stage.draw().backend().to_string().contains("label_[2J-1.pdf saved to /home/ann/Downloads"));

    let again = asked(&stage.key(KeyCode::Char('s')));
    assert!(stage.app.update(answer(next, Some(b"late")), at(0)).is_empty(), "a late part is no part of the next file");
    let late = Msg::Reply(Purpose::Save(next), Err(Refusal::Failed("no disk".into())));
    assert!(stage.app.update(late, at(0)).is_empty(), "and a late refusal is not about it");
    assert_eq!(stage.app.update(answer(again, None), at(0)), [Cmd::Save(Save::GiveUp)]);
    assert!(stage.draw().backend().to_string().contains("not saved: file 1 is no longer there"));
}
