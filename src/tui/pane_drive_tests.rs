//! What comes of typing into a pane: what goes there, what does not, and that it is said.

use crate::model::PaneDriver;
use crate::protocol::{Link, PaneReply, PaneRequest, PaneUpdate, Refusal, Request, Update};

use super::action::Action;
use super::app::App;
use super::msg::{Cmd, Msg, Purpose};
use super::pane_asks::PanePurpose;
use super::pane_sample::address;
use super::pane_tests::{asked, press, replied, said, screen, told, zoomed};
use super::sample::at;

#[test]
fn what_is_typed_arrives_in_order_and_ctrl_bracket_gives_back() {
    let mut app = zoomed((80, 20));
    let pane = address("web-1", 0);
    let commands = press(&mut app, "i");
    assert_eq!(commands[0], Cmd::Drive(true));
    assert_eq!(asked(&commands), [PaneRequest::Take { pane: pane.clone() }]);
    assert_eq!(app.update(Msg::Typed(b"ls\r".to_vec()), at(0)), [], "it waits");
    let keys = |bytes: &[u8]| PaneRequest::Keys { pane: pane.clone(), bytes: bytes.to_vec() };
    let commands = replied(&mut app, PanePurpose::Take(pane.clone(), 1), Ok(PaneReply::Done));
    assert_eq!(asked(&commands), [keys(b"ls\r")]);
    assert!(screen(&app).contains("YOU TYPE HERE, ctrl-] gives back"), "{}", screen(&app));
    for n in 0..7_u8 {
        assert_eq!(asked(&app.update(Msg::Typed(vec![n]), at(0))), [keys(&[n])]);
    }
    assert_eq!(app.update(Msg::Typed(b"a".to_vec()), at(0)), [], "eight are on their way");
    assert_eq!(app.update(Msg::Typed(vec![b'x'; 100_000]), at(0)), []);
    let more = replied(&mut app, PanePurpose::Keys { attempt: 1, bytes: 3 }, Ok(PaneReply::Done));
    let [PaneRequest::Keys { bytes, .. }] = &asked(&more)[..] else { panic!("{more:?}") };
    assert!(bytes.len() * 8 == 256 << 10 && bytes.starts_with(b"ax"), "eight are what an engine takes ahead");
    let commands = app.update(Msg::GiveBack, at(0));
    assert_eq!(
        commands,
        [
            Cmd::Drive(false),
            Cmd::Ask(Purpose::Pane(PanePurpose::Release), Request::Pane(PaneRequest::Release { pane: pane.clone() })),
        ]
    );
    assert!(said(&app).contains("67233 bytes were not typed"), "{}", said(&app));
}

#[test]
fn whoever_loses_a_pane_types_nowhere_until_they_have_seen_it() {
    let mut app = zoomed((80, 20));
    let pane = address("web-1", 0);
    press(&mut app, "i");
    replied(&mut app, PanePurpose::Take(pane.clone(), 1), Ok(PaneReply::Done));
    let driver = Some(PaneDriver { who: "ben".parse().expect("a name"), since: at(0) });
    let lost = PaneUpdate::Driver { pane: pane.clone(), driver, take: at(0), why: "taken over".into() };
    assert_eq!(asked(&told(&mut app, lost)), [PaneRequest::Release { pane: pane.clone() }], "nobody is kept from it");
    assert!(screen(&app).contains("YOU DO NOT TYPE HERE ANY MORE"), "{}", screen(&app));
    assert_eq!(app.update(Msg::Typed(b"rm x\r".to_vec()), at(0)), []);
    assert_eq!(app.update(Msg::GiveBack, at(0)), [Cmd::Drive(false)], "there is nothing to give back");
    press(&mut app, "i");
    replied(&mut app, PanePurpose::Take(pane.clone(), 2), Err("ben types there"));
    assert!(screen(&app).contains("ben types there"), "{}", screen(&app));
    app.update(Msg::GiveBack, at(0));
    // A line that breaks gives back as well.
    press(&mut app, "i");
    replied(&mut app, PanePurpose::Take(pane.clone(), 3), Ok(PaneReply::Done));
    let broken = Link::Reconnecting { since: at(0), tries: 1, why: String::new() };
    app.update(Msg::Update(Update::Link(broken)), at(0));
    assert!(screen(&app).contains("the line to the engine broke"), "{}", screen(&app));
}

