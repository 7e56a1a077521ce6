//! Peers that lie, trickle and replay, and keys that change: what a whole engine makes of them, and that the other nodes
//! go on undisturbed meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use aurora::model::{NodeName, NodeState, Trust};
use aurora::protocol::NodeRequest;
use serde_json::Value;

use super::peer::{Lie, Peer};
use super::{DETECTION, Hub, within};
use crate::proxy::{Kept, Proxy};
use crate::support::{Screen, send};

/// Everything a busy machine may take for what is seconds otherwise.
const LONG: Duration = Duration::from_secs(90);

impl Hub {
    fn called(&self) -> NodeName {
        self.name.parse().expect("a name")
    }

    /// The row of `name` in `aurora node list`.
    fn row(&self, name: &str) -> Option<Value> {
        let rows = self.site.json(&["node", "list"]);
        rows.as_array().expect("rows").iter().find(|row| row["name"] == name).cloned()
    }

    fn field(&self, name: &str, field: &str) -> String {
        let row = self.row(name).unwrap_or_default();
        row[field].as_str().unwrap_or_default().to_owned()
    }

    fn own_key(&self) -> aurora::model::NodeKey {
        self.panel().me.expect("it takes part").keys[0]
    }

    /// A node of the test's own that both know of each other.
    fn befriends(&self, name: &str) -> Peer {
        let url = format!("http://127.0.0.1:{}", self.line.port);
        let peer = Peer::new(name, &self.called(), self.own_key(), &url);
        self.site.ok(&["node", "add", name, &peer.url, &peer.key().to_string()]);
        within(LONG, "it is alive", || self.field(name, "state") == "alive");
        peer
    }

    /// How many incidents of `name` are known here.
    fn incidents(&self, name: &str) -> usize {
        let panel = self.panel();
        panel.remote(name).map_or(0, |remote| remote.incidents.len())
    }

    fn deliver_and_see(&self, at: &Hub, id: &str) {
        let before = at.remote(self).messages.len();
        self.deliver(id);
        within(LONG, "others go on undisturbed", || at.remote(self).messages.len() == before + 1);
    }
}

const MESSAGES: &str = "[federation]\nshare = [\"counts\"]\nmessages_when = 'channel is known'\n";

/// Two engines that know each other.
fn pair() -> (Hub, Hub) {
    let (one, two) = (Hub::new("hub-1", ""), Hub::new("hub-2", MESSAGES));
    two.joins(&one, Trust::Report);
    within(LONG, "both are alive", || {
        one.sees(&two) == Some(NodeState::Alive) && two.sees(&one) == Some(NodeState::Alive)
    });
    (one, two)
}

/// The heartbeats that were asked on a line, byte by byte.
fn heartbeats(line: &Proxy) -> Vec<Vec<u8>> {
    let whole = |kept: Kept| -> Vec<Vec<u8>> {
        let text = String::from_utf8_lossy(&kept.bytes).into_owned();
        let starts: Vec<usize> = text.match_indices("POST /fed/v1/heartbeat HTTP/1.1\r\n").map(|(at, _)| at).collect();
        let one = |start: &usize| {
            let rest = &text[*start..];
            let (head, body) = rest.split_once("\r\n\r\n")?;
            let length = head.to_lowercase().split_once("content-length: ")?.1.lines().next()?.parse::<usize>().ok()?;
            let body = body.get(..length)?;
            let head = format!("{head}\r\nconnection: close");
            Some(format!("{head}\r\n\r\n{body}").into_bytes())
        };
        starts.iter().filter_map(one).collect()
    };
    line.kept().into_iter().filter(|kept| kept.is_question).flat_map(whole).collect()
}

/// The statuses of the answers that came over a line.
fn statuses(line: &Proxy) -> Vec<u16> {
    let answers = line.kept().into_iter().filter(|kept| !kept.is_question);
    let of = |kept: Kept| -> Vec<u16> {
        let text = String::from_utf8_lossy(&kept.bytes).into_owned();
        text.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
    };
    answers.flat_map(of).collect()
}

