//! Another configuration while nodes know each other: what is shared, who is known, and where is listened change at once;
//! everything else goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use aurora::model::{NodeState, Trust};
use aurora::protocol::{Reply, Request, Snapshot};

use super::{Hub, within};
use crate::support::free_port;

/// Everything a busy machine may take for what is seconds otherwise.
const LONG: Duration = Duration::from_secs(90);

impl Hub {
    /// Writes its configuration again, as editors do, with this change.
    fn edit(&self, change: impl FnOnce(String) -> String) {
        let file = self.site.path().join("config.toml");
        let text = std::fs::read_to_string(&file).expect("reads");
        let fresh = self.site.path().join("config.toml.new");
        std::fs::write(&fresh, change(text)).expect("writes");
        std::fs::rename(fresh, file).expect("renames");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.site.path().join("serve.log")).expect("a log")
    }
}

fn snapshot(hub: &Hub) -> Box<Snapshot> {
    match hub.ask(Request::Snapshot) {
        Ok(Reply::Snapshot(snapshot)) => snapshot,
        other => panic!("{}: {other:?}", hub.name),
    }
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// One question on a connection that stays open.
fn health(open: &mut TcpStream) -> String {
    open.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").expect("writes");
    let mut answer = [0; 1024];
    let count = open.read(&mut answer).expect("reads");
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

#[test]
fn what_is_shared_changes_at_once_and_is_taken_back() {
    let (one, two) = (Hub::new("hub-1", ""), Hub::new("hub-2", "[federation]\nshare = [\"counts\"]\n"));
    two.joins(&one, Trust::Report);
    within(LONG, "its counts", || !one.remote(&two).counts.is_empty());
    let door = two.door;
    let mut open = TcpStream::connect(("127.0.0.1", door)).expect("connects");
    assert!(health(&mut open).contains("hub-2"));
    assert!(one.remote(&two).tasks.is_empty());

    two.edit(|text| text.replace("share = [\"counts\"]", "share = [\"counts\", \"tasks\"]"));
    within(LONG, "its tasks, too", || !one.remote(&two).tasks.is_empty());
    assert!(health(&mut open).contains("hub-2"), "a listener that stays keeps its connections");
    let began = two.panel().me.expect("it takes part").started;

    two.edit(|text| text.replace("share = [\"counts\", \"tasks\"]", "share = [\"counts\"]\nrelay = \"no\""));
    within(LONG, "a mistake is refused", || two.log().contains("is not in force"));
    assert!(!one.remote(&two).tasks.is_empty(), "and changes nothing");
    two.edit(|text| text.replace("\nrelay = \"no\"", "\nmessages_when = 'channel is known'"));
    within(LONG, "they are taken back", || one.remote(&two).tasks.is_empty());
    two.deliver("fresh");
    within(LONG, "messages are shared from now on", || one.remote(&two).messages.len() == 1);
    assert_eq!(two.panel().me.expect("it takes part").started, began);
    assert!(two.log().contains("federation.share: ") && !two.log().contains("at the next start"), "{}", two.log());

    // The others know it by its name: another one waits, and that is said.
    two.edit(|text| text.replace("name = \"hub-2\"", "name = \"hub-9\""));
    let late = "node.name: hub-2 -> hub-9 (takes effect at the next start)";
    within(LONG, "the name waits", || two.log().contains(late));
    within(LONG, "screens hear of the reload", || snapshot(&two).config.last_change == [late]);
    assert_eq!(snapshot(&two).node, "hub-2");
}

#[test]
fn named_nodes_come_change_and_go_and_the_listener_moves() {
    let (one, two) = (Hub::new("hub-1", ""), Hub::new("hub-2", ""));
    let key = |hub: &Hub| hub.panel().me.expect("it takes part").keys[0].to_string();
    let named = |trust: &str, port: u16| {
        let key = key(&two);
        format!(
            "[[nodes]]\nname = \"hub-2\"\nurl = \"http://127.0.0.1:{port}\"\nkey = \"{key}\"\ntrust = \"{trust}\"\n"
        )
    };
    two.site.ok(&["node", "add", "hub-1", &format!("http://127.0.0.1:{}", one.line.port), &key(&one)]);
    let before = std::fs::read_to_string(one.site.path().join("config.toml")).expect("reads");
    one.edit(|text| text + &named("report", two.line.port));
    within(LONG, "it is known and alive", || one.sees(&two) == Some(NodeState::Alive));
    within(LONG, "and what it shares", || !one.remote(&two).counts.is_empty());

    let seen = one.panel().node("hub-2").expect("it is known").started;
    one.edit(|_| before.clone() + &named("observe", two.line.port));
    let trust = || one.panel().node("hub-2").map(|node| node.trust);
    within(LONG, "it may do less", || trust() == Some(Trust::Observe));
    assert_eq!(one.panel().node("hub-2").map(|node| (node.state, node.started)), Some((NodeState::Alive, seen)));
    // What the file says is changed in the file: what an order changed would be undone by the next start.
    let refused = one.site.aurora(&["node", "trust", "hub-2", "command"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("change its [[nodes]] there"), "{why}");
    one.edit(|text| text.replace("enabled = true", "enabled = true\nallow_query_token = true"));
    within(LONG, "it is read", || one.log().contains("federation.allow_query_token: false -> true"));
    assert_eq!(trust(), Some(Trust::Observe));

    // The listener of the other one moves; its address is written here anew.
    let (old, new) = (two.door, free_port());
    two.edit(|text| {
        text.replace(&format!("federation = \"127.0.0.1:{old}\""), &format!("federation = \"127.0.0.1:{new}\""))
    });
    within(LONG, "it listens there", || answers(new) && !answers(old));
    one.edit(|_| before.clone() + &named("report", new));
    let url = format!("http://127.0.0.1:{new}");
    within(LONG, "it is asked there", || {
        let panel = one.panel();
        let node = panel.node("hub-2").expect("it is known");
        node.url.as_ref() == Some(&url) && node.state == NodeState::Alive && node.rtt.is_some()
    });

    one.edit(|_| before.clone());
    within(LONG, "it is known no more", || one.panel().node("hub-2").is_none());
    within(LONG, "and refused", || two.sees(&one) != Some(NodeState::Alive));
    assert!(!one.log().contains("at the next start"), "{}", one.log());
}
