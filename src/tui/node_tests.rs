//! What keys and answers do among nodes, from the key to the frame.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::model::{HostSelector, Invitation, JobState, NodeState, Role, Trust};
use crate::protocol::{
    BridgePanel, BridgeReply, BridgeRequest, NodeOrder, NodeReply, NodeRequest, NodesNotice, Notice, Preview, Refusal,
    Reply, Request, Update,
};

use super::action::{Action, View};
use super::app::App;
use super::bridge_asks::BridgePurpose;
use super::msg::{Cmd, Msg, Overlay, Purpose};
use super::node_dialog::{NodePurpose, Step};
use super::{node_sample, sample};

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
        let now = if app.overlay.is_some() { sample::at(1) } else { sample::at(0) };
        commands = app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), now);
    }
    commands
}

fn app(role: Role) -> App {
    sample::app(node_sample::with_nodes(), role, false)
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

fn at(app: &App) -> String {
    app.here().place.to_string()
}

/// The only request about nodes among `commands`.
fn asked(commands: &[Cmd]) -> &NodeRequest {
    match commands {
        [Cmd::Ask(Purpose::Node(_) | Purpose::Bridge(_), Request::Node(request))] => request,
        other => panic!("{other:?}"),
    }
}

fn answer(app: &mut App, purpose: NodePurpose, reply: NodeReply) -> Vec<Cmd> {
    app.update(Msg::Reply(Purpose::Node(purpose), Ok(Reply::Node(reply))), sample::at(0))
}

#[test]
fn nodes_are_listed_the_worst_first_and_opened() {
    let mut app = app(Role::Viewer);
    press(&mut app, "4");
    let shown = screen(&mut app, (80, 24));
    for words in ["hub-1 (this)", "✗ down", "✓ alive", "6 entries behind", "<25ms", "1 down"] {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    press(&mut app, "jj\n");
    assert_eq!(at(&app), "nodes hub-2");
    let shown = screen(&mut app, (120, 40));
    let key = crate::model::NodeKey::from_bytes([7; 32]).fingerprint();
    for words in
        ["1204 of 1210 entries are here, 6 behind, the oldest waits 12s", &key, "2 checks (1 not ok)", "told by hub-1"]
    {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    press(&mut app, "\n");
    assert_eq!(at(&app), "health /@hub-2");
    press(&mut app, "[\u{1b}\u{1b}");
    assert_eq!((at(&app).as_str(), app.view), ("overview", View::Overview));
}

#[test]
fn who_hears_whom_is_a_picture_and_relays_are_named() {
    let mut app = app(Role::Viewer);
    press(&mut app, "4\t");
    assert_eq!(at(&app), "nodes topology");
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains("1 edge-3    ·  ?  ?  ✗ down"), "{shown}");
    assert!(shown.contains("2 hub-1     -  ·  ✓  ✓ alive"), "{shown}");
    assert!(shown.contains("3 hub-2     ✓  ✓  ·  ✓ alive"), "{shown}");
    assert!(shown.contains("edge-3 is reached over hub-2, heard 5m"), "{shown}");
    // Whom a node behind a relay hears is not known, also while it is alive.
    let edge = crate::model::NodePanel { state: NodeState::Alive, ..node_sample::nodes().nodes[0].clone() };
    app.update(Msg::Update(Update::Notice(Notice::Nodes(NodesNotice::Nodes(vec![edge])))), sample::at(0));
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains("1 edge-3    ·  ?  ?  ✓ alive") && shown.contains("? not known here"), "{shown}");
    press(&mut app, "\t");
    assert!(screen(&mut app, (80, 24)).contains("1204 check web"));
    press(&mut app, "j\n");
    assert_eq!(at(&app), "nodes edge-3", "an entry leads to its node");
}

#[test]
fn what_others_share_stands_in_every_view_and_is_grey_with_its_age_when_they_are_gone() {
    let mut app = app(Role::Operator);
    let shown = screen(&mut app, (120, 40));
    assert!(shown.contains("check web@hub-2 is critical") && shown.contains("node edge-3 is down"), "{shown}");
    press(&mut app, "5");
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains("web@hub-2") && shown.contains("pay@edge-3") && shown.contains("5m old"), "{shown}");
    press(&mut app, "/tls @hub-9\n");
    assert!(screen(&mut app, (80, 24)).contains("no check of @hub-9 has \"tls\" in its id, kind, target or cause"));
    press(&mut app, "\u{1b}/@hub-9\n");
    assert!(screen(&mut app, (80, 24)).contains("there is no check of @hub-9"));
    press(&mut app, "\u{1b}j\n");
    assert_eq!(at(&app), "health web @hub-2");
    assert!(app.why_not(Action::CheckNow).is_some_and(|why| why.contains("hub-2's")));
    assert!(screen(&mut app, (80, 24)).contains("Its past is kept by hub-2."));
    press(&mut app, "2");
    let shown = screen(&mut app, (120, 40));
    assert!(shown.contains("mail@hub-2") && shown.contains("2 VIP messages, 7 unread"), "{shown}");
    press(&mut app, "6\t");
    assert!(screen(&mut app, (80, 24)).contains("app-1@hub-2"));
    let notice = NodesNotice::Nodes(vec![crate::model::NodePanel {
        state: NodeState::Down,
        last_seen: Some(sample::at(-120)),
        ..node_sample::nodes().nodes[1].clone()
    }]);
    app.update(Msg::Update(Update::Notice(Notice::Nodes(notice))), sample::at(0));
    assert!(screen(&mut app, (80, 24)).contains("2m old"), "{}", screen(&mut app, (80, 24)));
    press(&mut app, "2");
    assert!(screen(&mut app, (120, 40)).contains("2m old: hub-2 is down"));
}