#[test]
fn forged_and_replayed_heartbeats_are_refused_and_change_nothing() {
    let (one, two) = pair();
    let stranger = Peer::new("hub-9", &one.called(), one.own_key(), "http://127.0.0.1:9");
    one.line.keep();
    within(LONG, "a heartbeat passes", || !heartbeats(&one.line).is_empty() && statuses(&one.line).contains(&200));
    let recorded = heartbeats(&one.line).swap_remove(0);
    let door = SocketAddr::from(([127, 0, 0, 1], one.line.port));
    let answered = |bytes: &[u8]| send(door, bytes).expect("an answer");

    let again = answered(&recorded);
    assert_eq!(again.status, 403);
    assert!(again.body.contains("it came before"), "{}", again.body);
    let text = String::from_utf8(recorded).expect("text");
    let altered = answered(text.replace("\"leaving\":false", "\"leaving\":true ").as_bytes());
    assert!(matches!(altered.status, 401 | 403), "{altered:?}");
    let moved = answered(text.replace("POST /fed/v1/heartbeat", "POST /fed/v1/act").as_bytes());
    assert_eq!(moved.status, 401);
    assert!(!moved.body.contains("hub-"), "who proves nothing is told nothing: {}", moved.body);
    let forged = answered(&stranger.forged(&two.called(), &one.called()));
    assert_eq!(forged.status, 401);

    assert_eq!(one.sees(&two), Some(NodeState::Alive), "it has not left");
    two.deliver_and_see(&one, "after");
    let log = std::fs::read_to_string(one.site.path().join("serve.log")).expect("a log");
    assert!(log.contains("a question of a node is refused") && log.contains("it came before"), "{log}");
}

#[test]
fn a_peer_that_renumbers_its_log_is_quarantined_with_the_reason_on_the_screen() {
    let (one, two) = pair();
    let liar = one.befriends("liar");
    for number in 0..3 {
        liar.says(&format!("true-{number}"), Lie::None);
    }
    within(LONG, "what it says", || one.incidents("liar") == 3);
    let mut screen = Screen::start(&one.site, &[], (120, 40));
    screen.shows("Overview");

    liar.rewrites();
    within(LONG, "it is quarantined", || one.field("liar", "state") == "quarantined");
    let why = "entry 4 of the log of liar does not follow the one before";
    assert_eq!(one.field("liar", "why"), why);
    assert!(one.site.ok(&["node", "list"]).contains(why));
    screen.keys("4");
    screen.shows("⊘ quarantined");
    screen.keys("j");
    screen.shows(why);
    two.deliver_and_see(&one, "meanwhile");
    assert_eq!(one.sees(&two), Some(NodeState::Alive));
    assert!(!one.panel().news.iter().any(|line| line.about.contains("other-")), "nothing of it is taken over");

    // An operator lets it go on; it lies again, and is found out again.
    one.site.ok(&["node", "trust", "liar", "report"]);
    within(LONG, "it is found out again", || one.field("liar", "state") == "quarantined");
}

#[test]
fn pages_with_wrong_numbers_or_too_much_in_them_are_of_no_use_and_the_reason_is_shown() {
    let (one, two) = pair();
    let liar = one.befriends("liar");
    liar.says("first", Lie::None);
    within(LONG, "what it says", || one.incidents("liar") == 1);
    for (lie, why) in [
        (Lie::Skips, "its entries are not those after 1 in order"),
        (Lie::BoastsHigh, "it says that it goes from 1 to 0 and holds others"),
        (Lie::TooMany, "it is not what was asked for"),
        (Lie::TooLong, "it is longer than"),
    ] {
        liar.says("second", lie);
        within(LONG, why, || one.field("liar", "why").contains(why));
        assert_eq!((one.field("liar", "state").as_str(), one.incidents("liar")), ("alive", 1), "{lie:?}");
        two.deliver_and_see(&one, &format!("{lie:?}"));
        liar.takes_back();
    }
    let mut screen = Screen::start(&one.site, &[], (120, 40));
    screen.shows("Overview");
    screen.keys("4");
    screen.shows("✓ alive         liar");
    screen.keys("j");
    screen.shows(&format!("127.0.0.1:{}", two.line.port));
    screen.keys("j");
    screen.shows("it is longer than");
    liar.says("second", Lie::None);
    within(LONG, "it is believed again", || {
        one.incidents("liar") == 2 && one.field("liar", "why") == "its heartbeats come"
    });
}

