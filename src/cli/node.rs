//! `aurora node`: the nodes that know each other, how one joins, what it may do, and the change of a key.

use std::io::Read;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::Config;
use crate::model::{Invitation, NodePanel, age, short_duration};
use crate::protocol::{NodeReply, NodeRequest, NodesPanel, Reply, Request};

use super::args::{Global, NodeCommand};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::session::{ask, unexpected};

/// Bytes of a token on standard input at most.
const TOKEN_MAX: u64 = 4096;

pub(super) async fn run(command: NodeCommand, config: &Config, global: &Global) -> Outcome {
    let request = match command {
        NodeCommand::List(json) => return list(config, global, json.json).await,
        NodeCommand::NatsConfig => {
            return Err(Failure::new(
                Exit::Failed,
                "the link over NATS comes in a later version, and its configuration with it; until then nodes reach \
                 each other over HTTP ([federation] link = \"http\")",
            ));
        }
        NodeCommand::Invite { trust, .. } => NodeRequest::Invite { trust },
        NodeCommand::Join { ref token, trust } => NodeRequest::Join { token: read(token)?, trust },
        NodeCommand::Add { ref name, ref url, key, trust } => {
            NodeRequest::Add { name: name.clone(), url: url.clone(), key, trust }
        }
        NodeCommand::Trust { ref name, trust } => NodeRequest::Trust { name: name.clone(), trust },
        NodeCommand::Remove { ref name } => NodeRequest::Remove(name.clone()),
        NodeCommand::Rotate => NodeRequest::Rotate,
    };
    let reply = match ask(config, global, Request::Node(request)).await? {
        Reply::Node(reply) => reply,
        reply => return Err(unexpected(&reply)),
    };
    match (reply, command) {
        (NodeReply::Invited(invitation), NodeCommand::Invite { json, .. }) if json.json => output::json(&invitation)?,
        (NodeReply::Invited(invitation), _) => invited(&invitation)?,
        (NodeReply::Joined { name, fingerprint, own }, _) => {
            output::line(&format!("{name} is known now, and knows this node. Compare on both sides:"))?;
            output::line(&format!("{name:<16} {fingerprint}"))?;
            output::line(&format!("{:<16} {own}", "this node"))?;
        }
        (NodeReply::Rotated { key, until }, _) => {
            output::line(&format!("new key    {key}"))?;
            output::line(&format!("           {}", key.fingerprint()))?;
            output::line(&format!("the key before counts until {until}; the others learn the new one by themselves"))?;
        }
        (NodeReply::Done, NodeCommand::Add { name, trust, key, .. }) => {
            output::line(&format!("{name} is known by {}, with the trust {trust}", key.fingerprint()))?;
        }
        (NodeReply::Done, NodeCommand::Trust { name, trust }) => {
            output::line(&format!("{name} has the trust {trust} here"))?;
        }
        (NodeReply::Done, NodeCommand::Remove { name }) => {
            output::line(&format!("{name} is forgotten: its key no longer counts, and what it shared is dropped"))?;
        }
        (reply, _) => return Err(unexpected(&Reply::Node(reply))),
    }
    Ok(Exit::Fine)
}

