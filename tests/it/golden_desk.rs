//! Golden screens of what operators do with conversations, and what their keys ask of the engine.

use aurora::model::{
    Act, Acted, Contact, ContactId, ConversationList, ConversationPage, Count, Entry, Item, MessagePage, Note, Order,
    SavedView, Snooze, Trace,
};
use aurora::protocol::{Reply, Request};
use aurora::tui::{Cmd, ColourMode, DeskPurpose, Msg, Purpose};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::golden::{Stage, at, conversations, snapshot};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (60, 18)];

fn shots(name: &str, stage: impl Fn((u16, u16)) -> Stage) {
    for size in SIZES {
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), stage(size).draw().backend());
    }
}

fn inbox(size: (u16, u16), keys: &str) -> Stage {
    Stage::new(size, ColourMode::Sixteen, false).keys("3").keys(keys)
}

/// What the only act among `commands` is and what it is about.
fn asked(commands: &[Cmd]) -> (Act, Vec<Item>) {
    let acts: Vec<_> = commands
        .iter()
        .filter_map(|command| match command {
            Cmd::Ask(_, Request::Act { on, act, .. }) => Some((act.clone(), on.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(acts.len(), 1, "{commands:?}");
    acts.into_iter().next().expect("an act")
}

fn later(stage: &mut Stage, code: KeyCode) -> Vec<Cmd> {
    stage.app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), at(1))
}

#[test]
fn one_is_taken_at_once_and_can_be_undone_for_ten_seconds() {
    let mut stage = inbox((80, 24), "j");
    let commands = stage.key(KeyCode::Char('a'));
    let (act, on) = asked(&commands);
    assert_eq!((act, on), (Act::Ack, vec![conversations()[1].id.into()]));
    let Cmd::Ask(purpose @ Purpose::Desk(DeskPurpose::Act(id, _)), _) = commands[0].clone() else {
        panic!("{commands:?}")
    };
    let acted = Acted { id, changed: 1, unknown: 0, full: 0, more: false };
    stage.app.update(Msg::Reply(purpose, Ok(Reply::Acted(acted))), at(0));
    let text = |stage: &Stage| stage.draw().backend().to_string();
    assert!(text(&stage).contains("1 taken   u undoes it"), "{}", text(&stage));
    stage.key(KeyCode::Char('k'));
    assert!(text(&stage).contains("u undoes it"), "a key does not take the offer away");
    assert_eq!(stage.app.wakes_at(), Some(at(10)));
    stage.app.update(Msg::Tick, at(10));
    assert!(!text(&stage).contains("undoes"), "ten seconds do");
    assert!(stage.app.update(Msg::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::NONE)), at(11)).is_empty());
}

#[test]
fn many_are_shown_before_anything_is_done_to_them() {
    shots("bulk", |size| inbox(size, "*a"));
    let mut stage = inbox((80, 24), " j a");
    assert_eq!(stage.key(KeyCode::Char('y')), [], "a key of the first moment was meant for the list");
    assert_eq!(later(&mut stage, KeyCode::Enter), [], "enter does not do it");
    let (act, on) = asked(&later(&mut stage, KeyCode::Char('y')));
    let rows = conversations();
    assert_eq!((act, on), (Act::Ack, vec![rows[0].id.into(), rows[2].id.into()]));
    let mut stage = inbox((80, 24), "vjjz");
    assert!(stage.draw().backend().to_string().contains("3 picked"));
    stage.key(KeyCode::Enter);
    assert!(stage.draw().backend().to_string().contains("Do this?"));
    assert_eq!(later(&mut stage, KeyCode::Esc), []);
    let (act, on) = asked(&{
        later(&mut stage, KeyCode::Esc);
        later(&mut stage, KeyCode::Char('a'))
    });
    assert_eq!((act, on.len()), (Act::Ack, 1), "nothing is picked any more");
}

#[test]
fn a_snooze_is_chosen_or_typed() {
    shots("snooze", |size| inbox(size, "z"));
    let mut stage = inbox((80, 24), "zuntil a");
    let (act, _) = asked(&stage.key(KeyCode::Enter));
    assert_eq!(act, Act::Snooze(Snooze::Reply));
    let mut stage = inbox((80, 24), "z2h");
    let (act, _) = asked(&stage.key(KeyCode::Enter));
    assert_eq!(act, Act::Snooze(Snooze::Until(at(7_200))));
    let stage = inbox((80, 24), "znever\r");
    assert!(stage.draw().backend().to_string().contains("\"never\" is no time"));
}

