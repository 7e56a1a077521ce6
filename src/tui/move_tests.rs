use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::config::Theme;
use crate::model::{
    Approval, AuditEntry, CheckPanel, CheckState, HostPanel, JobState, LogLevel, LogLine, Phase, Role, Slot, Strip,
    TaskState, Verdict,
};
use crate::protocol::{BridgePanel, Snapshot};

use super::app::App;
use super::encode::Encoder;
use super::ladder::ColourMode;
use super::msg::Msg;
use super::sample;
use super::styles::Look;

/// A check with all its figures: long strip, phases, a reason where it is not ok.
fn check(number: u64) -> CheckPanel {
    let states = [CheckState::Ok, CheckState::Critical, CheckState::Ok, CheckState::Warn, CheckState::Ok];
    let state = states[usize::try_from(number).expect("small") % states.len()];
    let mut check = sample::check(&format!("check-{number}.example"), state);
    let took = |n: u64| Duration::from_micros(900 + (n * number * 7_919) % 190_000);
    let slot = |n: u64| {
        let verdict = if state != CheckState::Ok && n % 30 > 20 { Verdict::Critical } else { Verdict::Ok };
        Slot::new(verdict, took(n))
    };
    check.strip = Strip { step: Duration::from_mins(1), slots: (0..90).map(slot).collect() };
    check.target = format!("https://node-{number}.example.org/health");
    check.phases = vec![(Phase::Dns, took(1)), (Phase::Connect, took(2)), (Phase::Tls, took(3))];
    check.latency = Some(took(4));
    (check.p50, check.p95, check.p99) = (Some(took(5)), Some(took(6)), Some(took(7)));
    check.uptime_24h = Some(96.94);
    check
}

/// Enough of everything to move in.
fn world() -> Snapshot {
    let text = |n: i64| format!("delivery {n} of channel mail was verified, stored and projected");
    let log = |n: i64| LogLine { n, at: sample::at(-n), level: LogLevel::Info, target: "aurora".into(), text: text(n) };
    Snapshot {
        checks: (10..30).map(check).collect(),
        inbox: (1..30).rev().map(|n| sample::row(n, n % 4 == 0)).collect(),
        tasks: (0..20).map(|n| sample::task(&format!("listener 127.0.0.1:92{n:02}"), TaskState::Running)).collect(),
        logs: (1..60).rev().map(log).collect(),
        bridge: bridge(),
        ..sample::snapshot()
    }
}

/// Thirty of each.
fn bridge() -> BridgePanel {
    let mut bridge = sample::bridge();
    let (host, approval, entry) = (bridge.hosts[1].clone(), bridge.approvals[1].clone(), bridge.audit[0].clone());
    bridge.hosts =
        (10..40).map(|n| HostPanel { name: format!("web-{n}").parse().expect("a name"), ..host.clone() }).collect();
    bridge.jobs = (0..30).map(|n| sample::job(n, &format!("web-{n}"), JobState::Running).row()).collect();
    bridge.approvals = (0..30).map(|n| Approval { id: sample::approval_id(n), ..approval.clone() }).collect();
    bridge.audit = (1..30).rev().map(|seq| AuditEntry { seq, ..entry.clone() }).collect();
    bridge
}

fn bytes(app: &App, encoder: &mut Encoder) -> usize {
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("a terminal");
    terminal.draw(|frame| app.draw(frame)).expect("draws");
    encoder.encode(terminal.backend().buffer()).len()
}

#[test]
fn a_move_in_a_list_costs_less_than_400_bytes() {
    let press =
        |app: &mut App, code| drop(app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0)));
    let mut dear = Vec::new();
    for keys in ["2", "3", "5", "6", "6\t", "7", "8", "8\t", "8\t\t", "8\t\t\t", "8\t\t\t\t", "E"] {
        let mut app = sample::app(world(), Role::Operator, false);
        let look = Look::new(&Theme::built_in("dark").expect("a theme"), ColourMode::True, false);
        app.update(Msg::Look(Ok(look)), sample::at(0));
        app.update(Msg::Resize(120, 40), sample::at(0));
        for key in keys.chars() {
            press(&mut app, if key == '\t' { KeyCode::Tab } else { KeyCode::Char(key) });
        }
        let mut encoder = Encoder::new();
        bytes(&app, &mut encoder);
        let mut costs: Vec<usize> = (0..11)
            .map(|_| {
                press(&mut app, KeyCode::Char('j'));
                bytes(&app, &mut encoder)
            })
            .collect();
        // Half of the moves; now and then a page is turned.
        costs.sort_unstable();
        if costs[5] >= 400 {
            dear.push((keys, costs));
        }
    }
    assert_eq!(dear, []);
}
