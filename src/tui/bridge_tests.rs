//! What keys and answers do on the bridge, from the key to the frame.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::model::{
    Course, End, HostSelector, JobState, Outcome, OutputChunk, Pace, Plan, Risk, Role, RolloutPhase, RolloutRow,
    Stream, Undoing,
};
use crate::protocol::{
    BridgeNotice, BridgeReply, BridgeRequest, JobOutput, Notice, Preview, Refusal, Reply, Request, Update,
};

use super::action::{Action, View};
use super::app::App;
use super::bridge_asks::BridgePurpose;
use super::msg::{Cmd, Msg, Overlay, Purpose};
use super::sample;

fn later() -> Timestamp {
    sample::at(1)
}

/// Presses keys a second after what they open was opened.
fn press(app: &mut App, keys: &str) -> Vec<Cmd> {
    let mut commands = Vec::new();
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            key => KeyCode::Char(key),
        };
        let now =
            if matches!(app.overlay, Some(Overlay::Run(_) | Overlay::Confirm(_))) { later() } else { sample::at(0) };
        commands = app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), now);
    }
    commands
}

fn app(role: Role) -> App {
    sample::app(sample::with_bridge(), role, false)
}

fn asked(commands: &[Cmd]) -> Vec<&BridgeRequest> {
    let mut requests = Vec::new();
    for command in commands {
        if let Cmd::Ask(_, Request::Bridge(request)) = command {
            requests.push(request);
        }
    }
    requests
}

fn answer(app: &mut App, purpose: BridgePurpose, reply: BridgeReply) -> Vec<Cmd> {
    app.update(Msg::Reply(Purpose::Bridge(purpose), Ok(Reply::Bridge(reply))), sample::at(0))
}

fn screen(app: &mut App, size: (u16, u16)) -> String {
    app.update(Msg::Resize(size.0, size.1), sample::at(0));
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a terminal");
    terminal.draw(|frame| app.draw(frame)).expect("draws");
    terminal.backend().to_string()
}

fn said(app: &App) -> &str {
    app.toast.as_ref().map_or("", |toast| &toast.text)
}

#[test]
fn a_job_is_opened_and_what_it_writes_is_followed() {
    let mut app = app(Role::Operator);
    let commands = press(&mut app, "6\tj\n");
    let id = sample::job_id(5);
    assert_eq!(asked(&commands), [&BridgeRequest::Job(id), &BridgeRequest::JobOutput { id, from: 0 }]);
    let chunk = |seq, text: &str| OutputChunk { seq, stream: Stream::Out, bytes: text.into() };
    let part = |chunks: Vec<OutputChunk>, next, end| JobOutput { chunks, next, end, ..JobOutput::default() };
    let first = part(vec![chunk(0, "one\n"), chunk(1, "tw")], 2, false);
    let more = answer(&mut app, BridgePurpose::Output(id), BridgeReply::Output(first));
    assert_eq!(asked(&more), [&BridgeRequest::JobOutput { id, from: 2 }], "there may be more");
    let wrote = |next| Msg::Update(Update::Notice(Notice::Bridge(BridgeNotice::Wrote { id, next })));
    assert_eq!(app.update(wrote(3), later()), [], "one question at a time");
    let none = answer(&mut app, BridgePurpose::Output(id), BridgeReply::Output(part(Vec::new(), 2, false)));
    assert_eq!(none, []);
    let news = app.update(wrote(3), later());
    assert_eq!(asked(&news), [&BridgeRequest::JobOutput { id, from: 2 }]);
    answer(&mut app, BridgePurpose::Output(id), BridgeReply::Output(part(vec![chunk(2, "o\n")], 3, true)));
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains("  one ") && shown.contains("  two ") && shown.contains("running since"), "{shown}");
    assert_eq!(app.update(wrote(9), later()), [], "it is whole");
}