#[test]
fn messages_of_another_node_are_listed_by_its_name_and_kept_there() {
    let mut app = app(Role::Operator);
    press(&mut app, "3");
    assert!(screen(&mut app, (80, 24)).contains("2 unread @hub-2"));
    let asked = press(&mut app, "/@hub-2\n");
    assert_eq!(asked, [], "nobody here knows them");
    assert_eq!(at(&app), "inbox @hub-2");
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains("2 found of what it shares") && shown.contains("Sender 5 on mail@hub-2"), "{shown}");
    press(&mut app, "j");
    assert!(screen(&mut app, (80, 24)).contains("Sender 4 on mail@hub-2"));
    for action in [Action::Open, Action::Ack, Action::Snooze] {
        let why = app.why_not(action);
        assert!(why.as_deref() == Some("the messages of hub-2 are opened and answered there"), "{action:?}: {why:?}");
    }
    press(&mut app, "/3\n");
    assert!(screen(&mut app, (80, 24)).contains("no node is called \"hub-23\""));
    press(&mut app, "2");
    app.select_channel(2);
    press(&mut app, "\n");
    assert_eq!(at(&app), "inbox channel:mail @hub-2");
}

#[test]
fn n_goes_to_nodes_that_are_down_and_to_what_is_wrong_there() {
    let mut snapshot = node_sample::with_nodes();
    (snapshot.tasks, snapshot.checks, snapshot.bridge) = (Vec::new(), Vec::new(), BridgePanel::default());
    let mut app = sample::app(snapshot, Role::Operator, false);
    let next = |app: &mut App| {
        press(app, "n");
        app.update(Msg::Reply(Purpose::Next, Ok(Reply::Messages(Vec::new()))), sample::at(0));
        said(app).to_owned()
    };
    assert_eq!(next(&mut app), "1 of 2: check web@hub-2 is critical (10m): status == 200: got 503; told by hub-1");
    assert_eq!((app.view, app.on_check().map(|of| of.to_string()).as_deref()), (View::Health, Some("web@hub-2")));
    assert_eq!(next(&mut app), "2 of 2: node edge-3 is down (4m)");
    assert_eq!((app.view, app.on_node().map(|node| node.name.as_str())), (View::Nodes, Some("edge-3")));
}