/// A token that is given, or on standard input, where `ps` does not show it.
fn read(given: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().lock().take(TOKEN_MAX).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

fn invited(invitation: &Invitation) -> Result<(), Failure> {
    output::line(&invitation.token)?;
    let now = Timestamp::now();
    let left = Duration::try_from(invitation.expires.duration_since(now)).unwrap_or_default();
    // Not to standard output: `TOKEN=$(aurora node invite)` takes the token alone.
    output::aside(&format!(
        "good once, for {}: `aurora node join TOKEN` on the other node, which gets the trust {}\nthis node's \
         fingerprint, to be compared there: {}",
        short_duration(left),
        invitation.trust,
        invitation.fingerprint,
    ));
    Ok(())
}

async fn list(config: &Config, global: &Global, as_json: bool) -> Outcome {
    let panel = match ask(config, global, Request::Node(NodeRequest::List)).await? {
        Reply::Node(NodeReply::Nodes(panel)) => *panel,
        reply => return Err(unexpected(&reply)),
    };
    if as_json {
        output::json(&rows(&panel))?;
    } else if let Some(me) = &panel.me {
        table(me, &panel.nodes, Timestamp::now())?;
    } else {
        output::line(
            "this node knows no others: set `enabled = true` under [federation] in its file and start it again",
        )?;
    }
    Ok(Exit::Fine)
}

/// The nodes with stable fields, this one first.
fn rows(panel: &NodesPanel) -> Vec<Value> {
    let others = panel.nodes.iter().map(|node| row(node, false));
    panel.me.iter().map(|me| row(me, true)).chain(others).collect()
}

fn row(node: &NodePanel, own: bool) -> Value {
    let fingerprints: Vec<String> = node.keys.iter().map(crate::model::NodeKey::fingerprint).collect();
    json!({
        "name": node.name,
        "own": own,
        "state": node.state,
        "since": node.since,
        "why": node.why,
        "trust": if own { Value::Null } else { json!(node.trust) },
        "url": node.url,
        "via": node.via,
        "keys": node.keys,
        "fingerprints": fingerprints,
        "version": node.version,
        "started": node.started,
        "last_seen": node.last_seen,
        "rtt_us": node.rtt.map(|rtt| rtt.as_micros()),
        "skew_ms": node.skew_ms,
        "phi": node.phi_tenths.map(|tenths| f64::from(tenths) / 10.0),
        "slowness": node.slowness,
        "high": node.high,
        "applied": node.applied,
        "behind": node.behind(),
        "lag_ms": node.lag.map(|lag| lag.as_millis()),
        "rate_per_minute": node.rate,
        "missing": node.missing,
        "bytes_received": node.bytes.0,
        "bytes_sent": node.bytes.1,
        "hears": node.hears,
    })
}

fn table(me: &NodePanel, nodes: &[NodePanel], now: Timestamp) -> Result<(), Failure> {
    let rows = std::iter::once((me, true)).chain(nodes.iter().map(|node| (node, false)));
    let rows = rows.map(|(node, own)| {
        let lag = match (own, node.lag) {
            (true, _) => String::new(),
            (false, Some(lag)) => format!("{} ({})", short_duration(lag), node.behind()),
            (false, None) => "none".to_owned(),
        };
        [
            if own { format!("{}*", node.name) } else { node.name.to_string() },
            node.state.as_str().to_owned(),
            if own { String::new() } else { node.trust.to_string() },
            node.via.as_ref().map_or_else(|| node.url.clone().unwrap_or_default(), |via| format!("over {via}")),
            node.rtt.map(short_duration).unwrap_or_default(),
            node.skew_ms.map(|skew| format!("{skew:+} ms")).unwrap_or_default(),
            lag,
            if own { String::new() } else { node.last_seen.map_or_else(|| "never".to_owned(), |seen| age(seen, now)) },
            node.keys.first().map(crate::model::NodeKey::fingerprint).unwrap_or_default(),
            node.why.clone().unwrap_or_default(),
        ]
    });
    let header = ["NODE", "STATE", "TRUST", "WAY", "RTT", "CLOCK", "LAG", "SEEN", "FINGERPRINT", "WHY"];
    output::table(header, rows)?;
    Ok(output::line("* this node; its key, as others pin it by hand, is `keys` in --json")?)
}

#[cfg(test)]
mod tests {
    use crate::model::{NodeKey, NodeState, Trust};

    use super::*;

    fn node(name: &str) -> NodePanel {
        NodePanel {
            name: name.parse().expect("a name"),
            url: Some("https://hub-2.example.org:9292".into()),
            via: None,
            state: NodeState::Alive,
            since: Timestamp::UNIX_EPOCH,
            why: None,
            trust: Trust::Report,
            keys: vec![NodeKey::from_bytes([1; 32])],
            version: Some("0.1.0".into()),
            last_seen: Some(Timestamp::UNIX_EPOCH),
            started: Some(Timestamp::UNIX_EPOCH),
            rtt: Some(Duration::from_micros(1_500)),
            skew_ms: Some(-12),
            phi_tenths: Some(14),
            slowness: 0,
            high: 12,
            applied: 10,
            lag: Some(Duration::from_secs(3)),
            rate: 60,
            missing: 0,
            bytes: (1, 2),
            hears: vec!["hub-3".parse().expect("a name")],
        }
    }

    #[test]
    fn the_fields_of_a_node_are_stable() {
        let panel = NodesPanel { me: Some(node("hub-1")), nodes: vec![node("hub-2")], ..NodesPanel::default() };
        let rows = rows(&panel);
        assert_eq!(rows.len(), 2);
        assert_eq!((&rows[0]["own"], &rows[0]["trust"]), (&json!(true), &Value::Null));
        let text = serde_json::to_string(&rows[1]).expect("JSON");
        let key = NodeKey::from_bytes([1; 32]);
        let expected = format!(
            r#"{{"name":"hub-2","own":false,"state":"alive","since":"1970-01-01T00:00:00Z","why":null,"trust":"report","url":"https://hub-2.example.org:9292","via":null,"keys":["{key}"],"fingerprints":["{}"],"version":"0.1.0","started":"1970-01-01T00:00:00Z","last_seen":"1970-01-01T00:00:00Z","rtt_us":1500,"skew_ms":-12,"phi":1.4,"slowness":0,"high":12,"applied":10,"behind":2,"lag_ms":3000,"rate_per_minute":60,"missing":0,"bytes_received":1,"bytes_sent":2,"hears":["hub-3"]}}"#,
            key.fingerprint()
        );
        assert_eq!(text, expected);
    }
}