#[test]
fn a_line_that_broke_goes_on_where_it_was() {
    let mut app = app(Role::Operator);
    press(&mut app, "6\tj\n");
    let id = sample::job_id(5);
    let chunk = OutputChunk { seq: 0, stream: Stream::Out, bytes: b"one\n".to_vec() };
    let part = JobOutput { chunks: vec![chunk], next: 1, ..JobOutput::default() };
    answer(&mut app, BridgePurpose::Output(id), BridgeReply::Output(part));
    let again = app.update(Msg::Update(Update::Snapshot(Box::new(sample::with_bridge()))), later());
    assert_eq!(asked(&again), [&BridgeRequest::Job(id), &BridgeRequest::JobOutput { id, from: 1 }]);
}

#[test]
fn a_command_of_high_risk_runs_when_the_hosts_name_is_typed() {
    let mut app = app(Role::Operator);
    press(&mut app, "6jj");
    press(&mut app, "xrest\n");
    assert_eq!(press(&mut app, "mai\n"), [], "no such word");
    assert_eq!(said(&app), "it is one of mail, shop");
    let commands = press(&mut app, "\t\n");
    let [Cmd::Ask(Purpose::Bridge(BridgePurpose::DryRun(id)), Request::Bridge(BridgeRequest::DryRun(draft)))] =
        &commands[..]
    else {
        panic!("{commands:?}")
    };
    let on = HostSelector::Host("web-2".parse().expect("a name"));
    assert_eq!((draft.id, &draft.on, draft.args["name"].as_str()), (*id, &on, "mail"));
    let plan = sample::plan("web-2");
    let preview = Preview {
        hash: plan.hash(),
        layers: vec![(plan.host.clone(), Some(crate::model::LayerKind::Socket))],
        plans: vec![plan],
        risk: crate::model::Risk::High,
        need: 0,
        confirm: Some("web-2".into()),
        refused: None,
        rollout: None,
    };
    let hash = preview.hash.clone();
    answer(&mut app, BridgePurpose::DryRun(*id), BridgeReply::Preview(Box::new(preview)));
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains("\"/usr/bin/systemctl\"") && shown.contains(hash.as_str()), "{shown}");
    assert!(shown.contains("type \"web-2\" to run it"), "{shown}");
    assert_eq!(press(&mut app, "y\n"), [], "a letter runs nothing");
    assert_eq!(said(&app), "type web-2 to run it");
    app.update(Msg::Key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE)), later());
    let commands = press(&mut app, "web-2\n");
    let [BridgeRequest::Run(run)] = asked(&commands)[..] else { panic!("{commands:?}") };
    assert_eq!((run.id, run.confirm.as_deref(), run.seen.as_ref()), (*id, Some("web-2"), Some(&hash)));
    let row = sample::job(9, "web-2", JobState::Sending).row();
    let running = BridgeReply::Running { jobs: vec![row], approval: None };
    let opens = answer(&mut app, BridgePurpose::Run(run.command.clone()), running);
    assert_eq!(asked(&opens)[0], &BridgeRequest::Job(sample::job_id(9)));
}

#[test]
fn keys_meant_for_what_was_there_before_run_nothing() {
    let mut app = app(Role::Admin);
    press(&mut app, "6\tj");
    app.update(Msg::Key(KeyEvent::new(KeyCode::Char('C'), KeyModifiers::NONE)), sample::at(0));
    let early = app.update(Msg::Key(KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE)), sample::at(0));
    assert!(early.is_empty() && app.overlay.is_some());
    let enter = app.update(Msg::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)), later());
    assert!(enter.is_empty() && app.overlay.is_some(), "enter stops nothing");
    let commands = press(&mut app, "y");
    assert_eq!(asked(&commands), [&BridgeRequest::Cancel(sample::job_id(5))]);
    let order = BridgePurpose::Order(Box::new(BridgeRequest::Cancel(sample::job_id(5))));
    app.update(Msg::Reply(Purpose::Bridge(order), Err(Refusal::Denied("not yours".into()))), later());
    assert!(said(&app).starts_with("not done: "), "{}", said(&app));
}