#[test]
fn an_invitation_is_made_for_a_level_of_trust_and_shown_once() {
    let mut app = app(Role::Admin);
    press(&mut app, "4i");
    let commands = press(&mut app, "j\n");
    assert_eq!(asked(&commands), &NodeRequest::Invite { trust: Trust::Command });
    let invitation = Invitation {
        token: format!("aurora-join-{}", "x".repeat(120)),
        fingerprint: "0011-2233".into(),
        trust: Trust::Command,
        expires: sample::at(900),
    };
    answer(&mut app, NodePurpose::Invite, NodeReply::Invited(invitation.clone()));
    let shown = screen(&mut app, (80, 24));
    for words in ["aurora node join", "aurora-join-xxx", "for 15m", "0011-2233"] {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    press(&mut app, "\u{1b}");
    assert!(!screen(&mut app, (80, 24)).contains("0011-2233"));
    answer(&mut app, NodePurpose::Invite, NodeReply::Invited(invitation));
    assert!(said(&app).contains("not looked at") && !said(&app).contains("aurora-join"));
}

#[test]
fn trust_is_chosen_and_forgetting_is_asked_first() {
    let mut app = app(Role::Admin);
    press(&mut app, "4jt");
    assert!(screen(&mut app, (80, 24)).contains("(now)"));
    let commands = press(&mut app, "k\n");
    let name = "edge-3".parse().expect("a name");
    assert_eq!(asked(&commands), &NodeRequest::Trust { name, trust: Trust::Observe });
    press(&mut app, "D");
    assert_eq!(press(&mut app, "\n"), [], "enter forgets nothing");
    let commands = press(&mut app, "y");
    assert_eq!(asked(&commands), &NodeRequest::Remove("edge-3".parse().expect("a name")));
    let Cmd::Ask(Purpose::Node(purpose), _) = commands[0].clone() else { panic!("asked") };
    answer(&mut app, purpose.clone(), NodeReply::Done);
    assert_eq!(said(&app), "edge-3 is forgotten");
    let refused = Err(Refusal::Failed("the store is full".into()));
    app.update(Msg::Reply(Purpose::Node(purpose), refused), sample::at(0));
    assert_eq!(said(&app), "not done: the store is full");
}

#[test]
fn what_cannot_be_done_says_why() {
    let why = |role, keys: &str, action| {
        let mut app = app(role);
        press(&mut app, keys);
        app.why_not(action).unwrap_or_default()
    };
    assert_eq!(why(Role::Operator, "4j", Action::TrustNode), "this needs the role admin; anna has the role operator");
    assert_eq!(why(Role::Admin, "4", Action::RemoveNode), "this is this node itself");
    assert_eq!(why(Role::Admin, "1", Action::RemoveNode), "no node is selected; go to Nodes");
    let behind = why(Role::Operator, "4j", Action::RunCommand);
    assert_eq!(behind, "edge-3 is reached over hub-2 only; act on it from there");
    let mut gone = app(Role::Operator);
    let hub = crate::model::NodePanel { state: NodeState::Down, ..node_sample::nodes().nodes[1].clone() };
    gone.update(Msg::Update(Update::Notice(Notice::Nodes(NodesNotice::Nodes(vec![hub])))), sample::at(0));
    press(&mut gone, "4");
    gone.nodes.select_node("hub-2".parse().expect("a name"));
    let down = gone.why_not(Action::RunCommand);
    assert_eq!(down.as_deref(), Some("hub-2 is down: nothing can be done there now"));
    assert_eq!(why(Role::Viewer, "4jj", Action::RunCommand), "this needs the role operator; anna has the role viewer");
    assert_eq!(why(Role::Operator, "4jj", Action::RestartTask), "");
    assert!(why(Role::Operator, "6\tj", Action::CancelJob).contains("this job is hub-2's"));
    let mut alone = sample::app(sample::snapshot(), Role::Admin, false);
    press(&mut alone, "4");
    assert!(alone.why_not(Action::InviteNode).is_some_and(|why| why.contains("enabled = true")));
    assert!(screen(&mut alone, (80, 24)).contains("aurora node invite"));
}

#[test]
fn another_node_is_joined_with_a_token_that_is_pasted_and_its_fingerprint_is_shown() {
    let mut app = app(Role::Admin);
    press(&mut app, "4J");
    assert_eq!(press(&mut app, "\n"), [], "there is no token yet");
    app.update(Msg::Paste("aurora-join-abc\n".to_owned()), sample::at(1));
    assert!(screen(&mut app, (80, 24)).contains("aurora-join-abc"));
    let commands = press(&mut app, "\n");
    let expected = NodeRequest::Join { token: "aurora-join-abc".to_owned(), trust: Trust::Report };
    assert_eq!(asked(&commands), &expected);
    let name: crate::model::NodeName = "hub-7".parse().expect("a name");
    let joined = NodeReply::Joined { name, fingerprint: "1234-abcd".into(), own: "9876-fedc".into() };
    answer(&mut app, NodePurpose::Join, joined);
    let shown = screen(&mut app, (80, 24));
    assert!(
        shown.contains("hub-7 is known now") && shown.contains("1234-abcd") && shown.contains("9876-fedc"),
        "{shown}"
    );
}

#[test]
fn the_key_of_this_node_is_changed_once_its_name_is_typed() {
    let mut app = app(Role::Admin);
    press(&mut app, "4K");
    assert_eq!(press(&mut app, "hub\n"), [], "that is not its name");
    let commands = press(&mut app, "-1\n");
    assert_eq!(asked(&commands), &NodeRequest::Rotate);
    let key = crate::model::NodeKey::from_bytes([3; 32]);
    answer(&mut app, NodePurpose::Rotate, NodeReply::Rotated { key, until: sample::at(60) });
    let shown = screen(&mut app, (80, 24));
    assert!(shown.contains(&key.fingerprint()), "{shown}");
}

#[test]
fn a_task_is_restarted_at_its_node() {
    let mut app = app(Role::Operator);
    press(&mut app, "4jjR");
    assert!(screen(&mut app, (80, 24)).contains("projector"));
    let commands = press(&mut app, "\n");
    let order = NodeOrder::RestartTask("projector".into());
    assert_eq!(asked(&commands), &NodeRequest::On { node: "hub-2".parse().expect("a name"), order });
}

#[test]
fn a_command_is_run_at_another_node_with_its_hosts_and_whitelist() {
    let mut app = app(Role::Operator);
    let commands = press(&mut app, "4jjx");
    assert_eq!(commands.len(), 2, "its hosts and its commands are asked for: {commands:?}");
    let hub: crate::model::NodeName = "hub-2".parse().expect("a name");
    let ground = || NodePurpose::Ground(hub.clone());
    let there = sample::bridge();
    assert_eq!(press(&mut app, "\n"), [], "nothing is known yet");
    answer(&mut app, ground(), NodeReply::Bridge(Box::new(BridgeReply::Hosts(there.hosts.clone()))));
    answer(&mut app, ground(), NodeReply::Bridge(Box::new(BridgeReply::Commands(there.commands.clone()))));
    assert!(screen(&mut app, (80, 24)).contains("web-2"));
    press(&mut app, "jj\n");
    assert!(screen(&mut app, (80, 24)).contains("on web-2 of @hub-2: which one?"));
    let commands = press(&mut app, "uptime\n");
    let NodeRequest::On { node, order: NodeOrder::Bridge(BridgeRequest::DryRun(draft)) } = asked(&commands) else {
        panic!("{commands:?}")
    };
    assert_eq!((node, &draft.on), (&hub, &HostSelector::Host("web-2".parse().expect("a name"))));
    let plan = sample::plan("web-2");
    let preview = Preview {
        hash: plan.hash(),
        layers: vec![(plan.host.clone(), None)],
        plans: vec![plan],
        risk: crate::model::Risk::Low,
        need: 0,
        confirm: None,
        refused: None,
        rollout: None,
    };
    let reply = Reply::Node(NodeReply::Bridge(Box::new(BridgeReply::Preview(Box::new(preview)))));
    let purpose = Purpose::Bridge(BridgePurpose::DryRun(draft.id));
    app.update(Msg::Reply(purpose, Ok(reply)), sample::at(0));
    let commands = press(&mut app, "y");
    let [Cmd::Ask(Purpose::Node(ran), Request::Node(NodeRequest::On { order, .. }))] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert!(matches!(order, NodeOrder::Bridge(BridgeRequest::Run(_))));
    let jobs = vec![sample::job(9, "web-2", JobState::Sending).row()];
    answer(&mut app, ran.clone(), NodeReply::Bridge(Box::new(BridgeReply::Running { jobs, approval: None })));
    assert!(said(&app).starts_with("uptime runs at hub-2 as job_"), "{}", said(&app));
    assert_eq!(at(&app), "bridge jobs /@hub-2");
    press(&mut app, "4x");
    let refusal = Err(Refusal::Denied("hub-1 may only report at hub-2".into()));
    app.update(Msg::Reply(Purpose::Node(ground()), refusal), sample::at(0));
    let Some(Overlay::Node(dialog)) = &app.overlay else { panic!("it stays open") };
    assert!(matches!(&dialog.step, Step::Refused(why) if why.contains("may only report")));
}

#[test]
fn the_palette_knows_nodes_and_what_they_share() {
    let offered = |line: &str| {
        let mut app = app(Role::Viewer);
        press(&mut app, ":");
        press(&mut app, line);
        let Some(Overlay::Palette(palette)) = &app.overlay else { panic!("open") };
        app.matches(palette).0.into_iter().map(|found| found.choice.words).collect::<Vec<_>>()
    };
    assert_eq!(offered("node edge")[0], "node edge-3: down");
    assert_eq!(offered("jobs of @hub")[0], "go to jobs of @hub-2");
    assert_eq!(offered("health @hub-2")[0], "go to health /@hub-2");
    assert!(offered("nodes topology")[0].starts_with("go to nodes topology"));
}

#[test]
fn text_of_other_nodes_is_shown_and_controls_nothing() {
    let mut snapshot = node_sample::with_nodes();
    let bad = "\u{1b}[2J\u{202e}evil\u{7}";
    let hub = &mut snapshot.nodes.nodes[1];
    (hub.why, hub.version, hub.url) = (Some(bad.into()), Some(bad.into()), Some(bad.into()));
    let shared = &mut snapshot.nodes.remote[1];
    shared.incidents[0].cause = Some(bad.into());
    shared.incidents[0].state = bad.into();
    shared.tasks[0].last_error = Some(bad.into());
    shared.messages[0].subject = bad.into();
    shared.messages[0].preview = bad.into();
    shared.jobs[0].title = bad.into();
    shared.checks[1].cause = Some(bad.into());
    (snapshot.nodes.news[0].about, snapshot.nodes.news[0].text) = (bad.into(), bad.into());
    for keys in
        ["1", "2", "3/@hub-2\n", "4", "4jj", "4jj\n", "4\t", "4\t\t", "4jjR", "5", "5j", "5j\n", "6\t", "6\tj", "E"]
    {
        let mut app = sample::app(snapshot.clone(), Role::Admin, false);
        press(&mut app, keys);
        let shown = screen(&mut app, (120, 40));
        let controls = shown.chars().filter(|c| c.is_control() && *c != '\n').count();
        assert!(controls == 0 && !shown.contains('\u{202e}'), "{keys:?}:\n{shown}");
    }
}
