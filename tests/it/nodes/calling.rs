//! A node without an address, as behind NAT: it calls, and what others want of it goes the other way round. And what an
//! engine leaves behind that is stopped while others wait for it.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use aurora::model::{NodeState, Trust};
use aurora::protocol::{NodeOrder, NodeReply, NodeRequest, Reply, Request};

use super::{Hub, within};

/// Everything a busy machine may take for what is seconds otherwise.
const LONG: Duration = Duration::from_secs(90);

const MESSAGES: &str = "[federation]\nshare = [\"counts\"]\nmessages_when = 'channel is known'\n";

fn is_held(at: &Hub, of: &Hub) -> bool {
    let high = of.panel().me.map_or(0, |me| me.high);
    high > 0 && at.held(of) == (high, high)
}

#[test]
fn what_a_node_without_an_address_shares_is_fetched_and_relayed_and_orders_reach_it() {
    let (one, two) = (Hub::new("hub-1", MESSAGES), Hub::new("hub-2", ""));
    let mut leaf = Hub::reached("leaf", MESSAGES, false);
    leaf.joins(&one, Trust::Report);
    two.joins(&one, Trust::Report);
    within(LONG, "all are alive", || {
        one.sees(&leaf) == Some(NodeState::Alive) && leaf.sees(&one) == Some(NodeState::Alive)
    });
    assert_eq!(one.panel().node("leaf").and_then(|node| node.url.clone()), None);
    leaf.deliver("first");
    within(LONG, "its message", || one.remote(&leaf).messages.len() == 1);
    within(LONG, "its message over a relay", || two.remote(&leaf).messages.len() == 1);
    one.deliver("there");
    within(LONG, "and the other way", || leaf.remote(&one).messages.len() == 1);

    let order = || {
        let order = NodeOrder::RestartTask("checks".into());
        one.ask(Request::Node(NodeRequest::On { node: "leaf".parse().expect("a name"), order }))
    };
    let refused = order().expect_err("it has the trust report").to_string();
    assert!(refused.contains("command"), "{refused}");
    leaf.node(NodeRequest::Trust { name: "hub-1".parse().expect("a name"), trust: Trust::Command });
    assert!(matches!(order(), Ok(Reply::Node(NodeReply::Done))));

    one.line.stall(true);
    for number in 0..30 {
        leaf.deliver(&format!("meanwhile-{number}"));
    }
    one.line.cut();
    one.line.stall(false);
    within(LONG, "it is caught up with", || one.remote(&leaf).messages.len() == 31 && is_held(&one, &leaf));

    leaf.site.kill();
    within(LONG, "it is gone", || one.sees(&leaf) == Some(NodeState::Down));
    leaf.site.serve();
    leaf.deliver("back");
    within(LONG, "it is back", || one.sees(&leaf) == Some(NodeState::Alive));
    within(LONG, "and what it shares", || one.remote(&leaf).messages.len() == 32 && is_held(&two, &leaf));
    assert_eq!(one.panel().node("leaf").map(|node| node.missing), Some(0));
}

#[test]
fn a_stop_while_others_wait_leaves_nothing_beside_the_database() {
    let (one, mut two) = (Hub::new("hub-1", MESSAGES), Hub::new("hub-2", MESSAGES));
    two.joins(&one, Trust::Report);
    two.deliver("first");
    within(LONG, "the other one has it, and waits for more", || one.remote(&two).messages.len() == 1);
    // Whoever never comes to the end of a question holds its connection longer than the listener waits.
    let mut slow = TcpStream::connect(two.site.address()).expect("connects");
    slow.write_all(b"POST /hooks/standard HTTP/1.1\r\n").expect("writes");
    let mut asking = TcpStream::connect(("127.0.0.1", two.line.port)).expect("connects");
    asking.write_all(b"GET /health HTTP/1.1\r\n").expect("writes");
    assert!(two.site.stop());
    let beside = two.site.path().join("state/aurora.db-wal");
    let left = std::fs::metadata(&beside).map_or(0, |file| file.len());
    assert_eq!(left, 0, "{}", beside.display());
    two.site.serve();
    assert_eq!(two.site.events("standard"), 1);
}
