//! What is wrong with other nodes, and what they say is wrong there.

use jiff::{SignedDuration, Timestamp};

use crate::model::{NodePanel, NodeState, age};

use super::{Need, NodesPanel, RemoteIncident, Severity, Trouble};

/// How long a node may be unknown before somebody has to look: it has just been added until then.
const UNHEARD: SignedDuration = SignedDuration::from_mins(2);
/// From this difference of clocks on, in milliseconds, times of the other node mislead.
const SKEWED: i64 = 2_000;

/// Everything that is not as it should be, in no order.
pub(super) fn troubles(nodes: &NodesPanel, now: Timestamp) -> Vec<Trouble> {
    let isolated = nodes.me.iter().find(|me| me.state == NodeState::IsolatedSelf);
    let alone = isolated.map(|me| {
        let what = format!("this node hears no other one ({}){}", age(me.since, now), cause(me));
        let next = "look at this machine's own network; nothing is known of the others until one is heard";
        Trouble::new(Need::Node(me.name.clone()), me.since, Severity::Crit, what, next)
    });
    // Whoever hears nobody cannot say who is down.
    let others = nodes.nodes.iter().filter(|_| isolated.is_none()).filter_map(|node| standing(node, now));
    let there = nodes.shared().flat_map(|(node, remote)| {
        let open = remote.incidents.iter().filter(|incident| !incident.is_over());
        open.map(|incident| incident_of(node, incident, now))
    });
    alone.into_iter().chain(others).chain(there).collect()
}

fn cause(node: &NodePanel) -> String {
    node.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default()
}

fn standing(node: &NodePanel, now: Timestamp) -> Option<Trouble> {
    let name = &node.name;
    let since = age(node.since, now);
    let (severity, what, next) = match node.state {
        NodeState::Down => (
            Severity::Crit,
            format!("node {name} is down ({since}){}", cause(node)),
            "look at its machine; it catches up by itself when it is back".to_owned(),
        ),
        NodeState::Quarantined => (
            Severity::Crit,
            format!("node {name} is quarantined ({since}){}", cause(node)),
            format!("find out what happened there, then `aurora node trust {name} LEVEL` ends it"),
        ),
        NodeState::Unknown if now.duration_since(node.since) > UNHEARD => (
            Severity::Warn,
            format!("node {name} was never heard ({since}){}", cause(node)),
            "is it started, and does it know this node?".to_owned(),
        ),
        NodeState::Alive | NodeState::Suspect => {
            let skew = node.skew_ms.filter(|skew| skew.abs() > SKEWED)?;
            let (seconds, way) = (skew.abs() / 1_000, if skew > 0 { "ahead of" } else { "behind" });
            let what = format!("the clock of node {name} is {seconds}s {way} ours");
            (Severity::Warn, what, "let both follow a time server; from 5m on it is refused".to_owned())
        }
        NodeState::Unknown | NodeState::Left | NodeState::IsolatedSelf => return None,
    };
    Some(Trouble::new(Need::Node(name.clone()), node.since, severity, what, next))
}

fn incident_of(node: &NodePanel, incident: &RemoteIncident, now: Timestamp) -> Trouble {
    let (name, subject) = (&node.name, &incident.subject);
    let old = node.old_since();
    let severity = match incident.state.as_str() {
        // It is the node that somebody has to look at.
        _ if old.is_some() => Severity::Info,
        "critical" => Severity::Crit,
        "warn" | "stale" => Severity::Warn,
        _ => Severity::Info,
    };
    let cause = incident.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
    let told = incident.told_by.as_ref().map(|by| format!("; told by {by}")).unwrap_or_default();
    let was = match old {
        Some(old) => format!("was {}, last heard {} ago", incident.state, age(old, now)),
        None => format!("is {} ({})", incident.state, age(incident.since, now)),
    };
    let what = format!("check {subject}@{name} {was}{cause}{told}");
    let next = format!("on {name}: aurora check run {subject} --explain");
    let need = Need::Incident { node: name.clone(), subject: subject.clone() };
    Trouble::new(need, incident.since, severity, what, next)
}

#[cfg(test)]
mod tests {
    use super::super::RemoteNode;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn node(name: &str, state: NodeState) -> NodePanel {
        NodePanel { last_seen: Some(at(-90)), ..NodePanel::sample(name, state, at(-300)) }
    }

    fn told(nodes: &NodesPanel) -> Vec<(Severity, String)> {
        troubles(nodes, at(0)).into_iter().map(|trouble| (trouble.problem.severity, trouble.problem.what)).collect()
    }

    #[test]
    fn a_node_is_a_problem_when_somebody_has_to_look() {
        let mut why = node("c", NodeState::Quarantined);
        why.why = Some("entry 7 does not follow 6".into());
        let skewed = NodePanel { skew_ms: Some(-7_400), ..node("e", NodeState::Alive) };
        let new = NodePanel { since: at(-30), ..node("g", NodeState::Unknown) };
        let nodes = vec![
            node("a", NodeState::Alive),
            node("b", NodeState::Down),
            why,
            node("d", NodeState::Suspect),
            skewed,
            node("f", NodeState::Unknown),
            new,
            node("h", NodeState::Left),
        ];
        let mut panel = NodesPanel { nodes, ..NodesPanel::default() };
        let expected = [
            (Severity::Crit, "node b is down (5m)"),
            (Severity::Crit, "node c is quarantined (5m): entry 7 does not follow 6"),
            (Severity::Warn, "the clock of node e is 7s behind ours"),
            (Severity::Warn, "node f was never heard (5m)"),
        ];
        assert_eq!(told(&panel), expected.map(|(severity, what)| (severity, what.to_owned())));
        panel.me = Some(node("me", NodeState::IsolatedSelf));
        assert_eq!(told(&panel), [(Severity::Crit, "this node hears no other one (5m)".to_owned())]);
    }

    #[test]
    fn incidents_of_others_weigh_as_they_say_and_less_once_they_are_old() {
        let incident = |subject: &str, state: &str| RemoteIncident {
            subject: subject.into(),
            state: state.into(),
            since: at(-720),
            cause: Some("status == 200: got 503".into()),
            told_by: (subject == "web").then(|| "hub-1".parse().expect("a name")),
        };
        let mut remote = RemoteNode::new("b".parse().expect("a name"));
        remote.incidents = vec![incident("web", "critical"), incident("tls", "warn"), incident("api", "ok")];
        let nodes = vec![node("b", NodeState::Alive)];
        let mut panel = NodesPanel { nodes, remote: vec![remote], ..NodesPanel::default() };
        let expected = [
            (Severity::Crit, "check web@b is critical (10m): status == 200: got 503; told by hub-1".to_owned()),
            (Severity::Warn, "check tls@b is warn (10m): status == 200: got 503".to_owned()),
        ];
        assert_eq!(told(&panel), expected);
        panel.nodes[0].state = NodeState::Down;
        let old = told(&panel);
        assert_eq!(old[0].1, "node b is down (5m)");
        assert!(old[1].0 == Severity::Info && old[1].1.contains("was critical, last heard 1m ago"), "{old:?}");
        panel.nodes.clear();
        assert_eq!(told(&panel), [], "nobody said this");
    }
}