#[test]
fn a_note_has_lines_and_is_not_lost_by_one_key() {
    let mut stage = inbox((80, 24), "iCalled Ann,");
    stage.key(KeyCode::Enter);
    let mut stage = stage.keys("she waits.");
    assert!(stage.key(KeyCode::Esc).is_empty());
    insta::assert_snapshot!("note_80x24", stage.draw().backend());
    let key = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);
    let (act, on) = asked(&stage.app.update(Msg::Key(key), at(1)));
    assert_eq!((act, on), (Act::Note("Called Ann,\nshe waits.".into()), vec![conversations()[0].id.into()]));
}

#[test]
fn a_note_that_is_too_long_is_neither_lost_nor_pasted() {
    let mut stage = inbox((80, 24), "i");
    stage.app.update(Msg::Paste("x".repeat(4_090)), at(0));
    stage.app.update(Msg::Paste("y".repeat(5_000)), at(0));
    let text = |stage: &Stage| stage.draw().backend().to_string();
    assert!(text(&stage).contains("5000 bytes were pasted; a note has 4096 at most"), "{}", text(&stage));
    let mut stage = stage.keys("zzzzzzzzzz");
    let save = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);
    assert_eq!(stage.app.update(Msg::Key(save), at(1)), []);
    assert!(text(&stage).contains("4 are too many") && text(&stage).contains("Note:"), "{}", text(&stage));
    for _ in 0..4 {
        stage.key(KeyCode::Backspace);
    }
    let (act, _) = asked(&stage.app.update(Msg::Key(save), at(1)));
    assert_eq!(act, Act::Note("x".repeat(4_090) + "zzzzzz"));
}

#[test]
fn a_conversation_shows_its_notes_and_earlier_messages() {
    let page = || {
        let mut row = conversations()[0].clone();
        row.messages = 2;
        let mut earlier = snapshot().inbox[0].clone();
        earlier.id = snapshot().inbox[4].id;
        earlier.subject = "I ordered something".into();
        earlier.preview = "Order 4711, when does it come?".into();
        let newest = snapshot().inbox[0].clone();
        let note = Note { n: 1, at: at(-30), who: "anna".into(), text: "Called her, she waits.".into() };
        let message = |row: &aurora::model::MessageRow, text: &str| Entry::Message {
            row: Box::new(row.clone()),
            text: text.into(),
            cut: false,
            elsewhere: false,
        };
        let entries = vec![
            message(&earlier, "Order 4711, when does it come?\nIt is urgent."),
            message(&newest, "Hello"),
            Entry::Note(note),
        ];
        ConversationPage { row, entries, older: None, person: Vec::new() }
    };
    let opened = |size, keys: &str| {
        let mut stage = inbox(size, "").open();
        let id = conversations()[0].id;
        let reply = Reply::Conversation(Some(Box::new(page())));
        stage.app.update(Msg::Reply(Purpose::Conversation(id), Ok(reply)), at(0));
        stage.keys(keys)
    };
    shots("conversation", |size| opened(size, "x"));
    assert!(!opened((80, 24), "").draw().backend().to_string().contains("It is urgent."), "one line of each at first");
    let (act, on) = asked(&opened((80, 24), "").key(KeyCode::Char('a')));
    assert_eq!((act, on), (Act::Ack, vec![conversations()[0].id.into()]), "the whole conversation is taken");
}

#[test]
fn a_thread_of_one_person_names_the_channel_at_each_message_and_acts_on_what_was_opened() {
    let contact = |n: u128, channel: &str, address: &str, name: &str| Contact {
        id: ContactId::from_uuid(uuid::Uuid::from_u128(n)),
        channel: channel.parse().expect("an id"),
        address: address.into(),
        name: name.into(),
        vip: false,
        messages: 1,
        last: None,
        others: Vec::new(),
    };
    let opened = |size| {
        let mut row = conversations()[0].clone();
        row.addresses = 2;
        let newest = snapshot().inbox[0].clone();
        let mut other = newest.clone();
        (other.id, other.channel) = (snapshot().inbox[4].id, "phone".parse().expect("an id"));
        // What comes from outside never reaches the terminal as it is.
        (other.from, other.subject) = ("Ann\u{1b}[2J on mail".into(), "Where is it?\u{7}".into());
        let entry = |row: &aurora::model::MessageRow, elsewhere| Entry::Message {
            row: Box::new(row.clone()),
            text: "Where is it?".into(),
            cut: false,
            elsewhere,
        };
        let entries = vec![entry(&other, true), entry(&newest, false)];
        let person =
            vec![contact(1, "mail", "ann@example.org", "Ann"), contact(2, "phone", "+491700000000", "\u{1b}[31mAnn")];
        let mut stage = inbox(size, "").open();
        let reply = Reply::Conversation(Some(Box::new(ConversationPage { row, entries, older: None, person })));
        stage.app.update(Msg::Reply(Purpose::Conversation(conversations()[0].id), Ok(reply)), at(0));
        stage
    };
    shots("person", opened);
    let (act, on) = asked(&opened((80, 24)).key(KeyCode::Char('a')));
    assert_eq!((act, on), (Act::Ack, vec![conversations()[0].id.into()]), "nothing of another conversation is taken");
}