#[test]
fn a_peer_that_trickles_is_given_up_and_others_go_on_undisturbed() {
    let (one, two) = (Hub::new("hub-1", ""), Hub::new("hub-2", MESSAGES));
    let three = Hub::new("hub-3", MESSAGES);
    two.joins(&one, Trust::Report);
    three.joins(&one, Trust::Report);
    two.deliver_and_see(&one, "before");
    three.deliver_and_see(&one, "before");
    two.line.trickle(true);
    two.deliver("late");
    three.deliver_and_see(&one, "meanwhile");
    within(LONG, "its log is behind, and says why", || one.field("hub-2", "why").contains("did not answer in time"));
    assert_eq!(one.sees(&two), Some(NodeState::Alive), "its own heartbeats come");
    assert_eq!(one.remote(&two).messages.len(), 1);
    three.deliver_and_see(&one, "still");
    two.line.trickle(false);
    within(LONG, "it catches up", || one.remote(&two).messages.len() == 2);
    assert_eq!(one.sees(&three), Some(NodeState::Alive));
}

#[test]
fn keys_are_changed_without_one_refused_heartbeat_and_a_node_that_is_removed_is_refused() {
    let (one, mut two) = pair();
    one.line.keep();
    two.line.keep();
    let old = two.own_key().fingerprint();
    assert!(two.site.ok(&["node", "rotate"]).contains("new key"));
    let new = two.own_key().fingerprint();
    assert_ne!(new, old);
    let known = |hub: &Hub, name: &str| {
        let row = hub.row(name).unwrap_or_default();
        let prints = row["fingerprints"].as_array().cloned().unwrap_or_default();
        prints.first().and_then(Value::as_str).map(str::to_owned)
    };
    within(DETECTION, "both show the new one", || {
        known(&one, "hub-2").as_ref() == Some(&new) && known(&two, "hub-2").as_ref() == Some(&new)
    });
    one.site.ok(&["node", "rotate"]);
    let news = one.own_key().fingerprint();
    within(DETECTION, "and that of the other one", || known(&two, "hub-1").as_ref() == Some(&news));
    // A process that starts anew in the middle has both keys again.
    assert!(two.site.stop());
    two.site.serve();
    let (before, earlier) = (heartbeats(&one.line).len(), heartbeats(&two.line).len());
    within(LONG, "heartbeats go on both ways", || {
        heartbeats(&one.line).len() > before + 2 && heartbeats(&two.line).len() > earlier + 2
    });
    let refused = |line: &Proxy| statuses(line).into_iter().filter(|status| *status >= 400).collect::<Vec<_>>();
    assert_eq!((refused(&one.line), refused(&two.line)), (Vec::new(), Vec::new()));
    two.deliver_and_see(&one, "after");

    one.site.ok(&["node", "remove", "hub-2"]);
    // What was on its way may still have been let in.
    within(LONG, "it is refused", || statuses(&one.line).contains(&401));
    one.line.keep();
    within(LONG, "it goes on knocking", || statuses(&one.line).len() > 2);
    assert!(statuses(&one.line).iter().all(|status| *status == 401), "{:?}", statuses(&one.line));
    within(LONG, "it is told why", || two.field("hub-1", "why").contains("does not know this node by its key"));
    assert_eq!(one.row("hub-2"), None);
    let token = match one.node(NodeRequest::Invite { trust: Trust::Report }) {
        aurora::protocol::NodeReply::Invited(invitation) => invitation.token,
        other => panic!("{other:?}"),
    };
    two.site.ok(&["node", "join", &token]);
    within(LONG, "it is let in again", || one.sees(&two) == Some(NodeState::Alive));
}