#[test]
fn after_a_piece_that_was_not_typed_nothing_goes_until_it_is_taken_again() {
    let mut app = zoomed((80, 20));
    let pane = address("web-1", 0);
    let keys = |attempt, bytes| PanePurpose::Keys { attempt, bytes };
    let release = [PaneRequest::Release { pane: pane.clone() }];
    press(&mut app, "i");
    replied(&mut app, PanePurpose::Take(pane.clone(), 1), Ok(PaneReply::Done));
    for text in ["rm ", ".", "/x\r"] {
        assert_eq!(asked(&app.update(Msg::Typed(text.into()), at(0))).len(), 1);
    }
    app.update(Msg::Typed(vec![b'x'; 300_000]), at(0));
    replied(&mut app, keys(1, 3), Ok(PaneReply::Done));
    let denied = |app: &mut App, purpose| {
        let refusal = Err(Refusal::Denied("the pane is in a mode".into()));
        app.update(Msg::Reply(Purpose::Pane(purpose), refusal), at(0))
    };
    assert_eq!(asked(&denied(&mut app, keys(1, 1))), release, "others may have it");
    assert_eq!(app.update(Msg::Typed(b"y".to_vec()), at(0)), []);
    assert_eq!(asked(&denied(&mut app, keys(1, 3))), [], "it is given back once");
    app.update(Msg::Resize(240, 24), at(0));
    let unanswered = Err(Refusal::Unanswered);
    // The last of the six is on its way still.
    for _ in 0..5 {
        app.update(Msg::Reply(Purpose::Pane(keys(1, 32_768)), unanswered.clone()), at(0));
    }
    let shown = screen(&app);
    assert!(shown.contains("ANY MORE") && shown.contains("the pane is in a mode"), "{shown}");
    assert!(shown.contains("not typed, ") && shown.contains(" perhaps: "), "{shown}");
    assert_eq!(app.update(Msg::GiveBack, at(0)), [Cmd::Drive(false)]);
    assert!(said(&app).contains("103396 bytes not typed, 196608 bytes perhaps"), "{}", said(&app));
    // Answers to what was typed before say nothing of the next.
    press(&mut app, "i");
    replied(&mut app, PanePurpose::Take(pane.clone(), 2), Ok(PaneReply::Done));
    app.update(Msg::Reply(Purpose::Pane(keys(1, 5)), Err(Refusal::Unanswered)), at(0));
    assert!(screen(&app).contains("YOU TYPE HERE"), "{}", screen(&app));
}

#[test]
fn a_paste_that_is_too_much_ends_where_it_was_too_much() {
    let mut app = zoomed((80, 20));
    let pane = address("web-1", 0);
    press(&mut app, "i");
    replied(&mut app, PanePurpose::Take(pane.clone(), 1), Ok(PaneReply::Done));
    // Eight requests are on their way, and the rest waits.
    assert_eq!(asked(&app.update(Msg::Typed(vec![b'x'; 1_000_000]), at(0))).len(), 8);
    assert_eq!(app.update(Msg::Typed(vec![b'y'; 300_000]), at(0)), [], "it fits");
    let release = [PaneRequest::Release { pane: pane.clone() }];
    assert_eq!(asked(&app.update(Msg::Typed(vec![b'z'; 16_384]), at(0))), release, "it does not");
    app.update(Msg::Resize(240, 24), at(0));
    assert!(screen(&app).contains("does not take more than 1024 KiB ahead"), "{}", screen(&app));
    // There would be room again.
    let more = replied(&mut app, PanePurpose::Keys { attempt: 1, bytes: 32 << 10 }, Ok(PaneReply::Done));
    assert_eq!(more, [], "nothing is typed behind the hole");
    assert_eq!(app.update(Msg::Typed(b"\x1b[201~".to_vec()), at(0)), []);
    app.update(Msg::GiveBack, at(0));
    assert!(said(&app).contains("1054240 bytes not typed, 229376 bytes perhaps"), "{}", said(&app));
    // Before it is granted there is nothing to give back yet.
    press(&mut app, "i");
    assert_eq!(app.update(Msg::Typed(vec![b'x'; 2 << 20]), at(0)), []);
    assert_eq!(asked(&replied(&mut app, PanePurpose::Take(pane, 2), Ok(PaneReply::Done))), release);
}