#[test]
fn an_unknown_end_is_decided_by_a_person_who_says_how_they_know() {
    let mut app = app(Role::Operator);
    press(&mut app, "6\t\n");
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains("it may have run: the host restarted"), "{shown}");
    assert!(shown.contains("look on db-1 whether it ran; R says so"), "{shown}");
    assert_eq!(press(&mut app, "R\n"), []);
    assert_eq!(said(&app), "choose with tab whether it ran");
    assert_eq!(press(&mut app, "\t\t\n"), []);
    assert_eq!(said(&app), "write how you know");
    let commands = press(&mut app, "log\n");
    let resolve = BridgeRequest::Resolve { id: sample::job_id(3), ran: false, note: Some("log".into()) };
    assert_eq!(asked(&commands), [&resolve]);
}

#[test]
fn lines_to_paste_are_shown_whole_when_no_road_is_left() {
    let mut snapshot = sample::with_bridge();
    snapshot.bridge.jobs[0].host = "db-1".parse().expect("a name");
    let mut app = sample::app(snapshot, Role::Operator, false);
    press(&mut app, "6\tj\n");
    assert!(screen(&mut app, (80, 24)).contains("no road leads to db-1; By hand has the lines"));
    let id = sample::job_id(5);
    let asks = press(&mut app, "\t\t");
    assert_eq!(asked(&asks), [&BridgeRequest::Manual(id)]);
    let long = format!("aurora agent exec --id {} --b64 {}", "0".repeat(32), "QUJD".repeat(60));
    answer(&mut app, BridgePurpose::ByHand(id), BridgeReply::Manual(vec![long.clone()]));
    let shown: String = screen(&mut app, (80, 24)).lines().map(|line| line.trim_matches('"')).collect();
    assert!(shown.contains(&long), "{shown}");
}

#[test]
fn an_approval_is_answered_by_others_and_shows_every_byte() {
    let mut snapshot = sample::with_bridge();
    let open = &mut snapshot.bridge.approvals[1];
    open.plans[0].argv.push("ma\u{202e}il\u{200b} ".into());
    open.hash = open.plans[0].hash();
    let hash = open.hash.clone();
    let mut app = sample::app(snapshot.clone(), Role::Approver, false);
    press(&mut app, "7\n");
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains("\"ma\\u{202e}il\\u{200b} \"") && shown.contains(hash.as_str()), "{shown}");
    assert!(shown.contains("not ASCII: U+200B U+202E"), "{shown}");
    let commands = press(&mut app, "ay");
    let id = sample::approval_id(1);
    assert_eq!(asked(&commands), [&BridgeRequest::Vote { id, hash: hash.clone(), yes: true, note: None }]);
    assert_eq!(press(&mut app, "d\n"), []);
    assert_eq!(said(&app), "write why not");
    let commands = press(&mut app, "too late\n");
    let no = BridgeRequest::Vote { id, hash: hash.clone(), yes: false, note: Some("too late".into()) };
    assert_eq!(asked(&commands), [&no]);
    snapshot.bridge.approvals[1].by = "anna".parse().expect("a name");
    let mut app = sample::app(snapshot, Role::Admin, false);
    press(&mut app, "7a");
    assert_eq!(said(&app), "you asked for it, and the yes has to come from somebody else");
    let no = BridgeRequest::Vote { id, hash, yes: false, note: Some("not today".into()) };
    press(&mut app, "d");
    assert_eq!(asked(&press(&mut app, "not today\n")), [&no], "who asked takes it back");
}

