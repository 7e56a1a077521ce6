//! What several nodes see of one target, and who of them tells of it.

use std::net::TcpListener;
use std::time::Duration;

use aurora::federation::order_of;
use aurora::model::{CheckPanel, CheckState, NodeName, NodeState, Trust};
use aurora::protocol::{Reply, Request};

use super::{DETECTION, Hub, PATIENCE, within};

/// A door that is open until it is shut. What two nodes look at is a door for each, so that one may reach it and the other
/// not.
struct Target {
    port: u16,
    open: Option<TcpListener>,
}

impl Target {
    fn new() -> Self {
        let open = TcpListener::bind("127.0.0.1:0").expect("binds");
        Self { port: open.local_addr().expect("an address").port(), open: Some(open) }
    }

    fn shut(&mut self) {
        self.open = None;
    }

    fn open(&mut self) {
        self.open = Some(TcpListener::bind(("127.0.0.1", self.port)).expect("binds again"));
    }

    /// A check of it called `id`, looked at every second, with this line besides.
    fn check(&self, id: &str, more: &str) -> String {
        format!(
            "[[checks]]\nid = \"{id}\"\ntype = \"tcp\"\nhost = \"127.0.0.1\"\nport = {}\ninterval = \"1s\"\n\
             timeout = \"500ms\"\nalert = {{ fail = 1, ok = 1 }}\n{more}\n",
            self.port
        )
    }
}

const BOTH: &str = "vantage = { nodes = [\"hub-1\", \"hub-2\"], need = 2 }";

/// Two nodes that know each other, and look at a door each under one name.
fn two_that_look() -> (Hub, Hub, [Target; 2]) {
    let targets = [Target::new(), Target::new()];
    let one = Hub::new("hub-1", &targets[0].check("door", BOTH));
    let two = Hub::new("hub-2", &targets[1].check("door", BOTH));
    two.joins(&one, Trust::Report);
    let heard = |hub: &Hub| {
        let sights = own(hub).sights.expect("several look at it");
        sights.seen.iter().all(|sight| sight.state == Some(CheckState::Ok))
    };
    within(PATIENCE, "each hears what the other sees", || heard(&one) && heard(&two));
    (one, two, targets)
}

/// The check `door` as a node judges it.
fn own(hub: &Hub) -> CheckPanel {
    let Ok(Reply::Snapshot(snapshot)) = hub.ask(Request::Snapshot) else { panic!("no snapshot") };
    snapshot.checks.into_iter().find(|check| check.id.as_str() == "door").expect("it is watched")
}

fn stands(hub: &Hub) -> CheckState {
    own(hub).state
}

/// Who has told of `subject`, as `hub` knows.
fn told(hub: &Hub, subject: &str) -> Vec<NodeName> {
    let about = format!("told {subject}");
    hub.panel().news.into_iter().filter(|line| line.about == about).map(|line| line.node).collect()
}

#[test]
fn what_one_of_two_sees_down_is_a_warning_and_what_both_do_is_critical() {
    let (one, mut two, mut targets) = two_that_look();
    targets[0].shut();
    let partial = |hub: &Hub| {
        let check = own(hub);
        assert_ne!(check.state, CheckState::Critical, "{}: {:?}", hub.name, check.cause);
        let why = check.cause.unwrap_or_default();
        check.state == CheckState::Warn && why.contains("down from 1 of 2: hub-1, not from hub-2; 2 are needed")
    };
    within(PATIENCE, "both call it partial", || partial(&one) && partial(&two));
    // How the other stands is what both have judged; its vote is its own sight.
    within(PATIENCE, "the judgement of the other", || one.check(&two, "door") == Some(CheckState::Warn));
    let votes = |hub: &Hub, other: &Hub| hub.remote(other).checks.iter().find_map(|check| check.sights.clone());
    within(PATIENCE, "votes are not judgements", || {
        votes(&two, &one).is_some_and(|vote| vote.own == CheckState::Critical && vote.seen.is_empty())
            && votes(&one, &two).is_some_and(|vote| vote.own == CheckState::Ok)
    });
    assert!(told(&one, "door").is_empty() && told(&two, "door").is_empty(), "of a warning nobody is told");

    targets[1].shut();
    within(PATIENCE, "both call it critical", || {
        stands(&one) == CheckState::Critical && stands(&two) == CheckState::Critical
    });
    targets[1].open();
    within(PATIENCE, "one sees it down again", || stands(&one) == CheckState::Warn && stands(&two) == CheckState::Warn);

    // Who goes away neither hides an outage nor makes one.
    assert!(two.site.stop());
    within(DETECTION, "it left", || one.sees(&two) == Some(NodeState::Left));
    within(PATIENCE, "whoever is left decides", || stands(&one) == CheckState::Critical);
    assert!(own(&one).cause.is_some_and(|why| why.contains("hub-2 cannot say")));
    two.site.serve();
    within(DETECTION, "it is back and counts", || stands(&one) == CheckState::Warn);
}

#[test]
fn what_two_nodes_see_is_told_once() {
    let (one, two, mut targets) = two_that_look();
    targets.iter_mut().for_each(Target::shut);
    within(PATIENCE, "both call it critical", || {
        stands(&one) == CheckState::Critical && stands(&two) == CheckState::Critical
    });
    within(PATIENCE, "both know who told", || !told(&one, "door").is_empty() && !told(&two, "door").is_empty());
    let names: Vec<NodeName> = ["hub-1", "hub-2"].map(|name| name.parse().expect("a name")).into();
    let owner = order_of("door", &names)[0].clone();
    // Whoever is second would tell ten seconds after it began.
    std::thread::sleep(Duration::from_secs(13));
    assert_eq!((told(&one, "door"), told(&two, "door")), (vec![owner.clone()], vec![owner]));
}

#[test]
fn when_the_owner_is_gone_another_tells_and_the_owner_does_not_tell_again() {
    let names: Vec<NodeName> = ["hub-1", "hub-2"].map(|name| name.parse().expect("a name")).into();
    let owned = |id: &String| order_of(&format!("hub-1 {id}"), &names)[0].as_str() == "hub-2";
    let id = (0..1_000).map(|number| format!("door-{number}")).find(owned).expect("one of them");
    let mut target = Target::new();
    let one = Hub::new("hub-1", &target.check(&id, ""));
    let mut two = Hub::new("hub-2", "");
    two.joins(&one, Trust::Report);
    within(PATIENCE, "the check of the other", || two.check(&one, &id) == Some(CheckState::Ok));
    within(PATIENCE, "both are alive", || one.sees(&two) == Some(NodeState::Alive));
    two.site.kill();
    target.shut();
    within(DETECTION, "the other one tells", || told(&one, &id) == [names[0].clone()]);
    two.site.serve();
    within(DETECTION, "the owner hears of both at once", || told(&two, &id) == [names[0].clone()]);
    within(DETECTION, "and has all of it", || {
        let high = one.panel().me.map_or(0, |me| me.high);
        high > 0 && two.held(&one) == (high, high)
    });
    let incidents = two.remote(&one).incidents;
    let known = incidents.iter().find(|incident| incident.subject == id).expect("the incident");
    assert_eq!(known.told_by, Some(names[0].clone()));
    assert_eq!((told(&one, &id).len(), told(&two, &id).len()), (1, 1));
}