#[test]
fn a_query_that_cannot_be_read_says_where() {
    let stage = inbox((80, 24), "/late label:");
    let text = stage.draw().backend().to_string();
    assert!(text.contains("column 6"), "{text}");
}

/// Answers what `commands` ask of the views.
fn views(stage: &mut Stage, commands: &[Cmd]) -> Vec<Cmd> {
    let view = |name: &str, query: &str, n, more| SavedView {
        name: name.into(),
        query: query.into(),
        builtin: name == "unread",
        unread: Count { n, more },
    };
    let views = vec![view("unread", "unread", 3, false), view("Late orders", "unread vip label:late", 1_000, true)];
    let asks = |command: &Cmd| match command {
        Cmd::Ask(purpose, Request::Views) => Some(purpose.clone()),
        _ => None,
    };
    let purpose = commands.iter().find_map(asks).expect("asks for the views");
    stage.app.update(Msg::Reply(purpose, Ok(Reply::Views(views))), at(0))
}

#[test]
fn views_are_chosen_with_their_counts_and_narrow_the_list() {
    let picking = |size| {
        let mut stage = inbox(size, "");
        let asked = stage.key(KeyCode::Char('F'));
        views(&mut stage, &asked);
        stage.keys("j")
    };
    shots("views", picking);
    insta::assert_snapshot!("views_delete_80x24", picking((80, 24)).keys("d").draw().backend());
    let mut stage = picking((80, 24));
    let asked = stage.key(KeyCode::Enter);
    let asked = views(&mut stage, &asked);
    let Some(Cmd::Ask(purpose, Request::Conversations { .. })) = asked.first() else { panic!("{asked:?}") };
    let list = ConversationList { rows: conversations()[..1].to_vec(), partly: true };
    stage.app.update(Msg::Reply(purpose.clone(), Ok(Reply::Conversations(list))), at(0));
    let text = stage.draw().backend().to_string();
    assert!(text.contains("Inbox   view Late orders   1 of 1   only the newest with these words"), "{text}");
}

#[test]
fn the_way_of_an_open_message_is_a_tab() {
    let mut stage = inbox((80, 24), "").open();
    let asked = stage.key(KeyCode::Char('t'));
    let [Cmd::Ask(purpose @ Purpose::Trace(_), Request::Trace(_))] = &asked[..] else { panic!("{asked:?}") };
    let mut trace = Trace::default();
    trace.step("received", Some(at(-600)), "on channel standard");
    trace.step("verified", None, "what its signature proves: body+time; before it was stored");
    trace.step("stored", Some(at(-599)), "committed, and then its sender was answered");
    stage.app.update(Msg::Reply(purpose.clone(), Ok(Reply::Trace(Some(Box::new(trace))))), at(0));
    insta::assert_snapshot!("trace_80x24", stage.draw().backend());
    assert_eq!(stage.key(KeyCode::Char('t')), [], "and back to the text");
    assert!(stage.draw().backend().to_string().contains("Could somebody look"));
}

#[test]
fn what_fits_best_is_asked_for_and_said() {
    let mut stage = inbox((80, 24), "/order \r");
    let ranked = |commands: &[Cmd]| match commands {
        [Cmd::Ask(purpose, Request::Search { order, .. })] => (purpose.clone(), *order),
        other => panic!("{other:?}"),
    };
    let (purpose, order) = ranked(&stage.key(KeyCode::Char('o')));
    assert_eq!(order, Order::Best);
    let page = MessagePage { rows: snapshot().inbox[..1].to_vec(), next: Some(4) };
    assert_eq!(stage.app.update(Msg::Reply(purpose, Ok(Reply::Page(page))), at(0)), [], "it is asked for once");
    let text = stage.draw().backend().to_string();
    assert!(text.contains("1+ found   best first, of the newest that match"), "{text}");
    assert_eq!(ranked(&stage.key(KeyCode::Char('o'))).1, Order::Newest);
    assert!(stage.draw().backend().to_string().contains("newest first"));
    assert_eq!(inbox((80, 24), "").key(KeyCode::Char('o')), [], "a list has its own order");
}
