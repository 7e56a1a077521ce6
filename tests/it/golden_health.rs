//! Golden screens of Health.

use std::time::Duration;

use aurora::model::{
    CheckHistory, CheckId, CheckKind, CheckPanel, CheckState, Failure, HistorySlot, Observation, Phase, Slot, Soft,
    Step, Strip, Value, Verdict,
};
use aurora::protocol::{Notice, Reply, Request, Update};
use aurora::tui::{Cmd, ColourMode, Msg, Purpose};
use crossterm::event::KeyCode;

use crate::golden::{Stage, at, shot};

fn id(text: &str) -> CheckId {
    text.parse().expect("an id")
}

fn strip(signs: &str) -> Strip {
    let slot = |(number, sign): (usize, char)| {
        let took = Duration::from_millis(40 + 30 * (number as u64 % 7));
        match sign {
            'o' => Slot::new(Verdict::Ok, took),
            'w' => Slot::new(Verdict::Warn, took),
            'c' => Slot::new(Verdict::Critical, took),
            'u' => Slot::new(Verdict::Unknown, Duration::ZERO),
            _ => Slot::default(),
        }
    };
    Strip { step: Duration::from_mins(1), slots: signs.chars().enumerate().map(slot).collect() }
}

fn check(name: &str, kind: CheckKind, target: &str, state: CheckState) -> CheckPanel {
    CheckPanel {
        id: id(name),
        kind,
        target: target.into(),
        state,
        since: at(-7_200),
        cause: None,
        soft: None,
        flapping: false,
        last: Some(at(-12)),
        next: Some(at(18)),
        latency: Some(Duration::from_micros(1_400)),
        phases: Vec::new(),
        p50: Some(Duration::from_micros(1_300)),
        p95: Some(Duration::from_micros(2_600)),
        p99: Some(Duration::from_micros(4_100)),
        uptime_24h: Some(100.0),
        strip: strip(&"o".repeat(90)),
        interval: Duration::from_secs(30),
        enabled: true,
        sights: None,
    }
}

fn phases() -> Vec<(Phase, Duration)> {
    [(Phase::Dns, 2), (Phase::Connect, 14), (Phase::Tls, 31), (Phase::FirstByte, 88), (Phase::Transfer, 7)]
        .map(|(phase, ms)| (phase, Duration::from_millis(ms)))
        .to_vec()
}

/// By id, as an engine sends them.
pub fn checks() -> Vec<CheckPanel> {
    let mut shop = check("shop", CheckKind::Http, "https://shop.example.org/health", CheckState::Critical);
    shop.since = at(-240);
    shop.cause = Some("status == 200: got 503".into());
    shop.latency = Some(Duration::from_millis(142));
    shop.phases = phases();
    shop.uptime_24h = Some(99.82);
    shop.strip = strip(&format!("{}.uu{}wwcccc", "o".repeat(60), "o".repeat(21)));
    let mut relay = check("relay", CheckKind::Tcp, "mail.example.org:25", CheckState::Ok);
    relay.soft = Some(Soft { state: CheckState::Critical, count: 1, of: 3 });
    relay.cause = Some("connection refused".into());
    let mut certificate = check("www.cert", CheckKind::Tls, "www.example.org:443", CheckState::Warn);
    certificate.cause = Some("cert_expires > 7d: got 5d".into());
    let disk = check("disk", CheckKind::Disk, "/", CheckState::Ok);
    let mut new = check("api-behind-a-very-long-name", CheckKind::Http, "http://127.0.0.1:8080/", CheckState::Unknown);
    (new.last, new.latency, new.uptime_24h, new.p50, new.p95, new.p99) = (None, None, None, None, None, None);
    new.strip = Strip { step: Duration::from_mins(1), slots: Vec::new() };
    vec![new, disk, relay, shop, certificate]
}