#[test]
fn a_yes_counts_once_everything_was_shown() {
    let mut snapshot = sample::with_bridge();
    let open = &mut snapshot.bridge.approvals[1];
    open.plans[0].cwd = Some("/srv/below".into());
    open.plans[0].env = (0..40).map(|number| (format!("NAME_{number}"), "value".to_owned())).collect();
    open.hash = open.plans[0].hash();
    let (id, hash) = (sample::approval_id(1), open.hash.clone());
    let mut app = sample::app(snapshot, Role::Approver, false);
    press(&mut app, "7a");
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains("in \"/srv/below\"") && !shown.contains(hash.as_str()), "{shown}");
    assert_eq!(press(&mut app, "y"), []);
    assert_eq!(said(&app), "down shows the rest of it first");
    for _ in 0..60 {
        app.update(Msg::Key(KeyEvent::new(KeyCode::Down, KeyModifiers::NONE)), later());
    }
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains(hash.as_str()) && shown.contains("that is all of it"), "{shown}");
    assert_eq!(asked(&press(&mut app, "y")), [&BridgeRequest::Vote { id, hash, yes: true, note: None }]);
}

#[test]
fn stages_and_what_undoes_them_are_shown_before_a_yes() {
    let mut snapshot = sample::with_bridge();
    let open = &mut snapshot.bridge.approvals[1];
    let back = Plan { argv: vec!["/bin/back".into(), "ma\u{202e}il".into()], ..open.plans[0].clone() };
    open.rollout = Some(Course {
        stages: vec![vec!["web-2".parse().expect("a name")], vec!["web-3".parse().expect("a name")]],
        pace: Pace::default(),
        checks: Vec::new(),
        undoing: Some(Undoing { plans: vec![back], risk: Risk::Low }),
    });
    let mut app = sample::app(snapshot, Role::Approver, false);
    press(&mut app, "7\n");
    let whole = screen(&mut app, (80, 50));
    press(&mut app, "a");
    let asked = screen(&mut app, (80, 50));
    for shown in [&whole, &asked] {
        for words in ["stage 2", "web-3", "when it went wrong on 1", "/bin/back", "ma\\u{202e}il"] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
    }
}

#[test]
fn every_refusal_has_its_reason() {
    let why = |keys: &str, role, action| {
        let mut app = app(role);
        press(&mut app, keys);
        app.why_not(action)
    };
    let role = |needs: &str, has: &str| Some(format!("this needs the role {needs}; anna has the role {has}"));
    assert_eq!(why("6jj", Role::Viewer, Action::RunCommand), role("operator", "viewer"));
    assert_eq!(why("7", Role::Operator, Action::Grant), role("approver", "operator"));
    assert_eq!(why("6", Role::Admin, Action::RunCommand).as_deref(), Some("no command of the whitelist may run there"));
    assert_eq!(why("6\tjjj", Role::Admin, Action::CancelJob).as_deref(), Some("the job is over"));
    assert_eq!(why("6\tjjj", Role::Admin, Action::ResolveJob).as_deref(), Some("how the job ended is known"));
    assert_eq!(why("1", Role::Admin, Action::ProbeHost).as_deref(), Some("no host is selected; go to Bridge"));
    assert_eq!(why("6", Role::Operator, Action::ProbeHost), None);
}

#[test]
fn next_leads_to_an_unknown_end_a_lost_host_and_what_can_be_answered() {
    let mut app = app(Role::Approver);
    let mut places = Vec::new();
    for _ in 0..6 {
        app.act(Action::Next);
        app.update(Msg::Reply(Purpose::Next, Ok(Reply::Messages(Vec::new()))), sample::at(0));
        places.push(app.here().place.to_string());
    }
    let job = format!("bridge job {}", sample::job_id(3));
    let approval = format!("approvals {}", sample::approval_id(1));
    assert_eq!(places, ["activity tasks", "health", "bridge db-1", job.as_str(), approval.as_str(), "health"]);
}