#[test]
fn what_became_of_a_take_over_before_does_not_end_this_one() {
    let mut app = zoomed((80, 20));
    let pane = address("web-1", 0);
    let taken = |since| PaneReply::Taken(PaneDriver { who: "anna".parse().expect("a name"), since: at(since) });
    let nobody = |take| PaneUpdate::Driver { pane: pane.clone(), driver: None, take: at(take), why: "rested".into() };
    press(&mut app, "i");
    replied(&mut app, PanePurpose::Take(pane.clone(), 1), Ok(taken(5)));
    app.update(Msg::GiveBack, at(0));
    press(&mut app, "i");
    replied(&mut app, PanePurpose::Take(pane.clone(), 2), Ok(taken(7)));
    assert_eq!(told(&mut app, nobody(5)), [], "its answer was faster");
    assert!(screen(&app).contains("YOU TYPE HERE"), "{}", screen(&app));
    told(&mut app, nobody(7));
    assert!(screen(&app).contains("NOT TYPE HERE ANY MORE, ctrl-] goes on: rested"), "{}", screen(&app));
}

#[test]
fn a_pane_that_is_wanted_again_before_the_answer_is_asked_for_once() {
    let mut app = zoomed((80, 20));
    let pane = address("web-1", 0);
    press(&mut app, "i");
    app.update(Msg::GiveBack, at(0));
    assert_eq!(press(&mut app, "i"), [Cmd::Drive(true)]);
    replied(&mut app, PanePurpose::Take(pane.clone(), 1), Ok(PaneReply::Done));
    assert!(screen(&app).contains("YOU TYPE HERE"), "{}", screen(&app));
    app.update(Msg::GiveBack, at(0));
    assert_eq!(asked(&press(&mut app, "i")), [PaneRequest::Take { pane: pane.clone() }]);
    let unanswered = Msg::Reply(Purpose::Pane(PanePurpose::Take(pane.clone(), 2)), Err(Refusal::Unanswered));
    assert_eq!(asked(&app.update(unanswered, at(0))), [PaneRequest::Release { pane }], "it may be ours");
}

#[test]
fn a_pane_that_is_left_is_given_back() {
    let mut app = zoomed((80, 20));
    press(&mut app, "i");
    replied(&mut app, PanePurpose::Take(address("web-1", 0), 1), Ok(PaneReply::Done));
    // By the keys of the palette, say: ctrl-] alone is a key now.
    let commands = app.act(Action::Back);
    assert_eq!(commands, []);
    let commands = app.update(Msg::Tick, at(0));
    assert!(asked(&commands).contains(&PaneRequest::Release { pane: address("web-1", 0) }), "{commands:?}");
    assert!(commands.contains(&Cmd::Drive(false)));
    let late = press(&mut app, "\ni");
    assert!(asked(&late).contains(&PaneRequest::Take { pane: address("web-1", 0) }));
    app.update(Msg::GiveBack, at(0));
    let granted = replied(&mut app, PanePurpose::Take(address("web-1", 0), 2), Ok(PaneReply::Done));
    assert_eq!(asked(&granted), [PaneRequest::Release { pane: address("web-1", 0) }], "it is not kept by accident");
}
