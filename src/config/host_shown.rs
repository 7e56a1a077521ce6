//! Hosts as data: to print them and to compare two configurations.

use serde_json::{Value, json};

use super::{HostConfig, Hosts, LayerConfig, PaneRecord, SshConfig};

/// The hosts in effect by name. Keys are references.
pub(super) fn shown_hosts(hosts: &Hosts) -> Value {
    Value::Object(hosts.iter().map(|(name, host)| (name.to_string(), shown(host))).collect())
}

fn shown(host: &HostConfig) -> Value {
    let mut shown = json!({ "layers": host.kinds(), "labels": host.labels, "at_once": host.at_once });
    for layer in &host.layers {
        match layer {
            LayerConfig::Socket(socket) => {
                let mut table = json!({ "addr": socket.place.to_string(), "key": socket.key.reference.to_string() });
                if let Some(pin) = socket.pin {
                    table["pin"] = hex::encode(pin).into();
                }
                shown["socket"] = table;
            }
            LayerConfig::Trigger(trigger) => {
                shown["trigger"] = json!({ "dir": trigger.dir, "key": trigger.key.reference.to_string() });
            }
            LayerConfig::Local | LayerConfig::Tmux(_) | LayerConfig::Exec(_) | LayerConfig::Manual => {}
        }
    }
    if let Some(ssh) = &host.ssh {
        shown["ssh"] = shown_ssh(ssh);
    }
    if let Some(session) = &host.tmux.session {
        shown["tmux"]["session"] = session.as_str().into();
    }
    if let Some(socket) = &host.tmux.socket {
        shown["tmux"]["socket"] = socket.as_str().into();
    }
    if host.tmux.record != PaneRecord::Off {
        shown["tmux"]["record"] = json!(host.tmux.record);
    }
    shown
}

fn shown_ssh(ssh: &SshConfig) -> Value {
    let mut shown = json!({ "target": ssh.place.to_string(), "port": ssh.port, "agent": ssh.agent });
    if let Some(identity) = &ssh.identity {
        shown["identity"] = json!(identity);
    }
    if let Some(known_hosts) = &ssh.known_hosts {
        shown["known_hosts"] = json!(known_hosts);
    }
    if !ssh.jump.is_empty() {
        shown["jump"] = ssh.jump.iter().map(ToString::to_string).collect();
    }
    if let Some(path) = &ssh.agent_config {
        shown["agent_config"] = path.as_str().into();
    }
    shown
}