#[test]
fn the_audit_log_leads_to_what_it_is_about() {
    let mut app = app(Role::Viewer);
    press(&mut app, "8\t\t\t\t");
    assert!(screen(&mut app, (80, 24)).contains("held"));
    press(&mut app, "\n");
    assert_eq!(app.here().place.to_string(), format!("approvals {}", sample::approval_id(1)));
    press(&mut app, "[");
    assert_eq!(app.here().place.to_string(), "activity audit");
}

#[test]
fn no_size_is_too_small_and_none_too_large() {
    let keys = [
        "6",
        "6\n",
        "6\t",
        "6\t\n",
        "6\t\n\t",
        "6\t\n\t\t",
        "6jjx",
        "6jjxr\n",
        "6\tjC",
        "6\tR",
        "7",
        "7\n",
        "7a",
        "7d",
        "6/web",
    ];
    for keys in keys {
        let mut app = app(Role::Admin);
        press(&mut app, keys);
        for size in [(1, 1), (2, 5), (7, 3), (20, 60), (39, 9), (40, 10), (60, 18), (80, 24), (120, 40), (300, 100)] {
            let shown = screen(&mut app, size);
            assert!(!shown.is_empty());
            for key in [KeyCode::PageDown, KeyCode::End, KeyCode::Up, KeyCode::Home] {
                app.update(Msg::Key(KeyEvent::new(key, KeyModifiers::NONE)), sample::at(0));
                screen(&mut app, size);
            }
        }
    }
}

#[test]
fn a_job_that_ends_while_it_is_open_is_asked_for_again() {
    let mut app = app(Role::Viewer);
    press(&mut app, "6\tj\n");
    let ended = sample::job(5, "web-1", JobState::Ended(Outcome::Done(crate::model::End::Signal(9)))).row();
    let notice = Notice::Bridge(BridgeNotice::Jobs(vec![ended]));
    let commands = app.update(Msg::Update(Update::Notice(notice)), sample::at(0));
    assert_eq!(asked(&commands).len(), 2);
    assert!(screen(&mut app, (80, 24)).contains("done: signal 9 after 20s over tmux; it failed"));
    assert_eq!(app.view, View::Bridge);
}

#[test]
fn a_rollout_says_where_its_hosts_stand_and_opens_to_its_jobs() {
    let mut app = app(Role::Viewer);
    app.update(Msg::Resize(120, 30), sample::at(0));
    let id = sample::job_id(40);
    let row = RolloutRow {
        id,
        title: "deploy version=v2".into(),
        by: "anna".parse().expect("a name"),
        asked: sample::at(0),
        phase: RolloutPhase::Runs,
        stage: 2,
        sizes: vec![1, 1, 1],
        stopped: None,
        undone: 0,
        ended: None,
    };
    let first = app.bridge_panel().jobs[0].clone();
    let states = [
        JobState::Ended(Outcome::Done(End::Exit(0))),
        JobState::Running,
        JobState::Staged { why: "3 of 3, when the 2 before are well".into() },
    ];
    let jobs = (40..).zip(["db-1", "web-1", "web-2"]).zip(states).map(|((number, host), state)| {
        let (id, host, title) = (sample::job_id(number), host.parse().expect("a name"), row.title.clone());
        crate::model::JobRow { id, host, title, state, rollout: Some(row.id), ..first.clone() }
    });
    let notices = [BridgeNotice::Jobs(jobs.collect()), BridgeNotice::Rollout(Box::new(row))];
    for notice in notices {
        app.update(Msg::Update(Update::Notice(Notice::Bridge(notice))), sample::at(0));
    }
    press(&mut app, "6\t\t\t");
    let shown = screen(&mut app, (120, 30));
    for words in [
        "deploy version=v2: stage 2 of 3, 1 host: on its way",
        "1 not over",
        "done                1  db-1",
        "running             1  web-1",
        "staged              1  web-2",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    press(&mut app, "\n");
    let shown = screen(&mut app, (120, 30));
    assert!(shown.contains("web-2") && !shown.contains("uptime"), "only its jobs: {shown}");
}