fn past() -> CheckHistory {
    let slot = |hours: i64, critical| HistorySlot {
        from: at(-3_600 * hours),
        length: Duration::from_hours(1),
        ok: 120 - critical,
        warn: 0,
        critical,
        unknown: 0,
        uptime: Some(if critical == 0 { 100.0 } else { 96.666 }),
        p50: Some(Duration::from_millis(120)),
        p95: Some(Duration::from_millis(260)),
        p99: Some(Duration::from_millis(410)),
        longest: Some(Duration::from_millis(800)),
    };
    let observation = Observation {
        at: at(-12),
        took: Duration::from_millis(142),
        verdict: Verdict::Critical,
        cause: Some("status == 200: got 503".into()),
        phases: phases(),
        values: vec![
            ("status".into(), Value::Number(503.0)),
            ("latency".into(), Value::Duration(Duration::from_millis(142))),
            ("body".into(), Value::Text("\u{1b}]0;owned\u{7}busy".into())),
        ],
        steps: vec![
            Step { at: Duration::ZERO, text: "GET https://shop.example.org/health".into() },
            Step { at: Duration::from_millis(16), text: "connected to 203.0.113.7:443".into() },
            Step { at: Duration::from_millis(135), text: "HTTP/1.1 503, 4 bytes".into() },
        ],
    };
    CheckHistory {
        id: id("shop"),
        total: slot(3, 4),
        slots: vec![slot(3, 0), slot(2, 0), slot(1, 4)],
        failures: vec![Failure { state: CheckState::Critical, observation }],
    }
}

#[test]
fn health() {
    shot("health", "5", false);
}

#[test]
fn health_problems_only() {
    shot("health_problems", "5!j", false);
}

#[test]
fn a_check_in_full() {
    for size in [(80, 24), (120, 40)] {
        let mut stage = Stage::new(size, ColourMode::Sixteen, false).keys("5");
        let commands = stage.key(KeyCode::Enter);
        let [Cmd::Ask(purpose, Request::CheckHistory { id: asked, .. })] = &commands[..] else {
            panic!("{commands:?}")
        };
        assert_eq!((purpose, asked), (&Purpose::CheckHistory(id("shop")), &id("shop")));
        stage.app.update(Msg::Reply(purpose.clone(), Ok(Reply::CheckHistory(Some(Box::new(past()))))), at(0));
        insta::assert_snapshot!(format!("check_{}x{}", size.0, size.1), stage.draw().backend());
        stage.key(KeyCode::Char('G'));
        let text = stage.draw().backend().to_string();
        assert!(text.contains("HTTP/1.1 503, 4 bytes"), "the end is reached:\n{text}");
        stage.key(KeyCode::Esc);
        assert!(stage.draw().backend().to_string().contains("api-behind"), "the list is back");
    }
}

#[test]
fn looking_now_asks_for_the_selected_check_and_tells_what_came_of_it() {
    let mut stage = Stage::new((80, 24), ColourMode::Sixteen, false).keys("5j");
    let commands = stage.key(KeyCode::Char('r'));
    assert_eq!(commands, [Cmd::Ask(Purpose::Look(id("www.cert")), Request::CheckNow(id("www.cert")))]);
    let seen = past().failures.remove(0).observation;
    stage.app.update(Msg::Reply(Purpose::Look(id("www.cert")), Ok(Reply::Observation(Box::new(seen)))), at(0));
    assert!(stage.draw().backend().to_string().contains("www.cert: status == 200: got 503, after 142ms"));
}

#[test]
fn health_in_ascii_is_ascii() {
    let stage = Stage::new((120, 40), ColourMode::None, true).keys("5");
    let text = stage.draw().backend().to_string();
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn next_goes_through_every_critical_check() {
    let mut checks = checks();
    checks[1].state = CheckState::Critical;
    let mut stage = Stage::new((80, 24), ColourMode::Sixteen, false);
    stage.app.update(Msg::Update(Update::Notice(Notice::AllChecks(checks))), at(0));
    // Whatever is selected: the broken task first, then every critical check, then a message.
    stage = stage.keys("5G");
    stage.next();
    for name in ["disk disk /", "shop http"] {
        assert_eq!(stage.next(), []);
        assert!(stage.draw().backend().to_string().contains(name), "{name}");
    }
    let commands = stage.next();
    assert!(matches!(commands[..], [Cmd::Ask(Purpose::Open(_), _)]), "{commands:?}");
}

#[test]
fn a_check_nobody_has_looked_at_promises_nothing() {
    let text = Stage::new((80, 24), ColourMode::Sixteen, false).keys("5jj").draw().backend().to_string();
    assert!(text.contains("nobody has looked yet"), "{text}");
    assert!(!text.contains("everything that must hold holds"), "{text}");
}
