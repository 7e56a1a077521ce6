//! Places, read and written.

use proptest::prelude::*;

use super::known::Known;
use super::place::Place;

fn known() -> Known {
    Known {
        node: "hub-1".into(),
        checks: ["api", "web"].map(|id| id.parse().expect("an id")).to_vec(),
        hosts: ["web-1", "jobs", "panes"].map(|name| name.parse().expect("a name")).to_vec(),
        ..Known::default()
    }
}

fn known_with_others() -> Known {
    let name = |name: &str| name.parse().expect("a name");
    let remote = vec![(name("hub-2"), "web".parse().expect("an id")), (name("hub-2"), "db".parse().expect("an id"))];
    Known { nodes: vec![name("hub-2"), name("log")], remote, ..known() }
}

fn place(line: &str) -> String {
    place_among(line, &known())
}

fn place_among(line: &str, known: &Known) -> String {
    match Place::parse(line, known) {
        Ok(place) => place.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn places_are_read_and_written() {
    for (typed, written) in [
        ("overview", "overview"),
        (" channels  @hub-1", "channels"),
        ("inbox", "inbox"),
        ("inbox from:stripe unread", "inbox unread from:stripe"),
        ("inbox @hub-1 vip", "inbox vip"),
        ("inbox message msg_01a1fbc1535071810000000000000001", "inbox message msg_01a1fbc1535071810000000000000001"),
        ("inbox message in a bottle", "inbox message in a bottle"),
        ("inbox view  Late  orders @hub-1", "inbox view Late orders"),
        ("inbox view VIP", "inbox view vip"),
        ("inbox view", "inbox view"),
        ("inbox \"view\" from above", "inbox \"view\" from above"),
        ("inbox vip view from", "inbox vip view from"),
        ("health", "health"),
        ("health web", "health web"),
        ("health /tls @hub-1", "health /tls"),
        ("health @hub-1 ! /not  ok", "health ! /not ok"),
        ("health !", "health !"),
        ("health /!", "health /!"),
        ("channels !", "channels !"),
        ("nodes !", "nodes !"),
        ("bridge !", "bridge !"),
        ("bridge jobs ! /web-1", "bridge ! jobs /web-1"),
        ("bridge ! panes", "bridge ! panes"),
        ("approvals !", "approvals !"),
        ("activity ! logs", "activity ! logs"),
        ("activity !", "activity ! events"),
        ("inbox !", "inbox unread open"),
        ("inbox ! from:stripe", "inbox unread open from:stripe"),
        ("inbox \"!\" ahead", "inbox \"!\" ahead"),
        ("bridge", "bridge"),
        ("bridge web-1 @hub-1", "bridge web-1"),
        ("bridge jobs", "bridge jobs"),
        ("bridge host jobs", "bridge host jobs"),
        ("bridge /no  road", "bridge /no road"),
        ("bridge jobs /web-1", "bridge jobs /web-1"),
        ("bridge panes", "bridge panes"),
        ("bridge rollouts", "bridge rollouts"),
        ("bridge rollouts /deploy", "bridge rollouts /deploy"),
        ("bridge panes /@web make", "bridge panes /@web make"),
        ("bridge host panes", "bridge host panes"),
        ("pane web-1:0.1", "pane web-1:0.1"),
        ("pane  web-1:my  work:12.0", "pane web-1:my work:12.0"),
        ("bridge job job_01a1fbc1535071810000000000000001", "bridge job job_01a1fbc1535071810000000000000001"),
        ("approvals", "approvals"),
        ("approvals apr_01a1fbc1535071810000000000000001", "approvals apr_01a1fbc1535071810000000000000001"),
        ("activity", "activity events"),
        ("activity audit", "activity audit"),
        ("activity tasks", "activity tasks"),
    ] {
        assert_eq!(place(typed), written, "{typed:?}");
    }
}

#[test]
fn a_node_narrows_every_place_it_shares_something_of() {
    let known = known_with_others();
    for (typed, written) in [
        ("overview @hub-1", "overview"),
        ("overview @hub-2", "nodes hub-2"),
        ("channels @hub-2", "channels @hub-2"),
        ("channels @hub-1", "channels @hub-1"),
        ("channels ! @hub-2", "channels ! @hub-2"),
        ("bridge @hub-2 !", "bridge ! jobs /@hub-2"),
        ("inbox @hub-2 vip", "inbox vip @hub-2"),
        ("inbox @hub-1 vip", "inbox vip"),
        ("health @hub-2", "health /@hub-2"),
        ("health @hub-2 ! /not  ok", "health ! /not ok @hub-2"),
        ("health db @hub-2", "health db @hub-2"),
        ("health @hub-1 web", "health web"),
        ("health /tls @hub-1", "health /tls @hub-1"),
        ("bridge jobs @hub-2", "bridge jobs /@hub-2"),
        ("bridge web-1 @hub-1", "bridge web-1"),
        ("bridge @hub-1", "bridge"),
        ("bridge @hub-2", "bridge jobs /@hub-2"),
        ("bridge panes @hub-1 /make", "bridge panes /make"),
        ("nodes", "nodes"),
        ("nodes hub-2", "nodes hub-2"),
        ("nodes @hub-2", "nodes hub-2"),
        ("nodes topology", "nodes topology"),
        ("nodes log", "nodes log"),
        ("nodes log @hub-2", "nodes hub-2"),
        ("nodes node log", "nodes node log"),
        ("nodes hub-1", "nodes hub-1"),
    ] {
        let found = place_among(typed, &known);
        assert_eq!(found, written, "{typed:?}");
        assert_eq!(place_among(&found, &known), written, "{typed:?} again");
    }
    for (typed, said) in [
        ("health @hub-3", "column 8: no node is called `hub-3`; did you mean `@hub-2`?"),
        ("health @hub-1 @hub-2", "column 15: one node at a time"),
        ("health api @hub-2", "column 8: no check of hub-2 is called `api`; `health /api` lists those that match"),
        ("activity logs @hub-2", "column 15: hub-2 does not share this; `nodes hub-2` shows what it does"),
        ("bridge panes @hub-2", "column 14: hub-2 does not share this; `nodes hub-2` shows what it does"),
        ("bridge web-1 @hub-2", "column 14: hub-2 does not share this; `nodes hub-2` shows what it does"),
        ("approvals @hub-2", "column 11: hub-2 does not share this; `nodes hub-2` shows what it does"),
        ("inbox view vip @hub-2", "column 16: a view lists what is in this node's store"),
    ] {
        assert_eq!(place_among(typed, &known), said, "{typed:?}");
    }
}

#[test]
fn mistakes_have_a_column_and_a_suggestion() {
    for (typed, said) in [
        ("", "column 1: the places are overview, channels, inbox, nodes, health, bridge, approvals, activity, pane"),
        ("  helth", "column 3: no place is called `helth`; did you mean `health`?"),
        ("health /tls @hub-2", "column 13: no node is called `hub-2`; the only one known here is `@hub-1`"),
        ("inbox vip @hub-2", "column 11: no node is called `hub-2`; the only one known here is `@hub-1`"),
        ("health wbe", "column 8: no check is called `wbe`; did you mean `web`? `health /wbe` lists those that match"),
        ("health web api", "column 12: one check at a time; `/TEXT` lists those that match"),
        ("activity task", "column 10: no list is called `task`; did you mean `tasks`?"),
        ("inbox view a:b", "column 12: the name of a view has 1 to 32 letters, digits, blanks and . _ -"),
        ("overview now", "column 10: nothing follows `overview`"),
        ("overview !", "column 10: `!` leaves out what is ok of a list; this is none"),
        ("health ! web", "column 8: `!` leaves out what is ok of a list; this is none"),
        ("nodes log !", "column 11: `!` leaves out what is ok of a list; this is none"),
        ("inbox ! view late", "column 9: `!` narrows what a query asks for"),
        (
            "bridge wbe-1",
            "column 8: no host is called `wbe-1`; did you mean `web-1`? `bridge /wbe-1` lists those that match",
        ),
        ("pane", "column 1: `pane` needs the name of one, as web-1:0.1; `bridge panes` lists them"),
        (
            "pane wbe-1:0.1",
            "column 6: no host is called `wbe-1`; did you mean `web-1`? `bridge /wbe-1` lists those that match",
        ),
        ("bridge job", "column 8: `bridge job` needs the id of a job"),
        ("bridge web-1 now", "column 14: nothing follows the name of a host"),
        ("bridge jobs now", "column 13: `/TEXT` lists jobs that match; `bridge job ID` shows one"),
        ("nodes hub-2", "column 7: no node is called `hub-2`; the only one known here is `@hub-1`"),
        ("nodes topology now", "column 16: nothing follows the name of a node"),
    ] {
        assert_eq!(place(typed), said, "{typed:?}");
    }
    assert!(place("inbox  form:x").starts_with("column 8: no condition is called `form:`; did you mean `from:`?"));
    assert!(place("inbox message msg_1").starts_with("column 15: "), "{}", place("inbox message msg_1"));
}

proptest! {
    #[test]
    fn what_is_written_reads_as_the_same_place(line in "(inbox|health|bridge|approvals|activity|overview|channels|nodes|pane)( (vip|hub-2|@hub-2|web-1:0.1|panes|unread|view|!|/[a-z]{1,4}|web|web-1|jobs|@hub-1|from:[a-z]{1,5}|[a-z é]{1,6}|tasks)){0,4}") {
        for known in [known(), known_with_others()] {
            if let Ok(place) = Place::parse(&line, &known) {
                prop_assert_eq!(Place::parse(&place.to_string(), &known), Ok(place));
            }
        }
    }

    #[test]
    fn whatever_is_typed_has_its_mistake_inside_the_line(line in "(inbox |health |bridge |approvals |activity )?.{0,40}") {
        if let Err(error) = Place::parse(&line, &known()) {
            prop_assert!(error.column >= 1 && error.column <= line.chars().count() + 2, "{}", error);
        }
    }
}
