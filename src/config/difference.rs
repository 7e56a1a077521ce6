//! What a new configuration changes, in plain words.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::ChannelId;

use super::Config;

/// Keys that are looked at once, when the engine starts or a screen opens. `limits.connections` counts for listeners that are new.
const AT_START: [&str; 11] = [
    "federation.enabled",
    "node.state_dir",
    "listen.api",
    "store.commit_batch",
    "limits.api_per_minute",
    "limits.connections",
    "limits.queue",
    "tui.sync",
    "tui.lite",
    "tui.mouse",
    "tui.title",
];

/// What is said of those.
const LATE: &str = " (takes effect at the next start)";

/// What is different between two configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// One line a change, as `limits.queue: 4096 -> 8192 (takes effect at the next start)`.
    pub lines: Vec<String>,
    /// The channels that are new, gone or different in any key.
    pub channels: BTreeSet<ChannelId>,
}

/// What `new` changes in `old`. Secrets are compared by reference; whether a value is another one is seen where
/// they are read.
#[must_use]
pub fn difference(old: &Config, new: &Config) -> Difference {
    let (before, after) = (old.effective(), new.effective());
    let mut lines = Vec::new();
    compare("", Some(&before), Some(&after), &mut lines);
    if old.federation.enabled {
        // Other nodes know it by the name it started with.
        lines.iter_mut().filter(|line| line.starts_with("node.name: ")).for_each(|line| line.push_str(LATE));
    }
    let differs = |id: &&ChannelId| before["channels"].get(id.as_str()) != after["channels"].get(id.as_str());
    let channels = old.channels.keys().chain(new.channels.keys()).filter(differs).cloned().collect();
    Difference { lines, channels }
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, lines: &mut Vec<String>) {
    if old == new {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            compare(&path, old.get(key), new.get(key), lines);
        }
        return;
    }
    let change = match (old, new) {
        (Some(_), None) => "removed".to_owned(),
        (None, Some(Value::Object(_))) => "added".to_owned(),
        (old, new) => format!("{} -> {}", shown(old), shown(new)),
    };
    let waits = |key: &str| path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let late = if AT_START.into_iter().any(waits) { LATE } else { "" };
    lines.push(format!("{path}: {change}{late}"));
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "not set".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    use super::*;

    fn lines(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
        let config = |text| parse(text, None).expect("a configuration");
        let difference = difference(&config(old), &config(new));
        (difference.lines, difference.channels.iter().map(ToString::to_string).collect())
    }

    const A: &str = "[channels.a]\nprovider = \"github\"\nsecrets = [\"env:A\"]\n";

    #[test]
    fn an_equal_configuration_changes_nothing() {
        assert_eq!(lines(A, A), Default::default());
        // Comments, order and places in the file are no change.
        assert_eq!(lines(A, &format!("# moved down\n\n{A}")), Default::default());
    }

    #[test]
    fn each_change_is_a_line_in_plain_words() {
        let b = "[channels.b]\nprovider = \"standard\"\nsecrets = [\"env:B\"]\n";
        let (found, channels) = lines(A, &format!("{A}allow_from = [\"127.0.0.1\"]\n{b}"));
        assert_eq!(found, ["channels.a.allow_from: not set -> [\"127.0.0.1/32\"]", "channels.b: added"]);
        assert_eq!(channels, ["a", "b"]);
        let (found, channels) = lines(&format!("{A}{b}"), &A.replace("env:A", "env:NEW"));
        assert_eq!(found, ["channels.a.secrets: [\"env:A\"] -> [\"env:NEW\"]", "channels.b: removed"]);
        assert_eq!(channels, ["a", "b"]);
        let (found, channels) = lines(A, &format!("[tui]\ntheme = \"dark\"\n{A}"));
        assert_eq!(found, ["tui.theme: terminal -> dark"]);
        assert_eq!(channels, Vec::<String>::new());
    }

    #[test]
    fn what_waits_for_the_next_start_is_said_so() {
        let (found, _) = lines(A, &format!("[limits]\nqueue = 9\ningress_per_minute = 5\n{A}"));
        assert_eq!(
            found,
            ["limits.ingress_per_minute: 600 -> 5", "limits.queue: 4096 -> 9 (takes effect at the next start)"]
        );
    }

    #[test]
    fn what_nodes_know_of_each_other_changes_at_once() {
        let node = "[[nodes]]\nname = \"hub-2\"\nvia = \"x\"\nkey = \"file:secrets/hub-2\"\n";
        let (found, _) = lines(A, &format!("[federation]\nrelay = false\n{A}{node}"));
        assert_eq!(found, ["federation.relay: true -> false", "nodes.hub-2: added"]);
        let (found, _) = lines(A, &format!("[node]\nname = \"hub-1\"\n[federation]\nenabled = true\n{A}"));
        assert!(found.iter().any(|line| line == "federation.enabled: false -> true (takes effect at the next start)"));
        let named = |name: &str, on: bool| format!("[node]\nname = \"{name}\"\n[federation]\nenabled = {on}\n{A}");
        let (found, _) = lines(&named("hub-1", true), &named("hub-9", true));
        assert_eq!(found, ["node.name: hub-1 -> hub-9 (takes effect at the next start)"]);
        assert_eq!(lines(&named("hub-1", false), &named("hub-9", false)).0, ["node.name: hub-1 -> hub-9"]);
    }

    #[test]
    fn every_key_that_waits_for_the_next_start_exists() {
        let effective = parse("", None).expect("defaults").effective();
        for path in AT_START {
            assert!(effective.pointer(&format!("/{}", path.replace('.', "/"))).is_some(), "{path}");
        }
    }
}
